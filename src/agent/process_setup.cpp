#include "agent/process_setup.h"

#include "agent/accounts.h"
#include "agent/capabilities.h"
#include "agent/executable.h"
#include "agent/scheduling.h"
#include "agent/terminal.h"
#include "os/file.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/seccomp.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <climits>
#include <csignal>
#include <map>

namespace runvm::agent {

namespace {

constexpr uint64_t no_personality = 0xffffffff;
constexpr size_t max_filter_instructions = 4096; // the kernel's BPF_MAXINSNS
/// Programs that close every descriptor up to the limit would take for ever with the agent's own.
constexpr rlim_t default_open_files = 1024;

Result<void> change_folder(const std::string& path) {
    if (::chdir(path.c_str()) == 0)
        return {};
    // The user's mistake, as a missing command is: callers tell 126 and 127 by runc's words
    // (container_linux.go).
    Error error = system_error("chdir to cwd (\"" + path + "\") set in config.json failed");
    bool missing = error.errno_value() == ENOENT || error.errno_value() == ENOTDIR;
    return Error(missing ? ErrorKind::command_not_found : ErrorKind::command_not_executable, error.message(),
                 error.errno_value());
}

/// A working directory outside of the root is a way out (CVE-2024-21626).
Result<void> require_cwd_inside() {
    std::array<char, PATH_MAX> path;
    if (::syscall(SYS_getcwd, path.data(), path.size()) < 0)
        return system_error("get the working directory");
    if (path[0] != '/')
        return Error(ErrorKind::invalid_argument,
                     "current working directory is outside of container mount namespace root");
    return {};
}

CapabilityMasks masks_of(protocol::Process::Reader process) {
    CapabilityMasks masks;
    if (!process.hasCapabilities())
        return masks;
    auto sets = process.getCapabilities();
    masks.bounding = sets.getBounding();
    masks.effective = sets.getEffective();
    masks.inheritable = sets.getInheritable();
    masks.permitted = sets.getPermitted();
    masks.ambient = sets.getAmbient();
    return masks;
}

Error limit_error(protocol::Rlimit::Reader limit) {
    return system_error("set rlimit " + std::to_string(limit.getResource()) + " to " +
                        std::to_string(limit.getSoft()) + ":" + std::to_string(limit.getHard()));
}

/// runc's words (init_linux.go setupUser) for an id that the user namespace does not have.
Error id_error(const char* kind, uint32_t id) {
    if (errno == EINVAL)
        return {ErrorKind::invalid_argument,
                std::string("cannot set") + kind + " to unmapped " + kind + " " + std::to_string(id) +
                    " in user namespace",
                EINVAL};
    return system_error(std::string("set ") + kind);
}

std::vector<char*> pointers_to(const std::vector<std::string>& texts) {
    std::vector<char*> pointers;
    pointers.reserve(texts.size() + 1);
    for (const std::string& text : texts)
        pointers.push_back(const_cast<char*>(text.c_str())); // execve's signature
    pointers.push_back(nullptr);
    return pointers;
}

} // namespace

Result<void> leave_agent() {
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    // Handlers go with execve, an ignored signal stays: kj ignores SIGPIPE.
    ::signal(SIGPIPE, SIG_DFL);
    if (::setsid() < 0)
        return system_error("setsid");
    return {};
}

Result<void> grant_privileges(pid_t pid, protocol::Process::Reader process) {
    if (process.getHasOomScoreAdj()) {
        std::string path = "/proc/" + (pid == 0 ? "self" : std::to_string(pid)) + "/oom_score_adj";
        RUNVM_TRY(os::write_into(path, std::to_string(process.getOomScoreAdj())));
    }
    // Only raised: with low ones the set-up could not be done. set_limits brings them to what is asked for.
    for (auto limit : process.getRlimits()) {
        auto resource = static_cast<__rlimit_resource>(limit.getResource());
        rlimit values{};
        if (::prlimit(pid, resource, nullptr, &values) != 0)
            return limit_error(limit);
        if (limit.getHard() <= values.rlim_max)
            continue;
        values.rlim_max = limit.getHard();
        if (::prlimit(pid, resource, &values, nullptr) != 0)
            return limit_error(limit);
    }
    return {};
}

Result<void> join_session_keyring(const std::string& name) {
    // A kernel without keyrings, or a quota of keys that is used up, is fine, as for runc.
    if (!name.empty() && ::syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name.c_str()) < 0 &&
        errno != ENOSYS && errno != EDQUOT)
        return system_error("make a session keyring");
    return {};
}

Result<void> ProcessSetup::prepare(ProcessDescriptors& descriptors, int terminal) {
    if (terminal >= 0)
        RUNVM_TRY(take_terminal(terminal));
    RUNVM_TRY(descriptors.install(terminal));
    if (personality_ != no_personality && ::personality(static_cast<unsigned long>(personality_)) < 0)
        return system_error("set the personality");
    if (process_.getNoNewPrivileges() && ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return system_error("set no_new_privs");
    RUNVM_TRY(set_scheduling());
    RUNVM_TRY(set_limits());
    // Without no_new_privs loading a filter needs CAP_SYS_ADMIN, so it has to be done before that may go.
    if (!process_.getNoNewPrivileges())
        RUNVM_TRY(load_seccomp());
    RUNVM_TRY(become_user());
    return find_command();
}

Result<void> ProcessSetup::set_scheduling() {
    if (process_.hasScheduler())
        RUNVM_TRY(set_scheduler(process_.getScheduler()));
    if (process_.getIoPriorityClass() != 0)
        RUNVM_TRY(set_io_priority(process_.getIoPriorityClass(), process_.getIoPriorityLevel()));
    if (process_.getExecCpuAffinity().size() > 0) {
        RUNVM_ASSIGN(std::vector<unsigned> cpus, parse_cpu_list(process_.getExecCpuAffinity().cStr()));
        RUNVM_TRY(set_cpu_affinity(cpus));
    }
    return {};
}

Result<void> ProcessSetup::set_limits() {
    rlimit open_files{};
    if (::getrlimit(RLIMIT_NOFILE, &open_files) != 0)
        return system_error("get the limit of open files");
    open_files.rlim_cur = std::min(open_files.rlim_max, default_open_files);
    ::setrlimit(RLIMIT_NOFILE, &open_files);
    for (auto limit : process_.getRlimits()) {
        rlimit values{limit.getSoft(), limit.getHard()};
        if (::setrlimit(static_cast<__rlimit_resource_t>(limit.getResource()), &values) != 0)
            return limit_error(limit);
    }
    return {};
}

Result<void> ProcessSetup::load_seccomp() {
    if (!process_.hasSeccomp())
        return {};
    auto program = process_.getSeccomp().getProgram();
    size_t count = program.size() / sizeof(sock_filter);
    if (count == 0 || count > max_filter_instructions || program.size() % sizeof(sock_filter) != 0)
        return Error(ErrorKind::invalid_argument, "the seccomp program has a bad size");
    // Copied: in the message it need not be aligned.
    std::vector<sock_filter> instructions(count);
    std::copy(program.begin(), program.end(), reinterpret_cast<kj::byte*>(instructions.data()));
    sock_fprog filter{static_cast<unsigned short>(count), instructions.data()};
    if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, process_.getSeccomp().getFlags(), &filter) != 0)
        return system_error("load the seccomp program");
    return {};
}

Result<void> ProcessSetup::become_user() {
    RUNVM_ASSIGN(environment_, merge_environment(process_.getEnv()));
    const char* home = find_variable(environment_, "HOME");
    bool needs_home =
        home == nullptr || *home == '\0'; // as for runc, which takes it from /etc/passwd as well
    RUNVM_ASSIGN(Identity user, identify(process_.getUser(), needs_home));
    if (needs_home) {
        std::erase(environment_, "HOME=");
        environment_.push_back("HOME=" + user.home);
    }
    RUNVM_TRY(own_stdio(user.uid));

    CapabilityMasks masks = masks_of(process_);
    RUNVM_TRY(limit_bounding_set(masks));
    if (::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0)
        return system_error("keep capabilities");
    // Root may enter folders that the user cannot, and on a network filesystem it can be the other way round.
    std::string cwd = process_.getCwd().size() > 0 ? process_.getCwd().cStr() : "/";
    bool entered = ::chdir(cwd.c_str()) == 0;

    if (::setgroups(user.groups.size(), user.groups.data()) != 0)
        return system_error("set additional groups");
    if (::setresgid(user.gid, user.gid, user.gid) != 0)
        return id_error("gid", user.gid);
    if (::setresuid(user.uid, user.uid, user.uid) != 0)
        return id_error("uid", user.uid);
    if (!entered)
        RUNVM_TRY(change_folder(cwd));
    RUNVM_TRY(require_cwd_inside());
    if (::prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) != 0)
        return system_error("stop keeping capabilities");
    RUNVM_TRY(set_capabilities(masks));
    ::umask(process_.getUser().getUmask());
    return {};
}

Result<void> ProcessSetup::find_command() {
    auto args = process_.getArgs();
    if (args.size() == 0)
        return Error(ErrorKind::invalid_argument, "process.args is empty");
    const char* path = find_variable(environment_, "PATH");
    RUNVM_ASSIGN(executable_, find_executable(args[0].cStr(), path != nullptr ? path : ""));
    return {};
}

Result<void> ProcessSetup::restrict() {
    if (!process_.getNoNewPrivileges())
        return {}; // loaded before the process gave up its privileges
    return load_seccomp();
}

void ProcessSetup::execute() {
    std::vector<std::string> args;
    for (auto arg : process_.getArgs())
        args.emplace_back(arg.cStr());
    std::vector<char*> argv = pointers_to(args);
    std::vector<char*> envp = pointers_to(environment_);
    ::execve(executable_.c_str(), argv.data(), envp.data());
    std::string words = execve_words(executable_, errno) + "\n";
    // Nobody is left to hear of a write that fails.
    [[maybe_unused]] ssize_t written = ::write(STDERR_FILENO, words.data(), words.size());
    ::_exit(1);
}

Result<std::vector<std::string>> merge_environment(capnp::List<capnp::Text>::Reader env) {
    std::vector<std::string> merged;
    std::map<std::string, size_t> places;
    for (auto entry : env) {
        std::string text = entry.cStr();
        size_t equals = text.find('=');
        if (equals == std::string::npos || equals == 0)
            return Error(ErrorKind::invalid_argument,
                         "process.env: `" + text + "` is not of the form NAME=value");
        auto [place, is_new] = places.emplace(text.substr(0, equals), merged.size());
        if (is_new)
            merged.push_back(std::move(text));
        else
            merged[place->second] = std::move(text);
    }
    return merged;
}

const char* find_variable(const std::vector<std::string>& environment, const std::string& name) {
    for (const std::string& entry : environment)
        if (entry.size() > name.size() && entry[name.size()] == '=' &&
            entry.compare(0, name.size(), name) == 0)
            return entry.c_str() + name.size() + 1;
    return nullptr;
}

} // namespace runvm::agent
