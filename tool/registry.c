/* SPDX-License-Identifier: MIT */
#include "registry.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <sqlite3.h>

#include "exits.h"
#include "files.h"
#include "registry_schema.h"
#include "term.h"

#define BUSY_TIMEOUT_MS 10000
#define RETRY_MS        20

int registry_failed(struct registry *registry, const char *doing)
{
    int error = sqlite3_errcode(registry->sqlite);
    const char *next = error == SQLITE_BUSY     ? "wait for the other thimble command to end"
                       : error == SQLITE_FULL   ? "free space on the disk, then run it again"
                       : error == SQLITE_NOTADB ? "restore registry.db from its backup"
                                                : "check the state directory and its permissions";
    return fail(EXIT_FAILED, "registry: cannot %s: %s\n%s", doing, sqlite3_errmsg(registry->sqlite),
                next);
}

/* ---- statements: t text, i int64, b pointer and int; NULL text binds NULL ---- */

static sqlite3_stmt *prepare(struct registry *registry, const char *sql, const char *kinds, ...)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(registry->sqlite, sql, -1, &statement, NULL) != SQLITE_OK)
        return NULL;
    va_list arguments;
    va_start(arguments, kinds);
    for (int i = 1; *kinds; kinds++, i++) {
        if (*kinds == 't') {
            sqlite3_bind_text(statement, i, va_arg(arguments, const char *), -1, SQLITE_TRANSIENT);
        } else if (*kinds == 'i') {
            sqlite3_bind_int64(statement, i, va_arg(arguments, int64_t));
        } else {
            const void *at = va_arg(arguments, const void *);
            sqlite3_bind_blob(statement, i, at, va_arg(arguments, int), SQLITE_TRANSIENT);
        }
    }
    va_end(arguments);
    return statement;
}

/* Runs a statement that gives no rows, and frees it. */
static int run(struct registry *registry, sqlite3_stmt *statement, const char *doing)
{
    int step = statement ? sqlite3_step(statement) : SQLITE_ERROR;
    int code = step == SQLITE_DONE ? EXIT_OK : registry_failed(registry, doing);
    sqlite3_finalize(statement);
    return code;
}

static void copy_text(sqlite3_stmt *statement, int column, char *into, size_t room)
{
    const unsigned char *text = sqlite3_column_text(statement, column);
    snprintf(into, room, "%s", text ? (const char *)text : "");
}

static int64_t number_of(struct registry *registry, sqlite3_stmt *statement)
{
    int64_t number = 0;
    if (statement && sqlite3_step(statement) == SQLITE_ROW)
        number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    (void)registry;
    return number;
}

/* ---- opening ---- */

/* Two commands that begin with a registry at once both want to switch its journal. SQLite gives up
 * there without asking the busy handler, as waiting with a lock held could block both for ever. */
static int begin_journal(sqlite3 *sqlite)
{
    for (int waited_ms = 0;; waited_ms += RETRY_MS) {
        int error = sqlite3_exec(sqlite, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL",
                                 NULL, NULL, NULL);
        if (error != SQLITE_BUSY || waited_ms >= BUSY_TIMEOUT_MS)
            return error;
        sqlite3_sleep(RETRY_MS);
    }
}

int registry_open(struct registry *registry, const char *path, bool create)
{
    *registry = (struct registry){NULL, false};
    if (!create && !files_exist(path))
        return fail(EXIT_MISSING, "there is no %s: no authority was made here\nthimble ca init",
                    path);
    mode_t before = umask(077);
    int flags = SQLITE_OPEN_READWRITE | (create ? SQLITE_OPEN_CREATE : 0);
    int error = sqlite3_open_v2(path, &registry->sqlite, flags, NULL);
    int code = EXIT_OK;
    if (error != SQLITE_OK) {
        code = registry_failed(registry, "be opened");
    } else {
        sqlite3_busy_timeout(registry->sqlite, BUSY_TIMEOUT_MS);
        if (begin_journal(registry->sqlite) != SQLITE_OK)
            code = registry_failed(registry, "be opened");
    }
    if (code == EXIT_OK)
        code = registry_migrate(registry);
    if (code == EXIT_OK &&
        sqlite3_exec(registry->sqlite, "PRAGMA foreign_keys = ON", NULL, NULL, NULL) != SQLITE_OK)
        code = registry_failed(registry, "be opened");
    umask(before);
    if (code != EXIT_OK)
        registry_close(registry);
    return code;
}

void registry_close(struct registry *registry)
{
    if (!registry->sqlite)
        return;
    registry_rollback(registry);
    sqlite3_close(registry->sqlite);
    registry->sqlite = NULL;
}

/* ---- transactions ---- */

int registry_begin(struct registry *registry)
{
    if (sqlite3_exec(registry->sqlite, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
        return registry_failed(registry, "be locked");
    registry->inside = true;
    return EXIT_OK;
}

int registry_commit(struct registry *registry)
{
    if (sqlite3_exec(registry->sqlite, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
        return registry_failed(registry, "be written");
    registry->inside = false;
    return EXIT_OK;
}

void registry_rollback(struct registry *registry)
{
    if (registry->inside)
        sqlite3_exec(registry->sqlite, "ROLLBACK", NULL, NULL, NULL);
    registry->inside = false;
}

/* ---- authorities ---- */

const char *registry_authority_name(enum registry_authority which)
{
    static const char *const names[] = {"server", "device", "idevid"};
    return names[which];
}

static int64_t authority_id(struct registry *registry, enum registry_authority which)
{
    return number_of(registry, prepare(registry,
                                       "SELECT id FROM authority WHERE kind = ? AND "
                                       "state = 'active'",
                                       "t", registry_authority_name(which)));
}

static int64_t last_id(struct registry *registry)
{
    return sqlite3_last_insert_rowid(registry->sqlite);
}

int registry_anchor_add(struct registry *registry, struct registry_anchor *anchor)
{
    struct bytes der = x509_der(anchor->certificate);
    int code = run(registry,
                   prepare(registry,
                           "INSERT INTO authority (kind, state, stem, certificate, key, "
                           "created_s) VALUES (?, ?, ?, ?, ?, ?)",
                           "tttbti", registry_authority_name(anchor->which), anchor->state,
                           anchor->stem, der.at, (int)der.len, anchor->key, (int64_t)time(NULL)),
                   "add an authority");
    bytes_free(&der);
    if (code != EXIT_OK)
        return code;
    anchor->id = last_id(registry);
    return registry_certificate_add_under(registry, anchor->id, "ca", NULL, anchor->certificate);
}

static X509 *certificate_of(sqlite3_stmt *statement)
{
    X509 *certificate = NULL;
    if (statement && sqlite3_step(statement) == SQLITE_ROW)
        certificate = x509_of_der(sqlite3_column_blob(statement, 0),
                                  (size_t)sqlite3_column_bytes(statement, 0));
    sqlite3_finalize(statement);
    return certificate;
}

X509 *registry_authority(struct registry *registry, enum registry_authority which)
{
    return certificate_of(prepare(registry,
                                  "SELECT certificate FROM authority WHERE kind = ? AND "
                                  "state = 'active'",
                                  "t", registry_authority_name(which)));
}

size_t registry_anchors(struct registry *registry, enum registry_authority which,
                        struct registry_anchor at[REGISTRY_ANCHORS_MAX])
{
    size_t count = 0;
    sqlite3_stmt *statement =
        prepare(registry,
                "SELECT id, state, key, created_s, certificate, stem FROM authority "
                "WHERE kind = ? AND state <> 'retired' "
                "ORDER BY state = 'active' DESC, state = 'next' DESC, id DESC LIMIT ?",
                "ti", registry_authority_name(which), (int64_t)REGISTRY_ANCHORS_MAX);
    while (statement && sqlite3_step(statement) == SQLITE_ROW) {
        struct registry_anchor *anchor = &at[count];
        *anchor = (struct registry_anchor){.id = sqlite3_column_int64(statement, 0),
                                           .which = which,
                                           .created_s = sqlite3_column_int64(statement, 3)};
        copy_text(statement, 1, anchor->state, sizeof anchor->state);
        copy_text(statement, 2, anchor->key, sizeof anchor->key);
        copy_text(statement, 5, anchor->stem, sizeof anchor->stem);
        anchor->certificate = x509_of_der(sqlite3_column_blob(statement, 4),
                                          (size_t)sqlite3_column_bytes(statement, 4));
        if (anchor->certificate)
            count++;
    }
    sqlite3_finalize(statement);
    return count;
}

int64_t registry_anchor_count(struct registry *registry, enum registry_authority which)
{
    return number_of(registry, prepare(registry, "SELECT count(*) FROM authority WHERE kind = ?",
                                       "t", registry_authority_name(which)));
}

void registry_anchors_free(struct registry_anchor *at, size_t count)
{
    for (size_t i = 0; i < count; i++)
        X509_free(at[i].certificate);
}

int registry_anchor_state(struct registry *registry, int64_t id, const char *state)
{
    return run(registry,
               prepare(registry, "UPDATE authority SET state = ? WHERE id = ?", "ti", state, id),
               "change an authority");
}

int registry_anchor_crl_number(struct registry *registry, int64_t id, int64_t number)
{
    return run(
        registry,
        prepare(registry, "UPDATE authority SET crl_number = ? WHERE id = ?", "ii", number, id),
        "keep a CRL's number");
}

/* ---- devices and users ---- */

#define PRINCIPAL_COLUMNS                                                                   \
    "SELECT p.name, p.kind, p.role, p.state, p.created_s, c.not_after_s, c.serial, "        \
    "p.connections, p.homeassistant, p.password, p.mac "                                    \
    "FROM principal p LEFT JOIN certificate c ON c.rowid = (SELECT rowid FROM certificate " \
    "WHERE principal = p.name AND kind <> 'idevid' AND common_name = p.name "               \
    "ORDER BY issued_s DESC, rowid DESC LIMIT 1) "

static void principal_of(sqlite3_stmt *statement, struct registry_principal *out)
{
    copy_text(statement, 0, out->name, sizeof out->name);
    copy_text(statement, 1, out->kind, sizeof out->kind);
    copy_text(statement, 2, out->role, sizeof out->role);
    copy_text(statement, 3, out->state, sizeof out->state);
    out->created_s = sqlite3_column_int64(statement, 4);
    out->not_after_s = sqlite3_column_int64(statement, 5);
    copy_text(statement, 6, out->serial, sizeof out->serial);
    out->connections = sqlite3_column_int(statement, 7);
    out->homeassistant = sqlite3_column_int(statement, 8) != 0;
    copy_text(statement, 9, out->password, sizeof out->password);
    copy_text(statement, 10, out->mac, sizeof out->mac);
}

int registry_principal_add(struct registry *registry, const struct registry_principal *principal)
{
    return run(registry,
               prepare(registry,
                       "INSERT INTO principal (name, kind, role, connections, homeassistant, "
                       "state, created_s) VALUES (?, ?, ?, ?, ?, 'active', ?)",
                       "tttiii", principal->name, principal->kind, principal->role,
                       (int64_t)principal->connections, (int64_t)principal->homeassistant,
                       (int64_t)time(NULL)),
               "add a name");
}

bool registry_principal(struct registry *registry, const char *name, struct registry_principal *out)
{
    sqlite3_stmt *statement = prepare(registry, PRINCIPAL_COLUMNS "WHERE p.name = ?", "t", name);
    bool found = statement && sqlite3_step(statement) == SQLITE_ROW;
    if (found)
        principal_of(statement, out);
    sqlite3_finalize(statement);
    return found;
}

void registry_principals(struct registry *registry, const char *kind,
                         bool (*each)(void *user, const struct registry_principal *principal),
                         void *user)
{
    sqlite3_stmt *statement =
        prepare(registry, PRINCIPAL_COLUMNS "WHERE p.kind = ? ORDER BY p.name", "t", kind);
    struct registry_principal principal;
    while (statement && sqlite3_step(statement) == SQLITE_ROW) {
        principal_of(statement, &principal);
        if (!each(user, &principal))
            break;
    }
    sqlite3_finalize(statement);
}

int registry_principal_password(struct registry *registry, const char *name, const char *hash)
{
    return run(
        registry,
        prepare(registry, "UPDATE principal SET password = ? WHERE name = ?", "tt", hash, name),
        "keep a password");
}

int registry_principal_mac(struct registry *registry, const char *name, const char *mac)
{
    return run(registry,
               prepare(registry, "UPDATE principal SET mac = ? WHERE name = ?", "tt", mac, name),
               "keep an address");
}

/* ---- certificates ---- */

int registry_certificate_add(struct registry *registry, enum registry_authority issuer,
                             const char *kind, const char *principal, X509 *certificate)
{
    return registry_certificate_add_under(registry, authority_id(registry, issuer), kind, principal,
                                          certificate);
}

/* DESIGN, Revocation: looked at in the transaction that issues, by everybody who issues. */
static int check_not_blocked(struct registry *registry, const char *principal)
{
    int64_t blocked = number_of(registry, prepare(registry,
                                                  "SELECT count(*) FROM principal WHERE name = ? "
                                                  "AND state <> 'active'",
                                                  "t", principal));
    return blocked ? fail(EXIT_EXISTS,
                          "'%s' is revoked, and gets no certificate\n"
                          "thimble device enrol %s --replace, if it is to come back",
                          principal, principal)
                   : EXIT_OK;
}

int registry_certificate_add_under(struct registry *registry, int64_t authority, const char *kind,
                                   const char *principal, X509 *certificate)
{
    if (principal && check_not_blocked(registry, principal) != EXIT_OK)
        return EXIT_EXISTS;
    char serial[X509_SERIAL_TEXT], common_name[128];
    uint8_t pin[32];
    x509_serial(certificate, serial);
    x509_common_name(certificate, common_name, sizeof common_name);
    x509_pin(certificate, pin);
    struct bytes der = x509_der(certificate);
    int code = run(registry,
                   prepare(registry,
                           "INSERT INTO certificate (serial, authority, kind, principal, "
                           "common_name, pin, not_before_s, not_after_s, der, issued_s) "
                           "VALUES (?,?,?,?,?,?,?,?,?,?)",
                           "titttbiibi", serial, authority, kind, principal, common_name, pin,
                           (int)sizeof pin, x509_not_before(certificate),
                           x509_not_after(certificate), der.at, (int)der.len, (int64_t)time(NULL)),
                   "add a certificate");
    bytes_free(&der);
    return code;
}

int registry_certificate_import(struct registry *registry, int64_t authority,
                                const struct registry_import *row)
{
    uint8_t pin[32];
    struct bytes der = {NULL, 0};
    if (row->certificate) {
        x509_pin(row->certificate, pin);
        der = x509_der(row->certificate);
    }
    int64_t from = row->certificate ? x509_not_before(row->certificate) : 0;
    int code = run(registry,
                   prepare(registry,
                           "INSERT INTO certificate (serial, authority, kind, principal, "
                           "common_name, pin, not_before_s, not_after_s, der, issued_s, "
                           "revoked_s, reason) VALUES (?,?,?,?,?,?,?,?,?,?,nullif(?,0),?)",
                           "titttbiibiit", row->serial, authority, row->kind, row->principal,
                           row->common_name, row->certificate ? (const void *)pin : "",
                           row->certificate ? 32 : 0, from, row->not_after_s,
                           der.at ? (const void *)der.at : "", (int)der.len, from, row->revoked_s,
                           row->reason),
                   "add a certificate");
    bytes_free(&der);
    return code;
}

X509 *registry_certificate(struct registry *registry, const char *common_name)
{
    return certificate_of(prepare(registry,
                                  "SELECT der FROM certificate WHERE common_name = ? AND "
                                  "revoked_s IS NULL ORDER BY issued_s DESC, rowid DESC LIMIT 1",
                                  "t", common_name));
}

bool registry_key_is_known(struct registry *registry, const uint8_t pin[32],
                           const char *common_name, char owner[REGISTRY_NAME_MAX])
{
    sqlite3_stmt *statement = prepare(registry,
                                      "SELECT common_name FROM certificate WHERE pin = ? AND "
                                      "common_name <> ? LIMIT 1",
                                      "bt", pin, 32, common_name);
    bool found = statement && sqlite3_step(statement) == SQLITE_ROW;
    if (found)
        copy_text(statement, 0, owner, REGISTRY_NAME_MAX);
    sqlite3_finalize(statement);
    return found;
}

int64_t registry_holds_other(struct registry *registry, const char *principal,
                             enum registry_authority which, int64_t authority)
{
    int64_t now = time(NULL);
    return number_of(
        registry,
        prepare(registry,
                "SELECT count(DISTINCT c.common_name) FROM certificate c "
                "JOIN authority a ON a.id = c.authority WHERE c.principal = ?1 AND a.kind = ?2 "
                "AND a.id <> ?3 AND c.revoked_s IS NULL AND c.not_after_s >= ?4 AND NOT EXISTS "
                "(SELECT 1 FROM certificate n WHERE n.common_name = c.common_name AND "
                "n.authority = ?3 AND n.revoked_s IS NULL AND n.not_after_s >= ?4)",
                "ttii", principal, registry_authority_name(which), authority, now));
}

/* What has expired needs no place in a revocation list. */
int registry_revoke_name(struct registry *registry, const char *common_name, const char *reason)
{
    int64_t now = time(NULL);
    return run(registry,
               prepare(registry,
                       "UPDATE certificate SET revoked_s = ?, reason = ? WHERE common_name = ? "
                       "AND revoked_s IS NULL AND not_after_s >= ?",
                       "itti", now, reason, common_name, now),
               "revoke a certificate");
}

int registry_revoke_principal(struct registry *registry, const char *name, const char *reason)
{
    int64_t now = time(NULL);
    int code = run(registry,
                   prepare(registry,
                           "UPDATE certificate SET revoked_s = ?, reason = ? WHERE principal = ? "
                           "AND revoked_s IS NULL AND not_after_s >= ?",
                           "itti", now, reason, name, now),
                   "revoke certificates");
    return code == EXIT_OK
               ? run(registry,
                     prepare(registry, "UPDATE principal SET state = 'revoked' WHERE name = ?", "t",
                             name),
                     "revoke a name")
               : code;
}

int registry_principal_restore(struct registry *registry, const char *name)
{
    return run(registry,
               prepare(registry, "UPDATE principal SET state = 'active' WHERE name = ?", "t", name),
               "restore a name");
}

void registry_certificates(struct registry *registry, const char *principal,
                           void (*each)(void *user, const struct registry_certificate *row),
                           void *user)
{
    sqlite3_stmt *statement =
        prepare(registry,
                "SELECT serial, kind, common_name, not_before_s, not_after_s, issued_s, revoked_s "
                "FROM certificate WHERE principal = ? ORDER BY issued_s, rowid",
                "t", principal);
    while (statement && sqlite3_step(statement) == SQLITE_ROW) {
        struct registry_certificate row = {
            .not_before_s = sqlite3_column_int64(statement, 3),
            .not_after_s = sqlite3_column_int64(statement, 4),
            .issued_s = sqlite3_column_int64(statement, 5),
            .revoked_s = sqlite3_column_int64(statement, 6),
        };
        copy_text(statement, 0, row.serial, sizeof row.serial);
        copy_text(statement, 1, row.kind, sizeof row.kind);
        copy_text(statement, 2, row.common_name, sizeof row.common_name);
        each(user, &row);
    }
    sqlite3_finalize(statement);
}

int64_t registry_issued(struct registry *registry, int64_t authority)
{
    return number_of(registry, prepare(registry,
                                       "SELECT count(*) FROM certificate WHERE authority "
                                       "= ? AND kind <> 'ca'",
                                       "i", authority));
}

size_t registry_revoked(struct registry *registry, int64_t authority, int64_t now_s,
                        struct x509_revoked **out)
{
    size_t count = 0, room = 0;
    *out = NULL;
    sqlite3_stmt *statement =
        prepare(registry,
                "SELECT serial, revoked_s FROM certificate WHERE authority = ? AND "
                "revoked_s IS NOT NULL AND not_after_s >= ?",
                "ii", authority, now_s);
    while (statement && sqlite3_step(statement) == SQLITE_ROW) {
        if (count == room) {
            struct x509_revoked *larger =
                realloc(*out, (room = room ? 2 * room : 16) * sizeof **out);
            if (!larger)
                break;
            *out = larger;
        }
        struct x509_revoked *row = &(*out)[count++];
        copy_text(statement, 0, row->serial, sizeof row->serial);
        row->at_s = sqlite3_column_int64(statement, 1);
    }
    sqlite3_finalize(statement);
    return count;
}

int64_t registry_crl_number(struct registry *registry, int64_t authority)
{
    return number_of(registry, prepare(registry,
                                       "UPDATE authority SET crl_number = crl_number + 1 "
                                       "WHERE id = ? RETURNING crl_number",
                                       "i", authority));
}

/* ---- settings and events ---- */

int registry_set(struct registry *registry, const char *name, const char *value)
{
    return run(registry,
               prepare(registry,
                       "INSERT INTO setting VALUES (?, ?) ON CONFLICT (name) DO "
                       "UPDATE SET value = excluded.value",
                       "tt", name, value),
               "keep a setting");
}

bool registry_get(struct registry *registry, const char *name, char value[REGISTRY_TEXT_MAX])
{
    sqlite3_stmt *statement =
        prepare(registry, "SELECT value FROM setting WHERE name = ?", "t", name);
    bool found = statement && sqlite3_step(statement) == SQLITE_ROW;
    if (found)
        copy_text(statement, 0, value, REGISTRY_TEXT_MAX);
    sqlite3_finalize(statement);
    return found;
}

int registry_event(struct registry *registry, const char *what, const char *subject)
{
    return run(registry,
               prepare(registry, "INSERT INTO event (at_s, what, subject) VALUES (?,?,?)", "itt",
                       (int64_t)time(NULL), what, subject),
               "log an event");
}

void registry_events(struct registry *registry, int64_t most,
                     void (*each)(void *user, int64_t at_s, const char *what, const char *subject),
                     void *user)
{
    sqlite3_stmt *statement = prepare(registry,
                                      "SELECT at_s, what, subject FROM (SELECT * FROM event ORDER "
                                      "BY id DESC LIMIT ?) ORDER BY id",
                                      "i", most);
    char what[REGISTRY_TEXT_MAX], subject[REGISTRY_TEXT_MAX];
    while (statement && sqlite3_step(statement) == SQLITE_ROW) {
        copy_text(statement, 1, what, sizeof what);
        copy_text(statement, 2, subject, sizeof subject);
        each(user, sqlite3_column_int64(statement, 0), what, subject);
    }
    sqlite3_finalize(statement);
}
