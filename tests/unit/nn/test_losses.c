/* SPDX-License-Identifier: Apache-2.0
 * What the recordings of torch do not say of losses: fp32, and values that are refused while the run goes. Their values and
 * gradients: test_golden.c. */
#include "nn_fixture.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

/* In the type that runs have; the recordings of torch are in f64. */
Test(nn_losses, are_finite_with_their_gradients_at_extreme_logits_in_f32)
{
    lab l;
    lab_open(&l, LTH_F32, NULL, NULL);
    lab_field_text(&l, "x", "[[1e4, -1e4, 0.0], [-1e4, 1e4, 3e4], [0.0, 0.0, 0.0]]");
    lab_field_text(&l, "class", "[1, 2, 0]");
    lab_field_text(&l, "yes", "[[1.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 1.0]]");
    lab_field_text(&l, "length", "[1]");
    for (int k = 0; k < 9; k++) {
        lab_begin(&l, true);
        lth_tensor x = lth_cast(lab_input(&l, "x"), LTH_F32), yes = lth_cast(lab_input(&l, "yes"), LTH_F32);
        lth_tensor class = lab_input(&l, "class"), length = lab_input(&l, "length"), log_p = lth_log_softmax(x, 1), gradient, loss;
        switch (k) {
        case 0: loss = lth_cross_entropy(x, class, .label_smoothing = 0.1); break;
        case 1: loss = lth_binary_cross_entropy_with_logits(x, yes); break;
        case 2: loss = lth_sigmoid_focal_loss(x, yes); break;
        case 3: loss = lth_multilabel_soft_margin_loss(x, yes); break;
        case 4: loss = lth_binary_cross_entropy(lth_sigmoid(x), yes); break;
        case 5: loss = lth_ctc_loss(lth_reshape(log_p, 3, 1, 3), lth_reshape(lth_slice(class, 0, 0, 1), 1, 1), lth_mul(length, 3.0), length); break;
        case 6: loss = lth_ctc_loss(lth_reshape(log_p, 3, 1, 3), lth_reshape(class, 1, 3), length, lth_mul(length, 3.0), .zero_infinity = 1); break;
        case 7: loss = lth_nt_xent_loss(x, lth_mul(x, yes)); break;
        default: loss = lth_soft_margin_loss(x, lth_sub(lth_mul(yes, 2.0), 1)); break;
        }
        lth_grad(loss, &x, 1, &gradient);
        engine_output(l.g, loss, LTH_HERE);
        engine_output(l.g, gradient, LTH_HERE);
        lab_end(&l);
        cr_expect(isfinite(lab_value(&l, 0, 0)), "loss %d is %g", k, lab_value(&l, 0, 0));
        for (int i = 0; i < 9; i++)
            cr_expect(isfinite(lab_value(&l, 1, i)), "loss %d: gradient %d is %g", k, i, lab_value(&l, 1, i));
    }
    lab_close(&l);
}

Test(nn_losses, refuse_values_that_only_the_run_can_know)
{
    static const struct { const char *p, *lengths, *text; } rows[] = {
        { "[[0.5, 1.5]]", "[2]", "outside 0..1" }, { "[[0.5, 0.5]]", "[3]", "target length" }, { "[[0.5, 0.5]]", "[-1]", "target length" },
        { "[[0.5, 0.5]]", "[2]", NULL },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        lab l;
        lab_open(&l, LTH_F64, NULL, NULL);
        lab_field_text(&l, "p", rows[i].p);
        lab_field_text(&l, "x", "[[[0.0, 1.0, 2.0]], [[0.0, 1.0, 2.0]]]");
        lab_field_text(&l, "y", "[[1, 2]]");
        lab_field_text(&l, "two", "[2]");
        lab_field_text(&l, "lengths", rows[i].lengths);
        lab_begin(&l, true);
        lth_tensor p = lab_input(&l, "p");
        engine_output(l.g, lth_binary_cross_entropy(p, p), LTH_HERE);
        engine_output(l.g, lth_ctc_loss(lth_log_softmax(lab_input(&l, "x"), -1), lab_input(&l, "y"), lab_input(&l, "two"), lab_input(&l, "lengths")),
                      LTH_HERE);
        lth_status status = lab_try_end(&l);
        cr_assert_eq(status, rows[i].text ? LTH_CHECK : LTH_OK, "row %zu", i);
        cr_assert(!rows[i].text || strstr(l.e.text, rows[i].text), "%s", l.e.text);
        lab_close(&l);
    }
}
