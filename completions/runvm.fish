# fish completion for runvm
# Made by runvm-docgen from src/cli/flags.cpp: change that, then build the target "docs".

function __runvm_ids
    set -l words (commandline -opc)
    set -l root
    if set -l at (contains -i -- --root $words)
        set root --root $words[(math $at + 1)]
    end
    runvm $root list -q 2>/dev/null
end

complete -c runvm -f
complete -c runvm -n 'not __fish_seen_subcommand_from check create delete events exec features kill list pause ps resume run spec start state store-move update help' -a check -d 'tell what this machine can do, and what to do about what it cannot'
complete -c runvm -n 'not __fish_seen_subcommand_from check create delete events exec features kill list pause ps resume run spec start state store-move update help' -a create -d 'create a container'
complete -c runvm -n 'not __fish_seen_subcommand_from check create delete events exec features kill list pause ps resume run spec start state store-move update help' -a delete -d 'delete what is left of a container'
complete -c runvm -n 'not __fish_seen_subcommand_from check create delete events exec features kill list pause ps resume run spec start state store-move update help' -a events -d 'print a container\'s figures and events as JSON'
complete -c runvm -n 'not __fish_seen_subcommand_from check create delete events exec features kill list pause ps resume run spec start state store-move update help' -a exec -d 'run another process in a container'
complete -c runvm -n 'not __fish_seen_subcommand_from check create delete events exec features kill list pause ps resume run spec start state store-move update help' -a features -d 'show what runvm supports, as JSON'
complete -c runvm -n 'not __fish_seen_subcommand_from check create delete events exec features kill list pause ps resume run spec start state store-move update help' -a kill -d 'send a signal to a container\'s process'
complete -c runvm -n 'not __fish_seen_subcommand_from check create delete events exec features kill list pause ps resume run spec start state store-move update help' -a list -d 'list the containers below --root'
complete -c runvm -n 'not __fish_seen_subcommand_from check create delete events exec features kill list pause ps resume run spec start state store-move update help' -a pause -d 'stop all processes of a container'
complete -c runvm -n 'not __fish_seen_subcommand_from check create delete events exec features kill list pause ps resume run spec start state store-move update help' -a ps -d 'list the processes of a container'
complete -c runvm -n 'not __fish_seen_subcommand_from check create delete events exec features kill list pause ps resume run spec start state store-move update help' -a resume -d 'let the processes of a paused container go on'
complete -c runvm -n 'not __fish_seen_subcommand_from check create delete events exec features kill list pause ps resume run spec start state store-move update help' -a run -d 'create and start a container'
complete -c runvm -n 'not __fish_seen_subcommand_from check create delete events exec features kill list pause ps resume run spec start state store-move update help' -a spec -d 'write a specification file to start from'
complete -c runvm -n 'not __fish_seen_subcommand_from check create delete events exec features kill list pause ps resume run spec start state store-move update help' -a start -d 'run the process of a created container'
complete -c runvm -n 'not __fish_seen_subcommand_from check create delete events exec features kill list pause ps resume run spec start state store-move update help' -a state -d 'print a container\'s state as JSON'
complete -c runvm -n 'not __fish_seen_subcommand_from check create delete events exec features kill list pause ps resume run spec start state store-move update help' -a store-move -d 'move the containers\' states into another store'
complete -c runvm -n 'not __fish_seen_subcommand_from check create delete events exec features kill list pause ps resume run spec start state store-move update help' -a update -d 'change the limits of a container'
complete -c runvm -n 'not __fish_seen_subcommand_from check create delete events exec features kill list pause ps resume run spec start state store-move update help' -a help -d 'show help'
complete -c runvm -n 'not __fish_seen_subcommand_from check create delete events exec features kill list pause ps resume run spec start state store-move update help' -l debug -d 'write debug messages to the log'
complete -c runvm -n 'not __fish_seen_subcommand_from check create delete events exec features kill list pause ps resume run spec start state store-move update help' -l log -r -F -d 'file that the log is added to; stderr if not given'
complete -c runvm -n 'not __fish_seen_subcommand_from check create delete events exec features kill list pause ps resume run spec start state store-move update help' -l log-format -x -a 'text json' -d 'the log\'s format: text or json'
complete -c runvm -n 'not __fish_seen_subcommand_from check create delete events exec features kill list pause ps resume run spec start state store-move update help' -l root -x -a '(__fish_complete_directories)' -d 'folder of the containers\' state, best on a tmpfs'
complete -c runvm -n 'not __fish_seen_subcommand_from check create delete events exec features kill list pause ps resume run spec start state store-move update help' -l config -r -F -d 'configuration file; etc/runvm/config.toml of the installation if not given'
complete -c runvm -n 'not __fish_seen_subcommand_from check create delete events exec features kill list pause ps resume run spec start state store-move update help' -l systemd-cgroup -d 'take cgroupsPath in systemd\'s form, "slice:prefix:name"'
complete -c runvm -n 'not __fish_seen_subcommand_from check create delete events exec features kill list pause ps resume run spec start state store-move update help' -l rootless -x -a 'true false auto' -d 'ignore cgroup permission errors: true, false or auto'
complete -c runvm -n 'not __fish_seen_subcommand_from check create delete events exec features kill list pause ps resume run spec start state store-move update help' -l help -s h -d 'show help'
complete -c runvm -n 'not __fish_seen_subcommand_from check create delete events exec features kill list pause ps resume run spec start state store-move update help' -l version -s v -d 'print the version'

complete -c runvm -n '__fish_seen_subcommand_from check' -l json -d 'print the findings as a JSON array'
complete -c runvm -n '__fish_seen_subcommand_from check' -l help -s h -d 'show help'

complete -c runvm -n '__fish_seen_subcommand_from create' -l bundle -s b -x -a '(__fish_complete_directories)' -d 'the bundle\'s folder; the current folder if not given'
complete -c runvm -n '__fish_seen_subcommand_from create' -l console-socket -r -F -d 'unix socket that receives the descriptor of the console\'s pseudoterminal master'
complete -c runvm -n '__fish_seen_subcommand_from create' -l pidfd-socket -r -F -d 'unix socket that receives a pidfd of the process'
complete -c runvm -n '__fish_seen_subcommand_from create' -l pid-file -r -F -d 'file that receives the process\'s pid on the host'
complete -c runvm -n '__fish_seen_subcommand_from create' -l no-pivot -d 'accepted for runc\'s callers; the guest\'s root is never a ramdisk\'s'
complete -c runvm -n '__fish_seen_subcommand_from create' -l no-new-keyring -d 'do not give the container a session keyring of its own'
complete -c runvm -n '__fish_seen_subcommand_from create' -l preserve-fds -x -d 'pass N more descriptors on, from 3 upwards; they must be pipes or sockets'
complete -c runvm -n '__fish_seen_subcommand_from create' -l help -s h -d 'show help'

complete -c runvm -n '__fish_seen_subcommand_from delete' -l force -s f -d 'end a container that still runs; a container that does not exist is no error'
complete -c runvm -n '__fish_seen_subcommand_from delete' -l help -s h -d 'show help'
complete -c runvm -n '__fish_seen_subcommand_from delete' -a '(__runvm_ids)'

complete -c runvm -n '__fish_seen_subcommand_from events' -l interval -x -d 'the time between figures: 5s, 500ms, 1m30s'
complete -c runvm -n '__fish_seen_subcommand_from events' -l stats -d 'print the figures once, and end'
complete -c runvm -n '__fish_seen_subcommand_from events' -l help -s h -d 'show help'
complete -c runvm -n '__fish_seen_subcommand_from events' -a '(__runvm_ids)'

complete -c runvm -n '__fish_seen_subcommand_from exec' -l console-socket -r -F -d 'unix socket that receives the descriptor of the console\'s pseudoterminal master'
complete -c runvm -n '__fish_seen_subcommand_from exec' -l pidfd-socket -r -F -d 'unix socket that receives a pidfd of the process'
complete -c runvm -n '__fish_seen_subcommand_from exec' -l cwd -x -d 'the process\'s working folder in the container'
complete -c runvm -n '__fish_seen_subcommand_from exec' -l env -s e -x -d 'set an environment variable'
complete -c runvm -n '__fish_seen_subcommand_from exec' -l tty -s t -d 'give the process a terminal'
complete -c runvm -n '__fish_seen_subcommand_from exec' -l user -s u -x -d 'the process\'s user, and group: numbers, or names that the container\'s /etc/passwd and /etc/group have'
complete -c runvm -n '__fish_seen_subcommand_from exec' -l additional-gids -s g -x -d 'add a supplementary group'
complete -c runvm -n '__fish_seen_subcommand_from exec' -l process -s p -r -F -d 'take the process from a file in the shape of config.json\'s "process"'
complete -c runvm -n '__fish_seen_subcommand_from exec' -l detach -s d -d 'return when the process runs, and leave it running'
complete -c runvm -n '__fish_seen_subcommand_from exec' -l pid-file -r -F -d 'file that receives the process\'s pid on the host'
complete -c runvm -n '__fish_seen_subcommand_from exec' -l process-label -x -d 'accepted for runc\'s callers: SELinux does not reach into the guest'
complete -c runvm -n '__fish_seen_subcommand_from exec' -l apparmor -x -d 'accepted for runc\'s callers: AppArmor does not reach into the guest'
complete -c runvm -n '__fish_seen_subcommand_from exec' -l no-new-privs -d 'set the process\'s no_new_privs attribute'
complete -c runvm -n '__fish_seen_subcommand_from exec' -l cap -s c -x -d 'add a capability to the process'
complete -c runvm -n '__fish_seen_subcommand_from exec' -l preserve-fds -x -d 'pass N more descriptors on, from 3 upwards; they must be pipes or sockets'
complete -c runvm -n '__fish_seen_subcommand_from exec' -l cgroup -x -d 'put the process into an existing cgroup below the container\'s'
complete -c runvm -n '__fish_seen_subcommand_from exec' -l ignore-paused -d 'in a paused container, wait for its resume instead of failing'
complete -c runvm -n '__fish_seen_subcommand_from exec' -l help -s h -d 'show help'
complete -c runvm -n '__fish_seen_subcommand_from exec' -a '(__runvm_ids)'

complete -c runvm -n '__fish_seen_subcommand_from features' -l help -s h -d 'show help'

complete -c runvm -n '__fish_seen_subcommand_from kill' -l all -s a -d 'send the signal to all of the container\'s processes'
complete -c runvm -n '__fish_seen_subcommand_from kill' -l help -s h -d 'show help'
complete -c runvm -n '__fish_seen_subcommand_from kill' -a '(__runvm_ids)'
complete -c runvm -n '__fish_seen_subcommand_from kill' -a 'HUP INT QUIT ABRT KILL USR1 USR2 TERM CONT STOP TSTP WINCH'

complete -c runvm -n '__fish_seen_subcommand_from list' -l format -s f -x -a 'table json' -d 'table or json'
complete -c runvm -n '__fish_seen_subcommand_from list' -l quiet -s q -d 'print the ids only'
complete -c runvm -n '__fish_seen_subcommand_from list' -l help -s h -d 'show help'

complete -c runvm -n '__fish_seen_subcommand_from pause' -l help -s h -d 'show help'
complete -c runvm -n '__fish_seen_subcommand_from pause' -a '(__runvm_ids)'

complete -c runvm -n '__fish_seen_subcommand_from ps' -l format -s f -x -a 'table json' -d 'table or json'
complete -c runvm -n '__fish_seen_subcommand_from ps' -l help -s h -d 'show help'
complete -c runvm -n '__fish_seen_subcommand_from ps' -a '(__runvm_ids)'

complete -c runvm -n '__fish_seen_subcommand_from resume' -l help -s h -d 'show help'
complete -c runvm -n '__fish_seen_subcommand_from resume' -a '(__runvm_ids)'

complete -c runvm -n '__fish_seen_subcommand_from run' -l bundle -s b -x -a '(__fish_complete_directories)' -d 'the bundle\'s folder; the current folder if not given'
complete -c runvm -n '__fish_seen_subcommand_from run' -l console-socket -r -F -d 'unix socket that receives the descriptor of the console\'s pseudoterminal master'
complete -c runvm -n '__fish_seen_subcommand_from run' -l pidfd-socket -r -F -d 'unix socket that receives a pidfd of the process'
complete -c runvm -n '__fish_seen_subcommand_from run' -l detach -s d -d 'return when the process runs, and leave it running'
complete -c runvm -n '__fish_seen_subcommand_from run' -l keep -d 'do not delete the container when it has ended'
complete -c runvm -n '__fish_seen_subcommand_from run' -l pid-file -r -F -d 'file that receives the process\'s pid on the host'
complete -c runvm -n '__fish_seen_subcommand_from run' -l no-subreaper -d 'accepted for runc\'s callers; runvm adopts no processes'
complete -c runvm -n '__fish_seen_subcommand_from run' -l no-pivot -d 'accepted for runc\'s callers; the guest\'s root is never a ramdisk\'s'
complete -c runvm -n '__fish_seen_subcommand_from run' -l no-new-keyring -d 'do not give the container a session keyring of its own'
complete -c runvm -n '__fish_seen_subcommand_from run' -l preserve-fds -x -d 'pass N more descriptors on, from 3 upwards; they must be pipes or sockets'
complete -c runvm -n '__fish_seen_subcommand_from run' -l help -s h -d 'show help'

complete -c runvm -n '__fish_seen_subcommand_from spec' -l bundle -s b -x -a '(__fish_complete_directories)' -d 'folder to write config.json to; the current folder if not given'
complete -c runvm -n '__fish_seen_subcommand_from spec' -l rootless -d 'write a specification for a user who is not root'
complete -c runvm -n '__fish_seen_subcommand_from spec' -l help -s h -d 'show help'

complete -c runvm -n '__fish_seen_subcommand_from start' -l help -s h -d 'show help'
complete -c runvm -n '__fish_seen_subcommand_from start' -a '(__runvm_ids)'

complete -c runvm -n '__fish_seen_subcommand_from state' -l help -s h -d 'show help'
complete -c runvm -n '__fish_seen_subcommand_from state' -a '(__runvm_ids)'

complete -c runvm -n '__fish_seen_subcommand_from store-move' -l help -s h -d 'show help'

complete -c runvm -n '__fish_seen_subcommand_from update' -l resources -s r -r -F -d 'file with the new limits as JSON; - is standard input'
complete -c runvm -n '__fish_seen_subcommand_from update' -l blkio-weight -x -d 'weight of the guest\'s block devices\' input and output, 10 to 1000'
complete -c runvm -n '__fish_seen_subcommand_from update' -l cpu-period -x -d 'the period of the cpu limit, in microseconds'
complete -c runvm -n '__fish_seen_subcommand_from update' -l cpu-quota -x -d 'the cpu time of all processes in a period, in microseconds'
complete -c runvm -n '__fish_seen_subcommand_from update' -l cpu-burst -x -d 'cpu time that may be saved up and used beyond the quota, in microseconds'
complete -c runvm -n '__fish_seen_subcommand_from update' -l cpu-share -x -d 'cpu shares, relative to other containers in the same machine'
complete -c runvm -n '__fish_seen_subcommand_from update' -l cpu-rt-period -x -d 'accepted for runc\'s callers: cgroup v2 has no realtime limits'
complete -c runvm -n '__fish_seen_subcommand_from update' -l cpu-rt-runtime -x -d 'accepted for runc\'s callers: cgroup v2 has no realtime limits'
complete -c runvm -n '__fish_seen_subcommand_from update' -l cpuset-cpus -x -d 'the guest\'s cpus to use: 0-1,3'
complete -c runvm -n '__fish_seen_subcommand_from update' -l cpuset-mems -x -d 'the guest\'s memory nodes to use'
complete -c runvm -n '__fish_seen_subcommand_from update' -l memory -x -d 'memory limit: bytes, or 512m, 2g; -1: none'
complete -c runvm -n '__fish_seen_subcommand_from update' -l cpu-idle -x -d '1: run only when nothing else in the machine does'
complete -c runvm -n '__fish_seen_subcommand_from update' -l memory-reservation -x -d 'memory that is not reclaimed while there is other'
complete -c runvm -n '__fish_seen_subcommand_from update' -l memory-swap -x -d 'limit of memory and swap together; -1: none'
complete -c runvm -n '__fish_seen_subcommand_from update' -l pids-limit -x -d 'the most processes and threads; -1: no limit'
complete -c runvm -n '__fish_seen_subcommand_from update' -l l3-cache-schema -x -d 'refused: Intel RDT divides the host\'s caches'
complete -c runvm -n '__fish_seen_subcommand_from update' -l mem-bw-schema -x -d 'refused: Intel RDT divides the host\'s memory bandwidth'
complete -c runvm -n '__fish_seen_subcommand_from update' -l help -s h -d 'show help'
complete -c runvm -n '__fish_seen_subcommand_from update' -a '(__runvm_ids)'
