/* SPDX-License-Identifier: Apache-2.0
 * Every op against what PyTorch gives (tests/golden/ops.json): its results, and the gradients of sum(result * upstream), of a
 * composite also by its decomposition. An op of the table that has no case fails the test, unless it stands in the list of those
 * that torch cannot say anything about. */
#include "ops_support.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ELEMENTS = 512 };

typedef struct array {
    lth_shape shape;
    double at[ELEMENTS];
} array;

static bench b;

/* ---- What a case holds ---- */

static lth_dtype dtype_named(const char *name)
{
    for (lth_dtype t = LTH_F32; t < LTH_DTYPE_COUNT; t++)
        if (strcmp(lth_dtype_name(t), name) == 0)
            return t;
    cr_assert_fail("no type is named '%s'", name);
    return LTH_DTYPE_NONE;
}

/* [type, dimensions, elements]; an element that JSON has no number for is a word, which strtod knows. */
static array read_array(const json_t *value)
{
    const json_t *dims = json_array_get(value, 1), *elements = json_array_get(value, 2);
    array a = { .shape = { dtype_named(json_string_value(json_array_get(value, 0))), (int32_t)json_array_size(dims), { 0 } } };
    for (size_t i = 0; i < json_array_size(dims); i++)
        a.shape.dim[i] = json_integer_value(json_array_get(dims, i));
    cr_assert(json_array_size(elements) <= ELEMENTS && (int64_t)json_array_size(elements) == lth_shape_count(&a.shape));
    for (size_t i = 0; i < json_array_size(elements); i++) {
        const json_t *x = json_array_get(elements, i);
        a.at[i] = json_is_string(x)    ? strtod(json_string_value(x), NULL)
                  : json_is_boolean(x) ? json_is_true(x)
                                       : json_number_value(x);
    }
    return a;
}

/* A member of an attribute's struct: whole numbers of `width` bytes, `count` at most. */
typedef struct member {
    const char *structure, *name;
    uint32_t offset, width, count;
} member;

#define MEMBER(s, path, name)                                                        \
    {                                                                                \
#s, name, offsetof(lth_attr_##s, path), sizeof(((lth_attr_##s *)0)->path), 1 \
    }
#define LIST(s, path, name)                                                              \
    {                                                                                    \
#s, name, offsetof(lth_attr_##s, path), 8, sizeof(((lth_attr_##s *)0)->path) / 8 \
    }

static const member members[] = {
    MEMBER(dtype, dtype, "dtype"),
    MEMBER(axis, axis, "axis"),
    MEMBER(dims, rank, "rank"),
    LIST(dims, dim, "dim"),
    MEMBER(shape, shape.dtype, "dtype"),
    MEMBER(shape, shape.rank, "rank"),
    LIST(shape, shape.dim, "dim"),
    MEMBER(shape, axis, "axis"),
    LIST(slice, start, "start"),
    LIST(slice, length, "length"),
    LIST(slice, step, "step"),
    LIST(pad, low, "low"),
    LIST(pad, high, "high"),
    MEMBER(window, axis, "axis"),
    MEMBER(window, length, "length"),
    MEMBER(scatter, axis, "axis"),
    MEMBER(scatter, length, "length"),
    MEMBER(reduce, axes, "axes"),
    MEMBER(reduce, keep, "keep"),
    MEMBER(matmul, transpose_a, "transpose_a"),
    MEMBER(matmul, transpose_b, "transpose_b"),
    LIST(conv, stride, "stride"),
    LIST(conv, low, "low"),
    LIST(conv, high, "high"),
    LIST(conv, dilation, "dilation"),
    LIST(conv, size, "size"),
    MEMBER(conv, groups, "groups"),
    LIST(pool, kernel, "kernel"),
    LIST(pool, stride, "stride"),
    LIST(pool, low, "low"),
    LIST(pool, high, "high"),
    LIST(pool, dilation, "dilation"),
    LIST(pool, size, "size"),
    MEMBER(pool, flags, "flags"),
    LIST(resize, size, "size"),
    LIST(resize, from, "from"),
    MEMBER(resize, mode, "mode"),
    MEMBER(attention, flags, "flags"),
    MEMBER(attention, id, "id"),
    MEMBER(rotary, interleaved, "interleaved"),
    MEMBER(cumulative, axis, "axis"),
    MEMBER(cumulative, exclusive, "exclusive"),
    MEMBER(cumulative, reverse, "reverse"),
    MEMBER(sort, axis, "axis"),
    MEMBER(sort, length, "length"),
    MEMBER(sort, descending, "descending"),
    MEMBER(rnn, cell, "cell"),
    MEMBER(rnn, reverse, "reverse"),
};

static void write_member(const member *m, size_t i, const json_t *value, char *to)
{
    int64_t number = json_is_string(value) ? dtype_named(json_string_value(value)) : json_integer_value(value);
    cr_assert_lt(i, m->count);
    memcpy(to + m->offset + i * m->width, &number, m->width); /* little-endian, as all of the tests' machines */
}

static void read_attributes(const json_t *given, op_attributes *to)
{
    const char *structure, *name;
    json_t *fields, *value;
    memset(to, 0, sizeof *to);
    json_object_foreach((json_t *)given, structure, fields) json_object_foreach(fields, name, value)
    {
        const member *m = members, *end = members + sizeof members / sizeof *members;
        while (m < end && (strcmp(m->structure, structure) != 0 || strcmp(m->name, name) != 0))
            m++;
        cr_assert(m < end, "no attribute is named %s.%s", structure, name);
        for (size_t i = 0; i < json_array_size(value); i++)
            write_member(m, i, json_array_get(value, i), (char *)to);
        if (!json_is_array(value))
            write_member(m, 0, value, (char *)to);
    }
}

/* ---- A case ---- */

typedef struct trial {
    const op_info *op;
    const char *name;
    uint32_t operands[OP_SAMPLE_OPERANDS], count;
    uint32_t first; /* of the results */
    bool whole;
    int wrong;
} trial;

static void record_op(trial *t, const json_t *c)
{
    const json_t *operands = json_object_get(c, "operands");
    uint32_t size = t->op->attributes_size;
    op_attributes attributes;
    read_attributes(json_object_get(c, "attributes"), &attributes);
    t->count = (uint32_t)json_array_size(operands);
    cr_assert_leq(t->count, OP_SAMPLE_OPERANDS);
    for (uint32_t i = 0; i < t->count; i++) {
        array a = read_array(json_array_get(operands, i));
        t->operands[i] = bench_input(&b, a.shape, a.at);
    }
    t->first = graph_emit_broadcast(&b.g, t->op->code, t->operands, t->count, size ? &attributes : NULL, size,
                                    graph_site(&b.g, "ops.json", 1), &b.e);
    cr_assert_neq(t->first, LTH_NO_VALUE, "%s, %s: %s", t->op->name, t->name, b.e.text);
    cr_assert_eq(json_array_size(json_object_get(c, "results")), t->op->results, "%s, %s", t->op->name, t->name);
    for (uint32_t i = 0; i < t->op->results; i++)
        bench_output(&b, t->first + i);
}

/* Sum of result * upstream over the results that have one. */
static uint32_t record_loss(const trial *t, const json_t *upstream)
{
    uint32_t loss = LTH_NO_VALUE;
    for (uint32_t i = 0; i < t->op->results; i++) {
        if (json_is_null(json_array_get(upstream, i)))
            continue;
        array u = read_array(json_array_get(upstream, i));
        uint32_t term = OP2(&b, LTH_OP_MUL, t->first + i, bench_input(&b, u.shape, u.at));
        term = OP1A(&b, LTH_OP_SUM, term, lth_attr_reduce, (1u << u.shape.rank) - 1, 0);
        loss = loss == LTH_NO_VALUE ? term : OP2(&b, LTH_OP_ADD, loss, term);
    }
    return loss;
}

/* slot LTH_NO_VALUE: zeros. */
static void compare(trial *t, const char *of, uint32_t index, uint32_t slot, const json_t *expected)
{
    array a = read_array(expected);
    bool same = slot == LTH_NO_VALUE || memcmp(&b.output_shapes[slot], &a.shape, sizeof a.shape) == 0;
    for (int64_t i = 0; same && i < lth_shape_count(&a.shape); i++) {
        double x = slot == LTH_NO_VALUE ? 0 : bench_get(&b, slot, i), y = a.at[i];
        same = isnan(y) ? isnan(x) : isinf(y) ? x == y : fabs(x - y) <= 1e-12 * fmax(1, fabs(y));
        if (!same)
            fprintf(stderr, "[%lld] is %.17g, torch has %.17g: ", (long long)i, x, y);
    }
    if (!same)
        fprintf(stderr, "%s, %s%s: %s %u\n", t->op->name, t->name, t->whole ? "" : ", decomposed", of, index);
    t->wrong |= !same;
}

static bool supported(void *context, uint32_t op, lth_dtype dtype)
{
    return context && b.accelerator->supports(b.self, op, dtype);
}

/* whole: composites run as such where the accelerator has them, else decomposed. */
static void run(constants *k, bool whole)
{
    graph out, recorded = b.g;
    graph_init(&out);
    cr_assert(decompose(&recorded, &out, k, supported, whole ? &b : NULL, NULL, &b.e), "%s", b.e.text);
    b.g = out;
    graph_free(&recorded);
    for (uint32_t i = 0; i < k->count; i++)
        b.scalars[k->first_slot + i] = k->values[i];
    bench_go(&b, 0);
}

/* grads: null where there is no gradient to compare. Where none flows torch has zeros. */
static int check_case(const json_t *c, const op_info *op, bool whole)
{
    trial t = { .op = op, .name = json_string_value(json_object_get(c, "name")), .whole = whole };
    const json_t *grads = json_object_get(c, "grads"), *results = json_object_get(c, "results");
    uint32_t wrt[OP_SAMPLE_OPERANDS], which[OP_SAMPLE_OPERANDS], gradients[OP_SAMPLE_OPERANDS], count = 0;
    constants k = { 0 };
    bench_reset(&b);
    record_op(&t, c);
    for (uint32_t i = 0; i < json_array_size(grads); i++)
        if (!json_is_null(json_array_get(grads, i)))
            which[count] = i, wrt[count++] = t.operands[i];
    uint32_t loss = count > 0 ? record_loss(&t, json_object_get(c, "upstream")) : LTH_NO_VALUE;
    k.first_slot = b.g.scalar_count;
    cr_assert(count == 0 || autodiff(&b.g, &k, loss, wrt, count, gradients, 0, &b.e), "%s, %s: %s", op->name, t.name, b.e.text);
    for (uint32_t i = 0; i < count; i++)
        if (gradients[i] != LTH_NO_VALUE)
            bench_output(&b, gradients[i]);
    run(&k, whole);
    uint32_t slot = 0;
    for (; slot < op->results; slot++)
        compare(&t, "result", slot, slot, json_array_get(results, slot));
    for (uint32_t i = 0; i < count; i++)
        compare(&t, "the gradient by operand", which[i], gradients[i] == LTH_NO_VALUE ? LTH_NO_VALUE : slot++,
                json_array_get(grads, which[i]));
    constants_free(&k);
    return t.wrong;
}

/* ---- All of them ---- */

static const op_info *op_named(const char *name)
{
    for (uint32_t code = 0; code < OP_CODES; code++)
        if (op_find(code) && strcmp(op_find(code)->name, name) == 0)
            return op_find(code);
    cr_assert_fail("no op is named '%s'", name);
    return NULL;
}

/* What torch has nothing to compare with. */
static bool needs_no_case(const op_info *op)
{
    static const uint32_t random[] = { LTH_OP_UNIFORM, LTH_OP_NORMAL, LTH_OP_DROPOUT }; /* Philox's numbers, not torch's */
    static const uint32_t others[] = { LTH_OP_LOOP, LTH_OP_LOOP_END, LTH_OP_CUSTOM };   /* an author's body or kernel */
    for (size_t i = 0; i < 3; i++)
        if (op->code == random[i] || op->code == others[i])
            return true;
    /* A leaf that the host makes has no rule of its own; effects and symbols have no value. */
    return op->kind == OP_EFFECT || op->kind == OP_SYMBOLIC || (op->kind == OP_LEAF && !op->shape);
}

/* Of a type that the accelerator computes in. */
static bool computes_in_types_of(const json_t *c)
{
    size_t i;
    json_t *result;
    json_array_foreach(json_object_get(c, "results"), i, result)
    {
        lth_dtype t = dtype_named(json_string_value(json_array_get(result, 0)));
        if (lth_dtype_is_float(t) && !b.accelerator->supports(b.self, LTH_OP_MUL, t))
            return false;
    }
    return true;
}

static void check_all(const char *accelerator)
{
    bool met[OP_CODES] = { false };
    int wrong = 0;
    json_error_t error;
    json_t *file = json_load_file(LTHOST_TEST_SOURCE "/tests/golden/ops.json", 0, &error), *c;
    cr_assert_not_null(file, "%s", error.text);
    bench_open(&b, accelerator);
    size_t i;
    json_array_foreach(json_object_get(file, "cases"), i, c)
    {
        const op_info *op = op_named(json_string_value(json_object_get(c, "op")));
        if (!computes_in_types_of(c))
            continue;
        met[op->code] = true;
        wrong += check_case(c, op, true);
        if (op->kind == OP_COMPOSITE)
            wrong += check_case(c, op, false);
    }
    for (uint32_t code = 0; code < OP_CODES; code++)
        cr_expect(!op_find(code) || met[code] != needs_no_case(op_find(code)), "%s has %s", op_find(code)->name,
                  met[code] ? "a case, and is excepted" : "no case in ops.json");
    cr_assert_eq(wrong, 0, "%d of %zu cases differ", wrong, json_array_size(json_object_get(file, "cases")));
    json_decref(file);
    bench_close(&b);
}

Test(golden, results_and_gradients_of_every_op_are_those_of_torch) { check_all("reference"); }
Test(golden, and_on_the_processor_in_f64) { check_all("cpu"); }
