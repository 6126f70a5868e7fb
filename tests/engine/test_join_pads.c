/* SPDX-License-Identifier: Apache-2.0
 * Sums of what slices leave in their gradients: one tensor put together of the parts, with the bits of the sum. */
#include "accel_fixture.h"
#include "engine/op_table.h"
#include "engine/passes.h"

#include <criterion/criterion.h>
#include <string.h>

static bench b;
static constants c;

static void begin(void)
{
    if (!b.accelerator)
        bench_open(&b, "reference");
    constants_free(&c);
    bench_reset(&b);
}

static void end(void)
{
    constants_free(&c);
    bench_close(&b);
}

static void run(void)
{
    if (c.count)
        memcpy(b.scalars + c.first_slot, c.values, c.count * sizeof *c.values);
    bench_go(&b, 0);
}

/* Simplified, joined, simplified again; in place of the bench's graph. */
static void join(void)
{
    for (int pass = 0; pass < 3; pass++) {
        graph out;
        graph_init(&out);
        uint32_t *map = calloc(b.g.value_count + 1, sizeof *map);
        bool ok = pass == 1 ? join_pads(&b.g, &out, &c, map, &b.e) : simplify(&b.g, &out, NULL, 0, map, &b.e);
        cr_assert(ok, "%s", b.e.text);
        free(map);
        graph_free(&b.g);
        b.g = out;
    }
}

static uint32_t count_of(uint32_t op)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < b.g.node_count; i++)
        n += b.g.nodes[i].op == op;
    return n;
}

/* A part's range along axis 1 of (2, 8); axis 0: that axis, from 0 on. */
typedef struct part {
    int64_t first, length, axis;
} part;

enum { PARTS = 6, ELEMENTS = 16 };
typedef struct chain {
    const char *what;
    part parts[PARTS];
    uint32_t count;
    bool base;                    /* begins with a whole tensor */
    uint32_t pads, adds, concats; /* afterwards */
} chain;

static const chain chains[] = {
    { "side by side", { { 5, 3, 1 }, { 2, 3, 1 }, { 0, 2, 1 } }, 3, false, 0, 0, 1 },
    { "with gaps", { { 1, 2, 1 }, { 6, 1, 1 } }, 2, false, 0, 0, 1 },
    { "onto a tensor", { { 0, 4, 1 }, { 4, 4, 1 } }, 2, true, 0, 1, 1 },
    { "each twice", { { 4, 4, 1 }, { 4, 4, 1 }, { 0, 4, 1 }, { 0, 4, 1 } }, 4, true, 0, 2, 2 },
    { "partly one over the other", { { 0, 5, 1 }, { 3, 4, 1 }, { 5, 3, 1 }, { 0, 2, 1 } }, 4, false, 2, 2, 1 },
    { "of nothing among them", { { 2, 2, 1 }, { 4, 0, 1 }, { 6, 2, 1 } }, 3, false, 0, 0, 1 },
    { "along two axes", { { 0, 1, 0 }, { 1, 1, 0 }, { 0, 3, 1 }, { 3, 5, 1 } }, 4, false, 0, 1, 2 },
    { "one alone", { { 2, 3, 1 } }, 1, true, 1, 1, 0 },
    { "each over the one before", { { 0, 5, 1 }, { 2, 5, 1 }, { 3, 5, 1 } }, 3, false, 3, 2, 0 },
};

static void build(const chain *s, uint64_t seed)
{
    double data[ELEMENTS];
    uint32_t zero = constants_value(&c, &b.g, 0, LTH_F32, 0, &b.e), sum = LTH_NO_VALUE;
    for (uint32_t i = 0; i <= s->count; i++) {
        for (int k = 0; k < ELEMENTS; k++)
            data[k] = bench_random_real(&seed, -1, 1);
        const part *p = &s->parts[i ? i - 1 : 0];
        if (i == 0) {
            sum = s->base ? bench_input(&b, SHAPE(LTH_F32, 2, 8), data) : LTH_NO_VALUE;
            continue;
        }
        lth_attr_pad around = { { 0 }, { 0 } };
        around.low[p->axis] = p->first;
        around.high[p->axis] = (p->axis ? 8 : 2) - p->first - p->length;
        uint32_t x = bench_input(&b, p->axis ? SHAPE(LTH_F32, 2, p->length) : SHAPE(LTH_F32, p->length, 8), data);
        uint32_t padded = bench_op(&b, LTH_OP_PAD, (uint32_t[]) { x, zero }, 2, &around, sizeof around);
        sum = sum == LTH_NO_VALUE ? padded : OP2(&b, LTH_OP_ADD, sum, padded);
    }
    bench_output(&b, sum);
}

Test(join_pads, sums_have_the_bits_they_had_and_no_pads_but_those_that_overlap)
{
    for (size_t i = 0; i < sizeof chains / sizeof *chains; i++) {
        const chain *s = &chains[i];
        double before[ELEMENTS];
        begin();
        build(s, 7 + i);
        run();
        for (int k = 0; k < ELEMENTS; k++)
            before[k] = bench_get(&b, 0, k);
        begin();
        build(s, 7 + i);
        join();
        cr_assert_eq(count_of(LTH_OP_PAD), s->pads, "%s: %u pads", s->what, count_of(LTH_OP_PAD));
        cr_assert_eq(count_of(LTH_OP_ADD), s->adds, "%s: %u adds", s->what, count_of(LTH_OP_ADD));
        cr_assert_eq(count_of(LTH_OP_CONCAT), s->concats, "%s: %u concats", s->what, count_of(LTH_OP_CONCAT));
        run();
        for (int k = 0; k < ELEMENTS; k++)
            cr_assert_eq(bench_get(&b, 0, k), before[k], "%s: element %d", s->what, k);
    }
    end();
}

Test(join_pads, only_zeros_that_are_part_of_the_graph_are_taken_for_zeros)
{
    const double x[] = { 1, 2 };
    begin();
    uint32_t filler = bench_scalar(&b, LTH_F32, 0), v = bench_input(&b, SHAPE(LTH_F32, 2), x); /* the step's own number */
    c.first_slot = b.g.scalar_count;
    uint32_t low = OP2A(&b, LTH_OP_PAD, v, filler, lth_attr_pad, { 2 }, { 0 }),
             high = OP2A(&b, LTH_OP_PAD, v, filler, lth_attr_pad, { 0 }, { 2 });
    bench_output(&b, OP2(&b, LTH_OP_ADD, low, high));
    join();
    cr_assert_eq(count_of(LTH_OP_PAD), 2);
    end();
}

/* The bench's graph of primitives alone; values follow. */
static void decompose_all(uint32_t *values, uint32_t count)
{
    graph out;
    graph_init(&out);
    uint32_t *map = calloc(b.g.value_count + 1, sizeof *map);
    cr_assert(decompose(&b.g, &out, &c, NULL, NULL, map, &b.e), "%s", b.e.text);
    for (uint32_t i = 0; i < count; i++)
        values[i] = map[values[i]];
    free(map);
    graph_free(&b.g);
    b.g = out;
}

/* The bytes of all values that a training step of an LSTM of T steps makes, each of which is nodes of its own; views left out. */
static double bytes_of_lstm(int64_t T)
{
    static const double zeros[2048];
    const lth_attr_rnn cell = { LTH_RNN_LSTM, 0 };
    begin();
    const lth_shape shapes[] = { SHAPE(LTH_F32, T, 2, 3), SHAPE(LTH_F32, 2, 4), SHAPE(LTH_F32, 2, 4), SHAPE(LTH_F32, 16, 3),
                                 SHAPE(LTH_F32, 16, 4),   SHAPE(LTH_F32, 16),   SHAPE(LTH_F32, 16) };
    uint32_t in[8], gradients[7];
    double bytes = 0;
    for (uint32_t i = 0; i < 7; i++)
        in[i] = bench_input(&b, shapes[i], zeros);
    in[7] = bench_op(&b, LTH_OP_RNN, in, 7, &cell, sizeof cell);
    decompose_all(in, 8);
    uint32_t loss = OP1A(&b, LTH_OP_SUM, OP2(&b, LTH_OP_MUL, in[7], in[7]), lth_attr_reduce, 7, 0);
    cr_assert(autodiff(&b.g, &c, loss, in, 7, gradients, 0, &b.e), "%s", b.e.text);
    for (uint32_t i = 0; i < 7; i++)
        bench_output(&b, gradients[i]);
    join();
    cr_assert_eq(count_of(LTH_OP_PAD), 0);
    for (uint32_t i = 0; i < b.g.node_count; i++)
        for (uint32_t k = 0; k < b.g.nodes[i].value_count; k++) {
            const lth_shape *s = graph_shape(&b.g, b.g.nodes[i].first_value + k);
            bytes += (double)(lth_shape_count(s) * lth_dtype_size(s->dtype));
        }
    return bytes;
}

Test(join_pads, the_work_of_a_sequence_grows_with_its_length_alone)
{
    double sixty_four = bytes_of_lstm(64), two_hundred = bytes_of_lstm(256);
    cr_assert_lt(two_hundred / sixty_four, 4.2, "%g bytes for 64 steps, %g for 256", sixty_four, two_hundred);
    end();
}
