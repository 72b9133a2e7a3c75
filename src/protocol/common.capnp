# What both protocols share: errors and the description of processes and containers.
#
# The host has parsed and validated all of config.json before it fills these (src/oci/): names have become numbers
# and masks, mount options have become flags, and the seccomp profile has become a BPF program. The agent executes;
# it decides nothing that the specification decides.

@0x9823fe3ec6fb2f2d;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("runvm::protocol");

struct Error {
  # A Result's error (core/result.h). Every call that can fail for a reason a user may see returns one; a broken
  # connection is a failed call instead.
  failed @0 :Bool;             # false: no error, all else is empty
  kind @1 :UInt16;             # an ErrorKind's number
  errnoValue @2 :Int32;        # 0 where no system call failed
  message @3 :Text;            # the innermost sentence
  context @4 :List(Text);      # the steps that failed, innermost first
}

struct Rlimit {
  resource @0 :UInt32;         # RLIMIT_* of setrlimit(2)
  soft @1 :UInt64;             # RLIM_INFINITY is 2^64-1
  hard @2 :UInt64;
}

struct CapabilitySets {
  # Bit n is capability n of capabilities(7).
  bounding @0 :UInt64;
  effective @1 :UInt64;
  inheritable @2 :UInt64;
  permitted @3 :UInt64;
  ambient @4 :UInt64;
}

struct User {
  uid @0 :UInt32;
  gid @1 :UInt32;
  additionalGids @2 :List(UInt32);
  umask @3 :UInt32 = 0x12;     # 022; config.md process.user.umask
  userName @4 :Text;           # in place of uid, by the container's /etc/passwd, with the groups of its /etc/group
  groupName @5 :Text;          # in place of gid
  hasGid @6 :Bool;             # with userName: gid counts, and not the one of /etc/passwd
}

const maxStreamsPerProcess :UInt32 = 64;

struct StreamBinding {
  # One descriptor of a process that is carried over the stream port (src/channel/mux.h).
  fd @0 :UInt32;               # its number in the process: 0, 1, 2, or a preserved one
  direction @1 :Direction;
  stream @2 :UInt32;           # chosen by the monitor, unique in the sandbox's life, never 0

  enum Direction {
    toProcess @0;              # the process reads: a pipe
    fromProcess @1;            # the process writes: a pipe
    both @2;                   # a socket, or the terminal (fd 0 of a process with `terminal`: it is also 1 and 2)
  }
}

struct Process {
  # config.md, "process".
  args @0 :List(Text);
  env @1 :List(Text);
  cwd @2 :Text;
  user @3 :User;
  terminal @4 :Bool;
  consoleHeight @5 :UInt16;    # characters; 0 with 0: the kernel's default
  consoleWidth @6 :UInt16;
  capabilities @7 :CapabilitySets; # null: all are dropped, as runc does for a missing object
  rlimits @8 :List(Rlimit);
  noNewPrivileges @9 :Bool;
  oomScoreAdj @10 :Int32;
  hasOomScoreAdj @11 :Bool;
  seccomp @12 :Seccomp;        # null: none
  streams @13 :List(StreamBinding);
  ioPriorityClass @14 :UInt16; # 0: none set; else IOPRIO_CLASS_*
  ioPriorityLevel @15 :UInt16;
  scheduler @16 :Scheduler;    # null: inherited
  execCpuAffinity @17 :Text;   # a cpu list, empty: none (config.md process.execCPUAffinity.final)
}

struct Scheduler {
  policy @0 :UInt32;           # SCHED_*
  flags @1 :UInt64;            # SCHED_FLAG_*
  nice @2 :Int32;
  priority @3 :UInt32;
  runtimeNs @4 :UInt64;
  deadlineNs @5 :UInt64;
  periodNs @6 :UInt64;
}

struct Seccomp {
  program @0 :Data;            # struct sock_filter[], compiled by libseccomp on the host
  flags @1 :UInt32;            # SECCOMP_FILTER_FLAG_* without NEW_LISTENER
}

struct Mount {
  # config.md, "mounts", in their order. The destination is resolved inside the rootfs by the agent.
  destination @0 :Text;        # absolute
  type @1 :Text;               # "bind" for a share, else the guest kernel's name ("proc", "tmpfs", ...)
  source @2 :Text;             # what mount(2) is given; for a bind the path in /proc/mounts means nothing
  share @3 :Text;              # a bind: the share's name (see Share in sandbox.capnp); empty: not a bind
  flags @4 :UInt64;            # MS_* to set
  clearedFlags @5 :UInt64;     # MS_* to clear (rw, suid, dev, exec, ...)
  propagation @6 :UInt64;      # MS_SHARED, MS_SLAVE, MS_PRIVATE, MS_UNBINDABLE, with MS_REC; 0: none asked for
  recursiveSet @7 :UInt64;     # MOUNT_ATTR_* for mount_setattr(AT_RECURSIVE): rro, rnosuid, ...
  recursiveCleared @8 :UInt64; # MOUNT_ATTR_*
  data @9 :Text;               # options for the filesystem: "mode=755,size=65536k"
  copyUp @10 :Bool;            # tmpcopyup
  isFile @11 :Bool;            # a bind of something that is not a folder: the mount point is made as a file
  submounts @12 :List(Text);   # a bind: paths below it where the source has mounts of its own, which get none of
                               # `flags` (rbind,ro leaves them writable). Only needed where that matters
}

struct Device {
  # config-linux.md, "devices": made with mknod in the rootfs, or bound there in a user namespace, where mknod is not
  # allowed.
  path @0 :Text;
  type @1 :UInt8;              # 'c', 'b', 'p' as characters
  major @2 :Int64;
  minor @3 :Int64;
  mode @4 :UInt32;
  uid @5 :UInt32;
  gid @6 :UInt32;
  isHostDisk @7 :Bool;         # a block device of the host, with the host's numbers: plugged into the machine
  readonly @8 :Bool;           # such a disk: no rule lets the container write to it
  serial @9 :Text;             # such a disk: filled by the monitor, for the agent to find it by
}

struct KeyValue {
  key @0 :Text;
  value @1 :Text;
}

struct Resources {
  # config-linux.md, "resources", as cgroup v2 files in the guest: "memory.max" = "1048576". Written in this order.
  # An entry that the guest's kernel lacks is an error unless it is optional.
  files @0 :List(CgroupFile);
  deviceRules @1 :List(DeviceRule);
  demand @2 :Demand;

  struct Demand {
    # What the files let the container use: the machine grows to it. 0: they do not say.
    cpus @0 :UInt32;             # its cpu quota, rounded up
    cpusetEnd @1 :UInt32;        # the highest cpu of its set, plus one
    memoryBytes @2 :UInt64;
  }

  struct CgroupFile {
    name @0 :Text;
    value @1 :Text;
    optional @2 :Bool;
  }
}

struct DeviceRule {
  allow @0 :Bool;
  type @1 :UInt8;              # 'a', 'b', 'c' as characters
  major @2 :Int64 = -1;        # -1: any
  minor @3 :Int64 = -1;
  access @4 :Text;             # of "rwm"
}

struct IdMapping {
  # hostId: an id of the guest's kernel, which is the host's id of a file's owner, too.
  containerId @0 :UInt32;
  hostId @1 :UInt32;
  size @2 :UInt32;
}

struct Container {
  # config.md and config-linux.md, less what the host keeps for itself (its hooks, cgroupsPath, annotations).
  rootfsShare @0 :Text;        # the share's name
  rootfsReadonly @1 :Bool;
  rootfsPropagation @2 :UInt64; # MS_*, 0: none asked for
  hostname @3 :Text;           # empty: the guest's
  domainname @4 :Text;
  mounts @5 :List(Mount);
  newNamespaces @6 :UInt64;    # CLONE_NEW* to make; the network namespace is always the guest's own one
  maskedPaths @7 :List(Text);
  readonlyPaths @8 :List(Text);
  devices @9 :List(Device);    # besides the default ones
  resources @10 :Resources;
  sysctl @11 :List(KeyValue);
  process @12 :Process;
  uidMappings @13 :List(IdMapping);
  gidMappings @14 :List(IdMapping);
  personality @15 :UInt64 = 0xffffffff; # all ones: not set
  monotonicOffsetNs @16 :Int64;
  boottimeOffsetNs @17 :Int64;
  sessionKeyring @18 :Text;    # its name, which all processes of the container join; empty: none of its own
  startHooks @19 :List(Hook);  # run by the container's process before its execve, with its rights
  hookState @20 :Text;         # what they get on stdin (runtime.md, "State")
  hasCgroupOwner @21 :Bool;    # its cgroup is given to uid cgroupOwner (of the guest's kernel)
  cgroupOwner @22 :UInt32;
}

struct Hook {
  # config.md, "POSIX-platform Hooks". The path is absolute, in the container.
  path @0 :Text;
  args @1 :List(Text);
  env @2 :List(Text);
  hasEnv @3 :Bool;             # false: the process's own environment
  timeoutS @4 :UInt32;         # 0: no limit
}

const maxProcessInfos :UInt32 = 16384;

struct ProcessInfo {
  # One process of a container, for ps. Numbers of processes are those of the container's pid namespace, 0 for what is
  # outside it.
  pid @0 :UInt32;
  parentPid @1 :UInt32;
  groupId @2 :UInt32;
  sessionId @3 :UInt32;
  uid @4 :UInt32;              # effective
  gid @5 :UInt32;
  state @6 :UInt8;             # a letter, as in proc(5)
  nice @7 :Int32;
  threads @8 :UInt32;
  terminal @9 :UInt32;         # its device number, 0: none
  ageMs @10 :UInt64;           # since it was started
  cpuMs @11 :UInt64;           # user and system
  virtualBytes @12 :UInt64;
  residentBytes @13 :UInt64;
  isSessionLeader @14 :Bool;
  isForeground @15 :Bool;      # of its terminal
  name @16 :Text;              # at most 64 bytes
  commandLine @17 :Text;       # arguments with spaces between them, at most 4 KiB; empty: it has none
}

struct ExitStatus {
  signaled @0 :Bool;
  value @1 :UInt32;            # the exit code, or the signal's number
  oomKilled @2 :Bool;          # the guest's kernel killed a process of the container for want of memory
  streams @3 :List(StreamEnd);

  struct StreamEnd {
    # How much output a process wrote before it ended. A reader has all of it once it has read `bytes`.
    stream @0 :UInt32;
    bytes @1 :UInt64;
  }
}

struct Network {
  # What the container's network namespace has on the host, and the guest's shall have (src/network/state.h). Addresses
  # are 4 or 16 bytes in network order, or none where there is none.
  links @0 :List(Link);
  addresses @1 :List(Address);
  routes @2 :List(Route);        # of the main table
  neighbours @3 :List(Neighbour); # permanent ones
  hasResolver @4 :Bool;          # names are answered at 127.0.0.11: by Agent.nextNameQueries

  struct Link {
    index @0 :UInt32;            # the host's, by which the rest refers to it; the guest's NIC is the one whose
                                 # permanent address is of this number (network::nic_address), or lo
    name @1 :Text;
    mac @2 :Data;
    mtu @3 :UInt32;
    up @4 :Bool;
    hasIpv6 @5 :Bool;            # net.ipv6.conf.<name>.disable_ipv6 is 0
    isLoopback @6 :Bool;
  }
  struct Address {
    link @0 :UInt32;
    local @1 :Data;
    peer @2 :Data;
    broadcast @3 :Data;
    prefix @4 :UInt8;
    scope @5 :UInt8;             # RT_SCOPE_*
    flags @6 :UInt32;            # IFA_F_*
  }
  struct Route {
    link @0 :UInt32;             # 0: none (unreachable, blackhole)
    destination @1 :Data;
    gateway @2 :Data;
    source @3 :Data;
    prefix @4 :UInt8;
    type @5 :UInt8;              # RTN_*
    scope @6 :UInt8;
    protocol @7 :UInt8;          # RTPROT_*
    tos @8 :UInt8;
    isOnlink @9 :Bool;
    metric @10 :UInt32;
    mtu @11 :UInt32;
  }
  struct Neighbour {
    link @0 :UInt32;
    address @1 :Data;
    mac @2 :Data;
  }
}
