/* SPDX-License-Identifier: Apache-2.0
 * Random graphs: fused, scheduled and sharing memory, they must give what the reference gives node by node. */
#include "accel_plain.h"

#include <criterion/criterion.h>
#include <lthost/accel/plan_memory.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_VALUES = 120, ARENA = 600, SLOTS = 32 };

typedef struct maker {
    bench *b;
    uint64_t random;
    lth_dtype dtype;
    uint32_t values[MOST_VALUES], count;
    uint32_t arena;
} maker;

static uint32_t below(maker *m, uint32_t n) { return bench_random(&m->random) % n; }

static void keep(maker *m, uint32_t v) { m->values[m->count++] = v; }

static uint32_t pick(maker *m)
{
    /* Late values more often, so that graphs grow deep. */
    uint32_t a = below(m, m->count), c = below(m, m->count);
    return m->values[a > c ? a : c];
}

static const lth_shape *shape(maker *m, uint32_t v) { return graph_shape(&m->b->g, v); }

static lth_shape random_shape(maker *m)
{
    static const int64_t dims[] = { 1, 2, 3, 4, 6, 7 };
    lth_shape s = { m->dtype, (int32_t)below(m, 4), { 0 } };
    for (int32_t i = 0; i < s.rank; i++)
        s.dim[i] = dims[below(m, 6)];
    return s;
}

static uint32_t input(maker *m, lth_shape s)
{
    double data[512];
    for (int64_t i = 0; i < lth_shape_count(&s); i++)
        data[i] = bench_random_real(&m->random, -1, 1);
    return bench_input(m->b, s, data);
}

static uint32_t expanded(maker *m, uint32_t v, const lth_shape *to)
{
    lth_attr_dims a = { to->rank, 0, { 0 } };
    memcpy(a.dim, to->dim, sizeof a.dim);
    return bench_op(m->b, LTH_OP_EXPAND, &v, 1, &a, sizeof a);
}

/* A value of x's shape: another one, a row, or a number. */
static uint32_t partner(maker *m, uint32_t x)
{
    lth_shape s = *shape(m, x), row = { s.dtype, s.rank ? 1 : 0, { s.rank ? s.dim[s.rank - 1] : 0 } };
    for (int i = 0; i < 6; i++) {
        uint32_t y = pick(m);
        if (memcmp(shape(m, y), &s, sizeof s) == 0)
            return y;
    }
    if (below(m, 2) && m->b->g.scalar_count < SLOTS)
        return expanded(m, bench_scalar(m->b, s.dtype, bench_random_real(&m->random, -1, 1)), &s);
    if (m->b->g.input_count < SLOTS)
        return expanded(m, input(m, row), &s);
    return x;
}

static uint32_t pointwise(maker *m)
{
    static const uint32_t unary[] = { LTH_OP_TANH,    LTH_OP_SIN, LTH_OP_NEG,  LTH_OP_RELU,
                                      LTH_OP_SIGMOID, LTH_OP_ABS, LTH_OP_GELU, LTH_OP_STOP_GRADIENT };
    static const uint32_t binary[] = { LTH_OP_ADD, LTH_OP_SUB, LTH_OP_MUL, LTH_OP_MAXIMUM, LTH_OP_MINIMUM };
    uint32_t x = pick(m);
    if (below(m, 2))
        return OP1(m->b, unary[below(m, 8)], x);
    uint32_t y = OP2(m->b, binary[below(m, 5)], x, partner(m, x));
    if (below(m, 5) == 0)
        y = OP3(m->b, LTH_OP_WHERE, OP2(m->b, LTH_OP_LT, x, partner(m, x)), y, x);
    return OP1(m->b, LTH_OP_TANH, y); /* so that nothing grows without end */
}

static uint32_t dropout(maker *m)
{
    uint32_t x = pick(m), p = m->b->g.scalar_count < SLOTS ? bench_scalar(m->b, m->dtype, 0.3) : LTH_NO_VALUE;
    if (p == LTH_NO_VALUE)
        return x;
    uint32_t operands[] = { x, p };
    lth_attr_random a = { *shape(m, x), below(m, 1000), 0 };
    return bench_op(m->b, LTH_OP_DROPOUT, operands, 2, &a, sizeof a);
}

static uint32_t moved(maker *m)
{
    uint32_t x = pick(m);
    lth_shape s = *shape(m, x);
    switch (below(m, 6)) {
    case 0: {
        lth_attr_dims a = { 1, 0, { lth_shape_count(&s) } };
        return bench_op(m->b, LTH_OP_RESHAPE, &x, 1, &a, sizeof a);
    }
    case 1: {
        lth_attr_dims a = { s.rank, 0, { 0 } };
        uint32_t turn = s.rank ? below(m, (uint32_t)s.rank) : 0;
        for (int32_t i = 0; i < s.rank; i++)
            a.dim[i] = (i + (int32_t)turn) % s.rank;
        return bench_op(m->b, LTH_OP_PERMUTE, &x, 1, &a, sizeof a);
    }
    case 2: {
        lth_attr_slice a = { { 0 }, { 0 }, { 0 } };
        for (int32_t i = 0; i < s.rank; i++) {
            a.step[i] = 1 + below(m, 2);
            a.start[i] = below(m, (uint32_t)s.dim[i]);
            a.length[i] = (s.dim[i] - a.start[i] + a.step[i] - 1) / a.step[i];
        }
        return bench_op(m->b, LTH_OP_SLICE, &x, 1, &a, sizeof a);
    }
    case 3:
        return s.rank ? OP1A(m->b, LTH_OP_FLIP, x, lth_attr_axis, (int64_t)below(m, (uint32_t)s.rank)) : x;
    case 4: {
        uint32_t parts[] = { x, partner(m, x), OP1(m->b, LTH_OP_NEG, x) };
        if (!s.rank || lth_shape_count(&s) > 150)
            return x;
        return bench_op(m->b, LTH_OP_CONCAT, parts, 1 + below(m, 3), &(lth_attr_axis) { below(m, (uint32_t)s.rank) },
                        sizeof(lth_attr_axis));
    }
    default: {
        lth_attr_pad a = { { 0 }, { 0 } };
        uint32_t operands[] = { x, m->b->g.scalar_count < SLOTS ? bench_scalar(m->b, s.dtype, 0.5) : LTH_NO_VALUE };
        if (operands[1] == LTH_NO_VALUE || lth_shape_count(&s) > 100)
            return x;
        for (int32_t i = 0; i < s.rank; i++) {
            a.low[i] = below(m, 2);
            a.high[i] = below(m, 2);
        }
        return bench_op(m->b, LTH_OP_PAD, operands, 2, &a, sizeof a);
    }
    }
}

static uint32_t kernel(maker *m)
{
    uint32_t x = pick(m);
    lth_shape s = *shape(m, x);
    if (below(m, 3) == 0) {
        uint32_t all = OP1A(m->b, LTH_OP_SUM, OP1(m->b, LTH_OP_SQUARE, x), lth_attr_reduce, s.rank ? (1u << s.rank) - 1 : 0, 0);
        return OP1(m->b, LTH_OP_TANH, all);
    }
    if (s.rank == 2 && s.dim[0] < 8 && s.dim[1] < 8)
        return OP1(m->b, LTH_OP_TANH, OP2A(m->b, LTH_OP_MATMUL, x, partner(m, x), lth_attr_matmul, 0, 1, 0, 0));
    if (s.rank && below(m, 2))
        return OP1A(m->b, LTH_OP_SOFTMAX, x, lth_attr_axis, s.rank - 1);
    if (s.rank)
        return OP1A(m->b, LTH_OP_MEAN, x, lth_attr_reduce, 1u << below(m, (uint32_t)s.rank), below(m, 2));
    return OP1(m->b, LTH_OP_SIN, x);
}

/* State: read here and there, also where slices overlap, and assigned from anything that fits. */
static uint32_t state(maker *m)
{
    lth_shape s = random_shape(m);
    return bench_state(m->b, m->arena, below(m, 100), s);
}

static void effect(maker *m)
{
    uint32_t v = pick(m);
    if (below(m, 3) && lth_shape_count(shape(m, v)) <= 400) {
        /* Most often back to the place of a slice of the same size that was read. */
        int64_t offset = below(m, 100);
        for (uint32_t i = 0; i < m->b->g.node_count; i++) {
            const lth_node *n = &m->b->g.nodes[i];
            if (n->op == LTH_OP_STATE && lth_shape_count(graph_shape(&m->b->g, n->first_value)) == lth_shape_count(shape(m, v)) &&
                below(m, 2))
                offset = ((const lth_attr_state *)(const void *)(m->b->g.attributes + n->attributes))->offset;
        }
        bench_assign(m->b, m->arena, offset, v);
    } else if (m->b->g.output_count < SLOTS) {
        bench_output(m->b, v);
    }
}

static void build(bench *b, uint64_t seed, lth_dtype dtype)
{
    double initial[ARENA];
    maker m = { .b = b, .random = seed * 2654435761u + 1, .dtype = dtype };
    bench_reset(b);
    b->seed = seed;
    for (int i = 0; i < ARENA; i++)
        initial[i] = bench_random_real(&m.random, -1, 1);
    m.arena = bench_arena(b, dtype, ARENA, initial);
    for (int i = 0; i < 3; i++)
        keep(&m, input(&m, random_shape(&m)));
    keep(&m, state(&m));
    uint32_t nodes = 10 + below(&m, 60);
    while (m.count < nodes) {
        uint32_t what = below(&m, 20);
        if (what == 0 && b->g.input_count < SLOTS)
            keep(&m, input(&m, random_shape(&m)));
        else if (what == 1)
            keep(&m, state(&m));
        else if (what == 2)
            keep(&m, dropout(&m));
        else if (what < 7)
            keep(&m, moved(&m));
        else if (what < 10)
            keep(&m, kernel(&m));
        else
            keep(&m, pointwise(&m));
        if (below(&m, 6) == 0)
            effect(&m);
    }
    bench_output(b, m.values[m.count - 1]);
}

static void compare(bench *plain, bench *reference, uint64_t seed, uint32_t flags, double tolerance)
{
    char what[80];
    for (uint32_t slot = 0; slot < plain->g.output_count; slot++) {
        int64_t count = lth_shape_count(&plain->output_shapes[slot]);
        double *expected = malloc((size_t)(count + 1) * sizeof *expected);
        for (int64_t i = 0; i < count; i++)
            expected[i] = bench_get(reference, slot, i);
        snprintf(what, sizeof what, "graph %llu with flags %u, output %u", (unsigned long long)seed, flags, slot);
        bench_expect(plain, what, slot, expected, count, tolerance);
        free(expected);
    }
    for (int i = 0; i < ARENA; i++)
        cr_assert_float_eq(bench_state_get(plain, 0, i), bench_state_get(reference, 0, i), tolerance,
                           "graph %llu with flags %u: state %d is %g, expected %g", (unsigned long long)seed, flags, i,
                           bench_state_get(plain, 0, i), bench_state_get(reference, 0, i));
}

Test(accel_fuzz, random_graphs_agree_with_the_reference_under_every_flag, .timeout = 120)
{
    static bench plain, reference;
    const char *asked = getenv("LTHOST_TEST_GRAPHS");
    uint64_t graphs = asked ? strtoull(asked, NULL, 10) : 300;
    plain_bench_open(&plain);
    bench_open(&reference, "reference");
    for (uint64_t seed = 0; seed < graphs; seed++) {
        lth_dtype dtype = seed % 2 ? LTH_F32 : LTH_F64;
        static const uint32_t flags[] = { 0, LTH_COMPILE_NO_FUSION, LTH_COMPILE_KEEP_ALL, LTH_COMPILE_CHECK_FINITE };
        for (int f = 0; f < 4; f++) {
            build(&plain, seed, dtype);
            build(&reference, seed, dtype);
            for (int run = 0; run < 2; run++) { /* the second run on what the first assigned */
                if (run == 0) {
                    bench_go(&plain, flags[f]);
                    bench_go(&reference, 0);
                } else {
                    plain_poison(&plain);
                    cr_assert_eq(bench_run(&plain), LTH_OK);
                    cr_assert_eq(bench_run(&reference), LTH_OK);
                }
                compare(&plain, &reference, seed, flags[f], dtype == LTH_F32 ? 2e-4 : 1e-11);
            }
        }
    }
    bench_close(&plain);
    bench_close(&reference);
}

Test(accel_fuzz, fused_and_unfused_runs_have_equal_bits, .timeout = 120)
{
    static bench fused, unfused;
    plain_bench_open(&fused);
    plain_bench_open(&unfused);
    for (uint64_t seed = 1000; seed < 1200; seed++) {
        build(&fused, seed, LTH_F32);
        build(&unfused, seed, LTH_F32);
        bench_go(&fused, 0);
        bench_go(&unfused, LTH_COMPILE_NO_FUSION);
        compare(&fused, &unfused, seed, 0, 0);
    }
    bench_close(&fused);
    bench_close(&unfused);
}

Test(accel_fuzz, buffers_that_live_at_the_same_time_never_overlap)
{
    enum { MOST = 200 };
    uint64_t random = 5;
    for (int round = 0; round < 300; round++) {
        accel_buffer buffers[MOST];
        uint32_t count = 1 + bench_random(&random) % MOST;
        int64_t alive[64] = { 0 }, peak = 0;
        for (uint32_t i = 0; i < count; i++) {
            uint32_t first = bench_random(&random) % 60;
            buffers[i] = (accel_buffer) { bench_random(&random) % 7 ? bench_random(&random) % 5000 : 0, first,
                                          first + bench_random(&random) % (62 - first), -1 };
            for (uint32_t t = buffers[i].first; t <= buffers[i].last; t++)
                alive[t] += accel_align(buffers[i].size);
        }
        accel_memory memory;
        cr_assert_eq(accel_plan_memory(buffers, count, &memory), LTH_OK);
        for (int t = 0; t < 64; t++)
            peak = alive[t] > peak ? alive[t] : peak;
        cr_assert_geq(memory.planned, peak);
        cr_assert_leq(memory.planned, peak * 2);
        cr_assert_leq(memory.planned, memory.unshared);
        for (uint32_t i = 0; i < count; i++) {
            const accel_buffer *x = &buffers[i];
            cr_assert_eq(x->offset % ACCEL_ALIGNMENT, 0);
            cr_assert(x->size == 0 || (x->offset >= 0 && x->offset + x->size <= memory.planned));
            for (uint32_t j = 0; j < i; j++) {
                const accel_buffer *y = &buffers[j];
                bool together = x->first <= y->last && y->first <= x->last,
                     overlap = x->offset < y->offset + y->size && y->offset < x->offset + x->size;
                cr_assert_not(together && overlap && x->size && y->size);
            }
        }
    }
}
