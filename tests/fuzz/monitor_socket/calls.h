#pragma once
// The calls of the monitor's socket.

#include "parameters.h"

#include <capnp/capability.h>
#include <kj/async.h>

#include <cstdint>
#include <utility>

namespace runvm::fuzz {

/// Well-formed calls with any parameters.
class Calls {
public:
    Calls(FuzzedDataProvider& choices, Parameters& parameters) : choices_(choices), parameters_(parameters) {}

    void fetch_sandbox(Client& client) {
        auto request = client.service.fetchSandboxRequest();
        request.setId(choices_.ConsumeBool() ? parameters_.text() : "");
        auto call = request.send();
        client.sandbox = call.getSandbox();
        send(client, kj::mv(call));
    }

    void call_service(Client& client) {
        switch (choices_.ConsumeIntegralInRange(0, 3)) {
        case 1:
            fetch_sandbox(client);
            break;
        case 2:
            send(client, client.service.listSandboxesRequest().send());
            break;
        default: {
            auto request = client.service.createSandboxRequest();
            auto config = request.initConfig();
            config.setSandboxId(parameters_.text());
            config.setAgentTimeoutMs(choices_.ConsumeIntegralInRange<uint32_t>(0, 30000));
            parameters_.fill_sizes(config);
            auto call = request.send();
            client.sandbox = call.getSandbox();
            send(client, kj::mv(call));
            break;
        }
        }
    }

    void call_process(Client& client) {
        KJ_IF_MAYBE (process, client.process) {
            switch (choices_.ConsumeIntegralInRange(0, 3)) {
            case 1: {
                auto request = process->signalRequest();
                request.setSignal(choices_.ConsumeIntegral<int32_t>());
                send(client, request.send());
                break;
            }
            case 2:
                send(client, process->winsizeRequest().send());
                break;
            case 3:
                client.process = nullptr;
                break;
            default:
                send_waiting(client, process->waitRequest().send());
                break;
            }
        }
    }

    void call_sandbox(Client& client) {
        KJ_IF_MAYBE (sandbox, client.sandbox)
            call_sandbox(client, *sandbox);
    }

private:
    /// A call that ends by itself.
    template <class T>
    static void send(Client& client, capnp::RemotePromise<T> call) {
        add(client, call.ignoreResult());
    }

    static void add(Client& client, kj::Promise<void> call) {
        add(client, client.calls_under_way, kj::mv(call));
    }

    static void add(Client& client, int& under_way, kj::Promise<void> call) {
        ++under_way;
        client.calls.add(call.attach(kj::defer([&under_way] { --under_way; })));
    }

    /// A call that waits for something that need not come.
    template <class T>
    static void send_waiting(Client& client, capnp::RemotePromise<T> call) {
        client.calls.add(call.ignoreResult());
    }

    /// A call that offers descriptors.
    template <class T>
    static void send(Client& client, capnp::RemotePromise<T> call, const Offer& offer) {
        if (!offer.resolved)
            return send_waiting(client, kj::mv(call));
        add(client, call.then([&client, offer](capnp::Response<T>&& answer) {
            require(offer.complete || answer.getError().getFailed() || !client.is_owed_answers(),
                    "what lacks its descriptor is refused");
        }));
    }

    /// A call that has only an id.
    template <class Request>
    void send_with_id(Client& client, Request request) {
        request.setId(parameters_.text());
        send(client, request.send());
    }

    /// A call for one process.
    template <class Request>
    void send_with_ids(Client& client, Request request) {
        set_ids(request);
        send(client, request.send());
    }

    template <class Request>
    void set_ids(Request& request) {
        request.setExecId(choices_.ConsumeBool() ? "" : parameters_.text());
        request.setId(parameters_.text());
    }

    void call_sandbox(Client& client, protocol::Sandbox::Client& sandbox) {
        switch (choices_.ConsumeIntegralInRange(0, 19)) {
        case 0:
            return send(client, sandbox.statusRequest().send());
        case 1:
            return send(client, sandbox.pauseRequest().send());
        case 2:
            return send(client, sandbox.resumeRequest().send());
        case 3:
            return send(client, sandbox.releaseRequest().send());
        case 4:
            return send(client, sandbox.deleteRequest().send());
        case 5: {
            auto request = sandbox.monitorRequest();
            if (int behaviour = choices_.ConsumeIntegralInRange(0, 3); behaviour < 3)
                request.setSink(kj::heap<Sink>(behaviour));
            return send_waiting(client, request.send());
        }
        case 6:
            return send_with_id(client, sandbox.commitRequest());
        case 7:
            return send_with_id(client, sandbox.startContainerRequest());
        case 8:
            return send_with_id(client, sandbox.deleteContainerRequest());
        case 9:
            return send_with_id(client, sandbox.statusContainerRequest());
        case 10:
        case 15:
        case 16: {
            auto request = sandbox.enterContainerRequest();
            request.initProcess().setCwd(parameters_.text());
            Offer offer;
            auto descriptors = sandbox.addDescriptorsRequest();
            parameters_.fill(descriptors.initStreams(parameters_.count()), client, offer);
            set_ids(request);
            descriptors.setId(request.getId());
            descriptors.setExecId(request.getExecId());
            send(client, descriptors.send(), offer);
            return add(client, client.execs_under_way, request.send().ignoreResult());
        }
        case 11: {
            auto request = sandbox.waitProcessRequest();
            set_ids(request);
            return send_waiting(client, request.send());
        }
        case 12:
            return send_with_ids(client, sandbox.signalProcessRequest());
        case 13:
            return send_with_ids(client, sandbox.winsizeProcessRequest());
        case 14: {
            auto request = sandbox.attachProcessRequest();
            request.setId(parameters_.text());
            request.setExecId(choices_.ConsumeBool() ? "" : parameters_.text());
            auto call = request.send();
            client.process = call.getProcess();
            return add(client, client.attaches_under_way, call.ignoreResult());
        }
        case 18:
            return call_resources(client, sandbox);
        default: {
            auto request = sandbox.createContainerRequest();
            request.initContainer().initProcess().setCwd(parameters_.text());
            Offer offer;
            auto descriptors = sandbox.addDescriptorsRequest();
            parameters_.fill(descriptors.initShares(parameters_.count()), client, offer);
            parameters_.fill(descriptors.initStreams(parameters_.count()), client, offer);
            request.setId(choices_.ConsumeBool() ? parameters_.text() : "b");
            descriptors.setId(request.getId());
            send(client, descriptors.send(), offer);
            return send(client, request.send());
        }
        }
    }

    /// What a container may use, and whether it runs.
    void call_resources(Client& client, protocol::Sandbox::Client& sandbox) {
        switch (choices_.ConsumeIntegralInRange(0, 7)) {
        case 0:
            return send_with_id(client, sandbox.pauseContainerRequest());
        case 1:
            return send_with_id(client, sandbox.resumeContainerRequest());
        case 2:
            return send_with_id(client, sandbox.listProcessesRequest());
        case 3: {
            auto request = sandbox.readCgroupRequest();
            auto names = request.initNames(parameters_.count());
            for (unsigned i = 0; i < names.size() && choices_.remaining_bytes() > 0; ++i)
                names.set(i, parameters_.text());
            return send_with_id(client, kj::mv(request));
        }
        case 4: {
            auto request = sandbox.createContainerRequest();
            parameters_.fill(request.initContainer().initResources());
            return send_with_id(client, kj::mv(request));
        }
        default: {
            auto request = sandbox.updateContainerRequest();
            parameters_.fill(request.initResources());
            return send_with_id(client, kj::mv(request));
        }
        }
    }

    FuzzedDataProvider& choices_;
    Parameters& parameters_;
};

} // namespace runvm::fuzz
