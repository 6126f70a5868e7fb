/* SPDX-License-Identifier: Apache-2.0
 * Recurrent layers on the accelerator `cpu`: kernels for all steps at once, against the reference, which makes nodes of them. */
#include "allocations.h"
#include "ops_support.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bench cpu, reference;

/* ---- Samples of any size ---- */

static op_operand operand(int32_t rank, int64_t d0, int64_t d1, int64_t d2, double most)
{
    return (op_operand) { .rank = rank, .dim = { d0, d1, d2 }, .low = -most, .high = most };
}

/* RNN_STEPS or its gradient; weights as they are initialised, of about 1 / sqrt(H). */
static op_sample sample_of(uint32_t op, uint32_t cell, uint32_t reverse, int64_t T, int64_t B, int64_t H)
{
    static const int64_t gates[] = { 1, 1, 4, 3 }, saved[] = { 1, 1, 5, 4 };
    int64_t G = gates[cell] * H;
    bool back = op == LTH_OP_RNN_STEPS_GRAD, lstm = cell == LTH_RNN_LSTM;
    double weight = 1 / sqrt((double)(H ? H : 1));
    op_sample s = { .op = op, .name = "of any size", .attributes.rnn = { cell, reverse } };
    op_operand state = operand(2, B, H, 0, 1), sequence = operand(3, T, B, H, 1);
    s.operands[s.count++] = back ? operand(3, T, B, saved[cell] * H, 0.9) : operand(3, T, B, G, 1);
    s.operands[s.count++] = state;
    if (lstm)
        s.operands[s.count++] = state;
    s.operands[s.count++] = operand(2, G, H, 0, weight);
    s.operands[s.count++] = back ? sequence : operand(1, G, 0, 0, weight);
    s.operands[s.count++] = back ? sequence : operand(1, G, 0, 0, weight);
    if (back)
        s.operands[s.count++] = state;
    if (back && lstm)
        s.operands[s.count++] = state;
    return s;
}

static void agree(const op_case *c, const op_case *exact, const op_sample *s, double most)
{
    const int64_t *d = s->operands[1].dim;
    for (uint32_t r = 0; r < c->result_count; r++) {
        double error = 0, size = 0;
        for (int64_t i = 0; i < op_case_count(c, c->results[r]); i++) {
            double got = bench_get(&cpu, c->slots[r], i), wanted = bench_get(&reference, exact->slots[r], i);
            cr_assert(isfinite(got), "%s: element %lld of result %u is %g", c->name, (long long)i, r, got);
            error += (got - wanted) * (got - wanted);
            size += wanted * wanted;
        }
        cr_assert(sqrt(error) <= most * sqrt(size),
                  "%s, cell %u, T %lld, B %lld, H %lld: result %u has an error of %g, more than %g", c->name,
                  s->attributes.rnn.cell, (long long)s->operands[0].dim[0], (long long)d[0], (long long)d[1], r,
                  sqrt(error / size), most);
    }
}

static void check(const op_sample *s, lth_dtype t)
{
    op_case c, exact;
    op_case_begin(&exact, &reference, s, LTH_F64);
    op_case_compile(&exact, 0);
    op_case_run(&exact);
    op_case_begin(&c, &cpu, s, t);
    op_case_compile(&c, 0);
    cr_assert_eq(cpu.g.nodes[cpu.g.values[c.results[0]].node].op, s->op, "%s was decomposed", c.name);
    op_case_run(&c);
    agree(&c, &exact, s, t == LTH_F64 ? 1e-13 : 1e-6);
    op_case_end(&c);
    op_case_end(&exact);
}

/* Sizes around the widths of vectors and panels, and products longer than a panel is deep. */
static void check_sizes(void)
{
    static const int64_t sizes[][3] = { { 0, 2, 3 },   { 1, 1, 19 }, { 5, 3, 5 },  { 5, 1, 8 },  { 2, 7, 15 }, { 2, 6, 16 },
                                        { 2, 13, 17 }, { 3, 5, 33 }, { 1, 4, 70 }, { 2, 2, 90 }, { 2, 3, 259 } };
    bench_open(&cpu, "cpu");
    bench_open(&reference, "reference");
    for (uint32_t op = LTH_OP_RNN_STEPS; op <= LTH_OP_RNN_STEPS_GRAD; op++)
        for (uint32_t cell = LTH_RNN_TANH; cell <= LTH_RNN_GRU; cell++)
            for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
                op_sample s = sample_of(op, cell, i & 1, sizes[i][0], sizes[i][1], sizes[i][2]);
                check(&s, LTH_F32);
                check(&s, LTH_F64);
            }
    bench_close(&cpu);
    bench_close(&reference);
}

Test(cpu_rnn, steps_and_their_gradient_are_right_at_every_width) { check_sizes(); }

Test(cpu_rnn, and_with_a_lesser_instruction_set)
{
    setenv("LTHOST_CPU_ISA", "baseline", 1);
    check_sizes();
    unsetenv("LTHOST_CPU_ISA");
}

/* ---- Threads ---- */

/* The bytes of all results, on so many threads; a second run allocates nothing. */
static char *bytes_on(const char *threads, const op_sample *s, size_t *size)
{
    op_case c;
    setenv("LTHOST_TEST_THREADS", threads, 1);
    bench_open(&cpu, "cpu");
    op_case_begin(&c, &cpu, s, LTH_F32);
    op_case_compile(&c, 0);
    op_case_run(&c);
    allocations_begin();
    bench_run(&cpu);
    cr_assert_eq(allocations_end(), 0);
    *size = 0;
    for (uint32_t r = 0; r < c.result_count; r++)
        *size += (size_t)op_case_count(&c, c.results[r]) * sizeof(float);
    char *all = malloc(*size), *at = all;
    for (uint32_t r = 0; r < c.result_count; r++) {
        size_t part = (size_t)op_case_count(&c, c.results[r]) * sizeof(float);
        memcpy(at, cpu.outputs[c.slots[r]], part);
        at += part;
    }
    op_case_end(&c);
    bench_close(&cpu);
    unsetenv("LTHOST_TEST_THREADS");
    return all;
}

Test(cpu_rnn, bits_do_not_depend_on_the_number_of_threads)
{
    for (uint32_t op = LTH_OP_RNN_STEPS; op <= LTH_OP_RNN_STEPS_GRAD; op++)
        for (uint32_t cell = LTH_RNN_LSTM; cell <= LTH_RNN_GRU; cell++) {
            op_sample s = sample_of(op, cell, 0, 40, 21, 97);
            size_t size, again;
            char *one = bytes_on("1", &s, &size), *two = bytes_on("2", &s, &again), *three = bytes_on("3", &s, &again);
            cr_assert_arr_eq(one, two, size);
            cr_assert_arr_eq(one, three, size);
            free(one);
            free(two);
            free(three);
        }
}

/* ---- Whole layers ---- */

static bool supported(void *context, uint32_t op, lth_dtype dtype)
{
    const bench *b = context;
    return b->accelerator->supports(b->self, op, dtype);
}

/* An LSTM of T steps, its loss and its gradients, through the passes of the engine. */
static lth_plan_info plan_of(int64_t T)
{
    const lth_attr_rnn cell = { LTH_RNN_LSTM, 0 };
    const lth_shape shapes[] = { SHAPE(LTH_F32, T, 4, 3), SHAPE(LTH_F32, 4, 8), SHAPE(LTH_F32, 4, 8), SHAPE(LTH_F32, 32, 3),
                                 SHAPE(LTH_F32, 32, 8),   SHAPE(LTH_F32, 32),   SHAPE(LTH_F32, 32) };
    double *zeros = calloc((size_t)(T * 12) + 256, sizeof *zeros);
    uint32_t in[7], gradients[7], steps = 0;
    constants c = { 0 };
    graph primitives, simple;
    bench_reset(&cpu);
    for (uint32_t i = 0; i < 7; i++)
        in[i] = bench_input(&cpu, shapes[i], zeros);
    uint32_t y = bench_op(&cpu, LTH_OP_RNN, in, 7, &cell, sizeof cell);
    uint32_t loss = OP1A(&cpu, LTH_OP_SUM, OP1(&cpu, LTH_OP_SQUARE, y), lth_attr_reduce, 7, 0);
    cr_assert(autodiff(&cpu.g, &c, loss, in, 7, gradients, 0, &cpu.e), "%s", cpu.e.text);
    for (uint32_t i = 0; i < 7; i++)
        bench_output(&cpu, gradients[i]);
    graph_init(&primitives);
    graph_init(&simple);
    cr_assert(decompose(&cpu.g, &primitives, &c, supported, &cpu, NULL, &cpu.e), "%s", cpu.e.text);
    cr_assert(simplify(&primitives, &simple, NULL, 0, NULL, &cpu.e), "%s", cpu.e.text);
    graph_free(&primitives);
    graph_free(&cpu.g);
    cpu.g = simple;
    for (uint32_t i = 0; i < c.count; i++)
        cpu.scalars[c.first_slot + i] = c.values[i];
    for (uint32_t i = 0; i < simple.node_count; i++)
        steps += simple.nodes[i].op == LTH_OP_RNN_STEPS;
    cr_assert_eq(steps, 1, "the forward pass is computed %u times", steps);
    bench_go(&cpu, 0);
    lth_plan_info info = { .struct_size = sizeof info };
    cpu.accelerator->plan_info(cpu.self, cpu.plan, &info);
    constants_free(&c);
    free(zeros);
    return info;
}

Test(cpu_rnn, a_long_sequence_takes_no_more_kernels_than_a_short_one_and_memory_in_proportion)
{
    bench_open(&cpu, "cpu");
    lth_plan_info eight = plan_of(8), sixty_four = plan_of(64), many = plan_of(512);
    cr_assert_eq(eight.kernel_count, many.kernel_count);
    cr_assert_lt((double)many.memory, 8.1 * (double)sixty_four.memory);
    bench_close(&cpu);
}

/* ---- Lengths ---- */

Test(cpu_rnn, more_steps_than_can_be_nodes_are_for_an_accelerator_that_has_the_kernel)
{
    op_sample s = sample_of(LTH_OP_RNN_STEPS, LTH_RNN_GRU, 0, 70000, 1, 1);
    op_case c;
    graph out;
    bench_open(&cpu, "cpu");
    op_case_begin(&c, &cpu, &s, LTH_F32);
    op_case_compile(&c, 0);
    op_case_run(&c);
    cr_assert(isfinite(bench_get(&cpu, c.slots[0], 69999)));
    graph_init(&out);
    cr_assert_not(decompose(&cpu.g, &out, &c.constants, NULL, NULL, NULL, &cpu.e));
    cr_assert_not_null(strstr(cpu.e.text, "70000 steps, each of which is compiled here; at most 65536 are"), "%s", cpu.e.text);
    graph_free(&out);
    op_case_end(&c);
    bench_close(&cpu);
}
