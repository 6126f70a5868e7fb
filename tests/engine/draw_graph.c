/* SPDX-License-Identifier: Apache-2.0 */
#include "draw_graph.h"

#include "half.h"

#include "engine/op_samples.h"
#include "engine/op_table.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum {
    MOST_VALUES = 64,
    MOST_SLOTS = 64 /* of inputs and of scalars: the rest is for constants */,
    MOST_OF_SAMPLE = 400 /* elements of a sample's result that others read: a sum of many has a large error */
};

typedef struct draw {
    bench *b;
    uint64_t random;
    lth_dtype floating;
    uint32_t values[MOST_VALUES], count; /* floating values to draw operands from */
    uint32_t inputs;                     /* the first ones are inputs: the same in f32 and f64 */
    uint32_t arena;
    uint32_t zero; /* a scalar */
    int64_t state; /* elements of the arena that are in use */
    bool loops;
    uint32_t depth; /* of loops */
    uint32_t index; /* of the innermost one */
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
    lth_attr_dims turned = { s.rank, 0, { 0, 1, 2, 3, 4, 5, 6, 7 } };
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
    if (offset + n > DRAW_STATE || d->depth)
        return LTH_NO_VALUE;
    d->state += n;
    uint32_t old = bench_state(d->b, d->arena, offset, s);
    uint32_t x = broadcast(d, LTH_OP_ADD, old, any(d)), new = x;
    if (x == LTH_NO_VALUE || lth_shape_count(shape_of(d, x)) != n)
        new = OP1(d->b, LTH_OP_SQUARE, old);
    bench_assign(d->b, d->arena, offset, tamed(d, new));
    return old;
}

/* ---- Any op ---- */

/* Whether a sample's results are finite, of the same types in a graph of f32 and in one of f64, and the same numbers but for
 * rounding. */
static bool is_smooth(const op_sample *s)
{
    bool one_type = s->op != LTH_OP_CAST || !lth_dtype_is_float(s->attributes.cast.dtype);
    for (uint32_t i = 0; i < s->count; i++)
        one_type = one_type && !lth_dtype_is_float(s->operands[i].dtype); /* NONE is the graph's own */
    return one_type && !(s->flags & (OP_SAMPLE_KINK | OP_SAMPLE_EXTREME)) && op_find(s->op)->kind != OP_LEAF;
}

/* One of the ops, each as likely as any other, and one of its samples. */
static op_sample any_sample(draw *d)
{
    static uint32_t ops[OP_CODES], count;
    for (uint32_t op = 0; op < OP_CODES && (count == 0 || op > ops[count - 1]); op++)
        if (op_sample_count(op) > 0)
            ops[count++] = op;
    uint32_t op = ops[pick(d, count)];
    return op_sample_at(op, (uint32_t)pick(d, op_sample_count(op)));
}

/* x, made a function of another value of the graph without a change: 0 times the mean of that is added. */
static uint32_t tied(draw *d, uint32_t x)
{
    uint32_t v = OP1(d->b, LTH_OP_SIN, any(d)), all = (1u << shape_of(d, v)->rank) - 1;
    uint32_t mean = all ? OP1A(d->b, LTH_OP_MEAN, v, lth_attr_reduce, all, 0) : v;
    return broadcast(d, LTH_OP_ADD, x, OP2(d->b, LTH_OP_MUL, mean, d->zero));
}

static uint32_t draw_sample(draw *d)
{
    op_sample s = any_sample(d);
    uint32_t inputs[OP_SAMPLE_OPERANDS], results = op_find(s.op)->results, last = LTH_NO_VALUE;
    if (!is_smooth(&s) || d->b->g.input_count + s.count > MOST_SLOTS)
        return LTH_NO_VALUE;
    for (uint32_t i = 0; i < s.count; i++) {
        lth_shape shape = op_sample_input(&s, i, d->floating);
        double *values = calloc((size_t)lth_shape_count(&shape) + 1, sizeof *values);
        op_sample_values(&s, i, d->floating, values);
        for (int64_t k = 0; k < lth_shape_count(&shape); k++)
            values[k] = half_to_bench(shape.dtype, values[k]);
        inputs[i] = bench_input(d->b, shape, values);
        if (shape.dtype == d->floating)
            inputs[i] = tied(d, inputs[i]);
        free(values);
    }
    uint32_t first = op_sample_emit(&s, &d->b->g, d->floating, inputs, &d->b->e);
    cr_assert_neq(first, LTH_NO_VALUE, "%s: %s", s.name, d->b->e.text);
    for (uint32_t r = first; r < first + results; r++) {
        if (d->b->g.output_count < MOST_SLOTS && !d->depth)
            bench_output(d->b, r);
        int64_t n = lth_shape_count(shape_of(d, r));
        if (shape_of(d, r)->dtype != d->floating || n == 0 || n > MOST_OF_SAMPLE)
            continue;
        if (last != LTH_NO_VALUE)
            keep(d, last);
        last = tamed(d, r);
    }
    return last;
}

/* ---- Loops ---- */

/* A row read, or written, at a run-time index: in a loop, that of the turn. */
static uint32_t draw_window(draw *d)
{
    uint32_t x = any(d), at = d->depth ? d->index : bench_scalar(d->b, LTH_I64, 1);
    if (shape_of(d, x)->rank == 0)
        return LTH_NO_VALUE;
    lth_attr_window row = { pick(d, shape_of(d, x)->rank), 1 };
    uint32_t part = OP2A(d->b, LTH_OP_SLICE_AT, x, at, lth_attr_window, row.axis, row.length);
    if (pick(d, 3) == 0)
        return part;
    part = OP1(d->b, LTH_OP_TANH, part);
    return bench_op(d->b, LTH_OP_UPDATE_AT, (uint32_t[]) { x, part, at }, 3, &row, sizeof row);
}

static void draw_some(draw *d, int64_t steps);

/* What a turn hands on in place of a value: anything of its shape; kept small, where it is no old value. */
static uint32_t draw_next(draw *d, uint32_t slot)
{
    uint32_t start = (uint32_t)pick(d, d->count);
    for (uint32_t i = 0; i < d->count; i++) {
        uint32_t v = d->values[(start + i) % d->count];
        const lth_shape *a = shape_of(d, v), *b = shape_of(d, slot);
        const lth_node *n = &d->b->g.nodes[d->b->g.values[v].node];
        if (a->rank == b->rank && memcmp(a->dim, b->dim, sizeof a->dim) == 0 && v != slot)
            return n->op == LTH_OP_LOOP || n->op == LTH_OP_INPUT || n->op == LTH_OP_UPDATE_AT || n->op == LTH_OP_TANH
                       ? v
                       : tamed(d, v);
    }
    return pick(d, 2) ? slot : tamed(d, OP1(d->b, LTH_OP_COS, slot));
}

/* A loop over the rows of a value, with up to three values carried. Keeps what comes out of it. */
static uint32_t draw_loop(draw *d)
{
    graph *g = &d->b->g;
    uint32_t in[5], sequence = any(d), before = d->count, outer = d->index;
    lth_attr_loop a = {
        .length = 3, .carried = 1 + (uint32_t)pick(d, 3), .sequences = shape_of(d, sequence)->rank > 0, .reverse = pick(d, 2)
    };
    if (!d->loops || d->depth == 2)
        return LTH_NO_VALUE;
    a.length = a.sequences ? shape_of(d, sequence)->dim[0] : 3;
    in[0] = bench_scalar(d->b, LTH_I64, (double)pick(d, 5));
    for (uint32_t i = 0; i < a.carried; i++)
        if (shape_of(d, in[1 + i] = any(d))->rank == LTH_MAX_RANK)
            return LTH_NO_VALUE;
    in[1 + a.carried] = sequence;
    uint32_t index = graph_loop_begin(g, &a, in, 0, &d->b->e), results[5] = { index };
    cr_assert_neq(index, LTH_NO_VALUE, "%s", d->b->e.text);
    d->index = index;
    d->depth++;
    for (uint32_t i = 0; i < a.carried + a.sequences; i++)
        keep(d, index + 1 + i);
    draw_some(d, 2 + pick(d, 8));
    for (uint32_t i = 0; i < a.carried; i++)
        results[1 + i] = draw_next(d, index + 1 + i);
    results[1 + a.carried] = any(d);
    bool stacks = shape_of(d, results[1 + a.carried])->rank < 4;
    uint32_t last = graph_loop_end(g, results, stacks, 0, &d->b->e);
    cr_assert_neq(last, LTH_NO_VALUE, "%s", d->b->e.text);
    d->count = before;
    d->depth--;
    d->index = outer;
    for (uint32_t i = 0; i < 2 * a.carried + stacks; i++)
        if (pick(d, 2))
            keep(d, last + i);
    return last;
}

/* ---- A graph ---- */

static void draw_some(draw *d, int64_t steps)
{
    static uint32_t (*const draws[])(draw *) = { draw_unary,  draw_unary,  draw_binary, draw_binary, draw_binary,    draw_choice,
                                                 draw_random, draw_view,   draw_view,   draw_joined, draw_reduction, draw_network,
                                                 draw_image,  draw_image,  draw_state,  draw_sample, draw_sample,    draw_sample,
                                                 draw_sample, draw_window, draw_window, draw_loop,   draw_loop };
    int64_t kinds = sizeof draws / sizeof *draws - (d->loops ? 0 : 4);
    for (; steps > 0 && d->b->g.scalar_count < MOST_SLOTS; steps--) {
        uint32_t v = draws[pick(d, kinds)](d);
        if (v != LTH_NO_VALUE)
            keep(d, v);
    }
}

void draw_graph(bench *b, lth_dtype floating, uint64_t seed, bool loops)
{
    draw d = { .b = b, .random = seed * 977 + 1, .floating = floating, .loops = loops };
    bench_reset(b);
    b->seed = seed;
    double *state = draw_numbers(&d, DRAW_STATE);
    for (int64_t i = 0; i < DRAW_STATE; i++)
        state[i] = half_to_bench(floating, state[i]);
    d.arena = bench_arena(b, floating, DRAW_STATE, state);
    free(state);
    d.zero = bench_scalar(b, floating, 0);
    d.inputs = 3;
    for (uint32_t i = 0; i < d.inputs; i++) {
        lth_shape s = draw_shape(&d);
        double *x = draw_numbers(&d, lth_shape_count(&s));
        for (int64_t k = 0; k < lth_shape_count(&s); k++)
            x[k] = half_to_bench(s.dtype, x[k]);
        keep(&d, bench_input(b, s, x));
        free(x);
    }
    draw_some(&d, 5 + pick(&d, 30));
    for (uint32_t i = 0; i < 5; i++)
        bench_output(b, any(&d));
    bench_output(b, d.values[d.count - 1]);
}
