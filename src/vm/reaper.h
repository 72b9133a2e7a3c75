#pragma once
// Pid 1 of the monitor's pid namespace. It reaps (QEMU and virtiofsd become its children when they are
// daemonised: unreaped, libvirt waits 80 s for a QEMU that is dead), and it leaves when the monitor has
// ended, on which the kernel ends everything else in the namespace. Whoever dies, nothing is left.

#include <functional>
#include <string>

namespace runvm::vm {

/// How a reaper ends that could not be one.
constexpr int no_reaper_code = 125;

/// Forks. The child runs `program`, and this returns in it with what that returned. The caller becomes the
/// reaper and never returns: it executes runvm-reaper, which is in the folder of `own_program`, an
/// absolute path (nothing of this one's memory stays). That closes its descriptors and ends as the child has
/// ended, with its exit code or 128 plus the number of the signal that killed it; with no_reaper_code if it
/// cannot. Called with one thread.
int run_as_reaper(const std::string& own_program, const std::function<int()>& program);

} // namespace runvm::vm
