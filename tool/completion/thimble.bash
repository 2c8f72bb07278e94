# SPDX-License-Identifier: MIT
# bash completion for thimble(1). Commands and flags are what `thimble ... --help` lists, so that
# they are never out of date; names are those of the state directory.

_thimble_names() { # names of devices and users in the state directory
    local home=${THIMBLE_HOME:-$HOME/.thimble} i
    for ((i = 1; i < COMP_CWORD; i++)); do
        [[ ${COMP_WORDS[i]} == --dir ]] && home=${COMP_WORDS[i + 1]}
    done
    [[ -d $home ]] && (cd "$home" && ls devices users 2>/dev/null | grep -v ':$')
}

_thimble_commands() { # of "", "ca", "broker" ...: the word behind "thimble [group]" in its list
    thimble ${1:+"$1"} --help 2>/dev/null | awk -v skip="${1:+3}" '
        $1 == "thimble" { print (skip ? $skip : $2) }'
}

_thimble_flags() {
    thimble "$@" --help 2>/dev/null | awk '
        /^  (-.|   ) ?/ { for (i = 1; i <= 2; i++) { sub(/,$/, "", $i); if ($i ~ /^-/) print $i } }'
}

_thimble() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    local -a command=("${COMP_WORDS[1]:-}")
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        mapfile -t COMPREPLY < <(compgen -W "$(_thimble_commands '') --help --version --exit-codes" -- "$word")
        return
    fi
    case ${command[0]} in
    ca | broker | config | device | user | trust | flash | profile)
        if ((COMP_CWORD == 2)); then
            mapfile -t COMPREPLY < <(compgen -W "$(_thimble_commands "${command[0]}") --help" -- "$word")
            return
        fi
        command+=("${COMP_WORDS[2]}")
        ;;
    esac
    if [[ ${command[*]} == "device run" ]]; then # all but its own is thimble-device's
        case $before in
        --attach | --flash | --bundle | --out | --trust) mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
        --geometry) mapfile -t COMPREPLY < <(compgen -W "chip lx106" -- "$word") ;;
        --tls) mapfile -t COMPREPLY < <(compgen -W "openssl bearssl" -- "$word") ;;
        *) mapfile -t COMPREPLY < <(compgen -W "--pins --attach $(thimble-device --help 2>/dev/null |
            grep -oE '^ +--[a-z-]+|, --[a-z-]+' | tr -d ' ,')" -- "$word") ;;
        esac
        return
    fi
    case $before in
    --as)
        if [[ ${command[*]} == "ca import" ]]; then
            mapfile -t COMPREPLY < <(compgen -W "device server" -- "$word")
        else
            mapfile -t COMPREPLY < <(compgen -W "$(_thimble_names)" -- "$word")
        fi
        ;;
    --level) mapfile -t COMPREPLY < <(compgen -W "error warn info debug" -- "$word") ;;
    on | off) mapfile -t COMPREPLY < <(compgen -W "1 2 3 4 5 6 7 8 all" -- "$word") ;;
    --role) mapfile -t COMPREPLY < <(compgen -W "viewer operator admin" -- "$word") ;;
    --tls-backend)
        [[ ${command[0]} == tls ]] && before=both || before=
        mapfile -t COMPREPLY < <(compgen -W "openssl bearssl $before" -- "$word")
        ;;
    -V | --protocol-version) mapfile -t COMPREPLY < <(compgen -W "5 311" -- "$word") ;;
    -q | --qos | --will-qos) mapfile -t COMPREPLY < <(compgen -W "0 1 2" -- "$word") ;;
    --mfl) mapfile -t COMPREPLY < <(compgen -W "512 1024 2048 4096" -- "$word") ;;
    -D | --property)
        mapfile -t COMPREPLY < <(compgen -W "connect will publish subscribe disconnect" -- "$word")
        ;;
    --dir) mapfile -t COMPREPLY < <(compgen -d -- "$word") ;;
    --mosquitto) mapfile -t COMPREPLY < <(compgen -W "2.0 2.1" -- "$word") ;;
    --cafile | --cert | --key | -f | --file | --password-file | --store | --passphrase-file | --request | --out | --trust | --manifest | --flash | --console | --broker-log | --csr | --birth-csr | --from | --to) mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
    rotate) mapfile -t COMPREPLY < <(compgen -W "server device idevid" -- "$word") ;;
    export) mapfile -t COMPREPLY < <(compgen -W "server device idevid crl" -- "$word") ;;
    backup | restore | import) mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
    *) mapfile -t COMPREPLY < <(compgen -W "$(_thimble_flags "${command[@]}")" -- "$word") ;;
    esac
}

complete -F _thimble thimble
