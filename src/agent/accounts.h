#pragma once
// The users and groups that a container's own files name: /etc/passwd and /etc/group (passwd(5), group(5)).

#include "core/result.h"
#include "protocol/common.capnp.h"

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace runvm::agent {

struct Account {
    uid_t uid = 0;
    gid_t gid = 0;
    std::string home;
};

/// In the text of a passwd file: by name, and by number. The first that fits counts; lines that are none are
/// passed over.
std::optional<Account> find_account(std::string_view passwd, std::string_view name);
std::optional<Account> find_account(std::string_view passwd, uid_t uid);

/// In the text of a group file: a group's number, and those that list a user as a member.
std::optional<gid_t> find_group(std::string_view group, std::string_view name);
std::vector<gid_t> groups_of(std::string_view group, std::string_view user_name);

/// Who a process shall be.
struct Identity {
    uid_t uid = 0;
    gid_t gid = 0;
    std::vector<gid_t> groups;
    std::string home; ///< "/" if there is none, as in runc
};

/// With the files of this process's root, which are hostile: anything but a regular file of at most 1 MiB
/// counts as missing. invalid_argument if a name is not in them. Without `needs_home` they are read for names
/// only.
Result<Identity> identify(protocol::User::Reader user, bool needs_home);

} // namespace runvm::agent
