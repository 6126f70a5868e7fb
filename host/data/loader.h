/* SPDX-License-Identifier: Apache-2.0
 * data/loader.h: a loader's parts. Inside host/data alone.
 *
 * Batches have numbers within the epoch; number k lives in slot k % slot_count, so that any thread may fill any of them and
 * they still come out in order. A slot is FREE, then a thread claims the next number and its slot is FILLING, then READY,
 * then the trainer's until it asks for the next. Without threads one slot is filled when it is asked for. */
#ifndef DATA_LOADER_H
#define DATA_LOADER_H

#include "batch.h"
#include "order.h"
#include "stream.h"
#include "util/thread.h"

typedef enum slot_state { SLOT_FREE, SLOT_FILLING, SLOT_READY, SLOT_GIVEN } slot_state;

typedef struct loader_slot {
    batch batch;
    slot_state state;
} loader_slot;

struct data_loader {
    data_module *module;
    data_set set;
    lth_stage stage;
    bool training, is_stream;
    int64_t batch_size;
    int64_t samples; /* of this rank, an epoch; -1: not known */
    int64_t length;  /* batches after the limit; -1: not known */
    int64_t limit;   /* batches; -1: none */
    order order;
    stream stream;

    loader_slot *slots;
    int64_t slot_count;
    data_batch probe;
    lth_shape *probe_shapes;
    const char **probe_names;
    void **probe_data;

    int64_t epoch, given; /* batches handed out in this epoch: the position */
    bool started;
    bool has_saved;
    int64_t saved_epoch, saved_position;

    thread *threads;
    int32_t thread_count, wanted_threads;
    pthread_mutex_t lock; /* of all below, and of slots' states */
    pthread_cond_t work, ready;
    int64_t next, end; /* the number to be claimed next; the first one that there is not */
    int32_t busy;      /* threads that fill a slot */
    bool drawing;      /* one of them is in the stream */
    bool running, stopping;
    data_loader_stats stats;
};

/* Fills a claimed slot with batch `number`; its error is in the batch. A stream's references are drawn before. [loader] */
void loader_fill(data_loader *l, loader_slot *s, int64_t number);

/* Threads: started at the first epoch, stopped for good by loader_stop. loader_quiet waits until none is at work. [main] */
lth_status loader_run(data_loader *l, error *e);
void loader_quiet(data_loader *l);
void loader_stop(data_loader *l);

#endif
