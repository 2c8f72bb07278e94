/* SPDX-License-Identifier: MIT */
/* Runs on the boards: the parameter `run` names one check. The host reads console and exit status:
 * 0 passed, 1 failed, 2 unknown check. A check that restarts the machine goes on after the reset.
 */
#include <string.h>
#include <thimble/boot.h>
#include <thimble/log.h>

#include <cpu.h>
#include <lwip/dhcp.h>

#include "../../ports/common/host.h"
#include "../../ports/common/machine.h"
#include "../../ports/common/print.h"
#include "../../ports/lwip/th_lwip.h"
#include "board_store.h"

#define SAY(...) th_print(th_machine_put, NULL, __VA_ARGS__)

#define EXPECT(condition)                                       \
    do {                                                        \
        if (!(condition)) {                                     \
            SAY("line %d: not so: %s\n", __LINE__, #condition); \
            return 1;                                           \
        }                                                       \
    } while (0)

static struct th_lwip lwip;
static struct th_board board;

static int check_dhcp(void)
{
    th_lwip_start(&lwip, th_machine_card_start, th_machine_card_poll);
    while (dhcp_supplied_address(&lwip.netif) == 0) {
        th_lwip_poll(&lwip);
        th_machine_idle(th_timer_now_ms() + th_lwip_deadline(&lwip));
        EXPECT(th_timer_now_ms() < 20000);
    }
    const uint8_t *ip = (const uint8_t *)&netif_ip4_addr(&lwip.netif)->addr;
    SAY("address %u.%u.%u.%u after %u ms\n", ip[0], ip[1], ip[2], ip[3], th_timer_now_ms());
    return 0;
}

/* R1: what the layers above build on. The last unit of the flash is free for this. */
static int check_flash(void)
{
    const struct th_flash_ops *flash = board.flash.ops;
    struct th_flash_geometry geometry = flash->geometry(NULL);
    uint32_t unit = geometry.size - geometry.erase_unit;
    static uint8_t page[3000], back[3000];

    for (unsigned i = 0; i < sizeof(page); i++)
        page[i] = (uint8_t)(i * 7);
    EXPECT(flash->erase(NULL, unit));
    EXPECT(flash->read(NULL, unit + 1, back, 7));
    EXPECT(back[0] == 0xFF && back[6] == 0xFF);
    EXPECT(flash->program(NULL, unit + 1000, page, sizeof(page)));
    EXPECT(flash->read(NULL, unit + 1000, back, sizeof(back)));
    EXPECT(memcmp(page, back, sizeof(page)) == 0);
    EXPECT(flash->read(NULL, unit + 1003, back, 5) && memcmp(back, page + 3, 5) == 0);
    memset(page, 0xF0, 8);
    EXPECT(flash->program(NULL, unit + 1000, page, 8)); /* only clears bits */
    EXPECT(flash->read(NULL, unit + 1000, back, 8));
    for (unsigned i = 0; i < 8; i++)
        EXPECT(back[i] == ((i * 7) & 0xF0));
    EXPECT(!flash->program(NULL, unit + 1001, page, 8));
    EXPECT(!flash->program(NULL, geometry.size - 4, page, 8));
    EXPECT(!flash->read(NULL, geometry.size, back, 1));
    EXPECT(!flash->erase(NULL, unit + 4));
    EXPECT(!flash->erase(NULL, geometry.size));
    return 0;
}

static int check_rtc(void)
{
    uint8_t kept[TH_RTC_BYTES];
    enum th_reset_reason reason = board.system.ops->reset_reason(NULL);

    SAY("reset reason %d\n", reason);
    EXPECT(board.rtc.ops->read(NULL, kept));
    if (reason == TH_RESET_POWER_ON) {
        EXPECT(kept[0] == 0 && kept[TH_RTC_BYTES - 1] == 0);
        memset(kept, 0x5A, sizeof(kept));
        EXPECT(board.rtc.ops->write(NULL, kept));
        board.system.ops->restart(NULL);
    }
    EXPECT(reason == TH_RESET_REQUESTED);
    EXPECT(kept[0] == 0x5A && kept[TH_RTC_BYTES - 1] == 0x5A);
    EXPECT(!th_machine_crash(&(struct th_crash){0}));
    return 0;
}

/* Waits for the host to pull the reset line. */
static int check_reset_line(void)
{
    enum th_reset_reason reason = board.system.ops->reset_reason(NULL);

    SAY("reset reason %d\n", reason);
    if (reason == TH_RESET_POWER_ON)
        for (;;)
            th_machine_idle(th_timer_now_ms() + 1000);
    EXPECT(reason == TH_RESET_UNKNOWN);
    return 0;
}

static void say_crash(const struct th_crash *crash)
{
    SAY("crash reason %d pc %08x return %08x cause %u address %08x uptime %u\n", crash->reason,
        crash->pc, crash->return_address, crash->cause, crash->address, crash->uptime_ms);
}

static int check_crash(void)
{
    struct th_crash crash;

    if (board.system.ops->reset_reason(NULL) == TH_RESET_POWER_ON)
        th_machine_crash_now();
    EXPECT(th_machine_crash(&crash));
    say_crash(&crash);
    EXPECT(crash.reason == TH_RESET_CRASH);
    EXPECT(crash.pc - (uintptr_t)th_machine_crash_now < 16 ||
           crash.pc - ((uintptr_t)th_machine_crash_now & ~1u) < 16);
    return 0;
}

/* O11's planted hang; its address is what the report must show. */
static __attribute__((noinline)) void hang(void)
{
    for (;;)
        __asm__ volatile("nop");
}

static int check_watchdog(void)
{
    struct th_crash crash;

    if (board.system.ops->reset_reason(NULL) == TH_RESET_POWER_ON) {
        th_timer_watchdog_start(500);
        for (uint32_t end = th_timer_now_ms() + 1500; th_timer_now_ms() < end;)
            board.system.ops->feed_watchdog(NULL);
        hang();
    }
    EXPECT(th_machine_crash(&crash));
    say_crash(&crash);
    EXPECT(crash.reason == TH_RESET_WATCHDOG);
    EXPECT(crash.pc - ((uintptr_t)hang & ~(uintptr_t)1) < 32);
    EXPECT(crash.uptime_ms >= 1900 && crash.uptime_ms < 2600);
    return 0;
}

/* R9: the outputs go off on time although the loop is held for 2 s. The trace is the host's. */
static int check_arm_off(void)
{
    const struct th_pin_ops *pins = board.pins.ops;
    uint32_t now = th_timer_now_ms();
    enum th_pin_level level;

    EXPECT(pins->set(NULL, 4, TH_PIN_HIGH) && pins->set(NULL, 5, TH_PIN_LOW));
    EXPECT(pins->arm_off(NULL, 4, TH_PIN_LOW, now + 700));
    EXPECT(pins->arm_off(NULL, 5, TH_PIN_HIGH, now + 2500));
    EXPECT(pins->arm_off(NULL, 5, TH_PIN_HIGH, now + 900));
    SAY("armed at %u\n", now);
    while (th_timer_now_ms() - now < 2000)
        continue;
    EXPECT(pins->get(NULL, 4, &level) && level == TH_PIN_LOW);
    EXPECT(pins->get(NULL, 5, &level) && level == TH_PIN_HIGH);
    /* Nor do they go on again without a new time. */
    EXPECT(!pins->set(NULL, 4, TH_PIN_HIGH) && !pins->set(NULL, 5, TH_PIN_LOW));
    EXPECT(pins->set(NULL, 4, TH_PIN_LOW) && pins->set(NULL, 5, TH_PIN_HIGH));
    EXPECT(!pins->set(NULL, TH_PINS, TH_PIN_LOW) && !pins->get(NULL, TH_PINS, &level) &&
           !pins->arm_off(NULL, TH_PINS, TH_PIN_LOW, now));
    return 0;
}

/* Follows input 7 to output 3, until input 8 goes high. */
static int check_inputs(void)
{
    enum th_pin_level level;

    for (;;) {
        EXPECT(board.pins.ops->get(NULL, 7, &level));
        EXPECT(board.pins.ops->set(NULL, 3, level));
        EXPECT(board.pins.ops->get(NULL, 8, &level));
        if (level == TH_PIN_HIGH)
            break;
        th_machine_idle(th_timer_now_ms() + 10);
    }
    SAY("analog %d %d %d\n", th_analog_mv(0), th_analog_mv(7), th_analog_mv(8));
    return 0;
}

/* T13: the host names a source that is stuck, that repeats, that ends, or that begins as before. */
static int check_entropy(void)
{
    uint8_t bytes[32] = {0}, more[32] = {0};
    bool good = board.entropy.ops->fill(NULL, bytes, sizeof(bytes)) &&
                board.entropy.ops->fill(NULL, more, sizeof(more));

    SAY("entropy %s\n", good ? "good" : "failed");
    EXPECT(!good || memcmp(bytes, more, sizeof(more)) != 0);
    EXPECT(good || !board.entropy.ops->fill(NULL, bytes, sizeof(bytes)));
    if (th_host_param("twice") != NULL && board.system.ops->reset_reason(NULL) == TH_RESET_POWER_ON)
        board.system.ops->restart(NULL);
    return 0;
}

static int check_idle(void)
{
    uint32_t start = th_timer_now_ms();
    uint32_t rounds = 0;

    while (th_timer_now_ms() - start < 3000) {
        th_machine_idle(th_timer_now_ms() + 100);
        rounds++;
    }
    SAY("idle rounds %u\n", rounds);
    EXPECT(rounds >= 25 && rounds <= 31);
    return 0;
}

static int check_echo(void)
{
    SAY("ready\n");
    for (uint32_t end = th_timer_now_ms() + 10000; th_timer_now_ms() < end;) {
        int c = th_machine_get();
        if (c == '.')
            return 0;
        if (c >= 0)
            th_machine_put(NULL, (char)(c + 1));
        else
            th_machine_idle(end);
    }
    return 1;
}

/* O11: on trial, an image that crashes at once. */
static int check_crash_on_trial(void)
{
    struct th_machine_slot slot = th_machine_slot();

    SAY("slot %u%s%s\n", slot.index, slot.trial ? ", on trial" : "",
        slot.reverted ? ", reverted" : "");
    if (slot.trial)
        th_machine_crash_now();
    return 0;
}

/* Where check_power writes: docs/flash-format.md. */
static const uint32_t boot_units[2] = {0x010000, 0x020000};
static const struct th_log_region log_region = {0x030000, 4, 1};
static uint8_t record[3000];

static int find_what_was_written(struct th_log *log, uint32_t *written)
{
    struct th_boot_record boot;

    EXPECT(th_log_mount(log, board.flash.ops, NULL, log_region, th_timer_now_ms()) == TH_OK);
    size_t len = th_log_len(log, 3);
    EXPECT(len == 0 || len == sizeof(record));
    EXPECT(th_log_read(log, 3, 0, record, sizeof(record)) == len);
    for (unsigned i = 1; i < len / sizeof(*written); i++)
        EXPECT(memcmp(record, record + i * sizeof(*written), sizeof(*written)) == 0);
    *written = 0;
    if (len > 0)
        memcpy(written, record, sizeof(*written));
    EXPECT(th_boot_read(board.flash.ops, NULL, boot_units, &boot) >= 0);
    SAY("found log %u record %u\n", *written, boot.sequence);
    return 0;
}

/* O9, R1: writes for ever, until the power goes; what it says is written must be there afterwards.
 */
static int check_power(void)
{
    static struct th_log log;
    struct th_boot_record boot;
    uint32_t count;

    if (find_what_was_written(&log, &count) != 0)
        return 1;
    for (;;) {
        count++;
        for (unsigned i = 0; i < sizeof(record) / sizeof(count); i++)
            memcpy(record + i * sizeof(count), &count, sizeof(count));
        EXPECT(th_log_write(&log, 3, th_span_of(record, sizeof(record))) == TH_OK);
        SAY("log %u\n", count);
        if (count % 4 != 0)
            continue;
        EXPECT(th_boot_read(board.flash.ops, NULL, boot_units, &boot) >= 0);
        boot.slot ^= 1; /* the same image is in both */
        EXPECT(th_boot_write(board.flash.ops, NULL, boot_units, &boot));
        SAY("record %u\n", boot.sequence);
    }
}

static void say_number(const char *word, unsigned number)
{
    SAY("%s %u\n", word, number);
}

/* R1: settings and trials, until the power goes. */
static int check_store(void)
{
    return board_store_run(&board, th_timer_now_ms(), say_number);
}

/* For the measuring emulator: marks, and accesses that the real chip would not survive. */
static int check_marks(void)
{
    th_cpu_mark(1);
    for (int i = 0; i < 3; i++) {
        for (volatile int n = 0; n < 1000; n++)
            continue;
        th_cpu_mark(2);
    }
#ifdef __XTENSA__
    SAY("byte of flash %u\n", *(volatile uint8_t *)0x40201011);
    *(volatile uint32_t *)0x402FFFF0 = 0;
    *(volatile uint32_t *)0x3FFE0000 = 0;
#endif
    return 0;
}

static const struct {
    const char *name;
    int (*run)(void);
} checks[] = {
    {"dhcp", check_dhcp},        {"flash", check_flash},   {"rtc", check_rtc},
    {"reset", check_reset_line}, {"crash", check_crash},   {"watchdog", check_watchdog},
    {"arm-off", check_arm_off},  {"inputs", check_inputs}, {"entropy", check_entropy},
    {"idle", check_idle},        {"echo", check_echo},     {"marks", check_marks},
    {"store", check_store},      {"power", check_power},   {"crash-on-trial", check_crash_on_trial},
};

int th_main(void)
{
    th_machine_start();
    board = th_machine_board((struct th_net){0});
    const char *run = th_host_param("run");
    for (unsigned i = 0; run != NULL && i < sizeof(checks) / sizeof(checks[0]); i++)
        if (strcmp(run, checks[i].name) == 0) {
            int status = checks[i].run();
            SAY("%s %s, stack peak %u\n", run, status == 0 ? "passed" : "failed",
                (unsigned)th_machine_stack_peak());
            return status;
        }
    SAY("no such check\n");
    return 2;
}
