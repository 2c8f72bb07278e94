# SPDX-License-Identifier: MIT
# What a board of Linux is made of: options that make none, chips and buses this machine does not have,
# a converter in a directory laid out as sysfs is, and pins by hand over the console. R9, R10.
. "$THIMBLE_SOURCE/test/system/tool.sh" || exit 1
device=$THIMBLE_BUILD/ports/thimble-device
flash=$scratch/garden.flash
pins=$scratch/pins

# ---- options ----
while read -r code says options; do
    check "$options: $code" refused "$code" "${says//_/ }" "$device" --flash "$flash" $options
done <<EOF
2 --board --board gpio=
2 --board --board pull=sideways
2 --board --board mux=1,2
2 --board --board mux=1,2,2
2 --board --board mux=1,2,255
2 --board --board mux=1,2,3,4
2 --board --board nothing
2 a_multiplexer_needs --board mux=1,2,3
2 a_multiplexer_needs --board mux=1,2,3 --board gpio=0
2 virtual_pins_are_instead --board pins=$pins --board gpio=0
2 virtual_pins_are_instead --board pins=$pins --board adc=x
1 there_is_no_such_chip --board gpio=gpiochip98
1 there_is_no_such_chip --board spi=/dev/spidev98.0
1 there_is_no_such_chip --board adc=nothing --board sysfs=$scratch
1 that_is_no_chip --board gpio=/dev/null
1 that_is_no_chip --board spi=/dev/null
EOF

# ---- a converter ----
iio=$scratch/sys/bus/iio/devices/iio:device0
mkdir -p "$iio"
echo mcp3008 >"$iio/name"
echo 3.222656250 >"$iio/in_voltage_scale"
for n in 0 1 3; do echo $((n * 341)) >"$iio/in_voltage${n}_raw"; done
# What is asked over the console of a device with these options, and what it answers.
ask() { # REQUEST OPTION...
    local request=$1
    shift
    "$device" --flash "$flash" --console - "$@" < <(
        wait_for 10 grep -q "not enrolled" "$scratch/answers"
        sleep 1.5 # the first round over the inputs
        echo "$request"
        wait_for 10 grep -q '^{' "$scratch/answers"
    ) >"$scratch/answers" 2>&1 &
    local running=$!
    children+=("$running")
    wait_for 20 grep -q '^{' "$scratch/answers"
    kill "$running"
    wait "$running"
    grep '^{' "$scratch/answers"
}
: >"$scratch/answers"
ask '{"id":1,"method":"Sensor.Read"}' --board adc=mcp3008 --board "sysfs=$scratch/sys" >"$scratch/answer"
check "what the converter has is read in millivolts" grep -q '"Ain0":0,"Ain1":1099,"Ain3":3297,"host_temp"' "$scratch/answer"
echo gone >"$iio/in_voltage1_raw"
rm "$iio/in_voltage_scale"
: >"$scratch/answers"
ask '{"id":1,"method":"Sensor.Read"}' --board adc=iio:device0 --board "sysfs=$scratch/sys" >"$scratch/answer"
check "without a scale in its own steps; what cannot be read is null" grep -q '"Ain0":0,"Ain1":null,"Ain3":1023,' "$scratch/answer"

# ---- pins by hand ----
: >"$scratch/answers"
ask '{"id":1,"method":"Gpio.Write","params":{"pin":9,"value":0,"seconds":600}}' --board "pins=$pins" >"$scratch/answer"
check "a pin is driven by hand" grep -q '"result":{"pin":9,"value":0,"seconds":600}' "$scratch/answer"
check "and at rest when the device has ended" grep -q '^pin 09 out 1' "$pins"
finish
