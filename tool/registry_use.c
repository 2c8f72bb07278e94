/* SPDX-License-Identifier: MIT */
/* What the agent asks: what a key was certified for, when an authority has last issued something.
 */
#include <openssl/evp.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "registry.h"

static void take_row(sqlite3_stmt *statement, struct registry_key_use *out)
{
    const unsigned char *name = sqlite3_column_text(statement, 0);
    snprintf(out->common_name, sizeof out->common_name, "%s", name ? (const char *)name : "");
    out->used = true;
    out->revoked = sqlite3_column_int(statement, 1) != 0;
    out->not_before_s = sqlite3_column_int64(statement, 2);
    out->not_after_s = sqlite3_column_int64(statement, 3);
    out->newest = sqlite3_column_int(statement, 4) != 0;
    out->certificate =
        x509_of_der(sqlite3_column_blob(statement, 5), (size_t)sqlite3_column_bytes(statement, 5));
}

bool registry_key_use(struct registry *registry, const uint8_t pin[32],
                      struct registry_key_use *out)
{
    static const char sql[] =
        "SELECT c.common_name, c.revoked_s IS NOT NULL, c.not_before_s, c.not_after_s, "
        "c.rowid = (SELECT rowid FROM certificate WHERE common_name = c.common_name AND "
        "kind = 'ldevid' ORDER BY issued_s DESC, rowid DESC LIMIT 1), c.der "
        "FROM certificate c WHERE c.pin = ? ORDER BY c.issued_s DESC, c.rowid DESC LIMIT 1";
    sqlite3_stmt *statement = NULL;
    int step = SQLITE_ERROR;
    *out = (struct registry_key_use){.used = false};
    if (sqlite3_prepare_v2(registry->sqlite, sql, -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_bind_blob(statement, 1, pin, 32, SQLITE_TRANSIENT) == SQLITE_OK)
        step = sqlite3_step(statement);
    if (step == SQLITE_ROW)
        take_row(statement, out);
    sqlite3_finalize(statement);
    return step == SQLITE_ROW || step == SQLITE_DONE;
}

bool registry_in_force(struct registry *registry, const char *principal, const uint8_t sha256[32],
                       int64_t now_s)
{
    static const char sql[] =
        "SELECT c.der FROM certificate c JOIN authority a ON a.id = c.authority "
        "WHERE c.principal = ? AND c.kind = 'ldevid' AND c.revoked_s IS NULL AND "
        "c.not_before_s <= ?2 AND c.not_after_s >= ?2 AND a.state <> 'retired'";
    sqlite3_stmt *statement = NULL;
    bool found = false;
    if (sqlite3_prepare_v2(registry->sqlite, sql, -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_bind_text(statement, 1, principal, -1, SQLITE_TRANSIENT) == SQLITE_OK &&
        sqlite3_bind_int64(statement, 2, now_s) == SQLITE_OK) {
        while (!found && sqlite3_step(statement) == SQLITE_ROW) {
            uint8_t digest[32];
            found = EVP_Digest(sqlite3_column_blob(statement, 0),
                               (size_t)sqlite3_column_bytes(statement, 0), digest, NULL,
                               EVP_sha256(), NULL) == 1 &&
                    memcmp(digest, sha256, sizeof digest) == 0;
        }
    }
    sqlite3_finalize(statement);
    return found;
}

int64_t registry_last_issued(struct registry *registry, int64_t authority)
{
    sqlite3_stmt *statement = NULL;
    int64_t last_s = 0;
    if (sqlite3_prepare_v2(registry->sqlite,
                           "SELECT max(issued_s) FROM certificate WHERE authority = ?", -1,
                           &statement, NULL) == SQLITE_OK &&
        sqlite3_bind_int64(statement, 1, authority) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        last_s = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return last_s;
}

void registry_patience(struct registry *registry, int wait_ms)
{
    sqlite3_busy_timeout(registry->sqlite, wait_ms);
}
