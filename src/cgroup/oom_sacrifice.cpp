#include "cgroup/oom_sacrifice.h"

#include "core/defer.h"
#include "core/number.h"
#include "os/fd.h"
#include "os/file.h"
#include "os/process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstring>
#include <optional>
#include <string>

namespace runvm::cgroup {

namespace {

// The kernel kills whom its score makes the largest: pages in use, and with oom_score_adj 1000 all that the
// cgroup may have on top. QEMU has pages that are charged elsewhere (libraries): this is far more than those.
constexpr size_t ballast_bytes = 64U << 20U;
// What the child takes on top, if it is not killed before: page cache that the kernel drops first.
constexpr size_t most_bytes = 1U << 30U;
constexpr size_t step_bytes = 64U << 10U;
constexpr int ballast_timeout_ms = 5000;
constexpr int kill_timeout_ms = 5000;
constexpr int turn_ms = 2;

std::string read_at(int folder, const char* name) {
    os::Fd file(::openat(folder, name, O_RDONLY | O_CLOEXEC));
    auto text = file ? os::read_fd(file.get(), name, 4096) : Result<std::string>(std::string());
    return text ? text->substr(0, text->find('\n')) : "";
}

bool write_at(int folder, const char* name, const std::string& value) {
    os::Fd file(::openat(folder, name, O_WRONLY | O_CLOEXEC));
    return file && ::write(file.get(), value.data(), value.size()) == static_cast<ssize_t>(value.size());
}

/// The files of one version of cgroups.
struct Names {
    const char* limit;
    const char* usage;
    const char* swap; ///< "0" there: QEMU's memory is not swapped out instead
};
constexpr Names v1{"memory.limit_in_bytes", "memory.usage_in_bytes", "memory.swappiness"};
constexpr Names v2{"memory.max", "memory.current", "memory.swap.max"};

std::optional<Names> names_in(int folder) {
    for (const Names& names : {v1, v2})
        if (::faccessat(folder, names.limit, W_OK, 0) == 0)
            return names;
    return std::nullopt;
}

/// Memory that is in use, for good; false if there is no more.
bool take_memory(size_t bytes, size_t step) {
    for (size_t taken = 0; taken < bytes; taken += step) {
        void* memory =
            ::mmap(nullptr, step, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
        if (memory == MAP_FAILED)
            return false;
        std::memset(memory, 1, step);
    }
    return true;
}

[[noreturn]] void be_sacrificed(int proc_folder, int said, int heard) {
    char byte = '\n';
    // Without the score the kernel might take QEMU.
    if (!write_at(proc_folder, "self/oom_score_adj", "1000") || !take_memory(ballast_bytes, ballast_bytes))
        ::_exit(1);
    if (::write(said, &byte, 1) != 1 || ::read(heard, &byte, 1) != 1)
        ::_exit(1);
    take_memory(most_bytes, step_bytes);
    ::_exit(1);
}

bool wait_readable(int fd, int timeout_ms) {
    pollfd polled{fd, POLLIN, 0};
    return ::poll(&polled, 1, timeout_ms) > 0;
}

/// Allows the cgroup what it uses and no more, again and again: a machine that ends frees memory meanwhile.
void press(int folder, const Names& names, int child) {
    for (int waited_ms = 0; waited_ms < kill_timeout_ms; waited_ms += turn_ms) {
        if (whole_number<uint64_t>(read_at(folder, names.usage)))
            (void)write_at(folder, names.limit, read_at(folder, names.usage)); // busy: the next time
        if (wait_readable(child, turn_ms))
            return;
    }
}

} // namespace

void sacrifice_for_oom(int memory_folder, int proc_folder) {
    auto names = names_in(memory_folder);
    if (!names)
        return;
    std::array<int, 2> said{};
    std::array<int, 2> heard{};
    if (::pipe2(said.data(), O_CLOEXEC) != 0)
        return;
    os::Fd said_reader(said[0]);
    os::Fd said_writer(said[1]);
    if (::pipe2(heard.data(), O_CLOEXEC) != 0)
        return;
    os::Fd heard_reader(heard[0]);
    os::Fd heard_writer(heard[1]);
    auto child = os::clone_process(0);
    if (!child)
        return;
    if (child->pid == 0) {
        heard_writer.reset();
        said_reader.reset();
        be_sacrificed(proc_folder, said_writer.get(), heard_reader.get());
    }
    said_writer.reset();
    Defer end([&] { os::end_child(*child); });
    char byte = 0;
    // Nothing and end-of-file: it could not be, or has been killed already, because the limit was near.
    if (!wait_readable(said_reader.get(), ballast_timeout_ms) || ::read(said_reader.get(), &byte, 1) != 1)
        return;

    std::string limit = read_at(memory_folder, names->limit);
    std::string swap = read_at(memory_folder, names->swap);
    Defer restore([&] {
        (void)write_at(memory_folder, names->limit, limit);
        (void)write_at(memory_folder, names->swap, swap);
    });
    (void)write_at(memory_folder, names->swap, "0");
    (void)write_at(memory_folder, names->limit, read_at(memory_folder, names->usage));
    if (::write(heard_writer.get(), &byte, 1) == 1)
        press(memory_folder, *names, child->pidfd.get());
}

} // namespace runvm::cgroup
