/* SPDX-License-Identifier: Apache-2.0
 * trainer/crash.c: only async-signal-safe calls from the handler on. */
#include "trainer/crash.h"

#include "util/thread.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

_Thread_local crumb crash_crumb;

static const int fatal[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };
static char hint[1024];
static const crumb *main_crumb; /* of the thread that installed the handler */

static const char *signal_name(int number)
{
    switch (number) {
    case SIGSEGV:
        return "SIGSEGV, a bad memory access";
    case SIGBUS:
        return "SIGBUS, a bad memory access";
    case SIGFPE:
        return "SIGFPE, a bad arithmetic operation";
    case SIGILL:
        return "SIGILL, an instruction that this processor lacks";
    default:
        return "SIGABRT, an abort";
    }
}

static void say(const char *text)
{
    ssize_t ignored = write(STDERR_FILENO, text, strlen(text));
    (void)ignored;
}

static void say_crumb(const crumb *c)
{
    say("[");
    say(c->section);
    say("]");
    if (c->component && strcmp(c->component, c->section) != 0) {
        say(" (");
        say(c->component);
        say(")");
    }
    if (c->hook) {
        say(", ");
        say(c->hook);
    }
}

static void on_crash(int number)
{
    const crumb *c = &crash_crumb;
    char thread[17] = "";
    prctl(PR_GET_NAME, thread);
    say("\nlthost: crashed by ");
    say(signal_name(number));
    if (c->section) {
        say("\n  in ");
        say_crumb(c);
    } else if (main_crumb && main_crumb != c && main_crumb->section) { /* a worker of a pool */
        say("\n  while the main thread was in ");
        say_crumb(main_crumb);
    } else {
        say("\n  outside of any plugin's hook");
    }
    say("\n  on thread ");
    say(thread);
    say("\n");
    if (hint[0]) {
        say("  ");
        say(hint);
        say("\n");
    }
    signal(number, SIG_DFL);
    raise(number);
}

void crash_install(void)
{
    struct sigaction action = { .sa_handler = on_crash, .sa_flags = SA_ONSTACK | SA_NODEFER };
    sigemptyset(&action.sa_mask);
    main_crumb = &crash_crumb;
    thread_use_signal_stack();
    for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++)
        sigaction(fatal[i], &action, NULL);
}

void crash_set_resume_hint(const char *text) { snprintf(hint, sizeof hint, "%s", text); }
