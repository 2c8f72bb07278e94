# SPDX-License-Identifier: MIT
# What the tests of the host command share: a scratch directory, one line a check, children ended by
# their process id. Source it; end with `finish`.
set -u
thimble=$THIMBLE_BUILD/tool/thimble
scratch=$(mktemp -d)
export THIMBLE_HOME=$scratch/home
export NO_COLOR=1
children=()
checks=0
failures=0

cleanup() {
    local pid
    for pid in ${children[@]+"${children[@]}"}; do
        kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
    done
    rm -rf "$scratch"
}
trap cleanup EXIT

# check "sentence" command...: the command must succeed.
check() {
    local sentence=$1
    shift
    checks=$((checks + 1))
    if "$@" >"$scratch/check.out" 2>&1; then
        echo "ok   $sentence"
    else
        echo "FAIL $sentence"
        sed 's/^/       /' "$scratch/check.out"
        failures=$((failures + 1))
    fi
}

# refused CODE "pattern" command...: it must end with that code, say that on stderr and name a next step.
refused() {
    local code=$1 pattern=$2 got
    shift 2
    "$@" >"$scratch/refused.out" 2>"$scratch/refused.err"
    got=$?
    cat "$scratch/refused.err"
    [ "$got" = "$code" ] || { echo "exit code $got, not $code"; return 1; }
    grep -q -- "$pattern" "$scratch/refused.err" || { echo "no '$pattern'"; return 1; }
    grep -q '  next: ' "$scratch/refused.err" || { echo "no next step"; return 1; }
}

# One port that nobody listens on now.
free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# json FILE 'CONDITION over d': sqlite judges, as it reads JSON everywhere.
json() { [ "$(sqlite3 :memory: "select $2 from (select cast(readfile('$1') as text) as d)")" = 1 ]; }

listens() { python3 -c "import socket; socket.create_connection(('127.0.0.1', $1), 1)"; }
not() { ! "$@"; }

# wait_for SECONDS command...: until it succeeds.
wait_for() {
    local end=$(($(date +%s) + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$(date +%s)" -lt "$end" ] || return 1
        sleep 0.1
    done
}

finish() {
    echo "$checks checks, $failures failed"
    [ "$failures" = 0 ]
    exit
}
