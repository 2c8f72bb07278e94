# SPDX-License-Identifier: MIT
# What the tool says of itself holds together: help, man pages, completion, exit codes, installation.
. "$THIMBLE_SOURCE/test/system/tool.sh" || exit 1
man=$THIMBLE_SOURCE/docs/man
export PATH=$THIMBLE_BUILD/tool:$PATH

# The man page as plain text, without hyphenation.
page() { MANWIDTH=1000 MAN_KEEP_FORMATTING='' man --no-hyphenation --no-justification -l "$man/$1.1" | col -b; }
flags_of() { # of a command, as its help lists them
    "$thimble" $1 --help | grep -o '^  *-[-A-Za-z0-9, ]*' | grep -o -- '--*[A-Za-z][a-z0-9-]*' | sort -u
}
documented() { # COMMAND PAGE
    local flag text
    text=$(page "$2")
    [ -n "$(flags_of "$1")" ] || return 1
    for flag in $(flags_of "$1"); do
        grep -qE -- "(^|[ ,])$flag( |,|$)" <<<"$text" || { echo "$2 lacks $flag"; return 1; }
    done
}
while read -r command page; do
    check "$page.1 describes every flag of thimble ${command/_/ }" documented "${command/_/ }" "$page"
done <<'EOF'
ca_init thimble-ca
ca_show thimble-ca
broker_init thimble-broker
broker_run thimble-broker
broker_agent thimble-broker
broker_prove thimble-broker
broker_lint thimble-broker
broker_password thimble-broker
broker_export thimble-broker
profile_aws thimble-profile
profile_public thimble-profile
device_legacy thimble-device
device_enrol thimble-device
ca_log thimble-ca
ca_export thimble-ca
ca_rotate thimble-ca
ca_import thimble-ca
ca_backup thimble-ca
ca_restore thimble-ca
device_list thimble-device
device_show thimble-device
device_revoke thimble-device
device_renew thimble-device
device_run thimble-device
user_show thimble-user
user_revoke thimble-user
user_add thimble-user
user_list thimble-user
trust_keygen thimble-trust
trust_sign thimble-trust
trust_show thimble-trust
trust_push thimble-trust
flash_inspect thimble-flash
label thimble-label
call thimble-call
config_get thimble-config
config_set thimble-config
config_import thimble-config
zone thimble-zone
doctor thimble-doctor
log thimble-log
watch thimble-watch
pub thimble-pub
sub thimble-sub
tls thimble-tls
demo thimble-demo
EOF
own() { # thimble-device is a program of its own
    local text flag
    text=$(MANWIDTH=1000 man --no-hyphenation --no-justification -l "$man/thimble-device.8" | col -b)
    for flag in $("$THIMBLE_BUILD/ports/thimble-device" --help | grep -oE '^ +--[a-z-]+' | tr -d ' '); do
        grep -qE -- "(^|[ ,])$flag( |,|$)" <<<"$text" || { echo "lacks $flag"; return 1; }
    done
}
check "thimble-device.8 describes every flag of thimble-device" own
for file in "$man"/*.[18]; do
    check "$(basename "$file") has no roff warnings" sh -c \
        "[ -z \"\$(man --warnings -E UTF-8 -l -Tutf8 -Z '$file' 2>&1 >/dev/null)\" ]"
done
codes() {
    local text number
    text=$(page thimble)
    "$thimble" --exit-codes | while read -r number rest; do
        grep -qE "^ +$number +" <<<"$text" && grep -qF "$rest" <<<"$text" || { echo "lacks $number"; exit 1; }
    done
}
check "thimble.1 lists every exit code" codes
commands() {
    local text name rest
    text=$(page thimble)
    "$thimble" --help | sed -n 's/^  thimble \([a-z]*\).*/\1/p' | while read -r name rest; do
        grep -q "thimble-$name(1)" <<<"$text" || { echo "lacks $name"; exit 1; }
    done
}
check "and every command" commands

# Completion, as bash would call it.
. "$THIMBLE_SOURCE/tool/completion/thimble.bash" || exit 1
completes() { # EXPECTED words...: the last word is what is being completed
    local expected=$1
    shift
    COMP_WORDS=("$@")
    COMP_CWORD=$(($# - 1))
    _thimble
    printf '%s\n' "${COMPREPLY[@]}" | grep -qx -- "$expected" || { echo "got: ${COMPREPLY[*]}"; return 1; }
}
"$thimble" ca init >/dev/null && "$thimble" device enrol lamp >/dev/null && "$thimble" user add alice >/dev/null
check "commands are completed" completes broker thimble bro
check "verbs are completed" completes enrol thimble device en
check "flags are completed" completes --replace thimble broker init --rep
check "short flags are completed" completes -t thimble pub -
check "names of devices are completed" completes lamp thimble pub --as la
check "names of users are completed" completes alice thimble sub --as ""
check "roles are completed" completes operator thimble user add x --role op
. "$THIMBLE_SOURCE/tool/completion/thimble-device.bash" || exit 1
device_completes() { # EXPECTED words...
    local expected=$1
    shift
    COMP_WORDS=("$@")
    COMP_CWORD=$(($# - 1))
    PATH=$THIMBLE_BUILD/ports:$PATH _thimble_device
    printf '%s\n' "${COMPREPLY[@]}" | grep -qx -- "$expected" || { echo "got: ${COMPREPLY[*]}"; return 1; }
}
check "options of thimble-device are completed" device_completes --factory-reset thimble-device --f
check "and their values" device_completes lx106 thimble-device --geometry ""
check "backends are completed" completes both thimble tls h --tls-backend ""
finish
