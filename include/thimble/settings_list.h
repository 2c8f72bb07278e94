/* SPDX-License-Identifier: MIT */
/*
 * The schema. X(number, name, TYPE, min, max, choices, default, flags, APPLIES, help)
 * Names follow Mongoose OS where the meaning is the same. A number is for ever: it is on flash.
 */
#ifndef THIMBLE_SETTINGS_LIST_H
#define THIMBLE_SETTINGS_LIST_H

#define TH_SECRET TH_SETTING_SECRET
#define TH_TRUSTS TH_SETTING_TRUST

/* A product's own settings, as further X(…); their numbers begin at 60000. */
#ifndef TH_SETTINGS_MORE
#define TH_SETTINGS_MORE(X)
#endif

/* clang-format off */
#define TH_SETTINGS_LIST(X)                                                                                                     \
    X(1, "device.id", TEXT, 0, 32, NULL, "", 0, RESTART,                                                                        \
      "Name of the device: certificate, client id and first level of its topics.")                                              \
    X(2, "mode", CHOICE, 0, 0, "config|mqtt", "config", 0, RESTART,                                                             \
      "config: access point and page. mqtt: connected to the broker, no listening socket.")                                     \
    X(10, "mqtt.server", TEXT, 0, 128, NULL, "", TH_TRUSTS, RECONNECT,                                                          \
      "Broker as host:port; the name must stand in its certificate.")                                                           \
    X(11, "mqtt.client_id", TEXT, 0, 64, NULL, "", 0, RECONNECT,                                                                \
      "Client id; empty: device.id. With a certificate the broker takes its name instead.")                                     \
    X(12, "mqtt.user", TEXT, 0, 64, NULL, "", 0, RECONNECT,                                                                     \
      "User name for brokers that ask for a password.")                                                                         \
    X(13, "mqtt.pass", TEXT, 0, 255, NULL, "", TH_SECRET, RECONNECT,                                                            \
      "Password for the broker.")                                                                                               \
    X(14, "mqtt.keep_alive", NUMBER, 5, 3600, NULL, "60", 0, RECONNECT,                                                         \
      "Seconds after which a silent connection is tested.")                                                                     \
    X(15, "mqtt.version", CHOICE, 0, 0, "3.1.1|5.0", "5.0", 0, RECONNECT,                                                       \
      "Version of the protocol.")                                                                                               \
    X(16, "mqtt.ssl_fingerprint", TEXT, 0, 95, NULL, "", TH_TRUSTS, RECONNECT,                                                  \
      "SHA-256 or SHA-1 fingerprint the broker's certificate must have besides; empty: none.")                                  \
    X(17, "mqtt.max_fragment", CHOICE, 0, 0, "512|1024|2048|4096|16384", "512", 0, RECONNECT,                                   \
      "Largest TLS record to ask for; 16384 for brokers that ignore the request.")                                              \
    X(20, "mqtt1.server", TEXT, 0, 128, NULL, "", TH_TRUSTS, RECONNECT,                                                         \
      "Second broker, tried when the first does not answer; empty: none.")                                                      \
    X(30, "wifi.sta.ssid", TEXT, 0, 32, NULL, "", 0, RESTART,                                                                   \
      "Wi-Fi network to join.")                                                                                                 \
    X(31, "wifi.sta.pass", TEXT, 0, 64, NULL, "", TH_SECRET, RESTART,                                                           \
      "Its pass phrase.")                                                                                                       \
    X(32, "wifi.sta.ip", ADDRESS, 0, 0, NULL, "", 0, RESTART,                                                                   \
      "Fixed address; empty: by DHCP.")                                                                                         \
    X(33, "wifi.sta.netmask", ADDRESS, 0, 0, NULL, "", 0, RESTART,                                                              \
      "Network mask of the fixed address.")                                                                                     \
    X(34, "wifi.sta.gw", ADDRESS, 0, 0, NULL, "", 0, RESTART,                                                                   \
      "Gateway of the fixed address.")                                                                                          \
    X(35, "wifi.sta.nameserver", ADDRESS, 0, 0, NULL, "", 0, RESTART,                                                           \
      "Name server of the fixed address.")                                                                                      \
    X(36, "wifi.ap.fallback_s", NUMBER, 0, 86400, NULL, "600", 0, NOW,                                                          \
      "Seconds without Wi-Fi until the access point opens; 0: never.")                                                          \
    X(40, "sntp.server", TEXT, 0, 64, NULL, "pool.ntp.org", 0, NOW,                                                             \
      "Time servers, separated by spaces; empty: none.")                                                                        \
    X(41, "sys.tz_spec", TIMEZONE, 0, 64, NULL, "UTC0", 0, NOW,                                                                 \
      "Time zone as a POSIX TZ string such as CET-1CEST,M3.5.0,M10.5.0/3, for display and schedules.")                          \
    X(42, "sys.button", NUMBERS, 0, 254, NULL, "", 0, NOW,                                                                      \
      "Pin of a button that opens configuration mode when it is held for 3 s; empty: none.")                                    \
    X(43, "sys.button_active_low", BOOL, 0, 0, NULL, "true", 0, NOW,                                                            \
      "Whether that pin is low while the button is held.")                                                                      \
    X(50, "telemetry.interval_s", NUMBER, 1, 86400, NULL, "60", 0, NOW,                                                         \
      "Seconds between two readings sent.")                                                                                     \
    X(52, "telemetry.dead_band", NUMBER, 0, 1000000, NULL, "0", 0, NOW,                                                        \
      "Units by which an analog reading must move to be sent at once; 0: by time alone.")                                      \
    X(53, "telemetry.alarms", TEXT, 0, 200, NULL, "", 0, NOW,                                                                  \
      "Thresholds that are told at once, such as Ain0<100, Ain0>900, load>2.50.")                                              \
    X(51, "log.level", CHOICE, 0, 0, "error|warn|info|debug", "info", 0, NOW,                                                   \
      "Least important lines that are sent to the log topic.")                                                                  \
    X(90, "inputs.pins", NUMBERS, 0, 254, NULL, "", 0, NOW,                                                                     \
      "Pins of digital inputs in1, in2 and so on, such as 12,13; at most 8.")                                                  \
    X(91, "inputs.active_low", BOOL, 0, 0, NULL, "true", 0, NOW,                                                               \
      "Whether an input counts as on while its pin is low.")                                                                   \
    X(70, "zones.count", NUMBER, 0, 8, NULL, "0", 0, NOW,                                                                      \
      "How many zones there are.")                                                                                             \
    X(71, "zones.driver", CHOICE, 0, 0, "gpio-low|gpio-high|spi", "gpio-low", 0, NOW,                                          \
      "What switches them: pins that are on when low, when high, or an inverted byte over SPI.")                               \
    X(72, "zones.pins", NUMBERS, 0, 254, NULL, "", 0, NOW,                                                                         \
      "Pins of the zones in their order, such as 5,4,14; the master valve's is the last.")                                     \
    X(73, "zones.master", BOOL, 0, 0, NULL, "false", 0, NOW,                                                                   \
      "A master valve, on while any zone is.")                                                                                 \
    X(74, "zones.most_on", NUMBER, 0, 8, NULL, "0", 0, NOW,                                                                    \
      "Zones on at once, at most; 0: as many as there are.")                                                                   \
    X(75, "zones.most_s", NUMBERS, 1, 86400, NULL, "3600", 0, NOW,                                                                   \
      "Seconds of a zone's longest run, a number a zone; the last counts for those that follow.")                              \
    X(76, "zones.groups", NUMBERS, 0, 255, NULL, "0", 0, NOW,                                                                      \
      "Group of each zone, of which one is on at a time; 0: none. The last counts for those that follow.")                     \
    X(80, "zones.start1", SCHEDULE, 0, 200, NULL, "", 0, NOW,                                                                      \
      "Weekly starts of zone 1, such as Mo-Fr 06:30 600; Sa,Su 08:00 900.")                                                    \
    X(81, "zones.start2", SCHEDULE, 0, 200, NULL, "", 0, NOW,                                                                      \
      "Weekly starts of zone 2, such as Mo-Fr 06:30 600; Sa,Su 08:00 900.")                                                    \
    X(82, "zones.start3", SCHEDULE, 0, 200, NULL, "", 0, NOW,                                                                      \
      "Weekly starts of zone 3, such as Mo-Fr 06:30 600; Sa,Su 08:00 900.")                                                    \
    X(83, "zones.start4", SCHEDULE, 0, 200, NULL, "", 0, NOW,                                                                      \
      "Weekly starts of zone 4, such as Mo-Fr 06:30 600; Sa,Su 08:00 900.")                                                    \
    X(84, "zones.start5", SCHEDULE, 0, 200, NULL, "", 0, NOW,                                                                      \
      "Weekly starts of zone 5, such as Mo-Fr 06:30 600; Sa,Su 08:00 900.")                                                    \
    X(85, "zones.start6", SCHEDULE, 0, 200, NULL, "", 0, NOW,                                                                      \
      "Weekly starts of zone 6, such as Mo-Fr 06:30 600; Sa,Su 08:00 900.")                                                    \
    X(86, "zones.start7", SCHEDULE, 0, 200, NULL, "", 0, NOW,                                                                      \
      "Weekly starts of zone 7, such as Mo-Fr 06:30 600; Sa,Su 08:00 900.")                                                    \
    X(87, "zones.start8", SCHEDULE, 0, 200, NULL, "", 0, NOW,                                                                      \
      "Weekly starts of zone 8, such as Mo-Fr 06:30 600; Sa,Su 08:00 900.")                                                    \
    X(60, "legacy.enable", BOOL, 0, 0, NULL, "false", 0, RESTART,                                                               \
      "Answers the requests of older sketches on mqtt_rx_<mac> and by HTTP.")                                                   \
    X(64, "legacy.mac", TEXT, 0, 17, NULL, "", 0, RESTART,                                                                     \
      "Address in the topics mqtt_rx_<mac> and mqtt_tx_<mac>, such as 18:fe:34:00:00:01; empty: none.")                        \
    X(65, "legacy.led_pin", NUMBERS, 0, 254, NULL, "", 0, RESTART,                                                             \
      "Pin of LedOn and LedOff, on while it is high, such as 16; not one of a zone; empty: none.")                             \
    X(61, "http.lan", BOOL, 0, 0, NULL, "false", 0, RESTART,                                                                    \
      "Serves the page on the local network too; someone there could alter it under way.")                                     \
    X(63, "ha.zones", CHOICE, 0, 0, "valve|switch", "valve", 0, NOW,                                                           \
      "What Home Assistant shows a zone as.")                                                                                  \
    X(62, "ha.caller", TEXT, 0, 32, NULL, "", 0, RESTART,                                                                       \
      "User name of Home Assistant, for the topics it commands by; empty: no discovery.") \
    TH_SETTINGS_MORE(X)
/* clang-format on */

#endif
