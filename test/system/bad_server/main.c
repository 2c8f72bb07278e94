/* SPDX-License-Identifier: MIT */
/*
 * bad_server: reads lines "ID bad|mended 1.2|1.3" and serves each case on a port of 127.0.0.1 that
 * the system chooses, until the next line. Answers each with lines "key value" that tell a client
 * how to be configured, and "ready".
 */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scene.h"

static struct cert server_ca, device_ca, device;

/* ---- making a scene ---- */

struct cert *scene_keep(struct scene *scene, struct cert cert)
{
    if (scene->cert_count == CERTS_MAX)
        abort();
    scene->certs[scene->cert_count] = cert;
    return &scene->certs[scene->cert_count++];
}

/* RSA keys take their time to make; one of each size will do. */
static EVP_PKEY *rsa_keys[2];

static EVP_PKEY *rsa_key(const char *kind)
{
    EVP_PKEY **key = &rsa_keys[strcmp(kind, "RSA-1024") == 0];
    if (*key == NULL)
        *key = cert_key(kind);
    return *key;
}

struct cert *scene_cert(struct scene *scene, const struct cert_spec *spec)
{
    struct cert_spec other = *spec;
    if (spec->key != NULL && strncmp(spec->key, "RSA-", 4) == 0)
        other.use_key = rsa_key(spec->key);
    return scene_keep(scene, cert_make(&other));
}

struct cert_spec scene_good_leaf(const struct scene *scene)
{
    return (struct cert_spec){.cn = "broker",
                              .issuer = scene->anchor,
                              .basic = "critical,CA:FALSE",
                              .usage = "critical,digitalSignature",
                              .purpose = "serverAuth",
                              .names = "DNS:" BROKER};
}

struct cert_spec scene_good_ca(const char *cn, const struct cert *issuer)
{
    return (struct cert_spec){.cn = cn,
                              .issuer = issuer,
                              .basic = "critical,CA:TRUE",
                              .usage = "critical,keyCertSign,cRLSign"};
}

void scene_serve(struct scene *scene, const struct cert_spec *spec)
{
    scene->chain[0] = scene_cert(scene, spec);
}

static bool make(struct scene *scene)
{
    scene->anchor = &server_ca;
    scene->device = &device;
    scene->device_ca = &device_ca;
    scene->server_name = BROKER;
    struct cert_spec leaf = scene_good_leaf(scene);
    scene_serve(scene, &leaf);
    return scene_of_leaf(scene) || scene_of_chain(scene) || scene_of_pin(scene) ||
           scene_of_handshake(scene) || scene_of_wire(scene) || scene_of_order(scene);
}

static void unmake(struct scene *scene)
{
    for (int i = 0; i < scene->cert_count; i++)
        cert_free(&scene->certs[i]);
    X509_CRL_free(scene->crl);
}

/* ---- telling the client ---- */

static void tell_hex(const char *key, const uint8_t *bytes, size_t len)
{
    printf("%s ", key);
    for (size_t i = 0; i < len; i++)
        printf("%02x", bytes[i]);
    printf("\n");
}

static void tell_pin(const struct cert *cert)
{
    uint8_t *spki = NULL, digest[32];
    int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert->x509), &spki);
    EVP_Digest(spki, (size_t)len, digest, NULL, EVP_sha256(), NULL);
    tell_hex("pin", digest, sizeof digest);
    OPENSSL_free(spki);
}

static void tell_fingerprint(const char *key, const struct cert *cert, const EVP_MD *md)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned len;
    X509_digest(cert->x509, md, digest, &len);
    tell_hex(key, digest, len);
}

static void tell_identity(const struct scene *scene)
{
    uint8_t *key = NULL;
    int len = i2d_PrivateKey(scene->device->key, &key);
    tell_hex("certificate", scene->device->der.at, scene->device->der.len);
    tell_hex("key", key, (size_t)len);
    OPENSSL_free(key);
}

static void tell(const struct scene *scene, unsigned port)
{
    printf("port %u\nname %s\n", port, scene->server_name);
    tell_hex("anchor", scene->anchor->der.at, scene->anchor->der.len);
    if (!scene->no_identity)
        tell_identity(scene);
    if (scene->pinned)
        tell_pin(scene->pinned);
    if (scene->sha256)
        tell_fingerprint("sha256", scene->sha256, EVP_sha256());
    if (scene->sha1)
        tell_fingerprint("sha1", scene->sha1, EVP_sha1());
    if (scene->fingerprint_instead)
        printf("instead\n");
    if (scene->client_alpn)
        printf("alpn %s\n", scene->client_alpn);
    if (scene->fragment)
        printf("fragment %u\n", scene->fragment);
    if (scene->handshake_ms)
        printf("handshake_ms %u\n", scene->handshake_ms);
    if (scene->answer_ms)
        printf("answer_ms %u\n", scene->answer_ms);
    if (scene->floor_s)
        printf("floor %lld\n", (long long)scene->floor_s);
    printf("%s%sready\n", scene->warm ? "warm\n" : "", scene->repeat ? "repeat\n" : "");
    fflush(stdout);
}

/* ---- one case after the other ---- */

static int listen_somewhere(const struct scene *scene, unsigned *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0 ||
        (!scene->refuse_tcp && listen(fd, 16) != 0)) {
        perror("bad_server: listen");
        exit(1);
    }
    *port = ntohs(address.sin_port);
    return fd;
}

static pid_t serve_apart(const struct scene *scene, int listener)
{
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (scene->refuse_tcp)
            pause();
        scene_serve_all(scene, listener);
    }
    if (child < 0) {
        perror("bad_server: fork");
        exit(1);
    }
    return child;
}

static void end_child(pid_t child)
{
    if (child > 0) {
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
    }
}

static void run_case(const char *id, const char *variant, const char *version, pid_t *child)
{
    static struct scene scene;
    unsigned port;
    end_child(*child);
    scene =
        (struct scene){.id = id,
                       .mended = strcmp(variant, "mended") == 0,
                       .version = strcmp(version, "1.3") == 0 ? TLS1_3_VERSION : TLS1_2_VERSION};
    if (!make(&scene)) {
        fprintf(stderr, "bad_server: there is no case %s\n", id);
        exit(1);
    }
    int listener = listen_somewhere(&scene, &port);
    *child = serve_apart(&scene, listener);
    close(listener);
    tell(&scene, port);
    unmake(&scene);
}

int main(void)
{
    char line[256], id[64], variant[16], version[8];
    pid_t child = 0;
    device_ca = cert_root("Device CA");
    server_ca = cert_root("Test Server CA");
    device = cert_make(&(struct cert_spec){.cn = "device",
                                           .issuer = &device_ca,
                                           .basic = "critical,CA:FALSE",
                                           .usage = "critical,digitalSignature",
                                           .purpose = "clientAuth"});
    while (fgets(line, sizeof line, stdin) != NULL) {
        if (sscanf(line, "%63s %15s %7s", id, variant, version) == 3)
            run_case(id, variant, version, &child);
    }
    end_child(child);
    EVP_PKEY_free(rsa_keys[0]);
    EVP_PKEY_free(rsa_keys[1]);
    cert_free(&device);
    cert_free(&device_ca);
    cert_free(&server_ca);
    return 0;
}
