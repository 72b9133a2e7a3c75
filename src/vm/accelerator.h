#pragma once
// Which accelerator a machine gets. /dev/kvm being there says little: under a hypervisor without nested
// virtualisation it may answer KVM_CREATE_VM and still not run a stock kernel.

#include "core/result.h"

#include <string>

namespace runvm::vm {

/// What is known about KVM here; also data for `runvm check`.
struct KvmReport {
    bool device_opens = false; ///< /dev/kvm can be opened for reading and writing
    bool cpu_supports = false; ///< the cpu's flags have vmx or svm
    bool guest_runs = false;   ///< a test guest reached long mode and ran what kernels need
    bool usable() const { return device_opens && cpu_supports && guest_runs; }
    /// Why it is, or is not, usable, and what to do about it: one sentence.
    std::string reason;
};

struct Accelerator {
    std::string name;   ///< "kvm" or "tcg"
    std::string reason; ///< a sentence for people
};

/// Looks at the device and the flags each time (under 1 ms); the test guest runs once a boot: its outcome is
/// kept in `run_folder`, for all of the machine.
KvmReport probe_kvm(const std::string& run_folder);

/// `wish`: "auto", "kvm" or "tcg", of the configuration. Forced kvm is refused only if /dev/kvm cannot be
/// opened.
Result<Accelerator> choose_accelerator(const std::string& wish, const std::string& run_folder);

} // namespace runvm::vm
