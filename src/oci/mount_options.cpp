#include "oci/mount_options.h"

#include "oci/document.h"

#include <linux/mount.h>
#include <sys/mount.h>

#include <algorithm>

// linux/mount.h and sys/mount.h of glibc 2.36 both have these; kernel headers before 5.14 lack the first.
#ifndef MOUNT_ATTR_NOSYMFOLLOW
#define MOUNT_ATTR_NOSYMFOLLOW 0x00200000
#endif
#ifndef MS_NOSYMFOLLOW
#define MS_NOSYMFOLLOW 256
#endif

namespace runvm::oci {

namespace {

struct Flag {
    const char* name;
    bool clear;
    uint64_t flag;
};

constexpr Flag mount_flags[] = {
    {"async", true, MS_SYNCHRONOUS},
    {"atime", true, MS_NOATIME},
    {"bind", false, MS_BIND},
    {"defaults", false, 0},
    {"dev", true, MS_NODEV},
    {"diratime", true, MS_NODIRATIME},
    {"dirsync", false, MS_DIRSYNC},
    {"exec", true, MS_NOEXEC},
    {"iversion", false, MS_I_VERSION},
    {"lazytime", false, MS_LAZYTIME},
    {"loud", true, MS_SILENT},
    {"mand", false, MS_MANDLOCK},
    {"noatime", false, MS_NOATIME},
    {"nodev", false, MS_NODEV},
    {"nodiratime", false, MS_NODIRATIME},
    {"noexec", false, MS_NOEXEC},
    {"noiversion", true, MS_I_VERSION},
    {"nolazytime", true, MS_LAZYTIME},
    {"nomand", true, MS_MANDLOCK},
    {"norelatime", true, MS_RELATIME},
    {"nostrictatime", true, MS_STRICTATIME},
    {"nosuid", false, MS_NOSUID},
    {"nosymfollow", false, MS_NOSYMFOLLOW},
    {"rbind", false, MS_BIND | MS_REC},
    {"relatime", false, MS_RELATIME},
    {"remount", false, MS_REMOUNT},
    {"ro", false, MS_RDONLY},
    {"rw", true, MS_RDONLY},
    {"silent", false, MS_SILENT},
    {"strictatime", false, MS_STRICTATIME},
    {"suid", true, MS_NOSUID},
    {"symfollow", true, MS_NOSYMFOLLOW},
    {"sync", false, MS_SYNCHRONOUS},
};

constexpr Flag propagation_flags[] = {
    {"private", false, MS_PRIVATE},
    {"rprivate", false, MS_PRIVATE | MS_REC},
    {"rshared", false, MS_SHARED | MS_REC},
    {"rslave", false, MS_SLAVE | MS_REC},
    {"runbindable", false, MS_UNBINDABLE | MS_REC},
    {"shared", false, MS_SHARED},
    {"slave", false, MS_SLAVE},
    {"unbindable", false, MS_UNBINDABLE},
};

constexpr Flag recursive_flags[] = {
    {"ratime", true, MOUNT_ATTR_NOATIME},
    {"rdev", true, MOUNT_ATTR_NODEV},
    {"rdiratime", true, MOUNT_ATTR_NODIRATIME},
    {"rexec", true, MOUNT_ATTR_NOEXEC},
    {"rnoatime", false, MOUNT_ATTR_NOATIME},
    {"rnodev", false, MOUNT_ATTR_NODEV},
    {"rnodiratime", false, MOUNT_ATTR_NODIRATIME},
    {"rnoexec", false, MOUNT_ATTR_NOEXEC},
    {"rnorelatime", true, MOUNT_ATTR_RELATIME},
    {"rnostrictatime", true, MOUNT_ATTR_STRICTATIME},
    {"rnosuid", false, MOUNT_ATTR_NOSUID},
    {"rnosymfollow", false, MOUNT_ATTR_NOSYMFOLLOW},
    {"rrelatime", false, MOUNT_ATTR_RELATIME},
    {"rro", false, MOUNT_ATTR_RDONLY},
    {"rrw", true, MOUNT_ATTR_RDONLY},
    {"rstrictatime", false, MOUNT_ATTR_STRICTATIME},
    {"rsuid", true, MOUNT_ATTR_NOSUID},
    {"rsymfollow", true, MOUNT_ATTR_NOSYMFOLLOW},
};

constexpr const char* copy_up_option = "tmpcopyup";

void apply(const Flag& entry, uint64_t& set, uint64_t& cleared) {
    if (entry.clear) {
        set &= ~entry.flag;
        cleared |= entry.flag;
    } else {
        set |= entry.flag;
        cleared &= ~entry.flag;
    }
}

} // namespace

bool MountOptions::is_bind() const {
    return (flags & MS_BIND) != 0;
}

bool MountOptions::is_recursive_bind() const {
    return is_bind() && (flags & MS_REC) != 0;
}

bool MountOptions::is_readonly() const {
    return (flags & MS_RDONLY) != 0;
}

bool MountOptions::is_readonly_recursive() const {
    return (recursive_set & MOUNT_ATTR_RDONLY) != 0;
}

bool MountOptions::is_remount() const {
    return (flags & MS_REMOUNT) != 0;
}

MountOptions parse_mount_options(const std::vector<std::string>& options) {
    MountOptions parsed;
    for (const std::string& option : options) {
        if (const Flag* entry = find_name(mount_flags, option)) {
            apply(*entry, parsed.flags, parsed.cleared_flags);
        } else if (uint64_t propagation = parse_propagation(option)) {
            parsed.propagation = propagation;
        } else if (const Flag* recursive = find_name(recursive_flags, option)) {
            apply(*recursive, parsed.recursive_set, parsed.recursive_cleared);
            // mount_setattr(2): whoever sets an access time has to clear the whole field (MOUNT_ATTR_RELATIME
            // is 0).
            if ((recursive->flag & MOUNT_ATTR__ATIME) == recursive->flag)
                parsed.recursive_cleared |= MOUNT_ATTR__ATIME;
        } else if (option == copy_up_option) {
            parsed.copy_up = true;
        } else if (option == "idmap" || option == "ridmap") {
            parsed.id_mapped = true;
            parsed.id_mapped_recursive = option == "ridmap";
        } else {
            if (!parsed.data.empty())
                parsed.data += ",";
            parsed.data += option;
        }
    }
    return parsed;
}

uint64_t parse_propagation(const std::string& name) {
    const Flag* entry = find_name(propagation_flags, name);
    return entry == nullptr ? 0 : entry->flag;
}

std::vector<std::string> known_mount_options() {
    std::vector<std::string> names = {copy_up_option, "idmap", "ridmap"};
    for (const Flag& entry : mount_flags)
        names.emplace_back(entry.name);
    for (const Flag& entry : propagation_flags)
        names.emplace_back(entry.name);
    for (const Flag& entry : recursive_flags)
        names.emplace_back(entry.name);
    std::sort(names.begin(), names.end());
    return names;
}

} // namespace runvm::oci
