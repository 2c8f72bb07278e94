#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Installs into an empty prefix and builds an outside program against it, once through pkg-config and
# once through the CMake package, then runs both.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cmake --preset size -S "$root" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
cmake --build "$root/build/size" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
cmake --install "$root/build/size" --prefix "$work/prefix" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }

lib=$(dirname "$(find "$work/prefix" -name libthimble.a)")
# The prefix is given at install time, so pkg-config is told where the file lies now.
read -ra flags < <(PKG_CONFIG_PATH=$lib/pkgconfig pkg-config --define-variable=prefix="$work/prefix" --cflags --libs thimble)
gcc -std=c11 -Wall -Wextra -Werror "$here/outside.c" -o "$work/by-pkg-config" "${flags[@]}"
"$work/by-pkg-config"

cmake -S "$here" -B "$work/build" -G Ninja -DCMAKE_PREFIX_PATH="$work/prefix" >"$work/log" 2>&1 ||
    { cat "$work/log"; exit 1; }
cmake --build "$work/build" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
"$work/build/outside"
"$work/prefix/bin/thimble" --version
echo "an outside program builds and runs against the installed copy, by pkg-config and by CMake"
