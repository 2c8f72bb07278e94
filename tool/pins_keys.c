/* SPDX-License-Identifier: MIT */
/* What keys do in the table of pins. */
#include <stdlib.h>
#include <string.h>

#include "pins_table.h"

enum key { UP = 256, DOWN, LEFT, RIGHT, MUCH_MORE, MUCH_LESS, ESCAPE, UNKNOWN };

#define VALUE_MAX 999999

/* The next key of `keys`, and how many bytes it took. */
static int next_key(const char *keys, size_t len, size_t *took)
{
    *took = 1;
    if (keys[0] != '\033')
        return (unsigned char)keys[0];
    if (len < 3 || (keys[1] != '[' && keys[1] != 'O'))
        return ESCAPE;
    *took = 2;
    while (*took < len && keys[*took] >= '0' && keys[*took] <= ';')
        ++*took;
    char last = *took < len ? keys[*took] : '\0';
    *took += last != '\0';
    switch (last) {
    case 'A': return UP;
    case 'B': return DOWN;
    case 'C': return RIGHT;
    case 'D': return LEFT;
    case '~': return keys[2] == '5' ? MUCH_MORE : keys[2] == '6' ? MUCH_LESS : UNKNOWN;
    default: return UNKNOWN;
    }
}

static bool on_analog(const struct pins_table *table)
{
    return table->cursor >= TH_LINUX_PINS;
}

/* ---- moving ---- */

static void move(struct pins_table *table, int by)
{
    int to = (int)table->cursor + by;

    if (to >= 0 && to < TH_LINUX_PINS + TH_LINUX_ADCS)
        table->cursor = (unsigned)to;
}

/* To the next column, within pins or analog inputs. */
static void move_column(struct pins_table *table, int by)
{
    int height = (int)table->rows_a_column / (on_analog(table) ? 2 : 1);
    int to = (int)table->cursor + by * (height > 0 ? height : 1);

    if (on_analog(table) ? to >= TH_LINUX_PINS && to < TH_LINUX_PINS + TH_LINUX_ADCS
                         : to >= 0 && to < TH_LINUX_PINS)
        table->cursor = (unsigned)to;
}

/* ---- driving ---- */

static void toggle(struct pins_table *table, struct th_linux_view *view)
{
    uint8_t pin = (uint8_t)table->cursor;

    if (on_analog(table)) {
        snprintf(table->note, sizeof table->note, "an analog input: change it by + and -");
    } else if (table->state.pins[pin].driven) {
        snprintf(table->note, sizeof table->note, "pin %u is an output: the device drives it", pin);
    } else {
        bool high = !th_linux_view_input(view, pin);
        th_linux_view_set_input(view, pin, high);
        snprintf(table->note, sizeof table->note, "pin %u is %s now", pin, high ? "high" : "low");
    }
}

static void set_value(struct pins_table *table, struct th_linux_view *view, int32_t value)
{
    uint8_t adc = (uint8_t)(table->cursor - TH_LINUX_PINS);

    value = value < 0 ? 0 : value > VALUE_MAX ? VALUE_MAX : value;
    th_linux_view_set_adc(view, adc, value);
    snprintf(table->note, sizeof table->note, "analog input %u reads %d now", adc, (int)value);
}

/* By a hundredth of the range it is in. */
static void nudge(struct pins_table *table, struct th_linux_view *view, int times)
{
    if (!on_analog(table)) {
        snprintf(table->note, sizeof table->note, "a pin: space toggles an input");
        return;
    }
    int32_t value = th_linux_view_adc(view, (uint8_t)(table->cursor - TH_LINUX_PINS));
    int32_t step = value <= 1023 ? 10 : value <= 4095 ? 40 : value <= 65535 ? 650 : 10000;
    set_value(table, view, (value < 0 ? 0 : value) + times * step);
}

static void type(struct pins_table *table, char c)
{
    size_t len = strlen(table->typed);

    if (!on_analog(table))
        snprintf(table->note, sizeof table->note, "a pin: space toggles an input");
    else if (len + 1 < sizeof table->typed)
        memcpy(table->typed + len, (char[]){c, '\0'}, 2);
}

/* Enter, backspace and escape while a value is being typed. True: the key was one of them. */
static bool typing(struct pins_table *table, struct th_linux_view *view, int key)
{
    size_t len = strlen(table->typed);

    if (len == 0)
        return false;
    if (key == '\n' || key == '\r') {
        set_value(table, view, (int32_t)strtol(table->typed, NULL, 10));
        table->typed[0] = '\0';
    } else if (key == '\b' || key == 0x7F) {
        table->typed[len - 1] = '\0';
    } else if (key < '0' || key > '9') {
        table->typed[0] = '\0';
        return key == ESCAPE;
    } else {
        return false;
    }
    return true;
}

static bool press(struct pins_table *table, struct th_linux_view *view, int key)
{
    table->note[0] = '\0';
    if (typing(table, view, key))
        return true;
    switch (key) {
    case UP:
    case 'k': move(table, -1); break;
    case DOWN:
    case 'j': move(table, 1); break;
    case LEFT:
    case 'h': move_column(table, -1); break;
    case RIGHT:
    case 'l': move_column(table, 1); break;
    case ' ':
    case '\n':
    case '\r': toggle(table, view); break;
    case '+':
    case '=': nudge(table, view, 1); break;
    case '-': nudge(table, view, -1); break;
    case MUCH_MORE: nudge(table, view, 10); break;
    case MUCH_LESS: nudge(table, view, -10); break;
    case 'q':
    case 'Q': return false;
    default:
        if (key >= '0' && key <= '9')
            type(table, (char)key);
        break;
    }
    return true;
}

bool pins_table_keys(struct pins_table *table, struct th_linux_view *view, const char *keys,
                     size_t len)
{
    for (size_t at = 0, took; at < len; at += took) {
        if (!press(table, view, next_key(keys + at, len - at, &took)))
            return false;
    }
    return true;
}
