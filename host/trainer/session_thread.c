/* SPDX-License-Identifier: Apache-2.0
 * trainer/session_thread.c: what is for the main thread alone, called on another one (a loader's, a logger's, or one that a
 * plugin started). The call does nothing; what it would have touched is in use. The run ends by it at the next safe point. */
#include "trainer/session.h"

#include <stdio.h>

void session_wrong_thread(void *context, const char *call, const char *file, uint32_t line)
{
    session *s = context;
    const crumb *c = &crash_crumb;
    char thread[16] = "?", who[200] = "a plugin", place[300] = "";
    pthread_getname_np(pthread_self(), thread, sizeof thread);
    if (c->hook)
        snprintf(who, sizeof who, "[%s] %s of '%s'", c->section, c->hook, c->component);
    if (file)
        snprintf(place, sizeof place, " (%s:%u)", file, (unsigned)line);
    pthread_mutex_lock(&s->scope.fault_mutex);
    error_set(&s->trespass, LTH_INVALID, "%s: %s%s on the thread %s: it is for the main thread alone", who, call, place, thread);
    pthread_mutex_unlock(&s->scope.fault_mutex);
    atomic_store_explicit(&s->trespassed, true, memory_order_release);
}

bool session_is_main(session *s, const char *call, const char *file, uint32_t line)
{
    if (pthread_equal(s->main_thread, pthread_self()))
        return true;
    session_wrong_thread(s, call, file, line);
    return false;
}

lth_status session_trespassed(session *s, error *e)
{
    if (!atomic_load_explicit(&s->trespassed, memory_order_acquire))
        return LTH_OK;
    pthread_mutex_lock(&s->scope.fault_mutex);
    error_set(e, s->trespass.status, "%s", s->trespass.text);
    pthread_mutex_unlock(&s->scope.fault_mutex);
    return LTH_INVALID;
}
