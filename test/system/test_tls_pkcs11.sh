# SPDX-License-Identifier: MIT
# A key in a PKCS#11 token (SoftHSM through OpenSSL's engine pkcs11) proves who we are over TLS 1.2
# and 1.3, and never leaves the token.
. "$THIMBLE_SOURCE/test/system/tool.sh" || exit 1
export SOFTHSM2_CONF=$scratch/softhsm2.conf
export PKCS11_MODULE_PATH=/usr/lib/softhsm/libsofthsm2.so
mkdir "$scratch/tokens"
printf 'directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n' "$scratch/tokens" >"$SOFTHSM2_CONF"

check "a token is made" softhsm2-util --init-token --free --label thimble --pin 1234 --so-pin 12345678
number=10
for kind in "EC -pkeyopt ec_paramgen_curve:P-256" "RSA -pkeyopt rsa_keygen_bits:2048"; do
    name=${kind%% *}
    # shellcheck disable=SC2086
    openssl genpkey -algorithm $kind -out "$scratch/$name.pem" 2>/dev/null
    check "an $name key is put into it" softhsm2-util --import "$scratch/$name.pem" --token thimble \
        --label "$name" --id "$number" --pin 1234
    check "and connects without leaving it" "$THIMBLE_BUILD/test/tls_pkcs11" "$scratch/$name.pem" \
        "pkcs11:token=thimble;object=$name;type=private;pin-value=1234"
    number=$((number + 1))
done
finish
