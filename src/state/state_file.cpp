#include "state/state_file.h"

#include <nlohmann/json.hpp>

#include <array>
#include <initializer_list>
#include <limits>
#include <optional>

namespace runvm::state {
namespace {

using Json = nlohmann::json;

// Raised when an older runvm could not read the file rightly any more.
constexpr int format_version = 1;

Json to_json(const ProcessRef& process) {
    return {{"pid", process.pid}, {"start_time", process.start_time}};
}

/// Takes typed values out of an object and remembers the first thing that is wrong.
class Reader {
public:
    Reader(const Json& object, std::string prefix) : object_(object), prefix_(std::move(prefix)) {}

    std::string string(const char* key) {
        const Json* value = find(key);
        if (value == nullptr)
            return {};
        if (value->is_string())
            return value->get<std::string>();
        set_fault(key, "is not a string");
        return {};
    }

    std::string absolute_path_or_empty(const char* key) {
        std::string path = string(key);
        if (!path.empty() && path[0] != '/')
            set_fault(key, "is not an absolute path");
        // What the system calls would see ends at the NUL.
        if (path.find('\0') != std::string::npos)
            set_fault(key, "contains a NUL");
        return path;
    }

    template <class Integer>
    Integer integer(const char* key, Integer smallest = std::numeric_limits<Integer>::min()) {
        const Json* value = find(key);
        if (value == nullptr)
            return {};
        if (!value->is_number_integer()) {
            set_fault(key, "is not an integer");
        } else if (value->is_number_unsigned()) {
            auto number = value->get<uint64_t>();
            if (number <= static_cast<uint64_t>(std::numeric_limits<Integer>::max()))
                return static_cast<Integer>(number);
            set_fault(key, "is out of range");
        } else if (std::numeric_limits<Integer>::is_signed) {
            auto number = value->get<int64_t>();
            if (number >= static_cast<int64_t>(smallest))
                return static_cast<Integer>(number);
            set_fault(key, "is out of range");
        } else {
            set_fault(key, "is negative");
        }
        return {};
    }

    ProcessRef process(const char* key) {
        const Json* value = find(key);
        if (value == nullptr)
            return {};
        if (!value->is_object()) {
            set_fault(key, "is not an object");
            return {};
        }
        Reader reader(*value, prefix_ + key + ".");
        ProcessRef process{reader.integer<pid_t>("pid", 0), reader.integer<uint64_t>("start_time")};
        if (reader.fault_ && !fault_)
            fault_ = reader.fault_;
        return process;
    }

    std::map<std::string, std::string> strings(const char* key) {
        std::map<std::string, std::string> strings;
        const Json* value = find(key);
        if (value == nullptr)
            return strings;
        if (!value->is_object()) {
            set_fault(key, "is not an object");
            return strings;
        }
        for (const auto& [name, member] : value->items()) {
            if (member.is_string())
                strings.emplace(name, member.get<std::string>());
            else
                set_fault(key, "has a value that is not a string");
        }
        return strings;
    }

    std::map<std::string, std::string> absolute_paths(const char* key) {
        std::map<std::string, std::string> paths = strings(key);
        for (const auto& [name, path] : paths)
            if (!path.starts_with('/') || path.find('\0') != std::string::npos)
                set_fault(key, "has a value that is not an absolute path");
        return paths;
    }

    void set_fault(const char* key, const char* what) {
        if (!fault_)
            fault_ = "key " + prefix_ + key + " " + what;
    }
    const std::optional<std::string>& fault() const { return fault_; }

private:
    const Json* find(const char* key) {
        auto found = object_.find(key);
        if (found != object_.end())
            return &*found;
        set_fault(key, "is missing");
        return nullptr;
    }

    const Json& object_;
    std::string prefix_;
    std::optional<std::string> fault_;
};

Status parse_status(Reader& reader) {
    std::string text = reader.string("status");
    for (Status status :
         {Status::creating, Status::created, Status::running, Status::paused, Status::stopped}) {
        if (text == to_string(status))
            return status;
    }
    reader.set_fault("status", "is unknown");
    return Status::stopped;
}

} // namespace

Error corrupted(const std::string& file, const std::string& what) {
    return {ErrorKind::corrupted,
            file + " is corrupted: " + what + "; clear the container with delete --force"};
}

Result<std::string> format_state(const Container& container) {
    Json state = {
        {"version", format_version},
        {"id", container.id},
        {"status", to_string(container.status)},
        {"oci_version", container.oci_version},
        {"bundle", container.bundle},
        {"rootfs", container.rootfs},
        {"created_ns", container.created_ns},
        {"annotations", container.annotations},
        {"owner", container.owner},
        {"sandbox_id", container.sandbox_id},
        {"sandbox_folder", container.sandbox_folder},
        {"creator", to_json(container.creator)},
        {"shim", to_json(container.shim)},
        {"shim_init", to_json(container.shim_init)},
        {"reaper", to_json(container.reaper)},
        {"cgroup_folders", container.cgroup_folders},
        {"cgroup_unit", container.cgroup_unit},
        {"machine_mib", container.machine_mib},
    };
    try {
        return state.dump() + "\n";
    } catch (const Json::type_error&) {
        // The library's only way to say that a string is not UTF-8.
        return Error(ErrorKind::invalid_argument,
                     "container " + container.id +
                         ": bundle, rootfs or an annotation is not valid UTF-8, so it "
                         "cannot be written to the state file");
    }
}

Result<Container> parse_state(const std::string& text, const std::string& name) {
    if (text.empty())
        return corrupted(name, "it is empty");
    Json state = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!state.is_object())
        return corrupted(name, "it is not a JSON object, or only a part of one");

    Reader reader(state, "");
    int version = reader.integer<int>("version");
    if (!reader.fault() && version != format_version)
        reader.set_fault("version", "is of another runvm");

    Container container;
    container.id = reader.string("id");
    container.status = parse_status(reader);
    container.oci_version = reader.string("oci_version");
    container.bundle = reader.absolute_path_or_empty("bundle");
    container.rootfs = reader.absolute_path_or_empty("rootfs");
    container.created_ns = reader.integer<int64_t>("created_ns");
    container.annotations = reader.strings("annotations");
    container.owner = reader.integer<uid_t>("owner");
    container.sandbox_id = reader.string("sandbox_id");
    container.sandbox_folder = reader.absolute_path_or_empty("sandbox_folder");
    container.creator = reader.process("creator");
    container.shim = reader.process("shim");
    container.shim_init = reader.process("shim_init");
    container.reaper = reader.process("reaper");
    container.cgroup_folders = reader.absolute_paths("cgroup_folders");
    container.cgroup_unit = reader.string("cgroup_unit");
    container.machine_mib = reader.integer<uint64_t>("machine_mib");
    if (reader.fault())
        return corrupted(name, *reader.fault());
    return container;
}

} // namespace runvm::state
