/* SPDX-License-Identifier: MIT */
/* Anchors that have changed reach those who know them: the broker's files, and the ca.crt of
 * devices and users. */
#include <string.h>

#include "ca.h"
#include "exits.h"
#include "mosquitto.h"

struct writing {
    struct home *home;
    int code;
};

static bool write_anchors_of(void *user, const struct registry_principal *row)
{
    struct writing *writing = user;
    struct path folder = path_of("%s/%ss/%s", writing->home->dir, row->kind, row->name);
    if (strcmp(row->state, "active") == 0 && files_exist(folder.text))
        writing->code = home_write_anchors(writing->home, REGISTRY_SERVER,
                                           path_of("%s/ca.crt", folder.text).text);
    return writing->code == EXIT_OK;
}

static int publish_server(struct home *home)
{
    struct writing writing = {home, EXIT_OK};
    registry_principals(&home->registry, "device", write_anchors_of, &writing);
    if (writing.code == EXIT_OK)
        registry_principals(&home->registry, "user", write_anchors_of, &writing);
    return writing.code;
}

/* The lists first: an anchor without one lets nobody in. */
static int publish_clients(struct home *home)
{
    int code = mosquitto_write_crl(home);
    if (code == EXIT_OK)
        code = home_write_anchors(home, REGISTRY_DEVICE,
                                  home_path(home, "broker/clients-ca.crt").text);
    return code == EXIT_OK ? home_write_anchors(home, REGISTRY_IDEVID,
                                                home_path(home, "broker/recovery-ca.crt").text)
                           : code;
}

int ca_publish(struct home *home, enum registry_authority which)
{
    if (which == REGISTRY_SERVER)
        return publish_server(home);
    return files_exist(home_path(home, "broker/mosquitto.conf").text) ? publish_clients(home)
                                                                      : EXIT_OK;
}
