# bash completion for runvm
# Made by runvm-docgen from src/cli/flags.cpp: change that, then build the target "docs".

__runvm_words() {
    mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur")
}

__runvm_files() {
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen "$1" -- "$cur")
}

__runvm_ids() {
    __runvm_words "$(runvm ${root:+--root "$root"} list -q 2>/dev/null)"
}

_runvm() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command='' root='' position=0 i
    COMPREPLY=()
    # bash splits --flag=value at the '='
    if [[ $cur == = ]]; then
        cur=''
    elif [[ $prev == = && $COMP_CWORD -ge 2 ]]; then
        prev=${COMP_WORDS[COMP_CWORD - 2]}
    fi

    for ((i = 1; i < COMP_CWORD; i++)); do
        [[ ${COMP_WORDS[i]} == = ]] && ((i++)) && continue
        case $command:${COMP_WORDS[i]} in
            :--root)
                root=${COMP_WORDS[i + 1]}
                [[ $root == = ]] && root=${COMP_WORDS[i + 2]}
                ;;&
            :--log | :--log-format | :--root | :--config | :--rootless | :--criu | :--cgroup-manager)
                [[ ${COMP_WORDS[i + 1]} == = ]] || ((i++))
                ;;
            create:--bundle | create:-b | create:--console-socket | create:--pidfd-socket | create:--pid-file | create:--preserve-fds)
                [[ ${COMP_WORDS[i + 1]} == = ]] || ((i++))
                ;;
            events:--interval)
                [[ ${COMP_WORDS[i + 1]} == = ]] || ((i++))
                ;;
            exec:--console-socket | exec:--pidfd-socket | exec:--cwd | exec:--env | exec:-e | exec:--user | exec:-u | exec:--additional-gids | exec:-g | exec:--process | exec:-p | exec:--pid-file | exec:--process-label | exec:--apparmor | exec:--cap | exec:-c | exec:--preserve-fds | exec:--cgroup)
                [[ ${COMP_WORDS[i + 1]} == = ]] || ((i++))
                ;;
            list:--format | list:-f)
                [[ ${COMP_WORDS[i + 1]} == = ]] || ((i++))
                ;;
            ps:--format | ps:-f)
                [[ ${COMP_WORDS[i + 1]} == = ]] || ((i++))
                ;;
            run:--bundle | run:-b | run:--console-socket | run:--pidfd-socket | run:--pid-file | run:--preserve-fds)
                [[ ${COMP_WORDS[i + 1]} == = ]] || ((i++))
                ;;
            spec:--bundle | spec:-b)
                [[ ${COMP_WORDS[i + 1]} == = ]] || ((i++))
                ;;
            update:--resources | update:-r | update:--blkio-weight | update:--cpu-period | update:--cpu-quota | update:--cpu-burst | update:--cpu-share | update:--cpu-rt-period | update:--cpu-rt-runtime | update:--cpuset-cpus | update:--cpuset-mems | update:--kernel-memory | update:--kernel-memory-tcp | update:--memory | update:--cpu-idle | update:--memory-reservation | update:--memory-swap | update:--pids-limit | update:--l3-cache-schema | update:--mem-bw-schema)
                [[ ${COMP_WORDS[i + 1]} == = ]] || ((i++))
                ;;
            *:-*) ;;
            :*) command=${COMP_WORDS[i]} ;;
            *) ((position++)) ;;
        esac
    done

    case $command in
        '')
            case $prev in
                --log) __runvm_files -f; return ;;
                --log-format) __runvm_words "text json"; return ;;
                --root) __runvm_files -d; return ;;
                --config) __runvm_files -f; return ;;
                --rootless) __runvm_words "true false auto"; return ;;
            esac
            if [[ $cur == -* ]]; then
                __runvm_words "--debug --log --log-format --root --config --systemd-cgroup --rootless --help -h --version -v"
            else
                __runvm_words "help check create delete events exec features kill list pause ps resume run spec start state store-move update"
            fi
            ;;
        check)
            if [[ $cur == -* ]]; then
                __runvm_words "--json --help -h"
            fi
            ;;
        create)
            case $prev in
                --bundle | -b) __runvm_files -d; return ;;
                --console-socket) __runvm_files -f; return ;;
                --pidfd-socket) __runvm_files -f; return ;;
                --pid-file) __runvm_files -f; return ;;
                --preserve-fds) return ;;
            esac
            if [[ $cur == -* ]]; then
                __runvm_words "--bundle -b --console-socket --pidfd-socket --pid-file --no-pivot --no-new-keyring --preserve-fds --help -h"
            fi
            ;;
        delete)
            if [[ $cur == -* ]]; then
                __runvm_words "--force -f --help -h"
            elif ((position == 0)); then
                __runvm_ids
            fi
            ;;
        events)
            case $prev in
                --interval) return ;;
            esac
            if [[ $cur == -* ]]; then
                __runvm_words "--interval --stats --help -h"
            elif ((position == 0)); then
                __runvm_ids
            fi
            ;;
        exec)
            if ((position > 0)); then
                __runvm_files -f
                return
            fi
            case $prev in
                --console-socket) __runvm_files -f; return ;;
                --pidfd-socket) __runvm_files -f; return ;;
                --cwd) return ;;
                --env | -e) return ;;
                --user | -u) return ;;
                --additional-gids | -g) return ;;
                --process | -p) __runvm_files -f; return ;;
                --pid-file) __runvm_files -f; return ;;
                --process-label) return ;;
                --apparmor) return ;;
                --cap | -c) return ;;
                --preserve-fds) return ;;
                --cgroup) return ;;
            esac
            if [[ $cur == -* ]]; then
                __runvm_words "--console-socket --pidfd-socket --cwd --env -e --tty -t --user -u --additional-gids -g --process -p --detach -d --pid-file --process-label --apparmor --no-new-privs --cap -c --preserve-fds --cgroup --ignore-paused --help -h"
            elif ((position == 0)); then
                __runvm_ids
            fi
            ;;
        features)
            if [[ $cur == -* ]]; then
                __runvm_words "--help -h"
            fi
            ;;
        kill)
            if [[ $cur == -* ]]; then
                __runvm_words "--all -a --help -h"
            elif ((position == 0)); then
                __runvm_ids
            elif ((position == 1)); then
                __runvm_words "HUP INT QUIT ABRT KILL USR1 USR2 TERM CONT STOP TSTP WINCH"
            fi
            ;;
        list)
            case $prev in
                --format | -f) __runvm_words "table json"; return ;;
            esac
            if [[ $cur == -* ]]; then
                __runvm_words "--format -f --quiet -q --help -h"
            fi
            ;;
        pause)
            if [[ $cur == -* ]]; then
                __runvm_words "--help -h"
            elif ((position == 0)); then
                __runvm_ids
            fi
            ;;
        ps)
            if ((position > 0)); then
                __runvm_files -f
                return
            fi
            case $prev in
                --format | -f) __runvm_words "table json"; return ;;
            esac
            if [[ $cur == -* ]]; then
                __runvm_words "--format -f --help -h"
            elif ((position == 0)); then
                __runvm_ids
            fi
            ;;
        resume)
            if [[ $cur == -* ]]; then
                __runvm_words "--help -h"
            elif ((position == 0)); then
                __runvm_ids
            fi
            ;;
        run)
            case $prev in
                --bundle | -b) __runvm_files -d; return ;;
                --console-socket) __runvm_files -f; return ;;
                --pidfd-socket) __runvm_files -f; return ;;
                --pid-file) __runvm_files -f; return ;;
                --preserve-fds) return ;;
            esac
            if [[ $cur == -* ]]; then
                __runvm_words "--bundle -b --console-socket --pidfd-socket --detach -d --keep --pid-file --no-subreaper --no-pivot --no-new-keyring --preserve-fds --help -h"
            fi
            ;;
        spec)
            case $prev in
                --bundle | -b) __runvm_files -d; return ;;
            esac
            if [[ $cur == -* ]]; then
                __runvm_words "--bundle -b --rootless --help -h"
            fi
            ;;
        start)
            if [[ $cur == -* ]]; then
                __runvm_words "--help -h"
            elif ((position == 0)); then
                __runvm_ids
            fi
            ;;
        state)
            if [[ $cur == -* ]]; then
                __runvm_words "--help -h"
            elif ((position == 0)); then
                __runvm_ids
            fi
            ;;
        store-move)
            if [[ $cur == -* ]]; then
                __runvm_words "--help -h"
            fi
            ;;
        update)
            case $prev in
                --resources | -r) __runvm_files -f; return ;;
                --blkio-weight) return ;;
                --cpu-period) return ;;
                --cpu-quota) return ;;
                --cpu-burst) return ;;
                --cpu-share) return ;;
                --cpu-rt-period) return ;;
                --cpu-rt-runtime) return ;;
                --cpuset-cpus) return ;;
                --cpuset-mems) return ;;
                --memory) return ;;
                --cpu-idle) return ;;
                --memory-reservation) return ;;
                --memory-swap) return ;;
                --pids-limit) return ;;
                --l3-cache-schema) return ;;
                --mem-bw-schema) return ;;
            esac
            if [[ $cur == -* ]]; then
                __runvm_words "--resources -r --blkio-weight --cpu-period --cpu-quota --cpu-burst --cpu-share --cpu-rt-period --cpu-rt-runtime --cpuset-cpus --cpuset-mems --memory --cpu-idle --memory-reservation --memory-swap --pids-limit --l3-cache-schema --mem-bw-schema --help -h"
            elif ((position == 0)); then
                __runvm_ids
            fi
            ;;
        help | h) __runvm_words "help check create delete events exec features kill list pause ps resume run spec start state store-move update" ;;
    esac
}

complete -F _runvm runvm
