# SPDX-License-Identifier: MIT
# The page in Chromium, in front of a real device: test/browser/page.mjs. npm brings what drives it.
. "$THIMBLE_SOURCE/test/system/device.sh" || exit 1
packages=$THIMBLE_BUILD/npm
check "npm brings playwright-core and axe-core" "$THIMBLE_SOURCE/scripts/browser-packages" "$packages"
check "there are authorities, and a broker that does not run" set_the_stage
stop_broker
[ "$failures" = 0 ] || finish
export SCRATCH=$scratch THIMBLE_PACKAGES=$packages
node "$THIMBLE_SOURCE/test/browser/page.mjs" | tee "$scratch/browser.out"
ended=${PIPESTATUS[0]}
read -r more wrong <<<"$(sed -nE 's/^([0-9]+) checks, ([0-9]+) failed$/\1 \2/p' "$scratch/browser.out")"
checks=$((checks + ${more:-0}))
failures=$((failures + ${wrong:-0}))
[ "$ended" = 0 ] || [ "${wrong:-0}" -gt 0 ] || failures=$((failures + 1))
finish
