/* SPDX-License-Identifier: MIT */
/* The table of pins, drawn. 80 columns and 24 rows hold all of it. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pins_table.h"
#include "term.h"

enum { CELL = 19, BAR = 8, CELL_TEXT = 48 };

int64_t pins_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void pins_state_read(struct pins_state *state, const struct th_linux_view *view)
{
    state->has_spi = false;
    for (uint8_t i = 0; i < TH_LINUX_PINS; i++) {
        th_linux_view_pin(view, i, &state->pins[i]);
        state->inputs[i] = th_linux_view_input(view, i);
    }
    for (uint8_t i = 0; i < PINS_BITS; i++) {
        th_linux_view_bit(view, i, &state->bits[i]);
        state->has_spi |= state->bits[i].leased;
    }
    for (uint8_t i = 0; i < TH_LINUX_ADCS; i++)
        state->adcs[i] = th_linux_view_adc(view, i);
}

bool pins_is_on(const struct th_linux_output *output)
{
    return output->driven && output->leased && output->high != output->safe;
}

void pins_table_say(struct pins_table *table, const char *line)
{
    char *into = table->lines[table->line_count++ % PINS_LINES];

    snprintf(into, sizeof table->lines[0], "%s", line);
    for (; *into; into++) {
        if ((unsigned char)*into < 0x20 || *into == 0x7F)
            *into = '?';
    }
}

/* ---- rows ---- */

struct row {
    FILE *to;
    unsigned left, columns, ended; /* ended: rows that are behind */
};

static void put(struct row *row, const char *style, const char *text)
{
    fputs(style, row->to);
    for (; *text; text++) {
        bool begins = ((unsigned char)*text & 0xC0) != 0x80;
        if (begins && row->left == 0)
            break;
        row->left -= begins;
        putc(*text, row->to);
    }
    fputs(*style ? "\033[0m" : "", row->to);
}

static void pad_to(struct row *row, unsigned column)
{
    while (row->left > 0 && row->columns - row->left < column)
        put(row, "", " ");
}

static void end_row(struct row *row)
{
    fputs("\033[K\r\n", row->to);
    row->left = row->columns;
    row->ended++;
}

/* ---- cells ---- */

struct cell {
    char text[CELL_TEXT];
    enum term_style style;
};

/* "0:57", "12:04", "1:02:33" */
static void left_text(int64_t off_ms, int64_t now_ms, char into[16])
{
    int s =
        off_ms > now_ms && off_ms - now_ms < 360000000 ? (int)((off_ms - now_ms + 999) / 1000) : 0;

    if (off_ms == 0)
        into[0] = '\0';
    else if (s >= 3600)
        snprintf(into, 16, "%d:%02d:%02d", s / 3600, s / 60 % 60, s % 60);
    else
        snprintf(into, 16, "%d:%02d", s / 60, s % 60);
}

static void output_cell(const struct pins_table *table, const char *label,
                        const struct th_linux_output *output, int64_t now_ms, struct cell *cell)
{
    char left[16];

    if (pins_is_on(output)) {
        left_text(output->off_ms, now_ms, left);
        snprintf(cell->text, CELL_TEXT, "%s %s on  %s", label, table->utf8 ? "\u25CF" : "*", left);
        cell->style = output->off_ms - now_ms < 10000 ? TERM_YELLOW : TERM_GREEN;
    } else if (output->leased) {
        snprintf(cell->text, CELL_TEXT, "%s %s off", label, table->utf8 ? "\u25CB" : "o");
        cell->style = TERM_PLAIN;
    } else {
        snprintf(cell->text, CELL_TEXT, "%s %s out %s", label, table->utf8 ? "\u25B8" : ">",
                 output->high ? "high" : "low");
        cell->style = TERM_CYAN;
    }
}

static void pin_cell(const struct pins_table *table, unsigned pin, int64_t now_ms,
                     struct cell *cell)
{
    char label[8];

    snprintf(label, sizeof label, "%2u", pin);
    if (table->state.pins[pin].driven) {
        output_cell(table, label, &table->state.pins[pin], now_ms, cell);
        return;
    }
    snprintf(cell->text, CELL_TEXT, "%s   in  %s", label,
             table->state.inputs[pin] ? "high" : "low");
    cell->style = table->state.inputs[pin] ? TERM_DIM : TERM_BOLD;
}

static void bit_cell(const struct pins_table *table, unsigned bit, int64_t now_ms,
                     struct cell *cell)
{
    char label[8];

    snprintf(label, sizeof label, "%2u", bit + 1);
    output_cell(table, label, &table->state.bits[bit], now_ms, cell);
}

/* The end of the usual converters' range that holds the value. */
static int32_t range_of(int32_t value)
{
    return value <= 1023 ? 1023 : value <= 4095 ? 4095 : value <= 65535 ? 65535 : 999999;
}

static void adc_cell(const struct pins_table *table, unsigned adc, int64_t now_ms,
                     struct cell *cell)
{
    int32_t value = table->state.adcs[adc];
    unsigned full = value < 0 ? 0 : (unsigned)((int64_t)value * BAR / range_of(value));
    size_t len =
        (size_t)snprintf(cell->text, CELL_TEXT, value < 0 ? "%2u      ? " : "%2u %6d ", adc, value);

    (void)now_ms;
    for (unsigned i = 0; i < BAR; i++) {
        const char *block = i < full ? table->utf8 ? "\u2588" : "#" : table->utf8 ? "\u00B7" : ".";
        size_t room = strlen(block);
        memcpy(cell->text + len, block, room + 1);
        len += room;
    }
    cell->style = value > 0 ? TERM_PLAIN : TERM_DIM;
}

/* ---- sections ---- */

struct section {
    const char *name, *note;
    unsigned count, first; /* of the cursor's numbers; count and more: it cannot stand here */
    void (*cell)(const struct pins_table *table, unsigned n, int64_t now_ms, struct cell *cell);
};

static unsigned columns_of(unsigned width)
{
    return width >= 8 * CELL + 1 ? 8 : width >= 4 * CELL + 1 ? 4 : width >= 2 * CELL + 1 ? 2 : 1;
}

static void draw_cell(const struct pins_table *table, struct row *row,
                      const struct section *section, unsigned n, int64_t now_ms)
{
    struct cell cell = {.style = TERM_PLAIN};
    bool selected = section->first + n == table->cursor;

    section->cell(table, n, now_ms, &cell);
    put(row, "", selected ? (table->utf8 ? "\u25B6" : ">") : " ");
    put(row,
        selected                   ? "\033[7m"
        : cell.style == TERM_PLAIN ? ""
                                   : term_out(cell.style),
        cell.text);
}

/* Numbers run down the columns. */
static void draw_section(const struct pins_table *table, struct row *row,
                         const struct section *section, int64_t now_ms)
{
    unsigned columns = columns_of(row->columns), height = (section->count + columns - 1) / columns;

    put(row, term_out(TERM_BOLD), section->name);
    put(row, term_out(TERM_DIM), section->note);
    end_row(row);
    for (unsigned y = 0; y < height; y++) {
        for (unsigned x = 0; x < columns; x++) {
            pad_to(row, x * CELL);
            if (x * height + y < section->count)
                draw_cell(table, row, section, x * height + y, now_ms);
        }
        end_row(row);
    }
    end_row(row);
}

/* ---- the frame ---- */

static void draw_head(const struct pins_table *table, struct row *row, int64_t now_ms)
{
    int64_t s = (now_ms - table->began_ms) / 1000;
    char since[40];

    snprintf(since, sizeof since, "  %d:%02d:%02d", (int)(s / 3600), (int)(s / 60 % 60),
             (int)(s % 60));
    put(row, term_out(TERM_BOLD), "thimble device run");
    put(row, term_out(TERM_DIM), since);
    end_row(row);
}

/* What the device says, the newest last, as much as there is room for. */
static void draw_lines(const struct pins_table *table, struct row *row, unsigned room)
{
    size_t kept = table->line_count < PINS_LINES ? table->line_count : PINS_LINES;
    size_t shown = kept < room ? kept : room;

    for (size_t i = kept - shown; i < kept; i++) {
        put(row, term_out(TERM_DIM), table->lines[(table->line_count - kept + i) % PINS_LINES]);
        end_row(row);
    }
    for (; shown < room; shown++)
        end_row(row);
}

/* All sections, whether they fit or not. Returns how many rows they have. */
static unsigned draw_body(const struct pins_table *table, FILE *to, unsigned columns,
                          int64_t now_ms)
{
    static const struct section pins = {"PINS", "", TH_LINUX_PINS, 0, pin_cell};
    static const struct section spi = {"SPI", "  zone by zone", PINS_BITS, 1000, bit_cell};
    static const struct section adcs = {"ANALOG", "", TH_LINUX_ADCS, TH_LINUX_PINS, adc_cell};
    struct row row = {.to = to, .left = columns, .columns = columns};

    draw_section(table, &row, &pins, now_ms);
    if (table->state.has_spi)
        draw_section(table, &row, &spi, now_ms);
    draw_section(table, &row, &adcs, now_ms);
    return row.ended;
}

/* The row of the body the cursor stands in. */
static unsigned cursor_row(const struct pins_table *table, unsigned columns)
{
    unsigned across = columns_of(columns), pin_rows = TH_LINUX_PINS / across;

    if (table->cursor < TH_LINUX_PINS)
        return 1 + table->cursor % pin_rows;
    return pin_rows + 3 + (table->state.has_spi ? PINS_BITS / across + 2 : 0) +
           (table->cursor - TH_LINUX_PINS) % (TH_LINUX_ADCS / across);
}

/* `room` rows of the body, around the cursor where it has more. */
static void copy_body(const char *body, unsigned rows, unsigned room, unsigned around, FILE *to)
{
    unsigned first = around > room / 2 ? around - room / 2 : 0;

    first = rows <= room ? 0 : first > rows - room ? rows - room : first;
    for (unsigned y = 0; y < rows && y < first + room; y++) {
        const char *end = strchr(body, '\n');
        if (!end)
            return;
        if (y >= first)
            fwrite(body, 1, (size_t)(end + 1 - body), to);
        body = end + 1;
    }
}

static void draw_foot(const struct pins_table *table, struct row *row)
{
    char text[120];

    if (table->typed[0])
        snprintf(text, sizeof text, "value of analog input %u: %s_  Enter sets it, Esc does not",
                 table->cursor - TH_LINUX_PINS, table->typed);
    else
        snprintf(text, sizeof text, "%s", table->note);
    put(row, term_out(TERM_CYAN),
        *text                           ? text
        : table->cursor < TH_LINUX_PINS ? "arrows move   space toggles an input   q ends"
                                        : "arrows move   + - change it, digits type it   q ends");
    fputs("\033[K", row->to);
}

void pins_table_draw(struct pins_table *table, FILE *to, unsigned rows, unsigned columns,
                     int64_t now_ms)
{
    /* Of a row that is full to its end, terminals erase the last column with what is behind. */
    columns -= columns > 1;
    struct row row = {.to = to, .left = columns, .columns = columns};
    unsigned room = rows > 2 ? rows - 2 : 0; /* between head and foot */
    char *body = NULL;
    size_t len = 0;
    FILE *into = open_memstream(&body, &len);

    table->rows_a_column = TH_LINUX_PINS / columns_of(columns);
    if (!into)
        return;
    unsigned have = draw_body(table, into, columns, now_ms);
    fclose(into);
    fputs("\033[H", to);
    if (rows > 1)
        draw_head(table, &row, now_ms);
    copy_body(body, have, room, cursor_row(table, columns), to);
    if (room > have)
        draw_lines(table, &row, room - have);
    draw_foot(table, &row);
    fputs("\033[J", to);
    free(body);
}
