/* SPDX-License-Identifier: MIT */
/* Files of certificates and keys: any bytes, into memory of any size, and into their own. */
#include <stdlib.h>

#include <thimble/pem.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t room = size > 0 ? data[0] * 8u : 0;
    struct th_span file = {data, size}, certificates[3], key;
    uint8_t *into = malloc(room + 1), *copy = malloc(size + 1);
    size_t count = 3;
    if (th_pem_certificates(file, into, room, certificates, &count) == TH_OK) {
        for (size_t i = 0; i < count; i++) {
            if (!th_pem_is_der(certificates[i]))
                abort();
        }
    }
    th_pem_private_key(file, into, room, &key);
    memcpy(copy, data, size);
    count = 3;
    th_pem_certificates(th_span_of(copy, size), copy, size, certificates, &count);
    struct th_pem_block block;
    while (th_pem_next(&file, &block) == TH_OK) {
        if (block.body.at < data || block.body.at + block.body.len > data + size)
            abort();
    }
    free(into);
    free(copy);
    return 0;
}
