/* SPDX-License-Identifier: Apache-2.0
 * What a graph accepts, what shapes come out, and the words in which it refuses. No accelerator is needed. */
#include "engine/op_samples.h"
#include "engine/op_table.h"

#include <criterion/criterion.h>
#include <string.h>

/* A call written in one line. */
typedef struct call {
    uint32_t op, count;
    lth_shape operands[3];
    op_attributes attributes;
    bool broadcast;
} call;

static graph g;
static error e;

static uint32_t leaf(const lth_shape *s)
{
    lth_attr_slot slot = { g.input_count, 0 };
    return graph_append(&g, LTH_OP_INPUT, NULL, 0, &slot, sizeof slot, 0, s, 1);
}

static uint32_t make(const call *c)
{
    uint32_t in[3];
    graph_reset(&g);
    error_clear(&e);
    for (uint32_t i = 0; i < c->count; i++)
        in[i] = leaf(&c->operands[i]);
    uint32_t size = op_find(c->op)->attributes_size;
    return (c->broadcast ? graph_emit_broadcast : graph_emit)(&g, c->op, in, c->count, size ? &c->attributes : NULL, size, 0, &e);
}

static void refuses(const call *c, const char *message)
{
    uint32_t nodes = c->count;
    cr_assert_eq(make(c), LTH_NO_VALUE, "accepted, where the message should be: %s", message);
    cr_assert_str_eq(e.text, message);
    cr_assert_eq(e.status, LTH_INVALID);
    cr_assert(c->broadcast || g.node_count == nodes, "a refused op leaves a node");
    graph_free(&g);
}

static void gives(const call *c, lth_shape wanted)
{
    uint32_t v = make(c);
    cr_assert_neq(v, LTH_NO_VALUE, "%s", e.text);
    const lth_shape *s = graph_shape(&g, v);
    cr_assert(memcmp(s, &wanted, sizeof wanted) == 0, "%s gives %s of rank %d, first dimension %lld", op_find(c->op)->name,
              lth_dtype_name(s->dtype), s->rank, (long long)s->dim[0]);
    graph_free(&g);
}

#define F32(...)                                                          \
    {                                                                     \
        LTH_F32, sizeof((int64_t[]) { __VA_ARGS__ }) / 8, { __VA_ARGS__ } \
    }
#define F64(...)                                                          \
    {                                                                     \
        LTH_F64, sizeof((int64_t[]) { __VA_ARGS__ }) / 8, { __VA_ARGS__ } \
    }
#define I64(...)                                                          \
    {                                                                     \
        LTH_I64, sizeof((int64_t[]) { __VA_ARGS__ }) / 8, { __VA_ARGS__ } \
    }
#define BOOL(...)                                                          \
    {                                                                      \
        LTH_BOOL, sizeof((int64_t[]) { __VA_ARGS__ }) / 8, { __VA_ARGS__ } \
    }
#define NUMBER            \
    {                     \
        LTH_F32, 0, { 0 } \
    }
#define INDEX             \
    {                     \
        LTH_I64, 0, { 0 } \
    }
#define SHAPE(...) ((lth_shape)__VA_ARGS__)
#define CALL(...) (&(call) { .op = __VA_ARGS__ })

Test(shapes, every_code_of_the_header_has_its_line_in_the_table)
{
    uint32_t count = 0;
    for (uint32_t op = 0; op < OP_CODES; op++) {
        const op_info *info = op_find(op);
        if (!info)
            continue;
        count++;
        cr_assert_eq(info->code, op, "%s stands in the wrong place", info->name);
        cr_assert_leq(info->attributes_size, OP_MAX_ATTRIBUTES);
        cr_assert_eq(info->attributes_size % 8, 0, "%s", info->name);
        cr_assert_eq(info->decompose != NULL, info->kind == OP_COMPOSITE, "%s", info->name);
        cr_assert(info->results <= OP_MAX_RESULTS);
        cr_assert(!info->pointwise || info->max_operands <= OP_MAX_POINTWISE);
    }
    cr_assert_eq(count, 7 + 30 + 16 + 9 + 9 + 5 + 8 + 6 + 10 + 3 + 4 + 2);
    cr_assert_null(op_find(LTH_OP_NONE));
    cr_assert_null(op_find(LTH_OP_INTEGER + 1));
    cr_assert_null(op_find(LTH_OP_UPDATE + 1));
    cr_assert_null(op_find(UINT32_MAX));
}

Test(shapes, every_op_with_operands_has_samples_of_its_own)
{
    for (uint32_t op = 0; op < OP_CODES; op++) {
        const op_info *info = op_find(op);
        if (info && info->kind != OP_EFFECT && info->kind != OP_SYMBOLIC && info->shape)
            cr_assert_geq(op_sample_count(op), 2, "%s", info->name);
    }
}

Test(shapes, calls_of_the_wrong_form_are_refused)
{
    lth_shape s = F32(2, 3);
    lth_attr_axis axis = { 0 };
    uint32_t x = leaf(&s), in[] = { x, x, 77 };
    const struct {
        uint32_t op, count, size;
        const char *message;
    } rows[] = {
        { 999, 1, 0, "there is no op 999; the plugin may be newer than this host" },
        { LTH_OP_ADD, 1, 0, "add: too few operands: 1 given, 2 expected" },
        { LTH_OP_EXP, 2, 0, "exp: too many operands: 2 given, 1 expected" },
        { LTH_OP_SOFTMAX, 1, 4, "softmax: wrong size of attributes: 4 given, 8 expected" },
        { LTH_OP_EXP, 1, 8, "exp: wrong size of attributes: 8 given, 0 expected" },
        { LTH_OP_WHERE, 3, 0, "where: operand 2 is no value of this graph" },
        { LTH_OP_INPUT, 0, 8, "input: only the host records this op, as its shape is known to it alone" },
        { LTH_OP_STATE, 0, 16, "state: only the host records this op, as its shape is known to it alone" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        error_clear(&e);
        cr_assert_eq(graph_emit(&g, rows[i].op, in, rows[i].count, &axis, rows[i].size, 0, &e), LTH_NO_VALUE);
        cr_assert_str_eq(e.text, rows[i].message);
        error_clear(&e);
        cr_assert_eq(graph_emit_broadcast(&g, rows[i].op, in, rows[i].count, &axis, rows[i].size, 0, &e), LTH_NO_VALUE);
        cr_assert_str_eq(e.text, rows[i].message);
    }
    error_clear(&e);
    cr_assert_eq(graph_emit(&g, LTH_OP_SOFTMAX, in, 1, NULL, 8, 0, &e), LTH_NO_VALUE);
    cr_assert_str_eq(e.text, "softmax: wrong size of attributes: 0 given, 8 expected");
    graph_free(&g);
}

Test(shapes, pointwise_ops_want_one_type_and_shapes_that_broadcast)
{
    refuses(CALL(LTH_OP_ADD, 2, { F32(64, 10), I64(10) }, .broadcast = true),
            "add: f32 (64, 10) and i64 (64, 10) differ in element type: lth_cast one of them");
    refuses(CALL(LTH_OP_ADD, 2, { F32(64, 10), F32(64) }, .broadcast = true),
            "add: (64, 10) and (64) do not broadcast: from the last dimension on, two must be equal or one of them 1");
    refuses(CALL(LTH_OP_ADD, 2, { F32(64, 10), F32(10) }), "add: (64, 10) and (10) differ");
    refuses(CALL(LTH_OP_EXP, 1, { I64(3) }), "exp: needs a floating type, got i64: lth_cast it to LTH_F32, say");
    refuses(CALL(LTH_OP_NEG, 1, { BOOL(3) }), "neg: needs numbers, got bool: lth_cast it to the type wanted");
    refuses(CALL(LTH_OP_NOT, 1, { F32(3) }), "not: needs bool, got f32: compare it (lth_ne(x, 0), say)");
    refuses(CALL(LTH_OP_WHERE, 3, { F32(3), F32(3), F32(3) }), "where: needs bool, got f32: compare it (lth_ne(x, 0), say)");
    refuses(CALL(LTH_OP_WHERE, 3, { BOOL(3), F32(3), F64(3) }),
            "where: f32 (3) and f64 (3) differ in element type: lth_cast one of them");
    refuses(CALL(LTH_OP_CAST, 1, { F32(3) }, .attributes.cast = { 99, 0 }),
            "cast: element type 99 (unknown) is none that a tensor can have");
    gives(CALL(LTH_OP_ADD, 2, { F32(3, 1), F32(1, 4) }, .broadcast = true), SHAPE(F32(3, 4)));
    gives(CALL(LTH_OP_ADD, 2, { F32(4), F32(2, 3, 1) }, .broadcast = true), SHAPE(F32(2, 3, 4)));
    gives(CALL(LTH_OP_ADD, 2, { F32(0, 4), F32(1, 1) }, .broadcast = true), SHAPE(F32(0, 4)));
    gives(CALL(LTH_OP_LT, 2, { I64(3), INDEX }, .broadcast = true), SHAPE(BOOL(3)));
    gives(CALL(LTH_OP_WHERE, 3, { BOOL(2, 1), F32(3), NUMBER }, .broadcast = true), SHAPE(F32(2, 3)));
    gives(CALL(LTH_OP_ISFINITE, 1, { F32(2, 1) }), SHAPE(BOOL(2, 1)));
    gives(CALL(LTH_OP_ADD, 2, { F32(1, 2, 1, 2, 1, 2, 1, 2), F32(2, 1, 2, 1, 2, 1, 2, 1) }, .broadcast = true),
          SHAPE(F32(2, 2, 2, 2, 2, 2, 2, 2)));
}

Test(shapes, matmul_says_which_dimensions_do_not_fit)
{
    refuses(CALL(LTH_OP_MATMUL, 2, { F32(64, 784), F32(128, 10) }, .broadcast = true),
            "matmul: (64, 784) and (128, 10) do not fit: the inner dimensions are 784 and 128");
    refuses(CALL(LTH_OP_MATMUL, 2, { F32(64, 784), F32(784, 10) }, .attributes.matmul.transpose_b = 1, .broadcast = true),
            "matmul: (64, 784) and (784, 10) transposed do not fit: the inner dimensions are 784 and 10");
    refuses(CALL(LTH_OP_MATMUL, 2, { F32(7, 3, 64, 784), F32(128, 10) }, .broadcast = true),
            "matmul: (7, 3, 64, 784) and (7, 3, 128, 10) do not fit: the inner dimensions are 784 and 128");
    refuses(CALL(LTH_OP_MATMUL, 2, { F32(5), F32(5, 2) }, .broadcast = true),
            "matmul: (5) and (5, 2): each needs two dimensions at least; a vector is lth_reshape(x, 1, -1) or (x, -1, 1)");
    refuses(CALL(LTH_OP_MATMUL, 2, { F32(2, 3, 4), F32(5, 4, 2) }, .broadcast = true),
            "matmul: (2, 3, 4) and (5, 4, 2) do not broadcast: from the last dimension on, two must be equal or one of them 1");
    refuses(CALL(LTH_OP_MATMUL, 2, { F32(2, 3, 4), F32(5, 4, 2) }),
            "matmul: (2, 3, 4) and (5, 4, 2) do not fit: the dimensions before the last two differ");
    refuses(CALL(LTH_OP_MATMUL, 2, { I64(2, 3), I64(3, 2) }),
            "matmul: needs a floating type, got i64: lth_cast it to LTH_F32, say");
    gives(CALL(LTH_OP_MATMUL, 2, { F32(6, 3, 4), F32(4, 2) }, .broadcast = true), SHAPE(F32(6, 3, 2)));
    gives(CALL(LTH_OP_MATMUL, 2, { F32(6, 3, 4), F32(2, 4) }, .attributes.matmul.transpose_b = 7, .broadcast = true),
          SHAPE(F32(6, 3, 2)));
    gives(CALL(LTH_OP_MATMUL, 2, { F32(2, 1, 3, 4), F32(5, 4, 2) }, .broadcast = true), SHAPE(F32(2, 5, 3, 2)));
    gives(CALL(LTH_OP_MATMUL, 2, { F32(3, 0), F32(0, 2) }), SHAPE(F32(3, 2)));
}

Test(shapes, moves_say_what_does_not_fit)
{
    refuses(CALL(LTH_OP_RESHAPE, 1, { F32(6, 4) }, .attributes.dims = { 2, 0, { 5, 5 } }),
            "reshape: (6, 4) has 24 elements, (5, 5) has 25");
    refuses(CALL(LTH_OP_RESHAPE, 1, { F32(6, 4) }, .attributes.dims = { 2, 0, { 5, -1 } }),
            "reshape: (6, 4) has 24 elements: no number in place of -1 makes (5, -1) of them");
    refuses(CALL(LTH_OP_RESHAPE, 1, { F32(6, 4) }, .attributes.dims = { 2, 0, { -1, -1 } }),
            "reshape: (-1, -1): only one dimension may be -1");
    refuses(CALL(LTH_OP_RESHAPE, 1, { F32(0, 4) }, .attributes.dims = { 2, 0, { 0, -1 } }),
            "reshape: (0, 4) has 0 elements: no number in place of -1 makes (0, -1) of them");
    refuses(CALL(LTH_OP_RESHAPE, 1, { F32(6) }, .attributes.dims = { 2, 0, { -2, -3 } }), "reshape: dimension 0 would be -2");
    refuses(CALL(LTH_OP_RESHAPE, 1, { F32(6) }, .attributes.dims = { 9, 0, { 0 } }),
            "reshape: 9 dimensions, at most 8 are possible");
    refuses(CALL(LTH_OP_PERMUTE, 1, { F32(2, 3) }, .attributes.dims = { 3, 0, { 0, 1, 2 } }),
            "permute: 3 axes listed for (2, 3), which has 2");
    refuses(CALL(LTH_OP_PERMUTE, 1, { F32(2, 3) }, .attributes.dims = { 2, 0, { 1, -1 } }), "permute: axis 1 is listed twice");
    refuses(CALL(LTH_OP_PERMUTE, 1, { F32(2, 3) }, .attributes.dims = { 2, 0, { 0, 2 } }),
            "permute: axis 2, where -2 to 1 are possible");
    refuses(CALL(LTH_OP_EXPAND, 1, { F32(3, 4) }, .attributes.dims = { 2, 0, { 3, 5 } }),
            "expand: (3, 4) does not broadcast to (3, 5): only dimensions of 1 can be widened");
    refuses(CALL(LTH_OP_EXPAND, 1, { F32(3, 1) }, .attributes.dims = { 1, 0, { 3 } }),
            "expand: (3, 1) does not broadcast to (3): only dimensions of 1 can be widened");
    refuses(CALL(LTH_OP_SLICE, 1, { F32(8) }, .attributes.slice = { { 3 }, { 4 }, { 2 } }),
            "slice: axis 0: 4 elements from 3 in steps of 2 reach beyond its 8");
    refuses(CALL(LTH_OP_SLICE, 1, { F32(8) }, .attributes.slice = { { 5 }, { -2 }, { 1 } }),
            "slice: axis 0: a length of -2, the slice ends before its start at 5");
    refuses(CALL(LTH_OP_SLICE, 1, { F32(8) }, .attributes.slice = { { 0 }, { 8 }, { 0 } }),
            "slice: axis 0: a step of 0, at least 1 is needed (lth_flip turns an axis round)");
    refuses(CALL(LTH_OP_SLICE, 1, { F32(8) }, .attributes.slice = { { 1 }, { INT64_MAX }, { INT64_MAX } }),
            "slice: axis 0: 9223372036854775807 elements from 1 in steps of 9223372036854775807 reach beyond its 8");
    refuses(CALL(LTH_OP_PAD, 2, { F32(8), NUMBER }, .attributes.pad = { { -1 }, { 0 } }),
            "pad: axis 0: -1 before and 0 after: neither may be negative (lth_slice cuts)");
    refuses(CALL(LTH_OP_PAD, 2, { F32(8), F32(1) }, .attributes.pad = { { 1 }, { 0 } }),
            "pad: the value must be a scalar of rank 0, got (1)");
    refuses(CALL(LTH_OP_CONCAT, 2, { F32(2, 3), F32(3, 3) }, .attributes.axis = { 1 }),
            "concat: (2, 3) and (3, 3) differ in more than axis 1");
    refuses(CALL(LTH_OP_CONCAT, 2, { NUMBER, NUMBER }, .attributes.axis = { 0 }),
            "concat: axis 0 of a scalar, which has no axes");
    refuses(CALL(LTH_OP_SLICE_AT, 2, { F32(5), INDEX }, .attributes.window = { 0, 6 }),
            "slice_at: 6 elements of axis 0, which has 5");
    refuses(CALL(LTH_OP_SLICE_AT, 2, { F32(5), NUMBER }, .attributes.window = { 0, 2 }),
            "slice_at: the start must be i64, got f32: lth_cast it");
    refuses(CALL(LTH_OP_UPDATE_AT, 3, { F32(5, 2), F32(2, 3), INDEX }, .attributes.window = { 0, 2 }),
            "update_at: a part (2, 3) does not fit into (5, 2) along axis 0");
    gives(CALL(LTH_OP_RESHAPE, 1, { F32(6, 4) }, .attributes.dims = { 3, 0, { 2, -1, 3 } }), SHAPE(F32(2, 4, 3)));
    gives(CALL(LTH_OP_SLICE, 1, { F32(8) }, .attributes.slice = { { 1 }, { 4 }, { 2 } }), SHAPE(F32(4)));
    gives(CALL(LTH_OP_SLICE, 1, { F32(8) }, .attributes.slice = { { 8 }, { 0 }, { 1 } }), SHAPE(F32(0)));
    gives(CALL(LTH_OP_EXPAND, 1, { F32(3, 1) }, .attributes.dims = { 3, 0, { 2, 3, 0 } }), SHAPE(F32(2, 3, 0)));
}

Test(shapes, reductions_over_nothing_are_refused_where_they_have_no_value)
{
    refuses(CALL(LTH_OP_MAX, 1, { F32(3, 0) }, .attributes.reduce = { 2, 0 }),
            "max: a reduction of (3, 0) over no elements has no value");
    refuses(CALL(LTH_OP_LOGSUMEXP, 1, { F32(0) }, .attributes.reduce = { 1, 0 }),
            "logsumexp: a reduction of (0) over no elements has no value");
    refuses(CALL(LTH_OP_ARGMAX, 1, { F32(3, 0) }, .attributes.axis = { 1 }),
            "argmax: axis 1 of (3, 0) has no elements to choose from");
    refuses(CALL(LTH_OP_SUM, 1, { F32(3, 4) }, .attributes.reduce = { 4, 0 }),
            "sum: the axes asked for (bits 0x4) are more than the 2 of (3, 4)");
    refuses(CALL(LTH_OP_SUM, 1, { F32(3, 4) }, .attributes.reduce = { 0, 0 }), "sum: no axis given of the 2 of (3, 4)");
    refuses(CALL(LTH_OP_ARGMAX, 1, { F32(3, 4) }, .attributes.axis = { -3 }), "argmax: axis -3, where -2 to 1 are possible");
    gives(CALL(LTH_OP_SUM, 1, { F32(3, 0) }, .attributes.reduce = { 2, 0 }), SHAPE(F32(3)));
    gives(CALL(LTH_OP_SUM, 1, { NUMBER }, .attributes.reduce = { 0, 0 }), SHAPE(NUMBER));
    gives(CALL(LTH_OP_MAX, 1, { F32(0, 3) }, .attributes.reduce = { 2, 0 }), SHAPE(F32(0)));
    gives(CALL(LTH_OP_MEAN, 1, { F32(2, 3, 4) }, .attributes.reduce = { 5, 9 }), SHAPE(F32(1, 3, 1)));
    gives(CALL(LTH_OP_ARGMAX, 1, { F32(3, 4) }, .attributes.axis = { 0 }), SHAPE(I64(4)));
    gives(CALL(LTH_OP_SUM, 1, { F32(1, 1, 1, 1, 1, 1, 1, 5) }, .attributes.reduce = { 0x7f, 0 }), SHAPE(F32(5)));
}

Test(shapes, running_sums_and_sorting_say_what_does_not_fit)
{
    refuses(CALL(LTH_OP_CUMSUM, 1, { BOOL(3) }, .attributes.cumulative = { 0, 0, 0 }),
            "cumsum: needs numbers, got bool: lth_cast it to the type wanted");
    refuses(CALL(LTH_OP_CUMSUM, 1, { F32(3, 4) }, .attributes.cumulative = { 2, 0, 0 }),
            "cumsum: axis 2, where -2 to 1 are possible");
    refuses(CALL(LTH_OP_CUMSUM, 1, { NUMBER }, .attributes.cumulative = { 0, 0, 0 }),
            "cumsum: axis 0 of a scalar, which has no axes");
    refuses(CALL(LTH_OP_ARGSORT, 1, { BOOL(3) }, .attributes.sort = { 0, 0, 0, 0 }),
            "argsort: needs numbers, got bool: lth_cast it to the type wanted");
    refuses(CALL(LTH_OP_ARGSORT, 1, { F32(3, 4) }, .attributes.sort = { 1, 5, 0, 0 }),
            "argsort: the first 5 along axis 1 of (3, 4), which has 4");
    refuses(CALL(LTH_OP_ARGSORT, 1, { F32(3, 4) }, .attributes.sort = { 1, -1, 0, 0 }),
            "argsort: the first -1 along axis 1 of (3, 4), which has 4");
    gives(CALL(LTH_OP_CUMSUM, 1, { F32(3, 4) }, .attributes.cumulative = { -1, 7, 7 }), SHAPE(F32(3, 4)));
    gives(CALL(LTH_OP_ARGSORT, 1, { F32(3, 4) }, .attributes.sort = { -2, 0, 0, 0 }), SHAPE(I64(3, 4)));
    gives(CALL(LTH_OP_ARGSORT, 1, { F32(3, 4) }, .attributes.sort = { -2, 2, 0, 0 }), SHAPE(I64(2, 4)));
    gives(CALL(LTH_OP_ARGSORT, 1, { F32(3, 0) }, .attributes.sort = { 1, 0, 0, 0 }), SHAPE(I64(3, 0)));
}

#define CONV(s, l, h, d, n, ...) .attributes.conv = { { s, s }, { l, l }, { h, h }, { d, d }, { __VA_ARGS__ }, n, 0, 0 }
#define POOL(k, s, p, d, how) .attributes.pool = { { k, k }, { s, s }, { p, p }, { p, p }, { d, d }, { 0 }, how, 0 }

Test(shapes, convolutions_say_what_does_not_fit)
{
    refuses(CALL(LTH_OP_CONV, 2, { F32(3, 4), F32(5, 4) }, CONV(1, 0, 0, 1, 1, 0)),
            "conv: the first operand is (N, C) with 1 to 3 spatial axes after them, got (3, 4): lth_reshape it");
    refuses(CALL(LTH_OP_CONV, 2, { F32(2, 3, 8, 8), F32(4, 3, 3) }, CONV(1, 0, 0, 1, 1, 0)),
            "conv: (2, 3, 8, 8) and (4, 3, 3) have different numbers of axes");
    refuses(CALL(LTH_OP_CONV, 2, { F32(2, 3, 8, 8), F32(4, 2, 3, 3) }, CONV(1, 0, 0, 1, 1, 0)),
            "conv: x (2, 3, 8, 8) has 3 channels, but the weight (4, 2, 3, 3) wants 2 in each of 1 groups");
    refuses(CALL(LTH_OP_CONV, 2, { F32(2, 4, 8, 8), F32(5, 2, 3, 3) }, CONV(1, 0, 0, 1, 2, 0)),
            "conv: 5 output channels do not divide into 2 groups");
    refuses(CALL(LTH_OP_CONV, 2, { F32(2, 3, 8, 8), F32(4, 3, 3, 3) }, CONV(0, 0, 0, 1, 1, 0)),
            "conv: spatial axis 0 has kernel 3, stride 0, dilation 1 (at least 1 each) and padding 0 and 0 (at least 0)");
    refuses(CALL(LTH_OP_CONV, 2, { F32(2, 3, 8, 4), F32(4, 3, 3, 3) }, CONV(1, 0, 1, 3, 1, 0)),
            "conv: spatial axis 1 has 4 elements, 5 with padding, but a kernel reaches over 7");
    refuses(CALL(LTH_OP_CONV, 2, { F32(2, 3, 8, 8), F64(4, 3, 3, 3) }, CONV(1, 0, 0, 1, 1, 0)),
            "conv: f32 (2, 3, 8, 8) and f64 (4, 3, 3, 3) differ in element type: lth_cast one of them");
    refuses(CALL(LTH_OP_CONV, 2, { F32(2, 3, 8), F32(4, 3, 3) }, CONV(1, 0, 0, 1, 0, 0)), "conv: 0 groups, must be 1 to 2^30");
    refuses(CALL(LTH_OP_CONV_DATA_GRAD, 2, { F32(2, 4, 5), F32(4, 3, 3) }, CONV(1, 0, 0, 1, 1, 8)),
            "conv_data_grad: spatial axis 0: 8 elements give 6 outputs, but the operand has 5");
    refuses(CALL(LTH_OP_CONV_DATA_GRAD, 2, { F32(2, 5, 5), F32(4, 3, 3) }, CONV(1, 0, 0, 1, 1, 7)),
            "conv_data_grad: (2, 5, 5) has 5 channels, but the weight (4, 3, 3) has 4 outputs");
    refuses(CALL(LTH_OP_CONV_WEIGHT_GRAD, 2, { F32(2, 3, 7), F32(1, 4, 5) }, CONV(1, 0, 0, 1, 1, 3)),
            "conv_weight_grad: x (2, 3, 7) and (1, 4, 5) differ in N");
    gives(CALL(LTH_OP_CONV, 2, { F32(2, 4, 9, 8), F32(6, 2, 3, 2) }, CONV(2, 1, 0, 2, 2, 0)), SHAPE(F32(2, 6, 3, 4)));
    gives(CALL(LTH_OP_CONV_DATA_GRAD, 2, { F32(2, 4, 5), F32(4, 3, 3) }, CONV(2, 0, 0, 1, 1, 12)), SHAPE(F32(2, 3, 12)));
    gives(CALL(LTH_OP_CONV_WEIGHT_GRAD, 2, { F32(2, 3, 7), F32(2, 4, 5) }, CONV(1, 0, 0, 1, 1, 3)), SHAPE(F32(4, 3, 3)));
    lth_shape x = { LTH_BF16, 3, { 2, 3, 8 } }, w = { LTH_BF16, 3, { 4, 3, 3 } };
    call widens = { LTH_OP_CONV, 2, { x, w }, CONV(1, 0, 0, 1, 1, 0), .broadcast = false };
    widens.attributes.conv.result = LTH_F32;
    gives(&widens, SHAPE(F32(2, 4, 6)));
}

Test(shapes, pools_and_resampling_say_what_does_not_fit)
{
    refuses(CALL(LTH_OP_MAX_POOL, 1, { F32(1, 1, 4, 4) }, POOL(2, 2, 2, 1, 0)),
            "max_pool: window 0 along spatial axis 0 would lie in the padding alone (2 and 2 around 4 elements)");
    refuses(CALL(LTH_OP_MAX_POOL, 1, { F32(1, 1, 1, 1) }, POOL(2, 1, 2, 3, 0)),
            "max_pool: window 0 along spatial axis 0 would lie in the padding alone (2 and 2 around 1 elements)");
    refuses(CALL(LTH_OP_MAX_POOL, 1, { F32(1, 1, 4) }, .attributes.pool = { { 1 }, { 1 }, { 0 }, { 2 }, { 1 }, { 0 }, 0, 0 }),
            "max_pool: window 5 along spatial axis 0 would lie in the padding alone (0 and 2 around 4 elements)");
    refuses(CALL(LTH_OP_MAX_POOL, 1, { F32(1, 1, 4, 4) }, POOL(2, 1, 1 << 25, 1, 0)),
            "max_pool: spatial axis 0 has a kernel, stride or length above 2^30, or padding or dilation above 2^24");
    refuses(CALL(LTH_OP_AVG_POOL, 1, { F32(1, 1, 4, 4) }, POOL(2, 1, 2, 1, LTH_POOL_EXCLUDE_PADDING)),
            "avg_pool: window 0 along spatial axis 0 would lie in the padding alone (2 and 2 around 4 elements)");
    refuses(CALL(LTH_OP_MAX_POOL, 1, { F32(1, 1, 4, 4) }, POOL(2, 2, 0, 1, LTH_POOL_EXCLUDE_PADDING)),
            "max_pool: flags 0x2 do not belong to it");
    refuses(CALL(LTH_OP_AVG_POOL, 1, { F32(1, 1, 4, 4) }, POOL(2, 2, 0, 1, LTH_POOL_ADAPTIVE | LTH_POOL_CEIL)),
            "avg_pool: an adaptive pool has neither padding nor a ceil mode");
    refuses(CALL(LTH_OP_AVG_POOL, 1, { F32(1, 1, 4) }, .attributes.pool.flags = LTH_POOL_ADAPTIVE),
            "avg_pool: spatial axis 0: 4 elements cannot be pooled to 0");
    refuses(CALL(LTH_OP_MAX_POOL, 1, { I64(1, 1, 4) }, POOL(2, 2, 0, 1, 0)),
            "max_pool: needs a floating type, got i64: lth_cast it to LTH_F32, say");
    refuses(CALL(LTH_OP_RESIZE, 1, { F32(1, 1, 4) }, .attributes.resize.mode = 4),
            "resize: mode 4; 0 to 3 are there: nearest, nearest exact, linear, linear with aligned corners");
    refuses(CALL(LTH_OP_RESIZE, 1, { F32(1, 1, 4) }, .attributes.resize = { { 0 }, { 0 }, 0, 0 }),
            "resize: spatial axis 0: 4 elements cannot be resized to 0");
    gives(CALL(LTH_OP_MAX_POOL, 1, { F32(1, 2, 5, 4) }, POOL(2, 2, 0, 1, LTH_POOL_CEIL)), SHAPE(F32(1, 2, 3, 2)));
    gives(CALL(LTH_OP_AVG_POOL, 1, { F32(1, 2, 7) }, .attributes.pool = { .size = { 3 }, .flags = LTH_POOL_ADAPTIVE }),
          SHAPE(F32(1, 2, 3)));
    gives(CALL(LTH_OP_RESIZE, 1, { F32(1, 2, 7) }, .attributes.resize = { { 3 }, { 0 }, 0, 0 }), SHAPE(F32(1, 2, 3)));
}

Test(shapes, indexing_and_losses_say_what_they_want)
{
    refuses(CALL(LTH_OP_GATHER, 2, { F32(5, 3), F32(4) }), "gather: an index is i64 or i32, got f32: lth_cast it");
    refuses(CALL(LTH_OP_GATHER, 2, { NUMBER, I64(4) }), "gather: a scalar has no rows to choose from");
    refuses(CALL(LTH_OP_SCATTER_ADD, 2, { F32(4, 3), I64(5) }, .attributes.axis = { 7 }),
            "scatter_add: rows (4, 3) do not begin with the dimensions of the index (5)");
    refuses(CALL(LTH_OP_SCATTER_ADD, 2, { F32(4), I64(4) }, .attributes.axis = { -1 }), "scatter_add: dimension 0 would be -1");
    refuses(CALL(LTH_OP_GATHER_ALONG, 2, { F32(4, 3), I64(2, 1) }, .attributes.axis = { 1 }),
            "gather_along: (4, 3) and an index (2, 1) differ in more than the axis: lth_slice or lth_expand one of them");
    refuses(CALL(LTH_OP_SCATTER_ALONG, 2, { F32(4, 3), I64(4, 2) }, .attributes.scatter = { 1, 5 }),
            "scatter_along: (4, 3) and an index (4, 2) differ");
    refuses(CALL(LTH_OP_CROSS_ENTROPY, 2, { F32(8, 3, 5), I64(8) }),
            "cross_entropy: logits are (N, C), got (8, 3, 5): lth_reshape them to (-1, C)");
    refuses(CALL(LTH_OP_CROSS_ENTROPY, 2, { F32(8, 5), I64(7) }),
            "cross_entropy: logits (8, 5) want a target (8) of class indices, got (7)");
    refuses(CALL(LTH_OP_CROSS_ENTROPY, 2, { F32(8, 5), F32(8) }), "cross_entropy: an index is i64 or i32, got f32: lth_cast it");
    refuses(CALL(LTH_OP_CROSS_ENTROPY, 2, { F32(8, 0), I64(8) }), "cross_entropy: logits (8, 0) have no classes");
    refuses(CALL(LTH_OP_LAYER_NORM, 2, { F32(8, 5), NUMBER }, .attributes.axis = { 3 }),
            "layer_norm: normalizes over the last 3 axes of (8, 5), which has 2");
    refuses(CALL(LTH_OP_LAYER_NORM, 2, { F32(8, 0), NUMBER }, .attributes.axis = { 1 }),
            "layer_norm: the last 1 axes of (8, 0) have no elements");
    refuses(CALL(LTH_OP_RMS_NORM, 2, { F32(8, 5), NUMBER }, .attributes.axis = { 0 }),
            "rms_norm: normalizes over the last 0 axes of (8, 5), which has 2");
    refuses(CALL(LTH_OP_RMS_NORM, 2, { F32(8, 5), F32(1) }, .attributes.axis = { 1 }),
            "rms_norm: eps must be a scalar of rank 0, got (1)");
    refuses(CALL(LTH_OP_BATCH_NORM, 2, { F32(8, 5), NUMBER }, .attributes.axis = { 2 }),
            "batch_norm: axis 2, where -2 to 1 are possible");
    refuses(CALL(LTH_OP_BATCH_NORM, 2, { F32(5), NUMBER }, .attributes.axis = { 0 }),
            "batch_norm: (5) has no axes beside that of its channels: nothing to normalize over");
    refuses(CALL(LTH_OP_BATCH_NORM, 2, { F32(0, 5), NUMBER }, .attributes.axis = { 1 }),
            "batch_norm: (0, 5) has 5 channels of no elements");
    refuses(CALL(LTH_OP_DROPOUT, 2, { F32(8, 5), F32(1) }), "dropout: the probability must be a scalar of rank 0, got (1)");
    refuses(CALL(LTH_OP_GRAD, 2, { F32(8), F32(3) }),
            "grad: a loss is a scalar of rank 0, this one is (8): take its lth_mean or lth_sum");
    refuses(CALL(LTH_OP_GRAD, 2, { NUMBER, I64(3) }),
            "grad: what to differentiate by is i64: only floating tensors have gradients");
    refuses(CALL(LTH_OP_ASSERT, 1, { F32(3) }), "assert: needs bool, got f32: compare it (lth_ne(x, 0), say)");
    refuses(CALL(LTH_OP_UNIFORM, 0, .attributes.random = { I64(3), 0, 0 }),
            "uniform: makes floating numbers, not i64: lth_cast the result");
    gives(CALL(LTH_OP_GATHER, 2, { F32(5, 3), I64(2, 4) }), SHAPE(F32(2, 4, 3)));
    gives(CALL(LTH_OP_GATHER, 2, { F32(5, 3), INDEX }), SHAPE(F32(3)));
    gives(CALL(LTH_OP_SCATTER_ADD, 2, { F32(2, 4, 3), I64(2, 4) }, .attributes.axis = { 5 }), SHAPE(F32(5, 3)));
    gives(CALL(LTH_OP_CROSS_ENTROPY, 2, { F32(8, 5), I64(8) }), SHAPE(F32(8)));
    gives(CALL(LTH_OP_GRAD, 2, { NUMBER, F32(3, 4) }), SHAPE(F32(3, 4)));
}

Test(shapes, sizes_that_64_bits_cannot_count_are_refused)
{
    const int64_t big = INT64_C(1) << 40;
    refuses(CALL(LTH_OP_EXPAND, 1, { F32(1) }, .attributes.dims = { 2, 0, { big, big } }),
            "expand: (1099511627776, 1099511627776) of f32 is more than 64 bits can count");
    refuses(CALL(LTH_OP_EXPAND, 1, { F32(1) }, .attributes.dims = { 3, 0, { big, big, 0 } }),
            "expand: (1099511627776, 1099511627776, 0) of f32 is more than 64 bits can count");
    refuses(CALL(LTH_OP_MATMUL, 2, { F32(INT64_C(1) << 40, 1), F32(1, INT64_C(1) << 40) }),
            "matmul: (1099511627776, 1099511627776) of f32 is more than 64 bits can count");
    refuses(CALL(LTH_OP_PAD, 2, { F32(8), NUMBER }, .attributes.pad = { { INT64_MAX }, { 1 } }),
            "pad: axis 0 would be longer than 64 bits can count");
    refuses(CALL(LTH_OP_IOTA, 0, .attributes.shape = { { LTH_F32, 2, { big, big } }, 0 }),
            "iota: (1099511627776, 1099511627776) of f32 is more than 64 bits can count");
    refuses(CALL(LTH_OP_GATHER, 2, { F32(1, 1, 1, 1, 1, 1), I64(2, 2, 2, 2) }),
            "gather: an index (2, 2, 2, 2) into (1, 1, 1, 1, 1, 1) gives more than 8 dimensions");
}

Test(shapes, attributes_are_stored_resolved_and_canonical)
{
    lth_shape s = F32(2, 3);
    uint32_t x = leaf(&s);
    lth_attr_axis last = { -1 };
    cr_assert_neq(graph_emit(&g, LTH_OP_SOFTMAX, &x, 1, &last, sizeof last, 0, &e), LTH_NO_VALUE);
    cr_assert_eq(((lth_attr_axis *)(void *)(g.attributes + g.nodes[1].attributes))->axis, 1);
    lth_attr_dims dims = { 1, 5, { -1, 77, 88 } };
    cr_assert_neq(graph_emit(&g, LTH_OP_RESHAPE, &x, 1, &dims, sizeof dims, 0, &e), LTH_NO_VALUE);
    lth_attr_dims wanted = { 1, 0, { 6 } };
    cr_assert(memcmp(g.attributes + g.nodes[2].attributes, &wanted, sizeof wanted) == 0);
    lth_attr_text text = { "step" };
    memset(text.text + 5, 'x', 40);
    graph_emit(&g, LTH_OP_PRINT, &x, 1, &text, sizeof text, 0, &e);
    lth_attr_text clean = { "step" };
    cr_assert(memcmp(g.attributes + g.nodes[3].attributes, &clean, sizeof clean) == 0);
    graph_free(&g);
}

Test(shapes, a_batch_times_a_plain_matrix_is_one_matmul_of_all_rows)
{
    lth_shape a = F32(8, 16, 32), b = F32(64, 32);
    uint32_t in[] = { leaf(&a), leaf(&b) };
    lth_attr_matmul t = { 0, 1, 0, 0 };
    uint32_t y = graph_emit_broadcast(&g, LTH_OP_MATMUL, in, 2, &t, sizeof t, 0, &e);
    const uint32_t ops[] = { LTH_OP_INPUT, LTH_OP_INPUT, LTH_OP_RESHAPE, LTH_OP_MATMUL, LTH_OP_RESHAPE };
    cr_assert_eq(g.node_count, 5);
    for (int i = 0; i < 5; i++)
        cr_assert_eq(g.nodes[i].op, ops[i]);
    cr_assert_eq(graph_shape(&g, y)->dim[2], 64);
    graph_free(&g);
}

Test(shapes, a_reset_graph_records_again_without_growing)
{
    lth_shape s = F32(4, 4);
    for (int round = 0; round < 2; round++) {
        graph_reset(&g);
        uint32_t in[2] = { leaf(&s), leaf(&s) };
        for (int i = 0; i < 500; i++) {
            uint32_t site = graph_site(&g, "model.c", (uint32_t)(i / 2));
            in[1] = graph_emit_broadcast(&g, LTH_OP_ADD, in, 2, NULL, 0, site, &e);
        }
        cr_assert_eq(g.site_count, 250);
        cr_assert_eq(g.input_count, 2);
        static graph before;
        if (round == 0)
            before = g;
        cr_assert(before.nodes == g.nodes && before.values == g.values && before.operands == g.operands &&
                  before.sites == g.sites);
    }
    lth_graph view;
    graph_view(&g, &view);
    cr_assert_eq(view.node_count, 502);
    cr_assert_eq(view.regions[0].node_count, 502);
    cr_assert_eq(lth_node_operand_shape(&view, lth_graph_node(&view, 501), 1)->dim[1], 4);
    graph_free(&g);
}
