/* SPDX-License-Identifier: Apache-2.0
 * Steps that begin as the one before them did and go on otherwise: each computes what it records, whatever came before. */
#include "engine/internal.h"
#include "engine_fixture.h"

#include <criterion/criterion.h>
#include <math.h>

static rig r;

/* A step of five ops in one of 64 forms; the same forms worked out by hand. form & 1: another op; 2: other operands; 4: another
 * attribute; 8: one op more in front; 16: another place; 32: another shape. */
static lth_tensor record(unsigned form, lth_tensor x, lth_tensor y)
{
    if (form & 8)
        x = lth_neg(x);
    lth_tensor a = form & 1 ? lth_mul(x, 0.5) : lth_add(x, 0.5);
    lth_tensor b = form & 2 ? lth_sub(a, x) : lth_sub(x, lth_mul(a, a));
    lth_tensor c = form & 4 ? lth_slice(b, 1, 0, 2) : lth_slice(b, 1, 1, 3);
    lth_tensor d = lth_sum(c);
    return form & 16 ? lth_add(d, lth_sum(y)) : lth_add(lth_sum(y), d);
}

static double by_hand(unsigned form, int batch)
{
    double sum = 0;
    for (int i = 0; i < batch; i++) {
        sum += r.y[i];
        for (int k = form & 4 ? 0 : 1; k < (form & 4 ? 2 : 3); k++) {
            double x = form & 8 ? -r.x[i * RIG_IN + k] : r.x[i * RIG_IN + k], a = form & 1 ? x * 0.5 : x + 0.5;
            sum += form & 2 ? a - x : x - a * a;
        }
    }
    return sum;
}

static void step(unsigned form)
{
    int batch = form & 32 ? 5 : RIG_BATCH;
    rig_begin(&r, &(rig_recipe) { .evaluate = true, .hook = "validation_step", .batch = batch });
    lth_tensor x = engine_input(r.g, "x", RIG_HERE), y = engine_input(r.g, "y", RIG_HERE);
    uint32_t slot = engine_output(r.g, record(form, x, y), RIG_HERE);
    cr_assert_eq(rig_end(&r), LTH_OK, "%s", r.e.text);
    double is = engine_output_value(r.g, r.ticket, slot), expected = by_hand(form, batch);
    cr_assert(fabs(is - expected) <= 1e-5 * (1 + fabs(expected)), "form %u: %g, expected %g", form, is, expected);
}

Test(recall, any_step_after_any_other_computes_what_it_records)
{
    uint64_t state = 7;
    rig_open(&r, NULL);
    r.g->cache.memory_limit = UINT64_MAX;
    for (int i = 0; i < 3000; i++) {
        unsigned form = bench_random(&state) % 64, change = 1u << bench_random(&state) % 6;
        for (unsigned k = 0; k < 1 + bench_random(&state) % 4; k++) /* rows of one form are recalled from two records back */
            step(form);
        step(form ^ change);
        step(form);
    }
    rig_close(&r);
}

Test(recall, a_step_that_is_the_same_again_is_recalled_and_is_the_same_record)
{
    rig_open(&r, NULL);
    for (int i = 0; i < 5; i++)
        step(3);
    const recall_call *calls = r.g->trace.recall.calls;
    uint32_t generation = r.g->trace.generation;
    for (size_t i = 0; i < r.g->trace.recall.count; i++) {
        cr_expect_eq(calls[i].generation, generation);
        cr_expect_eq(calls[i].since, generation - 4, "call %zu was worked out in the first step alone", i);
    }
    cr_expect_geq(r.g->trace.recall.count, 6);
    cr_expect_eq(rig_stats(&r).plans_compiled, 1);
    rig_close(&r);
}

/* Places are no part of what is compared, and follow the step. */
Test(recall, a_message_names_the_place_of_this_step)
{
    rig_open(&r, NULL);
    for (uint32_t line = 1; line < 6; line++) {
        rig_begin(&r, &(rig_recipe) { .evaluate = true, .hook = "validation_step" });
        lth_tensor x = engine_input(r.g, "x", "here.c", line);
        lth_tensor negative = x.trace->api->emit(x.trace, LTH_OP_NEG, &x, 1, NULL, 0, "here.c", line);
        lth_site at = engine_place(r.g, negative);
        cr_expect_str_eq(at.file, "here.c");
        cr_expect_eq(at.line, line);
        engine_abandon(r.g);
    }
    rig_close(&r);
}
