/* SPDX-License-Identifier: MIT */
/*
 * A TCG plugin of QEMU: counts instructions between the marks an image sets (th_machine_mark) and,
 * for lx106, checks each access against the rules of the real chip that QEMU does not enforce:
 * IRAM and mapped flash by aligned words only, flash never written, DRAM only in the 80 KiB.
 *
 *   -plugin plugin.so,out=FILE,board=lx106|mps2
 *
 * The file then holds, at the end of the emulator:
 *   instructions COUNT
 *   mark NUMBER times COUNT total INSTRUCTIONS longest INSTRUCTIONS    (since the mark before)
 *   phase NUMBER at INSTRUCTIONS                  (since the start; each of the marks below 16)
 *   violation KIND pc ADDRESS address ADDRESS times COUNT
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <qemu-plugin.h>

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;

#define MARKS      64
#define VIOLATIONS 64

static uint64_t instructions;
static uint64_t last_mark;
static uint64_t mark_base;
static bool check_rules;
static char out_path[1024];

static struct {
    uint64_t times, total, longest;
} marks[MARKS];

#define PHASE_MARKS 16 /* the marks below are rare: each is listed */
#define PHASES      256

static struct {
    uint64_t at;
    unsigned number;
} phases[PHASES];
static unsigned phase_count;

static struct {
    const char *kind;
    uint64_t pc, address, times;
} violations[VIOLATIONS];

static void note_mark(unsigned number)
{
    uint64_t since = instructions - last_mark;

    last_mark = instructions;
    marks[number].times++;
    if (number < PHASE_MARKS && phase_count < PHASES) {
        phases[phase_count].number = number;
        phases[phase_count++].at = instructions;
    }
    marks[number].total += since;
    if (since > marks[number].longest)
        marks[number].longest = since;
}

static void note_violation(const char *kind, uint64_t pc, uint64_t address)
{
    for (unsigned i = 0; i < VIOLATIONS; i++) {
        if (violations[i].kind == NULL) {
            violations[i].kind = kind;
            violations[i].pc = pc;
            violations[i].address = address;
        }
        if (violations[i].kind == kind && violations[i].pc == pc) {
            violations[i].times++;
            return;
        }
    }
}

static bool within(uint64_t address, uint64_t from, uint64_t to)
{
    return address >= from && address < to;
}

/* What the ESP8266 traps or corrupts. The loader stands for mask ROM and flash hardware: exempt. */
static const char *broken_rule(uint64_t pc, uint64_t address, unsigned bytes, bool store)
{
    if (within(pc, 0x40000000, 0x40100000) || pc >= 0x50000000)
        return NULL;
    if (within(address, 0x40200000, 0x40300000) && store)
        return "store-to-flash";
    if (within(address, 0x40100000, 0x40300000))
        return bytes < 4 || address % 4 != 0 ? "not-by-word" : NULL;
    if (within(address, 0x3FFE8000, 0x3FFFC000) || address >= 0x60000000)
        return NULL;
    return "outside-memory";
}

static void on_access(unsigned cpu, qemu_plugin_meminfo_t info, uint64_t address, void *user)
{
    uint64_t pc = (uint64_t)(uintptr_t)user;
    bool store = qemu_plugin_mem_is_store(info);

    (void)cpu;
    if (store && within(address, mark_base, mark_base + 4 * MARKS)) {
        note_mark((unsigned)(address - mark_base) / 4);
        return;
    }
    if (!check_rules)
        return;
    const char *kind = broken_rule(pc, address, 1u << qemu_plugin_mem_size_shift(info), store);
    if (kind != NULL)
        note_violation(kind, pc, address);
}

static void on_translation(qemu_plugin_id_t id, struct qemu_plugin_tb *block)
{
    size_t count = qemu_plugin_tb_n_insns(block);

    (void)id;
    qemu_plugin_register_vcpu_tb_exec_inline(block, QEMU_PLUGIN_INLINE_ADD_U64, &instructions,
                                             count);
    for (size_t i = 0; i < count; i++) {
        struct qemu_plugin_insn *instruction = qemu_plugin_tb_get_insn(block, i);
        qemu_plugin_register_vcpu_mem_cb(instruction, on_access, QEMU_PLUGIN_CB_NO_REGS,
                                         QEMU_PLUGIN_MEM_RW,
                                         (void *)(uintptr_t)qemu_plugin_insn_vaddr(instruction));
    }
}

static void on_end(qemu_plugin_id_t id, void *user)
{
    FILE *out = fopen(out_path, "w");

    (void)id;
    (void)user;
    if (out == NULL)
        return;
    fprintf(out, "instructions %" PRIu64 "\n", instructions);
    for (unsigned i = 0; i < MARKS; i++)
        if (marks[i].times > 0)
            fprintf(out, "mark %u times %" PRIu64 " total %" PRIu64 " longest %" PRIu64 "\n", i,
                    marks[i].times, marks[i].total, marks[i].longest);
    for (unsigned i = 0; i < phase_count; i++)
        fprintf(out, "phase %u at %" PRIu64 "\n", phases[i].number, phases[i].at);
    for (unsigned i = 0; i < VIOLATIONS && violations[i].kind != NULL; i++)
        fprintf(out, "violation %s pc %08" PRIx64 " address %08" PRIx64 " times %" PRIu64 "\n",
                violations[i].kind, violations[i].pc, violations[i].address, violations[i].times);
    fclose(out);
}

QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc,
                                           char **argv)
{
    (void)info;
    for (int i = 0; i < argc; i++) {
        if (strncmp(argv[i], "out=", 4) == 0)
            snprintf(out_path, sizeof(out_path), "%s", argv[i] + 4);
        if (strcmp(argv[i], "board=lx106") == 0) {
            mark_base = 0x9D02F000;
            check_rules = true;
        }
        if (strcmp(argv[i], "board=mps2") == 0)
            mark_base = 0x4000F000;
    }
    if (out_path[0] == '\0' || mark_base == 0) {
        fprintf(stderr, "plugin: needs out=FILE,board=lx106|mps2\n");
        return 1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    qemu_plugin_register_atexit_cb(id, on_end, NULL);
    return 0;
}
