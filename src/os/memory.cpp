#include "os/memory.h"

#include <unistd.h>

namespace runvm::os {

uint64_t memory_bytes() {
    return static_cast<uint64_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

} // namespace runvm::os
