/* SPDX-License-Identifier: Apache-2.0
 * util/thread.c */
#include "thread.h"
#include "memory.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { SIGNAL_STACK_SIZE = 64 << 10 };

typedef struct start {
    void (*body)(void *);
    void *argument;
    char name[16];
    void *signal_stack; /* made before the thread is: a thread that begins late then asks for no memory amid the steps */
} start;

static pthread_once_t stack_key_once = PTHREAD_ONCE_INIT;
static pthread_key_t stack_key;

/* At a thread's end: out of use first, then back to the system. */
static void return_stack(void *stack)
{
    stack_t off = { .ss_flags = SS_DISABLE };
    sigaltstack(&off, NULL);
    munmap(stack, SIGNAL_STACK_SIZE);
}

static void make_stack_key(void) { pthread_key_create(&stack_key, return_stack); }

/* mmap and not malloc: it starts on a page of its own. MAP_FAILED without memory: a crash report is all that is missed. */
static void *new_stack(void)
{
    return mmap(NULL, SIGNAL_STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static bool has_stack(void)
{
    stack_t now;
    return sigaltstack(NULL, &now) || !(now.ss_flags & SS_DISABLE);
}

static void use_stack(void *stack)
{
    if (stack == MAP_FAILED)
        return;
    pthread_once(&stack_key_once, make_stack_key);
    stack_t use = { .ss_sp = stack, .ss_size = SIGNAL_STACK_SIZE };
    if (has_stack())
        munmap(stack, SIGNAL_STACK_SIZE);
    else if (sigaltstack(&use, NULL) || pthread_setspecific(stack_key, stack))
        return_stack(stack);
}

void thread_use_signal_stack(void)
{
    if (!has_stack())
        use_stack(new_stack());
}

static void *run(void *given)
{
    start s = *(start *)given;
    free(given);
    pthread_setname_np(pthread_self(), s.name);
    use_stack(s.signal_stack);
    s.body(s.argument);
    return NULL;
}

lth_status thread_start(thread *t, const char *name, void (*body)(void *), void *argument, error *e)
{
    start *s = memory_new(sizeof *s);
    *s = (start) { .body = body, .argument = argument, .signal_stack = new_stack() };
    snprintf(s->name, sizeof s->name, "%.15s", name);

    /* The new thread inherits the mask. Faults stay unblocked: the kernel would kill without a report. */
    sigset_t blocked, former;
    sigfillset(&blocked);
    const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS };
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        sigdelset(&blocked, faults[i]);
    pthread_sigmask(SIG_SETMASK, &blocked, &former);
    int reason = pthread_create(&t->id, NULL, run, s);
    pthread_sigmask(SIG_SETMASK, &former, NULL);

    t->running = !reason;
    if (!reason)
        return LTH_OK;
    if (s->signal_stack != MAP_FAILED)
        munmap(s->signal_stack, SIGNAL_STACK_SIZE);
    free(s);
    return error_set(e, LTH_ERROR, "cannot start the thread '%s': %s", name, strerror(reason));
}

void thread_join(thread *t)
{
    if (t->running)
        pthread_join(t->id, NULL);
    t->running = false;
}
