#include "agent/capabilities.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <string>

namespace runvm::agent {

namespace {

constexpr unsigned max_capability = 63;

/// The number of capabilities that this kernel knows.
unsigned known_capabilities() {
    unsigned count = 0;
    while (count <= max_capability && ::prctl(PR_CAPBSET_READ, count, 0, 0, 0) >= 0)
        ++count;
    return count;
}

uint64_t bit(unsigned capability) {
    return uint64_t{1} << capability;
}

} // namespace

Result<void> limit_bounding_set(const CapabilityMasks& masks) {
    for (unsigned capability = 0; capability <= max_capability; ++capability) {
        int held = ::prctl(PR_CAPBSET_READ, capability, 0, 0, 0);
        if (held < 0)
            break;
        if (held == 0 || (masks.bounding & bit(capability)) != 0)
            continue;
        if (::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0)
            return system_error("drop capability " + std::to_string(capability) + " from the bounding set");
    }
    return {};
}

Result<void> set_capabilities(const CapabilityMasks& masks) {
    unsigned count = known_capabilities();
    uint64_t known = count > max_capability ? ~uint64_t{0} : bit(count) - 1;

    __user_cap_header_struct header{};
    header.version = _LINUX_CAPABILITY_VERSION_3;
    std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> data{};
    constexpr unsigned high = 32;
    for (unsigned shift : {0U, high}) {
        __user_cap_data_struct& word = data[shift / high];
        word.effective = static_cast<uint32_t>((masks.effective & known) >> shift);
        word.permitted = static_cast<uint32_t>((masks.permitted & known) >> shift);
        word.inheritable = static_cast<uint32_t>((masks.inheritable & known) >> shift);
    }
    if (::syscall(SYS_capset, &header, data.data()) != 0)
        return system_error("set capabilities");

    if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0)
        return system_error("clear the ambient capabilities");
    for (unsigned capability = 0; capability < count; ++capability) {
        if ((masks.ambient & bit(capability)) == 0)
            continue;
        if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) != 0)
            return system_error("raise ambient capability " + std::to_string(capability));
    }
    return {};
}

} // namespace runvm::agent
