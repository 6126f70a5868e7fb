/* SPDX-License-Identifier: Apache-2.0
 * trainer/logger_thread.c: the queue and the thread.
 *
 * A ring holds items one after the other, each in one piece: where one does not fit before the ring's end, the rest is
 * skipped (an item of kind SKIP). `head` is where the next item goes, `tail` the oldest one; both only grow, and their
 * places are modulo the size. An item stays in the ring until the logger is done with it, so that the logger works on it
 * in place. Where a ring is full a larger one follows it; the logger frees the old one when it is through with it. */
#include "trainer/logger_thread.h"

#include "trainer/crash.h"
#include "util/memory.h"
#include "util/thread.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef enum item_kind { ITEM_SKIP, ITEM_ROW, ITEM_RECORD, ITEM_CHECKPOINT, ITEM_FLUSH, ITEM_CLOSE } item_kind;

/* Followed by its payload; sizes are multiples of 16. */
typedef struct item {
    uint32_t kind, flag;
    uint64_t size; /* with the payload */
    union {
        lth_metrics_row row; /* names and values follow */
        lth_record *record;  /* own memory */
        lth_run_status status;
        uint64_t flush;
    } u;
} item;

typedef struct ring {
    struct ring *next;
    uint64_t size, head, tail;
    unsigned char *at;
} ring;

struct logger_thread {
    logger_args args;
    const lth_run_info *info;
    thread thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake, done;
    ring *first, *last; /* what the logger reads, where training writes */
    uint64_t flush_asked, flush_done;
    int64_t lost;
    bool opened, broken, dirty;
    error error;
};

static uint64_t rounded(uint64_t n) { return (n + 15) & ~(uint64_t)15; }

/* ---- The logger's side ---- */

static void enter(const logger_thread *t, const char *hook)
{
    if (hook)
        crash_enter(t->args.section, t->args.component, hook);
    else
        crash_leave();
}

/* A failed call: said once, then the logger rests. */
static void check(logger_thread *t, const char *hook, lth_status status)
{
    error e = { 0 };
    bool news = status != LTH_OK && !t->broken;
    if (news)
        t->args.explain(t->args.owner, hook, status, &e);
    enter(t, NULL);
    if (!news)
        return;
    char text[2200];
    snprintf(text, sizeof text, "%s; the run goes on without this logger", e.text);
    t->args.warn(t->args.owner, text);
    pthread_mutex_lock(&t->mutex);
    t->broken = true;
    pthread_mutex_unlock(&t->mutex);
}

#define CALL(t, slot, ...)                                                           \
    do {                                                                             \
        if ((t)->args.table->slot && !(t)->broken) {                                 \
            enter((t), #slot);                                                       \
            check((t), #slot, (t)->args.table->slot((t)->args.self, ##__VA_ARGS__)); \
        }                                                                            \
    } while (0)

static void flush(logger_thread *t)
{
    if (t->dirty)
        CALL(t, flush);
    t->dirty = false;
}

static void do_item(logger_thread *t, item *i)
{
    switch ((item_kind)i->kind) {
    case ITEM_ROW:
        CALL(t, log_metrics, &i->u.row);
        t->dirty = true;
        break;
    case ITEM_RECORD:
        CALL(t, log_record, i->u.record);
        free(i->u.record);
        t->dirty = true;
        break;
    case ITEM_CHECKPOINT:
        CALL(t, checkpoint, (const char *)(i + 1), (int32_t)i->flag);
        break;
    case ITEM_FLUSH:
        flush(t);
        pthread_mutex_lock(&t->mutex);
        t->flush_done = i->u.flush;
        pthread_cond_broadcast(&t->done);
        pthread_mutex_unlock(&t->mutex);
        break;
    case ITEM_CLOSE:
        flush(t);
        CALL(t, close, i->u.status);
        break;
    case ITEM_SKIP:
        break;
    }
}

static ring *ring_new(uint64_t size)
{
    ring *r = malloc(sizeof *r);
    unsigned char *at = calloc(1, size);
    if (!r || !at) {
        free(r);
        free(at);
        return NULL;
    }
    *r = (ring) { .size = size, .at = at };
    return r;
}

static void ring_free(ring *r)
{
    free(r->at);
    free(r);
}

/* The oldest item, or NULL. With the mutex held. */
static item *oldest(logger_thread *t)
{
    while (t->first->head == t->first->tail && t->first->next) {
        ring *read = t->first;
        t->first = read->next;
        ring_free(read);
    }
    const ring *r = t->first;
    return r->head == r->tail ? NULL : (item *)(r->at + r->tail % r->size);
}

/* Waits for an item, at most `seconds`; NULL when none came. */
static item *wait_for_item(logger_thread *t, int seconds)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += seconds;
    pthread_mutex_lock(&t->mutex);
    int status = 0;
    item *i;
    while (!(i = oldest(t)) && status != ETIMEDOUT)
        status = pthread_cond_timedwait(&t->wake, &t->mutex, &until);
    pthread_mutex_unlock(&t->mutex);
    return i;
}

static void release(logger_thread *t, const item *i)
{
    pthread_mutex_lock(&t->mutex);
    t->first->tail += i->size;
    pthread_cond_broadcast(&t->done);
    pthread_mutex_unlock(&t->mutex);
}

static void open_logger(logger_thread *t)
{
    enter(t, "open");
    lth_status status = t->args.table->open(t->args.self, t->info);
    const char *hook = "open";
    if (status == LTH_OK && t->info->resumed_step >= 0 && t->args.table->rewind) {
        hook = "rewind";
        enter(t, hook);
        status = t->args.table->rewind(t->args.self, t->info->resumed_step);
    }
    if (status != LTH_OK)
        t->args.explain(t->args.owner, hook, status, &t->error);
    enter(t, NULL);
    pthread_mutex_lock(&t->mutex);
    t->opened = true;
    pthread_cond_broadcast(&t->done);
    pthread_mutex_unlock(&t->mutex);
}

static void body(void *argument)
{
    logger_thread *t = argument;
    crash_thread_begin();
    if (t->args.profile)
        crash_crumb.profile = profile_begin(t->args.profile, PROFILE_OTHER_THREADS);
    open_logger(t);
    if (t->error.status != LTH_OK)
        return;
    for (;;) {
        item *i = wait_for_item(t, 2);
        if (!i) {
            flush(t);
            continue;
        }
        bool last = i->kind == ITEM_CLOSE;
        do_item(t, i);
        release(t, i);
        if (last)
            return;
    }
}

/* ---- Training's side ---- */

/* Space for an item of `size` bytes in one piece; NULL where there is none. */
static item *reserve(ring *r, uint64_t size)
{
    uint64_t to_end = r->size - r->head % r->size;
    uint64_t skip = to_end < size ? to_end : 0;
    if (r->size - (r->head - r->tail) < size + skip)
        return NULL;
    if (skip) {
        item *i = (item *)(r->at + r->head % r->size);
        i->kind = ITEM_SKIP;
        i->size = skip;
        r->head += skip;
    }
    return (item *)(r->at + r->head % r->size);
}

/* A larger ring behind the last one; false at the bound. */
static bool grow(logger_thread *t, uint64_t size)
{
    uint64_t wanted = t->last->size * 2;
    while (wanted < 4 * size)
        wanted *= 2;
    ring *r = wanted > LOGGER_RING_LIMIT ? NULL : ring_new(wanted);
    if (r)
        t->last = t->last->next = r;
    return r != NULL;
}

/* Puts an item in the queue; `fill` writes its payload. */
static bool put(logger_thread *t, const item *head, uint64_t size, void (*fill)(item *to, const void *from), const void *from)
{
    size = rounded(size);
    pthread_mutex_lock(&t->mutex);
    item *i = reserve(t->last, size);
    if (!i && grow(t, size))
        i = reserve(t->last, size);
    if (i) {
        *i = *head;
        i->size = size;
        if (fill)
            fill(i, from);
        t->last->head += size;
        pthread_cond_signal(&t->wake);
    } else {
        t->lost++;
    }
    pthread_mutex_unlock(&t->mutex);
    return i != NULL;
}

static void fill_row(item *to, const void *from)
{
    const lth_metrics_row *row = from;
    double *values = (double *)(to + 1);
    const char **names = (const char **)(values + row->count);
    memcpy(values, row->values, row->count * sizeof *values);
    memcpy(names, row->names, row->count * sizeof *names);
    to->u.row.values = values;
    to->u.row.names = names;
}

void logger_thread_row(logger_thread *t, const lth_metrics_row *row)
{
    item head = { .kind = ITEM_ROW, .u.row = *row };
    put(t, &head, sizeof head + row->count * (sizeof(double) + sizeof(char *)), fill_row, row);
}

/* Copies memory behind a record, 16-aligned; returns where it lies. */
static void *behind(unsigned char **at, const void *from, size_t size)
{
    void *to = *at;
    if (!from)
        return NULL;
    memcpy(to, from, size);
    *at += rounded(size);
    return to;
}

static lth_record *record_copy(const lth_record *r)
{
    size_t name = strlen(r->name) + 1, text = r->text ? strlen(r->text) + 1 : 0;
    size_t bins = r->counts ? (size_t)r->bin_count * sizeof(double) : 0,
           edges = r->edges ? ((size_t)r->bin_count + 1) * sizeof(double) : 0;
    size_t pixels = r->pixels ? (size_t)(r->height * r->width * r->channels) : 0;
    unsigned char *memory =
        malloc(rounded(sizeof *r) + rounded(name) + rounded(text) + rounded(bins) + rounded(edges) + rounded(pixels));
    if (!memory)
        return NULL;
    lth_record *copy = (lth_record *)memory;
    *copy = *r;
    memory += rounded(sizeof *r);
    copy->name = behind(&memory, r->name, name);
    copy->text = behind(&memory, r->text, text);
    copy->counts = behind(&memory, r->counts, bins);
    copy->edges = behind(&memory, r->edges, edges);
    copy->pixels = behind(&memory, r->pixels, pixels);
    return copy;
}

void logger_thread_record(logger_thread *t, const lth_record *record)
{
    item head = { .kind = ITEM_RECORD };
    if (!t->args.table->log_record)
        return;
    head.u.record = record_copy(record);
    if (!head.u.record)
        t->lost++;
    else if (!put(t, &head, sizeof head, NULL, NULL))
        free(head.u.record);
}

static void fill_text(item *to, const void *from) { strcpy((char *)(to + 1), from); }

void logger_thread_checkpoint(logger_thread *t, const char *path, bool is_best)
{
    item head = { .kind = ITEM_CHECKPOINT, .flag = is_best };
    if (t->args.table->checkpoint)
        put(t, &head, sizeof head + strlen(path) + 1, fill_text, path);
}

void logger_thread_flush(logger_thread *t)
{
    item head = { .kind = ITEM_FLUSH, .u.flush = ++t->flush_asked };
    if (!put(t, &head, sizeof head, NULL, NULL))
        t->flush_asked--;
}

void logger_thread_wait(logger_thread *t)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += LOGGER_FLUSH_SECONDS;
    pthread_mutex_lock(&t->mutex);
    int status = 0;
    while (t->flush_done < t->flush_asked && status != ETIMEDOUT)
        status = pthread_cond_timedwait(&t->done, &t->mutex, &until);
    pthread_mutex_unlock(&t->mutex);
}

static void thread_free(logger_thread *t)
{
    thread_join(&t->thread);
    pthread_cond_destroy(&t->wake);
    pthread_cond_destroy(&t->done);
    pthread_mutex_destroy(&t->mutex);
    for (ring *r = t->first, *next; r; r = next) {
        next = r->next;
        ring_free(r);
    }
    free(t);
}

lth_status logger_thread_start(const logger_args *args, const lth_run_info *info, logger_thread **out, error *e)
{
    logger_thread *t = memory_new(sizeof *t);
    t->args = *args;
    t->info = info;
    t->first = t->last = ring_new(LOGGER_RING);
    if (!t->first)
        memory_exhausted(LOGGER_RING);
    pthread_mutex_init(&t->mutex, NULL);
    pthread_cond_init(&t->wake, NULL);
    pthread_cond_init(&t->done, NULL);
    lth_status status = thread_start(&t->thread, args->component, body, t, e);
    if (status == LTH_OK) {
        pthread_mutex_lock(&t->mutex);
        while (!t->opened)
            pthread_cond_wait(&t->done, &t->mutex);
        pthread_mutex_unlock(&t->mutex);
        if (t->error.status != LTH_OK)
            status = error_set(e, t->error.status, "%s", t->error.text);
    }
    if (status != LTH_OK) {
        thread_free(t);
        return status;
    }
    *out = t;
    return LTH_OK;
}

int64_t logger_thread_close(logger_thread *t, lth_run_status status)
{
    item head = { .kind = ITEM_CLOSE, .u.status = status };
    while (!put(t, &head, sizeof head, NULL, NULL)) { /* the queue is at its bound: let the logger catch up */
        t->lost--;
        pthread_mutex_lock(&t->mutex);
        pthread_cond_wait(&t->done, &t->mutex);
        pthread_mutex_unlock(&t->mutex);
    }
    thread_join(&t->thread);
    int64_t lost = t->broken ? -1 : t->lost;
    thread_free(t);
    return lost;
}
