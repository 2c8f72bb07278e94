/* SPDX-License-Identifier: MIT */
/* R10: answers of time servers and stored TLS sessions of any bytes. */
#include <stdlib.h>
#include <string.h>

#include <thimble/sntp.h>
#include <thimble/tls.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t nonce[8] = "12345678";
    struct th_sntp sntp;
    struct th_sntp_sample sample;
    uint8_t packet[TH_SNTP_PACKET], answer[64];
    struct th_session_bond bond;
    const struct th_clock_view clock = {TH_CLOCK_TRUSTED, 0, 1795000000};
    size_t len = size < sizeof answer ? size : sizeof answer;

    th_sntp_request(&sntp, nonce, 1000, packet);
    memcpy(answer, data, len);
    if (len >= 32)
        memcpy(answer + 24, nonce, sizeof nonce); /* else nothing gets past the nonce */
    if (th_sntp_answer(&sntp, th_span_of(answer, len), 1700000000, 2000, &sample) == TH_SNTP_TIME &&
        (sample.time_ms < INT64_C(1700000000000) || sntp.waiting))
        abort();
    memset(&bond, 0, sizeof bond);
    struct th_span session = th_session_open(th_span_of(data, size), &bond, &clock);
    if (session.len > 0 && (session.at < data || session.at + session.len > data + size))
        abort();
    return 0;
}
