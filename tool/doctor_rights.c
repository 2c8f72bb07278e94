/* SPDX-License-Identifier: MIT */
/* The broker's ACL for one name. mosquitto denies in silence: a publication that is dropped is
 * acknowledged to a client of 3.1.1, and a subscription that hears nothing is granted. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <thimble/topic.h>

#include "acl.h"
#include "doctor.h"
#include "exits.h"
#include "term.h"
#include "text.h"

#define MEND "thimble broker init --replace writes the ACL anew; SIGHUP has the broker read it"

/* One line that counts for the name: in its own section, or a pattern. */
struct right {
    bool read, write, deny;
    char filter[200];
};

struct rights {
    struct right at[128];
    size_t count;
};

/* %u is the name. */
static void expand(const char *filter, const char *name, char into[200])
{
    size_t len = 0;
    for (const char *at = filter; *at && len < 199;) {
        if (strncmp(at, "%u", 2) == 0) {
            len += (size_t)snprintf(into + len, 200 - len, "%s", name);
            at += 2;
        } else {
            into[len++] = *at++;
        }
        len = len > 199 ? 199 : len;
    }
    into[len] = '\0';
}

/* "read a/b", "write …", "readwrite …", "deny …", or a filter alone. */
static void add(struct rights *rights, const char *text, const char *name)
{
    static const struct {
        const char *word;
        bool read, write, deny;
    } kinds[] = {{"readwrite ", true, true, false},
                 {"read ", true, false, false},
                 {"write ", false, true, false},
                 {"deny ", true, true, true}};
    if (rights->count == sizeof rights->at / sizeof rights->at[0])
        return;
    struct right *right = &rights->at[rights->count++];
    *right = (struct right){.read = true, .write = true};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strncmp(text, kinds[i].word, strlen(kinds[i].word)) != 0)
            continue;
        *right = (struct right){kinds[i].read, kinds[i].write, kinds[i].deny, ""};
        text += strlen(kinds[i].word);
        break;
    }
    expand(text, name, right->filter);
}

static void read_rights(const char *text, const char *name, struct rights *out)
{
    char line[512];
    bool own = false;
    out->count = 0;
    for (const char *at = text; *at;) {
        size_t len = strcspn(at, "\r\n");
        snprintf(line, sizeof line, "%.*s", (int)(len < 511 ? len : 511), at);
        if (strncmp(line, "user ", 5) == 0)
            own = strcmp(line + 5, name) == 0;
        else if (strncmp(line, "pattern ", 8) == 0)
            add(out, line + 8, name);
        else if (own && strncmp(line, "topic ", 6) == 0)
            add(out, line + 6, name);
        at += len;
        at += strspn(at, "\r\n");
    }
}

static bool same(const struct right *a, const struct right *b)
{
    return a->read == b->read && a->write == b->write && a->deny == b->deny &&
           strcmp(a->filter, b->filter) == 0;
}

static const struct right *first_missing(const struct rights *of, const struct rights *in)
{
    for (size_t i = 0; i < of->count; i++) {
        bool found = false;
        for (size_t j = 0; j < in->count; j++)
            found |= same(&of->at[i], &in->at[j]);
        if (!found)
            return &of->at[i];
    }
    return NULL;
}

static const char *word_of(const struct right *right)
{
    return right->deny                   ? "deny"
           : right->read && right->write ? "readwrite"
           : right->read                 ? "read"
                                         : "write";
}

/* What the registry says that stands there. */
static bool read_expected(const struct doctor *doctor, struct rights *out)
{
    struct text text;
    if (text_open(&text) != EXIT_OK)
        return false;
    acl_devices(text.file);
    if (strcmp(doctor->row.kind, "user") == 0)
        acl_user(text.file, &doctor->row);
    else if (doctor->row.mac[0])
        acl_legacy_device(text.file, doctor->row.name, doctor->row.mac);
    bool whole = fclose(text.file) == 0;
    if (whole)
        read_rights(text.at, doctor->name, out);
    free(text.at);
    return whole;
}

/* A topic as the broker judges it: a denial is stronger than any grant. */
static bool may(const struct rights *rights, const char *topic, bool write)
{
    bool granted = false;
    for (size_t i = 0; i < rights->count; i++) {
        const struct right *right = &rights->at[i];
        if (!(write ? right->write : right->read) ||
            !th_topic_match(th_span_str(right->filter), th_span_str(topic)))
            continue;
        if (right->deny)
            return false;
        granted = true;
    }
    return granted;
}

static void look_at_topic(struct doctor *doctor, const struct rights *rights, const char *topic,
                          bool write)
{
    char list[300] = "";
    if (!topic || !th_topic_name_valid(th_span_str(topic)) || may(rights, topic, write))
        return;
    for (size_t i = 0; i < rights->count; i++) {
        const struct right *right = &rights->at[i];
        size_t len = strlen(list);
        if (!right->deny && (write ? right->write : right->read))
            snprintf(list + len, sizeof list - len, "%s%s", len ? ", " : "", right->filter);
    }
    doctor_found(doctor, DOCTOR_RIGHTS,
                 "the broker's ACL does not let %s %s %s, and mosquitto denies in silence\nit may "
                 "%s %s\nuse one of those, or give this one a line of its own in an ACL of yours",
                 doctor->name, write ? "write" : "read", topic, write ? "write" : "read",
                 list[0] ? list : "nothing");
}

void doctor_rights(struct doctor *doctor)
{
    struct rights *found = calloc(2, sizeof *found), *expected = found ? found + 1 : NULL;
    struct bytes text = {NULL, 0};
    bool active = doctor->is_known && strcmp(doctor->row.state, "active") == 0;
    if (!found || !active || !doctor->has_broker) {
        free(found);
        return;
    }
    struct path path = home_path(&doctor->home, "broker/acl");
    if (files_read_large(path.text, &text) != EXIT_OK) {
        doctor_found(doctor, DOCTOR_RIGHTS, "the broker's ACL cannot be read\n%s\n" MEND,
                     term_failed());
    } else if (read_expected(doctor, expected)) {
        read_rights((const char *)text.at, doctor->name, found);
        const struct right *missing = first_missing(expected, found);
        const struct right *further = first_missing(found, expected);
        if (missing)
            doctor_found(doctor, DOCTOR_RIGHTS,
                         "the broker's ACL does not give %s what it needs, and mosquitto denies in "
                         "silence\n%s has no line '%s %s' for it\n" MEND,
                         doctor->name, path.text, word_of(missing), missing->filter);
        else if (further && further->deny)
            doctor_found(doctor, DOCTOR_RIGHTS,
                         "the broker's ACL denies %s something, in silence\n%s has a line of its "
                         "own: '%s %s'\n" MEND,
                         doctor->name, path.text, word_of(further), further->filter);
        look_at_topic(doctor, found, doctor->publishes, true);
        look_at_topic(doctor, found, doctor->subscribes, false);
        if (!doctor_has(doctor, DOCTOR_RIGHTS) || !missing)
            doctor_fine(doctor, "the broker's ACL has the lines of %s", doctor->name);
    }
    bytes_free(&text);
    free(found);
}
