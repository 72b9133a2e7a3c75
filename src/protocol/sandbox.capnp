# CLI and shim to monitor, on a unix socket; the interface of a library user too. One monitor serves one sandbox.
# Descriptors travel as a Descriptor capability's fd (Capability::Client::getFd), at most 240 a message (the kernel allows 253),
# and only with messages of a few KiB (Sandbox.addDescriptors).
# This side is trusted (it is root's), but never crashes the monitor: everything is checked.

@0x90559e0945ccb42a;

using Cxx = import "/capnp/c++.capnp";
using Common = import "common.capnp";
$Cxx.namespace("runvm::protocol");

const maxFdsPerMessage :UInt32 = 240;

interface Descriptor {}
# Carries a file descriptor and has no calls.

struct SandboxConfig {
  # Everything the monitor needs to make the VM; the CLI has read the configuration and validated it.
  sandboxId @0 :Text;            # that of the container or pod it was made for
  accelerator @1 :Text;          # "kvm" or "tcg": "auto" is decided by the CLI (vm/accelerator.h)
  kernelPath @2 :Text;           # ELF vmlinux, absolute
  imagePath @3 :Text;            # initrd, absolute
  kernelCommandLine @4 :Text;    # what the configuration adds
  vcpus @5 :UInt32;
  memoryMib @6 :UInt64;
  machine @7 :Text;              # "q35"
  emulatorPath @8 :Text;         # qemu-system-x86_64; empty: found in PATH
  virtiofsdPath @9 :Text;        # empty: the well-known places
  libvirtUri @10 :Text;          # "qemu:///embed", or one of a libvirtd
  channel @11 :Text;             # "serial" or "vsock"
  bootTimeoutMs @12 :UInt32;
  agentTimeoutMs @13 :UInt32;    # for a call that does not wait for a process
  cacheFolder @14 :Text;         # capability cache shared by all sandboxes
  selinuxLabel @15 :Text;        # of QEMU (not a libvirtd's) and virtiofsd, where the host has SELinux
  sharedFsOptions @16 :List(Text); # added to virtiofsd's command line
  logLevel @17 :Text;            # debug, info, warning, error: what the monitor's log (its stderr) gets
  runFolder @18 :Text;           # machine-wide locks, /run/runvm
  maxVcpus @19 :UInt32;          # what the machine may grow to; less than it boots with: it does not grow
  maxMemoryMib @20 :UInt64;
  memoryStepMib @21 :UInt64;     # its memory grows by multiples of this
  defaultMemoryMib @22 :UInt64;  # what a container without limits gets
  defaultVcpus @23 :UInt32;
  machineFolder @24 :Text;       # where a QEMU of libvirtd's finds the machine's sockets: a folder of the host's that
                                 # the monitor makes anew; empty for qemu:///embed
  networkModel @25 :Text;        # network::Model
}

enum SandboxState {
  created @0;                    # no VM yet
  booting @1;
  running @2;
  paused @3;
  stopped @4;                    # the VM is gone
}

struct Event {
  # Of Sandbox.monitor. The stream of events ends with vmExited.
  timeNs @0 :Int64;              # CLOCK_REALTIME
  containerId @1 :Text;          # empty: the sandbox itself
  execId @2 :Text;
  union {
    booted @3 :Void;
    containerCreated @4 :Void;
    containerStarted @5 :Void;
    processExited @6 :Common.ExitStatus;
    paused @7 :Void;             # without a container: the machine is suspended
    resumed @8 :Void;
    vmExited @9 :Text;           # why, in a sentence
    oom @10 :Void;               # the guest's kernel killed a process of the container for want of memory
  }
}

interface EventSink {
  # Implemented by the caller of Sandbox.monitor.
  event @0 (event :Event) -> ();
}

struct Share {
  # A tree of the host that the guest sees, through virtiofs, at /run/runvm/shared/<container>/<name>.
  name @0 :Text;                 # "rootfs", "m0", ...: of [a-z0-9], at most 32
  tree @1 :Descriptor;           # open_tree(2) with OPEN_TREE_CLONE|AT_RECURSIVE
  readonly @2 :Bool;             # enforced on the host before the guest sees it
  readonlyRecursive @3 :Bool;
  readonlyWhenCreated @4 :Bool;  # enforced on the host once the agent has made the mount points: root.readonly
}

struct StreamFd {
  # The monitor's end of a pipe or socket pair for one descriptor of a process; the shim holds the other.
  fd @0 :UInt32;                 # its number in the process
  direction @1 :Common.StreamBinding.Direction;
  end @2 :Descriptor;
}

interface SandboxService {
  # What a connection starts with.
  createSandbox @0 (config :SandboxConfig) -> (error :Common.Error, sandbox :Sandbox);
  # Starts to boot the VM and returns at once; calls that need the guest wait for it, and get the boot's error if
  # it fails. already_exists if this monitor has a sandbox.
  fetchSandbox @1 (id :Text) -> (error :Common.Error, sandbox :Sandbox);
  # id empty: the one there is. not_found otherwise.
  listSandboxes @2 () -> (ids :List(Text));
}

interface Sandbox {
  # -- operation
  status @0 () -> (state :SandboxState, containers :List(ContainerStatus), qemuPid :UInt32, virtiofsdPid :UInt32,
                   monitorPid :UInt32, sandboxId :Text, consoleTail :Text, bootMs :UInt32);
  # Pids are numbers in the monitor's pid namespace.
  pause @1 () -> (error :Common.Error);
  # Suspends the machine, but for the time of calls that need the guest. wrong_state if it is asked for already.
  resume @2 () -> (error :Common.Error);
  release @3 () -> (error :Common.Error);
  # Ends the sandbox in an orderly way: containers are killed, the guest powers off, the monitor leaves.
  delete @4 () -> ();
  # Ends it at once.
  monitor @5 (sink :EventSink) -> (error :Common.Error);
  # Sends every event from now on to the sink, and returns after vmExited.

  # In every answer below, ExitStatus.streams names streams by their descriptor's number in the process.

  createContainer @6 (id :Text, container :Common.Container) -> (error :Common.Error);
  # The process is ready to be started when this returns. container.process.streams is filled by the monitor.
  # The connection that makes the first container owns the sandbox until it calls commit: should it break
  # before, the sandbox ends (a create that was killed leaves nothing). Who makes a further one calls join first.
  commit @7 (id :Text) -> (error :Common.Error);
  startContainer @8 (id :Text, hooksMs :UInt32) -> (error :Common.Error);
  # hooksMs: how long its startHooks may take, on top of what any call to the guest may.
  deleteContainer @9 (id :Text) -> (error :Common.Error);
  statusContainer @10 (id :Text) -> (error :Common.Error, status :ContainerStatus);
  enterContainer @11 (id :Text, execId :Text, process :Common.Process, cgroup :Text) -> (error :Common.Error);
  # exec: the process runs when this returns.
  waitProcess @12 (id :Text, execId :Text) -> (error :Common.Error, status :Common.ExitStatus);

  # -- relay
  signalProcess @13 (id :Text, execId :Text, signal :Int32, all :Bool) -> (error :Common.Error);
  winsizeProcess @14 (id :Text, execId :Text, height :UInt16, width :UInt16) -> (error :Common.Error);
  attachProcess @15 (id :Text, execId :Text) -> (error :Common.Error, process :AttachedProcess);
  # For the process's shim: the process is killed if the connection is lost before it has ended, and if nobody has
  # attached 10 s after it was made.

  # -- operation
  addDescriptors @16 (id :Text, execId :Text, shares :List(Share), streams :List(StreamFd)) -> (error :Common.Error);
  # What createContainer (execId empty) or enterContainer, called next on this capability, gives to its process; more than
  # one call adds up. Wait for the answer first. Apart from those two, whose messages may be large: Cap'n Proto 1.1 loses
  # the descriptors of a message that it reads in pieces (mended by its commit 5c144bf1, in 1.2).
  pauseContainer @17 (id :Text) -> (error :Common.Error);
  # Freezes its processes. When all containers are paused, the machine is suspended as by pause. SIGKILL still ends a
  # process, other signals and enterContainer wait for the resume. No error if it is paused already.
  resumeContainer @18 (id :Text) -> (error :Common.Error);
  # No error if it is not paused.
  listProcesses @19 (id :Text) -> (error :Common.Error, processes :List(Common.ProcessInfo), memoryBytes :UInt64);
  readCgroup @20 (id :Text, names :List(Text)) -> (error :Common.Error, contents :List(Text));
  updateContainer @21 (id :Text, resources :Common.Resources) -> (error :Common.Error);
  # As the agent's. The machine grows first to what resources.demand asks of it, as far as it may; memory that no
  # container asks for any more is taken back as far as the guest gives it.
  setNetwork @22 (namespace :Descriptor) -> (error :Common.Error);
  # The network namespace that the sandbox's containers are in, on the host: its links, with their addresses and routes,
  # become the guest's, and are followed from now on. Returns before the guest has them; startContainer waits for that.
  # already_exists if the sandbox has another one.
  join @23 (id :Text) -> (error :Common.Error);
  # Another container is going to be made, by this connection: the sandbox stays until it calls commit for it. Should
  # it break before, that container goes, and the others stay. wrong_state as long as the sandbox's first container is
  # not committed, unavailable if the sandbox is over.
}

interface AttachedProcess {
  wait @0 () -> (error :Common.Error, status :Common.ExitStatus, toldToEnd :Bool);
  # May be called before the process has been created or started. If the VM ends: signaled, 9.
  # toldToEnd: somebody sent it a signal that ends processes, and may be waiting for that.
  signal @1 (signal :Int32) -> (error :Common.Error);
  winsize @2 (height :UInt16, width :UInt16) -> (error :Common.Error);
}

struct ContainerStatus {
  id @0 :Text;
  state @1 :State;
  exit @2 :Common.ExitStatus;    # of a stopped one

  enum State {
    creating @0;
    created @1;
    running @2;
    stopped @3;
    paused @4;                   # created or running
  }
}
