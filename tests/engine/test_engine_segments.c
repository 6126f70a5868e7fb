/* SPDX-License-Identifier: Apache-2.0
 * Reading a value in the middle of a step: a plan of its own, nothing committed, nothing computed otherwise. */
#include "engine/internal.h"
#include "engine_fixture.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static void near(double a, double b, const char *what)
{
    cr_assert(fabs(a - b) <= 1e-12 * (1 + fabs(b)), "%s: %.17g, expected %.17g", what, a, b);
}

static void minimize(rig *r, int32_t optimizer, lth_tensor loss)
{
    const engine_update_args args = { .divisor = 1, .guard = true };
    const lth_tensor *gradients;
    uint32_t count;
    cr_assert_eq(engine_gradients(r->g, optimizer, loss, &gradients, &count, RIG_HERE), LTH_OK);
    cr_assert_eq(engine_update(r->g, optimizer, gradients, &args, RIG_HERE), LTH_OK);
}

/* Two optimizers in turn, as a GAN has: the second one's loss hangs on what the first has changed, and on a buffer. */
static double adversarial_step(rig *r, bool reads, double read[3])
{
    lth_trace *t = rig_begin(r, &(rig_recipe) { .guard = true });
    lth_tensor loss = rig_loss(r, t);
    lth_assign(r->seen, lth_add(lth_buffer_value(loss, r->seen), 1));
    if (reads)
        read[0] = lth_item(loss);
    minimize(r, 0, loss);
    lth_tensor second = lth_add(rig_loss(r, t), lth_mul(loss, 0.5)); /* a value from before the read, too */
    if (reads)
        read[1] = lth_item(second);
    minimize(r, 1, second);
    if (reads)
        read[2] = lth_item(lth_buffer_value(loss, r->seen));
    uint32_t a = engine_output(r->g, loss, RIG_HERE), b = engine_output(r->g, second, RIG_HERE);
    cr_assert_eq(rig_end(r), LTH_OK, "%s", r->e.text);
    if (reads)
        near(read[0], engine_output_value(r->g, r->ticket, a), "the loss that was read");
    return engine_output_value(r->g, r->ticket, b);
}

static void compare(const rig_setup *setup)
{
    rig plain, reading;
    double read[3];
    rig_open(&plain, setup);
    rig_open(&reading, setup);
    for (int i = 0; i < 4; i++) {
        double expected = adversarial_step(&plain, false, NULL), is = adversarial_step(&reading, true, read);
        near(is, expected, "the second loss");
        near(read[1], expected, "the second loss, read");
        cr_assert_eq(read[2], i + 1, "the buffer as assigned in the step");
    }
    double a[16], b[16];
    for (uint32_t i = 0; i < engine_tensor_count(plain.g); i++) {
        const char *name = engine_tensor_at(plain.g, i)->name;
        int64_t n = rig_get(&plain, name, a);
        rig_get(&reading, name, b);
        for (int64_t k = 0; k < n; k++)
            near(b[k], a[k], name);
    }
    cr_assert_eq(rig_stats(&reading).segments, 12);
    cr_assert_geq(rig_stats(&reading).waits, 12);
    cr_assert_eq(rig_stats(&reading).plans_compiled, 4, "three segments and the rest, made once");
    rig_close(&plain);
    rig_close(&reading);
}

Test(engine_segments, a_step_that_reads_in_between_computes_what_one_that_does_not_does)
{
    compare(&(rig_setup) { .optimizers = 2, .floating = LTH_F64 });
    compare(&(rig_setup) { .optimizers = 2, .floating = LTH_F64, .eager = true });
    compare(&(rig_setup) { .optimizers = 2, .floating = LTH_F64, .rule = &rig_sgd_each });
}

Test(engine_segments, nothing_is_committed_by_a_read)
{
    rig r;
    rig_open(&r, &(rig_setup) { .floating = LTH_F64 });
    rig_train(&r, NULL);
    uint64_t before = rig_state_hash(&r);
    lth_trace *t = rig_begin(&r, NULL);
    lth_tensor loss = rig_loss(&r, t);
    minimize(&r, 0, loss);
    lth_assign(r.seen, lth_add(lth_buffer_value(loss, r.seen), 1));
    double after_update = lth_item(rig_loss(&r, t));
    cr_assert_lt(after_update, lth_item(loss), "the read sees the update");
    cr_assert_eq(rig_state_hash(&r), before, "state has not changed yet");
    engine_abandon(r.g);
    cr_assert_eq(rig_state_hash(&r), before, "nor when the step is dropped");
    rig_train(&r, NULL);
    cr_assert_neq(rig_state_hash(&r), before);
    rig_close(&r);
}

Test(engine_segments, a_read_at_the_very_end_is_still_followed_by_the_commit)
{
    rig a, b;
    rig_open(&a, NULL);
    rig_open(&b, NULL);
    b.g->cache.hash_mask = 0; /* the two plans differ in nothing but their purpose */
    for (int i = 0; i < 3; i++) {
        rig_train(&a, NULL);
        lth_tensor loss = rig_loss(&b, rig_begin(&b, NULL));
        engine_output(b.g, loss, RIG_HERE);
        const lth_tensor *gradients;
        uint32_t count;
        engine_gradients(b.g, 0, loss, &gradients, &count, RIG_HERE);
        engine_update(b.g, 0, gradients, &(engine_update_args) { .divisor = 1 }, RIG_HERE);
        double read = lth_item(loss);
        cr_assert_eq(rig_end(&b), LTH_OK, "%s", b.e.text);
        cr_assert_eq(read, engine_output_value(b.g, b.ticket, 0));
    }
    cr_assert_eq(rig_state_hash(&a), rig_state_hash(&b));
    rig_close(&a);
    rig_close(&b);
}

static uint32_t count_nodes(const rig *r, uint32_t op)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < r->g->last_plan->graph.node_count; i++)
        n += r->g->last_plan->graph.nodes[i].op == op;
    return n;
}

Test(engine_segments, what_a_segment_has_computed_is_not_computed_again)
{
    rig r;
    rig_open(&r, NULL);
    rig_train(&r, &(rig_recipe) { .evaluate = true });
    cr_assert_eq(count_nodes(&r, LTH_OP_MATMUL), 2);
    lth_trace *t = rig_begin(&r, &(rig_recipe) { .evaluate = true });
    lth_tensor loss = rig_loss(&r, t);
    engine_output(r.g, lth_mul(loss, lth_item(loss)), RIG_HERE);
    cr_assert_eq(rig_end(&r), LTH_OK, "%s", r.e.text);
    cr_assert_eq(count_nodes(&r, LTH_OP_MATMUL), 0);
    rig_close(&r);
}

Test(engine_segments, control_flow_may_hang_on_a_value)
{
    rig r;
    rig_open(&r, &(rig_setup) { .floating = LTH_F64 });
    for (int round = 0; round < 3; round++) {
        lth_trace *t = rig_begin(&r, &(rig_recipe) { .evaluate = true });
        lth_tensor x = lth_scalar(rig_loss(&r, t), 1 + round);
        int doublings = 0;
        while (lth_item(x) < 100) {
            x = lth_mul(x, 2);
            doublings++;
        }
        uint32_t slot = engine_output(r.g, x, RIG_HERE);
        cr_assert_eq(rig_end(&r), LTH_OK, "%s", r.e.text);
        cr_assert_eq(engine_output_value(r.g, r.ticket, slot), ldexp(1 + round, doublings));
        cr_assert_eq(doublings, round == 0 ? 7 : round == 1 ? 6 : 6);
    }
    uint64_t compiled = rig_stats(&r).plans_compiled;
    cr_assert_eq(compiled, 8 + 2, "eight segments, shared by all rounds, and two ends");
    rig_close(&r);
}

Test(engine_segments, prints_and_checks_before_a_read_happen_once)
{
    rig r;
    rig_open(&r, NULL);
    lth_trace *t = rig_begin(&r, NULL);
    lth_tensor loss = rig_loss(&r, t), one = lth_scalar(loss, 1);
    lth_print("first", one);
    lth_assert(lth_gt(loss, 0), "the loss is positive");
    lth_item(loss);
    lth_print("second", lth_add(one, 1));
    lth_item(lth_mul(loss, 2));
    lth_print("third", lth_add(one, 2));
    cr_assert_eq(rig_end(&r), LTH_OK, "%s", r.e.text);
    cr_assert_str_eq(str_text(&r.printed), "first: 1\nsecond: 2\nthird: 3\n");
    rig_close(&r);
}

Test(engine_segments, a_check_that_fails_in_a_segment_ends_the_step)
{
    rig r;
    rig_open(&r, NULL);
    uint64_t before = rig_state_hash(&r);
    lth_trace *t = rig_begin(&r, NULL);
    lth_tensor loss = rig_loss(&r, t);
    minimize(&r, 0, loss);
    lth_assert(lth_lt(loss, 0), "the loss is negative");
    cr_assert(isnan(lth_item(loss)));
    cr_assert(lth_is_none(lth_none()) && t->api->status(t) == LTH_CHECK);
    engine_output(r.g, lth_mul(loss, 2), RIG_HERE);
    cr_assert_eq(rig_end(&r), LTH_CHECK);
    cr_assert(strstr(r.e.text, "the loss is negative") && strstr(r.e.text, "test_engine_segments.c:"), "%s", r.e.text);
    cr_assert_eq(rig_state_hash(&r), before);
    rig_close(&r);
}

Test(engine_segments, whole_tensors_of_any_type_are_read_and_a_wrong_size_is_refused)
{
    rig r;
    rig_open(&r, NULL);
    lth_trace *t = rig_begin(&r, &(rig_recipe) { .batch = 2 });
    lth_tensor x = engine_input(r.g, "x", RIG_HERE);
    float doubled[2 * RIG_IN];
    cr_assert_eq(t->api->read(t, lth_mul(x, 2), doubled, sizeof doubled, LTH_HERE), LTH_OK);
    for (int i = 0; i < 2 * RIG_IN; i++)
        cr_assert_eq(doubled[i], 2 * r.x[i]);
    cr_assert_eq(t->api->read(t, x, doubled, sizeof doubled, LTH_HERE), LTH_OK, "a field of the batch itself");
    cr_assert_eq(doubled[3], r.x[3]);
    float weight[RIG_IN * RIG_OUT];
    cr_assert_eq(t->api->read(t, lth_parameter_value(x, r.w1), weight, sizeof weight, LTH_HERE), LTH_OK, "a parameter itself");
    cr_assert_eq((double)weight[0], rig_get_first(&r, "one.weight"));
    cr_assert_eq(lth_item(lth_argmax(lth_sum_axis(lth_square(x), 0, 0), 0)) >= 0, true);
    cr_assert_eq(t->api->read(t, x, doubled, 4, LTH_HERE), LTH_INVALID);
    cr_assert_neq(rig_end(&r), LTH_OK);
    cr_assert(strstr(r.e.text, "(2, 3), 24 bytes, room was given for 4: lth_item gives one number"), "%s", r.e.text);
    rig_close(&r);
}
