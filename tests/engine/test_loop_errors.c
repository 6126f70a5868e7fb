/* SPDX-License-Identifier: Apache-2.0
 * What loops refuse, with the place of the author. */
#include "loop_cases.h"

#include <criterion/criterion.h>
#include <lthost/control.h>
#include <string.h>

static lth_loop simple(rig *r, lth_tensor *x, lth_tensor *first)
{
    *x = loop_batch(r);
    *first = loop_number(*x, 1);
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
    lth_tensor x = loop_batch(r);
    lth_loop l = lth_loop_begin(lth_none(), T, NULL, 0, &x, 1);
    lth_loop_end(&l, NULL, 0, NULL, 0);
}

static void counts_in_floats(rig *r)
{
    lth_tensor x = loop_batch(r), a = loop_number(x, 1);
    lth_loop l = lth_loop_begin(lth_scalar(x, 3), T, &a, 1, NULL, 0);
    end(&l, lth_loop_carried(&l, 0));
}

static void has_a_short_sequence(rig *r)
{
    lth_tensor x = loop_batch(r), a = loop_number(x, 1);
    lth_loop l = lth_loop_begin(lth_none(), T + 1, &a, 1, &x, 1);
    end(&l, lth_loop_carried(&l, 0));
}

static void has_a_negative_length(rig *r)
{
    lth_tensor x = loop_batch(r), a = loop_number(x, 1);
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

Test(loop_errors, what_cannot_be_is_refused_with_the_authors_place)
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
        cr_assert(strstr(r.e.text, "test_loop_errors.c:"), "row %zu: %s", i, r.e.text);
    }
    rig_close(&r);
}
