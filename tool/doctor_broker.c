/* SPDX-License-Identifier: MIT */
/* The broker's configuration, and whether it runs with it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "doctor.h"
#include "exits.h"
#include "mosquitto.h"
#include "process.h"
#include "term.h"

#define REPLACE "thimble broker init --replace, and restart it"

/* Settings that decide about everybody. */
struct reading {
    struct doctor *doctor;
    bool anonymous, in_listener, identity, client_id, required;
    long port, packet, connections;
};

static void end_listener(struct reading *reading)
{
    struct doctor *doctor = reading->doctor;
    bool tls = false, devices = false;
    for (size_t i = 0; i < doctor->listeners.count; i++) {
        const struct listener *one = &doctor->listeners.at[i];
        tls |= one->port == reading->port && one->tls && !one->passwords;
        devices |= one->port == reading->port && one->kind == LISTENER_DEVICES;
    }
    if (!reading->in_listener || !tls)
        return;
    if (!reading->required)
        doctor_found(
            doctor, DOCTOR_CONFIGURATION,
            "the listener on port %ld asks nobody for a certificate\nmosquitto.conf has no "
            "require_certificate true for it; a client with one ends the "
            "handshake\n" REPLACE,
            reading->port);
    else if (!reading->identity)
        doctor_found(doctor, DOCTOR_CONFIGURATION,
                     "the listener on port %ld takes nobody's name from the certificate\nmosquitto."
                     "conf has no use_identity_as_username true for it\n" REPLACE,
                     reading->port);
    else if (devices && reading->connections > 0 && reading->connections < 4)
        doctor_found(doctor, DOCTOR_LIMITS,
                     "the devices' listener takes only %ld connections\nmosquitto.conf: "
                     "max_connections\n" REPLACE,
                     reading->connections);
}

static void take_line(void *user, const char *name, char *value)
{
    struct reading *reading = user;
    bool yes = strcmp(value, "true") == 0;
    if (strcmp(name, "listener") == 0) {
        end_listener(reading);
        *reading = (struct reading){.doctor = reading->doctor,
                                    .packet = reading->packet,
                                    .in_listener = true,
                                    .port = strtol(value, NULL, 10)};
    } else if (strcmp(name, "use_identity_as_username") == 0) {
        reading->identity = yes;
    } else if (strcmp(name, "require_certificate") == 0) {
        reading->required = yes;
    } else if (strcmp(name, "max_connections") == 0) {
        reading->connections = strtol(value, NULL, 10);
    } else if (strcmp(name, "max_packet_size") == 0 || strcmp(name, "message_size_limit") == 0) {
        reading->packet = strtol(value, NULL, 10);
    }
}

static void look_at_limits(struct doctor *doctor, const struct reading *reading)
{
    if (reading->packet <= 0)
        return;
    if (doctor->size && doctor->size + 64 > reading->packet)
        doctor_found(doctor, DOCTOR_LIMITS,
                     "the broker takes no message of %ld bytes\nmosquitto.conf: max_packet_size "
                     "%ld\nthimble broker init --replace --packet BYTES, or send less",
                     doctor->size, reading->packet);
    else if (reading->packet < 1024)
        doctor_found(doctor, DOCTOR_LIMITS,
                     "the broker takes no packet above %ld bytes\nmosquitto.conf: max_packet_size; "
                     "our own devices and tools send up to 1,024\nthimble broker init --replace",
                     reading->packet);
}

static bool has_listener(const struct doctor *doctor, enum listener_kind kind)
{
    for (size_t i = 0; i < doctor->listeners.count; i++) {
        if (doctor->listeners.at[i].kind == kind)
            return true;
    }
    return false;
}

static void look_at_configuration(struct doctor *doctor)
{
    struct reading reading = {.doctor = doctor};
    if (listeners_read(&doctor->home, &doctor->listeners) != EXIT_OK) {
        doctor_found(doctor, DOCTOR_CONFIGURATION,
                     "the broker's configuration cannot be used\n%s\n" REPLACE, term_failed());
        return;
    }
    listeners_lines(&doctor->home, take_line, &reading);
    end_listener(&reading);
    look_at_limits(doctor, &reading);
    if (!has_listener(doctor, LISTENER_DEVICES) || !has_listener(doctor, LISTENER_USERS))
        doctor_found(
            doctor, DOCTOR_CONFIGURATION,
            "the configuration has no listener for %s\nthe ports of mosquitto.conf are not "
            "those the registry has\n" REPLACE,
            has_listener(doctor, LISTENER_DEVICES) ? "users" : "devices");
    bool device = doctor->is_known && strcmp(doctor->row.kind, "device") == 0;
    for (size_t i = 0; i < doctor->listeners.count; i++) {
        const struct listener *one = &doctor->listeners.at[i];
        if (doctor->flags.port ? one->port == doctor->flags.port
                               : one->kind == (device ? LISTENER_DEVICES : LISTENER_USERS))
            doctor->listener = one;
    }
    if (!doctor_has(doctor, DOCTOR_CONFIGURATION))
        doctor_fine(doctor, "the broker's configuration, %zu listeners", doctor->listeners.count);
}

/* mosquitto takes a new listener, key or configuration at its start alone. */
static void look_at_process(struct doctor *doctor)
{
    size_t up = 0;
    for (size_t i = 0; i < doctor->listeners.count; i++)
        up += process_listens_at(doctor->listeners.at[i].address,
                                 (uint16_t)doctor->listeners.at[i].port);
    doctor->runs = mosquitto_running(&doctor->home) > 0;
    if (up == 0 && !doctor->runs)
        doctor_found(doctor, DOCTOR_PROCESS,
                     "the broker does not run\nnothing listens on its %zu ports\nthimble broker "
                     "run, or its unit: systemctl start mosquitto",
                     doctor->listeners.count);
    else if (up < doctor->listeners.count)
        doctor_found(doctor, doctor->runs ? DOCTOR_STALE : DOCTOR_EVIDENCE,
                     "only %zu of the broker's %zu ports are open\nit was started with another "
                     "configuration than mosquitto.conf, or only in part\nrestart it",
                     up, doctor->listeners.count);
    else
        doctor_fine(doctor, "something listens on each of the broker's %zu ports", up);
}

void doctor_broker(struct doctor *doctor)
{
    if (!doctor->has_registry || !doctor->has_broker) {
        if (doctor->has_registry && !doctor->flags.host)
            doctor_found(doctor, DOCTOR_CONFIGURATION,
                         "no broker was set up here\nthere is no %s\nthimble broker init, or name "
                         "the broker: --host HOST",
                         home_path(&doctor->home, "broker/mosquitto.conf").text);
        return;
    }
    look_at_configuration(doctor);
    if (doctor->listeners.count)
        look_at_process(doctor);
}
