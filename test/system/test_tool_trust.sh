# SPDX-License-Identifier: MIT
# thimble trust: update keys and the bundles they sign, judged by openssl (I6, O16).
. "$THIMBLE_SOURCE/test/system/tool.sh"
home=$THIMBLE_HOME
update=$home/update
"$thimble" ca init --name Garden >/dev/null || exit 1
echo 'correct horse' >"$scratch/pass"
echo 'wrong horse' >"$scratch/wrong"

check "a key is made" "$thimble" trust keygen
check "its private half is for its owner alone" test "$(stat -c %a "$update/main.key")" = 600
check "openssl reads it as a P-256 key" sh -c "openssl pkey -in $update/main.key -noout -text | grep -q prime256v1"
check "the public half is its" test "$(openssl pkey -in "$update/main.key" -pubout)" = \
    "$(openssl pkey -pubin -in "$update/main.pub")"
check "a second one of that name is refused" refused 5 "exists already" "$thimble" trust keygen
check "and the first is as it was" test "$(openssl pkey -in "$update/main.key" -pubout)" = \
    "$(openssl pkey -pubin -in "$update/main.pub")"
check "a bad name is refused" refused 3 "no name for a key" "$thimble" trust keygen ../out
check "so is something that cannot be signed" refused 2 "trust, firmware and coproc" \
    "$thimble" trust keygen x --for trust,fimware
check "a key can be encrypted" sh -c \
    "$thimble trust keygen next --for trust,firmware --pass-file $scratch/pass --json >$scratch/next.json"
check "which opens with its pass phrase alone" sh -c \
    "openssl pkey -in $update/next.key -passin file:$scratch/pass -noout &&
     ! openssl pkey -in $update/next.key -passin file:$scratch/wrong -noout"
check "what it may sign is told" json "$scratch/next.json" "d ->> '\$.signs' = 'trust,firmware'"
check "without a terminal or a file there is no pass phrase" refused 2 "no terminal" sh -c \
    "$thimble trust keygen third --encrypt </dev/null"
finish
