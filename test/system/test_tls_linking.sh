# SPDX-License-Identifier: MIT
# What a BearSSL profile does not name is not linked.
. "$THIMBLE_SOURCE/test/system/tool.sh" || exit 1
program=$THIMBLE_BUILD/test/tls_small
nm "$program" >"$scratch/symbols"
check "the smallest client runs" "$program"
check "it uses BearSSL" grep -q ' br_ssl_client_reset' "$scratch/symbols"
check "and what its profile names" grep -q ' br_chacha20_ct_run' "$scratch/symbols"
for other in br_aes br_ghash br_rsa br_sha384 br_sha512 br_des br_ec_all br_ec_c25519 'br_[a-z0-9_]*31' SSL_ EVP_; do
    check "nothing of $other" not grep -qE " $other" "$scratch/symbols"
done
finish
