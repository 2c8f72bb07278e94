/* SPDX-License-Identifier: MIT */
/* The registry as a whole: copied, and looked through. */
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "exits.h"
#include "registry_schema.h"
#include "term.h"

/* By SQLite's backup interface into memory. */
int registry_snapshot(struct registry *registry, struct bytes *out)
{
    sqlite3 *copy = NULL;
    sqlite3_int64 size = 0;
    *out = (struct bytes){NULL, 0};
    bool good = sqlite3_open(":memory:", &copy) == SQLITE_OK;
    sqlite3_backup *backup =
        good ? sqlite3_backup_init(copy, "main", registry->sqlite, "main") : NULL;
    good = backup && sqlite3_backup_step(backup, -1) == SQLITE_DONE;
    good = sqlite3_backup_finish(backup) == SQLITE_OK && good;
    unsigned char *bytes = good ? sqlite3_serialize(copy, "main", &size, 0) : NULL;
    if (bytes && (out->at = malloc((size_t)size)) != NULL) {
        memcpy(out->at, bytes, (size_t)size);
        out->len = (size_t)size;
    }
    sqlite3_free(bytes);
    sqlite3_close(copy);
    return out->at ? EXIT_OK : registry_failed(registry, "be copied");
}

int registry_check(struct registry *registry)
{
    sqlite3_stmt *statement = NULL;
    bool whole = sqlite3_prepare_v2(registry->sqlite, "PRAGMA integrity_check(1)", -1, &statement,
                                    NULL) == SQLITE_OK &&
                 sqlite3_step(statement) == SQLITE_ROW &&
                 strcmp((const char *)sqlite3_column_text(statement, 0), "ok") == 0;
    sqlite3_finalize(statement);
    return whole ? EXIT_OK : fail(EXIT_INPUT, "the registry is damaged\nuse another backup");
}
