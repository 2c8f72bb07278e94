/* SPDX-License-Identifier: MIT */
#include "screen.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

static struct {
    volatile sig_atomic_t open;
    bool has_keys;
    struct termios before;
} screen;

static void write_all(const char *text)
{
    size_t len = strlen(text);

    while (len > 0) {
        ssize_t done = write(STDOUT_FILENO, text, len);
        if (done <= 0)
            return;
        text += done;
        len -= (size_t)done;
    }
}

/* Also out of a signal handler: nothing but write() and tcsetattr(). */
void screen_close(void)
{
    if (!screen.open)
        return;
    screen.open = 0;
    write_all("\033[?25h\033[?1049l");
    if (screen.has_keys)
        tcsetattr(STDIN_FILENO, TCSANOW, &screen.before);
}

static void die(int number)
{
    screen_close();
    signal(number, SIG_DFL);
    raise(number);
}

void screen_open(void)
{
    static const int deadly[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
    struct termios keys;

    screen.has_keys = tcgetattr(STDIN_FILENO, &screen.before) == 0;
    for (size_t i = 0; i < sizeof deadly / sizeof deadly[0]; i++)
        signal(deadly[i], die);
    if (screen.has_keys) {
        keys = screen.before;
        keys.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        keys.c_cc[VMIN] = 1;
        keys.c_cc[VTIME] = 0;
        tcsetattr(STDIN_FILENO, TCSANOW, &keys);
    }
    screen.open = 1;
    write_all("\033[?1049h\033[?25l");
}

void screen_size(unsigned *rows, unsigned *columns)
{
    struct winsize size = {0};

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0)
        size = (struct winsize){.ws_row = 24, .ws_col = 80};
    *rows = size.ws_row;
    *columns = size.ws_col;
}

bool screen_utf8(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *value = getenv(names[i]);
        if (value && *value)
            return strstr(value, "UTF-8") || strstr(value, "utf8") || strstr(value, "UTF8");
    }
    return false;
}
