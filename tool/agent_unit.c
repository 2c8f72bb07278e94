/* SPDX-License-Identifier: MIT */
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

#include "agent.h"
#include "broker_export.h"
#include "exits.h"
#include "term.h"
#include "text.h"

/* The keys that it must not have are out of its sight, whatever their permissions are. */
static void write_service(FILE *to, const char *dir, const char *program, const char *user)
{
    fprintf(to,
            "[Unit]\n"
            "Description=Thimble agent: renews the certificates of devices\n"
            "Wants=mosquitto.service\n"
            "After=mosquitto.service\n"
            "[Service]\n"
            "Type=notify\n"
            "NotifyAccess=main\n"
            "User=%s\n"
            "ExecStart=\"%s\" broker agent --dir \"%s\"\n"
            "# A second agent takes over, and this one ends with 0: it must not come back.\n"
            "Restart=on-failure\n"
            "RestartSec=5\n"
            "NoNewPrivileges=yes\n"
            "PrivateTmp=yes\n"
            "ProtectSystem=strict\n"
            "ReadWritePaths=\"%s\"\n",
            user, program, dir, dir);
    for (int i = 1; i <= REGISTRY_ANCHORS_MAX; i++) {
        char number[12] = "";
        if (i > 1)
            snprintf(number, sizeof number, ".%d", i);
        fprintf(to, "InaccessiblePaths=\"-%s/ca/server%s.key\" \"-%s/ca/idevid%s.key\"\n", dir,
                number, dir, number);
    }
    fprintf(to,
            "InaccessiblePaths=\"-%s/update\"\n"
            "[Install]\n"
            "WantedBy=multi-user.target\n",
            dir);
}

int agent_write_unit(struct home *home)
{
    char dir[2 * PATH_MAX], runs[2 * PATH_MAX], program[PATH_MAX];
    struct text text;
    ssize_t len = readlink("/proc/self/exe", program, sizeof program - 1);
    struct passwd *owner = getpwuid(geteuid());
    int code = text_open(&text);
    if (code != EXIT_OK)
        return code;
    program[len > 0 ? len : 0] = '\0';
    broker_unit_escape(program, runs);
    broker_unit_escape(home->dir, dir);
    fprintf(text.file,
            "# Made by thimble. Once the user is there (thimble user add agent):\n"
            "#   install -m 644 '%s/broker/agent.service' "
            "/etc/systemd/system/thimble-agent.service\n"
            "#   systemctl daemon-reload && systemctl enable --now thimble-agent\n",
            home->dir);
    write_service(text.file, dir, runs, owner ? owner->pw_name : "root");
    return text_write(&text, home_path(home, "broker/agent.service").text);
}
