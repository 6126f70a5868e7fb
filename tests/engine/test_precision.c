/* SPDX-License-Identifier: Apache-2.0
 * bf16 beside f32: which op computes in which type, and that what must be f32 is. */
#include "allocations.h"
#include "engine/internal.h"
#include "engine/op_table.h"
#include "engine/precision.h"
#include "engine_fixture.h"
#include "half.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static const graph *plan_graph(const rig *r) { return &r->g->last_plan->graph; }

static const lth_node *maker(const graph *g, uint32_t value) { return &g->nodes[g->values[value].node]; }

static lth_dtype operand_type(const graph *g, const lth_node *n, uint32_t i)
{
    return graph_shape(g, g->operands[n->first_operand + i])->dtype;
}

static uint32_t count_of(const graph *g, uint32_t op, lth_dtype from, lth_dtype to)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < g->node_count; i++) {
        const lth_node *n = &g->nodes[i];
        count += n->op == op && operand_type(g, n, 0) == from && graph_shape(g, n->first_value)->dtype == to;
    }
    return count;
}

Test(precision, every_op_states_in_which_type_it_computes)
{
    for (uint32_t op = 0; op < OP_CODES; op++)
        cr_assert(!op_find(op) || op_precision_of(op) != OP_PRECISION_UNSTATED,
                  "%s has no policy: say in engine/op_precision.c whether it computes in the lower type (LOWER), as recorded "
                  "(FULL), or in that of its operands (WIDEST)",
                  op_find(op)->name);
}

Test(precision, products_are_of_bf16_and_state_losses_and_gradients_of_f32)
{
    static rig r;
    rig_open(&r, &(rig_setup) { .lower = LTH_BF16 });
    rig_train(&r, &(rig_recipe) { .guard = true });
    const graph *g = plan_graph(&r);
    uint32_t products = 0;
    for (uint32_t i = 0; i < g->node_count; i++) {
        const lth_node *n = &g->nodes[i];
        const op_info *info = op_find(n->op);
        if (n->op == LTH_OP_MATMUL) {
            products++;
            cr_assert_eq(operand_type(g, n, 0), LTH_BF16);
        }
        if (info->kind == OP_EFFECT && n->op != LTH_OP_ASSERT)
            cr_assert_eq(operand_type(g, n, 0), LTH_F32, "%s", info->name);
        if (n->op == LTH_OP_MEAN || n->op == LTH_OP_SQUARE)
            cr_assert_eq(operand_type(g, n, 0), LTH_F32, "%s", info->name);
        if (n->op == LTH_OP_RELU)
            cr_assert_eq(operand_type(g, n, 0), LTH_BF16, "an activation between two products");
    }
    cr_assert_eq(products, 5, "two forward, two weights', one activation's");
    for (uint32_t i = 0; i < engine_tensor_count(r.g); i++)
        cr_assert_eq(engine_tensor_at(r.g, i)->shape.dtype, LTH_F32, "%s", engine_tensor_at(r.g, i)->name);
    rig_close(&r);
}

Test(precision, a_parameter_s_gradient_is_never_rounded_to_16_bits)
{
    static rig r;
    rig_open(&r, &(rig_setup) { .lower = LTH_BF16 });
    rig_train(&r, NULL);
    const graph *g = plan_graph(&r);
    uint32_t wide = count_of(g, LTH_OP_MATMUL, LTH_BF16, LTH_F32);
    cr_assert_eq(wide, 3, "two weights' gradients, and the output, which the loss reads in f32; not %u", wide);
    for (uint32_t i = 0; i < g->node_count; i++) {
        const lth_node *n = &g->nodes[i];
        if (n->op != LTH_OP_CAST || operand_type(g, n, 0) != LTH_BF16 || graph_shape(g, n->first_value)->dtype != LTH_F32)
            continue;
        uint32_t made_by = maker(g, g->operands[n->first_operand])->op;
        cr_assert(made_by != LTH_OP_MATMUL && made_by != LTH_OP_SUM, "%s is rounded before it is f32", op_find(made_by)->name);
    }
    rig_close(&r);
}

Test(precision, a_parameter_that_is_used_often_is_cast_once_a_step)
{
    static rig r;
    rig_open(&r, &(rig_setup) { .lower = LTH_BF16 });
    lth_trace *t = rig_begin(&r, NULL);
    lth_tensor loss = lth_add(rig_loss(&r, t), lth_mul(rig_loss(&r, t), 0.5));
    const lth_tensor *gradients;
    uint32_t count;
    engine_output(r.g, loss, RIG_HERE);
    cr_assert_eq(engine_gradients(r.g, 0, loss, &gradients, &count, RIG_HERE), LTH_OK);
    engine_update(r.g, 0, gradients, &(engine_update_args) { .divisor = 1 }, RIG_HERE);
    cr_assert_eq(rig_end(&r), LTH_OK, "%s", r.e.text);
    const graph *g = plan_graph(&r);
    uint32_t casts = 0;
    for (uint32_t i = 0; i < g->node_count; i++)
        casts += g->nodes[i].op == LTH_OP_CAST && maker(g, g->operands[g->nodes[i].first_operand])->op == LTH_OP_STATE;
    cr_assert_eq(casts, 4, "of two weights and two biases, not %u", casts);
    rig_close(&r);
}

Test(precision, numbers_and_parameters_follow_an_activation_and_activations_go_up)
{
    static rig r;
    rig_open(&r, &(rig_setup) { .lower = LTH_BF16 });
    lth_trace *t = rig_begin(&r, &(rig_recipe) { .evaluate = true });
    (void)t;
    lth_tensor x = engine_input(r.g, "x", RIG_HERE), w = lth_parameter_value(x, r.w1), b = lth_parameter_value(x, r.b1);
    lth_tensor h = lth_matmul_t(x, w);                                   /* bf16 */
    lth_tensor low = lth_mul(lth_add(h, b), 0.5);                        /* stays */
    lth_tensor wide = lth_add(low, lth_exp(h));                          /* f32: an exponential is */
    lth_tensor masked = lth_mul(low, lth_cast(lth_gt(low, 0), LTH_F32)); /* stays: a mask is no number */
    engine_output(r.g, lth_sum(wide), RIG_HERE);
    engine_output(r.g, lth_maximum(masked, low), RIG_HERE);
    cr_assert_eq(rig_end(&r), LTH_OK, "%s", r.e.text);
    const graph *g = plan_graph(&r);
    cr_assert_eq(count_of(g, LTH_OP_EXP, LTH_F32, LTH_F32), 1);
    cr_assert_eq(count_of(g, LTH_OP_ADD, LTH_BF16, LTH_BF16), 1);
    cr_assert_eq(count_of(g, LTH_OP_ADD, LTH_F32, LTH_F32), 1);
    cr_assert_eq(count_of(g, LTH_OP_MUL, LTH_BF16, LTH_BF16), 2);
    cr_assert_eq(count_of(g, LTH_OP_MAXIMUM, LTH_BF16, LTH_BF16), 1);
    lth_shape shape;
    cr_assert_not_null(engine_output_data(r.g, r.ticket, 1, &shape));
    cr_assert_eq(shape.dtype, LTH_F32, "outputs are as recorded");
    rig_close(&r);
}

/* 20 steps in bf16 follow those of f32: the loss falls by two thirds, and is never further off than some roundings. */
static void follow(const rig_setup *setup)
{
    static rig plain, mixed;
    rig_setup exact = *setup;
    exact.lower = LTH_DTYPE_NONE;
    rig_open(&plain, &exact);
    rig_open(&mixed, setup);
    double first = 0, last = 0;
    for (int i = 0; i < 20; i++) {
        plain.sgd[0].lr = mixed.sgd[0].lr = 0.05;
        double a = rig_train(&plain, &(rig_recipe) { .guard = true, .step = (uint32_t)i }),
               b = rig_train(&mixed, &(rig_recipe) { .guard = true, .step = (uint32_t)i });
        cr_assert(fabs(a - b) <= 0.02 * fabs(a) + 0.005, "step %d: loss %g in f32, %g in bf16", i, a, b);
        first = i ? first : b;
        last = b;
    }
    cr_assert_lt(last, first / 3);
    rig_close(&plain);
    rig_close(&mixed);
}

Test(precision, training_in_bf16_follows_that_in_f32)
{
    follow(&(rig_setup) { .lower = LTH_BF16 });
    follow(&(rig_setup) { .lower = LTH_BF16, .eager = true });
    follow(&(rig_setup) { .lower = LTH_BF16, .rule = &rig_sgd_each, .groups = 2 });
    follow(&(rig_setup) { .lower = LTH_F16 });
    if (rig_has("cpu")) {
        follow(&(rig_setup) { .lower = LTH_BF16, .accelerator = "cpu" });
        follow(&(rig_setup) { .lower = LTH_BF16, .accelerator = "cpu", .no_fusion = true });
    }
}

Test(precision, a_value_read_in_the_middle_of_a_step_is_as_it_was_recorded)
{
    static rig r;
    rig_open(&r, &(rig_setup) { .lower = LTH_BF16 });
    lth_trace *t = rig_begin(&r, &(rig_recipe) { .evaluate = true });
    lth_tensor loss = rig_loss(&r, t), x = engine_input(r.g, "x", RIG_HERE);
    lth_tensor row = lth_slice(x, 0, 0, 1), product = lth_matmul_t(row, lth_parameter_value(x, r.w1));
    double one = lth_item(lth_reshape_to(lth_slice(product, 1, 0, 1), lth_shape_of(loss)));
    engine_output(r.g, lth_slice(product, 1, 0, 1), RIG_HERE);
    cr_assert_eq(rig_end(&r), LTH_OK, "%s", r.e.text);
    double w[16], exact = 0;
    rig_get(&r, "one.weight", w);
    for (int k = 0; k < RIG_IN; k++)
        exact += w[k] * r.x[k];
    cr_assert(one != 0 && fabs(one - exact) < 0.02, "%g, not %g", one, exact);
    rig_close(&r);
}

Test(precision, an_author_s_gradient_by_an_activation_is_f32_and_can_be_differentiated_again)
{
    static rig r;
    rig_open(&r, &(rig_setup) { .lower = LTH_BF16 });
    lth_trace *t = rig_begin(&r, NULL);
    (void)t;
    lth_tensor x = engine_input(r.g, "x", RIG_HERE), d, penalty;
    lth_tensor h = lth_matmul_t(x, lth_parameter_value(x, r.w1));
    lth_grad(lth_mean(lth_square(lth_tanh(h))), &h, 1, &d);
    penalty = lth_sum(lth_square(d));
    const lth_tensor *gradients;
    uint32_t count;
    engine_output(r.g, d, RIG_HERE);
    engine_output(r.g, penalty, RIG_HERE);
    cr_assert_eq(engine_gradients(r.g, 0, penalty, &gradients, &count, RIG_HERE), LTH_OK);
    engine_output(r.g, lth_sum(lth_abs(gradients[0])), RIG_HERE);
    cr_assert_eq(rig_end(&r), LTH_OK, "%s", r.e.text);
    lth_shape shape;
    engine_output_data(r.g, r.ticket, 0, &shape);
    cr_assert_eq(shape.dtype, LTH_F32);
    cr_assert_gt(engine_output_value(r.g, r.ticket, 2), 0);
    rig_close(&r);
}

Test(precision, a_steady_step_in_bf16_allocates_nothing)
{
    const char *const accelerators[] = { "reference", "cpu" };
    for (int k = 0; k < 2; k++) {
        static rig r;
        if (!rig_has(accelerators[k]))
            continue;
        rig_open(&r, &(rig_setup) { .lower = LTH_BF16, .accelerator = accelerators[k] });
        for (int i = 0; i < 60; i++) {
            if (i == 20)
                allocations_begin();
            rig_train(&r, &(rig_recipe) { .guard = true, .clip_norm = 1 });
        }
        int calls = allocations_end();
        cr_assert_eq(calls, 0, "%s: %d allocations in 40 steps", accelerators[k], calls);
        rig_close(&r);
    }
}

Test(precision, a_lower_type_that_cannot_be_is_refused)
{
    error e = { 0 };
    cr_assert_null(engine_new(&(engine_options) { .floating = LTH_F64, .lower = LTH_BF16 }, &e));
    cr_assert_str_eq(e.text, "beside f64 the engine cannot compute in bf16; beside f32 it can in bf16 and f16");
}

Test(precision, the_fingerprint_tells_it)
{
    static rig r;
    rig_open(&r, NULL);
    error e = { 0 };
    engine_options o = r.options;
    o.precision = "bf16-mixed";
    o.lower = LTH_BF16;
    engine *g = engine_new(&o, &e);
    cr_assert_not_null(strstr(engine_fingerprint(g), " precision=bf16-mixed"), "%s", engine_fingerprint(g));
    engine_free(g);
    rig_close(&r);
}

/* ---- bf16-true ---- */

Test(precision, parameters_stored_in_bf16_are_read_by_products_as_they_are_and_updated_in_f32)
{
    static rig r;
    rig_open(&r, &(rig_setup) { .lower = LTH_BF16, .stored = LTH_BF16 });
    rig_train(&r, &(rig_recipe) { .guard = true });
    for (uint32_t i = 0; i < engine_tensor_count(r.g); i++) {
        const engine_tensor *t = engine_tensor_at(r.g, i);
        cr_assert_eq(t->shape.dtype, t->kind == ENGINE_PARAMETER ? LTH_BF16 : LTH_F32, "%s", t->name);
    }
    const graph *g = plan_graph(&r);
    uint32_t direct = 0;
    for (uint32_t i = 0; i < g->node_count; i++) {
        const lth_node *n = &g->nodes[i];
        for (uint32_t k = 0; n->op == LTH_OP_MATMUL && k < 2; k++)
            direct += maker(g, g->operands[n->first_operand + k])->op == LTH_OP_STATE;
        if (n->op == LTH_OP_ASSIGN) {
            const lth_attr_state *at = (const void *)(g->attributes + n->attributes);
            cr_assert_eq(operand_type(g, n, 0), g->arenas[at->arena].dtype);
        }
    }
    cr_assert_eq(direct, 3, "two weights forward and one backward, not %u", direct);
    cr_assert_eq(count_of(g, LTH_OP_MUL, LTH_BF16, LTH_BF16), 0, "the rule computes in f32");
    rig_close(&r);
}

Test(precision, training_with_parameters_in_bf16_learns)
{
    static const char *const accelerators[] = { "reference", "cpu" };
    for (int k = 0; k < 4; k++) {
        static rig r;
        if (!rig_has(accelerators[k & 1]))
            continue;
        rig_open(&r, &(rig_setup) { .lower = LTH_BF16,
                                    .stored = LTH_BF16,
                                    .accelerator = accelerators[k & 1],
                                    .rule = k < 2 ? &rig_sgd_flat : &rig_sgd_each });
        double first = rig_train(&r, NULL), last = first;
        for (int i = 0; i < 30; i++) {
            r.sgd[0].lr = 0.05;
            last = rig_train(&r, &(rig_recipe) { .guard = true, .clip_norm = 5 });
        }
        cr_assert(last < first / 3, "%s: from %g to %g", accelerators[k & 1], first, last);
        rig_close(&r);
    }
}

Test(precision, state_in_bf16_goes_into_another_engine_and_on_to_the_same_bits)
{
    static rig a, b;
    const rig_setup setup = { .lower = LTH_BF16, .stored = LTH_BF16 };
    rig_open(&a, &setup);
    rig_open(&b, &setup);
    for (int i = 0; i < 5; i++)
        rig_train(&a, NULL);
    for (uint32_t i = 0; i < engine_tensor_count(a.g); i++) {
        char data[1024];
        cr_assert_eq(engine_tensor_get(a.g, i, data, &a.e), LTH_OK);
        cr_assert_eq(engine_tensor_set(b.g, i, data, &b.e), LTH_OK);
    }
    for (int i = 0; i < 5; i++) {
        rig_train(&a, NULL);
        rig_train(&b, NULL);
    }
    cr_assert_eq(rig_state_hash(&a), rig_state_hash(&b));
    rig_close(&a);
    rig_close(&b);
}

Test(precision, what_an_update_left_is_read_later_in_the_step_as_it_is_stored)
{
    static rig r;
    double stored[16];
    rig_open(&r, &(rig_setup) { .lower = LTH_BF16, .stored = LTH_BF16 });
    lth_trace *t = rig_begin(&r, NULL);
    const lth_tensor *gradients;
    uint32_t count;
    lth_tensor loss = rig_loss(&r, t);
    engine_output(r.g, loss, RIG_HERE);
    cr_assert_eq(engine_gradients(r.g, 0, loss, &gradients, &count, RIG_HERE), LTH_OK);
    engine_update(r.g, 0, gradients, &(engine_update_args) { .divisor = 1 }, RIG_HERE);
    uint32_t slot = engine_output(r.g, lth_parameter_value(loss, r.w1), RIG_HERE);
    cr_assert_eq(rig_end(&r), LTH_OK, "%s", r.e.text);
    lth_shape shape;
    const float *seen = engine_output_data(r.g, r.ticket, slot, &shape);
    cr_assert_eq(shape.dtype, LTH_F32);
    int64_t n = rig_get(&r, "one.weight", stored);
    for (int64_t i = 0; i < n; i++)
        cr_assert_eq(seen[i], half_of_bench(LTH_BF16, stored[i]));
    rig_close(&r);
}
