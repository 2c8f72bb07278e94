#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Real GPIO lines without hardware: a Raspberry Pi 3 in QEMU, Debian's kernel with its own driver, and
# test/gpio/machine.c over the guard, libgpiod and spidev. SPI is bits over four of its lines. Kernel
# and libgpiod are fetched from Debian into .cache/gpio; nothing of them enters the repository.
set -euo pipefail
. "$(dirname "$0")/../../scripts/lib.sh"
case ${1:-} in -h | --help) echo "usage: test/gpio/run.sh"; exit 0 ;; '') ;; *) echo "usage: test/gpio/run.sh" >&2; exit 2 ;; esac
"$root/scripts/setup" gcc-aarch64-linux-gnu libc6-dev-arm64-cross device-tree-compiler
cache=$root/.cache/gpio
work=$build/gpio
mkdir -p "$work"

# A package of arm64, without making that an architecture of this system.
apt_own() {
    local tool=$1
    shift
    "$tool" -o APT::Architecture=arm64 -o APT::Architectures::=arm64 -o Dir::State::status=/dev/null \
        -o Dir::State::lists="$cache/lists" -o Dir::Cache="$cache/apt" -o APT::Sandbox::User=root "$@"
}
fetch() {
    mkdir -p "$cache/lists/partial" "$cache/apt/archives/partial" "$cache/files"
    apt_own apt-get -qq update
    kernel=$(apt_own apt-cache depends linux-image-arm64 | sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p' | head -1)
    [ -n "$kernel" ] || die "Debian has no kernel for arm64 here"
    (cd "$cache/files" && apt_own apt-get -qq download "$kernel" libgpiod-dev)
    for package in "$cache/files"/*.deb; do
        dpkg-deb -x "$package" "$cache/tree"
    done
    rm -r "$cache/files" "$cache/lists" "$cache/apt"
    touch "$cache/complete"
}
[ -f "$cache/complete" ] || fetch
cd "$cache/tree"
kernel=$(ls boot/vmlinuz-* | head -1)
tree=$(ls usr/lib/linux-image-*/broadcom/bcm2837-rpi-3-b.dtb | head -1)
mapfile -t modules < <(find lib/modules -name spi-gpio.ko -o -name spi-bitbang.ko)

# ---- what the machine runs ----
cd "$root"
aarch64-linux-gnu-gcc -std=c11 -D_GNU_SOURCE -O1 -Wall -Wextra -Werror -static -Iinclude -Isrc -I. \
    -I"$cache/tree/usr/include" test/gpio/machine.c ports/linux/pins.c ports/linux/pins_guard.c \
    ports/linux/pins_file.c ports/linux_gpio/gpio.c ports/linux_gpio/board_failure.c \
    src/base/failure.c src/base/error.c src/base/text.c src/base/alert.c src/base/reason.c \
    "$cache/tree/usr/lib/aarch64-linux-gnu/libgpiod.a" -o "$work/init"
python3 - "$work/initrd" "$work/init" "${modules[@]/#/$cache/tree/}" <<'EOF'
import os, sys
out = open(sys.argv[1], "wb")
def add(name, data, mode): # cpio, "newc"
    fields = (0, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
    head = ("070701" + "".join("%08X" % field for field in fields)).encode() + name.encode() + b"\0"
    out.write(head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4))
for path in sys.argv[2:]:
    add(os.path.basename(path), open(path, "rb").read(), 0o100755)
add("TRAILER!!!", b"", 0)
EOF
{
    dtc -q -I dtb -O dts "$cache/tree/$tree"
    cat <<'EOF'
/ {
    spi-lines {
        compatible = "spi-gpio";
        #address-cells = <1>;
        #size-cells = <0>;
        sck-gpios = <&{/soc/gpio@7e200000} 11 0>;
        mosi-gpios = <&{/soc/gpio@7e200000} 10 0>;
        miso-gpios = <&{/soc/gpio@7e200000} 9 0>;
        cs-gpios = <&{/soc/gpio@7e200000} 8 1>;
        num-chipselects = <1>;
        byte@0 {
            compatible = "rohm,dh2228fv";
            reg = <0>;
            spi-max-frequency = <2000000>;
        };
    };
};
EOF
} | dtc -q -I dts -O dtb -o "$work/tree"

# ---- the machine; it halts at its end, and cannot switch itself off ----
rm -f "$work/console"
qemu-system-aarch64 -M raspi3b -kernel "$cache/tree/$kernel" -dtb "$work/tree" \
    -initrd "$work/initrd" -append "console=ttyS1,115200 panic=-1 quiet" -display none \
    -serial null -serial "file:$work/console" -no-reboot -monitor none >"$work/qemu.log" 2>&1 &
machine=$!
trap 'kill $machine 2>/dev/null || true' EXIT
for ((i = 0; i < 1200; i++)); do
    sleep 0.1
    grep -aq '^done, ' "$work/console" 2>/dev/null && break
    kill -0 $machine 2>/dev/null || break
done
grep -aE '(ok|FAIL|info)   |^done' "$work/console" || cat "$work/qemu.log"
grep -aq '^done, 0 failed' "$work/console"
