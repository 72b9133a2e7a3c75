#include "oci/mounts.h"

#include "oci/devices.h"
#include "oci/id_mappings.h"
#include "oci/mount_options.h"
#include "oci/shared_memory.h"
#include "oci/submounts.h"
#include "os/file.h"

#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cstring>
#include <filesystem>

namespace runvm::oci {

namespace {

struct FileSystem {
    const char* name;
};

// File systems that need nothing but the guest's kernel: no device, no folder of the host, no server.
constexpr FileSystem guest_file_systems[] = {
    {"binfmt_misc"}, {"bpf"},        {"cgroup"},    {"cgroup2"}, {"configfs"}, {"debugfs"},
    {"devpts"},      {"fusectl"},    {"hugetlbfs"}, {"mqueue"},  {"proc"},     {"pstore"},
    {"ramfs"},       {"securityfs"}, {"sysfs"},     {"tmpfs"},   {"tracefs"},
};

// Absolute, without "." and ".." and trailing slashes; nothing is resolved.
std::string clean_path(const std::string& base, const std::string& path) {
    std::filesystem::path joined = std::filesystem::path(base) / path; // an absolute one replaces the base
    std::string cleaned = joined.lexically_normal().string();
    while (cleaned.size() > 1 && cleaned.back() == '/')
        cleaned.pop_back();
    return cleaned;
}

void check_source_type(const Value& source, const std::string& path, const struct stat& info) {
    if (S_ISSOCK(info.st_mode) || S_ISFIFO(info.st_mode)) {
        source.fail(ErrorKind::unsupported, path + " is a " + (S_ISSOCK(info.st_mode) ? "socket" : "FIFO") +
                                                " of the host, whose other end cannot be reached from a VM");
    } else if (S_ISCHR(info.st_mode) || S_ISBLK(info.st_mode)) {
        char type = S_ISCHR(info.st_mode) ? 'c' : 'b';
        if (!is_guest_device(type, major(info.st_rdev), minor(info.st_rdev)))
            source.fail(ErrorKind::unsupported,
                        path + " is a device of the host, which a container in a VM cannot reach; remove it");
    }
}

// A bind mount's source becomes a share. Returns its name.
std::string add_share(const Value& source, const MountOptions& options, const std::string& bundle,
                      const std::string& name, HostPlan& plan) {
    ShareSource share;
    share.name = name;
    share.path = clean_path(bundle, source.text());
    share.readonly = options.is_readonly();
    share.readonly_recursive = options.is_readonly_recursive();
    share.recursive = options.is_recursive_bind();
    if ((options.propagation & (MS_PRIVATE | MS_UNBINDABLE)) != 0)
        share.privacy = MS_PRIVATE | (options.propagation & MS_REC);

    struct stat info {};
    if (source.text().empty()) {
        source.fail_found("a bind mount needs a path of the host");
    } else if (::stat(share.path.c_str(), &info) != 0) {
        source.fail(errno == ENOENT ? share.path + " is missing on the host; create it or remove the mount"
                                    : share.path + " cannot be examined: " + strerrordesc_np(errno));
    } else {
        check_source_type(source, share.path, info);
        share.is_file = !S_ISDIR(info.st_mode);
    }
    plan.shares.push_back(share);
    return name;
}

void check_file_system(const Value& type, const std::string& name) {
    if (find_name(guest_file_systems, name) != nullptr)
        return;
    if (name == "bind" || name == "rbind" || name.empty() || name == "none")
        type.fail_found(
            "a bind mount needs bind or rbind among its options, any other the name of a file system");
    else
        type.fail(ErrorKind::unsupported,
                  "a file system of type " + name +
                      " needs a device, folder or server of "
                      "the host, which a VM does not have; mount it on the host and bind it");
}

// An id-mapped mount is one with mappings of its own, or an option that asks for the container's. runc's
// rules and words (specconv and configs/validate).
os::IdMappings read_mount_id_mappings(const Value& mount, const MountOptions& options, const HostPlan& plan) {
    os::IdMappings own{read_id_mappings(mount["uidMappings"]), read_id_mappings(mount["gidMappings"])};
    if (own.empty() && !options.id_mapped)
        return {};
    if (own.empty())
        own = plan.id_mappings;
    if (!options.is_bind())
        mount.fail("id-mapped mounts are only supported for bind-mounts");
    else if (own.uids.empty() || own.gids.empty())
        mount.fail("id-mapped mounts must have both uid and gid mappings specified");
    return own;
}

void read_mount(const Value& mount, const std::string& bundle, const std::string& share_name,
                protocol::Mount::Builder built, HostPlan& plan) {
    MountOptions options = parse_mount_options(mount["options"].texts());
    std::string destination = mount["destination"].text();
    if (destination.empty())
        mount["destination"].fail_found("a path in the container is expected");
    os::IdMappings id_mappings = read_mount_id_mappings(mount, options, plan);

    destination = clean_path("/", destination); // config.md: a relative one is relative to "/"
    if (destination == "/")
        mount["destination"].fail(ErrorKind::unsupported,
                                  "nothing can be mounted over the container's root; name it in root.path");
    built.setDestination(destination.c_str());
    built.setSource(mount["source"].text().c_str());
    built.setFlags(options.flags);
    built.setClearedFlags(options.cleared_flags);
    built.setPropagation(options.propagation);
    built.setRecursiveSet(options.recursive_set);
    built.setRecursiveCleared(options.recursive_cleared);
    built.setData(options.data.c_str());
    built.setCopyUp(options.copy_up);

    if (options.is_remount() && options.is_bind()) { // the mount that is there gets other flags
        built.setType("bind");
        return;
    }
    if (!options.is_bind()) {
        std::string type = mount["type"].text();
        check_file_system(mount["type"], type);
        built.setType(type.c_str());
        return;
    }
    if (!options.data.empty()) // the kernel would ignore them; runc's words
        mount["options"].fail("bind mounts cannot have any filesystem-specific options applied: " +
                              options.data);
    built.setType("bind");
    if (auto memory = destination == "/dev/shm" && id_mappings.empty()
                          ? shared_memory_at(clean_path(bundle, mount["source"].text()))
                          : std::nullopt) {
        built.setMemory(memory->key);
        built.setData(memory->options);
        return;
    }
    built.setShare(add_share(mount["source"], options, bundle, share_name, plan).c_str());
    built.setIsFile(plan.shares.back().is_file);
    plan.shares.back().destination = mount["destination"].text();
    plan.shares.back().id_mappings = std::move(id_mappings);
    plan.shares.back().id_mapped_recursive = options.id_mapped_recursive;
    // The kernel's rbind gives flags to the top mount alone; what is mounted below keeps its own.
    uint64_t other_flags = options.flags & ~uint64_t{MS_BIND | MS_REC};
    if (options.is_recursive_bind() && other_flags != 0 && !plan.shares.back().is_file) {
        std::vector<std::string> submounts = find_submounts(plan.shares.back().path);
        auto list = built.initSubmounts(static_cast<unsigned>(submounts.size()));
        for (unsigned i = 0; i < submounts.size(); ++i)
            list.set(i, submounts[i].c_str());
    }
}

} // namespace

void read_root(const Value& root, const std::string& bundle, protocol::Container::Builder container,
               HostPlan& plan) {
    if (!root.present()) {
        root.fail("root must be specified"); // runc's words
        return;
    }
    std::string path = root["path"].text();
    bool readonly = root["readonly"].boolean();
    plan.rootfs = clean_path(bundle, path);
    container.setRootfsShare("rootfs");
    container.setRootfsReadonly(readonly);

    ShareSource share;
    share.name = "rootfs";
    share.path = plan.rootfs;
    share.readonly_when_created = readonly;
    plan.shares.push_back(share);

    struct stat info {};
    if (path.empty()) {
        root["path"].fail_found("a path is expected");
    } else if (::stat(plan.rootfs.c_str(), &info) != 0) {
        root["path"].fail(errno == ENOENT ? "invalid rootfs: " + plan.rootfs + " is missing"
                                          : "invalid rootfs: " + plan.rootfs + ": " + strerrordesc_np(errno));
    } else if (!S_ISDIR(info.st_mode)) {
        root["path"].fail("invalid rootfs: " + plan.rootfs + " is not a folder");
    } else {
        // A symbolic link that is exchanged later would share another tree with the guest; runc's rule and
        // words.
        auto resolved = os::real_path(plan.rootfs);
        if (!resolved || *resolved != plan.rootfs)
            root["path"].fail("invalid rootfs: not an absolute path, or a symlink");
    }
}

void read_mounts(const Value& mounts, const std::string& bundle, protocol::Container::Builder container,
                 HostPlan& plan) {
    std::vector<Value> elements = mounts.elements();
    auto list = container.initMounts(static_cast<unsigned>(elements.size()));
    for (unsigned i = 0; i < elements.size(); ++i)
        read_mount(elements[i], bundle, "m" + std::to_string(i), list[i], plan);
}

} // namespace runvm::oci
