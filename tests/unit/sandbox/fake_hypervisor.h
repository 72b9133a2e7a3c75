#pragma once
// A hypervisor without a machine: it does as it is told, and tells what it was asked. Calls may come from any
// thread.

#include "vm/hypervisor.h"

#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace runvm::sandbox {

class FakeHypervisor final : public vm::Hypervisor {
public:
    /// What the next start returns.
    void fail_start(Error error) {
        std::lock_guard lock(mutex_);
        start_error_ = std::move(error);
    }
    void set_log(std::string log) {
        std::lock_guard lock(mutex_);
        log_ = std::move(log);
    }
    /// The machine ends by itself; from the calling thread, as libvirt does it from its own.
    void exit_now(const std::string& reason) { end(reason); }

    /// "start", "suspend", "resume" and "destroy", in their order.
    std::vector<std::string> calls() const {
        std::lock_guard lock(mutex_);
        return calls_;
    }
    std::optional<vm::MachineSpec> spec() const {
        std::lock_guard lock(mutex_);
        return spec_;
    }

    Result<void> start(const vm::MachineSpec& spec) override {
        std::lock_guard lock(mutex_);
        calls_.emplace_back("start");
        spec_ = spec;
        if (start_error_)
            return *std::exchange(start_error_, std::nullopt);
        process_id_ = 4242;
        return {};
    }
    Result<void> suspend() override { return record("suspend"); }
    Result<void> resume() override { return record("resume"); }
    Result<void> resize(uint32_t vcpus, uint64_t growth_mib) override {
        return record(("resize " + std::to_string(vcpus) + " +" + std::to_string(growth_mib)).c_str());
    }
    Result<void> plug_disk(const vm::DiskSpec& disk) override {
        return record(("plug " + disk.serial).c_str());
    }
    Result<void> unplug_disk(const std::string& serial) override {
        return record(("unplug " + serial).c_str());
    }
    Result<void> plug_nic(const vm::Nic& nic) override { return record(("plug " + nic.tap).c_str()); }
    Result<void> unplug_nic(const vm::Nic& nic) override { return record(("unplug " + nic.tap).c_str()); }
    Result<void> destroy() override {
        RUNVM_TRY(record("destroy"));
        end("the machine was ended");
        return {};
    }
    pid_t process_id() const override {
        std::lock_guard lock(mutex_);
        return process_id_;
    }
    std::string log_tail() const override {
        std::lock_guard lock(mutex_);
        return log_;
    }
    void on_exit(std::function<void(std::string reason)> callback) override {
        std::lock_guard lock(mutex_);
        exit_callback_ = std::move(callback);
    }

private:
    Result<void> record(const char* call) {
        std::lock_guard lock(mutex_);
        calls_.emplace_back(call);
        return {};
    }
    void end(const std::string& reason) {
        std::function<void(std::string)> callback;
        {
            std::lock_guard lock(mutex_);
            process_id_ = 0;
            std::swap(callback, exit_callback_);
        }
        if (callback)
            callback(reason);
    }

    mutable std::mutex mutex_;
    std::vector<std::string> calls_;
    std::optional<vm::MachineSpec> spec_;
    std::optional<Error> start_error_;
    std::string log_;
    pid_t process_id_ = 0;
    std::function<void(std::string)> exit_callback_;
};

} // namespace runvm::sandbox
