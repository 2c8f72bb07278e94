# SPDX-License-Identifier: MIT
# What a kill, a full disk, a read-only one and a wrong clock leave behind: the old state or the new one,
# never half, and the same command again finishes. strace kills at one system call after another.
. "$THIMBLE_SOURCE/test/system/tool.sh" || exit 1
home=$THIMBLE_HOME
unset THIMBLE_PASSPHRASE THIMBLE_PASSPHRASE_FILE
mode=${THIMBLE_TEST_MODE:-ci}
seed=${THIMBLE_SEED:-$RANDOM}
echo "seed $seed (THIMBLE_SEED=$seed replays it)"
some=2 few=1 # places of each command in CI; all with --full, but where each takes seconds of key derivation
[ "$mode" = full ] && some=100000 few=10
# Sanitizers see little in a process that is killed: one place each is enough under them.
grep -q 'THIMBLE_SANITIZE:BOOL=ON' "$THIMBLE_BUILD/CMakeCache.txt" && some=1 few=0
points=$some
base=$scratch/base
sql() { sqlite3 "$home/registry.db" "$1"; }
is_whole() { [ "$(sql 'pragma integrity_check')" = ok ] && [ -z "$(sql 'pragma foreign_key_check')" ]; }
pair() { [ "$(openssl pkey -in "$1.key" -pubout 2>&1)" = "$(openssl x509 -in "$1.crt" -noout -pubkey)" ]; }
is_good() { # CERTIFICATE: the broker's files let it in
    openssl verify -crl_check -purpose sslclient -CAfile "$home/broker/clients-ca.crt" \
        -CRLfile "$home/broker/clients.crl" "$1"
}
is_listed() { is_good "$1" 2>&1 | grep -q "certificate revoked"; }
server_is_known() { # by who has DIR/ca.crt
    openssl verify -purpose sslserver -CAfile "$1/ca.crt" "$home/broker/server.crt"
}
again() { # CODE command...: it finishes, or was finished
    local code=$1 got
    shift
    "$@" >"$scratch/again.out" 2>&1
    got=$?
    [ "$got" = 0 ] || [ "$got" = "$code" ] || { cat "$scratch/again.out"; return 1; }
}
fresh() { rm -rf "$home"* && cp -a "$1" "$home"; }

# killed STATE WHOLE FINISH command...: from a copy of STATE ("" for nothing), kills the command at each
# chosen system call that changes something; then WHOLE must hold, and after FINISH the command is done.
calls=openat,write,pwrite64,fsync,fdatasync,rename,renameat2,link,unlink,mkdir,rmdir,ftruncate,fchmod,flock
killed() {
    local state=$1 whole=$2 finish=$3 call number
    shift 3
    rm -rf "$home"*
    [ -z "$state" ] || fresh "$state"
    ASAN_OPTIONS=detect_leaks=0 strace -f -qq -o "$scratch/trace" -e trace=$calls "$@" >"$scratch/out" 2>&1 || { cat "$scratch/out"; return 1; }
    # The n-th of each call; files that are only read, and what is said, change nothing.
    awk '{ sub(/^[0-9]+ +/, ""); call = $0; sub(/\(.*/, "", call); n[call]++ }
        call == "openat" && !/O_CREAT|O_RDWR|O_WRONLY/ { next }
        /^write\([12],/ { next }
        /^[a-z0-9]+\(/ { print call, n[call] }' "$scratch/trace" >"$scratch/points"
    [ "$(wc -l <"$scratch/points")" -gt 5 ] || { echo "too few calls"; return 1; }
    shuf -n "$points" --random-source=<(openssl enc -aes-128-ctr -pass "pass:$seed" -nosalt -pbkdf2 </dev/zero 2>/dev/null) \
        "$scratch/points" >"$scratch/chosen"
    while read -r call number; do
        rm -rf "$home"*
        [ -z "$state" ] || fresh "$state"
        { strace -f -qq -o /dev/null -e trace="$call" -e inject="$call:signal=KILL:when=$number" "$@"; } >/dev/null 2>&1
        "$whole" >"$scratch/whole.out" 2>&1 || { echo "not whole after $call $number"; cat "$scratch/whole.out"; return 1; }
        "$finish" >"$scratch/finish.out" 2>&1 || { echo "not finished after $call $number"; cat "$scratch/finish.out"; return 1; }
    done <"$scratch/chosen" 2>/dev/null
    echo "$(wc -l <"$scratch/chosen") of $(wc -l <"$scratch/points") places"
}
show_places() { sed -n 's/^[0-9]* of/       &/p' "$scratch/check.out"; }

# ---- ca init ----
init_whole() { [ ! -e "$home/registry.db" ] || "$thimble" ca show >/dev/null 2>&1 || refused 4 "" "$thimble" ca show; }
init_finish() {
    local ca
    again 5 "$thimble" ca init || return 1
    for ca in server device idevid; do
        pair "$home/ca/$ca" || return 1
        openssl x509 -in "$home/ca/$ca.crt" -outform DER -out "$scratch/ca.der"
        [ "$(sql "select count(*) from authority where kind = '$ca' and certificate = readfile('$scratch/ca.der')")" = 1 ] || return 1
    done
    is_whole
}
check "ca init" killed "" init_whole init_finish "$thimble" ca init
show_places

# ---- issuing and revoking ----
rm -rf "$home"
"$thimble" ca init --name Garden >/dev/null && "$thimble" broker init --no-proof >/dev/null 2>&1 &&
    "$thimble" device enrol old pump >/dev/null && "$thimble" user add alice >/dev/null && "$thimble" device revoke pump --lists-only >/dev/null || exit 1
cp -a "$home" "$base"
old_is_good() { is_good "$home/devices/old/device.crt" && is_listed "$home/devices/pump/device.crt" && server_is_known "$home/devices/old"; }
enrol_finish() {
    again 5 "$thimble" device enrol lamp && pair "$home/devices/lamp/device" && pair "$home/devices/lamp/birth" &&
        is_good "$home/devices/lamp/device.crt" && is_whole &&
        [ "$(sql "select count(*) from certificate where principal = 'lamp' and revoked_s is null")" = 2 ] && grep -qx "user lamp.birth" "$home/broker/acl"
}
check "device enrol" killed "$base" old_is_good enrol_finish "$thimble" device enrol lamp
show_places
person_finish() {
    again 5 "$thimble" user add bob --connections 2 --pkcs12 "$scratch/p12" && openssl pkcs12 -in "$home/users/bob/user.2.p12" \
        -passin "pass:a phrase" -nodes -out /dev/null && is_good "$home/users/bob/user.2.crt" && is_whole && grep -qx "user bob.2" "$home/broker/acl"
}
echo "a phrase" >"$scratch/p12"
check "user add" killed "$base" old_is_good person_finish "$thimble" user add bob --connections 2 --pkcs12 "$scratch/p12"
show_places
revoke_finish() { again 0 "$thimble" device revoke old --lists-only && is_listed "$home/devices/old/device.crt" && is_whole; }
lists_are_whole() { is_listed "$home/devices/pump/device.crt" && is_whole; }
check "device revoke" killed "$base" lists_are_whole revoke_finish "$thimble" device revoke old --lists-only
show_places

# ---- rotation ----
rotate_finish() {
    again 5 "$thimble" ca rotate device && [ "$(grep -c BEGIN "$home/broker/clients-ca.crt")" = 2 ] &&
        [ "$(sql "select count(*) from authority where kind = 'device'")" = 2 ] && is_whole &&
        "$thimble" device enrol lamp && is_good "$home/devices/lamp/device.crt" && old_is_good &&
        openssl verify -CAfile "$home/ca/device.2.crt" "$home/devices/lamp/device.crt"
}
check "ca rotate device" killed "$base" old_is_good rotate_finish "$thimble" ca rotate device
show_places
fresh "$base" && "$thimble" ca rotate server >/dev/null && cp -a "$home" "$scratch/next"
switch_finish() { again 4 "$thimble" ca rotate server --switch && openssl verify -CAfile "$home/ca/server.2.crt" "$home/broker/server.crt" && old_is_good && is_whole; }
check "ca rotate server --switch" killed "$scratch/next" old_is_good switch_finish "$thimble" ca rotate server --switch
show_places
fresh "$scratch/next" && "$thimble" ca rotate server --switch >/dev/null && cp -a "$home" "$scratch/switched"
retire_finish() { again 4 "$thimble" ca rotate server --retire && cmp "$home/devices/old/ca.crt" "$home/ca/server.2.crt" && old_is_good && is_whole; }
check "ca rotate server --retire" killed "$scratch/switched" old_is_good retire_finish "$thimble" ca rotate server --retire
show_places

# ---- backup and restore ----
export THIMBLE_PASSPHRASE="an archive's phrase"
points=$few
fresh "$base"
[ "$few" = 0 ] || "$thimble" ca backup "$scratch/of-base" >/dev/null
archive=$scratch/archive
backup_whole() { old_is_good && { [ ! -e "$archive" ] || "$thimble" ca restore "$archive" --dir "$scratch/restored"; } && rm -rf "$scratch/restored" "$archive"; }
backup_finish() { "$thimble" ca backup "$archive" && rm "$archive"; }
[ "$few" = 0 ] || check "ca backup" killed "$base" backup_whole backup_finish sh -c "rm -f $archive; exec $thimble ca backup $archive"
show_places
fresh "$base" && "$thimble" device enrol later >/dev/null && cp -a "$home" "$scratch/live"
restore_whole() { old_is_good && is_whole && { [ -e "$home/devices/later/device.crt" ] || [ "$(sql "select count(*) from principal where name = 'later'")" = 0 ]; }; }
restore_finish() { "$thimble" ca restore "$scratch/of-base" --replace && old_is_good && is_whole && [ ! -e "$home/devices/later" ] && [ ! -e "$home.restoring" ]; }
[ "$few" = 0 ] || check "ca restore --replace" killed "$scratch/live" restore_whole restore_finish "$thimble" ca restore "$scratch/of-base" --replace
show_places
nothing_or_all() { [ ! -e "$home" ] || { old_is_good && is_whole; }; }
restore_new() { again 5 "$thimble" ca restore "$scratch/of-base" && old_is_good && is_whole; }
[ "$few" = 0 ] || check "ca restore where there is nothing" killed "" nothing_or_all restore_new "$thimble" ca restore "$scratch/of-base"
show_places
unset THIMBLE_PASSPHRASE

# ---- a full disk, and one that is read-only: a small tmpfs in a mount namespace of its own ----
inside() { # KIB script: a copy of base in $home on a tmpfs with so many KiB left
    unshare --mount bash -c '
        set -u; export TMPDIR=/dev/shm
        mount -t tmpfs -o size=64m none "$2" && cp -a "$3" "$2/home" && sync || exit 9
        used=$(du -sk "$2" | cut -f1); mount -o "remount,size=$((used + $1))k" "$2" || exit 9
        export THIMBLE_HOME=$2/home; eval "$4"' - "$1" "$scratch/disk" "$base" "$2"
}
mkdir "$scratch/disk"
full() { # command...: with less and less room it fails with a next step or succeeds; with more it finishes
    local kib sizes="8 90"
    [ "$mode" = full ] && sizes=$(seq 0 16 240)
    for kib in $sizes; do
        inside "$kib" "
            home=\$THIMBLE_HOME
            $thimble $1 >/dev/null 2>$scratch/full.err; code=\$?
            [ \$code = 0 ] || grep -q '  next: ' $scratch/full.err || { cat $scratch/full.err; exit 1; }
            openssl verify -crl_check -CAfile \$home/broker/clients-ca.crt -CRLfile \$home/broker/clients.crl \$home/users/alice/user.crt || exit 1
            mount -o remount,size=64m $scratch/disk || exit 9
            $thimble $1 >$scratch/full.out 2>&1; code=\$?
            [ \$code = 0 ] || [ \$code = 5 ] || { cat $scratch/full.out; exit 1; }
            [ \"\$(sqlite3 \$home/registry.db 'pragma integrity_check')\" = ok ] || exit 1
            $2" || { echo "with $kib KiB"; return 1; }
    done
}
if unshare --mount true 2>/dev/null; then
    check "device enrol on a full disk" full "device enrol lamp" \
        'openssl verify -CAfile $home/ca/device.crt $home/devices/lamp/device.crt'
    check "ca rotate on a full disk" full "ca rotate device" '[ "$(grep -c BEGIN $home/broker/clients-ca.crt)" = 2 ]'
    check "device revoke on a full disk" full "device revoke old --lists-only" \
        'openssl crl -in $home/broker/clients.crl -noout -text | grep -c "Serial Number" | grep -qx 2'
    readonly_disk() {
        inside 1000 "mount -o remount,ro $scratch/disk || exit 9
            for command in 'device enrol lamp' 'ca rotate device' 'user add bob' 'device revoke old --lists-only' 'ca init'; do
                $thimble \$command >/dev/null 2>$scratch/full.err && { echo \"\$command succeeded\"; exit 1; }
                grep -q '  next: ' $scratch/full.err || { cat $scratch/full.err; exit 1; }
            done"
    }
    check "on a read-only disk each command says so with the next step" readonly_disk
else
    echo "note: no mount namespace here; the full and the read-only disk were left out"
fi

# ---- at once ----
fresh "$base"
at_once() {
    local i pids=()
    for i in $(seq 1 8); do
        "$thimble" device enrol "many$i" >/dev/null 2>&1 & pids+=("$!")
        "$thimble" user add "person$i" >/dev/null 2>&1 & pids+=("$!")
    done
    "$thimble" device revoke old --lists-only >/dev/null 2>&1 & pids+=("$!")
    for i in "${pids[@]}"; do wait "$i" || return 1; done
    [ "$(sql "select count(*) from principal where name like 'many%' or name like 'person%'")" = 16 ] || return 1
    [ "$(sql "select count(distinct serial) = count(*) from certificate")" = 1 ] && is_whole || return 1
    for i in $(seq 1 8); do
        is_good "$home/devices/many$i/device.crt" && is_good "$home/users/person$i/user.crt" || return 1
        grep -qx "user person$i" "$home/broker/acl" || return 1
    done
    is_listed "$home/devices/old/device.crt"
}
check "sixteen names issued at once while one is revoked" at_once

# ---- the clock ----
fresh "$base"
check "a clock before the CA's begin is said, with the next step" refused 3 "clock is before" \
    faketime -f "@2001-01-01 00:00:00" "$thimble" device enrol lamp
check "and made nothing" not test -e "$home/devices/lamp/device.crt"
check "a CA that has expired issues nothing, and names its successor" refused 3 "has expired" \
    faketime -f "@2045-01-01 00:00:00" "$thimble" device enrol lamp
check "by that command" grep -q "thimble ca rotate device" "$scratch/refused.err"
check "which helps" faketime -f "@2045-01-01 00:00:00" "$thimble" ca rotate device
check "then it issues again" faketime -f "@2045-01-01 00:00:00" "$thimble" device enrol lamp
check "certificates that are good then" openssl verify -attime 2366841600 -purpose sslclient \
    -CAfile "$home/ca/device.2.crt" "$home/devices/lamp/device.crt"
finish
