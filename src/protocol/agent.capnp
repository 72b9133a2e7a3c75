# Host to guest. Served by runvm-agent, the guest's PID 1, on its control port; the monitor is the only client.
# The guest is hostile to the monitor: it is given no capability, and whatever it returns is validated.
# Nothing survives a session: after a reconnect all calls are new, and streams go on by id and offset.

@0x96908afc135f1695;

using Cxx = import "/capnp/c++.capnp";
using Common = import "common.capnp";
$Cxx.namespace("runvm::protocol");

const agentProtocolVersion :UInt32 = 1;

interface Agent {
  hello @0 (protocolVersion :UInt32, hostTimeNs :Int64)
      -> (error :Common.Error, protocolVersion :UInt32, agentVersion :Text, kernelRelease :Text, bootNs :UInt64);
  # The first call of a session. Sets the guest's clock (CLOCK_REALTIME, nanoseconds since the epoch).
  # bootNs: the guest's CLOCK_BOOTTIME when the agent was ready, for the trace.

  createContainer @1 (id :Text, container :Common.Container) -> (error :Common.Error, guestPid :UInt32);
  # Makes the namespaces, cgroup and mounts and prepares the process up to its execve, the look-up of the
  # executable included. Shares are mounted at /run/runvm/shared/<id>/<share>. Errors: already_exists,
  # command_not_found, command_not_executable, invalid_argument, system; nothing is left half-made.

  startContainer @2 (id :Text, limitMs :UInt32) -> (error :Common.Error);
  # Lets the prepared process go on to its execve. wrong_state if it was started before, process_finished if it has ended;
  # the error of execve; timeout if that is not reached after limitMs: the process is killed then.

  exec @3 (id :Text, execId :Text, process :Common.Process, cgroup :Text)
      -> (error :Common.Error, guestPid :UInt32);
  # Starts one more process in the container's namespaces. It runs when this returns. execId: not empty, unique
  # in the container. cgroup: a path below the container's cgroup, empty for the container's own.

  wait @4 (id :Text, execId :Text) -> (error :Common.Error, status :Common.ExitStatus);
  # Returns when the process (execId empty: the container's own) has ended. For the container's own process all
  # other processes of its pid namespace have been killed and its mounts taken down by then, so all its writes
  # are on the host. May be called again after it has returned, until deleteContainer (or forgetProcess).

  signal @5 (id :Text, execId :Text, signal :Int32, all :Bool) -> (error :Common.Error);
  # all: every process of the container's cgroup. process_finished if it has ended. signal 0 only asks.

  resize @6 (id :Text, execId :Text, height :UInt16, width :UInt16) -> (error :Common.Error);
  # TIOCSWINSZ on the process's terminal.

  forgetProcess @7 (id :Text, execId :Text) -> (error :Common.Error);
  # Drops the record of an exec that has ended.

  deleteContainer @8 (id :Text) -> (error :Common.Error);
  # Kills what is left of it and removes cgroup and mounts. Success too when there is no such container.

  processes @9 (id :Text) -> (error :Common.Error, processes :List(Common.ProcessInfo), memoryBytes :UInt64);
  # Every process of the container, maxProcessInfos at most. memoryBytes: what the guest has in all.

  ping @10 () -> ();

  powerOff @11 () -> ();
  # Kills everything, unmounts, syncs and powers the machine off. The answer is sent before the power goes.

  setClock @12 (hostTimeNs :Int64) -> (error :Common.Error);
  # As hello does: the machine was suspended meanwhile.

  freeze @13 (id :Text, frozen :Bool) -> (error :Common.Error);
  # Stops all processes of the container, or lets them go on (cgroup.freeze). Returns when they have stopped: timeout
  # if one does not within 5 s, and then they all go on. SIGKILL ends them all the same. A process must not be put
  # into a frozen container: it would not be ready before that goes on.

  readCgroup @14 (id :Text, names :List(Text)) -> (error :Common.Error, contents :List(Text));
  # The contents of these files of the container's cgroup, 64 KiB at most of each; empty for one that is not there.

  awaitOomKill @15 (id :Text, seen :UInt64) -> (error :Common.Error, kills :UInt64);
  # Returns when the kernel has killed more than `seen` processes of the container for want of memory, with their number;
  # process_finished when the container has ended.

  updateContainer @16 (id :Text, resources :Common.Resources) -> (error :Common.Error);
  # Writes these files of its cgroup; device rules stay. A memory limit below what is used and cannot be reclaimed is
  # refused (EBUSY) before anything is written: the kernel would kill the container's processes.

  grow @17 (vcpus :UInt32, memoryMib :UInt64, limitMs :UInt32) -> (error :Common.Error);
  # The machine has been given so many cpus, and so much memory on top of what it booted with: returns when they can be
  # used, or with timeout after limitMs.

  awaitFileWatches @18 (all :Bool) -> (error :Common.Error, added :List(FileWatch), removed :List(UInt32));
  # Returns when processes have begun or ceased to watch files of the host (inotify, fanotify), with what is new since the last
  # answer, or with all there are. At most maxFileWatches at a time, and maxFileWatches in an answer.

  tellFileEvents @19 (events :List(FileEvent)) -> (error :Common.Error);
  # What the host has done to them. Returns when the watching processes have been told.

  setNetwork @20 (network :Common.Network, limitMs :UInt32) -> (error :Common.Error);
  # The guest's network is to be like this: only what differs from the call before is changed, so that what a container
  # has configured itself stays. Waits for NICs that are being plugged; timeout after limitMs. Returns when it is so.

  nextNameQueries @21 () -> (error :Common.Error, queries :List(NameQuery));
  # Returns when processes have asked for names at 127.0.0.11 (setNetwork with hasResolver), with at least one query and at most
  # maxNameQueries.

  answerNameQuery @22 (id :UInt32, message :Data) -> (error :Common.Error);
  # The resolver's answer; empty: there is none. One that comes too late is dropped.
}

const maxFileWatches :UInt32 = 8192;
const maxFileEvents :UInt32 = 256; # in a call
const maxNameQueries :UInt32 = 16; # in an answer

struct FileWatch {
  id @0 :UInt32;               # of a session, never used again
  path @1 :Data;               # below SharedFolder::path: "<container>/<share>" and more
}

struct FileEvent {
  watch @0 :UInt32;
  mask @1 :UInt32;             # IN_* bits of inotify(7), one kind of event, perhaps with IN_ISDIR
  name @2 :Data;               # the entry of a watched folder that it is about; empty: the watched file itself
}

struct NameQuery {
  id @0 :UInt32;
  overTcp @1 :Bool;            # how it was asked, and is to be asked on the host: an answer over UDP may be cut short
  message @2 :Data;            # RFC 1035, without the length that goes before it over TCP; 64 KiB at most
}
