/* SPDX-License-Identifier: Apache-2.0 */
#include "loop_cases.h"

#include <criterion/criterion.h>
#include <lthost/control.h>
#include <string.h>

void loop_put(loop_outputs *o, lth_tensor x) { o->at[o->count++] = x; }

static int64_t clamp(int64_t turns) { return turns < 0 || turns > T ? T : turns; }

lth_tensor loop_batch(rig *r) /* (T, 3) */
{
    lth_tensor x = engine_input(r->g, "x", RIG_HERE);
    return r->options.floating == LTH_F32 ? x : lth_cast(x, r->options.floating);
}

lth_tensor loop_number(lth_tensor like, double value) { return lth_expand(lth_scalar(like, value), 1, 4); }

lth_tensor loop_row(lth_tensor x, int64_t i) /* what a loop shows of a sequence */
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

void loop_recurrence(rig *r, const loop_form *f, loop_outputs *o)
{
    lth_tensor x = f->x, carried[] = { loop_number(x, 0.5), loop_number(x, -0.25) }, parts[T];
    bool taken[T] = { false };
    if (f->loop) {
        lth_tensor count = f->turns < 0 ? lth_none() : lth_index(x, f->turns);
        lth_loop l = lth_loop_begin(count, T, carried, 2, &x, 1, .reverse = f->reverse);
        lth_tensor next[] = { lth_loop_carried(&l, 0), lth_loop_carried(&l, 1) };
        lth_tensor part = recur(r, lth_loop_part(&l, 0), lth_loop_index(&l), next);
        lth_loop_end(&l, next, 2, &part, 1);
        loop_put(o, lth_loop_last(&l, 0)), loop_put(o, lth_loop_last(&l, 1)), loop_put(o, lth_loop_stack(&l, 0));
        return;
    }
    for (int64_t k = 0, n = clamp(f->turns); k < n; k++) {
        int64_t i = f->reverse ? n - 1 - k : k;
        parts[i] = recur(r, loop_row(x, i), lth_index(x, i), carried);
        taken[i] = true;
    }
    loop_put(o, carried[0]), loop_put(o, carried[1]), loop_put(o, stack(parts, taken, carried[0]));
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
        *sum = lth_add(lth_sin(*sum), lth_mul(loop_row(x, i), lth_add(bias, grown)));
}

static void nested(rig *r, const loop_form *f, loop_outputs *o)
{
    lth_tensor x = f->x, sum = loop_number(x, 0.5), parts[T];
    bool taken[T] = { false };
    if (f->loop) {
        lth_loop l = lth_loop_begin(lth_index(x, clamp(f->turns)), T, &sum, 1, &x, 1, .reverse = f->reverse);
        sum = lth_loop_carried(&l, 0);
        inner(r, lth_loop_part(&l, 0), &sum, true, lth_loop_index(&l), 0);
        lth_loop_end(&l, &sum, 1, &sum, 1);
        loop_put(o, lth_loop_last(&l, 0)), loop_put(o, lth_loop_stack(&l, 0));
        return;
    }
    for (int64_t k = 0, n = clamp(f->turns); k < n; k++) {
        int64_t i = f->reverse ? n - 1 - k : k;
        inner(r, loop_row(x, i), &sum, false, lth_none(), i < 3 ? i : 3);
        parts[i] = sum;
        taken[i] = true;
    }
    loop_put(o, sum), loop_put(o, stack(parts, taken, sum));
}

/* ---- Values handed on crosswise, unchanged, from outside, and through views ---- */

static void crosswise(rig *r, const loop_form *f, loop_outputs *o)
{
    (void)r;
    lth_tensor x = f->x, outside = loop_row(x, 0),
               carried[] = { loop_row(x, 1), loop_row(x, 2), loop_row(x, 3), lth_reshape(lth_slice(x, 0, 4, 6), 2, 3) };
    if (f->loop) {
        lth_loop l = lth_loop_begin(lth_index(x, f->turns), T, carried, 4, NULL, 0, .reverse = f->reverse);
        lth_tensor next[] = { lth_loop_carried(&l, 1), lth_loop_carried(&l, 0), loop_row(lth_loop_carried(&l, 3), 1),
                              lth_flip(lth_loop_carried(&l, 3), 0) };
        lth_tensor parts[] = { lth_loop_carried(&l, 0), outside };
        lth_loop_end(&l, next, 4, parts, 2);
        for (uint32_t i = 0; i < 4; i++)
            loop_put(o, lth_loop_last(&l, i));
        loop_put(o, lth_loop_stack(&l, 0)), loop_put(o, lth_loop_stack(&l, 1));
        return;
    }
    lth_tensor first[T], second[T];
    bool taken[T] = { false };
    for (int64_t k = 0, n = clamp(f->turns); k < n; k++) {
        int64_t i = f->reverse ? n - 1 - k : k;
        lth_tensor next[] = { carried[1], carried[0], loop_row(carried[3], 1), lth_flip(carried[3], 0) };
        first[i] = carried[0], second[i] = outside, taken[i] = true;
        memcpy(carried, next, sizeof carried);
    }
    for (uint32_t i = 0; i < 4; i++)
        loop_put(o, carried[i]);
    loop_put(o, stack(first, taken, outside)), loop_put(o, stack(second, taken, outside));
}

/* ---- Rows written into what is carried, and read again ---- */

static lth_tensor write_row(lth_tensor cache, lth_tensor x, lth_tensor at, lth_tensor *sum)
{
    cache = lth_update_at(cache, 0, at, lth_reshape(lth_mul(x, 2), 1, 3));
    *sum = lth_add(*sum, lth_sum_axis(cache, 0, 0));
    return cache;
}

static void cache(rig *r, const loop_form *f, loop_outputs *o)
{
    (void)r;
    lth_tensor x = f->x, carried[] = { lth_mul(x, 0.5), loop_row(x, 0) };
    if (f->loop) {
        lth_loop l = lth_loop_begin(lth_index(x, f->turns), T, carried, 2, &x, 1, .reverse = f->reverse);
        lth_tensor next[] = { lth_loop_carried(&l, 0), lth_loop_carried(&l, 1) };
        next[0] = write_row(next[0], lth_loop_part(&l, 0), lth_loop_index(&l), &next[1]);
        lth_loop_end(&l, next, 2, NULL, 0);
        loop_put(o, lth_loop_last(&l, 0)), loop_put(o, lth_loop_last(&l, 1));
        return;
    }
    for (int64_t k = 0, n = clamp(f->turns); k < n; k++) {
        int64_t i = f->reverse ? n - 1 - k : k;
        carried[0] = write_row(carried[0], loop_row(x, i), lth_index(x, i), &carried[1]);
    }
    loop_put(o, carried[0]), loop_put(o, carried[1]);
}

/* ---- Running them ---- */

typedef void recorder(rig *r, const loop_form *f, loop_outputs *o);

const loop_case loop_cases[LOOP_CASES] = {
    { "recurrence", loop_recurrence }, { "nested", nested }, { "crosswise", crosswise }, { "cache", cache }
};

/* The derivatives of a number that hangs on all outputs take their place. */
static void differentiate(rig *r, const loop_form *f, loop_outputs *o)
{
    lth_tensor wrt[] = { f->x, lth_parameter_value(f->x, r->w1), lth_parameter_value(f->x, r->b1) }, loss = lth_scalar(f->x, 0);
    for (uint32_t i = 0; i < o->count; i++)
        loss = lth_add(loss, lth_sum(lth_mul(o->at[i], lth_sin(o->at[i]))));
    lth_grad(loss, wrt, 3, o->at);
    o->count = 3;
}

int64_t loop_run(rig *r, loop_recorder *record, const loop_form *given, double *numbers)
{
    loop_outputs o = { .count = 0 };
    loop_form f = *given;
    uint32_t slots[12];
    int64_t count = 0;
    rig_begin(r, &(rig_recipe) { .evaluate = true, .hook = f.loop ? "loop" : "written_out" });
    f.x = loop_batch(r);
    record(r, &f, &o);
    for (int i = 0; i < f.order; i++)
        differentiate(r, &f, &o);
    for (uint32_t i = 0; i < o.count; i++)
        slots[i] = engine_output(r->g, o.at[i], RIG_HERE);
    cr_assert_eq(rig_end(r), LTH_OK, "%s", r->e.text);
    for (uint32_t i = 0; i < o.count; i++) {
        lth_shape s;
        const void *data = engine_output_data(r->g, r->ticket, slots[i], &s);
        cr_assert_leq(count + lth_shape_count(&s), LOOP_NUMBERS);
        for (int64_t k = 0; k < lth_shape_count(&s); k++)
            numbers[count++] = bench_element(s.dtype, data, k);
    }
    return count;
}
