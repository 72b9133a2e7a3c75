#pragma once
// tmpfs of the guest that containers have in common: what engines bind at /dev/shm (oci/shared_memory.h).

#include "core/result.h"
#include "os/fd.h"

#include <map>
#include <memory>
#include <string>

namespace runvm::agent {

class SharedMemory {
public:
    /// A tmpfs that is there as long as somebody holds it.
    class Hold {
    public:
        explicit Hold(std::string path) : path_(std::move(path)) {}
        Hold(const Hold&) = delete;
        Hold& operator=(const Hold&) = delete;
        ~Hold();
        /// A detached mount of it.
        Result<os::Fd> clone() const;

    private:
        std::string path_; ///< where the agent has it
    };

    /// The one of this key; a new one with these options (mount(2)'s) if nobody holds it.
    Result<std::shared_ptr<Hold>> hold(const std::string& key, const std::string& options);

private:
    std::map<std::string, std::weak_ptr<Hold>> holds_;
};

} // namespace runvm::agent
