#pragma once
// What calls of the monitor's socket carry.

#include "clients.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace runvm::fuzz {

/// What the descriptors are like that a call offers.
struct Offer {
    bool complete = true; ///< there is one wherever one is needed
    bool resolved = true; ///< none is a promise that is never kept
};

/// Parameters as they may be, and as they may not.
class Parameters {
public:
    explicit Parameters(FuzzedDataProvider& choices) : choices_(choices) {}

    std::string text() {
        constexpr size_t long_text = 5000;
        switch (choices_.ConsumeIntegralInRange(0, 7)) {
        case 1:
            return choices_.ConsumeRandomLengthString(16);
        case 2:
            return std::string(long_text, 'x');
        case 3:
            return "";
        case 4:
            return "../a";
        case 5:
            return "b";
        default:
            return "a";
        }
    }

    /// What a stream or a share may be, and what it may not.
    os::Fd any_fd() {
        // Too many open descriptors are a case like any other.
        int ends[2] = {-1, -1};
        switch (choices_.ConsumeIntegralInRange(0, 7)) {
        case 1:
            if (::pipe2(ends, O_CLOEXEC) == 0)
                std::swap(ends[0], ends[1]);
            break;
        case 2:
            (void)::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends);
            break;
        case 3:
            return os::Fd(::open("/dev/null", O_RDWR | O_CLOEXEC));
        case 4:
            return os::Fd(::memfd_create("file", MFD_CLOEXEC));
        case 5:
            return os::Fd(::open("/", O_PATH | O_CLOEXEC));
        case 6:
            return os::Fd();
        default:
            (void)::pipe2(ends, O_CLOEXEC);
            break;
        }
        os::Fd other(ends[1]);
        if (choices_.ConsumeBool())
            other_ends_.push_back(std::move(other));
        return os::Fd(ends[0]);
    }

    void fill(capnp::List<protocol::StreamFd>::Builder streams, Client& client, Offer& offer) {
        for (auto stream : streams) {
            if (choices_.remaining_bytes() == 0) {
                offer.complete = false;
                return;
            }
            stream.setFd(choices_.ConsumeIntegralInRange<uint32_t>(0, 4));
            stream.setDirection(
                static_cast<protocol::StreamBinding::Direction>(choices_.ConsumeIntegralInRange(0, 4)));
            stream.setEnd(descriptor(client, offer));
        }
    }

    void fill(capnp::List<protocol::Share>::Builder shares, Client& client, Offer& offer) {
        for (auto share : shares) {
            if (choices_.remaining_bytes() == 0) {
                offer.complete = false;
                return;
            }
            share.setName(text());
            share.setTree(descriptor(client, offer));
            share.setReadonly(choices_.ConsumeBool());
            share.setReadonlyWhenCreated(choices_.ConsumeBool());
        }
    }

    /// Usually a handful, seldom more than is allowed.
    uint32_t count() {
        constexpr uint32_t too_many = 5000;
        auto wanted = choices_.ConsumeIntegralInRange<uint32_t>(0, 32);
        return wanted < 32 ? wanted / 8 : too_many;
    }

    /// A machine's size, or a container's.
    template <class Number>
    Number size() {
        switch (choices_.ConsumeIntegralInRange(0, 7)) {
        case 0:
            return 0;
        case 1:
            return std::numeric_limits<Number>::max();
        case 2:
            return choices_.ConsumeIntegral<Number>();
        case 3: // one bit, or all below it
            return (Number{1} << choices_.ConsumeIntegralInRange<unsigned>(0, sizeof(Number) * 8 - 1)) -
                   (choices_.ConsumeBool() ? 1 : 0);
        default:
            return choices_.ConsumeIntegralInRange<Number>(0, 4096);
        }
    }

    void fill_sizes(protocol::SandboxConfig::Builder config) {
        config.setVcpus(size<uint32_t>());
        config.setMemoryMib(size<uint64_t>());
        config.setMaxVcpus(size<uint32_t>());
        config.setMaxMemoryMib(size<uint64_t>());
        config.setMemoryStepMib(size<uint64_t>());
        config.setDefaultVcpus(size<uint32_t>());
        config.setDefaultMemoryMib(size<uint64_t>());
    }

    void fill(protocol::Resources::Builder resources) {
        auto demand = resources.initDemand();
        demand.setCpus(size<uint32_t>());
        demand.setCpusetEnd(size<uint32_t>());
        demand.setMemoryBytes(choices_.ConsumeBool() ? size<uint64_t>() : size<uint64_t>() << 20U);
        auto files = resources.initFiles(choices_.ConsumeIntegralInRange<uint32_t>(0, 2));
        for (auto file : files) {
            file.setName(text());
            file.setValue(text());
        }
    }

    void close_other_ends() { other_ends_.clear(); }

private:
    protocol::Descriptor::Client descriptor(Client& client, Offer& offer) {
        switch (choices_.ConsumeIntegralInRange(0, 7)) {
        case 1:
            offer.complete = false;
            return nullptr;
        case 2:
            offer.complete = false;
            return client.service.castAs<protocol::Descriptor>();
        case 3:
            offer.resolved = false;
            return kj::Promise<protocol::Descriptor::Client>(kj::NEVER_DONE);
        default:
            os::Fd fd = any_fd();
            offer.complete = offer.complete && fd;
            return kj::heap<Descriptor>(std::move(fd));
        }
    }

    FuzzedDataProvider& choices_;
    std::vector<os::Fd> other_ends_; ///< of the pipes and socket pairs that were given away
};

} // namespace runvm::fuzz
