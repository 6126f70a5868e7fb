/* SPDX-License-Identifier: Apache-2.0
 * trainer/signals.c */
#include "trainer/signals.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t pending;
static struct sigaction before_int, before_term, before_pipe;

static void on_signal(int number)
{
    static const char again[] = "\nlthost: interrupted again: leaving at once, without a checkpoint\n";
    static const char first[] = "\nlthost: interrupted: finishing the step (once more to leave at once)\n";
    if (pending == SIGINT && number == SIGINT) {
        ssize_t ignored = write(STDERR_FILENO, again, strlen(again));
        (void)ignored;
        _exit(130);
    }
    if (number == SIGINT) {
        ssize_t ignored = write(STDERR_FILENO, first, strlen(first));
        (void)ignored;
    }
    pending = number;
}

void signals_install(void)
{
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
    sigemptyset(&action.sa_mask);
    pending = 0;
    sigaction(SIGINT, &action, &before_int);
    sigaction(SIGTERM, &action, &before_term);
    /* Whoever read what the run says may go away; the run goes on without words. */
    action.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &action, &before_pipe);
}

void signals_restore(void)
{
    sigaction(SIGINT, &before_int, NULL);
    sigaction(SIGTERM, &before_term, NULL);
    sigaction(SIGPIPE, &before_pipe, NULL);
}

int signals_pending(void) { return pending; }
