/* SPDX-License-Identifier: Apache-2.0
 * Loops: what a body computes in its turns is what the same ops compute written out one after the other. */
#include "allocations.h"
#include "engine/internal.h"
#include "engine_fixture.h"

#include <criterion/criterion.h>
#include <lthost/accel/schedule.h>
#include <lthost/control.h>
#include <math.h>
#include <string.h>

enum { T = RIG_BATCH, MOST = 400 };

/* How a test's ops are recorded: as a loop, or written out. */
typedef struct form {
    bool loop, reverse;
    int64_t turns; /* -1: no count is given */
    int order;     /* of the derivatives that come out instead of the values; by the batch and the parameters */
    lth_tensor x;  /* the batch (T, 3) */
} form;

typedef struct outputs {
    lth_tensor at[12];
    uint32_t count;
} outputs;

static void put(outputs *o, lth_tensor x) { o->at[o->count++] = x; }

static int64_t clamp(int64_t turns) { return turns < 0 || turns > T ? T : turns; }

static lth_tensor batch(rig *r) /* (T, 3) */
{
    lth_tensor x = engine_input(r->g, "x", RIG_HERE);
    return r->options.floating == LTH_F32 ? x : lth_cast(x, r->options.floating);
}

static lth_tensor number(lth_tensor like, double value) { return lth_expand(lth_scalar(like, value), 1, 4); }

static lth_tensor row(lth_tensor x, int64_t i) /* what a loop shows of a sequence */
{
    lth_shape part = *lth_shape_of(x);
    memmove(part.dim, part.dim + 1, sizeof part.dim - sizeof *part.dim);
    part.rank--;
    return lth_reshape_to(lth_slice(x, 0, i, i + 1), &part);
}

/* Rows in their places, 0 where there is none. */
static lth_tensor stack(const lth_tensor *rows, const bool *taken, lth_tensor like)
{
    lth_tensor parts[T];
    lth_shape one = { LTH_F64, 1 + lth_rank(like), { 1 } };
    memcpy(one.dim + 1, lth_shape_of(like)->dim, sizeof *one.dim * (size_t)lth_rank(like));
    for (int i = 0; i < T; i++)
        parts[i] = taken[i] ? lth_reshape_to(rows[i], &one) : lth_expand_to(lth_scalar(like, 0), &one);
    return lth_concat(parts, T, 0);
}

/* ---- A recurrence: it carries two values, reads a sequence, parameters and its index ---- */

static lth_tensor recur(rig *r, lth_tensor x, lth_tensor index, lth_tensor *carried)
{
    lth_tensor in = lth_matmul_t(lth_reshape(x, 1, 3), lth_parameter_value(x, r->w1)); /* (1, 4) */
    lth_tensor h = lth_tanh(lth_add(in, lth_mul(carried[0], lth_parameter_value(x, r->b1))));
    h = lth_add(h, lth_mul(lth_cast(index, lth_dtype_of(x)), 0.125));
    lth_tensor part = lth_mul(h, carried[1]);
    carried[1] = lth_add(carried[1], lth_mul(h, carried[0]));
    carried[0] = h;
    return part;
}

static void recurrence(rig *r, const form *f, outputs *o)
{
    lth_tensor x = f->x, carried[] = { number(x, 0.5), number(x, -0.25) }, parts[T];
    bool taken[T] = { false };
    if (f->loop) {
        lth_tensor count = f->turns < 0 ? lth_none() : lth_index(x, f->turns);
        lth_loop l = lth_loop_begin(count, T, carried, 2, &x, 1, .reverse = f->reverse);
        lth_tensor next[] = { lth_loop_carried(&l, 0), lth_loop_carried(&l, 1) };
        lth_tensor part = recur(r, lth_loop_part(&l, 0), lth_loop_index(&l), next);
        lth_loop_end(&l, next, 2, &part, 1);
        put(o, lth_loop_last(&l, 0)), put(o, lth_loop_last(&l, 1)), put(o, lth_loop_stack(&l, 0));
        return;
    }
    for (int64_t k = 0, n = clamp(f->turns); k < n; k++) {
        int64_t i = f->reverse ? n - 1 - k : k;
        parts[i] = recur(r, row(x, i), lth_index(x, i), carried);
        taken[i] = true;
    }
    put(o, carried[0]), put(o, carried[1]), put(o, stack(parts, taken, carried[0]));
}

/* ---- A loop in a loop: the inner one runs as often as the outer one's index says, on what the outer one carries ---- */

static void inner(rig *r, lth_tensor x, lth_tensor *sum, bool loop, lth_tensor turns, int64_t count)
{
    lth_tensor bias = lth_parameter_value(x, r->b1),
               grown = lth_mul(*sum, 0.5); /* of the outer turn, and read in each inner one */
    if (loop) {
        lth_loop l = lth_loop_begin(turns, 3, sum, 1, &x, 1);
        lth_tensor next = lth_add(lth_sin(lth_loop_carried(&l, 0)), lth_mul(lth_loop_part(&l, 0), lth_add(bias, grown)));
        lth_loop_end(&l, &next, 1, NULL, 0);
        *sum = lth_loop_last(&l, 0);
        return;
    }
    for (int64_t i = 0; i < count; i++)
        *sum = lth_add(lth_sin(*sum), lth_mul(row(x, i), lth_add(bias, grown)));
}

static void nested(rig *r, const form *f, outputs *o)
{
    lth_tensor x = f->x, sum = number(x, 0.5), parts[T];
    bool taken[T] = { false };
    if (f->loop) {
        lth_loop l = lth_loop_begin(lth_index(x, clamp(f->turns)), T, &sum, 1, &x, 1, .reverse = f->reverse);
        sum = lth_loop_carried(&l, 0);
        inner(r, lth_loop_part(&l, 0), &sum, true, lth_loop_index(&l), 0);
        lth_loop_end(&l, &sum, 1, &sum, 1);
        put(o, lth_loop_last(&l, 0)), put(o, lth_loop_stack(&l, 0));
        return;
    }
    for (int64_t k = 0, n = clamp(f->turns); k < n; k++) {
        int64_t i = f->reverse ? n - 1 - k : k;
        inner(r, row(x, i), &sum, false, lth_none(), i < 3 ? i : 3);
        parts[i] = sum;
        taken[i] = true;
    }
    put(o, sum), put(o, stack(parts, taken, sum));
}

/* ---- Values handed on crosswise, unchanged, from outside, and through views ---- */

static void crosswise(rig *r, const form *f, outputs *o)
{
    (void)r;
    lth_tensor x = f->x, outside = row(x, 0),
               carried[] = { row(x, 1), row(x, 2), row(x, 3), lth_reshape(lth_slice(x, 0, 4, 6), 2, 3) };
    if (f->loop) {
        lth_loop l = lth_loop_begin(lth_index(x, f->turns), T, carried, 4, NULL, 0, .reverse = f->reverse);
        lth_tensor next[] = { lth_loop_carried(&l, 1), lth_loop_carried(&l, 0), row(lth_loop_carried(&l, 3), 1),
                              lth_flip(lth_loop_carried(&l, 3), 0) };
        lth_tensor parts[] = { lth_loop_carried(&l, 0), outside };
        lth_loop_end(&l, next, 4, parts, 2);
        for (uint32_t i = 0; i < 4; i++)
            put(o, lth_loop_last(&l, i));
        put(o, lth_loop_stack(&l, 0)), put(o, lth_loop_stack(&l, 1));
        return;
    }
    lth_tensor first[T], second[T];
    bool taken[T] = { false };
    for (int64_t k = 0, n = clamp(f->turns); k < n; k++) {
        int64_t i = f->reverse ? n - 1 - k : k;
        lth_tensor next[] = { carried[1], carried[0], row(carried[3], 1), lth_flip(carried[3], 0) };
        first[i] = carried[0], second[i] = outside, taken[i] = true;
        memcpy(carried, next, sizeof carried);
    }
    for (uint32_t i = 0; i < 4; i++)
        put(o, carried[i]);
    put(o, stack(first, taken, outside)), put(o, stack(second, taken, outside));
}

/* ---- Rows written into what is carried, and read again ---- */

static lth_tensor write_row(lth_tensor cache, lth_tensor x, lth_tensor at, lth_tensor *sum)
{
    cache = lth_update_at(cache, 0, at, lth_reshape(lth_mul(x, 2), 1, 3));
    *sum = lth_add(*sum, lth_sum_axis(cache, 0, 0));
    return cache;
}

static void cache(rig *r, const form *f, outputs *o)
{
    (void)r;
    lth_tensor x = f->x, carried[] = { lth_mul(x, 0.5), row(x, 0) };
    if (f->loop) {
        lth_loop l = lth_loop_begin(lth_index(x, f->turns), T, carried, 2, &x, 1, .reverse = f->reverse);
        lth_tensor next[] = { lth_loop_carried(&l, 0), lth_loop_carried(&l, 1) };
        next[0] = write_row(next[0], lth_loop_part(&l, 0), lth_loop_index(&l), &next[1]);
        lth_loop_end(&l, next, 2, NULL, 0);
        put(o, lth_loop_last(&l, 0)), put(o, lth_loop_last(&l, 1));
        return;
    }
    for (int64_t k = 0, n = clamp(f->turns); k < n; k++) {
        int64_t i = f->reverse ? n - 1 - k : k;
        carried[0] = write_row(carried[0], row(x, i), lth_index(x, i), &carried[1]);
    }
    put(o, carried[0]), put(o, carried[1]);
}

/* ---- Running them ---- */

typedef void recorder(rig *r, const form *f, outputs *o);

static const struct {
    const char *name;
    recorder *record;
} cases[] = { { "recurrence", recurrence }, { "nested", nested }, { "crosswise", crosswise }, { "cache", cache } };
enum { CASES = sizeof cases / sizeof *cases };

/* The derivatives of a number that hangs on all outputs take their place. */
static void differentiate(rig *r, const form *f, outputs *o)
{
    lth_tensor wrt[] = { f->x, lth_parameter_value(f->x, r->w1), lth_parameter_value(f->x, r->b1) }, loss = lth_scalar(f->x, 0);
    for (uint32_t i = 0; i < o->count; i++)
        loss = lth_add(loss, lth_sum(lth_mul(o->at[i], lth_sin(o->at[i]))));
    lth_grad(loss, wrt, 3, o->at);
    o->count = 3;
}

/* Runs a step of what is put; returns how many numbers came out. */
static int64_t run(rig *r, recorder *record, const form *given, double *numbers)
{
    outputs o = { .count = 0 };
    form f = *given;
    uint32_t slots[12];
    int64_t count = 0;
    rig_begin(r, &(rig_recipe) { .evaluate = true, .hook = f.loop ? "loop" : "written_out" });
    f.x = batch(r);
    record(r, &f, &o);
    for (int i = 0; i < f.order; i++)
        differentiate(r, &f, &o);
    for (uint32_t i = 0; i < o.count; i++)
        slots[i] = engine_output(r->g, o.at[i], RIG_HERE);
    cr_assert_eq(rig_end(r), LTH_OK, "%s", r->e.text);
    for (uint32_t i = 0; i < o.count; i++) {
        lth_shape s;
        const void *data = engine_output_data(r->g, r->ticket, slots[i], &s);
        cr_assert_leq(count + lth_shape_count(&s), MOST);
        for (int64_t k = 0; k < lth_shape_count(&s); k++)
            numbers[count++] = bench_element(s.dtype, data, k);
    }
    return count;
}

static void compare(rig *r, const char *name, recorder *record, form f, double tolerance)
{
    double is[MOST], expected[MOST];
    f.loop = false;
    int64_t count = run(r, record, &f, expected);
    f.loop = true;
    cr_assert_eq(run(r, record, &f, is), count);
    for (int64_t i = 0; i < count; i++)
        cr_assert(fabs(is[i] - expected[i]) <= tolerance * (1 + fabs(expected[i])),
                  "%s, %lld turns%s: number %lld is %.17g, not %.17g", name, (long long)f.turns, f.reverse ? " back" : "",
                  (long long)i, is[i], expected[i]);
}

static void compare_all(const rig_setup *setup, int order, double tolerance)
{
    static const int64_t turns[] = { 0, 1, 2, 5, T, T + 3 };
    rig r;
    rig_open(&r, setup);
    for (size_t c = 0; c < CASES; c++)
        for (size_t i = 0; i < sizeof turns / sizeof *turns; i++)
            for (int reverse = 0; reverse < 2; reverse++)
                compare(&r, cases[c].name, cases[c].record, (form) { .turns = turns[i], .reverse = reverse, .order = order },
                        tolerance);
    compare(&r, "no count", recurrence, (form) { .turns = -1, .order = order }, tolerance);
    rig_close(&r);
}

/* What is carried stays f32, the products within are of bf16: as when written out, but for the order of roundings. */
Test(loops, compute_in_bf16_what_they_compute_when_written_out)
{
    for (int order = 0; order < 2; order++) {
        compare_all(&(rig_setup) { .lower = LTH_BF16 }, order, 0.03);
        compare_all(&(rig_setup) { .lower = LTH_BF16, .stored = LTH_BF16 }, order, 0.03);
        if (rig_has("cpu"))
            compare_all(&(rig_setup) { .lower = LTH_BF16, .accelerator = "cpu" }, order, 0.03);
    }
}

static void compare_on_all(int order, double tolerance)
{
    compare_all(&(rig_setup) { .floating = LTH_F64 }, order, tolerance);
    compare_all(&(rig_setup) { .floating = LTH_F64, .eager = true }, order, tolerance);
    if (rig_has("cpu")) {
        compare_all(&(rig_setup) { .floating = LTH_F64, .accelerator = "cpu" }, order, tolerance);
        compare_all(&(rig_setup) { .floating = LTH_F64, .accelerator = "cpu", .no_fusion = true }, order, tolerance);
        compare_all(&(rig_setup) { .floating = LTH_F64, .accelerator = "cpu", .eager = true }, order, tolerance);
    }
}

Test(loops, compute_what_their_turns_written_out_compute) { compare_on_all(0, 1e-12); }

Test(loops, have_the_gradients_of_their_turns_written_out) { compare_on_all(1, 1e-11); }

Test(loops, have_the_second_derivatives_of_their_turns_written_out) { compare_on_all(2, 1e-9); }

Test(loops, one_plan_serves_every_number_of_turns_and_every_index)
{
    rig r;
    double numbers[MOST];
    rig_open(&r, &(rig_setup) { .floating = LTH_F64 });
    for (int64_t turns = 0; turns <= T; turns++)
        run(&r, recurrence, &(form) { .loop = true, .turns = turns }, numbers);
    cr_assert_eq(rig_stats(&r).plans_compiled, 1);
    run(&r, recurrence, &(form) { .loop = true, .turns = T, .reverse = true }, numbers);
    cr_assert_eq(rig_stats(&r).plans_compiled, 2, "the direction is the plan's");
    rig_close(&r);
}

Test(loops, a_negative_number_of_turns_is_none)
{
    rig r;
    rig_open(&r, &(rig_setup) { .floating = LTH_F64 });
    rig_begin(&r, &(rig_recipe) { .evaluate = true });
    lth_tensor x = batch(&r), first = number(x, 3);
    lth_loop l = lth_loop_begin(lth_index(x, -5), T, &first, 1, NULL, 0);
    lth_tensor next = lth_add(lth_loop_carried(&l, 0), 1);
    lth_loop_end(&l, &next, 1, NULL, 0);
    uint32_t slot = engine_output(r.g, lth_sum(lth_loop_last(&l, 0)), RIG_HERE);
    cr_assert_eq(rig_end(&r), LTH_OK, "%s", r.e.text);
    cr_assert_eq(engine_output_value(r.g, r.ticket, slot), 12);
    rig_close(&r);
}

/* ---- Random numbers ---- */

static lth_tensor draws(rig *r, bool backwards) /* (T, 2, 4): a loop in a loop, each turn of each with numbers of its own */
{
    lth_tensor x = batch(r);
    lth_loop outer = lth_loop_begin(lth_index(x, T), T, NULL, 0, NULL, 0, .reverse = backwards);
    lth_loop inner = lth_loop_begin(lth_index(x, 2), 2, NULL, 0, NULL, 0);
    lth_tensor u = lth_uniform(x, LTH_SHAPE(4));
    lth_loop_end(&inner, NULL, 0, &u, 1);
    lth_tensor both = lth_loop_stack(&inner, 0);
    lth_loop_end(&outer, NULL, 0, &both, 1);
    return lth_loop_stack(&outer, 0);
}

static void draw_forwards(rig *r, const form *f, outputs *o) { (void)f, put(o, draws(r, false)); }
static void draw_backwards(rig *r, const form *f, outputs *o) { (void)f, put(o, draws(r, true)); }

Test(loops, random_ops_draw_other_numbers_at_each_index_and_the_same_at_the_same)
{
    rig r;
    double a[MOST], b[MOST];
    const form f = { .loop = true };
    rig_open(&r, &(rig_setup) { .floating = LTH_F64 });
    int64_t count = run(&r, draw_forwards, &f, a);
    cr_assert_eq(count, T * 8);
    for (int64_t i = 0; i < count; i++)
        for (int64_t k = 0; k < i; k++)
            cr_assert_neq(a[i], a[k], "numbers %lld and %lld", (long long)i, (long long)k);
    run(&r, draw_backwards, &f, b);
    cr_assert_eq(memcmp(a, b, sizeof *a * (size_t)count), 0, "the direction does not matter");
    rig_close(&r);
}

static void draw_for_gradient(rig *r, const form *f, outputs *o) /* d sum (u_t c) / d c is the sum of the u_t */
{
    (void)r;
    lth_tensor c = lth_exp(row(f->x, 0));
    lth_loop l = lth_loop_begin(lth_index(c, 5), T, NULL, 0, NULL, 0);
    lth_tensor part = lth_mul(lth_uniform(c, LTH_SHAPE(3)), c), d;
    lth_loop_end(&l, NULL, 0, &part, 1);
    lth_grad(lth_sum(lth_loop_stack(&l, 0)), &c, 1, &d);
    put(o, lth_div(lth_sum_axis(lth_loop_stack(&l, 0), 0, 0), c)), put(o, d);
}

Test(loops, the_backward_loop_draws_what_the_forward_loop_drew)
{
    rig r;
    double numbers[MOST];
    rig_open(&r, &(rig_setup) { .floating = LTH_F64 });
    cr_assert_eq(run(&r, draw_for_gradient, &(form) { .loop = true }, numbers), 6);
    for (int i = 0; i < 3; i++)
        cr_assert_float_eq(numbers[i], numbers[3 + i], 1e-14);
    rig_close(&r);
}

static void derive_inside(rig *r, const form *f, outputs *o) /* Newton's steps towards a root of x^2 - 2 */
{
    (void)r;
    lth_tensor first = lth_scalar(f->x, 1);
    lth_loop l = lth_loop_begin(lth_none(), T, &first, 1, NULL, 0);
    lth_tensor x = lth_loop_carried(&l, 0), y = lth_sub(lth_square(x), 2), d;
    lth_grad(y, &x, 1, &d);
    lth_tensor next = lth_sub(x, lth_div(y, d));
    lth_loop_end(&l, &next, 1, NULL, 0);
    put(o, lth_loop_last(&l, 0));
}

Test(loops, derivatives_can_be_taken_within_a_body)
{
    rig r;
    double root;
    rig_open(&r, &(rig_setup) { .floating = LTH_F64 });
    run(&r, derive_inside, &(form) { .loop = true }, &root);
    cr_assert_float_eq(root, sqrt(2), 1e-15);
    rig_close(&r);
}

Test(loops, a_steady_step_with_a_loop_and_its_gradient_allocates_nothing)
{
    static rig r;
    double numbers[MOST];
    rig_open(&r, &(rig_setup) { .floating = LTH_F64 });
    for (int i = 0; i < 40; i++) {
        if (i == 20)
            allocations_begin();
        run(&r, recurrence, &(form) { .loop = true, .turns = i % (T + 2), .order = 1 }, numbers);
    }
    int calls = allocations_end();
    cr_assert_eq(calls, 0, "%d allocations in 20 steps", calls);
    rig_close(&r);
}

/* ---- What nobody needs ---- */

static uint32_t op(graph *g, uint32_t code, const uint32_t *operands, uint32_t count, const void *attributes, uint32_t size)
{
    error e = { 0 };
    uint32_t v = graph_emit(g, code, operands, count, attributes, size, 0, &e);
    cr_assert_neq(v, LTH_NO_VALUE, "%s", e.text);
    return v;
}

/* Carries a (by itself and b), b, c (by itself) and d (by nobody); stacks a part of the second sequence, and d. */
Test(loops, what_is_carried_taken_and_stacked_for_nobody_is_dropped)
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

/* ---- Looking in ---- */

Test(loops, a_value_of_a_loop_can_be_read_in_the_middle_of_a_step_that_goes_on_with_it)
{
    static const char *const accelerators[] = { "reference", "cpu" };
    for (size_t i = 0; i < 2; i++) {
        rig r;
        double numbers[MOST], read, sum = 0;
        if (!rig_has(accelerators[i]))
            continue;
        rig_open(&r, &(rig_setup) { .floating = LTH_F64, .accelerator = accelerators[i] });
        run(&r, recurrence, &(form) { .loop = true, .turns = 5 }, numbers);
        outputs o = { .count = 0 };
        rig_begin(&r, &(rig_recipe) { .evaluate = true });
        recurrence(&r, &(form) { .loop = true, .turns = 5, .x = batch(&r) }, &o);
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
    lth_tensor first = lth_add(lth_sum(lth_mul(lth_parameter_value(batch(r), r->b1), 0)), 4);
    lth_loop l = lth_loop_begin(lth_none(), T, &first, 1, NULL, 0);
    lth_tensor next = lth_sqrt(lth_sub(lth_loop_carried(&l, 0), 1.5));
    lth_loop_end(&l, &next, 1, &next, 1);
    const engine_update_args args = { .divisor = 1, .guard = true };
    const lth_tensor *gradients;
    uint32_t count;
    cr_assert_eq(engine_gradients(r->g, 0, lth_sum(lth_loop_stack(&l, 0)), &gradients, &count, RIG_HERE), LTH_OK);
    engine_update(r->g, 0, gradients, &args, RIG_HERE);
}

Test(loops, the_op_of_a_body_that_made_the_first_number_which_is_not_finite_is_named)
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

Test(loops, a_plan_shows_a_body_within_its_loop)
{
    rig r;
    double numbers[MOST];
    str text = { 0 };
    rig_open(&r, &(rig_setup) { .floating = LTH_F64 });
    run(&r, recurrence, &(form) { .loop = true, .turns = 5, .reverse = true }, numbers);
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

Test(loops, rows_are_written_into_what_is_carried_without_a_copy_and_stacks_nobody_reads_have_no_memory)
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

/* ---- What is refused ---- */

static lth_loop simple(rig *r, lth_tensor *x, lth_tensor *first)
{
    *x = batch(r);
    *first = number(*x, 1);
    return lth_loop_begin(lth_none(), T, first, 1, x, 1);
}

typedef void mistake(rig *r);

static void end(lth_loop *l, lth_tensor next) { lth_loop_end(l, &next, 1, NULL, 0); }

static void changes_shape(rig *r)
{
    lth_tensor x, a;
    lth_loop l = simple(r, &x, &a);
    end(&l, lth_sum(lth_loop_carried(&l, 0)));
}

static void uses_the_body_outside(rig *r)
{
    lth_tensor x, a;
    lth_loop l = simple(r, &x, &a);
    lth_tensor inside = lth_add(lth_loop_carried(&l, 0), 1);
    end(&l, inside);
    engine_output(r->g, lth_neg(inside), RIG_HERE);
}

static void outputs_the_body(rig *r)
{
    lth_tensor x, a;
    lth_loop l = simple(r, &x, &a);
    end(&l, lth_loop_carried(&l, 0));
    engine_output(r->g, lth_loop_part(&l, 0), RIG_HERE);
}

static void assigns_inside(rig *r)
{
    lth_tensor x, a;
    lth_loop l = simple(r, &x, &a);
    lth_assign(r->seen, lth_sum(lth_loop_part(&l, 0)));
    end(&l, lth_loop_carried(&l, 0));
}

static void reads_inside(rig *r)
{
    lth_tensor x, a;
    lth_loop l = simple(r, &x, &a);
    (void)lth_item(lth_sum(lth_loop_part(&l, 0)));
    end(&l, lth_loop_carried(&l, 0));
}

static void prints_inside(rig *r)
{
    lth_tensor x, a;
    lth_loop l = simple(r, &x, &a);
    lth_print("x", lth_loop_part(&l, 0));
    end(&l, lth_loop_carried(&l, 0));
}

static void outputs_inside(rig *r)
{
    lth_tensor x, a;
    lth_loop l = simple(r, &x, &a);
    engine_output(r->g, x, RIG_HERE);
    end(&l, lth_loop_carried(&l, 0));
}

static void never_ends(rig *r)
{
    lth_tensor x, a;
    (void)simple(r, &x, &a);
}

static void ends_twice(rig *r)
{
    lth_tensor x, a;
    lth_loop l = simple(r, &x, &a);
    end(&l, lth_loop_carried(&l, 0));
    end(&l, a);
}

static void ends_the_outer_one_first(rig *r)
{
    lth_tensor x, a;
    lth_loop l = simple(r, &x, &a), m = lth_loop_begin(lth_none(), 2, &a, 1, NULL, 0);
    end(&l, lth_loop_carried(&m, 0));
}

static void has_too_few_next_values(rig *r)
{
    lth_tensor x, a;
    lth_loop l = simple(r, &x, &a);
    lth_loop_end(&l, NULL, 0, NULL, 0);
}

static void carries_and_stacks_nothing(rig *r)
{
    lth_tensor x = batch(r);
    lth_loop l = lth_loop_begin(lth_none(), T, NULL, 0, &x, 1);
    lth_loop_end(&l, NULL, 0, NULL, 0);
}

static void counts_in_floats(rig *r)
{
    lth_tensor x = batch(r), a = number(x, 1);
    lth_loop l = lth_loop_begin(lth_scalar(x, 3), T, &a, 1, NULL, 0);
    end(&l, lth_loop_carried(&l, 0));
}

static void has_a_short_sequence(rig *r)
{
    lth_tensor x = batch(r), a = number(x, 1);
    lth_loop l = lth_loop_begin(lth_none(), T + 1, &a, 1, &x, 1);
    end(&l, lth_loop_carried(&l, 0));
}

static void has_a_negative_length(rig *r)
{
    lth_tensor x = batch(r), a = number(x, 1);
    lth_loop l = lth_loop_begin(lth_none(), -1, &a, 1, NULL, 0);
    end(&l, lth_loop_carried(&l, 0));
}

static void differentiates_by_the_outside(rig *r)
{
    lth_tensor x, a, d;
    lth_loop l = simple(r, &x, &a);
    lth_grad(lth_sum(lth_mul(lth_loop_carried(&l, 0), a)), &a, 1, &d);
    end(&l, d);
}

Test(loops, what_cannot_be_is_refused_with_the_authors_place)
{
    static const struct {
        mistake *make;
        const char *message;
    } rows[] = {
        { changes_shape, "loop: carried value 0 was f64 (1, 4) as the loop began, a turn hands on f64 ()" },
        { uses_the_body_outside, "neg: operand 1 was made in the body of the loop at" },
        { outputs_the_body, "an output was made in the body of the loop at" },
        { assigns_inside, "assign in the body of the loop at" },
        { reads_inside, "read in the body of the loop at" },
        { prints_inside, "print in the body of the loop at" },
        { outputs_inside, "an output in the body of the loop at" },
        { never_ends, "lth_loop_begin without lth_loop_end" },
        { ends_twice, "lth_loop_end of a loop that is not open" },
        { ends_the_outer_one_first, "lth_loop_end of the outer loop first" },
        { has_too_few_next_values, "lth_loop_end: 0 next values for the 1 that the loop carries" },
        { carries_and_stacks_nothing, "it neither carries nor stacks anything" },
        { counts_in_floats, "the number of turns is an i64 of rank 0, this one is f64 ()" },
        { has_a_short_sequence, "sequence 0 is f64 (8, 3); its first dimension must be the loop's length 9" },
        { has_a_negative_length, "a length of -1" },
        { differentiates_by_the_outside, "grad: tensor 1 was made outside of the loop's body" },
    };
    rig r;
    rig_open(&r, &(rig_setup) { .floating = LTH_F64 });
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        rig_begin(&r, &(rig_recipe) { .evaluate = true });
        rows[i].make(&r);
        cr_assert_neq(rig_end(&r), LTH_OK, "row %zu", i);
        cr_assert(strstr(r.e.text, rows[i].message), "row %zu: %s", i, r.e.text);
        cr_assert(strstr(r.e.text, "test_loops.c:"), "row %zu: %s", i, r.e.text);
    }
    rig_close(&r);
}
