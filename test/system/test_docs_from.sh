# SPDX-License-Identifier: MIT
# The commands of docs/from-*.md, run as they stand there, each page in a home of its own. Their ports are
# exchanged for free ones, and what begins behind a broker waits until it is up.
. "$THIMBLE_SOURCE/test/system/tool.sh" || exit 1
unset THIMBLE_HOME
mkdir "$scratch/bin"
ln -s "$thimble" "$scratch/bin/thimble"
export PATH=$scratch/bin:$PATH

commands() { # of a page: its blocks of sh
    awk '/^```sh$/ { inside = 1; next } /^```$/ { inside = 0 } inside' "$1"
}
prepared() { # the same with other ports, and brokers that are waited for
    local text before
    text=$(commands "$1")
    for before in 8883 8884 8885 18883 18884 18885 1883; do
        text=$(sed -E "s/(^|[^0-9])$before([^0-9]|\$)/\1${port[$before]}\2/g" <<<"$text")
    done
    cat <<EOF
set -e -o pipefail
broker_init() { thimble broker init --port ${port[8883]} --user-port ${port[8884]} --recovery-port ${port[8885]} "\$@"; }
broker_up() {
    for i in \$(seq 100); do grep -q 'The broker is up' "\$1" && return; sleep 0.1; done
    cat "\$1"
    return 1
}
$(sed -E 's/^thimble broker init/broker_init/; s/^(thimble broker run.*) &$/n=$((n + 1)); \1 >broker.$n.log 2>\&1 \& pids="$pids $!"; broker_up broker.$n.log/' <<<"$text")
EOF
}
for page in "$THIMBLE_SOURCE"/docs/from-*.md; do
    name=$(basename "$page" .md)
    declare -A port=()
    for before in 8883 8884 8885 18883 18884 18885 1883; do port[$before]=$(free_port); done
    mkdir "$scratch/$name"
    prepared "$page" >"$scratch/$name.sh"
    # The trap ends the page's brokers, however it ended.
    check "$name has commands" grep -q "^thimble" "$scratch/$name.sh"
    check "and each of them works" env -C "$scratch/$name" HOME="$scratch/$name" timeout 60 bash -c \
        "pids=; trap 'kill \$pids; wait' EXIT; . '$scratch/$name.sh'"
    check "and what it links to is there" sh -c "cd '$THIMBLE_SOURCE/docs' && grep -o '](\([a-z-]*\.md\))' $name.md | tr -d '()]' |
        while read -r file; do [ -f \"\$file\" ] || { echo no \$file; exit 1; }; done"
done
finish
