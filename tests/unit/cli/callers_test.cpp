// The command lines that callers send, as they are in the callers' sources.

#include "cli/parser.h"

#include <gtest/gtest.h>

#include <set>
#include <sstream>

namespace runvm::cli {
namespace {

struct Line {
    const char* caller;
    const char* words; ///< separated by spaces
};

const Line lines[] = {
    // go-runc, runc.go: args() and the commands (containerd's shim, Docker)
    {"containerd",
     "--root /run/containerd/runc/k8s.io --debug --log /run/b/log.json --log-format json "
     "--systemd-cgroup --rootless=true create --bundle /run/b --pid-file /run/b/init.pid "
     "--console-socket /tmp/pty.sock --pidfd-socket /tmp/pidfd.sock --no-pivot --no-new-keyring "
     "--detach --preserve-fds 2 c1"},
    {"containerd",
     "--root /r --log /l --log-format json --criu /usr/sbin/criu create --bundle /b --pid-file /p c1"},
    {"containerd", "--root /r --log /l --log-format json start c1"},
    {"containerd", "--root /r --log /l --log-format json state c1"},
    {"containerd", "--root /r --log /l --log-format json delete --force c1"},
    {"containerd", "--root /r --log /l --log-format json kill --all c1 9"},
    {"containerd", "--root /r --log /l --log-format json exec --process /tmp/p.json --console-socket /tmp/s "
                   "--pidfd-socket /tmp/t --detach --pid-file /tmp/pid --preserve-fds 1 c1"},
    {"containerd", "run --bundle /b --detach --no-subreaper --pid-file /p c1"},
    {"containerd", "list --format=json"},
    {"containerd", "--root /r --log /l --log-format json pause c1"},
    {"containerd", "--root /r --log /l --log-format json resume c1"},
    {"containerd", "--root /r --log /l --log-format json ps --format json c1"},
    {"containerd", "ps --format table c1 -o pid,args"},
    {"containerd", "--root /r events --stats c1"},
    {"containerd", "--root /r update --resources=- c1"},
    {"containerd", "--root /r events --interval=5s c1"},
    {"containerd", "--version"},
    {"containerd", "features"},
    // conmon, src/runtime_args.c, with Podman's --runtime-opt before the command
    {"conmon",
     "--systemd-cgroup --root /r --log-format=json --log /l create --bundle /b --pid-file /p --no-pivot "
     "--no-new-keyring --preserve-fds 3 --console-socket /s c1"},
    {"conmon", "exec --pid-file /p --process /tmp/p.json --detach c1"},
    {"conmon", "exec --pid-file /p --process /tmp/p.json --detach --preserve-fds 1 --console-socket /s c1"},
    // Podman, libpod/oci_conmon_common.go
    {"podman", "--cgroup-manager disabled start c1"},
    {"podman", "start c1"},
    {"podman", "kill c1 15"},
    {"podman", "kill --all c1 9"},
    {"podman", "update --resources=/tmp/r.json c1"},
    {"podman", "pause c1"},
    {"podman", "resume c1"},
    {"podman", "delete --force c1"},
    {"podman", "--help"},
    {"podman", "--version"},
    // CRI-O, internal/oci/runtime_oci.go
    {"cri-o", "--root /run/runc --systemd-cgroup start c1"},
    {"cri-o", "--root /run/runc state c1"},
    {"cri-o", "--root /run/runc delete --force c1"},
    {"cri-o", "--root /run/runc kill c1 TERM"},
    {"cri-o", "--root /run/runc kill c1 KILL"},
    {"cri-o", "--root /run/runc kill -a c1 KILL"},
    {"cri-o", "--root /run/runc exec --process /tmp/p.json c1"},
    {"cri-o", "--root /run/runc update --resources - c1"},
    {"cri-o", "features"},
    {"cri-o", "--version"},
    // Buildah, run_linux.go
    {"buildah", "create --bundle /b --pid-file /p --console-socket /s c1"},
    {"buildah", "start c1"},
    {"buildah", "state c1"},
    {"buildah", "kill c1"},
    {"buildah", "delete c1"},
    // people, runc's own bats suite
    {"people", "--root /r --root /other --config /c.toml --debug --log /l list -q -f json"},
    {"people", "run -d --keep -no-subreaper --bundle /b --pid-file /p c1"},
    {"people",
     "exec -e A=1 --env B=2 -t -u 1000:1000 -g 5 --cwd /tmp -c CAP_KILL --apparmor p --process-label l "
     "--no-new-privs --cgroup / --ignore-paused --no-subreaper -d --pid-file /p c1 sh -c id"},
    {"people", "kill -a c1 TERM"},
    {"people", "events --stats --interval 1s c1"},
    {"people", "ps -f json c1"},
    {"people", "update -r /r.json c1"},
    {"people",
     "update --blkio-weight 500 --cpu-period 100000 --cpu-quota 5000 --cpu-burst 100 --cpu-share 10 "
     "--cpu-rt-period 1 --cpu-rt-runtime 1 --cpuset-cpus 0 --cpuset-mems 0 --kernel-memory 1 "
     "--kernel-memory-tcp 1 --memory 100m --cpu-idle 1 --memory-reservation 1 --memory-swap -1 "
     "--pids-limit 10 --l3-cache-schema x --mem-bw-schema y c1"},
    {"people", "delete -f c1"},
    {"people", "spec --bundle /b --rootless"},
    {"people", "check --json"},
    {"people", "-h"},
    {"people", "-v"},
};

std::vector<std::string> split(const std::string& text) {
    std::vector<std::string> words = {"runvm"};
    std::istringstream in(text);
    for (std::string word; in >> word;)
        words.push_back(word);
    return words;
}

TEST(Callers, EveryLineIsUnderstood) {
    for (const Line& line : lines) {
        const Invocation parsed = parse(split(line.words));
        EXPECT_TRUE(parsed.error.empty()) << line.caller << ": " << line.words << ": " << parsed.error;
    }
}

TEST(Callers, TheFirstArgumentIsTheContainer) {
    for (const Line& line : lines) {
        const Invocation parsed = parse(split(line.words));
        if (parsed.command != nullptr && parsed.command->min_arguments > 0) {
            EXPECT_EQ(parsed.arguments.at(0), "c1") << line.words;
        }
    }
}

/// "caller command flag" for each flag that a line gives.
void note_flags(const Line& line, std::set<std::string>& seen) {
    const Invocation parsed = parse(split(line.words));
    const std::string command = parsed.command == nullptr ? "" : std::string(parsed.command->name);
    auto note = [&](std::span<const Flag> flags, const Values& values, const std::string& owner) {
        for (const Flag& flag : flags) {
            if (values.given(flag.name))
                seen.insert(std::string(line.caller) + " " + owner + " " + std::string(flag.name));
        }
    };
    note(global_flags(), parsed.globals, "");
    if (parsed.action == Invocation::Action::show_help)
        seen.insert(std::string(line.caller) + "  help");
    if (parsed.command != nullptr)
        note(parsed.command->flags, parsed.flags, command);
}

// The table says who needs a flag (Flag::needed_by): where a caller is named, one of its lines must give it,
// and a flag that a line gives must name the caller. Flags are shared between commands, so any command will
// do.
TEST(Callers, TheTableNamesWhoSendsAFlag) {
    std::set<std::string> given;
    for (const Line& line : lines) {
        std::set<std::string> seen;
        note_flags(line, seen);
        for (const std::string& entry : seen)
            given.insert(entry);
    }
    std::set<std::string> sent_by_caller; // "caller flag"
    for (const std::string& entry : given)
        sent_by_caller.insert(entry.substr(0, entry.find(' ')) + entry.substr(entry.rfind(' ')));

    auto check = [&](std::span<const Flag> flags, const std::string& owner) {
        for (const Flag& flag : flags) {
            EXPECT_FALSE(flag.needed_by.empty()) << owner << " --" << flag.name;
            std::istringstream callers{std::string(flag.needed_by)};
            std::set<std::string> named;
            for (std::string caller; callers >> caller;) {
                named.insert(caller);
                EXPECT_TRUE(sent_by_caller.contains(caller + " " + std::string(flag.name)))
                    << "no line of " << caller << " gives --" << flag.name;
            }
            for (const Line& line : lines) {
                if (given.contains(std::string(line.caller) + " " + owner + " " + std::string(flag.name))) {
                    EXPECT_TRUE(named.contains(line.caller))
                        << line.caller << " sends " << owner << " --" << flag.name;
                }
            }
        }
    };
    check(global_flags(), "");
    for (const Command& command : commands())
        check(command.flags, std::string(command.name));
}

} // namespace
} // namespace runvm::cli
