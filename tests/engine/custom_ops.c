/* SPDX-License-Identifier: Apache-2.0 */
#include "custom_ops.h"

#include <criterion/criterion.h>
#include <string.h>

int custom_calls;

static double sigma(double x) { return 1 / (1 + exp(-x)); }

bool custom_like_first(const lth_custom_shapes *s)
{
    for (uint32_t i = 0; i < s->operand_count; i++)
        if (memcmp(s->operands[i], s->operands[0], sizeof *s->operands[0]) != 0 || !lth_dtype_is_float(s->operands[i]->dtype))
            return lth_custom_fail(s, "operand %u is not as the first, or not floating", i + 1);
    for (uint32_t i = 0; i < s->result_count; i++)
        s->results[i] = *s->operands[0];
    return true;
}

double custom_in(const lth_custom_call *c, uint32_t operand, int64_t i)
{
    return bench_element(c->operand_shapes[operand]->dtype, c->operands[operand], i);
}

/* ---- swish ---- */

static bool swish_run(const lth_custom_call *c)
{
    const struct swish *a = c->attributes;
    custom_calls++;
    cr_assert_geq(c->threads, 1);
    for (int64_t i = 0; i < lth_shape_count(c->result_shapes[0]); i++) {
        double x = custom_in(c, 0, i), s = sigma(a->beta * x);
        bench_fill(c->result_shapes[0]->dtype, c->results[0], i, x * s);
        bench_fill(c->result_shapes[1]->dtype, c->results[1], i, s);
    }
    return true;
}

static bool swish_back_run(const lth_custom_call *c)
{
    const struct swish *a = c->attributes;
    for (int64_t i = 0; i < lth_shape_count(c->result_shapes[0]); i++) {
        double x = custom_in(c, 0, i), s = sigma(a->beta * x);
        bench_fill(c->result_shapes[0]->dtype, c->results[0], i, custom_in(c, 1, i) * (s + a->beta * x * s * (1 - s)));
    }
    return true;
}

static void swish_back_gradient(lth_custom_gradient *g)
{
    double beta = ((const struct swish *)g->attributes)->beta;
    lth_tensor x = g->operands[0], s = lth_sigmoid(lth_mul(x, beta));
    lth_tensor s1 = lth_mul(s, lth_sub(1, s)), s2 = lth_mul(s1, lth_sub(1, lth_mul(s, 2)));
    lth_tensor by_x = lth_add(lth_mul(s1, 2 * beta), lth_mul(lth_mul(x, s2), beta * beta));
    g->d_operands[0] = lth_mul(lth_mul(g->d_results[0], g->operands[1]), by_x);
    g->d_operands[1] = custom_swish_back_of(x, g->d_results[0], beta);
}

/* Of the second result: d s = beta s (1 - s). */
static void swish_gradient(lth_custom_gradient *g)
{
    double beta = ((const struct swish *)g->attributes)->beta;
    lth_tensor s = g->results[1];
    g->d_operands[0] = lth_add(custom_swish_back_of(g->operands[0], g->d_results[0], beta),
                               lth_mul(g->d_results[1], lth_mul(lth_mul(s, lth_sub(1, s)), beta)));
}

const lth_custom_op custom_swish_back = { .struct_size = sizeof(lth_custom_op),
                                          .name = "test.swish_back",
                                          .result_count = 1,
                                          .operand_count = 2,
                                          .shape = custom_like_first,
                                          .run = swish_back_run,
                                          .gradient = swish_back_gradient };
const lth_custom_op custom_swish = { .struct_size = sizeof(lth_custom_op),
                                     .version = 3,
                                     .name = "test.swish",
                                     .result_count = 2,
                                     .operand_count = 1,
                                     .shape = custom_like_first,
                                     .run = swish_run,
                                     .gradient = swish_gradient };

lth_tensor custom_swish_of(lth_tensor x, double beta)
{
    struct swish a = { beta };
    return lth_custom(&custom_swish, &x, 1, &a, sizeof a);
}

lth_tensor custom_swish_back_of(lth_tensor x, lth_tensor d, double beta)
{
    const lth_tensor operands[] = { x, d };
    struct swish a = { beta };
    return lth_custom(&custom_swish_back, operands, 2, &a, sizeof a);
}

/* ---- dots ---- */

static bool dots_shape(const lth_custom_shapes *s)
{
    if (s->operands[0]->rank != 2)
        return lth_custom_fail(s, "it wants (N, K), not rank %d", s->operands[0]->rank);
    s->results[0] = (lth_shape) { s->operands[0]->dtype, 1, { s->operands[0]->dim[0], 77 /* beyond the rank: anything */ } };
    s->results[1] = (lth_shape) { LTH_I64, 1, { s->operands[0]->dim[0] } };
    return true;
}

static bool dots_run(const lth_custom_call *c)
{
    int64_t n = c->operand_shapes[0]->dim[0], k = c->operand_shapes[0]->dim[1];
    for (int64_t i = 0; i < n; i++) {
        double sum = 0;
        int64_t positive = 0;
        for (int64_t j = i * k; j < (i + 1) * k; j++) {
            double product = 1;
            for (uint32_t o = 0; o < c->operand_count; o++)
                product *= custom_in(c, o, j);
            sum += product;
            positive += product > 0;
        }
        bench_fill(c->result_shapes[0]->dtype, c->results[0], i, sum);
        ((int64_t *)c->results[1])[i] = positive;
    }
    return true;
}

static void dots_gradient(lth_custom_gradient *g)
{
    cr_assert(lth_is_none(g->d_results[1]), "integers have no derivative");
    cr_assert_eq(g->operand_count, 2);
    lth_tensor d = lth_reshape(g->d_results[0], -1, 1);
    g->d_operands[0] = lth_mul(d, g->operands[1]);
    g->d_operands[1] = lth_mul(d, g->operands[0]);
}

const lth_custom_op custom_dots = { .struct_size = sizeof(lth_custom_op),
                                    .name = "test.dots",
                                    .result_count = 2,
                                    .shape = dots_shape,
                                    .run = dots_run,
                                    .gradient = dots_gradient };

lth_tensor custom_dots_of(lth_tensor a, lth_tensor b)
{
    const lth_tensor operands[] = { a, b };
    return lth_custom(&custom_dots, operands, 2, NULL, 0);
}

lth_tensor custom_largest(lth_tensor x) { return lth_max(lth_abs(x)); }

/* ---- Steps ---- */

rig_setup custom_way(size_t i)
{
    static const rig_setup ways[CUSTOM_WAYS / 2] = { { 0 },
                                                     { .eager = true },
                                                     { .no_fusion = true },
                                                     { .accelerator = "cpu" },
                                                     { .accelerator = "cpu", .no_fusion = true },
                                                     { .accelerator = "cpu", .eager = true } };
    rig_setup s = ways[i / 2];
    s.floating = i % 2 ? LTH_F64 : LTH_F32;
    return s;
}

lth_tensor custom_begin(rig *r, const rig_recipe *recipe)
{
    static const rig_recipe evaluation = { .hook = "test_step", .evaluate = true };
    rig_begin(r, recipe ? recipe : &evaluation);
    lth_tensor x = engine_input(r->g, "x", RIG_HERE);
    return r->options.floating == LTH_F32 ? x : lth_cast(x, r->options.floating);
}

void custom_finish(rig *r) { cr_assert_eq(rig_end(r), LTH_OK, "%s", r->e.text); }

double custom_output(rig *r, uint32_t slot, int64_t i)
{
    lth_shape shape;
    const void *data = engine_output_data(r->g, r->ticket, slot, &shape);
    return bench_element(shape.dtype, data, i);
}

void custom_train(rig *r, bool custom)
{
    lth_tensor x = custom_begin(r, &(rig_recipe) { 0 }), y = engine_input(r->g, "y", RIG_HERE);
    y = r->options.floating == LTH_F32 ? y : lth_cast(y, LTH_F64);
    lth_tensor h = lth_add(lth_matmul_t(x, lth_parameter_value(x, r->w1)), lth_parameter_value(x, r->b1));
    h = custom ? custom_swish_of(h, 1) : lth_mul(h, lth_sigmoid(h));
    lth_tensor out = lth_add(lth_matmul_t(h, lth_parameter_value(x, r->w2)), lth_parameter_value(x, r->b2));
    lth_tensor loss = lth_mean(lth_square(lth_sub(lth_reshape(out, -1), y)));
    const lth_tensor *gradients;
    uint32_t count;
    engine_gradients(r->g, 0, loss, &gradients, &count, RIG_HERE);
    engine_update(r->g, 0, gradients, &(engine_update_args) { .divisor = 1, .guard = true }, RIG_HERE);
    engine_output(r->g, loss, RIG_HERE);
    custom_finish(r);
}
