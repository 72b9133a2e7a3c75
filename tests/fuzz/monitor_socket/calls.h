#pragma once
// The calls of the monitor's socket.

#include "parameters.h"

#include <kj/async.h>

#include <cstdint>
#include <utility>

namespace runvm::fuzz {

/// Well-formed calls with any parameters.
class Calls {
public:
    /// What is called is added to `tasks`.
    Calls(FuzzedDataProvider& choices, Parameters& parameters, kj::TaskSet& tasks)
        : choices_(choices), parameters_(parameters), tasks_(tasks) {}

    void fetch_sandbox(Client& client) {
        auto request = client.service.fetchSandboxRequest();
        request.setId(choices_.ConsumeBool() ? parameters_.text() : "");
        auto call = request.send();
        client.sandbox = call.getSandbox();
        send(kj::mv(call));
    }

    void call_service(Client& client) {
        switch (choices_.ConsumeIntegralInRange(0, 3)) {
        case 1:
            fetch_sandbox(client);
            break;
        case 2:
            send(client.service.listSandboxesRequest().send());
            break;
        default: {
            auto request = client.service.createSandboxRequest();
            auto config = request.initConfig();
            config.setSandboxId(parameters_.text());
            config.setAgentTimeoutMs(choices_.ConsumeIntegralInRange<uint32_t>(0, 30000));
            auto call = request.send();
            client.sandbox = call.getSandbox();
            send(kj::mv(call));
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
                send(request.send());
                break;
            }
            case 2:
                send(process->winsizeRequest().send());
                break;
            case 3:
                client.process = nullptr;
                break;
            default:
                send(process->waitRequest().send());
                break;
            }
        }
    }

    void call_sandbox(Client& client) {
        KJ_IF_MAYBE (sandbox, client.sandbox)
            call_sandbox(client, *sandbox);
    }

private:
    template <class T>
    void send(capnp::RemotePromise<T> call) {
        tasks_.add(call.ignoreResult());
    }

    /// A call that has only an id.
    template <class Request>
    void send_with_id(Request request) {
        request.setId(parameters_.text());
        send(request.send());
    }

    /// A call for one process.
    template <class Request>
    void send_with_ids(Request request) {
        request.setExecId(choices_.ConsumeBool() ? "" : parameters_.text());
        send_with_id(kj::mv(request));
    }

    void call_sandbox(Client& client, protocol::Sandbox::Client& sandbox) {
        switch (choices_.ConsumeIntegralInRange(0, 19)) {
        case 0:
            return send(sandbox.statusRequest().send());
        case 1:
            return send(sandbox.pauseRequest().send());
        case 2:
            return send(sandbox.resumeRequest().send());
        case 3:
            return send(sandbox.releaseRequest().send());
        case 4:
            return send(sandbox.deleteRequest().send());
        case 5: {
            auto request = sandbox.monitorRequest();
            if (int behaviour = choices_.ConsumeIntegralInRange(0, 3); behaviour < 3)
                request.setSink(kj::heap<Sink>(behaviour));
            return send(request.send());
        }
        case 6:
            return send_with_id(sandbox.commitRequest());
        case 7:
            return send_with_id(sandbox.startContainerRequest());
        case 8:
            return send_with_id(sandbox.deleteContainerRequest());
        case 9:
            return send_with_id(sandbox.statusContainerRequest());
        case 10:
        case 15:
        case 16: {
            auto request = sandbox.enterContainerRequest();
            request.initProcess().setCwd(parameters_.text());
            parameters_.fill(request.initStreams(parameters_.count()), client);
            return send_with_ids(kj::mv(request));
        }
        case 11:
            return send_with_ids(sandbox.waitProcessRequest());
        case 12:
            return send_with_ids(sandbox.signalProcessRequest());
        case 13:
            return send_with_ids(sandbox.winsizeProcessRequest());
        case 14: {
            auto request = sandbox.attachProcessRequest();
            request.setId(parameters_.text());
            request.setExecId(choices_.ConsumeBool() ? "" : parameters_.text());
            auto call = request.send();
            client.process = call.getProcess();
            return send(kj::mv(call));
        }
        default: {
            auto request = sandbox.createContainerRequest();
            request.initContainer().initProcess().setCwd(parameters_.text());
            parameters_.fill(request.initShares(parameters_.count()), client);
            parameters_.fill(request.initStreams(parameters_.count()), client);
            request.setId(choices_.ConsumeBool() ? parameters_.text() : "b");
            return send(request.send());
        }
        }
    }

    FuzzedDataProvider& choices_;
    Parameters& parameters_;
    kj::TaskSet& tasks_;
};

} // namespace runvm::fuzz
