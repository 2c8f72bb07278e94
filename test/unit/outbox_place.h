/* SPDX-License-Identifier: MIT */
/* An outbox file in a folder of its own, for the tests of the outbox file. */
#ifndef TEST_OUTBOX_PLACE_H
#define TEST_OUTBOX_PLACE_H

#include <thimble/outbox_file.h>

struct place {
    char folder[32], path[48], rewritten[56];
    struct th_outbox_file file;
    struct th_outbox box;
    struct th_outbox_file_config config;
    struct th_failure failure;
};

/* As cmocka wants them; the second sees to it that nothing was left in the folder. */
int place_set_up(void **state);
int place_tear_down(void **state);
enum th_error place_open(struct place *p);
void place_reopen(struct place *p);
bool box_add(struct place *p, uint16_t id, uint8_t qos, const void *bytes, size_t len);
bool box_state(struct place *p, uint16_t id, enum th_outbox_state to);
bool box_remove(struct place *p, uint16_t id);
bool box_inbound(struct place *p, uint16_t id, bool set);
bool box_has(struct place *p, uint16_t id);
/* "1Q 2P 7R: 5": identifiers with states in order, and inbound identifiers. */
const char *box_contents(struct place *p);
void box_assert_packet(struct place *p, uint16_t id, const char *text);
long size_of_file(const char *path);

#endif
