/* SPDX-License-Identifier: MIT */
/* What devices of the simulated world hear from each other through its broker. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim_device.h"

/* What a listener heard: "topic=payload", with '!' where it was retained, one after the other. */
struct heard {
    char text[256];
    size_t len;
};

struct world {
    struct sim_world one; /* the device that is watched: it has a will */
    struct sim_device listener;
    struct heard heard;
    struct th_mqtt_will will;
};

static void append(struct heard *heard, struct th_span text)
{
    assert_true(text.len < sizeof heard->text - heard->len);
    memcpy(heard->text + heard->len, text.at, text.len);
    heard->len += text.len;
}

static void on_event(struct sim_device *device, const struct th_link_event *event)
{
    struct heard *heard = device->user;
    if (event->kind != TH_LINK_EVENT_MQTT || event->u.mqtt.kind != TH_MQTT_EVENT_MESSAGE)
        return;
    append(heard, event->u.mqtt.u.message.topic);
    append(heard, event->u.mqtt.u.message.retain ? TH_SPAN("!=") : TH_SPAN("="));
    append(heard, event->u.mqtt.u.message.payload);
    append(heard, TH_SPAN(" "));
}

static void begin(struct world *world, const struct th_mqtt_version *version)
{
    memset(world, 0, sizeof *world);
    sim_world_begin(&world->one, 1, 0, &sim_by_name, 1);
    world->will = (struct th_mqtt_will){.topic = TH_SPAN("d/status"), .payload = TH_SPAN("gone")};
    world->one.device.mqtt_config.will = &world->will;
    world->one.device.mqtt_config.fields = &th_mqtt_connect_fields;
    world->one.device.mqtt_config.version = version;
    sim_device_init(&world->listener, world->one.sim, 2, &sim_by_name, 1);
    world->listener.on_event = on_event;
    world->listener.user = &world->heard;
}

static void end(struct world *world)
{
    assert_int_equal(th_sim_broker_stats(world->one.broker)->violations, 0);
    sim_world_end(&world->one);
}

static void run(struct world *world, uint32_t ms)
{
    sim_device_wake(&world->one.device);
    sim_device_wake(&world->listener);
    th_sim_run(world->one.sim, ms);
}

static void listen(struct world *world)
{
    const struct th_mqtt_filter filter = {.filter = TH_SPAN("d/#")};
    uint16_t id;
    sim_device_start(&world->listener);
    run(world, 1000);
    assert_int_equal(th_mqtt_subscribe(&world->listener.mqtt, &filter, 1, NULL, 0, &id), TH_OK);
    run(world, 1000);
}

static void publish(struct world *world, const char *topic, const char *payload, bool retain)
{
    const struct th_mqtt_publish publish = {
        .topic = th_span_str(topic), .payload = th_span_str(payload), .retain = retain};
    assert_int_equal(th_mqtt_publish(&world->one.device.mqtt, &publish, NULL), TH_OK);
    run(world, 1000);
}

static void a_retained_message_waits_for_later_subscribers_until_it_is_cleared(void **state)
{
    (void)state;
    struct world world;
    begin(&world, &th_mqtt_v311);
    sim_device_start(&world.one.device);
    run(&world, 1000);
    publish(&world, "d/a", "1", true);
    publish(&world, "d/a", "2", true);
    publish(&world, "d/b", "3", true);
    publish(&world, "d/b", "", true);
    publish(&world, "d/c", "4", false);
    listen(&world);
    assert_string_equal(world.heard.text, "d/a!=2 ");
    publish(&world, "d/a", "5", true); /* to one who is there already it is no retained one */
    assert_string_equal(world.heard.text, "d/a!=2 d/a=5 ");
    end(&world);
}

static void a_will_is_published_when_a_device_vanishes_and_not_when_it_says_goodbye(void **state)
{
    (void)state;
    for (int dropped = 0; dropped < 2; dropped++) {
        struct world world;
        begin(&world, &th_mqtt_v311);
        listen(&world);
        sim_device_start(&world.one.device);
        run(&world, 1000);
        if (dropped)
            th_sim_pipe_drop(world.one.device.node.pipe);
        else
            th_link_stop(&world.one.device.link, th_sim_now_ms(world.one.sim));
        run(&world, 3000);
        assert_string_equal(world.heard.text, dropped ? "d/status=gone " : "");
        end(&world);
    }
}

/* 5.0: reason 0x04. The link ends as after th_link_stop(). */
static void an_application_can_say_goodbye_and_have_its_will_published(void **state)
{
    (void)state;
    struct world world;
    begin(&world, &th_mqtt_v5);
    world.will.retain = true;
    sim_device_start(&world.one.device);
    run(&world, 1000);
    assert_int_equal(th_mqtt_disconnect(&world.one.device.mqtt, 4, NULL, 0), TH_OK);
    run(&world, 1000);
    assert_int_equal(sim_world_state(&world.one), TH_LINK_DOWN);
    listen(&world);
    assert_string_equal(world.heard.text, "d/status!=gone ");
    end(&world);
}

static void a_delayed_will_is_not_published_when_the_device_is_back_in_time(void **state)
{
    (void)state;
    for (int back = 0; back < 2; back++) {
        struct world world;
        begin(&world, &th_mqtt_v5);
        const struct th_mqtt_property delay = {.id = TH_MQTT_WILL_DELAY, .number = 10};
        world.will.properties = &delay;
        world.will.property_count = 1;
        world.one.device.mqtt_config.session_expiry_s = 60;
        listen(&world);
        sim_device_start(&world.one.device);
        run(&world, 1000);
        world.one.device.node.network = back;
        th_sim_pipe_drop(world.one.device.node.pipe);
        run(&world, 9000);
        assert_string_equal(world.heard.text, "");
        run(&world, 2000);
        assert_string_equal(world.heard.text, back ? "" : "d/status=gone ");
        end(&world);
    }
}

static void a_second_client_of_the_same_name_takes_the_session_over(void **state)
{
    (void)state;
    struct world world;
    begin(&world, &th_mqtt_v311);
    listen(&world);
    struct sim_device second;
    sim_device_init(&second, world.one.sim, 2, &sim_by_name, 1);
    sim_device_start(&second);
    run(&world, 200);
    const struct note *failed = sim_device_note(&world.listener, TH_LINK_EVENT_FAILED, 0);
    assert_non_null(failed);
    assert_int_equal(failed->event.u.failed.failure.error, TH_ERR_MQTT_CLOSED);
    assert_true(
        sim_device_note(&second, TH_LINK_EVENT_MQTT, 0)->event.u.mqtt.u.connack.session_present);
    end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_retained_message_waits_for_later_subscribers_until_it_is_cleared),
        cmocka_unit_test(a_will_is_published_when_a_device_vanishes_and_not_when_it_says_goodbye),
        cmocka_unit_test(an_application_can_say_goodbye_and_have_its_will_published),
        cmocka_unit_test(a_delayed_will_is_not_published_when_the_device_is_back_in_time),
        cmocka_unit_test(a_second_client_of_the_same_name_takes_the_session_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
