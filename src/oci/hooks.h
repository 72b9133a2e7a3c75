#pragma once
// config.md, "POSIX-platform Hooks".

#include "core/result.h"
#include "hooks/run.h"
#include "state/container.h"

#include <string>
#include <vector>

namespace runvm::oci {

class Value;

using hooks::Hook;

struct Hooks {
    std::vector<Hook> prestart;
    std::vector<Hook> create_runtime;
    std::vector<Hook> create_container;
    std::vector<Hook> start_container;
    std::vector<Hook> poststart;
    std::vector<Hook> poststop;

    /// One of those that come between the container's namespaces and its root.
    bool before_root_changes() const {
        return !prestart.empty() || !create_runtime.empty() || !create_container.empty();
    }
};

Hooks read_hooks(const Value& hooks);

/// Those of the config.json that was saved with a container.
Result<Hooks> hooks_of(const std::string& config);

/// How long all of them may take; a day and more for one without a timeout.
uint32_t longest_ms(const std::vector<Hook>& hooks);

/// What a hook gets on its standard input (runtime.md, "State"), as runc writes it. `pid` 0: none.
std::string hook_state(const state::Container& container, const char* status, pid_t pid);

} // namespace runvm::oci
