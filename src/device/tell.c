/* SPDX-License-Identifier: MIT */
/* Lines for the console: how it started, mode, address, topics, failures with their remedy. */
#include "device/parts.h"

#define LINE 384

void th_device_show(const struct th_device *device, const char *line)
{
    if (device->config->say)
        device->config->say(device->config->user, line);
}

void th_device_log(const struct th_device *device, enum th_level level, const char *line)
{
    const struct th_device_config *config = device->config;

    if (level < TH_LEVEL_DEBUG)
        th_device_show(device, line);
    for (uint8_t i = 0; i < config->service_count; i++) {
        const struct th_service *service = &config->services[i];
        if (service->ops->said)
            service->ops->said(service->ctx, level, line);
    }
}

void th_device_say(const struct th_device *device, const char *line)
{
    th_device_log(device, TH_LEVEL_INFO, line);
}

void th_device_tell_start(struct th_device *device)
{
    static const char *const resets[] = {"power on", "a restart", "the watchdog", "a crash",
                                         "an unknown reset"};
    char line[LINE];
    struct th_text text = th_text_init(line, sizeof line);

    th_text_str(&text, device->config->product);
    th_text_char(&text, ' ');
    th_text_str(&text, device->config->version);
    th_text_str(&text, ", hardware ");
    th_text_decimal(&text, device->config->hardware);
    th_text_str(&text, ", started by ");
    th_text_str(&text, resets[device->reset]);
    th_device_say(device, line);
}

static void tell_broker(struct th_device *device)
{
    char line[LINE];
    struct th_text text = th_text_init(line, sizeof line);

    th_text_str(&text, "broker");
    for (uint8_t i = 0; i < device->broker_count; i++) {
        th_text_str(&text, i > 0 ? ", then " : " ");
        th_text_str(&text, device->brokers[i].host);
        th_text_char(&text, ':');
        th_text_decimal(&text, device->brokers[i].port ? device->brokers[i].port : 8883);
    }
    th_text_str(&text,
                device->mqtt_config.version == device->config->v5 ? ", MQTT 5.0" : ", MQTT 3.1.1");
    th_device_say(device, line);
    text = th_text_init(line, sizeof line);
    th_text_str(&text, "topics: listens on ");
    th_text_str(&text, device->id);
    th_text_str(&text, "/from/#, tells ");
    th_text_str(&text, device->id);
    th_text_str(&text, "/status, /log, /telemetry");
    th_device_say(device, line);
}

static const char *mode_reason(const struct th_device *device)
{
    switch ((enum th_device_mode)device->mode) {
    case TH_MODE_SAFE:
        return ": it has crashed too often. Switch it off and on, or wait ten minutes";
    case TH_MODE_CONFIG: return device->id[0] != '\0' ? "" : ": not enrolled";
    case TH_MODE_MQTT: break;
    }
    return "";
}

void th_device_tell_mode(struct th_device *device)
{
    char line[LINE];
    struct th_text text = th_text_init(line, sizeof line);

    th_text_str(&text, "device ");
    th_text_str(&text, device->id[0] != '\0' ? device->id : "without a name");
    th_text_str(&text, ", mode ");
    th_text_str(&text, th_device_mode_name((enum th_device_mode)device->mode));
    th_text_str(&text, mode_reason(device));
    if (th_device_trying(device))
        th_text_str(&text, th_trial_running(&device->trial) ? "; a change is on trial"
                                                            : "; a change waits for its trial");
    th_device_say(device, line);
    if (device->mode == TH_MODE_MQTT)
        tell_broker(device);
}

void th_device_tell_failure(struct th_device *device, const struct th_failure *failure,
                            uint32_t retry_ms)
{
    char line[LINE];
    struct th_text text = th_text_init(line, sizeof line);

    text.len = th_failure_text(failure, line, sizeof line);
    th_text_str(&text, "; ");
    th_text_str(&text, th_error_remedy(failure->error));
    if (retry_ms > 0 && retry_ms != TH_FOREVER) {
        th_text_str(&text, "; again in ");
        th_text_decimal(&text, retry_ms);
        th_text_str(&text, " ms");
    }
    th_device_log(device, TH_LEVEL_ERROR, line);
}

void th_device_tell_address(struct th_device *device, const uint8_t address[4])
{
    char line[LINE];
    struct th_text text = th_text_init(line, sizeof line);

    th_text_str(&text, "Wi-Fi ");
    th_text_str(&text, device->wifi_config.network.ssid);
    th_text_str(&text, ", address ");
    for (int i = 0; i < 4; i++) {
        if (i > 0)
            th_text_char(&text, '.');
        th_text_decimal(&text, address[i]);
    }
    th_device_say(device, line);
}
