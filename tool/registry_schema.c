/* SPDX-License-Identifier: MIT */
#include "registry_schema.h"

#include <stdio.h>

#include <sqlite3.h>

#include "exits.h"
#include "term.h"

/* Each step is applied once, in order; user_version counts the steps that are in the file. */
static const char *const migrations[] = {
    "CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL);"
    "CREATE TABLE authority ("
    "  id INTEGER PRIMARY KEY, kind TEXT NOT NULL CHECK (kind IN ('server','device','idevid')),"
    "  state TEXT NOT NULL CHECK (state IN ('active','retired')), certificate BLOB NOT NULL,"
    "  key TEXT NOT NULL, crl_number INTEGER NOT NULL DEFAULT 0, created_s INTEGER NOT NULL);"
    "CREATE UNIQUE INDEX authority_active ON authority (kind) WHERE state = 'active';"
    "CREATE TABLE principal ("
    "  name TEXT PRIMARY KEY, kind TEXT NOT NULL CHECK (kind IN ('device','user')),"
    "  role TEXT NOT NULL, connections INTEGER NOT NULL DEFAULT 1,"
    "  homeassistant INTEGER NOT NULL DEFAULT 0,"
    "  state TEXT NOT NULL CHECK (state IN ('active','blocked','revoked')),"
    "  created_s INTEGER NOT NULL);"
    "CREATE TABLE certificate ("
    "  serial TEXT NOT NULL, authority INTEGER NOT NULL REFERENCES authority (id),"
    "  kind TEXT NOT NULL CHECK (kind IN ('ca','server','ldevid','idevid','user')),"
    "  principal TEXT REFERENCES principal (name), common_name TEXT NOT NULL,"
    "  pin BLOB NOT NULL, not_before_s INTEGER NOT NULL, not_after_s INTEGER NOT NULL,"
    "  der BLOB NOT NULL, issued_s INTEGER NOT NULL, revoked_s INTEGER, reason TEXT,"
    "  PRIMARY KEY (authority, serial));"
    "CREATE INDEX certificate_principal ON certificate (principal);"
    "CREATE TABLE event (id INTEGER PRIMARY KEY, at_s INTEGER NOT NULL, what TEXT NOT NULL,"
    "  subject TEXT NOT NULL);",

    "ALTER TABLE principal ADD COLUMN password TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE principal ADD COLUMN mac TEXT NOT NULL DEFAULT '';",

    /* Several anchors of a kind at once: the next one is trusted before it issues, the old one
     * after. A CHECK cannot be altered, so the table is made anew. */
    "CREATE TABLE authority_new ("
    "  id INTEGER PRIMARY KEY, kind TEXT NOT NULL CHECK (kind IN ('server','device','idevid')),"
    "  state TEXT NOT NULL CHECK (state IN ('next','active','old','retired')),"
    "  stem TEXT NOT NULL, certificate BLOB NOT NULL, key TEXT NOT NULL,"
    "  crl_number INTEGER NOT NULL DEFAULT 0, created_s INTEGER NOT NULL);"
    "INSERT INTO authority_new SELECT id, kind, state, 'ca/' || kind, certificate, key, crl_number,"
    "  created_s FROM authority;"
    "DROP TABLE authority;"
    "ALTER TABLE authority_new RENAME TO authority;"
    "CREATE UNIQUE INDEX authority_active ON authority (kind) WHERE state = 'active';"
    "CREATE UNIQUE INDEX authority_next ON authority (kind) WHERE state = 'next';",

    /* Each renewal looks for its key and its name among all that was ever issued. */
    "CREATE INDEX certificate_pin ON certificate (pin);"
    "CREATE INDEX certificate_common_name ON certificate (common_name);",
};
#define SCHEMA ((int)(sizeof migrations / sizeof migrations[0]))

static int64_t version_of(struct registry *registry)
{
    int64_t version = 0;
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(registry->sqlite, "PRAGMA user_version", -1, &statement, NULL) ==
            SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        version = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return version;
}

/* One transaction for all steps; foreign keys are still off, as a table may be made anew. */
int registry_migrate(struct registry *registry)
{
    int64_t version = version_of(registry);
    if (version > SCHEMA)
        return fail(EXIT_INPUT,
                    "the registry was written by a newer thimble (schema %d; this one "
                    "knows %d)\nupdate thimble",
                    (int)version, SCHEMA);
    if (version == SCHEMA)
        return EXIT_OK;
    int code = registry_begin(registry);
    if (code != EXIT_OK)
        return code;
    version = version_of(registry); /* another command may have been faster */
    for (int i = (int)version; i < SCHEMA; i++) {
        char set[40];
        snprintf(set, sizeof set, "PRAGMA user_version = %d", i + 1);
        if (sqlite3_exec(registry->sqlite, migrations[i], NULL, NULL, NULL) != SQLITE_OK ||
            sqlite3_exec(registry->sqlite, set, NULL, NULL, NULL) != SQLITE_OK) {
            code = registry_failed(registry, "bring its tables up to date");
            registry_rollback(registry);
            return code;
        }
    }
    return registry_commit(registry);
}
