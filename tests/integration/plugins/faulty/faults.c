/* SPDX-License-Identifier: Apache-2.0
 * The faults. */
#define _GNU_SOURCE
#include "faulty.h"

#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

lth_trainer *faulty_trainer;
lth_step *faulty_step;
lth_tensor faulty_tensor;

static volatile char sink;

static void segv(void)
{
    char *nothing = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    sink = *(volatile char *)nothing;
}

static void bus(void) { raise(SIGBUS); }
static void fpe(void) { raise(SIGFPE); }
static void ill(void) { raise(SIGILL); }

static int deeper(int depth)
{
    volatile char frame[4096];
    memset((char *)frame, depth, sizeof frame);
    return depth + 1 > 0 ? deeper(depth + 1) + frame[depth % 4096] : 0;
}
static void overflow(void) { sink = (char)deeper(0); }

static void hang(void)
{
    for (;;)
        pause();
}

static void memory(void)
{
    for (;;) {
        char *more = malloc(1 << 20);
        if (more)
            memset(more, 1, 1 << 20);
    }
}

static void interrupt(void) { kill(getpid(), SIGINT); }
static void terminate(void) { kill(getpid(), SIGTERM); }
static void hang_up(void) { kill(getpid(), SIGHUP); }
static void interrupt_twice(void)
{
    interrupt();
    interrupt();
}

static const struct {
    const char *name;
    void (*happen)(void);
} faults[] = {
    { "segv", segv },        { "bus", bus },           { "fpe", fpe },        { "ill", ill },
    { "abort", abort },      { "overflow", overflow }, { "hang", hang },      { "memory", memory },
    { "sigint", interrupt }, { "sigterm", terminate }, { "sighup", hang_up }, { "sigint2", interrupt_twice },
};

/* For a fault on the wrong thread: what [main] alone may call. */
static void trespass(const char *fault)
{
    if (strcmp(fault, "stop_here") == 0)
        lth_trainer_stop(faulty_trainer, "a thread that must not");
    else if (strcmp(fault, "checkpoint_here") == 0)
        faulty_trainer->api->save_checkpoint(faulty_trainer, "mine", 0);
    else if (strcmp(fault, "op_here") == 0)
        lth_relu(faulty_tensor);
    else if (strcmp(fault, "input_here") == 0)
        lth_input(faulty_step, "x");
    else if (strcmp(fault, "log_here") == 0)
        lth_log(faulty_step, "mine", faulty_tensor);
}

bool faulty_is(const faulty_plan *p, const char *fault, const char *hook)
{
    return strcmp(p->fault, fault) == 0 && strcmp(p->where, hook) == 0 && p->calls == p->at;
}

lth_status faulty_here(faulty_plan *p, const char *hook)
{
    if (strcmp(p->where, hook) != 0 || p->calls++ != p->at)
        return LTH_OK;
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        if (strcmp(p->fault, faults[i].name) == 0)
            faults[i].happen();
    if (strstr(p->fault, "_here"))
        trespass(p->fault);
    if (strcmp(p->fault, "silent") == 0)
        return LTH_ERROR;
    return strcmp(p->fault, "error") == 0 ? lth_fail(p->host, LTH_IO, "the disk of %s is full", hook) : LTH_OK;
}

void faulty_record(const char *format, ...)
{
    FILE *f = fopen("record", "a");
    va_list a;
    va_start(a, format);
    vfprintf(f, format, a);
    va_end(a);
    fputc('\n', f);
    fclose(f);
}
