#include "vm/accelerator.h"

#include "os/file.h"
#include "vm/cpuinfo.h"
#include "vm/kvm_probe.h"

#include <fcntl.h>
#include <unistd.h>

namespace runvm::vm {
namespace {

constexpr const char* device = "/dev/kvm";

std::string boot_id() {
    auto id = os::read_file("/proc/sys/kernel/random/boot_id", 64);
    return id ? *id : "";
}

/// What the test guest said, from this boot's file or by running it. The file: the boot's id on the first
/// line, then "ok" or the error.
Result<void> guest_outcome(const std::string& run_folder) {
    std::string path = run_folder + "/kvm-probe";
    std::string boot = boot_id();
    if (auto kept = os::read_file(path, 4096); kept && !boot.empty() && kept->rfind(boot, 0) == 0) {
        std::string outcome = kept->substr(boot.size());
        if (outcome == "ok")
            return {};
        return Error(ErrorKind::unavailable, outcome);
    }
    Result<void> outcome = run_kvm_probe();
    // Where it cannot be kept, the next start probes again.
    if (os::make_folders(run_folder, 0700).ok())
        (void)os::write_file_atomically(path, boot + (outcome ? "ok" : outcome.error().message()), 0600,
                                        false);
    return outcome;
}

std::string open_failure(const Error& error) {
    switch (error.errno_value()) {
    case ENOENT:
        return "/dev/kvm does not exist; load the module kvm_intel or kvm_amd";
    case EACCES:
    case EPERM:
        return "/dev/kvm cannot be opened by uid " + std::to_string(::geteuid()) +
               "; add the user to group kvm";
    default:
        return "/dev/kvm cannot be opened (errno " + std::to_string(error.errno_value()) + ")";
    }
}

} // namespace

KvmReport probe_kvm(const std::string& run_folder) {
    KvmReport report;
    auto opened = os::open_file(device, O_RDWR);
    report.device_opens = opened.ok();
    std::string cpuinfo = read_cpuinfo();
    report.cpu_supports = cpuinfo_has_flag(cpuinfo, "vmx") || cpuinfo_has_flag(cpuinfo, "svm");
    if (!report.device_opens) {
        report.reason = open_failure(opened.error());
        return report;
    }
    if (!report.cpu_supports) {
        // The test guest is no judge of such a host: it may run there, and a kernel still hang.
        report.reason =
            "the cpu offers neither vmx nor svm, so /dev/kvm cannot run a stock kernel; enable (nested) "
            "virtualization in the firmware or the hypervisor below";
        return report;
    }
    Result<void> outcome = guest_outcome(run_folder);
    report.guest_runs = outcome.ok();
    report.reason = outcome ? "kvm runs guests here" : "/dev/kvm does not work: " + outcome.error().message();
    return report;
}

Result<Accelerator> choose_accelerator(const std::string& wish, const std::string& run_folder) {
    if (wish == "tcg")
        return Accelerator{"tcg", "the configuration asks for tcg"};
    if (wish == "kvm") {
        auto opened = os::open_file(device, O_RDWR);
        if (!opened)
            return Error(ErrorKind::unavailable, "the configuration asks for the accelerator kvm, but " +
                                                     open_failure(opened.error()));
        return Accelerator{"kvm", "the configuration asks for kvm"};
    }
    if (wish != "auto")
        return Error(ErrorKind::invalid_argument,
                     "accelerator `" + wish + "` is unknown; use auto, kvm or tcg");
    KvmReport report = probe_kvm(run_folder);
    return Accelerator{report.usable() ? "kvm" : "tcg", report.reason};
}

} // namespace runvm::vm
