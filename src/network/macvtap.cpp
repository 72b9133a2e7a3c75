#include "network/macvtap.h"

#include "core/number.h"
#include "network/link.h"
#include "os/file.h"

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace runvm::network {

namespace {

constexpr const char* own_namespace_path = "/proc/thread-self/ns/net";

/// Where libvirt looks for it (virnetdevmacvlan.c, virNetDevMacVLanTapOpen).
std::string node_path(uint32_t device) {
    return "/dev/tap" + std::to_string(device);
}

/// The kernel makes nodes in the host's /dev only, and there two namespaces' devices may have the same name.
Result<void> make_node(uint32_t device) {
    std::string name = "/sys/class/macvtap/tap" + std::to_string(device) + "/dev";
    RUNVM_ASSIGN(std::string text, os::read_file(name));
    while (!text.empty() && text.back() == '\n')
        text.pop_back();
    size_t colon = text.find(':');
    auto major = whole_number<unsigned>(text.substr(0, colon));
    auto minor = colon == std::string::npos ? std::nullopt : whole_number<unsigned>(text.substr(colon + 1));
    if (!major || !minor)
        return Error(ErrorKind::internal, name + " is no device number: " + text);
    ::unlink(node_path(device).c_str());
    if (::mknod(node_path(device).c_str(), S_IFCHR | 0600, makedev(*major, *minor)) != 0)
        return system_error("mknod " + node_path(device));
    return {};
}

Result<void> add_device(Netlink& there, uint32_t link, const std::string& name) {
    RUNVM_ASSIGN(os::Fd here, os::open_file(own_namespace_path, O_RDONLY));
    Message message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
    message.header(ifinfomsg{})
        .put_text(IFLA_IFNAME, name)
        .put_number(IFLA_LINK, link)
        .put_number(IFLA_NET_NS_FD, static_cast<uint32_t>(here.get()))
        .nest(IFLA_LINKINFO, [](Message& info) {
            info.put_text(IFLA_INFO_KIND, "macvtap").nest(IFLA_INFO_DATA, [](Message& data) {
                data.put_number(IFLA_MACVLAN_MODE, MACVLAN_MODE_PASSTHRU);
            });
        });
    auto added = there.request(message, "make a macvtap device");
    // EBUSY: a bridge has the link; EINVAL: a macvlan or macvtap has (drivers/net/macvlan.c).
    if (!added && (added.error().errno_value() == EBUSY || added.error().errno_value() == EINVAL))
        return Error(ErrorKind::already_exists, "another device has the link already");
    if (!added && added.error().errno_value() == EOPNOTSUPP)
        return Error(ErrorKind::unsupported, "network.model is \"macvtap\", which the host's kernel has not");
    return added;
}

} // namespace

Result<void> make_macvtap(Netlink& there, uint32_t link, const std::string& name) {
    RUNVM_TRY(remove_macvtap(name));
    RUNVM_TRY(add_device(there, link, name));
    RUNVM_ASSIGN(Netlink here, Netlink::open());
    RUNVM_ASSIGN(uint32_t device, link_index(here, name));
    auto made = make_node(device);
    if (!made)
        (void)remove_macvtap(name); // the first error is the one to tell
    return made;
}

// IFF_ALLMULTI: the guest's own groups (IPv6's neighbours) are not known here.
Result<void> bring_macvtap_up(const std::string& name, uint32_t mtu) {
    RUNVM_ASSIGN(Netlink here, Netlink::open());
    RUNVM_ASSIGN(uint32_t device, link_index(here, name));
    return bring_up(here, device, mtu, IFF_ALLMULTI);
}

Result<void> remove_macvtap(const std::string& name) {
    RUNVM_ASSIGN(Netlink here, Netlink::open());
    auto device = link_index(here, name);
    if (!device)
        return device.error().kind() == ErrorKind::not_found ? Result<void>() : std::move(device).error();
    ::unlink(node_path(*device).c_str());
    ifinfomsg header{};
    header.ifi_index = static_cast<int>(*device);
    Message message(RTM_DELLINK, 0);
    message.header(header);
    auto removed = here.request(message, "remove the macvtap device");
    return !removed && removed.error().errno_value() == ENODEV ? Result<void>() : removed;
}

} // namespace runvm::network
