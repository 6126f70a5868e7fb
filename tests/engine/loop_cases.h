/* SPDX-License-Identifier: Apache-2.0
 * Steps that are recorded as loops, or written out turn by turn, which must come to the same. */
#ifndef TEST_LOOP_CASES_H
#define TEST_LOOP_CASES_H

#include "engine_fixture.h"

enum { T = RIG_BATCH, LOOP_NUMBERS = 400, LOOP_CASES = 4 };

/* How a test's ops are recorded: as a loop, or written out. */
typedef struct loop_form {
    bool loop, reverse;
    int64_t turns; /* -1: no count is given */
    int order;     /* of the derivatives that come out instead of the values; by the batch and the parameters */
    lth_tensor x;  /* the batch (T, 3) */
} loop_form;

typedef struct loop_outputs {
    lth_tensor at[12];
    uint32_t count;
} loop_outputs;

typedef void loop_recorder(rig *r, const loop_form *f, loop_outputs *o);

typedef struct loop_case {
    const char *name;
    loop_recorder *record;
} loop_case;
extern const loop_case loop_cases[LOOP_CASES];
/* The first of them: h' = tanh(W x_t + b h), ... */
loop_recorder loop_recurrence;

void loop_put(loop_outputs *o, lth_tensor x);
/* The batch (T, 3), in the run's type; a number as (1, 4); what a loop shows of a sequence at an index. */
lth_tensor loop_batch(rig *r);
lth_tensor loop_number(lth_tensor like, double value);
lth_tensor loop_row(lth_tensor x, int64_t i);

/* Runs a step of what is put, or of its derivatives; returns how many numbers came out. */
int64_t loop_run(rig *r, loop_recorder *record, const loop_form *given, double *numbers);

#endif
