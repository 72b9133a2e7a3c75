#pragma once
// Pid 1 of the monitor's pid namespace. It reaps (QEMU and virtiofsd become its children when they are
// daemonised: unreaped, libvirt waits 80 s for a QEMU that is dead), and it leaves when the monitor has
// ended, on which the kernel ends everything else in the namespace. Whoever dies, nothing is left.

#include <functional>
#include <string>

namespace runvm::vm {

/// Forks. The child runs `program`, and this returns in it with what that returned. The caller becomes the
/// reaper and never returns: it executes `reaper_program` (runvm-reaper: nothing of this one's memory stays),
/// which closes its descriptors and ends as the child has ended, with its exit code or 128 plus the number of
/// the signal that killed it; with 125 if it cannot. Called with one thread.
int run_as_reaper(const std::string& reaper_program, const std::function<int()>& program);

} // namespace runvm::vm
