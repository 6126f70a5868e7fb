/* SPDX-License-Identifier: Apache-2.0
 * Random graphs on the accelerator `cpu`: fused plans against the reference, plans without fusion against plans of one node.
 * A graph is drawn from a seed, which the message names. */
#include "accel_fixture.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bench cpu, reference, single;

static void open_all(void)
{
    bench_open(&cpu, "cpu");
    bench_open(&single, "cpu");
    bench_open(&reference, "reference");
}

static void close_all(void)
{
    bench_close(&cpu);
    bench_close(&single);
    bench_close(&reference);
}

TestSuite(cpu_fuzz, .init = open_all, .fini = close_all);

/* ---- Drawing a graph ---- */

enum { MOST_VALUES = 64, STATE = 4096 };

typedef struct draw {
    bench *b;
    uint64_t random;
    lth_dtype floating;
    uint32_t values[MOST_VALUES], count; /* floating values to draw operands from */
    uint32_t inputs;                     /* the first ones are inputs: the same in f32 and f64 */
    uint32_t arena;
    int64_t state; /* elements of the arena that are in use */
} draw;

static int64_t pick(draw *d, int64_t n) { return bench_random(&d->random) % n; }
static const lth_shape *shape_of(const draw *d, uint32_t v) { return graph_shape(&d->b->g, v); }
static uint32_t any(draw *d) { return d->values[pick(d, d->count)]; }

static void keep(draw *d, uint32_t v)
{
    if (d->count < MOST_VALUES && lth_shape_count(shape_of(d, v)) < 20000)
        d->values[d->count++] = v;
}

static lth_shape draw_shape(draw *d)
{
    static const int64_t sizes[] = { 1, 2, 3, 4, 5, 8, 17, 40 };
    lth_shape s = { d->floating, (int32_t)pick(d, 4), { 0 } };
    for (int32_t a = 0; a < s.rank; a++)
        s.dim[a] = sizes[pick(d, 8)];
    return s;
}

static double *draw_numbers(draw *d, int64_t n)
{
    double *x = calloc((size_t)n + 1, sizeof *x);
    for (int64_t i = 0; i < n; i++)
        x[i] = (float)bench_random_real(&d->random, -1.5, 1.5);
    return x;
}

/* Keeps numbers small, so that errors do not grow from op to op. */
static uint32_t tamed(draw *d, uint32_t v) { return OP1(d->b, pick(d, 2) ? LTH_OP_TANH : LTH_OP_SIN, v); }

static uint32_t broadcast(draw *d, uint32_t op, uint32_t a, uint32_t b)
{
    error e = { 0 };
    uint32_t v = graph_emit_broadcast(&d->b->g, op, (uint32_t[]) { a, b }, 2, NULL, 0, 0, &e);
    return e.status ? LTH_NO_VALUE : v;
}

static uint32_t draw_unary(draw *d)
{
    static const uint32_t ops[] = { LTH_OP_NEG,     LTH_OP_TANH,      LTH_OP_ERF,  LTH_OP_ABS,
                                    LTH_OP_SIGMOID, LTH_OP_RELU,      LTH_OP_GELU, LTH_OP_SQUARE,
                                    LTH_OP_SILU,    LTH_OP_GELU_TANH, LTH_OP_COS,  LTH_OP_STOP_GRADIENT };
    return OP1(d->b, ops[pick(d, 12)], any(d));
}

static uint32_t draw_binary(draw *d)
{
    static const uint32_t ops[] = { LTH_OP_ADD, LTH_OP_SUB, LTH_OP_MUL, LTH_OP_MAXIMUM, LTH_OP_MINIMUM };
    uint32_t v = broadcast(d, ops[pick(d, 5)], any(d), any(d));
    return v == LTH_NO_VALUE ? v : tamed(d, v);
}

/* Only inputs are compared: a rounding would otherwise turn one branch into the other. */
static uint32_t draw_choice(draw *d)
{
    uint32_t x = d->values[pick(d, d->inputs)];
    uint32_t c = OP2(d->b, LTH_OP_LT, x, OP1(d->b, LTH_OP_NEG, x));
    return OP3(d->b, LTH_OP_WHERE, c, x, OP1(d->b, LTH_OP_SQUARE, x));
}

static uint32_t draw_random(draw *d)
{
    uint32_t x = any(d), p = bench_scalar(d->b, d->floating, 0.25);
    lth_attr_random a = { .id = (uint32_t)pick(d, 1000) };
    a.shape = *shape_of(d, x);
    if (pick(d, 2))
        return bench_op(d->b, LTH_OP_UNIFORM, NULL, 0, &a, sizeof a);
    a.shape = (lth_shape) { 0 };
    return tamed(d, bench_op(d->b, LTH_OP_DROPOUT, (uint32_t[]) { x, p }, 2, &a, sizeof a));
}

static uint32_t draw_view(draw *d)
{
    uint32_t x = any(d);
    lth_shape s = *shape_of(d, x);
    lth_attr_dims dims = { s.rank, 0, { 0 } };
    lth_attr_slice slice = { { 0 }, { 0 }, { 0 } };
    int32_t axis = s.rank ? (int32_t)pick(d, s.rank) : 0;
    switch (pick(d, 5)) {
    case 0:
        dims.rank = 1;
        dims.dim[0] = lth_shape_count(&s);
        return bench_op(d->b, LTH_OP_RESHAPE, &x, 1, &dims, sizeof dims);
    case 1:
        for (int32_t a = 0; a < s.rank; a++)
            dims.dim[a] = (a + 1 + axis) % s.rank;
        return bench_op(d->b, LTH_OP_PERMUTE, &x, 1, &dims, sizeof dims);
    case 2:
        dims.rank = s.rank + 1;
        dims.dim[0] = 3;
        memcpy(dims.dim + 1, s.dim, sizeof s.dim - sizeof *s.dim);
        return dims.rank > 4 ? LTH_NO_VALUE : bench_op(d->b, LTH_OP_EXPAND, &x, 1, &dims, sizeof dims);
    case 3:
        for (int32_t a = 0; a < s.rank; a++) {
            slice.step[a] = 1 + pick(d, 2);
            slice.start[a] = pick(d, s.dim[a]);
            slice.length[a] = (s.dim[a] - slice.start[a] + slice.step[a] - 1) / slice.step[a];
        }
        return bench_op(d->b, LTH_OP_SLICE, &x, 1, &slice, sizeof slice);
    default:
        return s.rank ? OP1A(d->b, LTH_OP_FLIP, x, lth_attr_axis, axis) : LTH_NO_VALUE;
    }
}

static uint32_t draw_joined(draw *d)
{
    uint32_t x = any(d), y = OP1(d->b, LTH_OP_COS, x);
    lth_shape s = *shape_of(d, x);
    lth_attr_pad pad = { { 0 }, { 0 } };
    if (!s.rank)
        return LTH_NO_VALUE;
    int32_t axis = (int32_t)pick(d, s.rank);
    if (pick(d, 2))
        return bench_op(d->b, LTH_OP_CONCAT, (uint32_t[]) { x, y, any(d) == x ? x : y }, 3, &(lth_attr_axis) { axis },
                        sizeof(lth_attr_axis));
    pad.low[axis] = pick(d, 3);
    pad.high[axis] = pick(d, 3);
    return bench_op(d->b, LTH_OP_PAD, (uint32_t[]) { x, bench_scalar(d->b, d->floating, 0.5) }, 2, &pad, sizeof pad);
}

static uint32_t draw_reduction(draw *d)
{
    static const uint32_t ops[] = { LTH_OP_SUM, LTH_OP_MEAN, LTH_OP_MAX, LTH_OP_MIN, LTH_OP_LOGSUMEXP };
    uint32_t x = any(d), all = (1u << shape_of(d, x)->rank) - 1;
    uint32_t axes = pick(d, 3) ? 1 + (uint32_t)pick(d, all > 0 ? all : 1) : all;
    uint32_t v = OP1A(d->b, ops[pick(d, 5)], x, lth_attr_reduce, all ? axes : 0, (uint32_t)pick(d, 2));
    return tamed(d, v);
}

static uint32_t draw_network(draw *d)
{
    uint32_t x = any(d);
    lth_shape s = *shape_of(d, x);
    if (s.rank < 2)
        return LTH_NO_VALUE;
    if (pick(d, 2))
        return OP1A(d->b, pick(d, 2) ? LTH_OP_SOFTMAX : LTH_OP_LOG_SOFTMAX, x, lth_attr_axis, pick(d, s.rank));
    uint32_t y = OP1(d->b, LTH_OP_ERF, x);
    lth_attr_dims turned = { s.rank, 0, { 0, 1, 2, 3 } };
    turned.dim[s.rank - 1] = s.rank - 2;
    turned.dim[s.rank - 2] = s.rank - 1;
    uint32_t yt = bench_op(d->b, LTH_OP_PERMUTE, &y, 1, &turned, sizeof turned);
    switch (pick(d, 3)) {
    case 0:
        return tamed(d, OP2A(d->b, LTH_OP_MATMUL, x, yt, lth_attr_matmul, 0, 0, 0, 0));
    case 1:
        return tamed(d, OP2A(d->b, LTH_OP_MATMUL, x, y, lth_attr_matmul, 1, 0, 0, 0));
    default:
        return tamed(d, OP2A(d->b, LTH_OP_MATMUL, x, y, lth_attr_matmul, 0, 1, 0, 0));
    }
}

/* Of (N, C, L): a convolution of each channel with a part of the first image, or one of its gradients. */
static uint32_t draw_convolution(draw *d, uint32_t x)
{
    lth_shape s = *shape_of(d, x);
    int64_t C = s.dim[1], L = s.dim[2];
    uint32_t k = OP1A(d->b, LTH_OP_SLICE, x, lth_attr_slice, { 0, 0, 1 }, { 1, C, 2 }, { 1, 1, 1 });
    uint32_t w = OP1A(d->b, LTH_OP_RESHAPE, k, lth_attr_dims, 3, 0, { C, 1, 2 });
    switch (pick(d, 3)) {
    case 0:
        return tamed(d, OP2A(d->b, LTH_OP_CONV, x, w, lth_attr_conv, { 2 }, { 1 }, { 0 }, { 1 }, { 0 }, C, 0, 0));
    case 1:
        return tamed(d, OP2A(d->b, LTH_OP_CONV_DATA_GRAD, x, w, lth_attr_conv, { 2 }, { 0 }, { 1 }, { 1 }, { 2 * L }, C, 0, 0));
    default:
        return tamed(d, OP2A(d->b, LTH_OP_CONV_WEIGHT_GRAD, x, OP1(d->b, LTH_OP_COS, x), lth_attr_conv, { 1 }, { 1 }, { 1 },
                             { 1 }, { 3 }, 1, 0, 0));
    }
}

static uint32_t draw_image(draw *d)
{
    uint32_t x = any(d);
    lth_shape s = *shape_of(d, x);
    if (s.rank != 3 || s.dim[2] < 3)
        return LTH_NO_VALUE;
    switch (pick(d, 4)) {
    case 0:
        return OP1A(d->b, LTH_OP_MAX_POOL, x, lth_attr_pool, { 3 }, { 2 }, { 1 }, { 0 }, { 1 }, { 0 }, LTH_POOL_CEIL, 0);
    case 1:
        return OP1A(d->b, LTH_OP_AVG_POOL, x, lth_attr_pool, { 0 }, { 0 }, { 0 }, { 0 }, { 0 }, { 2 }, LTH_POOL_ADAPTIVE, 0);
    case 2:
        return OP1A(d->b, LTH_OP_RESIZE, x, lth_attr_resize, { 7 }, { 0 }, LTH_RESIZE_LINEAR, 0);
    default:
        return draw_convolution(d, x);
    }
}

/* Reads a slice of state and writes something to it: a function of itself, or another value of its size. */
static uint32_t draw_state(draw *d)
{
    lth_shape s = draw_shape(d);
    int64_t n = lth_shape_count(&s), offset = d->state;
    if (offset + n > STATE)
        return LTH_NO_VALUE;
    d->state += n;
    uint32_t old = bench_state(d->b, d->arena, offset, s);
    uint32_t x = broadcast(d, LTH_OP_ADD, old, any(d)), new = x;
    if (x == LTH_NO_VALUE || lth_shape_count(shape_of(d, x)) != n)
        new = OP1(d->b, LTH_OP_SQUARE, old);
    bench_assign(d->b, d->arena, offset, tamed(d, new));
    return old;
}

static void draw_graph(bench *b, lth_dtype floating, uint64_t seed)
{
    static uint32_t (*const draws[])(draw *) = { draw_unary,     draw_unary,   draw_binary, draw_binary, draw_binary,
                                                 draw_choice,    draw_random,  draw_view,   draw_view,   draw_joined,
                                                 draw_reduction, draw_network, draw_image,  draw_image,  draw_state };
    draw d = { .b = b, .random = seed * 977 + 1, .floating = floating };
    bench_reset(b);
    b->seed = seed;
    double *state = draw_numbers(&d, STATE);
    d.arena = bench_arena(b, floating, STATE, state);
    free(state);
    d.inputs = 3;
    for (uint32_t i = 0; i < d.inputs; i++) {
        lth_shape s = draw_shape(&d);
        double *x = draw_numbers(&d, lth_shape_count(&s));
        keep(&d, bench_input(b, s, x));
        free(x);
    }
    for (int64_t steps = 5 + pick(&d, 30); steps > 0 && b->g.scalar_count < BENCH_SLOTS - 2; steps--) {
        uint32_t v = draws[pick(&d, sizeof draws / sizeof *draws)](&d);
        if (v != LTH_NO_VALUE)
            keep(&d, v);
    }
    for (uint32_t i = 0; i < 5; i++)
        bench_output(b, any(&d));
    bench_output(b, d.values[d.count - 1]);
}

/* ---- Comparing ---- */

static void compare(uint64_t seed, const char *what, double tolerance)
{
    for (uint32_t slot = 0; slot < cpu.g.output_count; slot++)
        for (int64_t i = 0; i < lth_shape_count(&cpu.output_shapes[slot]); i++) {
            double wanted = bench_get(&reference, slot, i), got = bench_get(&cpu, slot, i);
            cr_assert(fabs(got - wanted) <= tolerance * (1 + fabs(wanted)),
                      "seed %llu, %s: output %u, element %lld is %.17g, the reference has %.17g", (unsigned long long)seed, what,
                      slot, (long long)i, got, wanted);
        }
    for (int64_t i = 0; i < STATE; i++) {
        double wanted = bench_state_get(&reference, 0, i), got = bench_state_get(&cpu, 0, i);
        cr_assert(fabs(got - wanted) <= tolerance * (1 + fabs(wanted)),
                  "seed %llu, %s: element %lld of state is %.17g, the reference has %.17g", (unsigned long long)seed, what,
                  (long long)i, got, wanted);
    }
}

static void try_graph(uint64_t seed, lth_dtype floating, double tolerance)
{
    static const struct {
        uint32_t flags;
        const char *what;
    } ways[] = { { 0, "fused" }, { LTH_COMPILE_NO_FUSION, "not fused" }, { LTH_COMPILE_KEEP_ALL, "all kept" } };
    for (size_t w = 0; w < sizeof ways / sizeof *ways; w++) {
        draw_graph(&reference, LTH_F64, seed);
        draw_graph(&cpu, floating, seed);
        cr_assert_eq(bench_compile(&cpu, ways[w].flags), LTH_OK, "seed %llu: %s", (unsigned long long)seed, cpu.message);
        bench_compile(&reference, 0);
        for (int run = 0; run < 2; run++) { /* the second run finds what the first one left in memory */
            cr_assert_eq(bench_run(&reference), LTH_OK);
            cr_assert_eq(bench_run(&cpu), LTH_OK, "seed %llu, %s: %s", (unsigned long long)seed, ways[w].what,
                         cpu.result.message);
            compare(seed, ways[w].what, tolerance);
        }
    }
}

Test(cpu_fuzz, random_graphs_in_f64_agree_with_the_reference)
{
    for (uint64_t seed = 1; seed <= 300; seed++)
        try_graph(seed, LTH_F64, 1e-9);
}

Test(cpu_fuzz, random_graphs_in_f32_agree_with_the_reference)
{
    for (uint64_t seed = 301; seed <= 500; seed++)
        try_graph(seed, LTH_F32, 1e-3);
}

Test(cpu_fuzz, a_plan_gives_the_same_bits_every_time)
{
    for (uint64_t seed = 1; seed <= 60; seed++) {
        char *first[BENCH_SLOTS] = { NULL };
        for (int run = 0; run < 3; run++) {
            draw_graph(&cpu, LTH_F32, seed);
            bench_go(&cpu, 0);
            for (uint32_t slot = 0; slot < cpu.g.output_count; slot++) {
                size_t bytes = (size_t)lth_shape_count(&cpu.output_shapes[slot]) * sizeof(float);
                if (run == 0)
                    memcpy(first[slot] = malloc(bytes + 1), cpu.outputs[slot], bytes);
                else
                    cr_assert_arr_eq(cpu.outputs[slot], first[slot], bytes, "seed %llu, output %u", (unsigned long long)seed,
                                     slot);
            }
        }
        for (uint32_t slot = 0; slot < BENCH_SLOTS; slot++)
            free(first[slot]);
    }
}

/* Runs one node of cpu's plan, which kept all values, as a plan of its own, on the same operands. */
static void check_node(uint64_t seed, uint32_t node)
{
    const lth_node *n = &cpu.g.nodes[node];
    uint32_t *map = calloc(cpu.g.value_count + 1, sizeof *map);
    bench_reset(&single);
    single.seed = seed;
    memcpy(single.scalars, cpu.scalars, sizeof cpu.scalars);
    for (uint32_t i = 0; i < n->operand_count; i++) {
        uint32_t v = cpu.g.operands[n->first_operand + i];
        const lth_shape *s = graph_shape(&cpu.g, v);
        const void *data = cpu.accelerator->value_data(cpu.self, cpu.plan, v);
        double *x = calloc((size_t)lth_shape_count(s) + 1, sizeof *x);
        for (int64_t k = 0; k < lth_shape_count(s); k++)
            x[k] = bench_element(s->dtype, data, k);
        map[v] = bench_input(&single, *s, x);
        free(x);
    }
    graph_copy_node(&cpu.g, node, &single.g, map);
    for (uint32_t r = 0; r < n->value_count; r++)
        bench_output(&single, map[n->first_value + r]);
    bench_go(&single, 0);
    for (uint32_t r = 0; r < n->value_count; r++) {
        const lth_shape *s = graph_shape(&cpu.g, n->first_value + r);
        size_t bytes = (size_t)(lth_shape_count(s) * lth_dtype_size(s->dtype));
        const void *kept = cpu.accelerator->value_data(cpu.self, cpu.plan, n->first_value + r);
        cr_assert(bytes == 0 || memcmp(kept, single.outputs[r], bytes) == 0,
                  "seed %llu: node %u (op %u) differs when run by itself", (unsigned long long)seed, node, n->op);
    }
    free(map);
}

Test(cpu_fuzz, without_fusion_every_node_has_the_bits_that_it_has_by_itself)
{
    for (uint64_t seed = 1; seed <= 40; seed++) {
        draw_graph(&cpu, LTH_F32, seed);
        bench_go(&cpu, LTH_COMPILE_NO_FUSION | LTH_COMPILE_KEEP_ALL);
        for (uint32_t i = 0; i < cpu.g.node_count; i++)
            if (cpu.g.nodes[i].value_count && cpu.g.nodes[i].operand_count)
                check_node(seed, i);
    }
}
