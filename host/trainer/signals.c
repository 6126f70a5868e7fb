/* SPDX-License-Identifier: Apache-2.0
 * trainer/signals.c */
#include "trainer/signals.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

static const int ends_a_run[] = { SIGINT, SIGTERM, SIGHUP };
enum { ENDS = sizeof ends_a_run / sizeof *ends_a_run };

static volatile sig_atomic_t pending;
static struct sigaction before[ENDS], before_pipe;

static void on_signal(int number)
{
    static const char again[] = "\nlthost: interrupted again: leaving at once, without a checkpoint\n";
    static const char first[] = "\nlthost: interrupted: finishing the step (once more to leave at once)\n";
    const char *text = pending ? again : first;
    ssize_t ignored = write(STDERR_FILENO, text, strlen(text));
    (void)ignored;
    if (pending)
        _exit(128 + number);
    pending = number;
}

void signals_install(void)
{
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
    sigemptyset(&action.sa_mask);
    for (int i = 0; i < ENDS; i++)
        sigaddset(&action.sa_mask, ends_a_run[i]);
    pending = 0;
    for (int i = 0; i < ENDS; i++) {
        sigaction(ends_a_run[i], NULL, &before[i]);
        if (before[i].sa_handler != SIG_IGN || ends_a_run[i] != SIGHUP) /* nohup's wish holds */
            sigaction(ends_a_run[i], &action, NULL);
    }
    /* Whoever read what the run says may go away; the run goes on without words. */
    action.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &action, &before_pipe);
}

void signals_restore(void)
{
    for (int i = 0; i < ENDS; i++)
        sigaction(ends_a_run[i], &before[i], NULL);
    sigaction(SIGPIPE, &before_pipe, NULL);
}

int signals_pending(void) { return pending; }
