// libs: runvm_state
// Any bytes as state.json: an error of kind corrupted, or a container that survives being written and read
// again.
#include "state/state_file.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace runvm;
    std::string text(reinterpret_cast<const char*>(data), size);
    auto container = state::parse_state(text, "state.json");
    if (!container) {
        if (container.error().kind() != ErrorKind::corrupted)
            std::abort();
        return 0;
    }
    if (container->creator.pid < 0 || container->shim.pid < 0 || container->shim_init.pid < 0 ||
        container->reaper.pid < 0)
        std::abort();
    auto written = state::format_state(*container);
    // JSON text that was parsed is UTF-8, so writing it cannot fail.
    if (!written)
        std::abort();
    auto again = state::parse_state(*written, "state.json");
    if (!again || state::format_state(*again).value() != *written)
        std::abort();
    return 0;
}
