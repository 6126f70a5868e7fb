/* SPDX-License-Identifier: Apache-2.0
 * Metrics: late reading, reductions, rows, what callbacks see, and the same after a checkpoint. */
#include "trainer/metrics.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

/* Outputs of steps: the value of slot s of ticket t. */
static double outputs[16][4];
static uint64_t reads; /* of tickets, to see when they come */
static char rows[2000];

static double read_output(void *context, uint64_t ticket, uint32_t slot)
{
    (void)context;
    reads++;
    return outputs[ticket][slot];
}

static void emit(void *context, const lth_metrics_row *row)
{
    (void)context;
    snprintf(rows + strlen(rows), sizeof rows - strlen(rows), "%lld/%lld", (long long)row->step, (long long)row->epoch);
    for (uint32_t i = 0; i < row->count; i++)
        snprintf(rows + strlen(rows), sizeof rows - strlen(rows), " %s=%g", row->names[i], row->values[i]);
    strcat(rows, "\n");
}

static metrics m;
static error e;

static void begin(void)
{
    metrics_init(&m);
    m.read = read_output;
    m.emit = emit;
    error_clear(&e);
    rows[0] = '\0';
    reads = 0;
}

static void end(void) { metrics_free(&m); }

TestSuite(metrics, .init = begin, .fini = end);

static const metrics_log plain = { .file = "a.c", .line = 1, .on_step = true, .logger = true, .weight = 1 };

static lth_status add(const char *name, bool step, bool epoch, lth_reduce_fx reduce, double weight, uint32_t slot)
{
    metrics_log log = plain;
    log.name = name;
    log.on_step = step;
    log.on_epoch = epoch;
    log.reduce = reduce;
    log.weight = weight;
    log.slot = slot;
    return metrics_add(&m, METRICS_TRAIN, &log, &e);
}

/* A training step that logs `name` as slot 0 of its ticket. */
static void step(uint64_t ticket, const char *name, bool on_step, bool on_epoch, lth_reduce_fx reduce, double weight,
                 double value)
{
    outputs[ticket][0] = value;
    metrics_step_begin(&m, METRICS_TRAIN, 0, (int64_t)ticket);
    cr_assert_eq(add(name, on_step, on_epoch, reduce, weight, 0), LTH_OK, "%s", e.text);
    metrics_step_ran(&m, ticket);
    metrics_settle(&m);
    metrics_step_end(&m, (int64_t)ticket, true, 0);
}

Test(metrics, a_step_is_read_when_the_next_one_has_run)
{
    step(1, "loss", true, false, 0, 1, 5);
    cr_expect_eq(reads, 0);
    cr_expect_str_eq(rows, "");
    step(2, "loss", true, false, 0, 1, 6);
    cr_expect_eq(reads, 1);
    cr_expect_str_eq(rows, "1/0 loss=5\n");
    metrics_drain(&m);
    cr_expect_str_eq(rows, "1/0 loss=5\n2/0 loss=6\n");
    metrics_drain(&m);
    cr_expect_eq(reads, 2, "once each");
}

Test(metrics, who_asks_gets_the_running_step_and_the_row_still_comes_once)
{
    double value = 0;
    step(1, "loss", true, false, 0, 1, 5);
    cr_expect(metrics_find(&m, "loss", &value));
    cr_expect_eq(value, 5);
    cr_expect_not(metrics_find(&m, "los", &value));
    metrics_drain(&m);
    cr_expect_str_eq(rows, "1/0 loss=5\n");
}

Test(metrics, an_epoch_reduces_by_weighted_mean_sum_min_max_or_last)
{
    static const double values[] = { 3, 1, 4 }, weights[] = { 4, 4, 2 };
    static const double expected[] = { (12 + 4 + 8) / 10.0, 8, 1, 4, 4 };
    for (lth_reduce_fx reduce = 0; reduce <= LTH_REDUCE_LAST; reduce++) {
        end();
        begin();
        double value = 0;
        for (uint64_t i = 0; i < 3; i++)
            step(i + 1, "x", false, true, reduce, weights[i], values[i]);
        metrics_epoch_end(&m, METRICS_TRAIN, &(lth_metrics_row) { .step = 3, .epoch = 0 });
        cr_expect(metrics_find(&m, "x", &value));
        cr_expect_eq(value, expected[reduce], "reduction %u gives %g", reduce, value);
    }
}

Test(metrics, not_a_number_is_not_lost_in_a_minimum)
{
    double value = 0;
    step(1, "x", false, true, LTH_REDUCE_MIN, 1, 1);
    step(2, "x", false, true, LTH_REDUCE_MIN, 1, NAN);
    metrics_epoch_end(&m, METRICS_TRAIN, NULL);
    cr_expect(metrics_find(&m, "x", &value));
    cr_expect(isnan(value));
}

Test(metrics, both_step_and_epoch_fork_the_name)
{
    double value = 0;
    step(1, "loss", true, true, 0, 1, 4);
    step(2, "loss", true, true, 0, 3, 8);
    metrics_epoch_end(&m, METRICS_TRAIN, &(lth_metrics_row) { .step = 2, .epoch = 0 });
    cr_expect_str_eq(rows, "1/0 loss_step=4\n2/0 loss_step=8\n2/0 loss_epoch=7\n");
    cr_expect(metrics_find(&m, "loss", &value) && value == 7);
    cr_expect(metrics_find(&m, "loss_step", &value) && value == 8);
    cr_expect(metrics_find(&m, "loss_epoch", &value) && value == 7);
}

Test(metrics, a_second_row_of_an_epoch_has_only_what_is_new)
{
    const lth_metrics_row row = { .step = 1, .epoch = 0 };
    step(1, "a", false, true, 0, 1, 4);
    metrics_epoch_end(&m, METRICS_TRAIN, &row);
    metrics_epoch_end(&m, METRICS_TRAIN, &row);
    metrics_log late = plain;
    late.name = "b";
    late.on_step = false;
    late.on_epoch = late.is_number = true;
    late.number = 2;
    cr_assert_eq(metrics_add(&m, METRICS_TRAIN, &late, &e), LTH_OK);
    metrics_epoch_end(&m, METRICS_TRAIN, &row);
    cr_expect_str_eq(rows, "1/0 a=4\n1/0 b=2\n");
}

Test(metrics, names_that_would_meet_are_refused_with_both_places)
{
    metrics_step_begin(&m, METRICS_TRAIN, 0, 0);
    cr_expect_eq(add("loss", true, true, 0, 1, 0), LTH_OK);
    cr_expect_eq(add("loss", true, false, 0, 1, 0), LTH_INVALID);
    cr_expect_not_null(strstr(e.text, "a.c:1 (on_step and on_epoch, mean) and at a.c:1 (on_step, mean)"), "%s", e.text);
    static const char *const wrong[] = { "loss_step", "loss_epoch", "", "epoch", "step", "a\nb" };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        error_clear(&e);
        cr_expect_eq(add(wrong[i], true, false, 0, 1, 0), LTH_INVALID, "'%s'", wrong[i]);
    }
}

Test(metrics, a_sanity_check_leaves_no_trace)
{
    double value = 0;
    step(1, "loss", true, false, 0, 1, 5);
    metrics_drain(&m);
    metrics_keep(&m);
    step(2, "loss", true, false, 0, 1, 9);
    step(3, "other", true, false, 0, 1, 9);
    metrics_drain(&m);
    metrics_restore(&m);
    cr_expect(metrics_find(&m, "loss", &value) && value == 5);
    cr_expect_not(metrics_find(&m, "other", &value));
}

Test(metrics, callback_metrics_are_sorted_by_name)
{
    static const char *const names[] = { "m", "a", "z", "b" };
    const lth_metric *list;
    for (uint64_t i = 0; i < 4; i++)
        step(i + 1, names[i], true, false, 0, 1, (double)i);
    cr_assert_eq(metrics_list(&m, &list), 4);
    cr_expect_str_eq(list[0].name, "a");
    cr_expect_str_eq(list[1].name, "b");
    cr_expect_str_eq(list[3].name, "z");
}

Test(metrics, an_epoch_goes_on_after_a_checkpoint_with_every_bit)
{
    double whole = 0, resumed = 1;
    for (uint64_t i = 1; i <= 6; i++)
        step(i, "x", true, true, 0, 1.0 / (double)i, 0.1 * (double)i);
    metrics_epoch_end(&m, METRICS_TRAIN, NULL);
    metrics_find(&m, "x_epoch", &whole);
    end();
    begin();
    for (uint64_t i = 1; i <= 3; i++)
        step(i, "x", true, true, 0, 1.0 / (double)i, 0.1 * (double)i);
    metrics_drain(&m);
    json_t *kept = metrics_to_json(&m);
    end();
    begin();
    cr_assert_eq(metrics_from_json(&m, kept, &e), LTH_OK, "%s", e.text);
    json_decref(kept);
    cr_expect(metrics_find(&m, "x_step", &resumed) && resumed == 0.1 * 3);
    for (uint64_t i = 4; i <= 6; i++)
        step(i, "x", true, true, 0, 1.0 / (double)i, 0.1 * (double)i);
    metrics_epoch_end(&m, METRICS_TRAIN, NULL);
    metrics_find(&m, "x_epoch", &resumed);
    cr_expect_eq(whole, resumed, "%.17g, %.17g", whole, resumed);
}

Test(metrics, damaged_state_is_refused)
{
    static const char *const damaged[] = { "{\"train\": [{}]}",
                                           "{\"train\": [{\"name\": \"x\", \"count\": 1, \"on_step\": true}]}",
                                           "{\"callback_metrics\": [{\"name\": \"x\"}]}", "{\"callback_metrics\": [3]}" };
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
        json_t *from = json_loads(damaged[i], 0, NULL);
        error_clear(&e);
        cr_expect_eq(metrics_from_json(&m, from, &e), LTH_INVALID, "%s", damaged[i]);
        json_decref(from);
    }
}
