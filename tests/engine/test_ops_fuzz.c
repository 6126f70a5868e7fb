/* SPDX-License-Identifier: Apache-2.0
 * Calls of ops with shapes and attributes drawn at random, the absurd ones among them. Each is either refused with a message
 * or accepted; what is accepted can be differentiated, decomposed and simplified. Sanitizers watch the arithmetic. */
#include "engine/op_samples.h"
#include "engine/passes.h"

#include <criterion/criterion.h>
#include <lthost/random.h>
#include <string.h>

enum { ROUNDS = 30000, OPERANDS = OP_MAX_COMPOSITE };

typedef struct source {
    uint32_t round, count;
} source;

static uint32_t draw(source *s, uint32_t below) { return lth_philox_at(1, s->round, s->count++, 0, 0).word[0] % below; }

static int64_t number(source *s)
{
    static const int64_t odd[] = { -1, -2, INT64_MIN, INT64_MAX, 1 << 20, INT64_C(1) << 31, INT64_C(1) << 40, INT64_C(1) << 61 };
    return draw(s, 8) == 0 ? odd[draw(s, sizeof odd / sizeof *odd)] : (int64_t)draw(s, 5);
}

static int64_t dimension(source *s) { return draw(s, 40) == 0 ? INT64_C(1) << (20 + draw(s, 40)) : (int64_t)draw(s, 4); }

/* A shape that the host could have made: its bytes can be counted. */
static lth_shape random_shape(source *s)
{
    static const lth_dtype often[] = { LTH_F32, LTH_F32, LTH_F64, LTH_I64, LTH_BOOL, LTH_BOOL, LTH_I32, LTH_BF16 };
    lth_shape shape = { draw(s, 3) == 0 ? often[draw(s, 8)] : LTH_F32,
                        (int32_t)(draw(s, 10) == 0 ? draw(s, 9) : draw(s, 4)),
                        { 0 } };
    int64_t bytes = 8;
    for (int32_t i = 0; i < shape.rank; i++) {
        shape.dim[i] = dimension(s);
        if (shape.dim[i] > 0 && __builtin_mul_overflow(bytes, shape.dim[i], &bytes))
            shape.dim[i] = 1, bytes = INT64_MAX;
    }
    return shape;
}

/* Attributes of 64-bit and 32-bit fields, which are small numbers mostly. */
static void random_attributes(source *s, const op_info *info, op_attributes *a)
{
    int64_t fields[sizeof *a / 8];
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        fields[i] = number(s);
    memcpy(a, fields, sizeof *a);
    if (info->shape && draw(s, 8) > 0 && info->attributes_size == sizeof(lth_attr_dims))
        a->dims.rank = (int32_t)draw(s, 5);
    if (info->attributes_size == sizeof(lth_attr_reduce) && draw(s, 4) > 0)
        a->reduce.axes = draw(s, 8);
    if (info->code == LTH_OP_IOTA || info->code == LTH_OP_UNIFORM || info->code == LTH_OP_NORMAL)
        a->shape.shape.dtype = draw(s, 12), a->shape.shape.rank = (int32_t)draw(s, 10) - 1;
    if (info->code == LTH_OP_CAST)
        a->cast.dtype = draw(s, 12);
}

/* A call to be tried. */
typedef struct call {
    uint32_t count;
    lth_shape shapes[OPERANDS];
    op_attributes attributes;
} call;

/* All of it at random. */
static void random_call(source *s, const op_info *info, call *c)
{
    c->count = info->max_operands == OP_ANY_NUMBER ? 1 + draw(s, 3) : info->max_operands;
    random_attributes(s, info, &c->attributes);
    lth_shape last = random_shape(s);
    for (uint32_t i = 0; i < c->count; i++) {
        uint32_t what = draw(s, 5);
        c->shapes[i] = what == 0 ? random_shape(s) : what == 1 ? (lth_shape) { last.dtype, 0, { 0 } } : last;
        if (i > 0 && what == 2 && !lth_dtype_is_float(c->shapes[i].dtype))
            c->shapes[i].dtype = LTH_F32;
        else if (i > 0 && what == 3)
            c->shapes[i].dtype = LTH_I64;
    }
}

/* A sample, in which one thing may be changed: what has many operands is never met by chance. */
static void call_near_sample(source *s, const op_info *info, call *c)
{
    op_sample sample = op_sample_at(info->code, draw(s, op_sample_count(info->code)));
    c->count = sample.count;
    c->attributes = sample.attributes;
    for (uint32_t i = 0; i < c->count; i++)
        c->shapes[i] = op_sample_input(&sample, i, LTH_F32);
    uint32_t change = draw(s, 4);
    if (change == 0)
        random_attributes(s, info, &c->attributes);
    else if (change == 1 && c->count > 0)
        c->shapes[draw(s, c->count)] = random_shape(s);
    else if (change == 2 && c->count > 0) {
        lth_shape *one = &c->shapes[draw(s, c->count)];
        one->dim[one->rank ? draw(s, (uint32_t)one->rank) : 0] = one->rank ? (int64_t)draw(s, 4) : 0;
    }
}

/* A message of the right form; in passes only sizes may be too large. */
static void is_a_good_reason(const error *e, const op_info *info)
{
    size_t name = strlen(info->name);
    cr_assert(e->status == LTH_INVALID && strncmp(e->text, info->name, name) == 0 && e->text[name] == ':', "%s: '%s'", info->name,
              e->text);
}

static void is_about_size(const error *e, const op_info *info)
{
    cr_assert(strstr(e->text, "64 bits") != NULL, "%s is accepted, but then: %s", info->name, e->text);
}

static void goes_through_passes(graph *g, const op_info *info, uint32_t result, const uint32_t *operands, uint32_t count)
{
    constants c = { 0 };
    error e = { 0 };
    graph primitives, simple;
    uint32_t wrt[OPERANDS], gradients[OPERANDS], n = 0;
    graph_init(&primitives);
    graph_init(&simple);
    for (uint32_t i = 0; i < count; i++)
        if (lth_dtype_is_float(graph_shape(g, operands[i])->dtype))
            wrt[n++] = operands[i];
    lth_attr_reduce all = { (1u << graph_shape(g, result)->rank) - 1, 0 };
    bool differentiable = lth_dtype_is_float(graph_shape(g, result)->dtype);
    uint32_t loss = differentiable ? graph_emit(g, LTH_OP_SUM, &result, 1, &all, sizeof all, 0, &e) : LTH_NO_VALUE;
    if (differentiable && !autodiff(g, &c, loss, wrt, n, gradients, 0, &e))
        is_about_size(&e, info);
    else if (!decompose(g, &primitives, &c, NULL, NULL, NULL, &e))
        is_about_size(&e, info);
    else
        cr_assert(simplify(&primitives, &simple, NULL, 0, NULL, &e), "%s: %s", info->name, e.text);
    constants_free(&c);
    graph_free(&primitives);
    graph_free(&simple);
}

Test(fuzz, whatever_is_asked_is_refused_with_a_reason_or_goes_through_all_passes)
{
    static uint32_t accepted[OP_CODES];
    graph g;
    graph_init(&g);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        source s = { round, 0 };
        const op_info *info = NULL;
        while (!info || !info->shape || info->kind == OP_SYMBOLIC)
            info = op_find(draw(&s, OP_CODES));
        call c = { 0 };
        error e = { 0 };
        uint32_t in[OPERANDS];
        if (op_sample_count(info->code) > 0 && draw(&s, 2) == 0)
            call_near_sample(&s, info, &c);
        else
            random_call(&s, info, &c);
        graph_reset(&g);
        for (uint32_t i = 0; i < c.count; i++) {
            lth_attr_slot slot = { i, 0 };
            in[i] = graph_append(&g, LTH_OP_INPUT, NULL, 0, &slot, sizeof slot, 0, &c.shapes[i], 1);
        }
        uint32_t v =
            graph_emit_broadcast(&g, info->code, in, c.count, info->attributes_size ? &c.attributes : NULL, info->attributes_size, 0, &e);
        if (v == LTH_NO_VALUE)
            is_a_good_reason(&e, info);
        else if (info->results > 0) {
            accepted[info->code]++;
            goes_through_passes(&g, info, v, in, c.count);
        }
    }
    for (uint32_t op = 0; op < OP_CODES; op++) {
        const op_info *info = op_find(op);
        if (info && info->shape && info->results > 0)
            cr_assert_gt(accepted[op], 0, "%s was never accepted", info->name);
    }
    graph_free(&g);
}
