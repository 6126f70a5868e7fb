/* SPDX-License-Identifier: Apache-2.0 */
#include "util/clock.h"
#include "util/term.h"
#include "util/thread.h"
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct seen {
    char name[32];
    bool interrupt_blocked, fault_blocked, has_stack;
    int count;
} seen;

static void look(void *argument)
{
    seen *s = argument;
    sigset_t mask;
    stack_t stack;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    sigaltstack(NULL, &stack);
    pthread_getname_np(pthread_self(), s->name, sizeof s->name);
    s->interrupt_blocked = sigismember(&mask, SIGINT) && sigismember(&mask, SIGTERM);
    s->fault_blocked = sigismember(&mask, SIGSEGV);
    s->has_stack = !(stack.ss_flags & SS_DISABLE);
    s->count++;
}

Test(thread, has_a_name_a_signal_stack_and_leaves_signals_to_main)
{
    for (int i = 0; i < 20; i++) {
        thread t;
        seen s = { 0 };
        error e = { 0 };
        cr_assert(!thread_start(&t, "loader of a long name", look, &s, &e), "%s", e.text);
        thread_join(&t);
        thread_join(&t); /* joined already */
        cr_assert_str_eq(s.name, "loader of a lon");
        cr_assert(s.count == 1 && s.interrupt_blocked && !s.fault_blocked && s.has_stack);
    }
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    cr_assert(!sigismember(&mask, SIGINT), "the starter's own mask is as it was");
    thread_use_signal_stack();
    thread_use_signal_stack();
    stack_t stack;
    sigaltstack(NULL, &stack);
    cr_assert(!(stack.ss_flags & SS_DISABLE));
}

Test(thread, never_started_is_joined_at_once)
{
    thread t = { 0 };
    thread_join(&t);
    cr_assert(!t.running);
}

Test(clock, never_goes_back)
{
    int64_t before = clock_nanoseconds();
    for (int i = 0; i < 1000; i++) {
        int64_t now = clock_nanoseconds();
        cr_assert(now >= before);
        before = now;
    }
    cr_assert(clock_seconds() * 1e9 >= (double)before * 0.999);
}

Test(clock, writes_utc_and_durations)
{
    char text[CLOCK_TEXT_SIZE];
    cr_assert(strlen(clock_iso(text)) == 20 && text[10] == 'T' && text[19] == 'Z');
    cr_assert(strlen(clock_stamp(text)) == 15 && text[8] == '-');
    static const struct {
        double seconds;
        const char *text;
    } samples[] = { { 0.35, "0.35 s" },       { 12.44, "12.4 s" },    { 59.96, "1 min 00 s" }, { 185, "3 min 05 s" },
                    { 3599.6, "1 h 00 min" }, { 7620, "2 h 07 min" }, { -1, "0.00 s" } };
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++)
        cr_assert_str_eq(clock_duration(samples[i].seconds, text), samples[i].text);
}

Test(term, is_asked_of_the_descriptor_and_the_environment)
{
    int file = open("/dev/null", O_RDWR), other = posix_openpt(O_RDWR | O_NOCTTY);
    cr_assert(file >= 0 && other >= 0);
    unsetenv("COLUMNS");
    cr_assert(!term_is_terminal(file) && !term_has_colour(file) && term_width(file) == 80);
    setenv("COLUMNS", "132", 1);
    cr_assert(term_width(file) == 132);
    setenv("COLUMNS", "3", 1);
    cr_assert(term_width(file) == 20);
    setenv("COLUMNS", "-99999999999999", 1);
    cr_assert(term_width(file) == 80);
    setenv("TERM", "xterm", 1);
    unsetenv("NO_COLOR");
    cr_assert(term_is_terminal(other) && term_has_colour(other));
    setenv("NO_COLOR", "1", 1);
    cr_assert(term_is_terminal(other) && !term_has_colour(other));
    setenv("TERM", "dumb", 1);
    cr_assert(!term_is_terminal(other));
    close(file);
    close(other);
}
