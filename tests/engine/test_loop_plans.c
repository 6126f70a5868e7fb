/* SPDX-License-Identifier: Apache-2.0
 * Loops as plans: what is kept, dropped, written in place, shown and read. */
#include "allocations.h"
#include "engine/internal.h"
#include "loop_cases.h"

#include <criterion/criterion.h>
#include <lthost/accel/schedule.h>
#include <lthost/control.h>
#include <stdlib.h>
#include <string.h>

/* ---- What nobody needs ---- */

static uint32_t op(graph *g, uint32_t code, const uint32_t *operands, uint32_t count, const void *attributes, uint32_t size)
{
    error e = { 0 };
    uint32_t v = graph_emit(g, code, operands, count, attributes, size, 0, &e);
    cr_assert_neq(v, LTH_NO_VALUE, "%s", e.text);
    return v;
}

/* Carries a (by itself and b), b, c (by itself) and d (by nobody); stacks a part of the second sequence, and d. */
Test(loop_plans, what_is_carried_taken_and_stacked_for_nobody_is_dropped)
{
    graph g, out;
    error e = { 0 };
    graph_init(&g);
    graph_init(&out);
    const lth_shape shapes[] = { { LTH_F32, 1, { 4 } }, { LTH_F32, 2, { T, 4 } }, { LTH_I64, 0, { 0 } } };
    uint32_t site = graph_site(&g, "here", 1), in[3];
    for (uint32_t i = 0; i < 3; i++)
        in[i] = graph_append(&g, LTH_OP_INPUT, NULL, 0, &(lth_attr_slot) { i, 0 }, sizeof(lth_attr_slot), site, &shapes[i], 1);
    const lth_attr_loop a = { .length = T, .carried = 4, .sequences = 2 };
    uint32_t index = graph_loop_begin(&g, &a, (uint32_t[]) { in[2], in[0], in[0], in[0], in[0], in[1], in[1] }, site, &e);
    uint32_t sum = op(&g, LTH_OP_ADD, (uint32_t[]) { index + 1, index + 2 }, 2, NULL, 0);
    uint32_t b = op(&g, LTH_OP_MUL, (uint32_t[]) { index + 2, index + 5 }, 2, NULL, 0);
    uint32_t c = op(&g, LTH_OP_NEG, (uint32_t[]) { index + 3 }, 1, NULL, 0), d = op(&g, LTH_OP_EXP, &c, 1, NULL, 0);
    uint32_t part = op(&g, LTH_OP_NEG, (uint32_t[]) { index + 6 }, 1, NULL, 0);
    uint32_t last = graph_loop_end(&g, (uint32_t[]) { index, sum, b, c, d, part, d }, 2, site, &e);
    cr_assert_neq(last, LTH_NO_VALUE, "%s", e.text);
    graph_append(&g, LTH_OP_OUTPUT, &last, 1, &(lth_attr_slot) { 0, 0 }, sizeof(lth_attr_slot), site, NULL, 0);
    cr_assert(simplify(&g, &out, NULL, 0, NULL, &e), "%s", e.text);
    lth_graph view;
    accel_error why;
    graph_view(&out, &view);
    cr_assert(accel_check_graph(&view, &why), "%s", why.text);
    const lth_node *loop = &out.nodes[out.regions[1].first_node];
    const lth_attr_loop *left = (const void *)(out.attributes + loop->attributes);
    cr_assert_eq(left->carried, 2);
    cr_assert_eq(left->sequences, 1);
    cr_assert_eq(left->stacked, 0);
    cr_assert_eq(out.node_count, 3 + 1 + 2 + 1 + 1, "the inputs, LOOP, sum and product, LOOP_END, OUTPUT");
    graph_free(&g);
    graph_free(&out);
}

/* ---- Strategies ---- */

/* Leaves out the ends of loops. */
static lth_status forget_ends(void *self, const lth_graph *in, lth_graph_builder *out)
{
    lth_graph part = *in;
    while (part.node_count && lth_graph_node(in, part.node_count)->op != LTH_OP_LOOP_END)
        part.node_count--;
    return rig_rewrite(self, &part, out);
}

Test(loop_plans, a_strategy_rewrites_loops_node_by_node)
{
    const lth_strategy copier = { .struct_size = sizeof copier, .id = "copier", .transform = rig_rewrite };
    const lth_strategy forgetter = { .struct_size = sizeof forgetter, .id = "forgetter", .transform = forget_ends };
    double plain[LOOP_NUMBERS], copied[LOOP_NUMBERS];
    for (size_t c = 0; c < LOOP_CASES; c++) {
        rig r;
        const loop_form f = { .loop = true, .turns = 5, .order = 1 };
        rig_open(&r, &(rig_setup) { .floating = LTH_F64 });
        int64_t count = loop_run(&r, loop_cases[c].record, &f, plain);
        rig_close(&r);
        rig_open(&r, &(rig_setup) { .floating = LTH_F64, .strategy = &copier });
        cr_assert_eq(loop_run(&r, loop_cases[c].record, &f, copied), count);
        cr_assert_arr_eq(copied, plain, (size_t)count * sizeof *plain, "%s", loop_cases[c].name);
        rig_close(&r);
    }
    rig r;
    loop_outputs o = { .count = 0 };
    rig_open(&r, &(rig_setup) { .floating = LTH_F64, .strategy = &forgetter });
    rig_begin(&r, &(rig_recipe) { .evaluate = true });
    loop_recurrence(&r, &(loop_form) { .loop = true, .turns = 5, .x = loop_batch(&r) }, &o);
    engine_output(r.g, lth_sum(o.at[0]), RIG_HERE);
    cr_assert_neq(rig_end(&r), LTH_OK);
    cr_assert(strstr(r.e.text, "strategy 'forgetter': it begins a loop that it does not end"), "%s", r.e.text);
    rig_close(&r);
}

/* ---- Looking in ---- */

Test(loop_plans, a_value_of_a_loop_can_be_read_in_the_middle_of_a_step_that_goes_on_with_it)
{
    static const char *const accelerators[] = { "reference", "cpu" };
    for (size_t i = 0; i < 2; i++) {
        rig r;
        double numbers[LOOP_NUMBERS], read, sum = 0;
        if (!rig_has(accelerators[i]))
            continue;
        rig_open(&r, &(rig_setup) { .floating = LTH_F64, .accelerator = accelerators[i] });
        loop_run(&r, loop_recurrence, &(loop_form) { .loop = true, .turns = 5 }, numbers);
        loop_outputs o = { .count = 0 };
        rig_begin(&r, &(rig_recipe) { .evaluate = true });
        loop_recurrence(&r, &(loop_form) { .loop = true, .turns = 5, .x = loop_batch(&r) }, &o);
        read = lth_item(lth_sum(o.at[2]));
        uint32_t slot = engine_output(r.g, lth_add(lth_sum(o.at[2]), lth_sum(o.at[0])), RIG_HERE);
        cr_assert_eq(rig_end(&r), LTH_OK, "%s", r.e.text);
        for (int k = 8; k < 8 + 4 * T; k++)
            sum += numbers[k];
        cr_assert_float_eq(read, sum, 1e-12);
        for (int k = 0; k < 4; k++)
            sum += numbers[k];
        cr_assert_float_eq(engine_output_value(r.g, r.ticket, slot), sum, 1e-12);
        rig_close(&r);
    }
}

/* sqrt(c - 1), again and again: not a number from the third turn on. */
static void fails_in_its_third_turn(rig *r)
{
    lth_tensor first = lth_add(lth_sum(lth_mul(lth_parameter_value(loop_batch(r), r->b1), 0)), 4);
    lth_loop l = lth_loop_begin(lth_none(), T, &first, 1, NULL, 0);
    lth_tensor next = lth_sqrt(lth_sub(lth_loop_carried(&l, 0), 1.5));
    lth_loop_end(&l, &next, 1, &next, 1);
    const engine_update_args args = { .divisor = 1, .guard = true };
    const lth_tensor *gradients;
    uint32_t count;
    cr_assert_eq(engine_gradients(r->g, 0, lth_sum(lth_loop_stack(&l, 0)), &gradients, &count, RIG_HERE), LTH_OK);
    engine_update(r->g, 0, gradients, &args, RIG_HERE);
}

Test(loop_plans, the_op_of_a_body_that_made_the_first_number_which_is_not_finite_is_named)
{
    static const char *const accelerators[] = { "reference", "cpu" };
    for (size_t i = 0; i < 2; i++) {
        rig r;
        if (!rig_has(accelerators[i]))
            continue;
        rig_open(&r, &(rig_setup) { .floating = LTH_F64, .accelerator = accelerators[i] });
        rig_begin(&r, NULL);
        fails_in_its_third_turn(&r);
        cr_assert_eq(rig_end(&r), LTH_CHECK);
        cr_assert(strstr(r.e.text, "`sqrt`") && strstr(r.e.text, "in the body of a loop"), "%s", r.e.text);
        rig_close(&r);
    }
}

static void note_line(void *context, const char *text) { str_printf(context, "%s\n", text); }

Test(loop_plans, a_plan_shows_a_body_within_its_loop)
{
    rig r;
    double numbers[LOOP_NUMBERS];
    str text = { 0 };
    rig_open(&r, &(rig_setup) { .floating = LTH_F64 });
    loop_run(&r, loop_recurrence, &(loop_form) { .loop = true, .turns = 5, .reverse = true }, numbers);
    engine_describe(r.g, note_line, &text);
    cr_assert(strstr(str_text(&text), " up to 8 turns, backwards"), "%s", str_text(&text));
    cr_assert(strstr(str_text(&text), "\n    %") && strstr(str_text(&text), " = tanh "), "%s", str_text(&text));
    str_free(&text);
    rig_close(&r);
}

/* ---- Memory ---- */

static bool same_place(const accel_operand *a, const accel_operand *b)
{
    return a->place.kind == b->place.kind && a->place.offset == b->place.offset;
}

Test(loop_plans, rows_are_written_into_what_is_carried_without_a_copy_and_stacks_nobody_reads_have_no_memory)
{
    graph g;
    error e = { 0 };
    graph_init(&g);
    const lth_shape shapes[] = { { LTH_F32, 2, { 64, 8 } }, { LTH_F32, 2, { 1, 8 } }, { LTH_I64, 0, { 0 } } };
    uint32_t site = graph_site(&g, "here", 1), in[3];
    for (uint32_t i = 0; i < 3; i++)
        in[i] = graph_append(&g, LTH_OP_INPUT, NULL, 0, &(lth_attr_slot) { i, 0 }, sizeof(lth_attr_slot), site, &shapes[i], 1);
    const lth_attr_loop a = { .length = 64, .carried = 2 };
    uint32_t index = graph_loop_begin(&g, &a, (uint32_t[]) { in[2], in[0], in[1] }, site, &e);
    const lth_attr_window row = { 0, 1 };
    uint32_t part = op(&g, LTH_OP_EXP, (uint32_t[]) { index + 2 }, 1, NULL, 0);
    uint32_t cache = op(&g, LTH_OP_UPDATE_AT, (uint32_t[]) { index + 1, part, index }, 3, &row, sizeof row);
    uint32_t sum = op(&g, LTH_OP_SUM, &cache, 1, &(lth_attr_reduce) { 1, 1 }, sizeof(lth_attr_reduce));
    uint32_t next = op(&g, LTH_OP_ADD, (uint32_t[]) { index + 2, sum }, 2, NULL, 0);
    uint32_t last = graph_loop_end(&g, (uint32_t[]) { index, cache, next }, 0, site, &e);
    cr_assert_neq(last, LTH_NO_VALUE, "%s", e.text);
    for (uint32_t i = 0; i < 2; i++)
        graph_append(&g, LTH_OP_OUTPUT, (uint32_t[]) { last + i }, 1, &(lth_attr_slot) { i, 0 }, sizeof(lth_attr_slot), site,
                     NULL, 0);
    lth_graph view;
    accel_error why;
    accel_schedule *s;
    graph_view(&g, &view);
    cr_assert_eq(accel_schedule_new(&view, &(accel_schedule_options) { 0 }, &s, &why), LTH_OK, "%s", why.text);
    const accel_launch *begin = &s->launches[s->loops[1].begin], *end = &s->launches[s->loops[1].end];
    for (uint32_t i = 1; i <= 2; i++)
        cr_assert(same_place(&s->operands[begin->first_result + i], &s->operands[end->first_operand + i]), "carried value %u", i);
    for (uint32_t i = 2; i < 4; i++)
        cr_assert_eq(s->operands[end->first_result + i].place.kind, ACCEL_PLACE_NONE);
    accel_schedule_free(s);
    graph_free(&g);
}

Test(loop_plans, one_plan_serves_every_number_of_turns_and_every_index)
{
    rig r;
    double numbers[LOOP_NUMBERS];
    rig_open(&r, &(rig_setup) { .floating = LTH_F64 });
    for (int64_t turns = 0; turns <= T; turns++)
        loop_run(&r, loop_recurrence, &(loop_form) { .loop = true, .turns = turns }, numbers);
    cr_assert_eq(rig_stats(&r).plans_compiled, 1);
    loop_run(&r, loop_recurrence, &(loop_form) { .loop = true, .turns = T, .reverse = true }, numbers);
    cr_assert_eq(rig_stats(&r).plans_compiled, 2, "the direction is the plan's");
    rig_close(&r);
}

Test(loop_plans, a_steady_step_with_a_loop_and_its_gradient_allocates_nothing)
{
    static rig r;
    double numbers[LOOP_NUMBERS];
    rig_open(&r, &(rig_setup) { .floating = LTH_F64 });
    for (int i = 0; i < 40; i++) {
        if (i == 20)
            allocations_begin();
        loop_run(&r, loop_recurrence, &(loop_form) { .loop = true, .turns = i % (T + 2), .order = 1 }, numbers);
    }
    int calls = allocations_end();
    cr_assert_eq(calls, 0, "%d allocations in 20 steps", calls);
    rig_close(&r);
}
