# SPDX-License-Identifier: MIT
# bash completion for thimble-device(8). Options are what `thimble-device --help` lists.

_thimble_device() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    case $before in
    --flash | --bundle | --out | --trust | --console) mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
    --geometry) mapfile -t COMPREPLY < <(compgen -W "chip lx106" -- "$word") ;;
    --board) mapfile -t COMPREPLY < <(compgen -W "wifi= gpio= pull= spi= adc= mux= sysfs= pins= reset= clock= counter= dns=" -- "$word") ;;
    --tls) mapfile -t COMPREPLY < <(compgen -W "openssl bearssl" -- "$word") ;;
    *) mapfile -t COMPREPLY < <(compgen -W "$(thimble-device --help 2>/dev/null |
        grep -oE '^ +--[a-z-]+|, --[a-z-]+' | tr -d ' ,')" -- "$word") ;;
    esac
}

complete -F _thimble_device thimble-device
