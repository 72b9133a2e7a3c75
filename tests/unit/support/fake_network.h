#pragma once
// A network namespace that a test makes up.

#include "sandbox/host_network.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace runvm::sandbox {

/// What is in it, shared by the test and the sandbox.
struct MadeUpNamespace {
    network::NamespaceId id{1, 4711};
    network::State state;
    std::optional<Error> read_error;
    std::map<std::string, Error> connect_errors; ///< by the link's name
    bool makes_taps = false;
    std::vector<std::string> calls;
    std::map<std::string, std::string> names; ///< what its resolver answers, by the query
    kj::Own<kj::PromiseFulfiller<void>> waiting;

    void set(network::State now) {
        state = std::move(now);
        if (auto waiter = std::exchange(waiting, nullptr); waiter.get() != nullptr)
            waiter->fulfill();
    }
};

class FakeNetwork final : public HostNetwork {
public:
    explicit FakeNetwork(std::shared_ptr<MadeUpNamespace> space) : id_(space->id), space_(std::move(space)) {}

    network::NamespaceId id() const override { return id_; }
    Result<network::State> read() override {
        if (space_->read_error)
            return *space_->read_error;
        return space_->state;
    }
    kj::Promise<void> changed() override {
        auto pair = kj::newPromiseAndFulfiller<void>();
        space_->waiting = kj::mv(pair.fulfiller);
        return kj::mv(pair.promise);
    }
    Result<bool> make_tap(const network::Link& link, const std::string& tap) override {
        if (space_->makes_taps)
            space_->calls.push_back("make " + tap + " for " + link.name);
        return space_->makes_taps;
    }
    Result<void> connect(const network::Link& link, const std::string& tap) override {
        if (auto error = space_->connect_errors.find(link.name); error != space_->connect_errors.end())
            return error->second;
        space_->calls.push_back("connect " + link.name + " " + tap);
        return {};
    }
    void disconnect(const network::Link& link, const std::string&) override {
        space_->calls.push_back("disconnect " + link.name);
    }
    kj::Promise<Result<std::string>> ask_resolver(std::string message, bool over_tcp) override {
        space_->calls.push_back("ask " + message + (over_tcp ? " over TCP" : ""));
        if (auto known = space_->names.find(message); known != space_->names.end())
            return Result<std::string>(known->second);
        return Result<std::string>(Error(ErrorKind::timeout, "the resolver is silent"));
    }

private:
    network::NamespaceId id_;
    std::shared_ptr<MadeUpNamespace> space_;
};

} // namespace runvm::sandbox
