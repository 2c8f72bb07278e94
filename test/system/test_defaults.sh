# SPDX-License-Identifier: MIT
# A build with defaults of its own: checked by the schema, secrets refused (I3).
. "$THIMBLE_SOURCE/test/system/tool.sh" || exit 1
build=$scratch/build
object=CMakeFiles/thimble.dir/src/store/settings_schema.c.o

make() { ninja -C "$build" "$object"; }
refuses() { # "pattern" <defaults: the build must fail and say so
    cat >"$scratch/defaults"
    ! make >"$scratch/make.out" 2>&1 || { echo "it was built"; return 1; }
    cat "$scratch/make.out"
    grep -q -- "$1" "$scratch/make.out"
}
values() { # of the settings named, by the schema in the object that was built
    cat >"$scratch/show.c" <<'EOF'
#include <stdio.h>
#include <thimble/settings.h>
int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        printf("%s\n", th_setting_find(th_span_str(argv[i]))->normal);
}
EOF
    cc -I"$THIMBLE_SOURCE/include" -I"$THIMBLE_SOURCE/src" "$scratch/show.c" "$build/$object" \
        "$THIMBLE_SOURCE"/src/{clock/timezone,clock/schedule,net/address,mqtt/topic,base/utf8,base/text}.c -o "$scratch/show" && "$scratch/show" "$@"
}

cat >"$scratch/defaults" <<'EOF'
# The garden's devices.
mqtt.server=broker.garden.example:8883
  wifi.sta.ssid =  Gärten "&" Höfe ??/
mqtt.keep_alive = 30
sys.tz_spec = CET-1CEST,M3.5.0,M10.5.0/3

ha.caller =
EOF
check "a build takes a file of defaults" sh -c "cmake -S $THIMBLE_SOURCE -B $build -G Ninja -DTHIMBLE_TESTS=OFF \
    -DTHIMBLE_DEFAULTS=$scratch/defaults && ninja -C $build $object"
check "they are the schema's defaults then, and the others are as ever" test \
    "$(values mqtt.server wifi.sta.ssid mqtt.keep_alive sys.tz_spec ha.caller log.level)" = \
    "broker.garden.example:8883
Gärten \"&\" Höfe ??/
30
CET-1CEST,M3.5.0,M10.5.0/3

info"
check "a secret is refused, with its line (I3)" refuses "defaults:2: mqtt.pass: a secret must not be" <<<$'mode = mqtt\nmqtt.pass = x'
check "an unknown name is refused" refuses "defaults:1: mqtt.sever: there is no such setting" <<<'mqtt.sever = a:1'
check "a value out of range is refused" refuses "outside the allowed range" <<<'mqtt.keep_alive = 4'
check "so is none of the choices" refuses "none of the choices" <<<'mode = both'
check "and no TZ string" refuses "a POSIX TZ string is expected" <<<'sys.tz_spec = Europe/Berlin'
check "a line without '=' is refused" refuses "a line is: name = value" <<<'mqtt.keep_alive'
check "a name given twice is refused" refuses "given before" <<<$'mode = mqtt\nmode = config'
check "every fault is told at once" refuses "defaults:3: http.lan" <<<$'mode = both\n\nhttp.lan = yes'
echo "mqtt.keep_alive = 90" >"$scratch/defaults"
check "another file is another build" make
check "with its own values" test "$(values mqtt.keep_alive mqtt.server)" = "90"
check "a file that is gone is an error" sh -c "rm $scratch/defaults; ! ninja -C $build $object"
finish
