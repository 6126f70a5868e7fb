/* SPDX-License-Identifier: Apache-2.0
 * Decomposition and simplification, on the same samples as the gradients: a composite is what its decomposition says, and
 * simplifying changes no bit. */
#include "ops_support.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* All outputs of a run, one after the other. */
static double *outputs_of(const op_case *c, int64_t *count)
{
    *count = 0;
    for (uint32_t i = 0; i < c->b->g.output_count; i++)
        *count += lth_shape_count(&c->b->output_shapes[i]);
    double *all = calloc((size_t)*count + 1, sizeof *all), *at = all;
    for (uint32_t i = 0; i < c->b->g.output_count; i++)
        for (int64_t k = 0; k < lth_shape_count(&c->b->output_shapes[i]); k++)
            *at++ = bench_get(c->b, i, k);
    return all;
}

static void compare(const op_case *c, const double *wanted, const double *got, int64_t n, double tolerance)
{
    for (int64_t k = 0; k < n; k++) {
        bool same = isnan(wanted[k])   ? isnan(got[k])
                    : isinf(wanted[k]) ? got[k] == wanted[k]
                                       : fabs(got[k] - wanted[k]) <= tolerance * (1 + fabs(wanted[k]));
        cr_assert(same, "%s: element %lld is %.17g, decomposed %.17g", c->name, (long long)k, wanted[k], got[k]);
    }
}

static bool nothing_is_supported(void *context, uint32_t op, lth_dtype dtype)
{
    (void)context;
    (void)op;
    (void)dtype;
    return false;
}

static bool all_is_supported(void *context, uint32_t op, lth_dtype dtype)
{
    (void)dtype;
    ++*(uint32_t *)context;
    return op_find(op)->kind == OP_COMPOSITE;
}

static void only_primitives_are_left(const op_case *c)
{
    for (uint32_t i = 0; i < c->b->g.node_count; i++) {
        const op_info *info = op_find(c->b->g.nodes[i].op);
        cr_assert_neq(info->kind, OP_COMPOSITE, "%s decomposes into %s", c->name, info->name);
        cr_assert_neq(info->code, LTH_OP_STOP_GRADIENT, "%s", c->name);
    }
}

static void decompose_sample(bench *b, const op_sample *s, lth_dtype floating, double tolerance)
{
    op_case c;
    graph out;
    int64_t n;
    op_case_begin(&c, b, s, floating);
    op_case_compile(&c, 0);
    op_case_run(&c);
    double *wanted = outputs_of(&c, &n);
    graph_init(&out);
    cr_assert(decompose(&b->g, &out, &c.constants, nothing_is_supported, NULL, NULL, &b->e), "%s: %s", c.name, b->e.text);
    op_case_swap(&c, &out);
    only_primitives_are_left(&c);
    op_case_compile(&c, 0);
    op_case_run(&c);
    double *got = outputs_of(&c, &n);
    compare(&c, wanted, got, n, tolerance);
    free(wanted);
    free(got);
    graph_free(&out);
    op_case_end(&c);
}

Test(passes, a_composite_is_what_its_decomposition_into_primitives_gives)
{
    static bench b;
    bench_open(&b, "reference");
    for (uint32_t op = 0; op < OP_CODES; op++) {
        const op_info *info = op_find(op);
        if (!info || info->kind != OP_COMPOSITE)
            continue;
        cr_assert_not_null(info->decompose, "%s", info->name);
        for (uint32_t i = 0; i < op_sample_count(op); i++) {
            op_sample s = op_sample_at(op, i);
            decompose_sample(&b, &s, LTH_F64, 1e-13);
            decompose_sample(&b, &s, LTH_F32, 2e-6);
        }
    }
    bench_close(&b);
}

Test(passes, decompositions_neither_overflow_nor_lose_small_values)
{
    static const double x[] = { 1000, -1000, 80, -80, 1e-20 };
    static const struct {
        uint32_t op;
        double y[5];
    } rows[] = {
        { LTH_OP_SIGMOID, { 1, 0, 1, 1.8048513878454153e-35, 0.5 } },
        { LTH_OP_SOFTPLUS, { 1000, 0, 80, 1.8048513878454153e-35, 0.69314718055994530942 } },
        { LTH_OP_SILU, { 1000, 0, 80, -1.4438811102763322e-33, 5e-21 } },
    };
    static bench b;
    bench_open(&b, "reference");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        constants c = { 0 };
        graph out;
        bench_reset(&b);
        graph_init(&out);
        bench_output(&b, OP1(&b, rows[i].op, bench_input(&b, SHAPE(LTH_F32, 5), x)));
        cr_assert(decompose(&b.g, &out, &c, NULL, NULL, NULL, &b.e), "%s", b.e.text);
        graph primitives = out;
        out = b.g;
        b.g = primitives;
        memcpy(b.scalars, c.values, c.count * sizeof *c.values);
        bench_go(&b, LTH_COMPILE_CHECK_FINITE);
        for (int k = 0; k < 5; k++) {
            double y = bench_get(&b, 0, k);
            cr_assert(fabs(y - rows[i].y[k]) <= 3e-7 * fabs(rows[i].y[k]), "%s(%g) is %.9g", op_find(rows[i].op)->name, x[k], y);
        }
        constants_free(&c);
        graph_free(&out);
    }
    bench_close(&b);
}

Test(passes, attention_decomposed_makes_no_bad_number_of_a_query_that_sees_no_key)
{
    static const double x[] = { 1, 2, 3, 4 }, mask[] = { 1, 0, 0, 0 };
    static bench b;
    constants c = { 0 };
    graph out;
    bench_open(&b, "reference");
    graph_init(&out);
    uint32_t q = bench_input(&b, SHAPE(LTH_F64, 1, 1, 2, 2), x), seen = bench_input(&b, SHAPE(LTH_BOOL, 2, 2), mask);
    uint32_t in[] = { q, q, q, bench_input(&b, SHAPE(LTH_F64), x), seen };
    uint32_t y = bench_op(&b, LTH_OP_ATTENTION, in, 5, &(lth_attr_attention) { LTH_ATTENTION_MASK, 0 }, sizeof(lth_attr_attention));
    bench_output(&b, y);
    bench_output(&b, y + 1);
    cr_assert(decompose(&b.g, &out, &c, nothing_is_supported, NULL, NULL, &b.e), "%s", b.e.text);
    graph primitives = out;
    out = b.g;
    b.g = primitives;
    memcpy(b.scalars, c.values, c.count * sizeof *c.values);
    bench_go(&b, LTH_COMPILE_CHECK_FINITE);
    bench_expect(&b, "attention", 0, (double[]) { 1, 2, 0, 0 }, 4, 0);
    bench_expect(&b, "log-sum-exp", 1, (double[]) { 5, -INFINITY }, 2, 0);
    constants_free(&c);
    graph_free(&out);
    bench_close(&b);
}

Test(passes, what_is_supported_stays_and_is_asked_for_composites_alone)
{
    static bench b;
    constants c = { 0 };
    graph out;
    uint32_t asked = 0, map[8];
    bench_open(&b, "reference");
    graph_init(&out);
    uint32_t x = bench_input(&b, SHAPE(LTH_F32, 2), (double[]) { 1, 2 }), y = OP1(&b, LTH_OP_GELU, OP1(&b, LTH_OP_EXP, x));
    uint32_t z = OP1(&b, LTH_OP_STOP_GRADIENT, y);
    cr_assert(decompose(&b.g, &out, &c, all_is_supported, &asked, map, &b.e));
    cr_assert_eq(asked, 1);
    cr_assert_eq(out.node_count, 3);
    cr_assert_eq(c.count, 0);
    cr_assert_eq(map[z], map[y]);
    graph_free(&out);
    bench_close(&b);
}

/* ---- Simplify ---- */

/* The sample's op with its gradient and that one's: a graph with much to merge. */
static void with_gradients(op_case *c)
{
    uint32_t weights[OP_MAX_RESULTS], wrt[OP_SAMPLE_OPERANDS], gradients[OP_SAMPLE_OPERANDS], n = 0;
    uint32_t loss = op_case_weighted_sum(c, weights);
    for (uint32_t i = 0; i < c->sample.count; i++)
        if (op_case_is_float(c, c->inputs[i]))
            wrt[n++] = c->inputs[i];
    if (loss == LTH_NO_VALUE || n == 0)
        return;
    cr_assert(autodiff(&c->b->g, &c->constants, loss, wrt, n, gradients, 0, &c->b->e), "%s: %s", c->name, c->b->e.text);
    for (uint32_t i = 0; i < n; i++)
        if (gradients[i] != LTH_NO_VALUE)
            bench_output(c->b, gradients[i]);
}

static void simplify_sample(bench *b, const op_sample *s, bool decomposed)
{
    op_case c;
    graph out;
    int64_t n;
    op_case_begin(&c, b, s, LTH_F64);
    with_gradients(&c);
    graph_init(&out);
    if (decomposed) {
        cr_assert(decompose(&b->g, &out, &c.constants, NULL, NULL, NULL, &b->e), "%s: %s", c.name, b->e.text);
        op_case_swap(&c, &out);
        graph_reset(&out);
    }
    op_case_compile(&c, 0);
    op_case_run(&c);
    double *wanted = outputs_of(&c, &n);
    uint32_t before = b->g.node_count;
    cr_assert(simplify(&b->g, &out, NULL, 0, NULL, &b->e), "%s: %s", c.name, b->e.text);
    cr_assert_leq(out.node_count, before);
    op_case_swap(&c, &out);
    graph_reset(&out);
    op_case_compile(&c, 0);
    op_case_run(&c);
    double *got = outputs_of(&c, &n);
    for (int64_t k = 0; k < n; k++)
        cr_assert(memcmp(&wanted[k], &got[k], sizeof *got) == 0 || (isnan(wanted[k]) && isnan(got[k])),
                  "%s: output %lld is %.17g, simplified %.17g", c.name, (long long)k, wanted[k], got[k]);
    cr_assert(simplify(&b->g, &out, NULL, 0, NULL, &b->e));
    cr_assert_eq(out.node_count, b->g.node_count, "%s: a second time finds more", c.name);
    free(wanted);
    free(got);
    graph_free(&out);
    op_case_end(&c);
}

Test(passes, simplifying_changes_no_bit_of_an_op_and_its_gradients)
{
    static bench b;
    bench_open(&b, "reference");
    for (uint32_t op = 0; op < OP_CODES; op++)
        for (uint32_t i = 0; op_find(op) && i < op_sample_count(op); i++) {
            op_sample s = op_sample_at(op, i);
            simplify_sample(&b, &s, false);
            simplify_sample(&b, &s, true);
        }
    bench_close(&b);
}

/* Nodes that are left of the bench's graph when `keep` is needed. */
static uint32_t left(bench *b, const uint32_t *keep, uint32_t count, uint32_t *map)
{
    graph out;
    graph_init(&out);
    cr_assert(simplify(&b->g, &out, keep, count, map, &b->e), "%s", b->e.text);
    uint32_t n = out.node_count;
    graph_free(&out);
    return n;
}

static bench *fresh(void)
{
    static bench b;
    graph_reset(&b.g);
    return &b;
}

static uint32_t input(bench *b, int64_t rows, int64_t columns)
{
    lth_shape s = { LTH_F32, 2, { rows, columns } };
    return graph_append(&b->g, LTH_OP_INPUT, NULL, 0, &(lth_attr_slot) { b->g.input_count, 0 }, sizeof(lth_attr_slot), 0, &s, 1);
}

Test(passes, equal_subexpressions_are_computed_once)
{
    bench *b = fresh();
    uint32_t map[16], x = input(b, 2, 3);
    uint32_t a = OP1(b, LTH_OP_EXP, x), c = OP1(b, LTH_OP_EXP, x),
             keep[] = { OP2(b, LTH_OP_ADD, a, c), OP2(b, LTH_OP_ADD, c, a) };
    cr_assert_eq(left(b, keep, 2, map), 3);
    cr_assert_eq(map[a], map[c]);
    cr_assert_eq(map[keep[0]], map[keep[1]]);
    graph_free(&b->g);
}

Test(passes, what_nobody_needs_is_dropped_and_says_so_in_the_map)
{
    bench *b = fresh();
    uint32_t map[16], x = input(b, 2, 3), y = OP1(b, LTH_OP_EXP, x), z = OP1(b, LTH_OP_LOG, x);
    cr_assert_eq(left(b, &y, 1, map), 2);
    cr_assert_eq(map[z], LTH_NO_VALUE);
    graph_free(&b->g);
}

static uint32_t random_of(bench *b, uint32_t id)
{
    return bench_op(b, LTH_OP_UNIFORM, NULL, 0, &(lth_attr_random) { { LTH_F32, 1, { 4 } }, id, 0 }, sizeof(lth_attr_random));
}

Test(passes, random_ops_merge_only_under_one_id)
{
    bench *b = fresh();
    uint32_t a = random_of(b, 1), c = random_of(b, 2),
             keep[] = { OP2(b, LTH_OP_SUB, a, c), OP2(b, LTH_OP_SUB, c, random_of(b, 1)) };
    cr_assert_eq(left(b, keep, 2, NULL), 4);
    graph_free(&b->g);
}

Test(passes, leaves_differ_by_dtype_though_their_attributes_are_equal)
{
    bench *b = fresh();
    lth_attr_slot slot = { 0, 0 };
    lth_shape f32 = { LTH_F32, 0, { 0 } }, f64 = { LTH_F64, 0, { 0 } };
    uint32_t keep[] = { graph_append(&b->g, LTH_OP_SCALAR, NULL, 0, &slot, sizeof slot, 0, &f32, 1),
                        graph_append(&b->g, LTH_OP_SCALAR, NULL, 0, &slot, sizeof slot, 0, &f64, 1),
                        graph_append(&b->g, LTH_OP_SCALAR, NULL, 0, &slot, sizeof slot, 0, &f32, 1) };
    cr_assert_eq(left(b, keep, 3, NULL), 2);
    graph_free(&b->g);
}

Test(passes, effects_are_kept_in_number_and_order)
{
    bench *b = fresh();
    uint32_t x = input(b, 2, 3), y = OP1(b, LTH_OP_EXP, x);
    lth_attr_text text = { "x" };
    graph out;
    for (int i = 0; i < 2; i++)
        bench_op(b, LTH_OP_PRINT, &x, 1, &text, sizeof text);
    bench_op(b, LTH_OP_PRINT, &y, 1, &text, sizeof text);
    bench_op(b, LTH_OP_PRINT, &x, 1, &text, sizeof text);
    graph_init(&out);
    cr_assert(simplify(&b->g, &out, NULL, 0, NULL, &b->e));
    cr_assert_eq(out.node_count, 6);
    const uint32_t order[] = { LTH_OP_INPUT, LTH_OP_EXP, LTH_OP_PRINT, LTH_OP_PRINT, LTH_OP_PRINT, LTH_OP_PRINT };
    for (uint32_t i = 0; i < 6; i++)
        cr_assert_eq(out.nodes[i].op, order[i]);
    cr_assert_eq(out.operands[out.nodes[4].first_operand], out.nodes[1].first_value);
    graph_free(&out);
    graph_free(&b->g);
}

Test(passes, moves_that_cancel_are_left_out)
{
    bench *b = fresh();
    uint32_t map[32], x = input(b, 2, 3);
    uint32_t reshaped =
        OP1A(b, LTH_OP_RESHAPE, OP1A(b, LTH_OP_RESHAPE, x, lth_attr_dims, 1, 0, { 6 }), lth_attr_dims, 2, 0, { 2, 3 });
    uint32_t turned =
        OP1A(b, LTH_OP_PERMUTE, OP1A(b, LTH_OP_PERMUTE, x, lth_attr_dims, 2, 0, { 1, 0 }), lth_attr_dims, 2, 0, { 1, 0 });
    uint32_t negated = OP1(b, LTH_OP_NEG, OP1(b, LTH_OP_NEG, x));
    uint32_t flipped = OP1A(b, LTH_OP_FLIP, OP1A(b, LTH_OP_FLIP, x, lth_attr_axis, 1), lth_attr_axis, 1);
    uint32_t cast = OP1A(b, LTH_OP_CAST, x, lth_attr_dtype, LTH_F32, 0);
    uint32_t sliced = OP1A(b, LTH_OP_SLICE, x, lth_attr_slice, { 0, 0 }, { 2, 3 }, { 1, 1 });
    uint32_t joined = OP1A(b, LTH_OP_CONCAT, x, lth_attr_axis, 0);
    uint32_t expanded = OP1A(b, LTH_OP_EXPAND, x, lth_attr_dims, 2, 0, { 2, 3 });
    uint32_t half_turned = OP1A(b, LTH_OP_FLIP, OP1A(b, LTH_OP_FLIP, x, lth_attr_axis, 1), lth_attr_axis, 0);
    uint32_t keep[] = { reshaped, turned, negated, flipped, cast, sliced, joined, expanded, half_turned };
    cr_assert_eq(left(b, keep, 9, map), 3); /* the input, two flips of different axes */
    for (int i = 0; i < 8; i++)
        cr_assert_eq(map[keep[i]], map[x], "%d", i);
    cr_assert_neq(map[half_turned], map[x]);
    graph_free(&b->g);
}

Test(passes, permutes_in_a_row_become_one)
{
    bench *b = fresh();
    lth_shape s = { LTH_F32, 3, { 2, 3, 4 } };
    uint32_t map[8], x = graph_append(&b->g, LTH_OP_INPUT, NULL, 0, &(lth_attr_slot) { 0, 0 }, sizeof(lth_attr_slot), 0, &s, 1);
    uint32_t y =
        OP1A(b, LTH_OP_PERMUTE, OP1A(b, LTH_OP_PERMUTE, x, lth_attr_dims, 3, 0, { 2, 0, 1 }), lth_attr_dims, 3, 0, { 0, 2, 1 });
    graph out;
    graph_init(&out);
    cr_assert(simplify(&b->g, &out, &y, 1, map, &b->e));
    cr_assert_eq(out.node_count, 2);
    const lth_attr_dims *a = (const void *)(out.attributes + out.nodes[1].attributes);
    cr_assert(a->dim[0] == 2 && a->dim[1] == 1 && a->dim[2] == 0);
    cr_assert_eq(graph_shape(&out, map[y])->dim[0], 4);
    graph_free(&out);
    graph_free(&b->g);
}

Test(passes, an_expand_needs_no_reshape_that_only_adds_dimensions)
{
    bench *b = fresh();
    uint32_t map[8], x = input(b, 2, 3);
    uint32_t wider = OP1A(b, LTH_OP_RESHAPE, x, lth_attr_dims, 3, 0, { 1, 2, 3 }),
             apart = OP1A(b, LTH_OP_RESHAPE, x, lth_attr_dims, 3, 0, { 2, 1, 3 });
    uint32_t keep[] = { OP1A(b, LTH_OP_EXPAND, wider, lth_attr_dims, 3, 0, { 4, 2, 3 }),
                        OP1A(b, LTH_OP_EXPAND, apart, lth_attr_dims, 3, 0, { 2, 4, 3 }) };
    cr_assert_eq(left(b, keep, 2, map), 4); /* the input, an expand, a reshape that is needed and its expand */
    cr_assert_eq(map[wider], LTH_NO_VALUE);
    cr_assert_neq(map[apart], LTH_NO_VALUE);
    graph_free(&b->g);
}
