#include "network/message.h"

#include <capnp/message.h>
#include <gtest/gtest.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <functional>

namespace runvm::network {
namespace {

Ip ip4(uint8_t last) {
    std::array<uint8_t, 4> bytes{10, 0, 0, last};
    return make_ip(bytes.data(), bytes.size());
}

State sample() {
    State state;
    state.links = {{1, "lo", {}, 65536, true, true, true},
                   {7, "eth0", {2, 0x42, 0, 0, 0, 2}, 1400, true, false, false}};
    Address address;
    address.link = 7;
    address.local = ip4(2);
    address.broadcast = ip4(255);
    address.prefix = 24;
    state.addresses = {address};
    Route route;
    route.link = 7;
    route.destination.family = AF_INET;
    route.gateway = ip4(1);
    route.source = ip4(2);
    route.type = RTN_UNICAST;
    route.protocol = RTPROT_BOOT;
    route.is_onlink = true;
    route.metric = 100;
    route.mtu = 1300;
    Route unreachable;
    unreachable.destination = ip4(0);
    unreachable.prefix = 24;
    unreachable.type = RTN_UNREACHABLE;
    state.routes = {route, unreachable};
    state.neighbours = {{7, ip4(9), {2, 0, 0, 0, 0, 9}}};
    state.has_resolver = true;
    return state;
}

TEST(NetworkMessage, CarriesEverything) {
    capnp::MallocMessageBuilder message;
    auto network = message.initRoot<protocol::Network>();
    write_state(sample(), network);
    auto read = read_message(network.asReader());
    ASSERT_TRUE(read) << read.error().to_string();
    EXPECT_EQ(*read, sample());
}

// What is said wrongly, and a word of the sentence about it.
struct Case {
    const char* name;
    std::function<void(protocol::Network::Builder)> spoil;
    const char* words;
};

TEST(NetworkMessage, WhatNoNamespaceHasIsRefused) {
    kj::byte bytes[17] = {};
    auto data = [&](size_t size) { return capnp::Data::Reader(bytes, size); };
    const std::vector<Case> cases = {
        {"name with a slash", [](auto n) { n.getLinks()[1].setName("a/b"); }, "name"},
        {"name of dots", [](auto n) { n.getLinks()[1].setName(".."); }, "name"},
        {"empty name", [](auto n) { n.getLinks()[1].setName(""); }, "name"},
        {"long name", [](auto n) { n.getLinks()[1].setName("sixteen-letters-"); }, "name"},
        {"name twice", [](auto n) { n.getLinks()[1].setName("lo"); }, "name"},
        {"number twice", [](auto n) { n.getLinks()[1].setIndex(1); }, "number 1"},
        {"number 0", [](auto n) { n.getLinks()[1].setIndex(0); }, "number 0"},
        {"short mac", [&](auto n) { n.getLinks()[1].setMac(data(5)); }, "MAC address of 5"},
        {"long address", [&](auto n) { n.getAddresses()[0].setLocal(data(17)); }, "17 bytes"},
        {"no address", [&](auto n) { n.getAddresses()[0].setLocal(data(0)); }, "none"},
        {"two families", [&](auto n) { n.getAddresses()[0].setPeer(data(16)); }, "in one entry"},
        {"long prefix", [](auto n) { n.getAddresses()[0].setPrefix(33); }, "33 bits"},
        {"link of an address", [](auto n) { n.getAddresses()[0].setLink(3); }, "link 3"},
        {"link of a route", [](auto n) { n.getRoutes()[0].setLink(4); }, "link 4"},
        {"route to nothing", [&](auto n) { n.getRoutes()[0].setDestination(data(0)); }, "no address"},
        {"gateway's family", [&](auto n) { n.getRoutes()[0].setGateway(data(16)); }, "in one entry"},
        {"route's prefix", [](auto n) { n.getRoutes()[0].setPrefix(40); }, "40 bits"},
        {"link of a neighbour", [](auto n) { n.getNeighbours()[0].setLink(5); }, "link 5"},
        {"neighbour's mac", [&](auto n) { n.getNeighbours()[0].setMac(data(8)); }, "MAC address of 8"},
        {"neighbour's address", [&](auto n) { n.getNeighbours()[0].setAddress(data(3)); }, "3 bytes"},
        {"many links", [](auto n) { n.initLinks(max_links + 1); }, "65 links"},
        {"many routes", [](auto n) { n.initRoutes(max_entries + 1); }, "4097 routes"},
        {"many addresses", [](auto n) { n.initAddresses(max_entries + 1); }, "4097 addresses"},
        {"many neighbours", [](auto n) { n.initNeighbours(max_entries + 1); }, "4097 neighbours"},
    };
    for (const Case& wrong : cases) {
        capnp::MallocMessageBuilder message;
        auto network = message.initRoot<protocol::Network>();
        write_state(sample(), network);
        wrong.spoil(network);
        auto read = read_message(network.asReader());
        ASSERT_FALSE(read) << wrong.name;
        EXPECT_EQ(read.error().kind(), ErrorKind::invalid_argument) << wrong.name;
        EXPECT_NE(read.error().to_string().find(wrong.words), std::string::npos)
            << wrong.name << ": " << read.error().to_string();
    }
}

} // namespace
} // namespace runvm::network
