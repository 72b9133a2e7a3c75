#pragma once
// Calls of systemd's manager (org.freedesktop.systemd1(5)), over its private socket or the system bus.

#include "cgroup/systemd/unit.h"
#include "core/result.h"

#include <memory>
#include <string>
#include <vector>

namespace runvm::cgroup::systemd {

class Bus {
public:
    /// Loads libsystemd and connects. unavailable, with a sentence, if either cannot be.
    static Result<Bus> open();
    Bus(Bus&&) noexcept;
    Bus& operator=(Bus&&) noexcept;
    ~Bus();

    /// Returns when the job is done. already_exists if there is a unit of this name.
    Result<void> start_transient_unit(const std::string& name, const std::vector<Property>& properties);
    /// The same. No error if there is no such unit.
    Result<void> stop_unit(const std::string& name);
    Result<void> reset_failed_unit(const std::string& name);
    Result<void> set_unit_properties(const std::string& name, const std::vector<Property>& properties);

private:
    class Connection;
    explicit Bus(std::unique_ptr<Connection> connection);
    std::unique_ptr<Connection> connection_;
};

} // namespace runvm::cgroup::systemd
