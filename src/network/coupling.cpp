#include "network/coupling.h"

#include "network/read_state.h"

#include <arpa/inet.h>
#include <linux/if.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_mirred.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

namespace runvm::network {

namespace {

/// Our filters' priorities, by which they are known again: from the first on.
constexpr uint32_t first_priority = 29200;
constexpr uint32_t last_priority = first_priority + 15;

constexpr uint32_t ingress_handle = TC_H_MAKE(TC_H_INGRESS, 0);

/// What a filter compares: 4 bytes at an offset from the network header.
struct Key {
    int offset;
    uint32_t mask;
    uint32_t value;
};

enum class Action { redirect, copy, pass };

struct Filter {
    uint16_t protocol; ///< ETH_P_*
    Action action;
    std::vector<Key> keys;
};

/// An answer of a name server to the namespace's own stack. IPv4 with options, and what has been fragmented,
/// is not looked for.
std::vector<Key> name_answer_keys(uint16_t protocol, uint8_t transport) {
    constexpr uint32_t name_port = 53;
    Key ports{0, 0xffff0000U | own_first_port, (name_port << 16U) | own_first_port};
    if (protocol == ETH_P_IPV6) {
        ports.offset = 40;
        return {{4, 0x0000ff00, uint32_t{transport} << 8U}, ports};
    }
    ports.offset = 20;
    return {
        {0, 0x0f000000, 0x05000000}, {4, 0x00001fff, 0}, {8, 0x00ff0000, uint32_t{transport} << 16U}, ports};
}

std::vector<Filter> link_filters() {
    constexpr uint32_t arp_reply = 2;
    constexpr uint32_t neighbour_advertisement = 136;
    std::vector<Filter> filters = {
        {ETH_P_ARP, Action::copy, {{4, 0x0000ffff, arp_reply}}},
        {ETH_P_IPV6,
         Action::copy,
         {{4, 0x0000ff00, IPPROTO_ICMPV6 << 8U}, {40, 0xff000000, neighbour_advertisement << 24U}}},
    };
    for (uint16_t protocol : {ETH_P_IP, ETH_P_IPV6})
        for (uint8_t transport : {IPPROTO_UDP, IPPROTO_TCP})
            filters.push_back({protocol, Action::pass, name_answer_keys(protocol, transport)});
    filters.push_back({ETH_P_ALL, Action::redirect, {{0, 0, 0}}});
    return filters;
}

std::vector<Filter> tap_filters() {
    return {{ETH_P_ALL, Action::redirect, {{0, 0, 0}}}};
}

tcmsg ingress_of(uint32_t link) {
    tcmsg header{};
    header.tcm_family = AF_UNSPEC;
    header.tcm_ifindex = static_cast<int>(link);
    header.tcm_parent = TC_H_INGRESS;
    header.tcm_handle = ingress_handle;
    return header;
}

Result<void> change_ingress(Netlink& netlink, int type, int flags, uint32_t link, const char* what) {
    Message message(type, flags);
    message.header(ingress_of(link)).put_text(TCA_KIND, "ingress");
    return netlink.request(message, what);
}

void put_selector(Message& message, const std::vector<Key>& keys) {
    constexpr size_t most_keys = 4;
    // tc_u32_sel ends with a flexible array, which C++ does not have.
    struct Selector {
        std::array<unsigned char, sizeof(tc_u32_sel)> head;
        std::array<tc_u32_key, most_keys> keys;
    } selector{};
    tc_u32_sel head{};
    head.flags = TC_U32_TERMINAL;
    head.nkeys = static_cast<unsigned char>(keys.size());
    std::copy_n(reinterpret_cast<const unsigned char*>(&head), sizeof head, selector.head.begin());
    for (size_t i = 0; i < std::min(keys.size(), most_keys); ++i)
        selector.keys[i] = {htonl(keys[i].mask), htonl(keys[i].value), keys[i].offset, 0};
    message.put(TCA_U32_SEL, &selector, sizeof head + keys.size() * sizeof(tc_u32_key));
}

void put_action(Message& message, Action action, uint32_t target) {
    tc_mirred parameters{};
    parameters.ifindex = target;
    parameters.eaction = action == Action::copy ? TCA_EGRESS_MIRROR : TCA_EGRESS_REDIR;
    parameters.action = action == Action::copy ? TC_ACT_OK : TC_ACT_STOLEN;
    message.nest(TCA_U32_ACT, [&](Message& actions) {
        actions.nest(1, [&](Message& first) {
            first.put_text(TCA_ACT_KIND, "mirred");
            first.nest(TCA_ACT_OPTIONS, [&](Message& options) {
                options.put(TCA_MIRRED_PARMS, &parameters, sizeof parameters);
            });
        });
    });
}

Result<void> add_filter(Netlink& netlink, uint32_t link, const Filter& filter, uint32_t priority,
                        uint32_t target) {
    tcmsg header = ingress_of(link);
    header.tcm_parent = ingress_handle;
    header.tcm_handle = 0;
    header.tcm_info = TC_H_MAKE(priority << 16U, htons(filter.protocol));
    Message message(RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL);
    message.header(header).put_text(TCA_KIND, "u32");
    message.nest(TCA_OPTIONS, [&](Message& options) {
        put_selector(options, filter.keys);
        if (filter.action != Action::pass)
            put_action(options, filter.action, target);
    });
    return netlink.request(message, "add a filter");
}

Result<void> add_filters(Netlink& netlink, uint32_t link, const std::vector<Filter>& filters,
                         uint32_t target) {
    RUNVM_TRY(change_ingress(netlink, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, link, "add an ingress queue"));
    uint32_t priority = first_priority;
    for (const Filter& filter : filters)
        RUNVM_TRY(add_filter(netlink, link, filter, priority++, target));
    return {};
}

nlattr* find_attribute(nlattr* nest, int type) {
    return nest == nullptr ? nullptr : nla_find(static_cast<nlattr*>(nla_data(nest)), nla_len(nest), type);
}

/// The index that the filter in a message sends packets to: 0 once that link is gone; none if the message has
/// no such filter.
std::optional<uint32_t> redirect_target(nlmsghdr* message) {
    nlattr* options =
        nla_find(nlmsg_attrdata(message, sizeof(tcmsg)), nlmsg_attrlen(message, sizeof(tcmsg)), TCA_OPTIONS);
    nlattr* action = find_attribute(find_attribute(options, TCA_U32_ACT), 1);
    nlattr* mirred = find_attribute(find_attribute(action, TCA_ACT_OPTIONS), TCA_MIRRED_PARMS);
    if (mirred == nullptr || nla_len(mirred) < static_cast<int>(sizeof(tc_mirred)))
        return std::nullopt;
    return static_cast<const tc_mirred*>(nla_data(mirred))->ifindex;
}

/// What is on a link's ingress.
struct Ingress {
    bool has_ours = false;
    uint32_t tap = 0; ///< of ours; 0 if it is gone
};

Result<Ingress> read_ingress(Netlink& netlink, uint32_t link) {
    tcmsg header = ingress_of(link);
    header.tcm_parent = ingress_handle;
    header.tcm_handle = 0;
    Message message(RTM_GETTFILTER, 0);
    message.header(header);
    Ingress ingress;
    auto read = [&](nlmsghdr* answer) {
        uint32_t priority = TC_H_MAJ(static_cast<const tcmsg*>(nlmsg_data(answer))->tcm_info) >> 16U;
        if (priority < first_priority || priority > last_priority)
            return;
        ingress.has_ours = true;
        if (auto target = redirect_target(answer); target && *target != 0)
            ingress.tap = *target;
    };
    RUNVM_TRY(netlink.dump(
        message, "list the filters", [&] { ingress = {}; }, read));
    return ingress;
}

bool is_gone(const Error& error) {
    return error.errno_value() == ENODEV || error.errno_value() == ENOENT || error.errno_value() == EINVAL;
}

bool has_link(const Reading& reading, uint32_t index) {
    return std::any_of(reading.links.begin(), reading.links.end(),
                       [index](const LinkDetails& details) { return details.link.index == index; });
}

} // namespace

Result<void> couple(Netlink& netlink, uint32_t link, uint32_t tap) {
    RUNVM_ASSIGN(Reading reading, read_state(netlink));
    if (auto ingress = read_ingress(netlink, link); ingress && ingress->has_ours) {
        if (ingress->tap != tap && has_link(reading, ingress->tap))
            return Error(ErrorKind::already_exists, "another machine has the link already");
        RUNVM_TRY(uncouple(netlink, link));
    }
    auto added = add_filters(netlink, link, link_filters(), tap);
    if (!added && added.error().errno_value() == EEXIST)
        return Error(
            ErrorKind::already_exists,
            "the link has an ingress queue (tc qdisc) of somebody else's, which a machine cannot share");
    if (added)
        added = uncouple(netlink, tap); // the second time
    if (added)
        added = add_filters(netlink, tap, tap_filters(), link);
    if (!added)
        (void)uncouple(netlink, link); // the first error is the one to tell
    return added;
}

Result<void> uncouple(Netlink& netlink, uint32_t link) {
    auto ingress = read_ingress(netlink, link);
    if (!ingress)
        return is_gone(ingress.error()) ? Result<void>() : std::move(ingress).error();
    if (!ingress->has_ours)
        return {};
    auto removed = change_ingress(netlink, RTM_DELQDISC, 0, link, "remove the ingress queue");
    if (!removed && !is_gone(removed.error()))
        return removed;
    return {};
}

Result<void> uncouple(Netlink& netlink, uint32_t link, uint32_t tap) {
    auto ingress = read_ingress(netlink, link);
    if (ingress && ingress->has_ours && ingress->tap != 0 && ingress->tap != tap)
        return {};
    return uncouple(netlink, link);
}

Result<void> uncouple_abandoned(Netlink& netlink) {
    RUNVM_ASSIGN(Reading reading, read_state(netlink));
    for (const LinkDetails& details : reading.links) {
        auto ingress = read_ingress(netlink, details.link.index);
        if (ingress && ingress->has_ours && !has_link(reading, ingress->tap))
            RUNVM_TRY(uncouple(netlink, details.link.index).context("link " + details.link.name));
    }
    return {};
}

} // namespace runvm::network
