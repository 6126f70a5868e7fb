/* SPDX-License-Identifier: Apache-2.0
 * data/loader_run.c: epochs, with and without threads. */
#include "loader.h"

#include "util/memory.h"

#include <stdio.h>
#include <stdlib.h>

static loader_slot *slot_of(data_loader *l, int64_t number) { return &l->slots[number % l->slot_count]; }

/* The next number is there to be claimed. Streams are drawn from by one thread at a time, in the order of the numbers. */
static bool can_claim(data_loader *l)
{
    return l->running && l->next < l->end && slot_of(l, l->next)->state == SLOT_FREE && !(l->is_stream && l->drawing);
}

/* The references of a stream's batch. Where there are none, or an error, the epoch ends there. With the lock held, which it
 * gives up while the dataset works. Answers whether there is a batch to be filled. */
static bool draw(data_loader *l, loader_slot *s, int64_t number)
{
    batch *b = &s->batch;
    bool last = false;
    int64_t count = 0;
    l->drawing = true;
    pthread_mutex_unlock(&l->lock);
    data_enter(l->module, "next");
    lth_status status = stream_draw(&l->stream, b->references, &count, &last, &b->error);
    data_leave(l->module, &b->error);
    pthread_mutex_lock(&l->lock);
    l->drawing = false;
    b->view.index = number;
    b->view.size = count;
    b->view.last = last || number + 1 == l->limit;
    if (!status && !count)
        l->end = number;
    else if (status || b->view.last)
        l->end = number + 1;
    pthread_cond_broadcast(&l->work);
    return !status && count;
}

/* Claims the next number and fills its slot. With the lock held, given up meanwhile. */
static void work_once(data_loader *l)
{
    int64_t number = l->next++;
    loader_slot *s = slot_of(l, number);
    s->state = SLOT_FILLING;
    s->batch.error.status = LTH_OK;
    l->busy++;
    int64_t before = s->batch.allocations;
    bool fill = !l->is_stream || draw(l, s, number);
    if (fill) {
        pthread_mutex_unlock(&l->lock);
        loader_fill(l, s, number);
        pthread_mutex_lock(&l->lock);
        l->stats.fetches++;
        l->stats.samples += s->batch.view.size;
        l->stats.allocations += s->batch.allocations - before;
    }
    if (s->batch.error.status && number < l->end)
        l->end = number + 1; /* nothing after an error is wanted */
    s->state = SLOT_READY;
    l->busy--;
    pthread_cond_broadcast(&l->ready);
}

static void thread_body(void *argument)
{
    data_loader *l = argument;
    const data_args *a = &l->module->args;
    if (a->thread_started)
        a->thread_started(a->thread_context);
    pthread_mutex_lock(&l->lock);
    while (!l->stopping) {
        if (can_claim(l))
            work_once(l);
        else
            pthread_cond_wait(&l->work, &l->lock);
    }
    pthread_mutex_unlock(&l->lock);
}

lth_status loader_run(data_loader *l, error *e)
{
    if (l->thread_count == l->wanted_threads)
        return LTH_OK;
    l->threads = memory_new((size_t)l->wanted_threads * sizeof *l->threads);
    for (int32_t i = 0; i < l->wanted_threads; i++) {
        char name[32];
        snprintf(name, sizeof name, "%.8s-load-%d", data_stage_name(l->stage), i % 100);
        lth_status status = thread_start(&l->threads[i], name, thread_body, l, e);
        if (status) {
            loader_stop(l);
            return status;
        }
        l->thread_count++;
    }
    return LTH_OK;
}

void loader_quiet(data_loader *l)
{
    pthread_mutex_lock(&l->lock);
    l->running = false;
    while (l->busy)
        pthread_cond_wait(&l->ready, &l->lock);
    for (int64_t i = 0; l->slots && i < l->slot_count; i++)
        l->slots[i].state = SLOT_FREE;
    pthread_mutex_unlock(&l->lock);
}

void loader_stop(data_loader *l)
{
    pthread_mutex_lock(&l->lock);
    l->running = false;
    l->stopping = true;
    pthread_cond_broadcast(&l->work);
    pthread_mutex_unlock(&l->lock);
    for (int32_t i = 0; i < l->thread_count; i++)
        thread_join(&l->threads[i]);
    l->thread_count = 0;
    l->stopping = false;
    free(l->threads);
    l->threads = NULL;
}

lth_status data_loader_start(data_loader *l, int64_t epoch, int64_t position, error *e)
{
    if (position < 0 || (l->length >= 0 && position > l->length))
        return error_set(e, LTH_INVALID, "batch %lld is asked for; a %s epoch has %lld", (long long)position,
                         data_stage_name(l->stage), (long long)l->length);
    loader_quiet(l);
    l->epoch = epoch;
    l->given = position;
    lth_status status = LTH_OK;
    if (l->is_stream) {
        data_enter(l->module, "rewind");
        status = stream_start(&l->stream, epoch, position, e);
        data_leave(l->module, e);
    } else {
        order_begin(&l->order, epoch);
    }
    if (!status)
        status = loader_run(l, e);
    if (status)
        return status;
    pthread_mutex_lock(&l->lock);
    l->started = true;
    l->next = position;
    l->end = l->is_stream ? (l->limit >= 0 ? l->limit : INT64_MAX) : l->length;
    l->running = true;
    pthread_cond_broadcast(&l->work);
    pthread_mutex_unlock(&l->lock);
    return LTH_OK;
}

/* The slot of a number, filled; NULL where the epoch has no such batch. With the lock held. */
static loader_slot *wait_for(data_loader *l, int64_t number)
{
    loader_slot *s = slot_of(l, number);
    bool waited = false;
    while (number < l->end && !(s->state == SLOT_READY && s->batch.view.index == number)) {
        if (!l->thread_count) {
            work_once(l);
        } else {
            l->stats.waits += !waited;
            waited = true;
            pthread_cond_wait(&l->ready, &l->lock);
        }
    }
    return number < l->end ? s : NULL;
}

lth_status data_loader_next(data_loader *l, const data_batch **out, error *e)
{
    *out = NULL;
    if (!l->started)
        return error_set(e, LTH_ERROR, "the %s loader was not started", data_stage_name(l->stage));
    pthread_mutex_lock(&l->lock);
    loader_slot *before = l->given ? slot_of(l, l->given - 1) : NULL;
    if (before && before->state == SLOT_GIVEN) {
        before->state = SLOT_FREE;
        pthread_cond_signal(&l->work);
    }
    loader_slot *s = wait_for(l, l->given);
    lth_status status = LTH_END;
    if (s && s->batch.error.status) {
        status = error_set(e, s->batch.error.status, "%s", s->batch.error.text); /* stays READY: asked again, told again */
    } else if (s) {
        s->state = SLOT_GIVEN;
        l->given++;
        *out = &s->batch.view;
        status = LTH_OK;
    }
    pthread_mutex_unlock(&l->lock);
    return status;
}
