/* SPDX-License-Identifier: Apache-2.0
 * What goes wrong in a step is told with the author's place, and changes nothing. */
#include "engine/internal.h"
#include "engine_fixture.h"

#include <criterion/criterion.h>
#include <lthost/sequence.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static rig r;

static void says(const char *part) { cr_assert(strstr(r.e.text, part), "'%s' is not in: %s", part, r.e.text); }

static char here[64];
/* Remembers the line that follows, as a message would name it. */
static const char *next_line(int line)
{
    snprintf(here, sizeof here, "test_engine_errors.c:%d", line + 1);
    return here;
}

Test(engine_errors, a_shape_error_names_op_shapes_and_place_and_the_first_one_wins)
{
    rig_open(&r, NULL);
    lth_trace *t = rig_begin(&r, NULL);
    lth_tensor loss = rig_loss(&r, t), x = engine_input(r.g, "x", RIG_HERE);
    next_line(__LINE__);
    lth_tensor bad = lth_matmul(x, x);
    lth_tensor worse = lth_add(bad, lth_reshape(x, 7)); /* poison passes on; nothing crashes */
    cr_assert_eq(lth_rank(worse), 0);
    cr_assert_eq(lth_dim(worse, 0), 0);
    cr_assert_neq(t->api->status(t), LTH_OK);
    engine_output(r.g, lth_add(worse, loss), RIG_HERE);
    cr_assert_eq(rig_end(&r), LTH_INVALID);
    says(here);
    says("matmul");
    says("(8, 3)");
    cr_assert_null(strstr(r.e.text, "reshape"));
    rig_train(&r, NULL); /* the next step is not harmed */
    rig_close(&r);
}

static lth_tensor kept;

Test(engine_errors, a_tensor_of_an_earlier_step_is_named_with_both_places)
{
    rig_open(&r, NULL);
    lth_trace *t = rig_begin(&r, &(rig_recipe) { .step = 17 });
    int made = __LINE__ + 1;
    kept = lth_square(rig_loss(&r, t));
    cr_assert_eq(rig_end(&r), LTH_OK, "%s", r.e.text);
    t = rig_begin(&r, &(rig_recipe) { .step = 18 });
    lth_tensor loss = rig_loss(&r, t);
    next_line(__LINE__);
    lth_tensor bad = lth_add(loss, kept);
    engine_output(r.g, bad, RIG_HERE);
    cr_assert_eq(rig_end(&r), LTH_INVALID);
    says(here);
    says("operand 2");
    says("training_step of step 17");
    char place[64];
    snprintf(place, sizeof place, "test_engine_errors.c:%d", made);
    says(place);
    says("buffer");
    /* Long ago, and after an abandoned step. */
    rig_begin(&r, NULL);
    engine_abandon(r.g);
    for (int i = 0; i < 3; i++)
        rig_train(&r, NULL);
    rig_begin(&r, NULL);
    lth_neg(kept);
    cr_assert_eq(rig_end(&r), LTH_INVALID);
    says("of an earlier step");
    rig_close(&r);
}

Test(engine_errors, a_number_that_a_whole_type_does_not_hold_is_refused_beside_a_tensor_of_it)
{
    const struct {
        lth_dtype type;
        double number;
        bool fits;
    } cases[] = { { LTH_I64, 0.5, false }, { LTH_I64, -3, true }, { LTH_I64, INFINITY, false }, { LTH_I64, NAN, false },
                  { LTH_I32, 2147483648.0, false }, { LTH_I32, -2147483648.0, true }, { LTH_U8, -1, false }, { LTH_U8, 255, true },
                  { LTH_I8, 128, false }, { LTH_F32, 0.5, true } };
    rig_open(&r, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rig_begin(&r, NULL);
        lth_tensor x = lth_cast(engine_input(r.g, "x", RIG_HERE), cases[i].type);
        next_line(__LINE__);
        engine_output(r.g, lth_lt(x, cases[i].number), RIG_HERE);
        cr_assert_eq(rig_end(&r) == LTH_OK, cases[i].fits, "%zu: %s", i, r.e.text);
        if (cases[i].fits)
            continue;
        says(here);
        says(lth_dtype_name(cases[i].type));
        says("lth_cast");
    }
    rig_close(&r);
}

Test(engine_errors, a_field_without_a_name_is_none)
{
    rig_open(&r, NULL);
    rig_begin(&r, NULL);
    engine_input(r.g, NULL, RIG_HERE);
    cr_assert_eq(rig_end(&r), LTH_INVALID);
    says("no field ''; it has 'x', 'y'");
    rig_close(&r);
}

Test(engine_errors, an_op_between_steps_is_reported_by_the_next_step)
{
    rig_open(&r, NULL);
    lth_trace *t = rig_begin(&r, NULL);
    lth_tensor loss = rig_loss(&r, t);
    cr_assert_eq(rig_end(&r), LTH_OK, "%s", r.e.text);
    next_line(__LINE__);
    lth_neg(loss);
    rig_begin(&r, NULL);
    cr_assert_eq(rig_end(&r), LTH_INVALID);
    says(here);
    says("outside of a step");
    rig_train(&r, NULL);
    rig_close(&r);
}

Test(engine_errors, nothing_and_strangers_are_refused_as_operands)
{
    rig other;
    rig_open(&r, NULL);
    rig_open(&other, NULL);
    lth_tensor stranger = rig_loss(&other, rig_begin(&other, NULL));
    lth_trace *t = rig_begin(&r, NULL);
    lth_tensor never, loss = rig_loss(&r, t);
    memset(&never, 0, sizeof never);
    lth_add(loss, never);
    cr_assert_eq(rig_end(&r), LTH_INVALID);
    says("operand 2 has no value");
    rig_begin(&r, NULL);
    loss = rig_loss(&r, t);
    lth_add(loss, stranger);
    cr_assert_eq(rig_end(&r), LTH_INVALID);
    says("another trace");
    rig_begin(&r, NULL);
    engine_input(r.g, "z", RIG_HERE);
    cr_assert_eq(rig_end(&r), LTH_INVALID);
    says("no field 'z'; it has 'x', 'y'");
    rig_begin(&r, NULL);
    loss = rig_loss(&r, t);
    lth_parameter_value(loss, ((lth_parameter) { 0, 0 }));
    cr_assert_eq(rig_end(&r), LTH_INVALID);
    says("never made");
    rig_begin(&r, NULL);
    loss = rig_loss(&r, t);
    lth_buffer_value(loss, ((lth_buffer) { 9, 0 }));
    cr_assert_eq(rig_end(&r), LTH_INVALID);
    says("another model");
    rig_begin(&r, NULL);
    loss = rig_loss(&r, t);
    lth_assign(r.seen, engine_input(r.g, "x", RIG_HERE));
    cr_assert_eq(rig_end(&r), LTH_INVALID);
    says("buffer 'seen' is f32 (), the value is f32 (8, 3)");
    rig_close(&r);
    rig_close(&other);
}

Test(engine_errors, hosts_ops_are_not_for_plugins_and_a_loss_is_one_number)
{
    rig_open(&r, NULL);
    const uint32_t forbidden[] = { LTH_OP_STATE,  LTH_OP_ASSIGN, LTH_OP_OUTPUT, LTH_OP_UPDATE,
                                   LTH_OP_SCALAR, TRACE_OP_CLIP, 99999,         13 };
    for (size_t i = 0; i < sizeof forbidden / sizeof *forbidden; i++) {
        lth_trace *t = rig_begin(&r, NULL);
        lth_attr_state at = { 0, 0, 0 };
        lth_tensor loss = rig_loss(&r, t);
        t->api->emit(t, forbidden[i], &loss, 1, &at, sizeof at, LTH_HERE);
        cr_assert_eq(rig_end(&r), LTH_INVALID, "op %u", forbidden[i]);
        says("not one that a plugin records");
    }
    lth_trace *t = rig_begin(&r, NULL);
    rig_loss(&r, t);
    const lth_tensor *gradients;
    uint32_t count;
    cr_assert_neq(engine_gradients(r.g, 0, engine_input(r.g, "x", RIG_HERE), &gradients, &count, RIG_HERE), LTH_OK);
    cr_assert_eq(rig_end(&r), LTH_INVALID);
    says("it is f32 (8, 3)");
    rig_close(&r);
}

Test(engine_errors, a_loss_that_trains_nothing_is_refused_but_an_authors_gradients_may_be_zero)
{
    for (int only_check = 0; only_check < 2; only_check++) {
        rig_open(&r, &(rig_setup) { .check_only = only_check });
        lth_trace *t = rig_begin(&r, &(rig_recipe) { .record_only = only_check });
        lth_tensor model = rig_loss(&r, t), x = engine_input(r.g, "x", RIG_HERE), w = lth_parameter_value(x, r.w1), zero;
        next_line(__LINE__);
        lth_tensor loss = lth_mean(lth_mul(x, lth_stop_gradient(lth_sum(w))));
        lth_site at = engine_place(r.g, loss);
        const lth_tensor *gradients;
        uint32_t count;
        engine_gradients(r.g, 0, loss, &gradients, &count, at.file, at.line);
        cr_assert_eq(rig_end(&r), LTH_INVALID);
        says(here);
        says("the loss does not depend on any parameter of optimizer 'sgd'");
        t = rig_begin(&r, &(rig_recipe) { .record_only = only_check });
        model = rig_loss(&r, t), x = engine_input(r.g, "x", RIG_HERE), w = lth_parameter_value(x, r.w1);
        lth_grad(lth_sum(x), &w, 1, &zero);
        engine_output(r.g, lth_sum(lth_abs(zero)), RIG_HERE);
        engine_gradients(r.g, 0, model, &gradients, &count, RIG_HERE);
        cr_assert_eq(rig_end(&r), LTH_OK, "%s", r.e.text);
        if (!only_check)
            cr_assert_eq(engine_output_value(r.g, r.ticket, 0), 0);
        rig_close(&r);
    }
}

Test(engine_errors, an_assertion_that_does_not_hold_commits_nothing)
{
    rig_open(&r, NULL);
    uint64_t before = rig_state_hash(&r);
    for (int round = 0; round < 2; round++) {
        lth_trace *t = rig_begin(&r, NULL);
        lth_tensor loss = rig_loss(&r, t);
        const lth_tensor *gradients;
        uint32_t count;
        engine_gradients(r.g, 0, loss, &gradients, &count, RIG_HERE);
        engine_update(r.g, 0, gradients, &(engine_update_args) { .divisor = 1 }, RIG_HERE);
        lth_assign(r.seen, lth_add(lth_buffer_value(loss, r.seen), 1));
        next_line(__LINE__);
        lth_assert(lth_gt(loss, 1e6), "losses are large");
        cr_assert_eq(rig_end(&r), LTH_CHECK);
        says(here);
        says("losses are large");
    }
    cr_assert_eq(rig_state_hash(&r), before);
    rig_close(&r);
}

Test(engine_errors, a_non_finite_gradient_leaves_state_alone_and_names_the_op_behind_it)
{
    const rig_setup setups[] = { { 0 }, { .eager = true }, { .optimizers = 2 } };
    for (int k = 0; k < 3; k++) {
        rig_open(&r, &setups[k]);
        rig_train(&r, &(rig_recipe) { .guard = true });
        uint64_t before = rig_state_hash(&r);
        lth_trace *t = rig_begin(&r, NULL);
        lth_tensor loss = rig_loss(&r, t);
        lth_tensor zero = lth_mul(loss, 0);
        next_line(__LINE__);
        lth_tensor bad = lth_ln(zero);
        const lth_tensor *gradients;
        uint32_t count;
        engine_gradients(r.g, 0, lth_add(loss, bad), &gradients, &count, RIG_HERE);
        engine_update(r.g, 0, gradients, &(engine_update_args) { .divisor = 1, .guard = true }, RIG_HERE);
        cr_assert_eq(rig_end(&r), LTH_CHECK);
        says("non-finite gradient");
        says("in the gradient of `log`");
        says(here);
        cr_assert_eq(rig_state_hash(&r), before);
        rig_train(&r, &(rig_recipe) { .guard = true });
        rig_close(&r);
    }
}

/* Two queries of 100 times the loss. */
static lth_tensor attention(lth_tensor loss, lth_tensor mask, double scale, uint32_t line)
{
    lth_tensor ones = lth_expand(lth_scalar(loss, 1), 1, 1, 2, 2), q = lth_mul(ones, lth_mul(loss, 100));
    return lth_sum(lth_attention_(q, ones, &(lth_attention_args) { .v = ones, .mask = mask, .scale = scale }, "layer.c", line));
}

/* A step with two layers of attention, whose first query sees the first key alone and the second none. Adds the logarithm of 0,
 * too. */
static lth_status masked_step(bool added_mask, double second_scale, bool log_of_zero)
{
    const lth_shape pairs = { LTH_I64, 2, { 2, 2 } };
    lth_trace *t = rig_begin(&r, NULL);
    lth_tensor loss = rig_loss(&r, t), mask = lth_eq(lth_add(lth_iota(loss, &pairs, 0), lth_iota(loss, &pairs, 1)), 0);
    mask = added_mask ? lth_where(mask, 0, -INFINITY) : mask;
    lth_tensor sum = lth_add(attention(loss, mask, 1, 1), attention(loss, mask, second_scale, 2)), zero = lth_mul(sum, 0);
    const lth_tensor *gradients;
    uint32_t count;
    next_line(__LINE__);
    lth_tensor bad = lth_ln(zero);
    engine_gradients(r.g, 0, lth_add(log_of_zero ? lth_add(sum, bad) : sum, loss), &gradients, &count, RIG_HERE);
    engine_update(r.g, 0, gradients, &(engine_update_args) { .divisor = 1, .guard = true }, RIG_HERE);
    return rig_end(&r);
}

Test(engine_errors, the_infinities_of_masks_are_not_blamed_for_what_others_did)
{
    static const char *const accelerators[] = { "reference", "cpu" };
    for (int i = 0; i < 4; i++) {
        if (!rig_has(accelerators[i / 2]))
            continue;
        rig_open(&r, &(rig_setup) { .accelerator = accelerators[i / 2] });
        cr_assert_eq(masked_step(i % 2, 1, false), LTH_OK, "%s", r.e.text);
        cr_assert_eq(masked_step(i % 2, 1, true), LTH_CHECK);
        says("in the gradient of `log`");
        says(here);
        cr_assert_eq(masked_step(i % 2, 3e38, false), LTH_CHECK);
        says("at layer.c:2");
        rig_close(&r);
    }
}

Test(engine_errors, data_and_parameters_that_were_bad_before_are_named)
{
    rig_open(&r, NULL);
    float good = r.x[4];
    r.x[4] = NAN;
    cr_assert_eq(rig_step(&r, &(rig_recipe) { .guard = true }), LTH_CHECK);
    says("field 'x' of the batch holds 1 non-finite");
    r.x[4] = good;
    float weights[RIG_OUT * RIG_IN] = { 0 };
    weights[2] = INFINITY;
    cr_assert_eq(engine_tensor_set(r.g, 0, weights, &r.e), LTH_INVALID - LTH_INVALID);
    cr_assert_eq(rig_step(&r, &(rig_recipe) { .guard = true }), LTH_CHECK);
    says("'one.weight' held 1 non-finite");
    rig_close(&r);
}

Test(engine_errors, a_non_finite_micro_batch_is_found_when_it_is_accumulated)
{
    rig_open(&r, &(rig_setup) { .accumulate = true });
    rig_train(&r, &(rig_recipe) { .accumulate = true, .guard = true });
    uint64_t before = rig_state_hash(&r);
    r.x[4] = NAN;
    cr_assert_eq(rig_step(&r, &(rig_recipe) { .accumulate = true, .guard = true, .add_accumulated = true }), LTH_CHECK);
    says("field 'x'");
    cr_assert_eq(rig_state_hash(&r), before);
    rig_close(&r);
}

Test(engine_errors, accumulating_without_accumulators_is_refused)
{
    const rig_recipe recipes[] = { { .accumulate = true }, { .add_accumulated = true } };
    rig_open(&r, NULL);
    uint64_t before = rig_state_hash(&r);
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(rig_step(&r, &recipes[i]), LTH_INVALID);
        says("made no accumulators");
    }
    cr_assert_eq(rig_state_hash(&r), before);
    rig_close(&r);
}

/* ---- Strategies ---- */

static lth_status invent(void *self, const lth_graph *in, lth_graph_builder *out)
{
    (void)self, (void)in;
    lth_attr_slot at = { 77, 0 };
    out->api->emit(out, LTH_OP_INPUT, NULL, 0, &at, sizeof at, 0);
    return LTH_OK;
}

Test(engine_errors, a_strategy_rewrites_steps_and_guards_stay_guards)
{
    const lth_strategy copier = { .struct_size = sizeof copier, .id = "copier", .transform = rig_rewrite };
    const lth_strategy inventor = { .struct_size = sizeof inventor, .id = "inventor", .transform = invent };
    rig plain;
    rig_open(&plain, NULL);
    rig_open(&r, &(rig_setup) { .strategy = &copier });
    const rig_recipe recipe = { .guard = true, .clip_norm = 1, .count_seen = true };
    for (int i = 0; i < 3; i++)
        cr_assert_eq(rig_train(&r, &recipe), rig_train(&plain, &recipe));
    cr_assert_eq(rig_state_hash(&r), rig_state_hash(&plain));
    r.x[0] = NAN;
    cr_assert_eq(rig_step(&r, &recipe), LTH_CHECK);
    says("field 'x' of the batch holds 1 non-finite");
    cr_assert(isnan(lth_item(rig_loss(&r, rig_begin(&r, NULL)))));
    cr_assert_neq(rig_end(&r), LTH_OK);
    says("strategy 'copier' does not serve reading");
    rig_close(&r);
    rig_close(&plain);
    rig_open(&r, &(rig_setup) { .strategy = &inventor });
    cr_assert_neq(rig_step(&r, NULL), LTH_OK);
    says("strategy 'inventor'");
    rig_close(&r);
}

Test(engine_errors, a_run_time_failure_names_op_and_place)
{
    const rig_setup setups[] = { { 0 }, { .eager = true } };
    for (int k = 0; k < 2; k++) {
        rig_open(&r, &setups[k]);
        rig_begin(&r, NULL);
        lth_tensor x = engine_input(r.g, "x", RIG_HERE), index = lth_cast(lth_scalar(x, 12), LTH_I64);
        next_line(__LINE__);
        lth_tensor row = lth_gather(x, index);
        engine_output(r.g, row, RIG_HERE);
        cr_assert_neq(rig_end(&r), LTH_OK);
        says("gather at ");
        says(here);
        says("12");
        rig_close(&r);
    }
}

Test(engine_errors, recording_alone_finds_shape_errors_without_an_accelerator)
{
    rig_open(&r, &(rig_setup) { .check_only = true, .accumulate = true });
    cr_assert_eq(rig_step(&r, &(rig_recipe) { .record_only = true, .guard = true, .clip_norm = 1 }), LTH_OK, "%s", r.e.text);
    cr_assert_eq(rig_step(&r, &(rig_recipe) { .record_only = true, .accumulate = true, .divisor = 2 }), LTH_OK, "%s", r.e.text);
    rig_begin(&r, &(rig_recipe) { .record_only = true });
    lth_tensor x = engine_input(r.g, "x", RIG_HERE);
    cr_assert_eq(lth_item(lth_sum(x)), 0, "a read gives zeros");
    lth_add(x, engine_input(r.g, "y", RIG_HERE));
    cr_assert_eq(rig_end(&r), LTH_INVALID);
    says("(8, 3)");
    rig_begin(&r, &(rig_recipe) { .record_only = true });
    x = lth_sum(engine_input(r.g, "x", RIG_HERE));
    while (lth_item(x) < 100)
        x = lth_mul(x, 2);
    cr_assert_eq(rig_end(&r), LTH_UNSUPPORTED);
    says("cannot be checked without running");
    cr_assert_eq(rig_step(&r, NULL), LTH_UNSUPPORTED);
    says("only be recorded");
    cr_assert_eq(engine_tensor_get(r.g, 0, NULL, &r.e), LTH_INVALID);
    rig_close(&r);
}

/* ---- Optimizers that are wrong ---- */

static lth_status forgets(void *self, lth_update *u)
{
    (void)self, (void)u;
    return LTH_OK;
}

static lth_status misshapes(void *self, lth_update *u)
{
    (void)self;
    lth_update_set_parameter(u, lth_sum(lth_update_parameter(u)));
    return LTH_OK;
}

static lth_status bakes(void *self, lth_update *u)
{
    (void)self;
    lth_update_set_parameter(u, lth_mul(lth_update_parameter(u), lth_hyper(u, struct rig_sgd, velocity)));
    return LTH_OK;
}

static lth_status reads(void *self, lth_update *u)
{
    (void)self;
    lth_update_set_parameter(u, lth_mul(lth_update_parameter(u), lth_item(lth_sum(lth_update_parameter(u)))));
    return LTH_OK;
}

static lth_status leaks(void *self, lth_update *u)
{
    (void)self;
    if (lth_is_none(kept) || kept.trace != lth_update_gradient(u).trace)
        kept = lth_neg(lth_update_gradient(u));
    lth_update_set_parameter(u, lth_add(lth_update_parameter(u), lth_sum(kept)));
    return LTH_OK;
}

Test(engine_errors, a_wrong_rule_of_an_optimizer_is_told_by_its_name)
{
    const struct {
        lth_status (*update)(void *, lth_update *);
        const char *says;
    } wrong[] = {
        { forgets, "optimizer 'sgd': its rule never called lth_update_set_parameter" },
        { misshapes, "sets the parameter to f32 (); it must be f32 (4, 3)" },
        { bakes, "no numeric option with LTH_OPTION_HYPER" },
        { reads, "it cannot read values" },
        { leaks, "is of an earlier use of a rule" },
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        lth_optimizer rule = rig_sgd_each;
        rule.update = wrong[i].update;
        kept = lth_none();
        rig_open(&r, &(rig_setup) { .rule = &rule });
        uint64_t before = rig_state_hash(&r);
        cr_assert_neq(rig_step(&r, NULL), LTH_OK);
        says(wrong[i].says);
        cr_assert_eq(rig_state_hash(&r), before);
        rig_close(&r);
    }
}

/* ---- What is shown ---- */

Test(engine_errors, prints_come_in_order_and_long_tensors_are_cut)
{
    rig_open(&r, NULL);
    rig_begin(&r, &(rig_recipe) { .batch = 2 });
    lth_tensor x = engine_input(r.g, "x", RIG_HERE);
    lth_shape shape = { LTH_I64, 1, { 2000 } }, small = { LTH_F32, 2, { 2, 3 } };
    lth_print("small", lth_iota(x, &small, 1));
    lth_print("long", lth_iota(x, &shape, 0));
    lth_print("yes", lth_lt(lth_scalar(x, 1), 2));
    cr_assert_eq(rig_end(&r), LTH_OK, "%s", r.e.text);
    cr_assert_str_eq(str_text(&r.printed), "small: f32 (2, 3)\n[[0 1 2]\n [0 1 2]]\n"
                                           "long: i64 (2000) [0 1 2 ... 1997 1998 1999]\nyes: true\n");
    rig_close(&r);
}

static void collect(void *context, const char *text) { str_printf(context, "%s\n", text); }

Test(engine_errors, a_described_plan_shows_ops_places_memory_and_parameters)
{
    str text = { 0 };
    rig_open(&r, NULL);
    engine_describe(r.g, collect, &text);
    cr_assert_str_eq(str_text(&text), "no step has run yet\n");
    rig_train(&r, &(rig_recipe) { .guard = true });
    str_clear(&text);
    engine_describe(r.g, collect, &text);
    const char *parts[] = { "training_step: ",
                            " kernels",
                            " FLOP",
                            "working memory",
                            "21 parameters, 21 of them trained",
                            "matmul",
                            "engine_fixture.c:",
                            "input 'x' -> f32 (8, 3)",
                            "'sgd/one.weight/velocity' and 3 more",
                            "gradient of ",
                            "kernels:" };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        cr_assert(strstr(str_text(&text), parts[i]), "'%s' is not in:\n%s", parts[i], str_text(&text));
    str_free(&text);
    rig_close(&r);
}
