/* SPDX-License-Identifier: Apache-2.0
 * trainer/state_io.h: lth_writer and lth_reader (<lthost/state.h>) over a JSON object and a set of tensors.
 *
 * In JSON every value keeps its type and its bits: an i64 is an integer, a finite f64 a real, another f64
 * {"f64": "nan"}, a string a string, bytes {"bytes": "<base64>"}, a tensor {"tensor": "<its name among the tensors>"}.
 * So a reader that asks for another type than was written gets the answer false. */
#ifndef TRAINER_STATE_IO_H
#define TRAINER_STATE_IO_H

#include "safetensors.h"
#include "util/arena.h"

#include <jansson.h>
#include <lthost/state.h>

/* Takes a copy of a tensor that is to be written under `name`. */
typedef lth_status (*state_put_tensor)(void *context, const char *name, const lth_shape *shape, const void *data, error *e);

typedef struct state_writer {
    lth_writer abi;     /* hand &w.abi to a component's save */
    json_t *object;     /* borrowed: the values are set in it */
    const char *prefix; /* tensors are named "<prefix>/<key>" */
    state_put_tensor put_tensor;
    void *context;
    error error; /* the first failure: a key twice, text that is not UTF-8, a shape that is none */
} state_writer;

/* Begins a writer; prefix is borrowed. put_tensor may be NULL: tensors are then refused. */
void state_writer_begin(state_writer *w, json_t *object, const char *prefix, state_put_tensor put_tensor, void *context);
/* What went wrong since, if anything. */
lth_status state_writer_end(state_writer *w, error *e);

typedef struct state_reader {
    lth_reader abi; /* hand &r.abi to a component's load */
    const json_t *object;
    safetensors_file *tensors; /* may be NULL: no tensors */
    arena memory;              /* what the reader gave, until state_reader_end */
    error error;               /* of the disk */
} state_reader;

/* Begins a reader; object (may be NULL: every key is missing) and tensors are borrowed. */
void state_reader_begin(state_reader *r, const json_t *object, safetensors_file *tensors);
/* Gives back what was read; what went wrong since, if anything. A missing key is no error. */
lth_status state_reader_end(state_reader *r, error *e);

#endif
