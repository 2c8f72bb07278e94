# SPDX-License-Identifier: MIT
# The registry of every older version is brought up to date, whole or not at all; a newer one is
# left alone.
. "$THIMBLE_SOURCE/test/system/tool.sh" || exit 1
home=$THIMBLE_HOME
sql() { sqlite3 "$home/registry.db" "$1"; }

# A registry as version 1 of its tables had it: what is in it comes from one of today.
"$thimble" ca init --name Old >/dev/null && "$thimble" broker init --no-proof >/dev/null &&
    "$thimble" device enrol lamp pump >/dev/null && "$thimble" user add alice --connections 2 >/dev/null &&
    "$thimble" device revoke pump --lists-only >/dev/null || exit 1
now=$(sql "pragma user_version")
schema() { # the tables, without white space and quotes
    sql "select replace(replace(replace(sql, ' ', ''), char(10), ''), '\"', '') from sqlite_master where sql not null order by 1"
}
schema_now=$(schema)
cp "$home/registry.db" "$scratch/new.db"
make_version_1() {
    rm -f "$home"/registry.db*
    sqlite3 "$home/registry.db" <<EOF
PRAGMA journal_mode = WAL;
CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE authority (
  id INTEGER PRIMARY KEY, kind TEXT NOT NULL CHECK (kind IN ('server','device','idevid')),
  state TEXT NOT NULL CHECK (state IN ('active','retired')), certificate BLOB NOT NULL,
  key TEXT NOT NULL, crl_number INTEGER NOT NULL DEFAULT 0, created_s INTEGER NOT NULL);
CREATE UNIQUE INDEX authority_active ON authority (kind) WHERE state = 'active';
CREATE TABLE principal (
  name TEXT PRIMARY KEY, kind TEXT NOT NULL CHECK (kind IN ('device','user')),
  role TEXT NOT NULL, connections INTEGER NOT NULL DEFAULT 1,
  homeassistant INTEGER NOT NULL DEFAULT 0,
  state TEXT NOT NULL CHECK (state IN ('active','blocked','revoked')),
  created_s INTEGER NOT NULL);
CREATE TABLE certificate (
  serial TEXT NOT NULL, authority INTEGER NOT NULL REFERENCES authority (id),
  kind TEXT NOT NULL CHECK (kind IN ('ca','server','ldevid','idevid','user')),
  principal TEXT REFERENCES principal (name), common_name TEXT NOT NULL,
  pin BLOB NOT NULL, not_before_s INTEGER NOT NULL, not_after_s INTEGER NOT NULL,
  der BLOB NOT NULL, issued_s INTEGER NOT NULL, revoked_s INTEGER, reason TEXT,
  PRIMARY KEY (authority, serial));
CREATE INDEX certificate_principal ON certificate (principal);
CREATE TABLE event (id INTEGER PRIMARY KEY, at_s INTEGER NOT NULL, what TEXT NOT NULL,
  subject TEXT NOT NULL);
ATTACH '$scratch/new.db' AS new;
INSERT INTO setting SELECT * FROM new.setting;
INSERT INTO authority SELECT id, kind, state, certificate, key, crl_number, created_s FROM new.authority;
INSERT INTO principal SELECT name, kind, role, connections, homeassistant, state, created_s FROM new.principal;
INSERT INTO certificate SELECT * FROM new.certificate;
INSERT INTO event SELECT * FROM new.event;
PRAGMA user_version = 1;
EOF
}
make_version_2() { # a password's hash and an address beside each name
    make_version_1
    sql "ALTER TABLE principal ADD COLUMN password TEXT NOT NULL DEFAULT '';
        ALTER TABLE principal ADD COLUMN mac TEXT NOT NULL DEFAULT ''; PRAGMA user_version = 2"
}
make_version_3() { # several authorities of a kind at once
    make_version_2
    sql "CREATE TABLE authority_new (
          id INTEGER PRIMARY KEY, kind TEXT NOT NULL CHECK (kind IN ('server','device','idevid')),
          state TEXT NOT NULL CHECK (state IN ('next','active','old','retired')),
          stem TEXT NOT NULL, certificate BLOB NOT NULL, key TEXT NOT NULL,
          crl_number INTEGER NOT NULL DEFAULT 0, created_s INTEGER NOT NULL);
        INSERT INTO authority_new SELECT id, kind, state, 'ca/' || kind, certificate, key, crl_number, created_s FROM authority;
        DROP TABLE authority;
        ALTER TABLE authority_new RENAME TO authority;
        CREATE UNIQUE INDEX authority_active ON authority (kind) WHERE state = 'active';
        CREATE UNIQUE INDEX authority_next ON authority (kind) WHERE state = 'next'; PRAGMA user_version = 3"
}
contents() { sql "select name, kind, role, connections, homeassistant, state, created_s from principal order by 1; select serial, authority, kind, principal, hex(der), revoked_s from certificate order by 1;
    select id, kind, state, hex(certificate), key, crl_number, created_s from authority order by 1; select * from event order by 1"; }

for version in $(seq 1 $((now - 1))); do
    "make_version_$version" >/dev/null
    before=$(contents)
    check "a registry of version $version is opened" "$thimble" device list
    check "and is of version $now then" test "$now" = "$(sql "pragma user_version")"
    check "with all that was in it" test "$before" = "$(contents)"
    check "and the tables of a new one" test "$schema_now" = "$(schema)"
    check "nobody got a right by it" test 0 = "$(sql "select count(*) from principal where password || mac <> ''")"
    check "its references hold" test -z "$(sql "pragma foreign_key_check")"
    check "it issues" "$thimble" device enrol "after$version"
    check "and revokes" "$thimble" device revoke "after$version" --lists-only
    check "the earlier revocation is still on the list" test 2 -le \
        "$(openssl crl -in "$home/broker/clients.crl" -noout -text | grep -c 'Serial Number')"
done
make_version_1 >/dev/null
for i in 1 2 3 4; do "$thimble" device list >"$scratch/list$i" 2>&1 & children+=("$!"); done
for child in "${children[@]}"; do check "of several commands at once each opens an old one" wait "$child"; done
children=()
check "and it is up to date once" test "$now" = "$(sql "pragma user_version")"
check "and whole" test ok = "$(sql "pragma integrity_check")"

# Killed at any write of the migration: the next command finds old or new.
cut_short() {
    local when
    for when in $(seq 1 12); do
        make_version_1 >/dev/null
        strace -f -o /dev/null -e trace=pwrite64,fdatasync,fsync,ftruncate \
            -e inject=pwrite64,fdatasync,fsync,ftruncate:signal=KILL:when="$when" \
            "$thimble" device list >/dev/null 2>&1 || true
        case $(sql "pragma user_version") in 1 | "$now") ;; *) return 1 ;; esac
        "$thimble" device list >/dev/null || return 1
        [ "$schema_now" = "$(schema)" ] || return 1
        [ "$(sql "pragma integrity_check")" = ok ] || return 1
    done
}
check "killed at a write of the migration, the next command finishes it" cut_short

sql "pragma user_version = $((now + 1))"
for command in "device list" "device enrol x" "user add y" "ca show" "ca init"; do
    # shellcheck disable=SC2086
    check "a newer registry is left alone by $command" refused 3 "written by a newer thimble" "$thimble" $command
done
check "and keeps its version" test "$((now + 1))" = "$(sql "pragma user_version")"
printf 'not a database at all, but some text that is long enough to be read as a header........' >"$home/registry.db"
rm -f "$home"/registry.db-*
check "what is no registry names the way out" refused 1 "restore registry.db" "$thimble" device list
finish
