/* SPDX-License-Identifier: Apache-2.0
 * The loss scale of f16: overflow, skipped updates, growth, and both again after a resume. Its law is torch.amp.GradScaler's. */
#include "allocations.h"
#include "engine_fixture.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

enum { INTERVAL = 3 };
static const double TOO_MUCH = 1e9; /* by which a loss is multiplied whose gradient f16 cannot hold at any scale that occurs */

static void open_scaled(rig *r, rig_setup s)
{
    s.lower = LTH_F16;
    s.growth_interval = INTERVAL;
    rig_open(r, &s);
    for (int i = 0; i < 2; i++)
        r->sgd[i].lr = 0.01;
}

static void expect_scaler(rig *r, double scale, double tracker)
{
    cr_assert_eq(rig_get_first(r, "scaler/scale"), scale, "the scale is %g, not %g", rig_get_first(r, "scaler/scale"), scale);
    cr_assert_eq(rig_get_first(r, "scaler/growth_tracker"), tracker);
}

/* All state but the scaler's, in one list. */
static int64_t model_state(rig *r, double *out)
{
    int64_t n = 0;
    for (uint32_t i = 0; i < engine_tensor_count(r->g); i++)
        if (strncmp(engine_tensor_at(r->g, i)->name, "scaler/", 7) != 0)
            n += rig_get(r, engine_tensor_at(r->g, i)->name, out + n);
    return n;
}

static const rig_recipe good = { .guard = true }, bad = { .guard = true, .loss_scale = 1e9 };

Test(loss_scale, begins_where_torch_s_does_and_is_there_in_f16_alone)
{
    static rig r;
    open_scaled(&r, (rig_setup) { 0 });
    expect_scaler(&r, 65536, 0);
    rig_close(&r);
    rig_open(&r, &(rig_setup) { .lower = LTH_BF16 });
    for (uint32_t i = 0; i < engine_tensor_count(r.g); i++)
        cr_assert_neq(strncmp(engine_tensor_at(r.g, i)->name, "scaler/", 7), 0);
    rig_close(&r);
}

Test(loss_scale, an_overflow_changes_nothing_but_the_scale_and_fails_no_step)
{
    static const rig_setup setups[] = { { 0 }, { .rule = &rig_sgd_each, .groups = 2 }, { .eager = true } };
    for (size_t k = 0; k < sizeof setups / sizeof *setups; k++) {
        static rig r;
        double before[64], after[64];
        open_scaled(&r, setups[k]);
        rig_train(&r, &good);
        int64_t n = model_state(&r, before);
        double scale = rig_get_first(&r, "scaler/scale"), loss = rig_train(&r, &bad);
        cr_assert(isfinite(loss));
        expect_scaler(&r, scale / 2, 0);
        cr_assert_eq(model_state(&r, after), n);
        cr_assert(memcmp(before, after, (size_t)n * sizeof *before) == 0, "momentum and the count of steps are state, too");
        rig_close(&r);
    }
}

/* Good and bad updates in any order, against the law written out. */
Test(loss_scale, falls_at_once_and_grows_after_so_many_good_updates)
{
    static rig r;
    double scale = 65536, tracker = 0, state[64], last[64];
    uint64_t random = 3;
    int skipped = 0, grown = 0;
    open_scaled(&r, (rig_setup) { 0 });
    model_state(&r, last);
    for (int i = 0; i < 60; i++) {
        bool overflow = bench_random(&random) % 5 == 0;
        rig_train(&r, overflow ? &bad : &good);
        int64_t n = model_state(&r, state);
        bool moved = memcmp(state, last, (size_t)n * sizeof *state) != 0;
        memcpy(last, state, sizeof last);
        cr_assert(!overflow || !moved);
        tracker = moved ? tracker + 1 : 0;
        scale *= !moved ? 0.5 : tracker == INTERVAL ? 2 : 1;
        grown += tracker == INTERVAL;
        tracker = tracker == INTERVAL ? 0 : tracker;
        skipped += !moved;
        expect_scaler(&r, scale, tracker);
    }
    cr_assert_gt(skipped, 5);
    cr_assert_gt(grown, 5);
    cr_assert_eq(rig_get_first(&r, "sgd/group0/step"), 60 - skipped, "a skipped update is no step");
    rig_close(&r);
}

Test(loss_scale, a_resumed_run_goes_on_to_the_same_bits)
{
    static rig a, b;
    open_scaled(&a, (rig_setup) { 0 });
    open_scaled(&b, (rig_setup) { 0 });
    for (int i = 0; i < 8; i++)
        rig_train(&a, i == 4 ? &bad : &good);
    for (uint32_t i = 0; i < engine_tensor_count(a.g); i++) {
        char data[1024];
        cr_assert_eq(engine_tensor_get(a.g, i, data, &a.e), LTH_OK);
        cr_assert_eq(engine_tensor_set(b.g, i, data, &b.e), LTH_OK);
    }
    for (int i = 0; i < 9; i++) {
        rig_train(&a, i == 3 ? &bad : &good);
        rig_train(&b, i == 3 ? &bad : &good);
    }
    cr_assert_eq(rig_state_hash(&a), rig_state_hash(&b));
    rig_close(&a);
    rig_close(&b);
}

Test(loss_scale, an_overflow_in_one_of_the_batches_that_are_accumulated_skips_their_update)
{
    static rig r;
    double before[128], after[128];
    open_scaled(&r, (rig_setup) { .accumulate = true });
    for (int window = 0; window < 6; window++) {
        bool overflow = window == 3;
        double scale = rig_get_first(&r, "scaler/scale");
        rig_get(&r, "one.weight", before);
        rig_train(&r, &(rig_recipe) { .accumulate = true, .divisor = 3, .guard = true });
        rig_train(&r, &(rig_recipe) { .accumulate = true,
                                      .add_accumulated = true,
                                      .divisor = 3,
                                      .guard = true,
                                      .loss_scale = overflow ? TOO_MUCH : 0 });
        cr_assert_eq(rig_get_first(&r, "scaler/scale"), scale, "the scale stays while gradients are summed");
        rig_train(&r, &(rig_recipe) { .add_accumulated = true, .divisor = 3, .guard = true, .clip_norm = 1 });
        int64_t n = rig_get(&r, "one.weight", after);
        if (overflow) {
            cr_assert(memcmp(before, after, (size_t)n * sizeof *before) == 0);
            cr_assert_eq(rig_get_first(&r, "scaler/scale"), scale / 2);
        }
    }
    cr_assert(isfinite(after[0]));
    rig_close(&r);
}

Test(loss_scale, clipping_sees_gradients_without_the_scale)
{
    static rig plain, scaled;
    rig_open(&plain, NULL);
    rig_open(&scaled, &(rig_setup) { .lower = LTH_F16 });
    plain.sgd[0].lr = scaled.sgd[0].lr = 0.01;
    for (int i = 0; i < 3; i++) /* until the scale has found its place */
        rig_train(&scaled, &bad);
    for (int i = 0; i < 20; i++) {
        const rig_recipe recipe = { .guard = true, .clip_norm = 0.5 };
        double a = rig_train(&plain, &recipe), b = rig_train(&scaled, &recipe);
        cr_assert(fabs(a - b) < 0.01 * (1 + a), "step %d: %g and %g", i, a, b);
    }
    rig_close(&plain);
    rig_close(&scaled);
}

static void minimize(rig *r, int32_t optimizer, lth_tensor loss)
{
    const lth_tensor *gradients, *totals;
    const engine_update_args args = { .divisor = 1, .guard = true };
    uint32_t count;
    cr_assert_eq(engine_gradients(r->g, optimizer, loss, &gradients, &count, RIG_HERE), LTH_OK);
    cr_assert_eq(engine_total(r->g, optimizer, gradients, &args, &totals, RIG_HERE), LTH_OK);
    cr_assert_eq(engine_update(r->g, optimizer, totals, &args, RIG_HERE), LTH_OK);
}

Test(loss_scale, of_two_optimizers_in_a_step_each_is_skipped_by_itself)
{
    static rig r;
    double one[16], two[16], one_after[16], two_after[16];
    open_scaled(&r, (rig_setup) { .optimizers = 2 });
    for (int i = 0; i < 4; i++)
        rig_train(&r, &bad);
    double scale = rig_get_first(&r, "scaler/scale");
    int64_t n = rig_get(&r, "one.weight", one), m = rig_get(&r, "two.weight", two);
    lth_trace *t = rig_begin(&r, NULL);
    lth_tensor loss = rig_loss(&r, t);
    engine_output(r.g, loss, RIG_HERE);
    minimize(&r, 0, lth_mul(loss, TOO_MUCH));
    minimize(&r, 1, rig_loss(&r, t));
    cr_assert_eq(rig_end(&r), LTH_OK, "%s", r.e.text);
    rig_get(&r, "one.weight", one_after);
    rig_get(&r, "two.weight", two_after);
    cr_assert(memcmp(one, one_after, (size_t)n * sizeof *one) == 0);
    cr_assert(memcmp(two, two_after, (size_t)m * sizeof *two) != 0);
    expect_scaler(&r, scale / 2, 1);
    rig_close(&r);
}

/* The sum of the gradients' sizes by the parameters, of the loss in that type, and by an activation in it. */
static void sizes(rig *r, lth_dtype type, double *of_parameters, double *of_activation)
{
    const lth_tensor *gradients;
    uint32_t count;
    lth_trace *t = rig_begin(r, NULL);
    lth_tensor loss = lth_cast(rig_loss(r, t), type), total = lth_none(), d;
    cr_assert_eq(engine_gradients(r->g, 0, loss, &gradients, &count, RIG_HERE), LTH_OK);
    for (uint32_t i = 0; i < count; i++)
        total = i ? lth_add(total, lth_sum(lth_abs(gradients[i]))) : lth_sum(lth_abs(gradients[i]));
    uint32_t slot = engine_output(r->g, total, RIG_HERE);
    lth_tensor x = lth_cast(lth_mul(engine_input(r->g, "x", RIG_HERE), 0.25), type);
    lth_grad(lth_sum(lth_square(lth_cast(x, LTH_F32))), &x, 1, &d);
    uint32_t other = engine_output(r->g, lth_sum(lth_abs(lth_cast(d, LTH_F32))), RIG_HERE);
    cr_assert_eq(rig_end(r), LTH_OK, "%s", r->e.text);
    *of_parameters = engine_output_value(r->g, r->ticket, slot);
    *of_activation = engine_output_value(r->g, r->ticket, other);
}

Test(loss_scale, is_taken_back_whatever_the_floating_types_of_loss_and_operand)
{
    static const lth_dtype types[] = { LTH_F32, LTH_F64, LTH_BF16, LTH_F16 };
    static rig r;
    double by_parameters[4], by_activation[4];
    rig_open(&r, &(rig_setup) { .lower = LTH_F16 });
    for (int i = 0; i < 4; i++) {
        sizes(&r, types[i], &by_parameters[i], &by_activation[i]);
        bool overflows = types[i] == LTH_F16; /* the derivative by a loss in f16 is the scale itself: the update is skipped */
        cr_expect(overflows || fabs(by_parameters[i] - by_parameters[0]) < 0.02 * by_parameters[0], "loss in %s: %g, in f32 %g",
                  lth_dtype_name(types[i]), by_parameters[i], by_parameters[0]);
        cr_expect(fabs(by_activation[i] - by_activation[0]) < 0.02 * by_activation[0], "by one in %s: %g, in f32 %g",
                  lth_dtype_name(types[i]), by_activation[i], by_activation[0]);
    }
    rig_close(&r);
}

Test(loss_scale, gradients_that_no_scale_makes_finite_fail_the_step_and_are_explained)
{
    static rig r;
    open_scaled(&r, (rig_setup) { 0 });
    r.x[0] = INFINITY;
    int steps = 0;
    while (rig_step(&r, &good) == LTH_OK && steps < 100)
        steps++;
    cr_assert_eq(steps, 30, "from 2^16 down to 2^-14, not %d", steps);
    cr_assert_eq(r.e.status, LTH_CHECK);
    cr_assert_not_null(strstr(r.e.text, "non-finite gradient however small the loss is scaled"), "%s", r.e.text);
    cr_assert_not_null(strstr(r.e.text, "field 'x' of the batch holds 1 non-finite"), "%s", r.e.text);
    rig_close(&r);
}

Test(loss_scale, a_steady_step_allocates_nothing)
{
    static rig r;
    open_scaled(&r, (rig_setup) { 0 });
    for (int i = 0; i < 60; i++) {
        if (i == 20)
            allocations_begin();
        rig_train(&r, i % 4 ? &good : &bad);
    }
    int calls = allocations_end();
    cr_assert_eq(calls, 0, "%d allocations in 40 steps", calls);
    rig_close(&r);
}
