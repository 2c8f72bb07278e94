/* SPDX-License-Identifier: MIT */
/* Follows every state that power cuts can lead to. */
#include <stdlib.h>
#include <string.h>

#include "power.h"

struct power_world power_world;

/* ---- worlds ---- */

void power_blank(const struct power_scenario *scenario)
{
    memset(&power_world, 0, offsetof(struct power_world, cells));
    sim_flash_init(&power_world.flash, scenario->geometry, power_world.cells, power_world.weak, 1);
    power_world.scenario = scenario;
    power_world.flash.by_count = true;
    power_world.flash.readings = power_world.readings;
}

void power_crash(struct power_world *world)
{
    world->on = false;
    world->crashed = true;
}

struct power_saved {
    struct sim_flash flash;
    bool on, crashed;
    uint8_t bytes[]; /* cells, weak, readings, device */
};

struct power_saved *power_saved(const struct power_scenario *scenario)
{
    size_t flash = scenario->geometry.size;

    return malloc(sizeof(struct power_saved) + 2 * flash + flash / SIM_GRAIN +
                  scenario->device_bytes);
}

void power_save(const struct power_scenario *scenario, struct power_saved *into)
{
    const struct power_world *world = &power_world;
    size_t size = scenario->geometry.size;
    uint8_t *at = into->bytes;

    into->flash = world->flash;
    into->on = world->on;
    into->crashed = world->crashed;
    memcpy(at, world->cells, size);
    memcpy(at + size, world->weak, size);
    memcpy(at + 2 * size, world->readings, size / SIM_GRAIN);
    memcpy(at + 2 * size + size / SIM_GRAIN, world->device, scenario->device_bytes);
}

void power_load(const struct power_scenario *scenario, const struct power_saved *from)
{
    struct power_world *world = &power_world;
    size_t size = scenario->geometry.size;
    const uint8_t *at = from->bytes;

    world->flash = from->flash;
    world->on = from->on;
    world->crashed = from->crashed;
    world->wrong = NULL;
    memcpy(world->cells, at, size);
    memcpy(world->weak, at + size, size);
    memcpy(world->readings, at + 2 * size, size / SIM_GRAIN);
    memcpy(world->device, at + 2 * size + size / SIM_GRAIN, scenario->device_bytes);
}

/* ---- views ---- */

void power_view_add(struct power_view *view, const void *bytes, size_t len)
{
    if (len > sizeof view->bytes - view->len) {
        view->cramped = true;
        return;
    }
    if (len > 0)
        memcpy(view->bytes + view->len, bytes, len);
    view->len += len;
}

void power_view_number(struct power_view *view, uint32_t number)
{
    power_view_add(view, &number, sizeof number);
}

struct digest {
    uint64_t a, b;
};

static uint64_t stir(uint64_t state, uint64_t word)
{
    state = (state ^ word) * 0x9FB21C651E98DF25u;
    return state ^ state >> 32;
}

static struct digest look(const struct power_scenario *scenario, struct power_view *view)
{
    struct digest digest = {0x243F6A8885A308D3u, 0x13198A2E03707344u};

    view->len = 0;
    view->cramped = false;
    view->ways = 1;
    memset(view->readings[0], 0, scenario->geometry.size / SIM_GRAIN);
    power_view_number(view, power_world.on | power_world.crashed << 1);
    scenario->look(&power_world, view);
    if (view->cramped) {
        fprintf(stderr, "%s: a view does not fit\n", scenario->name);
        abort();
    }
    for (size_t at = 0; at < view->len; at += 8) {
        uint64_t word = 0;

        memcpy(&word, view->bytes + at, view->len - at < 8 ? view->len - at : 8);
        digest.a = stir(digest.a, word);
        digest.b = stir(digest.b, word + 0x452821E638D01377u);
    }
    digest.a = stir(digest.a, view->len);
    return digest;
}

/* ---- moves ---- */

#define UNCUT UINT32_MAX

struct move {
    uint16_t choice; /* of the way the weak cells read, or of the action */
    uint16_t tear;
    uint32_t cut_at; /* UNCUT */
};

static void take(const struct power_scenario *scenario, const struct power_saved *from,
                 const struct power_view *view, struct move move)
{
    struct power_world *world = &power_world;
    bool was_on;

    power_load(scenario, from);
    was_on = world->on;
    if (!was_on) {
        sim_flash_power_on(&world->flash, 1);
        memcpy(world->readings, view->readings[move.choice], scenario->geometry.size / SIM_GRAIN);
    }
    world->on = true;
    world->flash.operation = 0;
    world->flash.cut_at = UINT32_MAX;
    if (move.cut_at != UNCUT)
        sim_flash_cut(&world->flash, move.cut_at, (enum sim_tear)move.tear);
    if (was_on)
        scenario->act(world, move.choice);
    else
        scenario->start(world);
    if (world->flash.dead)
        world->on = false;
    if (!was_on || world->flash.dead)
        world->crashed = false; /* a start after a cut is none after a crash */
}

typedef bool after_move(void *user, struct move move);

/* Every move from a state, in an order that its view decides. False when `then` gave up. */
static bool all_moves(const struct power_scenario *scenario, unsigned tears,
                      const struct power_saved *from, after_move *then, void *user)
{
    struct power_view *view = malloc(sizeof *view); /* a comparison begins in the middle of this */
    unsigned choices;
    bool go_on = true;

    power_load(scenario, from);
    look(scenario, view);
    choices = from->on ? scenario->actions : view->ways;
    for (uint16_t choice = 0; go_on && choice < choices; choice++) {
        take(scenario, from, view, (struct move){choice, 0, UNCUT});
        uint32_t cuts = power_world.flash.operation * SIM_TEAR_KINDS;
        go_on = then(user, (struct move){choice, 0, UNCUT});
        for (uint32_t cut = 0; go_on && cut < cuts; cut++) {
            struct move move = {choice, cut % SIM_TEAR_KINDS, cut / SIM_TEAR_KINDS};

            if (!(tears >> move.tear & 1) || (move.tear == SIM_TEAR_NOTHING && move.cut_at > 0))
                continue; /* the same as WHOLE in the operation before */
            take(scenario, from, view, move);
            go_on = then(user, move);
        }
    }
    free(view);
    return go_on;
}

/* ---- the states found ---- */

struct state {
    struct digest digest;
    uint32_t parent;
    struct move move;          /* from the parent */
    struct power_saved *saved; /* until it is followed; for ever when others are compared with it */
    uint8_t compared;
};

struct search {
    const struct power_scenario *scenario;
    struct power_bounds bounds;
    struct power_count *count;
    struct state *states;
    uint32_t *slots; /* open addressing; a state's number + 1 */
    uint32_t slot_mask, found, following;
    struct power_saved *scratch;
    bool failed;
};

static uint32_t *slot_of(const struct search *search, struct digest digest)
{
    uint32_t slot = (uint32_t)digest.a & search->slot_mask;

    while (search->slots[slot]) {
        const struct digest *other = &search->states[search->slots[slot] - 1].digest;

        if (other->a == digest.a && other->b == digest.b)
            break;
        slot = (slot + 1) & search->slot_mask;
    }
    return &search->slots[slot];
}

static void print_path(const struct search *search, uint32_t state)
{
    const struct state *at = &search->states[state];

    if (state > 0)
        print_path(search, at->parent);
    if (state == 0)
        return;
    bool on = search->states[at->parent].digest.b & 1;
    printf("  %s %u", on ? "action" : "start, weak cells read in way", at->move.choice);
    if (at->move.cut_at != UNCUT)
        printf(", cut in operation %u with tear %u", at->move.cut_at, at->move.tear);
    printf("\n");
}

/* ---- comparing two raw states of one view ---- */

struct outcomes {
    const struct power_scenario *scenario;
    unsigned tears;
    uint64_t *of;
    size_t count, room;
};

static bool add_outcome(void *user, struct move move)
{
    static struct power_view view;
    struct outcomes *outcomes = user;
    uint64_t digest = look(outcomes->scenario, &view).a;

    digest = stir(digest, power_world.wrong != NULL);
    digest = stir(digest, (uint64_t)move.choice << 1 | (move.cut_at == UNCUT));
    if (outcomes->count == outcomes->room) {
        outcomes->room = outcomes->room * 2 + 64;
        outcomes->of = realloc(outcomes->of, outcomes->room * sizeof *outcomes->of);
    }
    outcomes->of[outcomes->count++] = digest;
    return true;
}

static int by_value(const void *a, const void *b)
{
    uint64_t one = *(const uint64_t *)a, other = *(const uint64_t *)b;

    return one < other ? -1 : one > other;
}

static void gather(struct outcomes *outcomes, const struct power_saved *from)
{
    size_t kept = 0;

    all_moves(outcomes->scenario, outcomes->tears, from, add_outcome, outcomes);
    qsort(outcomes->of, outcomes->count, sizeof *outcomes->of, by_value);
    for (size_t i = 0; i < outcomes->count; i++) {
        if (kept == 0 || outcomes->of[kept - 1] != outcomes->of[i])
            outcomes->of[kept++] = outcomes->of[i];
    }
    outcomes->count = kept;
}

/* For each way or action, the cuts from both lead to the same views, and so does having no cut:
 * that is what makes it right to follow only one of them (docs/proof.md). */
static bool behave_alike(const struct power_scenario *scenario, unsigned tears,
                         const struct power_saved *one, const struct power_saved *other)
{
    struct outcomes a = {.scenario = scenario, .tears = tears}, b = a;

    gather(&a, one);
    gather(&b, other);
    bool alike = a.count == b.count && memcmp(a.of, b.of, a.count * sizeof *a.of) == 0;
    free(a.of);
    free(b.of);
    return alike;
}

/* ---- the search ---- */

#define COMPARE_MOST 4

static bool meet_again(struct search *search, uint32_t number, struct move move)
{
    struct state *state = &search->states[number];
    const struct power_scenario *scenario = search->scenario;
    struct power_saved *now = search->scratch;

    if (!state->saved || state->compared >= COMPARE_MOST)
        return true;
    power_save(scenario, now);
    if (memcmp(now->bytes, state->saved->bytes, 2 * (size_t)scenario->geometry.size) == 0)
        return true;
    search->count->merged++;
    if (search->bounds.compare == 0 || number % search->bounds.compare != 0)
        return true;
    state->compared++;
    search->count->compared++;
    if (behave_alike(scenario, search->bounds.tears, state->saved, now))
        return true;
    printf("%s: two states of one view behave differently; the first was reached by\n",
           scenario->name);
    print_path(search, number);
    printf("the second by a move %u %u %u from\n", move.choice, move.cut_at, move.tear);
    print_path(search, search->following);
    search->failed = true;
    return false;
}

static bool intern(void *user, struct move move)
{
    static struct power_view view;
    struct search *search = user;
    struct digest digest;
    uint32_t *slot;

    search->count->moves++;
    if (power_world.wrong) {
        printf("%s: %s, after\n", search->scenario->name, power_world.wrong);
        print_path(search, search->following);
        printf("  and then choice %u, cut in operation %d with tear %u\n", move.choice,
               (int)move.cut_at, move.tear);
        search->failed = true;
        return false;
    }
    digest = look(search->scenario, &view);
    digest.b = (digest.b & ~(uint64_t)1) | power_world.on;
    slot = slot_of(search, digest);
    if (*slot)
        return meet_again(search, *slot - 1, move);
    if (search->found == search->bounds.states)
        return false;
    *slot = search->found + 1;
    struct state *state = &search->states[search->found++];
    *state = (struct state){.digest = digest, .parent = search->following, .move = move};
    state->saved = power_saved(search->scenario);
    power_save(search->scenario, state->saved);
    if (power_world.on)
        search->count->on++;
    else
        search->count->off++;
    return true;
}

static void follow_all(struct search *search)
{
    unsigned compare = search->bounds.compare;

    intern(search, (struct move){0, 0, UNCUT});
    while (search->following < search->found && !search->failed) {
        struct state *state = &search->states[search->following];

        if (!all_moves(search->scenario, search->bounds.tears, state->saved, intern, search))
            return;
        if (compare == 0 || search->following % compare != 0) {
            free(state->saved);
            state->saved = NULL;
        }
        search->following++;
    }
    search->count->closed = !search->failed;
}

bool power_explore(const struct power_scenario *scenario, struct power_bounds bounds,
                   struct power_count *count)
{
    struct search search = {.scenario = scenario, .bounds = bounds, .count = count};

    memset(count, 0, sizeof *count);
    search.slot_mask = 1;
    while (search.slot_mask < bounds.states * 2)
        search.slot_mask = search.slot_mask << 1 | 1;
    search.slots = calloc((size_t)search.slot_mask + 1, sizeof *search.slots);
    search.states = calloc(bounds.states, sizeof *search.states);
    search.scratch = power_saved(scenario);
    power_blank(scenario);
    follow_all(&search);
    for (uint32_t i = 0; i < search.found; i++)
        free(search.states[i].saved);
    free(search.scratch);
    free(search.states);
    free(search.slots);
    return !search.failed;
}
