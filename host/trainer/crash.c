/* SPDX-License-Identifier: Apache-2.0
 * trainer/crash.c: only async-signal-safe calls from the handler on. */
#include "trainer/crash.h"

#include "engine/engine.h"
#include "util/memory.h"
#include "util/thread.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

_Thread_local crumb crash_crumb;

static const struct {
    int number;
    const char *words;
} fatal[] = {
    { SIGSEGV, "SIGSEGV, a bad memory access" },
    { SIGBUS, "SIGBUS, a bad memory access" },
    { SIGFPE, "SIGFPE, a bad arithmetic operation" },
    { SIGILL, "SIGILL, an instruction that this processor lacks" },
    { SIGABRT, "SIGABRT, an abort" },
};
enum { FATAL = sizeof fatal / sizeof *fatal };

static char checkpoint[1024];   /* path */
static const crumb *main_crumb; /* of the thread that installed the handler */
static const volatile int64_t *at_epoch, *at_step;
static _Atomic pid_t reporting; /* the thread that came first; another one that crashes meanwhile says nothing */

/* ---- Crumbs of all threads ---- */

static pthread_mutex_t threads_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t threads_once = PTHREAD_ONCE_INIT;
static pthread_key_t threads_key;
static crumb *threads;

static void forget(void *given)
{
    pthread_mutex_lock(&threads_lock);
    for (crumb **at = &threads; *at; at = &(*at)->next)
        if (*at == given) {
            *at = (*at)->next;
            break;
        }
    pthread_mutex_unlock(&threads_lock);
}

static void make_key(void) { pthread_key_create(&threads_key, forget); }

void crash_thread_begin(void)
{
    pthread_once(&threads_once, make_key);
    if (pthread_getspecific(threads_key) || pthread_setspecific(threads_key, &crash_crumb))
        return;
    crash_crumb.thread = pthread_self();
    pthread_mutex_lock(&threads_lock);
    crash_crumb.next = threads;
    threads = &crash_crumb;
    pthread_mutex_unlock(&threads_lock);
}

void crash_each(void (*visit)(void *context, crumb *c), void *context)
{
    pthread_mutex_lock(&threads_lock);
    for (crumb *c = threads; c; c = c->next)
        visit(context, c);
    pthread_mutex_unlock(&threads_lock);
}

crash_who crash_pause(void)
{
    const crash_who who = { crash_crumb.section, crash_crumb.component, crash_crumb.hook };
    crash_leave();
    return who;
}

void crash_go_on(const crash_who *who)
{
    if (crash_crumb.profile)
        profile_enter(crash_crumb.profile, who->section, who->hook, 0);
    if (who->hook)
        crash_lay(who->section, who->component, who->hook);
    else
        crash_leave();
}

bool crash_is_main(const crumb *c) { return c == main_crumb; }

/* ---- Words ---- */

void crash_say(const char *text)
{
    ssize_t ignored = write(STDERR_FILENO, text, strlen(text));
    (void)ignored;
}

void crash_say_number(int64_t number)
{
    char text[24], *at = text + sizeof text;
    *--at = '\0';
    uint64_t left = number < 0 ? -(uint64_t)number : (uint64_t)number;
    do
        *--at = (char)('0' + left % 10);
    while (left /= 10);
    if (number < 0)
        *--at = '-';
    crash_say(at);
}

void crash_say_crumb(const crumb *c)
{
    const char *section = c->section, *component = c->component, *hook = c->hook;
    if (!section)
        section = "host";
    crash_say("[");
    crash_say(section);
    crash_say("]");
    if (component && strcmp(component, section) != 0) {
        crash_say(" (");
        crash_say(component);
        crash_say(")");
    }
    if (hook) {
        crash_say(", ");
        crash_say(hook);
    }
}

void crash_say_place(bool with_op)
{
    engine_running op;
    if (with_op && engine_running_op(&op)) {
        crash_say("  at the op ");
        crash_say(op.name);
        crash_say(" of ");
        crash_say(op.file);
        crash_say(":");
        crash_say_number(op.line);
        crash_say("\n");
    }
    if (at_step) {
        crash_say("  after step ");
        crash_say_number(*at_step);
        crash_say(", in epoch ");
        crash_say_number(*at_epoch);
        crash_say("\n");
    }
}

void crash_say_checkpoint(void)
{
    if (!checkpoint[0])
        return;
    crash_say("  last checkpoint: ");
    crash_say(checkpoint);
    crash_say("\n");
}

static void say_thread(void)
{
    char name[17] = "";
    prctl(PR_GET_NAME, name);
    crash_say("  on the thread ");
    crash_say(crash_is_main(&crash_crumb) ? "main" : name);
    crash_say("\n");
}

/* Of a thread that the host did not start (a worker of a pool) the main thread's crumb tells what it worked for. */
static void say_who(void)
{
    const crumb *c = &crash_crumb;
    if (c->section) {
        crash_say("\n  in ");
        crash_say_crumb(c);
    } else if (main_crumb && main_crumb != c && main_crumb->section) {
        crash_say("\n  while the main thread was in ");
        crash_say_crumb(main_crumb);
    } else {
        crash_say("\n  outside of any plugin's hook");
    }
    crash_say("\n");
}

static void on_crash(int number)
{
    pid_t nobody = 0;
    if (!atomic_compare_exchange_strong(&reporting, &nobody, gettid())) {
        while (nobody != gettid())
            pause(); /* the process is about to end */
        signal(number, SIG_DFL);
        raise(number);
    }
    const char *words = "a signal";
    for (size_t i = 0; i < FATAL; i++)
        words = fatal[i].number == number ? fatal[i].words : words;
    crash_say("\nlthost: crashed by ");
    crash_say(words);
    say_who();
    crash_say_place(crash_is_main(&crash_crumb) || !crash_crumb.section);
    say_thread();
    crash_say_checkpoint();
    signal(number, SIG_DFL);
    raise(number);
}

/* Without memory the process leaves, and says where. */
static void on_exhausted(void)
{
    if (!crash_crumb.section)
        return;
    crash_say("  in ");
    crash_say_crumb(&crash_crumb);
    crash_say("\n");
    crash_say_checkpoint();
}

void crash_install(void)
{
    struct sigaction action = { .sa_handler = on_crash, .sa_flags = SA_ONSTACK | SA_NODEFER };
    sigemptyset(&action.sa_mask);
    main_crumb = &crash_crumb;
    crash_thread_begin();
    thread_use_signal_stack();
    memory_last_words = on_exhausted;
    for (size_t i = 0; i < FATAL; i++)
        sigaction(fatal[i].number, &action, NULL);
}

void crash_set_checkpoint(const char *path) { snprintf(checkpoint, sizeof checkpoint, "%s", path); }

void crash_set_progress(const int64_t *epoch, const int64_t *step)
{
    at_epoch = epoch;
    at_step = step;
}
