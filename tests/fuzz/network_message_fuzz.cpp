// libs: runvm_network
// A network's description, as it comes to the agent: what it says is refused with a sentence, or is a state
// that can be said again.
#include "network/message.h"
#include "support.h"

#include <capnp/message.h>

#include <string>
#include <string_view>

using namespace runvm;
using namespace runvm::fuzz;

namespace {

// Some more than a state can have.
constexpr unsigned most_entries = 70;

std::string bytes(FuzzedDataProvider& choices) {
    constexpr size_t lengths[] = {0, 4, 6, 16, 5, 17};
    return choices.ConsumeBytesAsString(choices.PickValueInArray(lengths));
}

capnp::Data::Reader data(const std::string& text) {
    return kj::StringPtr(text.c_str(), text.size()).asBytes();
}

void fill(FuzzedDataProvider& choices, protocol::Network::Builder network) {
    auto index = [&] { return choices.ConsumeIntegralInRange<uint32_t>(0, 4); };
    for (auto link : network.initLinks(choices.ConsumeIntegralInRange<unsigned>(0, most_entries))) {
        link.setIndex(choices.ConsumeIntegral<uint8_t>());
        // Cap'n Proto's texts are never checked for NULs and UTF-8.
        link.setName(choices.ConsumeRandomLengthString(20));
        link.setMac(data(bytes(choices)));
        link.setMtu(choices.ConsumeIntegral<uint32_t>());
        link.setIsLoopback(choices.ConsumeBool());
    }
    for (auto address : network.initAddresses(choices.ConsumeIntegralInRange<unsigned>(0, 4))) {
        address.setLink(index());
        address.setLocal(data(bytes(choices)));
        address.setPeer(data(bytes(choices)));
        address.setBroadcast(data(bytes(choices)));
        address.setPrefix(choices.ConsumeIntegral<uint8_t>());
    }
    for (auto route : network.initRoutes(choices.ConsumeIntegralInRange<unsigned>(0, 4))) {
        route.setLink(index());
        route.setDestination(data(bytes(choices)));
        route.setGateway(data(bytes(choices)));
        route.setSource(data(bytes(choices)));
        route.setPrefix(choices.ConsumeIntegral<uint8_t>());
    }
    for (auto neighbour : network.initNeighbours(choices.ConsumeIntegralInRange<unsigned>(0, 4))) {
        neighbour.setLink(index());
        neighbour.setAddress(data(bytes(choices)));
        neighbour.setMac(data(bytes(choices)));
    }
}

void check(const network::State& state) {
    for (const network::Link& link : state.links)
        require(!link.name.empty() &&
                    link.name.find_first_of(std::string_view("/\n\0", 3)) == std::string::npos,
                "a link's name is a file's");
    for (const network::Address& address : state.addresses)
        require(static_cast<bool>(address.local) && !network::to_string(address.local).empty(),
                "an address has one");
    for (const network::Route& route : state.routes)
        require(route.prefix <= route.destination.size() * 8, "a route's prefix is one of its address");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* input, size_t size) {
    FuzzedDataProvider choices(input, size);
    capnp::MallocMessageBuilder message;
    auto said = message.initRoot<protocol::Network>();
    fill(choices, said);
    auto state = network::read_message(said.asReader());
    if (!state) {
        require(!state.error().to_string().empty(), "a refusal has a sentence");
        return 0;
    }
    check(*state);
    capnp::MallocMessageBuilder again;
    auto repeated = again.initRoot<protocol::Network>();
    network::write_state(*state, repeated);
    auto same = network::read_message(repeated.asReader());
    require(same && *same == *state, "a state survives being said again");
    return 0;
}
