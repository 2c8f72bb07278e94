# SPDX-License-Identifier: MIT
# src/http and Node's own parser read the same bytes alike, or ours refuses them (R10).
. "$THIMBLE_SOURCE/test/system/tool.sh" || exit 1
node "$THIMBLE_SOURCE/test/system/http_node.cjs" "$THIMBLE_BUILD/test/http_judge" | tee "$scratch/said"
check "what ours takes, Node takes, with the same ends and bodies" test "${PIPESTATUS[0]}" = 0
check "there was something to compare" grep -q "^[0-9]\{4,\} connections: [0-9]\{4,\} requests" "$scratch/said"
finish
