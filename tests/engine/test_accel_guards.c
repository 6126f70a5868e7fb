/* SPDX-License-Identifier: Apache-2.0
 * Every op's sample on every accelerator, between guard words: no kernel writes past what it makes, changes what it reads, or
 * reads what nobody has written. Inputs, outputs and state have guards of their own (accel_fixture.c). In a plan that keeps all
 * values each lies by itself, on a multiple of 64 bytes, in a block that is filled with guard words before a run: those between a
 * value's end and the next multiple must stand after it, and so must those behind the block. */
#include "accel_plain.h"
#include "allocations.h"
#include "ops_support.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum { GUARD_BYTE = 0xFF, STEP = 64 };

/* Number of values that have guard words behind them. */
static uint32_t check_values(const op_case *c)
{
    const bench *b = c->b;
    uint32_t guarded = 0;
    for (uint32_t v = 0; v < b->g.value_count; v++) {
        const unsigned char *at = b->accelerator->value_data(b->self, b->plan, v);
        const lth_shape *s = graph_shape(&b->g, v);
        int64_t bytes = lth_shape_count(s) * lth_dtype_size(s->dtype);
        for (int64_t i = bytes; at && bytes && i < (bytes + STEP - 1) / STEP * STEP; i++)
            cr_assert_eq(at[i], GUARD_BYTE, "%s: value %u of %lld bytes is written to at byte %lld", c->name, v, (long long)bytes,
                         (long long)i);
        guarded += at && bytes % STEP;
    }
    return guarded;
}

/* Copies of the inputs' elements, one after the other. */
static char *copy_inputs(const op_case *c)
{
    size_t bytes = 1;
    char *copy = NULL;
    for (uint32_t i = 0; i < c->sample.count; i++) {
        const lth_shape *s = graph_shape(&c->b->g, c->inputs[i]);
        size_t more = (size_t)(lth_shape_count(s) * lth_dtype_size(s->dtype));
        copy = realloc(copy, bytes + more);
        memcpy(copy + bytes - 1, c->b->inputs[i], more);
        bytes += more;
    }
    return copy;
}

static void check_inputs(const op_case *c, const char *copy)
{
    for (uint32_t i = 0; i < c->sample.count; i++) {
        const lth_shape *s = graph_shape(&c->b->g, c->inputs[i]);
        size_t bytes = (size_t)(lth_shape_count(s) * lth_dtype_size(s->dtype));
        cr_assert(bytes == 0 || memcmp(copy, c->b->inputs[i], bytes) == 0, "%s: operand %u is changed", c->name, i);
        copy += bytes;
    }
}

static uint32_t check_sample(bench *b, const op_sample *s, lth_dtype floating, uint32_t flags)
{
    op_case c;
    op_case_begin(&c, b, s, floating);
    bool poisoned = allocations_poison(true);
    op_case_compile(&c, flags);
    char *inputs = copy_inputs(&c);
    op_case_run(&c);
    uint32_t guarded = poisoned && flags & LTH_COMPILE_KEEP_ALL ? check_values(&c) : 0;
    allocations_check_guards(c.name);
    allocations_poison(false);
    check_inputs(&c, inputs);
    free(inputs);
    op_case_end(&c);
    return guarded;
}

static void check_all(bench *b)
{
    uint32_t guarded = 0;
    for (uint32_t op = 0; op < OP_CODES; op++)
        for (uint32_t i = 0; i < op_sample_count(op); i++)
            for (lth_dtype t = LTH_F32; t <= LTH_F64; t++) {
                op_sample s = op_sample_at(op, i);
                guarded += check_sample(b, &s, t, LTH_COMPILE_KEEP_ALL);
                check_sample(b, &s, t, 0);
            }
    cr_assert(guarded > 2000 || !allocations_poison(true), "%u values have guard words", guarded);
}

Test(accel_guards, stand_around_every_value_of_every_op_on_reference)
{
    static bench b;
    bench_open(&b, "reference");
    check_all(&b);
    bench_close(&b);
}

Test(accel_guards, stand_around_every_value_of_every_op_on_cpu)
{
    static bench b;
    bench_open(&b, "cpu");
    check_all(&b);
    bench_close(&b);
}

/* Its block has guards of its own. */
Test(accel_guards, stand_around_every_value_of_every_op_on_the_least_accelerator)
{
    static bench b;
    plain_bench_open(&b);
    check_all(&b);
    bench_close(&b);
}
