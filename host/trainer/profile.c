/* SPDX-License-Identifier: Apache-2.0
 * trainer/profile.c */
#include "trainer/profile.h"

#include "util/clock.h"
#include "util/memory.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct profile_thread {
    profile *of;
    profile_thread *next;
    profile_part part;
    int64_t since;
    profile_row *rows;
    size_t count, capacity, at; /* at: the running activity's row */
};

struct profile {
    pthread_mutex_t mutex; /* of all threads' rows */
    profile_thread *threads;
};

profile *profile_new(void)
{
    profile *p = memory_new(sizeof *p);
    pthread_mutex_init(&p->mutex, NULL);
    return p;
}

void profile_free(profile *p)
{
    if (!p)
        return;
    for (profile_thread *t = p->threads, *next; t; t = next) {
        next = t->next;
        free(t->rows);
        free(t);
    }
    pthread_mutex_destroy(&p->mutex);
    free(p);
}

/* The row of an activity. Names are literals and titles, so that pointers tell most of them apart; profile_rows joins the rest.
 */
static size_t row_of(profile_thread *t, const char *section, const char *hook)
{
    for (size_t i = 0; i < t->count; i++)
        if (t->rows[i].part == t->part && t->rows[i].section == section && t->rows[i].hook == hook)
            return i;
    t->rows = memory_grow(t->rows, &t->capacity, t->count + 1, sizeof *t->rows);
    t->rows[t->count] = (profile_row) { .part = t->part, .section = section, .hook = hook };
    return t->count++;
}

/* The running activity ends here. With the mutex held. */
static void charge(profile_thread *t)
{
    int64_t now = clock_nanoseconds();
    t->rows[t->at].nanoseconds += now - t->since;
    t->since = now;
}

profile_thread *profile_begin(profile *p, profile_part part)
{
    profile_thread *t = memory_new(sizeof *t);
    t->of = p;
    t->part = part;
    t->since = clock_nanoseconds();
    pthread_mutex_lock(&p->mutex);
    t->at = row_of(t, NULL, NULL);
    t->next = p->threads;
    p->threads = t;
    pthread_mutex_unlock(&p->mutex);
    return t;
}

void profile_enter(profile_thread *t, const char *section, const char *hook, uint64_t calls)
{
    pthread_mutex_lock(&t->of->mutex);
    charge(t);
    t->at = row_of(t, hook ? section : NULL, hook);
    t->rows[t->at].calls += calls;
    pthread_mutex_unlock(&t->of->mutex);
}

profile_part profile_set_part(profile_thread *t, profile_part part)
{
    if (!t)
        return part;
    pthread_mutex_lock(&t->of->mutex);
    profile_part before = t->part;
    profile_row running = t->rows[t->at];
    charge(t);
    t->part = part;
    t->at = row_of(t, running.section, running.hook);
    pthread_mutex_unlock(&t->of->mutex);
    return before;
}

/* ---- Reading ---- */

static bool same_text(const char *a, const char *b) { return a == b || (a && b && strcmp(a, b) == 0); }

static void add(profile_row *rows, size_t *count, const profile_row *row)
{
    for (size_t i = 0; i < *count; i++)
        if (rows[i].part == row->part && same_text(rows[i].section, row->section) && same_text(rows[i].hook, row->hook)) {
            rows[i].calls += row->calls;
            rows[i].nanoseconds += row->nanoseconds;
            return;
        }
    rows[(*count)++] = *row;
}

profile_row *profile_rows(profile *p, size_t *count)
{
    size_t most = 1;
    *count = 0;
    pthread_mutex_lock(&p->mutex);
    for (profile_thread *t = p->threads; t; t = t->next)
        most += t->count;
    profile_row *rows = memory_new(most * sizeof *rows);
    for (profile_thread *t = p->threads; t; t = t->next) {
        if (t->part != PROFILE_OTHER_THREADS) /* those wait in the host's own, most of the time */
            charge(t);
        for (size_t i = 0; i < t->count; i++)
            if (t->part != PROFILE_OTHER_THREADS || t->rows[i].hook)
                add(rows, count, &t->rows[i]);
    }
    pthread_mutex_unlock(&p->mutex);
    return rows;
}
