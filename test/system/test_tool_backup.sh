# SPDX-License-Identifier: MIT
# thimble ca backup and restore: one encrypted archive that openssl and tar open too, and that becomes
# the state directory whole or not at all.
. "$THIMBLE_SOURCE/test/system/tool.sh" || exit 1
home=$THIMBLE_HOME
unset THIMBLE_PASSPHRASE THIMBLE_PASSPHRASE_FILE
archive=$scratch/thimble.backup
echo "an archive's phrase" >"$scratch/right"
echo "another phrase" >"$scratch/wrong"
right=(--passphrase-file "$scratch/right")
quietly() { setsid -w "$@" </dev/null; }
contents() { (cd "$1" && find . -type f ! -name 'registry.db*' ! -name lock -print0 | sort -z | xargs -0 sha256sum); }
rows() { sqlite3 "$1/registry.db" "select * from principal order by 1; select serial, authority, kind, hex(der), revoked_s from certificate order by 1;
    select * from authority; select * from setting order by 1"; }
is_whole() { [ "$(sqlite3 "$1/registry.db" 'pragma integrity_check')" = ok ]; }

check "before there is anything there is nothing to back up" refused 4 "no state directory" "$thimble" ca backup "$archive" "${right[@]}"
"$thimble" ca init --name Garden >/dev/null && "$thimble" broker init --no-proof >/dev/null &&
    "$thimble" device enrol lamp pump >/dev/null && "$thimble" user add alice >/dev/null &&
    "$thimble" device revoke pump --lists-only >/dev/null || exit 1
mkdir "$home/broker/data/sub" && echo retained >"$home/broker/data/mosquitto.db"
check "without a pass phrase nothing is archived" refused 2 "no terminal" quietly "$thimble" ca backup "$archive"
check "a short one is refused" refused 3 "shorter than 8" sh -c "echo short | $thimble ca backup $archive --passphrase-file /dev/stdin"
check "ca backup" "$thimble" ca backup "$archive" "${right[@]}"
check "for its owner alone" test 600 = "$(stat -c %a "$archive")"
check "an archive is not overwritten" refused 5 "left as it is" "$thimble" ca backup "$archive" "${right[@]}"
check "no key stands in it in the clear" not grep -aq -e 'PRIVATE KEY' -e "$(sed -n 2p "$home/ca/device.key")" "$archive"
check "openssl says what it is: AES-256-GCM under a password" sh -c "
    openssl cms -cmsout -print -inform DER -in $archive | tr '\n' ' ' | grep -q 'authEnvelopedData.*PBKDF2.*id-alg-PWRI-KEK.*aes-256-gcm'"
check "openssl and tar open it" sh -c "mkdir $scratch/by-hand && openssl cms -decrypt -inform DER -in $archive \
    -pwri_password \"an archive's phrase\" -out $scratch/plain.tar && tar xf $scratch/plain.tar -C $scratch/by-hand"
check "and find what was there" cmp "$scratch/by-hand/ca/device.key" "$home/ca/device.key"
check "with the registry as it was" test "$(rows "$home")" = "$(rows "$scratch/by-hand")"
check "and without the broker's data" not test -e "$scratch/by-hand/broker/data"

# ---- restore ----
before=$(contents "$home") before_rows=$(rows "$home")
check "a live directory is left alone" refused 5 "in use" "$thimble" ca restore "$archive" "${right[@]}"
check "as it was" test "$before" = "$(contents "$home")"
other=$scratch/other
check "a wrong pass phrase is refused" refused 3 "does not open" "$thimble" ca restore "$archive" --dir "$other" --passphrase-file "$scratch/wrong"
check "and makes nothing" test "$(echo "$other"*)" = "$other*"
check "something else than an archive is refused" refused 3 "no archive" "$thimble" ca restore "$home/ca/device.crt" --dir "$other" "${right[@]}"
check "a file that is not there too" refused 3 "cannot open" "$thimble" ca restore "$scratch/none" --dir "$other" "${right[@]}"
check "so is a parent directory that is not there" refused 4 "no directory" "$thimble" ca restore "$archive" --dir "$scratch/no/other" "${right[@]}"
altered() { # PLACES: a bit is flipped there, and the file is cut there
    local size at
    size=$(stat -c %s "$archive")
    for at in $(seq $((size / 3 % (size / $1))) $((size / $1)) $((size - 1))); do
        cp "$archive" "$scratch/altered"
        python3 -c "
import sys
with open('$scratch/altered', 'r+b') as f:
    f.seek($at); b = f.read(1)[0]; f.seek($at); f.write(bytes([b ^ 1]))"
        "$thimble" ca restore "$scratch/altered" --dir "$other" "${right[@]}" >/dev/null 2>&1 && { echo "at $at"; return 1; }
        head -c "$at" "$archive" >"$scratch/altered"
        "$thimble" ca restore "$scratch/altered" --dir "$other" "${right[@]}" >/dev/null 2>&1 && { echo "cut at $at"; return 1; }
        [ ! -e "$other" ] || return 1
    done
}
places=1
[ "${THIMBLE_TEST_MODE:-ci}" = full ] && places=60
check "an archive altered or cut anywhere is refused, and makes nothing" altered "$places"
check "ca restore elsewhere, which tells of the directory it was" sh -c \
    "$thimble ca restore $archive --dir $other ${right[*]} 2>&1 | grep -q 'broker init --replace'"
check "brings back every file" test "$(contents "$other")" = "$(cd "$home" && find . -type f ! -name 'registry.db*' ! -name lock ! -path './broker/data/*' -print0 | sort -z | xargs -0 sha256sum)"
check "and the registry" test "$before_rows" = "$(rows "$other")"
check "for its owner alone" test "700 600" = "$(stat -c %a "$other" "$other/ca/device.key" | tr '\n' ' ' | sed 's/ $//')"
check "nothing is left beside it" not test -e "$other.restoring"
check "it issues" "$thimble" device enrol new --dir "$other"
check "and openssl agrees" openssl verify -x509_strict -purpose sslclient -CAfile "$home/ca/device.crt" "$other/devices/new/device.crt"
check "an empty directory is taken" sh -c "mkdir $scratch/empty && $thimble ca restore $archive --dir $scratch/empty ${right[*]}"
"$thimble" device enrol later >/dev/null
check "--replace restores over a live one" "$thimble" ca restore "$archive" --replace "${right[@]}"
check "as it was then" not test -e "$home/devices/later"
check "and moves that aside, whole" test -e "$(echo "$home".before-*)/devices/later/device.key"
check "the log tells it" sh -c "$thimble ca log | grep -q restore"
"$thimble" ca backup "$scratch/json.backup" "${right[@]}" --json >"$scratch/backup.json"
check "--json tells the archive" json "$scratch/backup.json" "d ->> '$.files' > 15"

# ---- while others work ----
busy() {
    local i
    for i in 1 2 3 4 5 6; do "$thimble" device enrol "busy$i" >/dev/null 2>&1 & children+=("$!"); done
    "$thimble" ca backup "$scratch/busy.backup" "${right[@]}" || return 1
    for i in "${children[@]}"; do wait "$i"; done
    children=()
    "$thimble" ca restore "$scratch/busy.backup" --dir "$scratch/busy" "${right[@]}" || return 1
    is_whole "$scratch/busy" || return 1
    # Whoever is in the registry has its files, and the other way round.
    [ "$(sqlite3 "$scratch/busy/registry.db" "select group_concat(name, ' ') from (select name from principal where name like 'busy%' order by 1)")" = \
        "$(cd "$scratch/busy/devices" && echo busy*)" ] || [ ! -e "$scratch/busy/devices/busy1" ]
}
check "a backup while six enrol is of one moment" busy

# ---- encrypted keys stay encrypted inside ----
enc=$scratch/enc
THIMBLE_PASSPHRASE="the keys' phrase" "$thimble" ca init --encrypt --dir "$enc" >/dev/null
check "of encrypted keys the archive has a phrase of its own" "$thimble" ca backup "$scratch/enc.backup" --dir "$enc" "${right[@]}"
check "and they are restored" "$thimble" ca restore "$scratch/enc.backup" --dir "$scratch/enc2" "${right[@]}"
check "encrypted" openssl pkey -in "$scratch/enc2/ca/device.key" -passin "pass:the keys' phrase" -noout
finish
