/* SPDX-License-Identifier: Apache-2.0
 * A folder for each test, checkpoints to put there, and an engine that is nothing but its tensors. */
#ifndef TESTS_CHECKPOINT_HELP_H
#define TESTS_CHECKPOINT_HELP_H

#include "trainer/checkpoint.h"

/* The folder of the running test, and a path in it (the last 8 stay valid). */
extern char folder[64];
const char *in_folder(const char *name);
void make_folder(void);
void remove_folder(void);

/* Bytes of a file; the caller frees. */
char *read_bytes(const char *path, size_t *size);
void write_bytes(const char *path, const void *data, size_t size);

/* A small snapshot of a run at `step`: two parameters whose values tell the step, an optimizer's state, a component "callback.c"
 * with the values "step" and "mean" and the tensor "shadow". */
void fill_snapshot(checkpoint_snapshot *s, int64_t step, bool weights_only);
/* Saves one under a name. */
lth_status save_one(checkpoint_dir *d, const char *name, int64_t step, bool weights_only, error *e);
checkpoint_dir *open_dir(void);
/* Opens and checks that it is what fill_snapshot made of its step. Returns the step. */
int64_t check_whole(checkpoint *c);
/* checkpoint_open in the test's folder; warnings are gathered in `warnings`. */
lth_status open_which(const char *which, bool resume, bool quarantine, checkpoint **out, error *e);
extern char warnings[4096];

/* The engine of these tests. */
typedef struct fake_tensor {
    engine_tensor tensor;
    double values[8]; /* raw bytes of the tensor's own type */
} fake_tensor;
struct engine {
    fake_tensor at[8];
    uint32_t count;
};

/* ---- Faults: what the system calls of a save do, counted from faults_begin ---- */

typedef enum fault { FAULT_NONE, FAULT_KILL, FAULT_ERROR, FAULT_SHORT } fault;
/* The `at`-th call (from 1) is not made: the process is killed, or the call fails with `code`. FAULT_SHORT: every write writes
 * one byte less than half. */
void faults_begin(fault kind, int at, int code);
/* Calls made since. */
int faults_end(void);
/* What they were, a line each: "write model.safetensors". */
extern char fault_log[16384];

#endif
