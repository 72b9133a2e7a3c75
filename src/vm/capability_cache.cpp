#include "vm/capability_cache.h"

#include "os/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <thread>

namespace runvm::vm {
namespace {

constexpr size_t most_files = 16;               // one an emulator
constexpr uint64_t most_file_bytes = 4U << 20U; // they have 50 to 150 KiB
constexpr auto longest_wait = std::chrono::seconds(20);
constexpr auto wait_step = std::chrono::milliseconds(50);

bool is_cache_file(std::string_view name) {
    return name.size() > 4 && name.substr(name.size() - 4) == ".xml";
}

bool try_lock(int fd) {
    struct flock whole {};
    whole.l_type = F_WRLCK;
    whole.l_whence = SEEK_SET;
    return ::fcntl(fd, F_OFD_SETLK, &whole) == 0;
}

} // namespace

CapabilityCache::CapabilityCache(std::string shared_folder, const std::string& root_folder)
    : shared_folder_(std::move(shared_folder)), root_folder_(root_folder + "/cache/qemu/capabilities") {}

CapabilityCache::Files CapabilityCache::read_folder(const std::string& folder) {
    Files files;
    std::unique_ptr<DIR, int (*)(DIR*)> listing(::opendir(folder.c_str()), ::closedir);
    if (!listing)
        return files;
    while (const dirent* entry = ::readdir(listing.get())) {
        if (files.size() == most_files)
            break;
        if (!is_cache_file(entry->d_name))
            continue;
        auto contents = os::read_file(folder + "/" + entry->d_name, most_file_bytes);
        if (contents)
            files.emplace(entry->d_name, std::move(*contents));
    }
    return files;
}

bool CapabilityCache::try_fetch() {
    fetched_ = read_folder(shared_folder_);
    if (fetched_.empty())
        return false;
    // A file that cannot be written here is found out anew by libvirt.
    if (!os::make_folders(root_folder_, 0755).ok())
        return false;
    for (const auto& [name, contents] : fetched_)
        (void)os::write_file_atomically(root_folder_ + "/" + name, contents, 0600, false);
    return true;
}

void CapabilityCache::fetch() {
    if (shared_folder_.empty() || try_fetch())
        return;
    if (!os::make_folders(shared_folder_, 0755).ok())
        return;
    auto lock = os::open_file(shared_folder_ + "/.lock", O_RDWR | O_CREAT, 0600);
    if (!lock)
        return;
    auto deadline = std::chrono::steady_clock::now() + longest_wait;
    while (!try_lock(lock->get())) {
        if (std::chrono::steady_clock::now() > deadline)
            return;
        std::this_thread::sleep_for(wait_step);
    }
    // Whoever had the lock has stored its findings by now, unless it died.
    if (!try_fetch())
        lock_ = std::move(*lock);
}

void CapabilityCache::store() {
    for (const auto& [name, contents] : read_folder(root_folder_)) {
        auto known = fetched_.find(name);
        if (known != fetched_.end() && known->second == contents)
            continue;
        (void)os::write_file_atomically(shared_folder_ + "/" + name, contents, 0644, false);
    }
    fetched_.clear();
    lock_.reset();
}

} // namespace runvm::vm
