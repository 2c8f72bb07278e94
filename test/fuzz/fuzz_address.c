/* SPDX-License-Identifier: MIT */
/* Address literals, against the system's parser; what is written is read again as the same. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include <thimble/net.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char literal[128], text[TH_ADDRESS_TEXT_MAX];
    uint8_t bytes[16];
    if (size >= sizeof literal || memchr(data, '\0', size) != NULL)
        return 0;
    memcpy(literal, data, size);
    literal[size] = '\0';
    struct th_address address, again;
    bool is = th_address_parse(literal, &address);
    if (literal[0] != '[' && strchr(literal, '%') == NULL)
        check(is == (inet_pton(AF_INET, literal, bytes) == 1 ||
                     inet_pton(AF_INET6, literal, bytes) == 1));
    if (!is)
        return 0;
    address.port = 8883;
    check(th_address_text(&address, text) == strlen(text));
    *strrchr(text, ':') = '\0';
    check(th_address_parse(text, &again) && again.family == address.family &&
          again.scope == address.scope);
    check(memcmp(again.bytes, address.bytes, address.family == 4 ? 4 : 16) == 0);
    return 0;
}
