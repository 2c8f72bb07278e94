/* SPDX-License-Identifier: MIT */
/* Settings as names and values: out of nested JSON, out of NAME=VALUE, and into a request. */
#ifndef TOOL_CONFIG_VALUES_H
#define TOOL_CONFIG_VALUES_H

#include <thimble/json.h>

#include "options.h"

#define CONFIG_VALUES     80
#define CONFIG_VALUES_MAX 760 /* bytes of settings that fit a request */

struct config_value {
    char name[40];
    char text[264]; /* as it reads, without quotes */
    char json[540]; /* as it stands in JSON */
};

struct config_values {
    struct config_value at[CONFIG_VALUES];
    size_t count;
};

/* {"wifi":{"sta":{"ssid":"x"}}} and {"wifi.sta.ssid":"x"} alike. False when it is no such object.
 */
bool config_values_read(struct th_json object, struct config_values *out);

/* NAME=VALUE words, each checked against the schema. OPTION_GO_ON, or the code of the error it has
 * printed. */
int config_values_take(const struct words *words, size_t from, struct config_values *out);

/* NULL when there is no value of that name. */
const struct config_value *config_values_find(const struct config_values *values, const char *name);

/* {"config":{…}}, all or with `unlike` those that differ from there. False when it does not fit. */
bool config_values_params(const struct config_values *values, const struct config_values *unlike,
                          char *into, size_t room);

#endif
