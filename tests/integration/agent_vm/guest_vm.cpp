#include "guest_vm.h"

#include "channel/handshake.h"
#include "channel/port.h"
#include "os/file.h"
#include "vm/virtiofsd.h"

#include <fcntl.h>
#include <kj/debug.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

namespace runvm::test {

namespace {

using Clock = std::chrono::steady_clock;
constexpr auto patience = std::chrono::seconds(120);
constexpr auto boot_patience = std::chrono::seconds(300);

void require(bool condition, const std::string& what) {
    KJ_REQUIRE(condition, what, std::strerror(errno));
}

pid_t start(const std::vector<std::string>& argv, const std::string& log) {
    pid_t pid = ::fork();
    if (pid != 0)
        return pid;
    ::setsid();
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ::dup2(out, 1);
    ::dup2(out, 2);
    std::vector<char*> args;
    for (const std::string& arg : argv)
        args.push_back(const_cast<char*>(arg.c_str()));
    args.push_back(nullptr);
    ::execvp(args[0], args.data());
    ::_exit(127);
}

os::Fd connect_to(const std::string& path) {
    auto deadline = Clock::now() + patience;
    while (true) {
        os::Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
        if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0)
            return socket;
        require(Clock::now() < deadline, "connect to " + path);
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
}

void bind_mount(const std::string& source, const std::string& target) {
    require(::mount(source.c_str(), target.c_str(), nullptr, MS_BIND | MS_REC, nullptr) == 0,
            "bind " + target);
}

bool shake_hands(kj::AsyncIoContext& io, kj::AsyncIoStream& control, kj::AsyncIoStream& streams) {
    channel::Nonce nonce{};
    require(::getrandom(nonce.data(), nonce.size(), 0) == static_cast<ssize_t>(nonce.size()), "getrandom");
    auto both = kj::heapArrayBuilder<kj::Promise<void>>(2);
    both.add(channel::handshake_host(control, channel::PortRole::control, nonce));
    both.add(channel::handshake_host(streams, channel::PortRole::streams, nonce));
    return io.provider->getTimer()
        .timeoutAfter(20 * kj::SECONDS, kj::joinPromises(both.finish()))
        .then([] { return true; }, [](kj::Exception&&) { return false; })
        .wait(io.waitScope);
}

void end_process(pid_t pid) {
    if (pid <= 0)
        return;
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
}

} // namespace

AgentSession::AgentSession(kj::AsyncIoContext& io, const std::string& folder) {
    control_ = channel::wrap_port(io.unixEventPort, connect_to(folder + "/control.sock"));
    auto streams = channel::wrap_port(io.unixEventPort, connect_to(folder + "/streams.sock"));
    // An agent that has not noticed yet that its last session is over takes a request for bytes of that one:
    // so ask again.
    auto give_up = Clock::now() + boot_patience;
    while (!shake_hands(io, *control_, *streams))
        require(Clock::now() < give_up, "no answer from the agent");

    relay_ = std::make_unique<channel::StreamRelay>(io.unixEventPort, kj::mv(streams));
    relaying_ = relay_->run().eagerlyEvaluate([](kj::Exception&& exception) { KJ_LOG(WARNING, exception); });
    network_ = std::make_unique<capnp::TwoPartyVatNetwork>(*control_, capnp::rpc::twoparty::Side::CLIENT);
    rpc_ = std::make_unique<capnp::RpcSystem<capnp::rpc::twoparty::VatId>>(capnp::makeRpcClient(*network_));
    capnp::MallocMessageBuilder message(8);
    auto vat = message.initRoot<capnp::rpc::twoparty::VatId>();
    vat.setSide(capnp::rpc::twoparty::Side::SERVER);
    agent_ = rpc_->bootstrap(vat).castAs<protocol::Agent>();
}

GuestVm::GuestVm(std::string kernel, std::string initrd) : io_(kj::setupAsyncIo()) {
    std::array<char, 32> name{};
    std::strcpy(name.data(), "/tmp/agent-vm.XXXXXX");
    require(::mkdtemp(name.data()) != nullptr, "make a folder");
    folder_ = name.data();
    ::umask(022);
    ::mkdir(shared().c_str(), 0755);
    for (const char* path : {"", "/bin", "/proc", "/dev", "/sys", "/etc", "/tmp", "/home", "/mnt"})
        ::mkdir((rootfs() + path).c_str(), 0755);
    [[maybe_unused]] int copied =
        ::system(("cp /bin/busybox " + rootfs() + "/bin/ && cd " + rootfs() +
                  "/bin && for a in $(./busybox --list); do [ $a = busybox ] || ln -sf busybox $a; done")
                     .c_str());

    start_shared_fs();
    auto socket = [&](const std::string& id) {
        return "socket,id=" + id + ",path=" + folder_ + "/" + id + ".sock,server=on,wait=off";
    };
    qemu_ = start({"qemu-system-x86_64",
                   "-machine",
                   "q35,accel=tcg",
                   "-cpu",
                   "max",
                   "-m",
                   "512",
                   "-nodefaults",
                   "-no-user-config",
                   "-display",
                   "none",
                   "-no-reboot",
                   "-kernel",
                   kernel,
                   "-initrd",
                   initrd,
                   "-append",
                   "console=ttyS0 quiet panic=-1",
                   "-serial",
                   "file:" + folder_ + "/console",
                   "-object",
                   "memory-backend-memfd,id=ram,size=512M,share=on",
                   "-numa",
                   "node,memdev=ram",
                   "-device",
                   "virtio-serial-pci",
                   "-chardev",
                   socket("control"),
                   "-device",
                   "virtserialport,chardev=control,name=org.runvm.control.0",
                   "-chardev",
                   socket("streams"),
                   "-device",
                   "virtserialport,chardev=streams,name=org.runvm.streams.0",
                   "-chardev",
                   "socket,id=fs,path=" + folder_ + "/virtiofs.sock",
                   "-device",
                   "vhost-user-fs-pci,chardev=fs,tag=runvm",
                   "-device",
                   "virtio-rng-pci"},
                  folder_ + "/qemu.log");
    connect();
}

void GuestVm::start_shared_fs() {
    auto program = vm::find_virtiofsd("");
    KJ_REQUIRE(program.ok(), program.error().to_string());
    vm::VirtiofsdOptions options;
    options.program = *program;
    options.shared_folder = shared();
    options.socket_path = folder_ + "/virtiofs.sock";
    options.log_path = folder_ + "/virtiofsd.log";
    auto started = vm::start_virtiofsd(options);
    KJ_REQUIRE(started.ok(), started.error().to_string());
    virtiofsd_ = started->pid;
}

GuestVm::~GuestVm() {
    session_ = nullptr;
    end_process(qemu_);
    end_process(virtiofsd_);
    for (auto mount = mounts_.rbegin(); mount != mounts_.rend(); ++mount)
        ::umount2(mount->c_str(), MNT_DETACH);
    (void)os::remove_tree(folder_);
}

void GuestVm::connect() {
    KJ_ON_SCOPE_FAILURE(std::fputs(console().c_str(), stderr)); // says why there is no session
    session_ = std::make_unique<AgentSession>(io_, folder_);
}

void GuestVm::add_rootfs(const std::string& container) {
    add_share(container, "rootfs", rootfs());
}

void GuestVm::add_share(const std::string& container, const std::string& name, const std::string& source) {
    std::string parent = shared() + "/" + container;
    ::mkdir(parent.c_str(), 0755);
    std::string target = parent + "/" + name;
    struct stat info {};
    require(::stat(source.c_str(), &info) == 0, "stat " + source);
    if (S_ISDIR(info.st_mode))
        ::mkdir(target.c_str(), 0755);
    else
        ::close(::open(target.c_str(), O_CREAT | O_WRONLY, 0644));
    bind_mount(source, target);
    mounts_.push_back(target);
}

void GuestVm::remove_shares(const std::string& container) {
    std::string prefix = shared() + "/" + container + "/";
    for (auto mount = mounts_.begin(); mount != mounts_.end();) {
        if (mount->compare(0, prefix.size(), prefix) == 0) {
            ::umount2(mount->c_str(), MNT_DETACH);
            mount = mounts_.erase(mount);
        } else {
            ++mount;
        }
    }
}

std::string GuestVm::console() const {
    auto text = os::read_file(folder_ + "/console");
    return text ? *text : "";
}

double GuestVm::qemu_cpu_ms() const {
    constexpr double ns_per_ms = 1e6;
    double total = 0;
    for (const auto& thread :
         std::filesystem::directory_iterator("/proc/" + std::to_string(qemu_) + "/task")) {
        double cpu_ns = 0;
        std::ifstream(thread.path() / "schedstat") >> cpu_ns;
        total += cpu_ns / ns_per_ms;
    }
    return total;
}

bool GuestVm::wait_for_qemu() {
    auto deadline = Clock::now() + patience;
    while (Clock::now() < deadline) {
        if (::waitpid(qemu_, nullptr, WNOHANG) == qemu_) {
            qemu_ = -1;
            return true;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return false;
}

void GuestProcess::bind(protocol::Process::Builder process, bool terminal, bool with_stdin) {
    using Direction = protocol::StreamBinding::Direction;
    auto add = [&](protocol::StreamBinding::Builder binding, uint32_t fd, Direction direction) {
        std::array<int, 2> in{-1, -1};
        std::array<int, 2> out{-1, -1};
        if (direction != Direction::FROM_PROCESS)
            require(::pipe2(in.data(), O_CLOEXEC) == 0, "pipe");
        if (direction != Direction::TO_PROCESS)
            require(::pipe2(out.data(), O_CLOEXEC) == 0, "pipe");
        uint32_t stream = vm_.next_stream();
        vm_.session().relay().attach(stream, os::Fd(in[0]), os::Fd(out[1]));
        if (in[1] >= 0)
            input_ = os::Fd(in[1]);
        if (out[0] >= 0) {
            ::fcntl(out[0], F_SETFL, O_NONBLOCK);
            outputs_[fd] = os::Fd(out[0]);
        }
        streams_[fd] = stream;
        binding.setFd(fd);
        binding.setDirection(direction);
        binding.setStream(stream);
    };
    process.setTerminal(terminal);
    if (terminal) {
        add(process.initStreams(1)[0], 0, Direction::BOTH);
        return;
    }
    auto streams = process.initStreams(with_stdin ? 3 : 2);
    add(streams[0], 1, Direction::FROM_PROCESS);
    add(streams[1], 2, Direction::FROM_PROCESS);
    if (with_stdin)
        add(streams[2], 0, Direction::TO_PROCESS);
}

void GuestProcess::write(const std::string& text) {
    KJ_REQUIRE(os::write_all(input_.get(), text, "the process's input").ok());
}

void GuestProcess::close_input() {
    input_.reset();
}

void GuestProcess::read_available(uint32_t fd) {
    std::array<char, 65536> buffer;
    while (true) {
        ssize_t length = ::read(outputs_[fd].get(), buffer.data(), buffer.size());
        if (length <= 0)
            return;
        read_[fd].append(buffer.data(), static_cast<size_t>(length));
    }
}

kj::Promise<void> GuestProcess::read_for_ever() {
    for (const auto& [fd, output] : outputs_)
        read_available(fd);
    return vm_.io().provider->getTimer().afterDelay(2 * kj::MILLISECONDS).then([this] {
        return read_for_ever();
    });
}

kj::Promise<void> GuestProcess::keep_reading() {
    return read_for_ever().eagerlyEvaluate(nullptr);
}

std::string GuestProcess::read_while(uint32_t fd, const std::function<bool(const std::string&)>& wanted) {
    auto deadline = Clock::now() + patience;
    read_available(fd);
    while (wanted(read_[fd]) && Clock::now() < deadline) {
        vm_.io().provider->getTimer().afterDelay(1 * kj::MILLISECONDS).wait(vm_.io().waitScope);
        read_available(fd);
    }
    return read_[fd];
}

std::string GuestProcess::read(uint32_t fd, uint64_t bytes) {
    return read_while(fd, [&](const std::string& text) { return text.size() < bytes; });
}

std::string GuestProcess::read_until(uint32_t fd, const std::string& text) {
    return read_while(fd, [&](const std::string& so_far) { return so_far.find(text) == std::string::npos; });
}

} // namespace runvm::test
