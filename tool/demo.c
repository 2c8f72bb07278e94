/* SPDX-License-Identifier: MIT */
/* thimble demo: the whole story on one machine, with real brokers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "demo_stage.h"
#include "exits.h"
#include "options.h"
#include "term.h"

#define PATIENCE_MS 20000
#define BURST       100 /* messages at each QoS while the broker is away */

struct cost {
    uint32_t ms, in, out;
};

struct demo {
    struct stage stage;
    bool stay;
    const char *backend;
    struct cost full, resumed;
    unsigned act;
};

/* ---- telling ---- */

static void act(struct demo *demo, const char *what)
{
    say("\n%s%u. %s%s", term_out(TERM_BOLD), ++demo->act, what, term_out(TERM_PLAIN));
}

static void good(const char *what)
{
    say("    %s%s%s", term_out(TERM_GREEN), what, term_out(TERM_PLAIN));
}

static void typed(const char *command)
{
    say("    %s$ %s%s", term_out(TERM_CYAN), command, term_out(TERM_PLAIN));
}

/* A wait that must succeed: says what did not happen. */
static int expect(struct demo *demo, bool (*happened)(struct stage *stage), const char *what)
{
    if (stage_until(&demo->stage, happened, PATIENCE_MS))
        return EXIT_OK;
    if (demo->stage.interrupted)
        return EXIT_FAILED;
    const struct actor *device = &demo->stage.device.actor;
    char text[256] = "";
    if (device->failures)
        th_failure_text(&device->failure, text, sizeof text);
    return fail(EXIT_FAILED,
                "the demo expected that %s; it did not happen within %d s%s%s\n"
                "run it again on a quieter machine, or report it with this output",
                what, PATIENCE_MS / 1000, *text ? "; the device's last failure: " : "", text);
}

static struct cost cost_of(const struct actor *actor)
{
    return (struct cost){actor->tls_ms, actor->tls.bytes_in, actor->tls.bytes_out};
}

/* ---- what is waited for ---- */

static bool device_up(struct stage *stage)
{
    return stage->device.actor.up;
}

static bool device_down(struct stage *stage)
{
    return !stage->device.actor.up;
}

static bool both_up(struct stage *stage)
{
    return stage->device.actor.up && stage->user.actor.up && stage->user.subscribed;
}

static bool both_down(struct stage *stage)
{
    return !stage->device.actor.up && !stage->user.actor.up;
}

static bool user_ready(struct stage *stage)
{
    return stage->user.actor.up && stage->user.subscribed;
}

static bool three_rounds(struct stage *stage)
{
    return stage->user.shown >= 6;
}

static bool answer_came(struct stage *stage)
{
    return stage->user.answered;
}

static bool device_refused(struct stage *stage)
{
    enum th_layer layer = th_error_layer(stage->device.actor.failure.error);
    return stage->device.actor.failures && layer == TH_LAYER_TRUST;
}

static bool all_arrived(struct stage *stage)
{
    return th_mqtt_pending(&stage->device.actor.peer.mqtt) == 0 &&
           ledger_sum(&stage->ledger, 1).lost == 0 && ledger_sum(&stage->ledger, 2).lost == 0;
}

/* ---- the acts ---- */

static int make_everything(struct demo *demo)
{
    struct stage *stage = &demo->stage;
    act(demo, "Two authorities, a broker, a device and two users are made");
    typed("thimble ca init && thimble broker init");
    int code = stage_make_broker(stage, &stage->home, "home", "Demo");
    if (code != EXIT_OK)
        return code;
    say("    server CA (devices know the broker by it) and device CA (the broker knows devices by "
        "it)");
    typed("thimble device enrol " DEMO_DEVICE);
    code = stage_command(device_main,
                         (const char *[]){"enrol", "--dir", stage->home.dir, DEMO_DEVICE, NULL});
    say("    it made its own private key, and only its request left it");
    typed("thimble user add " DEMO_USER " --role operator");
    if (code == EXIT_OK)
        code = stage_command(user_main, (const char *[]){"add", "--dir", stage->home.dir, DEMO_USER,
                                                         "--role", "operator", NULL});
    if (code == EXIT_OK)
        code = stage_command(user_main, (const char *[]){"add", "--dir", stage->home.dir,
                                                         DEMO_FRIEND, "--role", "operator", NULL});
    say("    everything lies in %s", stage->dir);
    return code;
}

static int start_broker(struct demo *demo)
{
    struct stage *stage = &demo->stage;
    act(demo, "A real mosquitto starts; it demands a client certificate from everybody");
    typed("thimble broker run");
    int code = stage_start_broker(stage, &stage->home);
    if (code == EXIT_OK)
        code = relay_start(&stage->relay, stage->home.port);
    if (code == EXIT_OK)
        say("    port %u for devices, %u for users (the device goes through a relay on port %u, "
            "so that\n    its connection can be cut)",
            stage->home.port, stage->home.user_port, stage->relay.port);
    return code;
}

static int connect_device(struct demo *demo)
{
    struct stage *stage = &demo->stage;
    act(demo, "The device connects over mutual TLS");
    stage->device.actor.talk = true;
    int code = demo_device_start(&stage->device, &stage->loop, stage->home.dir, stage->relay.port,
                                 demo->backend, &stage->ledger);
    if (code == EXIT_OK)
        code = expect(demo, device_up, "the device connects");
    demo->full = cost_of(&stage->device.actor);
    return code;
}

static int watch_telemetry(struct demo *demo)
{
    struct stage *stage = &demo->stage;
    act(demo, "A user watches: telemetry once a second, at QoS 1 and QoS 2");
    int code = demo_user_start(&stage->user, &stage->loop, stage->home.dir, stage->home.user_port,
                               &stage->ledger);
    if (code == EXIT_OK)
        code = expect(demo, user_ready, "the user is subscribed");
    if (code != EXIT_OK)
        return code;
    say("    %s joined with a certificate of her own (TLS 1.%d, %s)", DEMO_USER,
        stage->user.actor.tls.version - 0x0301, stage->user.actor.peer.tls.ops->name);
    stage->user.show = true;
    stage->device.measuring = true;
    code = expect(demo, three_rounds, "telemetry arrives");
    stage->user.show = false;
    return code;
}

static int ask(struct demo *demo)
{
    static const char request[] = "{\"id\":1,\"method\":\"Zone.On\"}";
    struct stage *stage = &demo->stage;
    act(demo, "A command is answered; who asks is proven by the topic");
    say("    %s -> %s/from/%s/rpc  %s", DEMO_USER, DEMO_DEVICE, DEMO_USER, request);
    if (!demo_user_ask(&stage->user, request))
        return fail(EXIT_FAILED, "the user cannot publish\nreport this");
    int code = expect(demo, answer_came, "the device answers");
    if (code == EXIT_OK)
        say("    %s -> %s/to/%s/rpc   %s", DEMO_DEVICE, DEMO_DEVICE, DEMO_USER, stage->user.answer);
    return code;
}

static int meet_impostor(struct demo *demo)
{
    struct stage *stage = &demo->stage;
    struct actor *device = &stage->device.actor;
    char text[256];
    act(demo, "An impostor takes the broker's place: same name, another CA's certificate");
    int code = stage_make_broker(stage, &stage->impostor, "impostor", "Impostor");
    if (code == EXIT_OK)
        code = stage_start_broker(stage, &stage->impostor);
    if (code != EXIT_OK)
        return code;
    device->talk = false;
    device->failures = 0;
    relay_cut(&stage->relay, stage->impostor.port);
    code = expect(demo, device_refused, "the device refuses the impostor");
    if (code != EXIT_OK)
        return code;
    th_failure_text(&device->failure, text, sizeof text);
    good("refused by the device, before it has said who it is:");
    say("    found     %s", text);
    say("    remedy    %s", th_error_remedy(device->failure.error));
    stage_end_broker(stage, &stage->impostor);
    relay_cut(&stage->relay, stage->home.port);
    code = expect(demo, device_up, "the device finds its broker again");
    if (code == EXIT_OK)
        say("    The real broker is back, and the device with it.");
    return code;
}

static int cut_the_link(struct demo *demo)
{
    struct stage *stage = &demo->stage;
    act(demo, "The link is cut; the device comes back with a resumed TLS session");
    relay_cut(&stage->relay, stage->home.port);
    int code = expect(demo, device_down, "the device notices");
    stage->device.actor.talk = true;
    if (code == EXIT_OK)
        code = expect(demo, device_up, "the device comes back");
    stage->device.actor.talk = false;
    demo->resumed = cost_of(&stage->device.actor);
    if (code == EXIT_OK && !stage->device.actor.tls.resumed)
        code = fail(EXIT_FAILED, "the TLS session was not resumed\nreport this");
    if (code == EXIT_OK)
        say("    (the full one: %u ms, %u bytes received, %u bytes sent)", demo->full.ms,
            demo->full.in, demo->full.out);
    return code;
}

static int restart_broker(struct demo *demo)
{
    struct stage *stage = &demo->stage;
    act(demo, "The broker is restarted while the device goes on measuring");
    stage_end_broker(stage, &stage->home);
    int code = expect(demo, both_down, "device and user notice that the broker is gone");
    for (int i = 0; code == EXIT_OK && i < BURST; i++) {
        if (!demo_device_measure(&stage->device))
            code = fail(EXIT_FAILED, "the outbox is full\nreport this");
    }
    if (code != EXIT_OK)
        return code;
    say("    While it is away %u messages wait in the device's outbox.",
        th_mqtt_pending(&stage->device.actor.peer.mqtt));
    stage->device.actor.talk = true;
    code = stage_start_broker(stage, &stage->home);
    if (code == EXIT_OK)
        code = expect(demo, both_up, "device and user are back");
    stage->device.actor.talk = false;
    if (code == EXIT_OK && stage->device.actor.tls.resumed)
        code = fail(EXIT_FAILED, "TLS was resumed over a restart\nreport this");
    if (code == EXIT_OK &&
        !(stage->device.actor.session_present && stage->user.actor.session_present))
        code = fail(EXIT_FAILED, "the MQTT session did not survive\nreport this");
    stage->device.measuring = false;
    return code == EXIT_OK ? expect(demo, all_arrived, "everything arrives") : code;
}

static int count_up(struct demo *demo)
{
    struct stage *stage = &demo->stage;
    stage_play(stage, 500); /* for what arrives twice */
    struct ledger_sum once = ledger_sum(&stage->ledger, 1), exact = ledger_sum(&stage->ledger, 2);
    say("    QoS 1: %u sent, %u lost, %u arrived twice (at least once is its promise)", once.sent,
        once.lost, once.doubled);
    say("    QoS 2: %u sent, %u lost, %u arrived twice (exactly once)", exact.sent, exact.lost,
        exact.doubled);
    if (once.lost || exact.lost || exact.doubled)
        return fail(EXIT_FAILED, "messages were lost or doubled\nreport this");
    good("Nothing at QoS 1 or 2 was lost.");
    return EXIT_OK;
}

/* ---- the end ---- */

static void summary(const struct demo *demo)
{
    say("\n%sWhat you saw%s", term_out(TERM_BOLD), term_out(TERM_PLAIN));
    say("    full TLS handshake     %3u ms  %5u bytes received  %5u sent", demo->full.ms,
        demo->full.in, demo->full.out);
    say("    resumed                %3u ms  %5u bytes received  %5u sent", demo->resumed.ms,
        demo->resumed.in, demo->resumed.out);
    say("    the device's private key never left its directory, an impostor was refused, and a\n"
        "    broker restart lost nothing at QoS 1 and 2");
}

static void next_commands(void)
{
    static const char *const rows[] = {"thimble ca init",
                                       "thimble broker init",
                                       "thimble broker run",
                                       "thimble device enrol lamp",
                                       "thimble user add alice",
                                       "thimble pub --as lamp -t lamp/status -m hello",
                                       "thimble sub --as alice -t '+/status' -v",
                                       "thimble tls HOST:8883 --as lamp"};
    say("\n%sNow yours%s (kept in ~/.thimble; each command says what to do next)",
        term_out(TERM_BOLD), term_out(TERM_PLAIN));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        typed(rows[i]);
    say("    or this story again with everything left running: %sthimble demo --stay%s",
        term_out(TERM_CYAN), term_out(TERM_PLAIN));
}

static void stay(struct demo *demo)
{
    struct stage *stage = &demo->stage;
    struct path user = path_of("%s/users/%s", stage->home.dir, DEMO_FRIEND);
    char with[4096];
    snprintf(with, sizeof with,
             "-h localhost -p %u --cafile %s/ca.crt --cert %s/user.crt --key "
             "%s/user.key -V mqttv5",
             stage->home.user_port, user.text, user.text, user.text);
    stage->device.measuring = true;
    say("\n%sEverything is left running; Ctrl-C ends it and removes it.%s", term_out(TERM_BOLD),
        term_out(TERM_PLAIN));
    say("Watch the device, as the user %s:\n", DEMO_FRIEND);
    say("mosquitto_sub %s -v -t '%s/#'\n", with, DEMO_DEVICE);
    say("Or ask it something (one certificate is one connection: end the other first):\n");
    say("mosquitto_rr %s -t %s/from/%s/rpc -e %s/to/%s/rpc -m "
        "'{\"id\":1,\"method\":\"Sys.GetInfo\"}"
        "'\n",
        with, DEMO_DEVICE, DEMO_FRIEND, DEMO_DEVICE, DEMO_FRIEND);
    say("The broker's log: %s/broker/log", stage->home.dir);
    while (!stage->interrupted)
        stage_play(stage, 1000);
    say("\nEnding; %s is removed.", stage->dir);
}

static int play(struct demo *demo)
{
    static int (*const acts[])(struct demo * demo) = {
        make_everything, start_broker, connect_device, watch_telemetry, ask,
        meet_impostor,   cut_the_link, restart_broker, count_up};
    for (size_t i = 0; i < sizeof acts / sizeof acts[0]; i++) {
        int code = acts[i](demo);
        if (demo->stage.interrupted)
            return fail(EXIT_FAILED, "the demo was interrupted; everything it made is removed\n"
                                     "thimble demo");
        if (code != EXIT_OK)
            return code;
    }
    summary(demo);
    if (demo->stay)
        stay(demo);
    else
        next_commands();
    return EXIT_OK;
}

int demo_main(int argc, char **argv)
{
    static const struct usage usage = {
        "demo", "", "Shows the whole story on this machine, with a real mosquitto; ends by itself.",
        "Everything is made in a temporary directory and removed at the end."};
    struct demo *demo = calloc(1, sizeof *demo);
    struct words rest = {0};
    if (!demo)
        return fail(EXIT_FAILED, "no memory\nend other programs");
    demo->backend = "bearssl";
    const struct option options[] = {
        {0, "stay", NULL, "leave it running, and say how to join in", OPTION_FLAG, &demo->stay, 0,
         0},
        {0, "tls-backend", "NAME", "the device's: bearssl or openssl [bearssl]", OPTION_TEXT,
         &demo->backend, 0, 0},
    };
    int code = options_take(&usage, options, 2, argc, argv, &rest);
    if (code == OPTION_GO_ON && rest.count)
        code = fail(EXIT_USAGE, "demo takes no '%s'\nthimble demo", rest.at[0]);
    if (code == OPTION_GO_ON) {
        demo->stage.home.process.output = demo->stage.impostor.process.output = -1;
        code = stage_open(&demo->stage);
        if (code == EXIT_OK)
            code = play(demo);
        stage_close(&demo->stage);
    }
    free(demo);
    return code;
}
