/* SPDX-License-Identifier: MIT */
/* thimble config: a device's settings over MQTT. A change is on trial until the device is connected
 * under it and has asked whoever made it; `config set` stays for that and answers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <thimble/json.h>
#include <thimble/settings.h>
#include <thimble/time.h>

#include "commands.h"
#include "config_values.h"
#include "exits.h"
#include "files.h"
#include "json_show.h"
#include "peer.h"
#include "requester.h"
#include "term.h"

#define POLL_MS 1000 /* between two looks at how the trial goes */

enum verb { CONFIG_GET, CONFIG_SET, CONFIG_DIFF, CONFIG_EXPORT, CONFIG_IMPORT };

/* The first request; for import, the one that follows it; then the trial. */
enum step { STEP_ASK, STEP_SET, STEP_PROVE, STEP_LOOK };

struct config {
    struct peer_flags flags;
    long wait_s;
    enum verb verb;
    const char *device, *file;
    struct config_values values; /* to be set, or compared */

    struct th_linux loop;
    struct peer peer;
    struct requester requester;
    char params[CONFIG_VALUES_MAX + 16];
    char answer[8192]; /* the last answer, whole */
    enum step step;
    uint32_t until_ms, look_ms;
    int code;
};

/* ---- what comes back ---- */

static struct th_json result_of(const struct config *config)
{
    struct th_json frame;
    size_t at;

    th_json_parse(th_span_str(config->answer), &frame, &at);
    return th_json_member(frame, "result");
}

static int refused(const struct config *config, struct th_json error)
{
    char message[512] = "it does not say why";
    int64_t code = 0;

    th_json_integer(th_json_member(error, "code"), &code);
    th_json_string(th_json_member(error, "message"), message, sizeof message);
    return fail(EXIT_REFUSED,
                "%s refuses: %s (%d)\nthimble config get %s shows what there is; "
                "docs/settings.md tells what each setting takes",
                config->device, message, (int)code, config->device);
}

static void next_request(struct config *config, const char *method, const char *params)
{
    const struct request request = {.device = config->device,
                                    .caller =
                                        config->flags.as ? config->flags.as : config->flags.user,
                                    .method = method,
                                    .params = params,
                                    .wait_s = (uint32_t)config->wait_s};

    requester_begin(&config->requester, &request);
}

/* How the trial has ended, where it has. */
static void look(struct config *config)
{
    struct th_json result = result_of(config), last = th_json_member(result, "last_trial");
    char component[16], reason[256] = "";

    config->look_ms = th_linux_now(&config->loop) + POLL_MS;
    if (th_json_member(result, "trial").kind == TH_JSON_STRING ||
        !th_json_string(th_json_member(last, "component"), component, sizeof component) ||
        strcmp(component, "settings") != 0)
        return;
    if (th_json_member(last, "kept").kind == TH_JSON_TRUE) {
        say("%s is connected under the new settings: they are kept", config->device);
        config->code = EXIT_OK;
        return;
    }
    th_json_string(th_json_member(last, "reason"), reason, sizeof reason);
    config->code = fail(EXIT_REFUSED, "%s took the change back: %s\ncorrect it, and set it again",
                        config->device, reason);
}

/* What the device has of what the file says, line by line. */
static int show_differences(const struct config *config, const struct config_values *there)
{
    size_t different = 0;

    for (size_t i = 0; i < config->values.count; i++) {
        const struct config_value *here = &config->values.at[i];
        const struct config_value *is = config_values_find(there, here->name);
        if (is && strcmp(is->text, here->text) == 0)
            continue;
        different++;
        if (!term.json)
            printf("%s%s%s: %s%s%s -> %s%s%s\n", term_out(TERM_BOLD), here->name,
                   term_out(TERM_PLAIN), term_out(TERM_RED), is ? is->text : "(unknown)",
                   term_out(TERM_PLAIN), term_out(TERM_GREEN), here->text, term_out(TERM_PLAIN));
    }
    if (term.json) {
        char params[CONFIG_VALUES_MAX + 16];
        if (config_values_params(&config->values, there, params, sizeof params))
            puts(params);
    } else if (different == 0) {
        say("nothing differs");
    }
    return EXIT_OK;
}

static int export(const struct config *config)
{
    struct th_json result = result_of(config);
    struct bytes text = {(uint8_t *)(uintptr_t)result.text.at, result.text.len};

    if (!config->file) {
        json_show(stdout, result, !term.json);
        return EXIT_OK;
    }
    int code = files_write(config->file, text.at, text.len, FILES_PUBLIC, FILES_NEW);
    if (code == EXIT_OK)
        say("the settings of %s are in %s; secrets are never given out", config->device,
            config->file);
    return code;
}

/* What differs is set; the rest would only make the request longer than it may be. */
static int import(struct config *config, const struct config_values *there)
{
    if (!config_values_params(&config->values, there, config->params, sizeof config->params))
        return fail(EXIT_USAGE, "more than %d bytes of settings differ\nimport them in parts",
                    CONFIG_VALUES_MAX);
    config->step = STEP_SET;
    next_request(config, "Config.Set", config->params);
    requester_ask(&config->requester, &config->peer.mqtt);
    return OPTION_GO_ON;
}

static void got(struct config *config)
{
    struct config_values *there = calloc(1, sizeof *there);

    if (!there || !config_values_read(result_of(config), there))
        config->code = fail(EXIT_PROTOCOL, "%s gives no settings\nthimble call %s Config.Get",
                            config->device, config->device);
    else if (config->verb == CONFIG_DIFF)
        config->code = show_differences(config, there);
    else
        config->code = import(config, there);
    free(there);
}

static void was_set(struct config *config)
{
    if (th_json_member(result_of(config), "trial").kind != TH_JSON_TRUE) {
        say("nothing differs from what %s has", config->device);
        config->code = EXIT_OK;
        return;
    }
    say("%s tries the change; it is taken back if the device cannot connect under it",
        config->device);
    config->step = STEP_PROVE;
    config->until_ms = th_linux_now(&config->loop) + (uint32_t)config->wait_s * 1000;
}

static void asked(struct config *config)
{
    switch (config->verb) {
    case CONFIG_GET:
    case CONFIG_EXPORT: config->code = export(config); break;
    case CONFIG_SET: was_set(config); break;
    case CONFIG_DIFF:
    case CONFIG_IMPORT: got(config); break;
    }
}

static void answered(struct config *config, struct th_span text)
{
    struct th_json frame, error;
    size_t at;

    if (text.len >= sizeof config->answer || th_json_parse(text, &frame, &at) != TH_OK ||
        frame.kind != TH_JSON_OBJECT) {
        config->code = fail(EXIT_PROTOCOL,
                            "%s answers with what is not JSON\nthimble sub -t '%s/to/#' "
                            "shows it",
                            config->device, config->device);
        return;
    }
    memcpy(config->answer, text.at, text.len);
    config->answer[text.len] = '\0';
    error = th_json_member(frame, "error");
    if (error.kind != TH_JSON_NONE)
        config->code = refused(config, error);
    else if (config->step == STEP_ASK)
        asked(config);
    else if (config->step == STEP_SET)
        was_set(config);
    else
        look(config);
}

/* ---- the course ---- */

static void mqtt_event(struct config *config, const struct th_mqtt_event *event)
{
    struct th_span answer;

    switch (requester_saw(&config->requester, &config->peer.mqtt, event, &answer)) {
    case REQUESTER_ANSWER: answered(config, answer); break;
    case REQUESTER_DENIED:
        config->code = fail(EXIT_DENIED, "the broker denies this user the request\nthimble broker "
                                         "prove shows what it allows whom");
        break;
    case REQUESTER_PROVE:
        if (config->step != STEP_PROVE)
            break;
        say("%s has connected under it and asks; answered", config->device);
        config->step = STEP_LOOK;
        config->look_ms = th_linux_now(&config->loop) + POLL_MS;
        break;
    case REQUESTER_GO_ON: break;
    }
}

static void events(struct config *config)
{
    struct th_link_event event;

    while (config->code == OPTION_GO_ON &&
           th_link_next(&config->peer.link, th_linux_now(&config->loop), &event)) {
        peer_saw(&config->peer, &event);
        if (event.kind == TH_LINK_EVENT_MQTT)
            mqtt_event(config, &event.u.mqtt);
        else if (event.kind == TH_LINK_EVENT_FAILED && event.u.failed.retry_ms > 0 &&
                 config->requester.asked == 0)
            config->code = peer_fail(&config->peer, &event.u.failed.failure);
    }
}

static int late(const struct config *config)
{
    if (config->step <= STEP_SET)
        return fail(EXIT_TIMED_OUT,
                    "%s did not answer within %ld s\nthimble sub -t '%s/status' "
                    "tells whether it is there",
                    config->device, config->wait_s, config->device);
    return fail(EXIT_TIMED_OUT,
                "%s has not come back within %ld s; it goes back to the old settings "
                "by itself\nthimble call %s Log.Tail tells why, once it is there",
                config->device, config->wait_s, config->device);
}

/* Asks how it goes, now and then, once the change has been tried: the device is away while it is.
 */
static void poll_trial(struct config *config, uint32_t now)
{
    if (config->step != STEP_LOOK || !th_time_reached(now, config->look_ms))
        return;
    config->look_ms = now + POLL_MS;
    next_request(config, "Sys.GetInfo", "{}");
    requester_ask(&config->requester, &config->peer.mqtt);
}

static uint32_t patience(const struct config *config, uint32_t now)
{
    uint32_t wait = th_time_sooner(th_link_deadline(&config->peer.link, now),
                                   th_time_until(now, config->until_ms));

    return config->step == STEP_LOOK ? th_time_sooner(wait, th_time_until(now, config->look_ms))
                                     : wait;
}

static int run(struct config *config)
{
    int code = peer_open(&config->peer, &config->loop, &config->flags);

    if (code != EXIT_OK)
        return code;
    next_request(config, config->verb == CONFIG_SET ? "Config.Set" : "Config.Get", config->params);
    config->requester.proves = config->verb == CONFIG_SET || config->verb == CONFIG_IMPORT;
    config->code = OPTION_GO_ON;
    config->until_ms = th_linux_now(&config->loop) + (uint32_t)config->wait_s * 1000;
    th_link_start(&config->peer.link, th_linux_now(&config->loop));
    while (config->code == OPTION_GO_ON) {
        events(config);
        uint32_t now = th_linux_now(&config->loop);
        poll_trial(config, now);
        if (config->code == OPTION_GO_ON && th_time_reached(now, config->until_ms))
            config->code = late(config);
        if (config->code == OPTION_GO_ON)
            th_linux_wait(&config->loop, patience(config, now));
    }
    requester_leave(&config->peer);
    return config->code;
}

/* ---- the command line ---- */

static int take_file(struct config *config)
{
    struct bytes text;
    struct th_json object;
    size_t at;
    int code = files_read(config->file, &text);

    if (code != EXIT_OK)
        return code;
    code = OPTION_GO_ON;
    if (th_json_parse(th_span_of(text.at, text.len), &object, &at) != TH_OK)
        code = fail(EXIT_INPUT,
                    "%s is not JSON, from byte %zu on\nthimble config export makes such a file",
                    config->file, at + 1);
    else if (!config_values_read(object, &config->values))
        code = fail(EXIT_INPUT, "%s holds no settings\nthimble config export makes such a file",
                    config->file);
    bytes_free(&text);
    return code;
}

/* Words behind the device: a key, NAME=VALUE..., a file. */
static int take_words(struct config *config, const struct words *words)
{
    static const size_t most[] = {2, WORDS_MAX, 2, 2, 2}, least[] = {1, 2, 2, 1, 2};

    if (words->count < least[config->verb] || words->count > most[config->verb])
        return fail(EXIT_USAGE, "the number of arguments is wrong\nthimble config --help");
    config->device = words->at[0];
    memcpy(config->params, "{}", 3);
    switch (config->verb) {
    case CONFIG_GET:
        if (words->count == 2 && strlen(words->at[1]) > 31)
            return fail(EXIT_USAGE, "no setting has so long a name\nthimble config get %s",
                        config->device);
        if (words->count == 2)
            snprintf(config->params, sizeof config->params, "{\"key\":\"%s\"}", words->at[1]);
        return OPTION_GO_ON;
    case CONFIG_SET: {
        int code = config_values_take(words, 1, &config->values);
        if (code == OPTION_GO_ON &&
            !config_values_params(&config->values, NULL, config->params, sizeof config->params))
            return fail(EXIT_USAGE, "that is more than %d bytes of settings\nset them in parts",
                        CONFIG_VALUES_MAX);
        return code;
    }
    case CONFIG_EXPORT: config->file = words->count == 2 ? words->at[1] : NULL; return OPTION_GO_ON;
    case CONFIG_DIFF:
    case CONFIG_IMPORT: config->file = words->at[1]; return take_file(config);
    }
    return OPTION_GO_ON;
}

static int take(struct config *config, const struct usage *usage, int argc, char **argv)
{
    struct words words = {0};
    const struct option own[] = {
        {'W', NULL, "SECONDS", "wait so long for the device [90]", OPTION_NUMBER, &config->wait_s,
         1, 86400},
        OPTION_ROW_JSON,
    };
    struct option options[PEER_OPTIONS_MAX];

    peer_flags_init(&config->flags);
    config->wait_s = 90;
    size_t count = options_append(options, 0, own, sizeof own / sizeof own[0]);
    count = peer_options_mqtt(options, count, &config->flags);
    count = peer_options_tls(options, count, &config->flags);
    int code = options_take(usage, options, count, argc, argv, &words);
    if (code == OPTION_GO_ON)
        code = take_words(config, &words);
    return code == OPTION_GO_ON ? requester_user(&config->flags) : code;
}

static int config_verb(enum verb verb, const struct usage *usage, int argc, char **argv)
{
    struct config *config = calloc(1, sizeof *config);
    struct th_failure failure;

    if (!config)
        return fail(EXIT_FAILED, "no memory\nend other programs");
    config->verb = verb;
    int code = take(config, usage, argc, argv);
    if (code == OPTION_GO_ON && !th_linux_init(&config->loop, &failure))
        code = fail(EXIT_FAILED, "cannot start: %s\n%s", th_error_text(failure.error),
                    th_error_remedy(failure.error));
    if (code == OPTION_GO_ON) {
        code = run(config);
        peer_close(&config->peer);
        th_linux_close(&config->loop);
    }
    free(config);
    return code;
}

static int get_main(int argc, char **argv)
{
    static const struct usage usage = {"config get", "DEVICE [KEY]",
                                       "Prints a device's settings, without secrets.",
                                       "KEY is what names begin with:\n"
                                       "  thimble config get garden wifi.sta"};
    return config_verb(CONFIG_GET, &usage, argc, argv);
}

static int set_main(int argc, char **argv)
{
    static const struct usage usage = {
        "config set", "DEVICE NAME=VALUE...",
        "Changes settings on trial: they hold once the device is connected under them.",
        "It stays until the device has come back and asked, and says how it went:\n"
        "  thimble config set garden telemetry.interval_s=30 log.level=warn"};
    return config_verb(CONFIG_SET, &usage, argc, argv);
}

static int diff_main(int argc, char **argv)
{
    static const struct usage usage = {"config diff", "DEVICE FILE",
                                       "Shows what an import of FILE would change.",
                                       "  thimble config diff garden garden.json"};
    return config_verb(CONFIG_DIFF, &usage, argc, argv);
}

static int export_main(int argc, char **argv)
{
    static const struct usage usage = {"config export", "DEVICE [FILE]",
                                       "Writes a device's settings to FILE, or to stdout.",
                                       "  thimble config export garden garden.json"};
    return config_verb(CONFIG_EXPORT, &usage, argc, argv);
}

static int import_main(int argc, char **argv)
{
    static const struct usage usage = {
        "config import", "DEVICE FILE",
        "Sets what FILE says and the device has otherwise, on trial, as config set.",
        "  thimble config import garden garden.json"};
    return config_verb(CONFIG_IMPORT, &usage, argc, argv);
}

int config_main(int argc, char **argv)
{
    static const struct command commands[] = {
        {"get", get_main, "prints settings"},
        {"set", set_main, "changes settings, on trial"},
        {"diff", diff_main, "compares settings with a file"},
        {"export", export_main, "writes settings to a file"},
        {"import", import_main, "sets what a file says, on trial"},
    };
    return commands_run("config", commands, sizeof commands / sizeof commands[0], argc, argv);
}
