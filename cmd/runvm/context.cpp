// What the commands share: global flags, ids, and output.

#include "command.h"

#include "state/leveldb/store.h"

#include "os/file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace runvm::commands {

namespace {

/// As moby/sys/userns: the initial user namespace maps all ids to themselves.
bool in_user_namespace() {
    std::ifstream map("/proc/self/uid_map");
    uint64_t inside = 0;
    uint64_t outside = 0;
    uint64_t count = 0;
    if (!(map >> inside >> outside >> count))
        return false;
    return inside != 0 || outside != 0 || count != 4294967295U;
}

/// runc's shouldHonorXDGRuntimeDir (rootless_linux.go): the real root's state is in /run whatever the
/// environment.
bool honours_xdg_runtime_dir() {
    if (geteuid() != 0)
        return true;
    if (!in_user_namespace())
        return false;
    const char* user = std::getenv("USER");
    return user == nullptr || std::string_view(user) != "root";
}

/// $XDG_RUNTIME_DIR/runvm with the sticky bit, so that its cleaner leaves it alone, as in runc's main.go.
Result<std::string> xdg_root(const std::string& runtime_folder) {
    const std::string root = runtime_folder + "/runvm";
    RUNVM_TRY(os::make_folders(root, 0700).context("make the state folder in XDG_RUNTIME_DIR"));
    if (chmod(root.c_str(), 0700 | S_ISVTX) != 0)
        return system_error("chmod " + root);
    return root;
}

} // namespace

Result<config::Config> load_config(const cli::Values& globals, const runtime::Layout& layout) {
    if (globals.given("config"))
        return config::load(globals.text("config"));
    const std::string path = layout.etc + "/config.toml";
    if (access(path.c_str(), F_OK) != 0 && errno == ENOENT)
        return config::Config{};
    return config::load(path);
}

Result<std::string> state_root(const cli::Values& globals, const config::Config& config) {
    if (!globals.given("root")) {
        const char* folder = std::getenv("XDG_RUNTIME_DIR");
        if (folder != nullptr && *folder != '\0' && honours_xdg_runtime_dir())
            return xdg_root(folder);
        return config.paths.run;
    }
    const std::string given = globals.text("root");
    std::error_code error;
    const std::string root = std::filesystem::absolute(given, error).lexically_normal();
    if (given.empty() || error || root.find_first_not_of('/') == std::string::npos)
        return Error(ErrorKind::invalid_argument,
                     "--root \"" + given + "\" cannot be used; name a folder below /");
    return root.ends_with('/') ? root.substr(0, root.size() - 1) : root;
}

Result<runtime::Context> make_context(const Call& call) {
    const cli::Values& globals = call.line.globals;
    const std::string rootless = globals.text("rootless");
    if (!rootless.empty() && rootless != "auto" && !cli::parse_boolean(rootless)) {
        return Error(ErrorKind::invalid_argument,
                     "--rootless \"" + rootless + "\" is unknown; give true, false or auto");
    }
    runtime::Context context;
    context.layout = runtime::find_layout();
    RUNVM_ASSIGN(context.config, load_config(globals, context.layout));
    RUNVM_ASSIGN(context.root, state_root(globals, context.config));
    context.log = &call.log;
    context.debug = globals.boolean("debug");
    context.systemd_cgroup = globals.boolean("systemd-cgroup") || globals.text("cgroup-manager") == "systemd";
    context.no_cgroup = globals.text("cgroup-manager") == "disabled";
    context.store = context.config.store.type == "leveldb" ? state::open_leveldb_store(context.root)
                                                           : state::open_filesystem_store(context.root);
    return context;
}

Result<std::string> container_id(const Call& call) {
    const std::string& id = call.line.arguments.front();
    if (id.empty())
        return Error(ErrorKind::invalid_argument, "container id cannot be empty");
    RUNVM_TRY(state::check_id(id));
    return id;
}

Result<int> print(std::string_view text) {
    RUNVM_TRY(os::write_all(STDOUT_FILENO, text, "stdout"));
    return 0;
}

} // namespace runvm::commands
