/* SPDX-License-Identifier: Apache-2.0
 * Checkpoints (control.h): what lies in one is computed again in the backward pass. Memory falls, bits stay. */
#include "allocations.h"
#include "custom_ops.h"
#include "engine/internal.h"

#include <criterion/criterion.h>
#include <lthost/control.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH = 6, WIDTH = 16, ROWS = 256, PARTS = 6 /* parameters of a block */ };

typedef enum style { PLAIN, EACH_BLOCK, WHOLE, NESTED } style;

/* A stack of blocks with its own engine. */
typedef struct stack {
    bench bench;
    engine *g;
    error e;
    lth_parameter p[DEPTH][PARTS];
    struct rig_sgd sgd;
    float *x;
    bool transformer;
    uint64_t ticket;
} stack;

static lth_status configure(void *self, lth_setup *s)
{
    stack *t = self;
    static const int64_t shapes[PARTS][2] = { { WIDTH, WIDTH }, { WIDTH, WIDTH },     { WIDTH, WIDTH },
                                              { WIDTH, WIDTH }, { 4 * WIDTH, WIDTH }, { WIDTH, 4 * WIDTH } };
    for (int i = 0; i < DEPTH; i++)
        for (int k = 0; k < PARTS; k++) {
            char name[32];
            snprintf(name, sizeof name, "block%d_%d", i, k);
            t->p[i][k] = lth_parameter_new(s, name, LTH_SHAPE(shapes[k][0], shapes[k][1]), lth_init_uniform(-0.2, 0.2));
        }
    return lth_setup_status(s);
}

static void must(stack *t, lth_status status) { cr_assert_eq(status, LTH_OK, "%s %s", t->e.text, t->bench.message); }

static void open_stack(stack *t, const rig_setup *setup, bool transformer)
{
    uint32_t ids[DEPTH * PARTS];
    memset(t, 0, sizeof *t);
    t->transformer = transformer;
    bench_open(&t->bench, setup->accelerator ? setup->accelerator : "reference");
    engine_options o = { .accelerator = t->bench.accelerator,
                         .accelerator_self = t->bench.self,
                         .floating = setup->floating ? setup->floating : LTH_F32,
                         .eager = setup->eager,
                         .no_fusion = setup->no_fusion,
                         .seed = 3 };
    t->g = engine_new(&o, &t->e);
    cr_assert_not_null(t->g, "%s", t->e.text);
    must(t, engine_configure(t->g, NULL, 0, configure, t, &t->e));
    t->sgd = (struct rig_sgd) { .lr = 0.05, .momentum = 0.9 };
    cr_assert_eq(engine_add_optimizer(t->g, &rig_sgd_flat, "sgd", &t->e), 0);
    for (int i = 0; i < DEPTH * PARTS; i++)
        ids[i] = (&t->p[0][0])[i].id;
    must(t, engine_add_group(t->g, 0, &t->sgd, ids, DEPTH * PARTS, &t->e));
    must(t, engine_allocate(t->g, false, &t->e));
    t->x = malloc(ROWS * WIDTH * sizeof *t->x);
    uint64_t random = 9;
    for (int i = 0; i < ROWS * WIDTH; i++)
        t->x[i] = (float)bench_random_real(&random, -1, 1);
}

static void close_stack(stack *t)
{
    engine_free(t->g);
    bench_close(&t->bench);
    free(t->x);
}

/* ---- The step ---- */

static lth_tensor layer(stack *t, lth_tensor x, int block, int part)
{
    return lth_matmul_t(x, lth_parameter_value(x, t->p[block][part]));
}

static lth_tensor normed(lth_tensor x)
{
    lth_tensor in[] = { x, lth_scalar(x, 1e-5) };
    return lth_op_(LTH_OP_LAYER_NORM, in, 2, &(lth_attr_axis) { 1 }, sizeof(lth_attr_axis), LTH_HERE);
}

/* (B, T, C): attention with one head, then four times as wide; dropout, norms and residuals as usual. */
static lth_tensor block(stack *t, lth_tensor x, int i)
{
    if (!t->transformer) {
        x = lth_add(x, lth_tanh(layer(t, normed(x), i, 0)));
        return lth_add(x, lth_dropout(layer(t, lth_gelu(layer(t, x, i, 4)), i, 5), 0.1));
    }
    lth_tensor y = normed(x);
    lth_tensor scores = lth_mul(lth_matmul_t(layer(t, y, i, 0), layer(t, y, i, 1)), 0.2);
    y = layer(t, lth_matmul(lth_dropout(lth_softmax(scores, -1), 0.1), layer(t, y, i, 2)), i, 3);
    x = lth_add(x, lth_dropout(y, 0.1));
    return lth_add(x, layer(t, lth_gelu(layer(t, normed(x), i, 4)), i, 5));
}

static void begin(lth_tensor x, bool is)
{
    if (is)
        lth_checkpoint_begin(x);
}
static void end(lth_tensor x, bool is)
{
    if (is)
        lth_checkpoint_end(x);
}

static lth_tensor blocks(stack *t, lth_tensor x, style s)
{
    begin(x, s == WHOLE);
    for (int i = 0; i < DEPTH; i++) {
        begin(x, s == NESTED && i % 3 == 0);
        begin(x, s == EACH_BLOCK || s == NESTED);
        x = block(t, x, i);
        end(x, s == EACH_BLOCK || s == NESTED);
        end(x, s == NESTED && i % 3 == 2);
    }
    end(x, s == WHOLE);
    return x;
}

static lth_tensor begin_step(stack *t, uint32_t step)
{
    static engine_field field;
    field = (engine_field) { "x", { LTH_F32, 3, { 4, ROWS / 4, WIDTH } }, t->x };
    engine_step_args args = { .hook = "training_step", .fields = &field, .field_count = 1, .training = true, .step = step };
    engine_begin(t->g, &args);
    lth_tensor x = engine_input(t->g, "x", RIG_HERE);
    if (t->g->options.floating != LTH_F32)
        x = lth_cast(x, t->g->options.floating);
    return x;
}

static void minimize(stack *t, lth_tensor loss)
{
    const lth_tensor *gradients;
    uint32_t count;
    engine_gradients(t->g, 0, loss, &gradients, &count, RIG_HERE);
    engine_update(t->g, 0, gradients, &(engine_update_args) { .divisor = 1, .clip_norm = 1 }, RIG_HERE);
}

static double finish(stack *t, lth_tensor loss)
{
    engine_output(t->g, loss, RIG_HERE);
    must(t, engine_end(t->g, &t->ticket, &t->e));
    return engine_output_value(t->g, t->ticket, 0);
}

static double train(stack *t, style s, uint32_t step)
{
    lth_tensor x = begin_step(t, step), loss = lth_mean(lth_square(lth_sub(blocks(t, x, s), lth_sin(x))));
    minimize(t, loss);
    return finish(t, loss);
}

static uint64_t state_hash(stack *t)
{
    hash h;
    hash_start(&h, 0);
    for (uint32_t i = 0; i < engine_tensor_count(t->g); i++) {
        size_t bytes =
            (size_t)(lth_shape_count(&engine_tensor_at(t->g, i)->shape) * lth_dtype_size(engine_tensor_at(t->g, i)->shape.dtype));
        void *data = malloc(bytes);
        must(t, engine_tensor_get(t->g, i, data, &t->e));
        hash_bytes(&h, data, bytes);
        free(data);
    }
    return hash_value(&h);
}

/* ---- Bits and memory ---- */

typedef struct outcome {
    uint64_t hash;
    double loss;
    int64_t memory;
    double flops;
} outcome;

static outcome run(const rig_setup *setup, bool transformer, style s)
{
    stack t;
    outcome o = { 0 };
    open_stack(&t, setup, transformer);
    for (uint32_t step = 0; step < 10; step++)
        o.loss = train(&t, s, step);
    cr_assert_eq(t.g->stats.plans_compiled, 1);
    o.memory = t.g->last_plan->info.memory;
    o.flops = t.g->last_plan->info.flops;
    o.hash = state_hash(&t);
    close_stack(&t);
    return o;
}

static const char *name_of(const rig_setup *s) { return s->accelerator ? s->accelerator : "reference"; }

Test(recompute, ten_steps_end_in_the_same_bits_and_memory_falls)
{
    static const rig_setup setups[] = { { 0 }, { .accelerator = "cpu" }, { .accelerator = "cpu", .no_fusion = true } };
    for (size_t i = 0; i < 3 && rig_has(name_of(&setups[i])); i++)
        for (int transformer = 0; transformer < 2; transformer++) {
            outcome plain = run(&setups[i], transformer, PLAIN);
            for (style s = EACH_BLOCK; s <= NESTED; s++) {
                outcome is = run(&setups[i], transformer, s);
                cr_assert_eq(is.loss, plain.loss, "%s %zu, transformer %d, style %d: %.17g, %.17g without", name_of(&setups[i]),
                             i, transformer, s, is.loss, plain.loss);
                cr_assert_eq(is.hash, plain.hash, "%s %zu, transformer %d, style %d: other bits", name_of(&setups[i]), i,
                             transformer, s);
                cr_assert(s == WHOLE || is.memory < 0.6 * (double)plain.memory,
                          "%s %zu, transformer %d, style %d: %lld bytes, %lld without", name_of(&setups[i]), i, transformer, s,
                          (long long)is.memory, (long long)plain.memory);
                cr_assert_gt(is.flops, plain.flops, "a forward pass more");
            }
        }
}

Test(recompute, eager_steps_and_f64_have_the_same_bits_too)
{
    static const rig_setup setups[] = { { .eager = true },
                                        { .floating = LTH_F64 },
                                        { .accelerator = "cpu", .eager = true },
                                        { .accelerator = "cpu", .floating = LTH_F64 } };
    for (size_t i = 0; i < 4 && rig_has(name_of(&setups[i])); i++) {
        outcome plain = run(&setups[i], true, PLAIN), is = run(&setups[i], true, NESTED);
        cr_assert_eq(is.hash, plain.hash, "%s %zu: %.17g, %.17g without", name_of(&setups[i]), i, is.loss, plain.loss);
    }
}

Test(recompute, a_steady_step_allocates_nothing)
{
    stack t;
    open_stack(&t, &(rig_setup) { 0 }, true);
    for (uint32_t step = 0; step < 20; step++) {
        if (step == 12)
            allocations_begin();
        train(&t, NESTED, step);
    }
    int calls = allocations_end();
    cr_assert_eq(calls, 0, "%d allocations in 8 steps", calls);
    close_stack(&t);
}

/* ---- With the rest ---- */

typedef lth_tensor loss_function(stack *t, lth_tensor x, bool checkpoint);

/* The loss of the fourth step of what `make` records, and the state's hash then. */
static outcome four_steps(const rig_setup *setup, loss_function *make, bool checkpoint)
{
    stack t;
    outcome o = { 0 };
    open_stack(&t, setup, false);
    for (uint32_t step = 0; step < 4; step++) {
        lth_tensor loss = make(&t, begin_step(&t, step), checkpoint);
        minimize(&t, loss);
        o.loss = finish(&t, loss);
    }
    o.hash = state_hash(&t);
    close_stack(&t);
    return o;
}

static void agree(const rig_setup *setup, loss_function *make, const char *what)
{
    outcome plain = four_steps(setup, make, false), is = four_steps(setup, make, true);
    cr_assert_eq(is.hash, plain.hash, "%s on %s: other bits with checkpoints: %.17g, %.17g without", what, name_of(setup),
                 is.loss, plain.loss);
}

/* |d loss / d x|^2 is trained, too: a second derivative through the region, and a derivative by a value within it. */
static lth_tensor gradient_penalty(stack *t, lth_tensor x, bool checkpoint)
{
    lth_tensor y = lth_mul(x, 2), h, d[2];
    begin(x, checkpoint);
    h = block(t, y, 0);
    y = block(t, h, 1);
    end(x, checkpoint);
    lth_tensor loss = lth_mean(lth_square(lth_sub(y, x))), wrt[] = { x, h };
    lth_grad(loss, wrt, 2, d);
    return lth_add(loss, lth_add(lth_sum(lth_square(d[0])), lth_sum(lth_square(d[1]))));
}

/* The loss itself is made within, and a gradient is asked for there. */
static lth_tensor within(stack *t, lth_tensor x, bool checkpoint)
{
    lth_tensor d;
    begin(x, checkpoint);
    lth_tensor h = block(t, x, 0), inner = lth_mean(lth_square(h));
    lth_grad(inner, &h, 1, &d);
    lth_tensor loss = lth_mean(lth_square(lth_sub(block(t, lth_sub(h, lth_mul(d, 100)), 1), x)));
    end(x, checkpoint);
    return loss;
}

/* A checkpoint around a loop, and one in its body. */
static lth_tensor loops(stack *t, lth_tensor x, bool checkpoint)
{
    lth_tensor carried[] = { x };
    begin(x, checkpoint);
    x = block(t, x, 0);
    lth_loop l = lth_loop_begin(lth_none(), 3, carried, 1, NULL, 0);
    lth_tensor h = lth_loop_carried(&l, 0);
    begin(h, checkpoint);
    h = block(t, h, 1);
    h = lth_mul(lth_add(h, x), 0.5);
    end(h, checkpoint);
    lth_loop_end(&l, &h, 1, &h, 1);
    x = lth_add(lth_loop_last(&l, 0), lth_sum_axis(lth_loop_stack(&l, 0), 0, 0));
    x = block(t, x, 2);
    end(x, checkpoint);
    return lth_mean(lth_square(x));
}

/* An author's op, a gradient that is stopped, and a value that is read in between. */
static lth_tensor customs(stack *t, lth_tensor x, bool checkpoint)
{
    begin(x, checkpoint);
    lth_tensor h = custom_swish_of(layer(t, x, 0, 0), 1.5);
    h = lth_add(h, lth_stop_gradient(layer(t, h, 0, 1)));
    double read = lth_item(lth_mean(h));
    h = lth_tanh(lth_mul(layer(t, h, 0, 2), 1 + read));
    end(x, checkpoint);
    return lth_mean(lth_square(lth_sub(custom_swish_of(h, 1), x)));
}

/* The second derivative reaches what is computed again by another way than what was computed first, and both are added where
 * the region begins: the same sum in another order. */
Test(recompute, a_second_derivative_through_a_region_agrees_to_rounding)
{
    static const rig_setup setups[] = { { .floating = LTH_F64 }, { .accelerator = "cpu", .floating = LTH_F64 } };
    for (size_t i = 0; i < 2 && rig_has(name_of(&setups[i])); i++) {
        double plain = four_steps(&setups[i], gradient_penalty, false).loss,
               is = four_steps(&setups[i], gradient_penalty, true).loss;
        cr_assert(fabs(is - plain) <= 1e-13 * fabs(plain), "%.17g, %.17g without", is, plain);
    }
}

Test(recompute, loops_own_ops_gradients_within_and_values_read_in_between_keep_their_bits)
{
    static const rig_setup setups[] = { { .floating = LTH_F64 }, { .accelerator = "cpu" }, { .eager = true } };
    for (size_t i = 0; i < 3 && rig_has(name_of(&setups[i])); i++) {
        agree(&setups[i], within, "a loss and a gradient within");
        agree(&setups[i], loops, "loops");
        agree(&setups[i], customs, "an own op and a read value");
    }
}

/* ---- What is refused ---- */

static void fails(stack *t, const char *part)
{
    cr_assert_neq(engine_end(t->g, &t->ticket, &t->e), LTH_OK);
    cr_assert(strstr(t->e.text, part), "'%s' does not say '%s'", t->e.text, part);
    cr_assert(strstr(t->e.text, "test_recompute.c:"), "%s", t->e.text);
    error_clear(&t->e);
}

Test(recompute, checkpoints_that_are_not_pairs_are_refused_with_their_place)
{
    stack t;
    open_stack(&t, &(rig_setup) { 0 }, false);
    lth_checkpoint_end(begin_step(&t, 0));
    fails(&t, "lth_checkpoint_end without lth_checkpoint_begin");
    lth_checkpoint_begin(begin_step(&t, 0));
    fails(&t, "lth_checkpoint_begin without lth_checkpoint_end");
    for (int i = 0; i < 2; i++) { /* begun outside of a loop and ended within, or the other way */
        lth_tensor x = begin_step(&t, 0), carried[] = { x };
        begin(x, i);
        lth_loop l = lth_loop_begin(lth_none(), 3, carried, 1, NULL, 0);
        lth_tensor h = lth_tanh(lth_loop_carried(&l, 0));
        begin(h, !i);
        end(h, i);
        lth_loop_end(&l, &h, 1, NULL, 0);
        end(h, !i);
        fails(&t, i ? "lth_checkpoint_end in the body of the loop" : "lth_loop_end before lth_checkpoint_end");
    }
    lth_tensor x = begin_step(&t, 0), loss = lth_mean(lth_square(blocks(&t, x, EACH_BLOCK)));
    minimize(&t, loss);
    finish(&t, loss); /* the engine is not the worse for it */
    close_stack(&t);
}
