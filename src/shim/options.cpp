#include "shim/options.h"

#include "core/number.h"

#include <string_view>

namespace runvm::shim {

namespace {

using Direction = protocol::StreamBinding::Direction;

Error bad(const std::string& argument) {
    return {ErrorKind::invalid_argument, "runvm-shim does not understand the argument " + argument};
}

Result<int> to_number(std::string_view text) {
    auto number = whole_number<int>(text);
    if (!number)
        return bad(std::string(text));
    return *number;
}

std::string option(const char* name, const std::string& value) {
    return std::string("--") + name + "=" + value;
}
std::string option(const char* name, int value) {
    return option(name, std::to_string(value));
}

struct Pair {
    std::string_view name;
    std::string_view value;
};

Result<Pair> split(const std::string& argument) {
    std::string_view text = argument;
    size_t equals = text.find('=');
    if (text.substr(0, 2) != "--" || equals == std::string_view::npos)
        return bad(argument);
    return Pair{text.substr(2, equals - 2), text.substr(equals + 1)};
}

// "CALLER:PROCESS:DIRECTION:PIPE"
std::string to_text(const StreamOption& stream) {
    return std::to_string(stream.caller_fd) + ":" + std::to_string(stream.process_fd) + ":" +
           std::to_string(static_cast<int>(stream.direction)) + ":" + std::to_string(stream.pipe_fd);
}

Result<StreamOption> to_stream(std::string_view text) {
    int numbers[4] = {};
    for (int& number : numbers) {
        size_t colon = text.find(':');
        RUNVM_ASSIGN(number, to_number(text.substr(0, colon)));
        text = colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1);
    }
    if (numbers[2] < 0 || numbers[2] > static_cast<int>(Direction::BOTH))
        return bad(std::string(text));
    return StreamOption{numbers[0], static_cast<uint32_t>(numbers[1]), static_cast<Direction>(numbers[2]),
                        numbers[3]};
}

} // namespace

std::vector<std::string> to_arguments(const InitOptions& options) {
    std::vector<std::string> arguments = {option("rootfs", options.rootfs),
                                          option("hostname", options.hostname),
                                          option("new-network", options.new_network ? 1 : 0),
                                          option("alive-fd", options.alive_fd),
                                          option("ready-fd", options.ready_fd),
                                          option("hold-fd", options.hold_fd)};
    for (int fd : options.join_fds)
        arguments.push_back(option("join-fd", fd));
    return arguments;
}

std::vector<std::string> to_arguments(const RunOptions& options) {
    std::vector<std::string> arguments = {
        option("id", options.id),
        option("exec-id", options.exec_id),
        option("monitor-fd", options.monitor_fd),
        option("alive-fd", options.alive_fd),
        option("ready-fd", options.ready_fd),
        option("init-fd", options.init_fd),
        option("terminal-fd", options.terminal_fd),
        option("memory-cgroup-fd", options.memory_cgroup_fd),
        option("proc-fd", options.proc_fd),
    };
    for (const StreamOption& stream : options.streams)
        arguments.push_back(option("stream", to_text(stream)));
    return arguments;
}

Result<InitOptions> parse_init_options(const std::vector<std::string>& arguments) {
    InitOptions options;
    for (const std::string& argument : arguments) {
        RUNVM_ASSIGN(Pair pair, split(argument));
        if (pair.name == "rootfs") {
            options.rootfs = pair.value;
        } else if (pair.name == "hostname") {
            options.hostname = pair.value;
        } else {
            RUNVM_ASSIGN(int number, to_number(pair.value));
            if (pair.name == "new-network")
                options.new_network = number != 0;
            else if (pair.name == "join-fd")
                options.join_fds.push_back(number);
            else if (pair.name == "alive-fd")
                options.alive_fd = number;
            else if (pair.name == "ready-fd")
                options.ready_fd = number;
            else if (pair.name == "hold-fd")
                options.hold_fd = number;
            else
                return bad(argument);
        }
    }
    return options;
}

Result<RunOptions> parse_run_options(const std::vector<std::string>& arguments) {
    RunOptions options;
    for (const std::string& argument : arguments) {
        RUNVM_ASSIGN(Pair pair, split(argument));
        if (pair.name == "id") {
            options.id = pair.value;
        } else if (pair.name == "exec-id") {
            options.exec_id = pair.value;
        } else if (pair.name == "stream") {
            RUNVM_ASSIGN(StreamOption stream, to_stream(pair.value));
            options.streams.push_back(stream);
        } else {
            RUNVM_ASSIGN(int number, to_number(pair.value));
            if (pair.name == "monitor-fd")
                options.monitor_fd = number;
            else if (pair.name == "alive-fd")
                options.alive_fd = number;
            else if (pair.name == "ready-fd")
                options.ready_fd = number;
            else if (pair.name == "init-fd")
                options.init_fd = number;
            else if (pair.name == "terminal-fd")
                options.terminal_fd = number;
            else if (pair.name == "memory-cgroup-fd")
                options.memory_cgroup_fd = number;
            else if (pair.name == "proc-fd")
                options.proc_fd = number;
            else
                return bad(argument);
        }
    }
    return options;
}

} // namespace runvm::shim
