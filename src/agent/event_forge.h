#pragma once
// Makes the guest's kernel tell the watches of an inode of something that nobody in the guest has done.

#include "core/result.h"
#include "os/fd.h"

#include <cstdint>
#include <string>

namespace runvm::agent {

class EventForge {
public:
    static constexpr const char* module = "runvm_notify";

    /// The module has to be loaded.
    static Result<EventForge> open();

    /// Tells the watches of `inode`, an O_PATH descriptor. `name`: the entry of a folder that it is about, or
    /// empty. not_found if nobody watches it any more. Before that the guest's kernel learns the new
    /// attributes: who hears of a change shall see it. It waits for the host's file server.
    Result<void> tell(int inode, uint32_t mask, const std::string& name) const;

    /// The same without an event.
    Result<void> ask(int inode) const;

private:
    explicit EventForge(os::Fd device) : device_(std::move(device)) {}
    Result<void> write(int inode, uint32_t mask, const std::string& name) const;

    os::Fd device_;
};

} // namespace runvm::agent
