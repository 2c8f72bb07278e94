/* SPDX-License-Identifier: MIT */
/* Stored things into configurations: settings, trust set and identity, each in force or on trial.
 */
#include <string.h>

#include "base/host_port.h"
#include "base/wipe.h"
#include "device/recovery.h"

#define TRIAL_BACKOFF_MS 500 /* back-off is suspended: the candidate is to be judged soon */

/* ---- which of the two ---- */

static bool uses_new(const struct th_device *device, enum th_trial_component component)
{
    return th_trial_component(&device->trial) == component &&
           th_trial_state(&device->trial) == TH_TRIAL_NEW;
}

struct th_settings th_device_settings(struct th_device *device)
{
    return (struct th_settings){&device->log, uses_new(device, TH_TRIAL_SETTINGS)
                                                  ? TH_RECORD_SETTINGS_NEXT
                                                  : TH_RECORD_SETTINGS};
}

static enum th_identity_place place_of(const struct th_device *device,
                                       enum th_trial_component component)
{
    return uses_new(device, component) ? TH_NEXT : TH_IN_FORCE;
}

/* ---- settings ---- */

/* The schema has every name that is asked for; test_device.c asks for all of them. */
void th_device_text(struct th_device *device, const char *name, char into[TH_SETTING_VALUE_MAX + 1])
{
    struct th_settings settings = th_device_settings(device);

    th_settings_get(&settings, th_setting_find(th_span_str(name)), into);
}

int32_t th_device_number(struct th_device *device, const char *name)
{
    struct th_settings settings = th_device_settings(device);

    return th_settings_number(&settings, th_setting_find(th_span_str(name)));
}

/* The schema has checked the list. */
static const char *next_pin(const char *list, uint32_t *pin)
{
    *pin = 0;
    for (; *list >= '0' && *list <= '9'; list++)
        *pin = *pin * 10 + (uint32_t)(*list - '0');
    return *list != '\0' ? list + 1 : list;
}

bool th_device_pin_named(struct th_device *device, const char *name, uint8_t pin)
{
    char list[TH_SETTING_VALUE_MAX + 1];
    uint32_t number;

    th_device_text(device, name, list);
    for (const char *at = list; *at != '\0';) {
        at = next_pin(at, &number);
        if (number == pin)
            return true;
    }
    return false;
}

int th_device_first_pin(struct th_device *device, const char *name)
{
    char list[TH_SETTING_VALUE_MAX + 1];
    uint32_t number;

    th_device_text(device, name, list);
    if (list[0] == '\0')
        return -1;
    next_pin(list, &number);
    return (int)number;
}

/* ---- brokers ---- */

static bool add_broker(struct th_device *device, size_t *used, struct th_span host, uint16_t port)
{
    if (device->broker_count == TH_DEVICE_BROKERS || host.len == 0 ||
        *used + host.len + 1 > sizeof device->hosts)
        return false;
    char *at = device->hosts + *used;
    memcpy(at, host.at, host.len);
    at[host.len] = '\0';
    *used += host.len + 1;
    device->brokers[device->broker_count++] = (struct th_broker){.host = at, .port = port};
    return true;
}

static void add_from_settings(struct th_device *device, const char *name, size_t *used)
{
    char text[TH_SETTING_VALUE_MAX + 1];
    uint16_t port = 0;

    th_device_text(device, name, text);
    const char *host = th_host_port(text, &port);
    add_broker(device, used, th_span_str(host), port);
}

enum th_error th_device_wire_listed(struct th_device *device, enum th_trust_item_kind kind)
{
    struct th_trust_item item;
    size_t used = 0, n = 0;

    device->broker_count = 0;
    while (th_trust_set_item(th_device_trust_set(device), kind, n, &item) &&
           add_broker(device, &used, item.bytes, item.port))
        n++;
    return device->broker_count > 0 ? TH_OK : TH_ERR_CONFIG;
}

/* Named in the settings, else those of the trust set. */
static enum th_error wire_brokers(struct th_device *device)
{
    size_t used = 0;

    device->broker_count = 0;
    add_from_settings(device, "mqtt.server", &used);
    add_from_settings(device, "mqtt1.server", &used);
    return device->broker_count > 0 ? TH_OK : th_device_wire_listed(device, TH_ITEM_BROKER);
}

/* ---- trust ---- */

static bool add_trust_item(struct th_device *device, const struct th_trust_item *item)
{
    struct th_trust *policy = &device->policy;

    switch (item->kind) {
    case TH_ITEM_ANCHOR:
        if (policy->anchor_count == TH_DEVICE_ANCHORS)
            return false;
        device->anchors[policy->anchor_count++] = item->bytes;
        break;
    case TH_ITEM_PIN:
        if (policy->pin_count == TH_DEVICE_PINS)
            return false;
        memcpy(device->pins[policy->pin_count++], item->bytes.at, TH_SHA256_BYTES);
        break;
    case TH_ITEM_FINGERPRINT:
        if (policy->sha256_fingerprint_count == TH_DEVICE_PINS)
            return false;
        memcpy(device->fingerprints[policy->sha256_fingerprint_count++], item->bytes.at,
               TH_SHA256_BYTES);
        break;
    case TH_ITEM_BROKER:
    case TH_ITEM_RECOVERY:
    case TH_ITEM_UPDATE_KEY:
    case TH_ITEM_ROLE: break;
    }
    return true;
}

static bool add_fingerprint_setting(struct th_device *device)
{
    struct th_trust *policy = &device->policy;
    char text[TH_SETTING_VALUE_MAX + 1];

    th_device_text(device, "mqtt.ssl_fingerprint", text);
    if (text[0] == '\0')
        return true;
    if (th_trust_pin_parse(text, device->sha1_fingerprint[0], TH_SHA1_BYTES)) {
        policy->sha1_fingerprint_count = 1;
        return true;
    }
    uint8_t at = policy->sha256_fingerprint_count;
    if (at >= TH_DEVICE_PINS ||
        !th_trust_pin_parse(text, device->fingerprints[at], TH_SHA256_BYTES))
        return false;
    policy->sha256_fingerprint_count++;
    return true;
}

static enum th_error wire_trust(struct th_device *device)
{
    const struct th_device_config *config = device->config;
    enum th_identity_place place = place_of(device, TH_TRIAL_TRUST);
    size_t len = th_identity_trust_len(&device->identity, place), at = 0;
    struct th_trust_item item;

    device->trust_len = 0;
    if (len <= TH_MANIFEST_BYTES)
        return TH_ERR_TRUST_NOTHING_CONFIGURED;
    if (len > config->trust_room)
        return TH_ERR_TOO_LARGE;
    if (th_identity_trust_read(&device->identity, place, 0, config->trust, len) != len)
        return TH_ERR_STORE;
    device->trust_len = len - TH_MANIFEST_BYTES;
    struct th_span set = th_device_trust_set(device);
    device->policy = (struct th_trust){
        .anchors = device->anchors,
        .pins = (const uint8_t(*)[TH_SHA256_BYTES])device->pins,
        .sha256_fingerprints = (const uint8_t(*)[TH_SHA256_BYTES])device->fingerprints,
        .sha1_fingerprints = (const uint8_t(*)[TH_SHA1_BYTES])device->sha1_fingerprint,
    };
    enum th_error error = th_trust_set_check(set);
    bool fits = true;
    while (error == TH_OK && fits && th_trust_set_next(set, &at, &item))
        fits = add_trust_item(device, &item);
    if (error == TH_OK && (!fits || !add_fingerprint_setting(device)))
        error = TH_ERR_CONFIG;
    if (error != TH_OK) {
        device->trust_len = 0;
        return error;
    }
    if (device->policy.anchor_count == 0)
        device->policy.mode = TH_TRUST_FINGERPRINT_INSTEAD;
    return wire_brokers(device);
}

struct th_span th_device_trust_set(const struct th_device *device)
{
    return th_span_of(device->config->trust + TH_MANIFEST_BYTES, device->trust_len);
}

/* ---- identity ---- */

static enum th_error wire_identity(struct th_device *device)
{
    enum th_error error =
        th_identity_load(&device->identity, place_of(device, TH_TRIAL_IDENTITY),
                         device->config->chain, device->config->chain_room, &device->credential);

    if (error == TH_ERR_BAD_STATE)
        return TH_ERR_TRUST_WE_ARE_REQUIRED;
    if (error != TH_OK)
        return error;
    if (device->credential.chain_count == 0)
        return TH_ERR_TRUST_WE_ARE_REQUIRED;
    th_credential_identity(&device->credential, &device->us);
    memcpy(device->id, device->credential.name, sizeof device->id);
    return TH_OK;
}

/* ---- MQTT ---- */

static bool is_v5(struct th_device *device)
{
    char text[TH_SETTING_VALUE_MAX + 1];

    th_device_text(device, "mqtt.version", text);
    return device->config->v5 && (text[0] == '5' || !device->config->v311);
}

/* Packets that wait were encoded in the other version: nobody could send them. */
static void empty_outbox(const struct th_outbox *outbox)
{
    struct th_outbox_entry entry;
    uint32_t cursor = 0;

    while (outbox->ops->next(outbox->ctx, &cursor, &entry))
        outbox->ops->remove(outbox->ctx, entry.id);
    outbox->ops->inbound_clear(outbox->ctx);
}

static void wire_user(struct th_device *device)
{
    char text[TH_SETTING_VALUE_MAX + 1];

    th_device_text(device, "mqtt.client_id", text);
    struct th_text client_id = th_text_init(device->client_id, sizeof device->client_id);
    th_text_str(&client_id, text[0] != '\0' ? text : device->id);
    device->mqtt_config.client_id = th_span_str(device->client_id);
    th_device_text(device, "mqtt.user", text);
    memcpy(device->user, text, sizeof device->user);
    th_device_text(device, "mqtt.pass", device->password);
    device->mqtt_config.user = th_span_str(device->user);
    device->mqtt_config.user_set = device->user[0] != '\0';
    device->mqtt_config.password = th_span_str(device->password);
    device->mqtt_config.password_set = device->password[0] != '\0';
}

static enum th_error wire_mqtt(struct th_device *device)
{
    const struct th_device_config *config = device->config;
    const struct th_mqtt_version *before = device->mqtt_config.version;
    const struct th_mqtt_version *version = is_v5(device) ? config->v5 : config->v311;
    struct th_text topic = th_text_init(device->status_topic, sizeof device->status_topic);

    th_text_str(&topic, device->id);
    th_text_str(&topic, "/status");
    device->will = (struct th_mqtt_will){.topic = th_span_str(device->status_topic),
                                         .payload = TH_SPAN("offline"),
                                         .qos = TH_MQTT_QOS1,
                                         .retain = true};
    if (before && before != version)
        empty_outbox(&config->outbox);
    device->mqtt_config = (struct th_mqtt_config){
        .version = version,
        .fields = &th_mqtt_connect_fields,
        .will = &device->will,
        .keep_alive_s = (uint16_t)th_device_number(device, "mqtt.keep_alive"),
        /* The broker keeps nothing for an absent device: a command that nobody waits for any more
         * must not act when it comes back (F11). What the device has to say waits in its outbox. */
        .clean_start = true,
        /* A request that is too large gets an answer; it must not cost the connection. */
        .large = &th_mqtt_large,
        /* All it subscribes to is at QoS 1, which takes no place to remember. mosquitto 2.0.11
         * sends more than it was told to, and under a flood that would end the connection. */
        .receive_maximum = UINT16_MAX,
        .rx = config->rx,
        .rx_room = config->rx_room,
        .outbox = config->outbox,
    };
    wire_user(device);
    return th_mqtt_init(&device->mqtt, &device->mqtt_config);
}

/* ---- link ---- */

static enum th_fragment_length fragment_of(struct th_device *device)
{
    int32_t length = 0;
    char text[TH_SETTING_VALUE_MAX + 1];

    th_device_text(device, "mqtt.max_fragment", text);
    for (const char *at = text; *at >= '0' && *at <= '9'; at++)
        length = length * 10 + (*at - '0');
    return length == 16384 ? TH_FRAGMENT_16384 : (enum th_fragment_length)length;
}

/* I11: a trial has no stored session, so that each handshake is a full one. */
static enum th_error wire_link(struct th_device *device)
{
    const struct th_device_config *config = device->config;
    bool trial = th_trial_component(&device->trial) != TH_TRIAL_NOTHING;
    bool new = trial &&th_trial_state(&device->trial) == TH_TRIAL_NEW;

    device->tls_config = (struct th_tls_config){.trust = &device->policy,
                                                .identity = &device->us,
                                                .board = &device->board,
                                                .fragment_length = fragment_of(device)};
    device->link_config = (struct th_link_config){
        .board = &device->board,
        .brokers = device->brokers,
        .broker_count = device->broker_count,
        .recovers = config->recovery && config->recovery->ops->possible(device),
        .tls = config->tls,
        .tls_config = &device->tls_config,
        .loan = {config->loan.ops, config->loan.ctx},
        .scratch = config->scratch,
        .session = config->session,
        .session_room = trial ? TH_SESSION_OVERHEAD : config->session_room,
        .session_len = &device->session_len,
        /* A certificate's trial outlives a broker that is down: then it must not hammer (R6). */
        .times = {.backoff_first_ms = new ? TRIAL_BACKOFF_MS : config->backoff_ms,
                  .backoff_max_ms = new &&th_trial_component(&device->trial) != TH_TRIAL_IDENTITY
                                        ? TRIAL_BACKOFF_MS
                                        : 0},
    };
    return th_link_init(&device->link, &device->link_config, &device->mqtt);
}

enum th_error th_device_wire(struct th_device *device)
{
    enum th_error error = wire_identity(device);

    if (error == TH_OK)
        error = wire_trust(device);
    if (error == TH_OK)
        error = wire_mqtt(device);
    if (error == TH_OK)
        error = wire_link(device);
    device->linked = error == TH_OK;
    return error;
}

enum th_error th_device_wire_again(struct th_device *device)
{
    enum th_error error = wire_identity(device);

    if (error == TH_OK)
        error = wire_brokers(device);
    if (error == TH_OK)
        error = wire_mqtt(device);
    device->link_config.broker_count = device->broker_count;
    device->link_config.session_room = device->config->session_room;
    return error;
}

/* ---- Wi-Fi ---- */

static void fixed_part(struct th_device *device, const char *name, uint8_t into[4])
{
    char text[TH_SETTING_VALUE_MAX + 1];
    struct th_address address = {0};

    th_device_text(device, name, text);
    if (text[0] != '\0' && th_address_parse(text, &address) && address.family == 4)
        memcpy(into, address.bytes, 4);
}

static void ap_key(struct th_device *device, char pass[TH_WIFI_PASS_MAX + 1])
{
    char code[TH_SETUP_CODE + 1];

    if (device->factory.log.flash && th_factory_code(&device->factory, code))
        th_setup_code_wifi(device->config->crypto, code, pass);
    th_wipe(code, sizeof code);
}

/* Without a set-up code there is no key for the access point, and so no access point. */
void th_device_wire_wifi(struct th_device *device)
{
    struct th_wifi_config *wifi = &device->wifi_config;
    char text[TH_SETTING_VALUE_MAX + 1];

    memset(wifi, 0, sizeof *wifi);
    wifi->board = &device->board;
    th_device_text(device, "wifi.sta.ssid", text);
    memcpy(wifi->network.ssid, text, sizeof wifi->network.ssid);
    th_device_text(device, "wifi.sta.pass", text);
    memcpy(wifi->network.pass, text, sizeof wifi->network.pass);
    th_device_text(device, "wifi.sta.ip", text);
    wifi->network.fixed = text[0] != '\0';
    fixed_part(device, "wifi.sta.ip", wifi->network.address);
    fixed_part(device, "wifi.sta.netmask", wifi->network.netmask);
    fixed_part(device, "wifi.sta.gw", wifi->network.gateway);
    fixed_part(device, "wifi.sta.nameserver", wifi->network.nameserver);
    ap_key(device, wifi->ap_pass);
    if (wifi->ap_pass[0] == '\0')
        return;
    wifi->fallback_s = (uint32_t)th_device_number(device, "wifi.ap.fallback_s");
    th_device_text(device, "device.id", text);
    struct th_text name = th_text_init(wifi->ap_ssid, sizeof wifi->ap_ssid);
    th_text_str(&name, "thimble-");
    th_text_str(&name, text[0] != '\0' ? text : "setup");
}
