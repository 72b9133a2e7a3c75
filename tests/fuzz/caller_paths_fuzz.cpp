// libs: runvm_runtime
// The paths that a caller gives for the pid file, the console socket and the pidfd socket: any bytes, on what
// may be there. What is done is done as a whole, an error names the path and leaves nothing behind.

#include "../unit/support/temporary_folder.h"
#include "os/file.h"
#include "os/unix_socket.h"
#include "runtime/creation.h"
#include "runtime/host_terminal.h"
#include "support.h"

#include <sys/stat.h>
#include <sys/un.h>

#include <filesystem>
#include <set>
#include <string>

namespace {

using namespace runvm;
using runvm::fuzz::require;

class Folder {
public:
    explicit Folder(FuzzedDataProvider& choices) : choices_(choices) {
        listener_ = *os::listen_unix(in_folder("socket"));
        require(::fcntl(listener_.get(), F_SETFL, O_NONBLOCK) == 0, "fcntl"); // maybe nobody has come
        datagrams_ = os::Fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
        in_folder("datagrams").copy(static_cast<char*>(address.sun_path), sizeof address.sun_path - 1);
        require(::bind(datagrams_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0, "bind");
        require(::mkdir(in_folder("folder").c_str(), 0700) == 0, "mkdir");
        require(::mkfifo(in_folder("fifo").c_str(), 0600) == 0, "mkfifo");
        require(::symlink("loop", in_folder("loop").c_str()) == 0, "symlink");
        require(::symlink("nowhere", in_folder("dangling").c_str()) == 0, "symlink");
        require(::symlink("socket", in_folder("link").c_str()) == 0, "symlink");
        require(static_cast<bool>(os::write_file_atomically(in_folder("file"), "old", 0600, false)), "file");
    }

    void write_pid_file() {
        constexpr pid_t pid = 4711;
        std::string path = any_path();
        auto before = entries();
        auto written = runtime::write_pid_file(path, pid);
        check(written, path);
        auto after = entries();
        if (!written)
            return require(after == before, "nothing is left of a pid file that could not be written");
        auto text = os::read_file(path);
        require(text && *text == std::to_string(pid), "the pid file has the pid");
        after.erase(relative(path));
        before.erase(relative(path));
        require(after == before, "there is the pid file, and no temporary one");
    }

    void send_master() {
        runtime::HostTerminal terminal;
        terminal.master = *os::open_file("/dev/null", O_RDWR);
        terminal.name = "/dev/pts/1";
        send([&](const std::string& path) { return runtime::send_master(terminal, path); });
    }

    void send_pidfd() {
        os::Fd pidfd = *os::open_file("/dev/null", O_RDWR);
        send([&](const std::string& path) { return runtime::send_pidfd(pidfd.get(), path); });
    }

private:
    template <class Send>
    void send(Send send) {
        std::string path = any_path();
        auto before = entries();
        auto sent = send(path);
        check(sent, path);
        require(entries() == before, "nothing is made on the way to a socket");
        os::Fd peer(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        require(static_cast<bool>(peer) == sent.ok(), "only what listens there is a socket to be sent to");
        if (sent)
            check_received(peer.get());
    }

    static void check_received(int socket) {
        std::array<char, 64> text{};
        alignas(cmsghdr) std::array<char, CMSG_SPACE(2 * sizeof(int))> control{};
        iovec part{text.data(), text.size()};
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        message.msg_control = control.data();
        message.msg_controllen = control.size();
        require(::recvmsg(socket, &message, MSG_CMSG_CLOEXEC) > 0, "a message was sent");
        const cmsghdr* header = CMSG_FIRSTHDR(&message);
        require(header != nullptr && header->cmsg_len == CMSG_LEN(sizeof(int)), "it has one descriptor");
        int fd = -1;
        std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
        os::Fd received(fd);
    }

    static void check(const Result<void>& result, const std::string& path) {
        require(result || result.error().to_string().find(path) != std::string::npos,
                "an error names the path");
    }

    /// Below this folder: as in an argument there is no NUL, and nothing leads upwards.
    std::string any_path() {
        std::string path;
        for (int left = choices_.ConsumeIntegralInRange(0, 60); left > 0; --left)
            path += any_component() + "/";
        std::string last = any_component();
        return in_folder(path + last);
    }

    std::string any_component() {
        constexpr std::array names = {"socket",   "datagrams", "folder", "fifo", "loop",
                                      "dangling", "link",      "file",   ".",    ""};
        std::string name = choices_.ConsumeBool()
                               ? names[choices_.ConsumeIntegralInRange<size_t>(0, names.size() - 1)]
                               : choices_.ConsumeRandomLengthString(20);
        if (choices_.ConsumeIntegralInRange(0, 3) == 1)
            name += std::string(choices_.ConsumeIntegralInRange<size_t>(0, 300), 'x');
        name = name.substr(0, std::min(name.find('\0'), name.find('/')));
        return name == ".." ? "" : name;
    }

    std::string in_folder(const std::string& path) const { return folder_.path() + "/" + path; }

    std::string relative(const std::string& path) const {
        return std::filesystem::path(path).lexically_normal().lexically_relative(folder_.path());
    }

    std::set<std::string> entries() const {
        std::set<std::string> found;
        for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_.path()))
            found.insert(relative(entry.path()));
        return found;
    }

    FuzzedDataProvider& choices_;
    test::TemporaryFolder folder_;
    os::Fd listener_;
    os::Fd datagrams_;
};

} // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
    fuzz::set_up_process();
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    FuzzedDataProvider choices(data, size);
    int descriptors = fuzz::open_descriptors();
    {
        Folder folder(choices);
        for (int steps = 0; steps < 8 && choices.remaining_bytes() > 0; ++steps) {
            switch (choices.ConsumeIntegralInRange(0, 3)) {
            case 1:
                folder.send_master();
                break;
            case 2:
                folder.send_pidfd();
                break;
            default:
                folder.write_pid_file();
                break;
            }
        }
    }
    require(fuzz::open_descriptors() == descriptors, "every descriptor is closed");
    return 0;
}
