/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "../../ports/common/host.h"
#include "link_demo.h"

/* A DER file of the host into the board's memory. */
static bool load(const char *folder, const char *name, uint8_t *into, size_t room,
                 struct th_span *out)
{
    struct demo_text path = {.len = 0};

    TEXT(&path, "%s/%s%c", folder, name, '\0');
    int file = th_host_open(path.at, TH_HOST_READ);
    int got = file < 0 ? -1 : th_host_read(file, into, room);
    if (file >= 0)
        th_host_close(file);
    if (got <= 0 || (size_t)got == room) {
        SAY("cannot load %s: it must exist and be shorter than %u bytes\n", path.at,
            (unsigned)room);
        return false;
    }
    *out = th_span_of(into, (size_t)got);
    return true;
}

static bool load_identity(struct demo *demo)
{
    const char *folder = th_host_param("files");

    if (folder == NULL) {
        SAY("the parameter files=FOLDER is missing: it holds ca.der, cert.der and key.der\n");
        return false;
    }
    if (!load(folder, "ca.der", demo->anchor_der, sizeof(demo->anchor_der), &demo->anchor) ||
        !load(folder, "cert.der", demo->certificate_der, sizeof(demo->certificate_der),
              &demo->certificate) ||
        !load(folder, "key.der", demo->key_der, sizeof(demo->key_der), &demo->identity.key))
        return false;
    demo->identity.chain = &demo->certificate;
    demo->identity.chain_count = 1;
    demo->identity.kind = TH_KEY_EC_P256;
    return true;
}

static bool copy_id(struct demo *demo)
{
    const char *id = th_host_param("id");

    if (id == NULL)
        id = "board";
    if (strlen(id) >= sizeof(demo->id)) {
        SAY("the parameter id is longer than %u characters\n", ID_ROOM - 1);
        return false;
    }
    strcpy(demo->id, id);
    strcpy(demo->status_topic, id);
    strcat(demo->status_topic, "/status");
    return true;
}

/* ChaCha20 first: on this kind of core it takes a quarter of what AES-GCM takes. */
static const struct th_bearssl_profile profile = {
    .ec = &demo_fed_ec,
    .ecdsa_verify = br_ecdsa_i15_vrfy_asn1,
    .ecdsa_sign = br_ecdsa_i15_sign_asn1,
    .rsa_verify = br_rsa_i15_pkcs1_vrfy,
    .chapol_in = &br_sslrec_in_chapol_vtable,
    .chapol_out = &br_sslrec_out_chapol_vtable,
    .chacha20 = br_chacha20_ct_run,
    .poly1305 = br_poly1305_ctmul32_run,
    .gcm_in = &br_sslrec_in_gcm_vtable,
    .gcm_out = &br_sslrec_out_gcm_vtable,
    .aes_ctr = &br_aes_ct_ctr_vtable,
    .ghash = br_ghash_ctmul32,
};

static void configure_link(struct demo *demo)
{
    const char *host = th_host_param("host");

    demo->broker.host = host != NULL ? host : "10.0.2.2";
    demo->broker.server_name = th_host_param("name");
    demo->broker.port = (uint16_t)th_host_param_number("port", 8883);
    demo->trust.anchors = &demo->anchor;
    demo->trust.anchor_count = 1;
    demo->trust.clock.floor_s = th_host_param_number("floor", 0);
    demo->tls_config = (struct th_tls_config){.trust = &demo->trust,
                                              .identity = &demo->identity,
                                              .board = &demo->board,
                                              .fragment_length = FRAGMENT};
    th_bearssl_init(&demo->tls, &profile, demo->tls_in, sizeof(demo->tls_in), demo->tls_out,
                    sizeof(demo->tls_out));
    demo->link_config = (struct th_link_config){
        .board = &demo->board,
        .brokers = &demo->broker,
        .broker_count = 1,
        .tls = {&th_tls_bearssl, &demo->tls},
        .tls_config = &demo->tls_config,
        .loan = {&demo_loan, NULL},
        .session = demo->session,
        .session_room = sizeof(demo->session),
        .session_len = &demo->session_len,
        .times = {.backoff_first_ms = th_host_param_number("backoff", 0)},
    };
}

static void configure_mqtt(struct demo *demo)
{
    demo->will = (struct th_mqtt_will){.topic = th_span_str(demo->status_topic),
                                       .payload = TH_SPAN("offline"),
                                       .qos = TH_MQTT_QOS1,
                                       .retain = true};
    demo->mqtt_config = (struct th_mqtt_config){
        .version = th_host_param_number("version", 4) == 5 ? &th_mqtt_v5 : &th_mqtt_v311,
        .client_id = th_span_str(demo->id),
        .fields = &th_mqtt_connect_fields,
        .will = &demo->will,
        .keep_alive_s = (uint16_t)th_host_param_number("keepalive", 30),
        .answer_timeout_ms = th_host_param_number("answer", 0),
        .session_expiry_s = 3600,
        .rx = demo->mqtt_rx,
        .rx_room = sizeof(demo->mqtt_rx),
        .large = &th_mqtt_large,
        .outbox = th_outbox_ram_init(&demo->outbox, (uint8_t *)demo->outbox_bytes,
                                     sizeof(demo->outbox_bytes), demo->inbound,
                                     sizeof(demo->inbound) / sizeof(demo->inbound[0])),
    };
}

bool demo_configure(struct demo *demo)
{
    if (!copy_id(demo) || !load_identity(demo))
        return false;
    configure_link(demo);
    configure_mqtt(demo);
    return true;
}
