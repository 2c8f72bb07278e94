/* SPDX-License-Identifier: MIT */
/* thimble-device --csr: the device's request for its certificates. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/pem.h>

#include "stores.h"

/* "device-" and the first digits of the birth key's id: the same name at each try. */
static enum th_error name_of_key(struct stores *stores, char name[TH_NAME_MAX + 1])
{
    const struct th_device_config *config = &stores->machine->config;
    struct th_credential birth;
    uint8_t id[TH_KEY_ID_BYTES];
    enum th_error error = th_factory_key_make(&stores->factory, config->crypto, config->board);

    if (error == TH_OK)
        error = th_factory_idevid(&stores->factory, NULL, 0, &birth);
    if (error)
        return error;
    th_key_id(config->crypto->ops->hashes->sha256, birth.point, id);
    th_credential_wipe(&birth);
    snprintf(name, TH_NAME_MAX + 1, "device-%02x%02x%02x%02x", id[0], id[1], id[2], id[3]);
    return TH_OK;
}

static enum th_error choose_name(struct stores *stores, const char *asked,
                                 char name[TH_NAME_MAX + 1])
{
    struct th_identity_report report;

    th_identity_report(&stores->identity, &report);
    if (!asked && report.name[0] == '\0')
        return name_of_key(stores, name);
    snprintf(name, TH_NAME_MAX + 1, "%s", asked ? asked : report.name);
    return TH_OK;
}

static bool print_request(FILE *to, const char *name, const uint8_t *bytes, size_t len)
{
    bool ok = fprintf(to,
                      "Request of the device '%s' for its certificates; it holds no secret.\n"
                      "  thimble device enrol %s --request FILE --out BUNDLE\n"
                      "  thimble-device --flash FLASH --bundle BUNDLE\n",
                      name, name) > 0;

    return ok && PEM_write(to, TH_ENROL_REQUEST_LABEL, "", bytes, (long)len) > 0 && fflush(to) == 0;
}

static int write_request(const char *out, const char *name, const uint8_t *bytes, size_t len)
{
    FILE *to = out ? fopen(out, "w") : stdout;
    bool ok = to && print_request(to, name, bytes, len);
    int number = errno;

    if (out && to && fclose(to) != 0)
        ok = false;
    if (ok)
        return EXIT_SUCCESS;
    fprintf(stderr,
            "thimble-device: cannot write the request to %s: %s\n"
            "  next: choose another file, and ask again: this request is lost\n",
            out ? out : "standard output", strerror(number));
    return EXIT_FAILURE;
}

int csr_main(struct stores *stores, const char *name, const char *out)
{
    struct th_enrol enrol = stores_enrol(stores);
    char chosen[TH_NAME_MAX + 1];
    uint8_t bytes[TH_ENROL_REQUEST_MAX];
    size_t len;

    if (name && !th_device_name_valid(th_span_str(name))) {
        fprintf(stderr,
                "thimble-device: '%s' cannot be the name of a device\n"
                "  next: choose 1 to 32 of a-z, 0-9, '_' and '-', for example lamp-2\n",
                name);
        return EXIT_INPUT;
    }
    enum th_error error = choose_name(stores, name, chosen);
    if (error == TH_OK)
        error = th_enrol_request(&enrol, th_span_str(chosen), bytes, sizeof bytes, &len);
    if (error)
        return stores_failed("request", error);
    return write_request(out, chosen, bytes, len);
}
