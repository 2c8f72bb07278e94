/* SPDX-License-Identifier: MIT */
#include "peer.h"
#include "term.h"

void peer_flags_init(struct peer_flags *flags)
{
    flags->expiry_s = -1;
    flags->properties_call = (struct option_call){properties_take, &flags->properties};
}

size_t peer_options_tls(struct option *options, size_t count, struct peer_flags *flags)
{
    const struct option rows[] = {
        {0, "as", "NAME", "be this device or user of the state directory", OPTION_TEXT, &flags->as,
         0, 0},
        OPTION_ROW_DIR(&flags->dir),
        {0, "cafile", "FILE", "CA certificates the server is trusted by, PEM or DER", OPTION_TEXT,
         &flags->cafile, 0, 0},
        {0, "cert", "FILE", "our certificate, with its chain", OPTION_TEXT, &flags->cert, 0, 0},
        {0, "key", "FILE", "its private key; or a pkcs11: URI", OPTION_TEXT, &flags->key, 0, 0},
        {0, "pin", "SHA256", "of the key of the server or its CA; again for more", OPTION_LIST,
         &flags->pins, 0, 0},
        {0, "fingerprint", "SHA", "SHA-256 or SHA-1 of the server's certificate; again for more",
         OPTION_LIST, &flags->fingerprints, 0, 0},
        {0, "fingerprint-instead", NULL, "the fingerprint instead of a CA: no name, no dates",
         OPTION_FLAG, &flags->fingerprint_instead, 0, 0},
        {0, "server-name", "NAME", "the name its certificate must have [the host]", OPTION_TEXT,
         &flags->server_name, 0, 0},
        {0, "alpn", "NAME", "application protocol the server must agree to", OPTION_TEXT,
         &flags->alpn, 0, 0},
        {0, "websocket", "PATH", "MQTT over WebSocket, for example /mqtt", OPTION_TEXT,
         &flags->websocket, 0, 0},
        {0, "mfl", "BYTES", "ask for records of 512, 1024, 2048 or 4096 bytes", OPTION_NUMBER,
         &flags->mfl, 512, 4096},
        {0, "tls-backend", "NAME", "openssl or bearssl [openssl]", OPTION_TEXT, &flags->backend, 0,
         0},
        {0, "insecure-bench-only", NULL, "trust any server: for a bench, never for use",
         OPTION_FLAG, &flags->insecure, 0, 0},
    };
    return options_append(options, count, rows, sizeof rows / sizeof rows[0]);
}

size_t peer_options_mqtt(struct option *options, size_t count, struct peer_flags *flags)
{
    const struct option rows[] = {
        {'h', "host", "HOST", "name or address of the broker [localhost]", OPTION_TEXT,
         &flags->host, 0, 0},
        {'p', "port", "PORT", "[8883; 1883 with --plaintext]", OPTION_NUMBER, &flags->port, 1,
         65535},
        {0, "plaintext", NULL, "no TLS: everything can be read and altered", OPTION_FLAG,
         &flags->plaintext, 0, 0},
        {'V', "protocol-version", "VERSION", "5 or 311 [5]", OPTION_TEXT, &flags->version, 0, 0},
        {'i', "id", "ID", "client id [NAME of --as, else the broker gives one]", OPTION_TEXT,
         &flags->id, 0, 0},
        {0, "id-random", NULL, "random letters behind the client id; with passwords alone",
         OPTION_FLAG, &flags->id_random, 0, 0},
        {'I', "id-prefix", "TEXT", "client id of this and the process id", OPTION_TEXT,
         &flags->id_prefix, 0, 0},
        {'u', "username", "NAME", "user name", OPTION_TEXT, &flags->user, 0, 0},
        {'P', "pw", "PASSWORD", "password; others on this machine can read it", OPTION_TEXT,
         &flags->password, 0, 0},
        {0, "password-file", "FILE", "the password is the first line of this file", OPTION_TEXT,
         &flags->password_file, 0, 0},
        {'k', "keepalive", "SECONDS", "[60]", OPTION_NUMBER, &flags->keepalive_s, 5, 65534},
        {'c', "disable-clean-session", NULL, "keep the session at the broker; needs -i",
         OPTION_FLAG, &flags->keep_session, 0, 0},
        {'x', "session-expiry-interval", "SECONDS", "how long it is kept, with -c [for ever]",
         OPTION_NUMBER, &flags->expiry_s, 0, 4294967295},
        {0, "will-topic", "TOPIC", "where the broker says that we were cut off", OPTION_TEXT,
         &flags->will_topic, 0, 0},
        {0, "will-payload", "TEXT", "what it says [nothing]", OPTION_TEXT, &flags->will_payload, 0,
         0},
        {0, "will-qos", "QOS", "0, 1 or 2 [0]", OPTION_NUMBER, &flags->will_qos, 0, 2},
        {0, "will-retain", NULL, "it keeps it for later subscribers", OPTION_FLAG,
         &flags->will_retain, 0, 0},
        {'D', "property", "PACKET NAME VALUE", "an MQTT 5 property of connect, will, publish ...",
         OPTION_CALL, &flags->properties_call, 0, 0},
        {'d', "debug", NULL, "say each step of the connection", OPTION_FLAG, &flags->debug, 0, 0},
    };
    return options_append(options, count, rows, sizeof rows / sizeof rows[0]);
}
