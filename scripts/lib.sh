# SPDX-License-Identifier: MIT
# Shared by the scripts in this folder; sourced, never run.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$root/build
jobs=$(nproc)

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
    bold=$'\e[1m' green=$'\e[32m' red=$'\e[31m' plain=$'\e[0m'
else
    bold='' green='' red='' plain=''
fi

die() {
    echo "${red}$(basename "$0"): $*${plain}" >&2
    exit 1
}

# Configures (once) and builds a preset: preset NAME [TARGET...]
preset() {
    local name=$1
    shift
    cd "$root"
    [ -f "$build/$name/build.ninja" ] || cmake --preset "$name" || return 1
    cmake --build "$build/$name" --parallel "$jobs" ${1:+--target "$@"}
}
