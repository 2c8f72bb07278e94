# SPDX-License-Identifier: MIT
# Every bad server of bad_servers.tsv, over each TLS backend, bad and mended (T1 T2 T3 T4 T5 T6 T7 T9
# T10 T12 T14 T15 C2).
exec "$THIMBLE_BUILD/test/bad_client" "$THIMBLE_BUILD/test/bad_server" \
    "$THIMBLE_SOURCE/test/system/bad_servers.tsv"
