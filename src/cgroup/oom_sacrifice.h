#pragma once
// Engines learn from the host's memory cgroup alone that a container ran out of memory: containerd's shim and
// conmon watch its oom_kill counter (v2) or an eventfd of memory.oom_control (v1), and Docker's and Podman's
// OOMKilled is what they saw. The guest's kernel killed the process, so nothing happened there. So a small
// process of ours is put to death in it: the one thing that counts is a true kill.

namespace runvm::cgroup {

/// In the cgroup that this process is in: `memory_folder` is its folder in the hierarchy of the memory
/// controller, `proc_folder` a /proc that shows this process. Forks; call it with one thread. Returns when
/// the kernel has killed the child, or after some seconds if it does not. All limits are as before then.
void sacrifice_for_oom(int memory_folder, int proc_folder);

} // namespace runvm::cgroup
