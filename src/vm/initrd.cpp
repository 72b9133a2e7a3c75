#include "vm/initrd.h"

#include "os/file.h"

#include <sys/stat.h>

#include <cstdint>
#include <cstdio>

namespace runvm::vm {

namespace {

constexpr size_t alignment = 4; // of headers and of contents
constexpr uint64_t max_image_bytes = 256U << 20U;

void pad(std::string& archive) {
    archive.resize((archive.size() + alignment - 1) / alignment * alignment, '\0');
}

void add_entry(std::string& archive, const std::string& name, unsigned mode, const std::string& content) {
    char header[111];
    std::snprintf(header, sizeof header, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", 0U,
                  mode, 0U, 0U, 1U, 0U, static_cast<unsigned>(content.size()), 0U, 0U, 0U, 0U,
                  static_cast<unsigned>(name.size() + 1), 0U);
    archive += header;
    archive += name;
    archive += '\0';
    pad(archive);
    archive += content;
    pad(archive);
}

} // namespace

std::string cpio_of_file(const std::string& path, const std::string& content) {
    std::string archive;
    add_entry(archive, path, S_IFREG | 0400, content);
    add_entry(archive, "TRAILER!!!", 0, "");
    return archive;
}

Result<void> copy_initrd_with(const std::string& image_path, const std::string& copy_path,
                              const std::string& archive) {
    RUNVM_ASSIGN(std::string initrd, os::read_file(image_path, max_image_bytes));
    pad(initrd);
    initrd += archive;
    return os::write_file_atomically(copy_path, initrd, 0600, /*durable=*/false);
}

} // namespace runvm::vm
