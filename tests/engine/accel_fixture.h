/* SPDX-License-Identifier: Apache-2.0
 * Running small graphs on an accelerator: the plugin is loaded as the host would, shapes come from the host's own rules, and
 * every buffer stands between guard words that are looked at after each run. */
#ifndef TEST_ACCEL_FIXTURE_H
#define TEST_ACCEL_FIXTURE_H

#include "engine/graph.h"

#include <lthost/accelerator.h>

enum { BENCH_SLOTS = 160 };

typedef struct bench {
    const lth_accelerator *accelerator;
    void *self;
    void *library;
    lth_host host;
    char message[512]; /* the last that compile reported */
    graph g;
    error e;
    lth_plan *plan;
    lth_run_result result;
    lth_arena_info arena_infos[BENCH_SLOTS];
    uint32_t arena_count;
    char *inputs[BENCH_SLOTS], *outputs[BENCH_SLOTS], *arenas[BENCH_SLOTS];
    lth_shape output_shapes[BENCH_SLOTS];
    double scalars[BENCH_SLOTS];
    uint64_t seed;
    uint32_t step, stream;
    lth_launch_time *times; /* NULL: none are taken */
    char printed[1024]; /* what PRINT showed: "text=first element;" */
} bench;

/* Loads the plugin and makes an instance of its accelerator. Fails the test where it cannot. */
void bench_open(bench *b, const char *plugin);
void bench_close(bench *b);
/* Begins an empty graph; frees plan and buffers. */
void bench_reset(bench *b);

lth_shape bench_shape(lth_dtype dtype, int32_t rank, const int64_t *dim);
#define SHAPE(dtype, ...)                                                                                               \
    bench_shape(dtype, (int32_t)(sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t)), (int64_t[]){ __VA_ARGS__ })
#define RANK0(dtype) bench_shape(dtype, 0, NULL)

/* Values: an input filled from doubles (converted to its dtype), a run-time scalar, a slice of an arena. */
uint32_t bench_input(bench *b, lth_shape s, const double *data);
uint32_t bench_scalar(bench *b, lth_dtype dtype, double value);
uint32_t bench_arena(bench *b, lth_dtype dtype, int64_t count, const double *data);
uint32_t bench_state(bench *b, uint32_t arena, int64_t offset, lth_shape s);
void bench_assign(bench *b, uint32_t arena, int64_t offset, uint32_t value);

/* Appends a node by the host's shape rule; fails the test where it is refused. */
uint32_t bench_op(bench *b, uint32_t op, const uint32_t *operands, uint32_t count, const void *attributes, uint32_t size);
#define OP1(b, op, x) bench_op(b, op, (uint32_t[]){ x }, 1, NULL, 0)
#define OP2(b, op, x, y) bench_op(b, op, (uint32_t[]){ x, y }, 2, NULL, 0)
#define OP1A(b, op, x, T, ...) bench_op(b, op, (uint32_t[]){ x }, 1, &(T){ __VA_ARGS__ }, sizeof(T))
#define OP2A(b, op, x, y, T, ...) bench_op(b, op, (uint32_t[]){ x, y }, 2, &(T){ __VA_ARGS__ }, sizeof(T))
#define OP3(b, op, x, y, z) bench_op(b, op, (uint32_t[]){ x, y, z }, 3, NULL, 0)

/* Marks a value as output; returns its slot. */
uint32_t bench_output(bench *b, uint32_t value);

/* Compiles what was appended and runs it; both statuses may be asked for. Buffers' guards are checked after. */
lth_status bench_compile(bench *b, uint32_t flags);
lth_status bench_run(bench *b);
/* Both, which must succeed. */
void bench_go(bench *b, uint32_t flags);

/* Element i of an output, or of an arena, as a double. */
double bench_get(const bench *b, uint32_t slot, int64_t i);
double bench_state_get(const bench *b, uint32_t arena, int64_t i);
double bench_element(lth_dtype dtype, const void *data, int64_t i);
void bench_fill(lth_dtype dtype, void *data, int64_t i, double x);

/* Whether an output is as expected within the relative (or below 1 absolute) tolerance; NaN and infinities must agree. */
void bench_expect(const bench *b, const char *what, uint32_t slot, const double *expected, int64_t count, double tolerance);

/* A small random number generator, so that tests repeat. */
uint32_t bench_random(uint64_t *state);
double bench_random_real(uint64_t *state, double low, double high);

#endif
