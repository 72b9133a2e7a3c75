#include "agent/accounts.h"

#include "core/number.h"
#include "core/take_until.h"
#include "os/file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>

namespace runvm::agent {

namespace {

constexpr uint64_t max_file_bytes = 1U << 20U;
constexpr size_t max_groups = 65536; // NGROUPS_MAX
constexpr size_t passwd_fields = 6;  // without the shell
constexpr size_t group_fields = 4;

/// Calls `visit` with the fields of each line that has so many, until it returns true.
template <size_t Fields, class Visit>
void visit_lines(std::string_view text, Visit visit) {
    while (!text.empty()) {
        std::string_view line = take_until(text, '\n');
        if (static_cast<size_t>(std::count(line.begin(), line.end(), ':')) + 1 < Fields)
            continue;
        std::array<std::string_view, Fields> fields;
        for (std::string_view& field : fields)
            field = take_until(line, ':');
        if (visit(fields))
            return;
    }
}

template <class Fits>
std::optional<Account> find_account_if(std::string_view passwd, Fits fits) {
    std::optional<Account> account;
    visit_lines<passwd_fields>(passwd, [&](const std::array<std::string_view, passwd_fields>& fields) {
        const auto& [name, password, uid, gid, comment, home] = fields;
        auto user = whole_number<uid_t>(uid);
        auto group = whole_number<gid_t>(gid);
        if (user && group && fits(name, *user))
            account = Account{*user, *group, std::string(home)};
        return account.has_value();
    });
    return account;
}

std::string read_database(const char* path) {
    // O_NONBLOCK: it may be a fifo
    Result<os::Fd> file = os::open_file(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    struct stat info {};
    if (!file || ::fstat(file->get(), &info) != 0 || !S_ISREG(info.st_mode))
        return "";
    Result<std::string> text = os::read_fd(file->get(), path, max_file_bytes);
    return text ? *std::move(text) : "";
}

// The words are those of Docker's own look-up (moby/sys/user).
Error unknown(const char* kind, const std::string& name, const char* file) {
    return {ErrorKind::invalid_argument, std::string("unable to find ") + kind + " " + name +
                                             ": no matching entries in the container's " + file};
}

} // namespace

std::optional<Account> find_account(std::string_view passwd, std::string_view wanted) {
    return find_account_if(passwd, [&](std::string_view name, uid_t) { return name == wanted; });
}

std::optional<Account> find_account(std::string_view passwd, uid_t wanted) {
    return find_account_if(passwd, [&](std::string_view, uid_t uid) { return uid == wanted; });
}

std::optional<gid_t> find_group(std::string_view group, std::string_view wanted) {
    std::optional<gid_t> found;
    visit_lines<group_fields>(group, [&](const std::array<std::string_view, group_fields>& fields) {
        if (fields[0] == wanted)
            found = whole_number<gid_t>(fields[2]);
        return found.has_value();
    });
    return found;
}

std::vector<gid_t> groups_of(std::string_view group, std::string_view user_name) {
    std::vector<gid_t> groups;
    visit_lines<group_fields>(group, [&](const std::array<std::string_view, group_fields>& fields) {
        auto gid = whole_number<gid_t>(fields[2]);
        std::string_view members = fields[3];
        while (gid && !members.empty())
            if (take_until(members, ',') == user_name) {
                groups.push_back(*gid);
                break;
            }
        return groups.size() == max_groups;
    });
    return groups;
}

Result<Identity> identify(protocol::User::Reader user, bool needs_home) {
    Identity identity{user.getUid(), user.getGid(), {}, ""};
    for (gid_t group : user.getAdditionalGids())
        identity.groups.push_back(group);
    std::string user_name = user.getUserName().cStr();
    std::string passwd = needs_home || !user_name.empty() ? read_database("/etc/passwd") : "";
    std::string group_name = user.getGroupName().cStr();
    auto account = user_name.empty() ? find_account(passwd, identity.uid) : find_account(passwd, user_name);
    if (account)
        identity.home = account->home;
    if (!user_name.empty()) {
        if (!account)
            return unknown("user", user_name, "/etc/passwd");
        identity.uid = account->uid;
        if (!user.getHasGid())
            identity.gid = account->gid;
        for (gid_t group : groups_of(read_database("/etc/group"), user_name))
            identity.groups.push_back(group);
    }
    if (!group_name.empty()) {
        auto group = find_group(read_database("/etc/group"), group_name);
        if (!group)
            return unknown("group", group_name, "/etc/group");
        identity.gid = *group;
    }
    if (identity.home.empty())
        identity.home = "/";
    return identity;
}

} // namespace runvm::agent
