# SPDX-License-Identifier: MIT
# scripts/demo --modes tells its story and leaves nothing behind: blank, page, MQTT mode, a zone, the page again,
# with the settings as they were (F3).
. "$THIMBLE_SOURCE/test/system/tool.sh" || exit 1
unset THIMBLE_HOME
export TMPDIR=$scratch/tmp THIMBLE_BUILD
mkdir "$TMPDIR"
says() { grep -q -- "$1" "$scratch/said" || { cat "$scratch/said"; return 1; }; }

check "it ends by itself, well" sh -c "timeout 180 '$THIMBLE_SOURCE/scripts/demo-modes' >$scratch/said 2>&1"
check "a blank device is in configuration mode" says "lamp | device without a name, mode config: not enrolled"
check "the page enrols it" says "page | enrolled as lamp"
check "it connects" says "lamp | connected"
check "and nothing listens (F3)" says "  port [0-9]*: closed"
check "a zone goes on" says "pin 05 out 0"
check "and off after five seconds" says "pin 05 out 1 .*, after [5-9] s"
check "HttpOn is answered" says "ann < HTTP Server Restored"
check "and brings the page back" says "device lamp, mode config"
check "its settings are as they were" says "page | telemetry.interval_s = 30"
nothing_left() { [ -z "$(ls -A "$TMPDIR")" ] && ! pgrep -f "$TMPDIR"; }
check "nothing is left behind" nothing_left
if [ "${THIMBLE_TEST_MODE:-ci}" = full ]; then # test_enrol_spot.sh has most of it
    check "with --cli it ends well, too" sh -c "timeout 180 '$THIMBLE_SOURCE/scripts/demo-modes' --cli >$scratch/said 2>&1"
    check "its settings are as they were" says '{"zones":{"pins":"5,4"}}'
    check "nothing is left behind" nothing_left
fi
finish
