# Completion of musterctl for bash: commands, and the pools of the running service.
_musterctl() {
    local current=${COMP_WORDS[COMP_CWORD]} words i command='' socket=()
    for ((i = 1; i < COMP_CWORD; ++i)); do
        case ${COMP_WORDS[i]} in
            -s | --socket) socket=(-s "${COMP_WORDS[++i]}") ;;
            -*) ;;
            *) [ -n "$command" ] || command=${COMP_WORDS[i]} ;;
        esac
    done
    case $command in
        '') words='status workers reload restart scale drain resume trace logs upgrade check --socket --json --help --version' ;;
        workers | reload | restart | scale | drain | resume)
            words=$(musterctl "${socket[@]}" status 2>/dev/null | awk 'NR > 3 { print $1 }')
            ;;
        trace)
            words=$(musterctl "${socket[@]}" status 2>/dev/null | awk 'NR > 3 { print $1 }' |
                while read -r pool; do musterctl "${socket[@]}" workers "$pool" 2>/dev/null; done |
                awk '$1 ~ /^[0-9]+$/ { print $1 }')
            ;;
        logs) words=reopen ;;
        status) words='--watch --json' ;;
        *) words='' ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -F _musterctl musterctl
