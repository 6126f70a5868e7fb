/* SPDX-License-Identifier: Apache-2.0
 * What is composed of ops in lower precisions, against recordings in fp64.
 *
 * An op rounds by u (2^-8 in bf16, 2^-11 in f16) relative to what it takes, and its terms may cancel. So the root mean square of
 * an output's errors is measured in u times the sum of two others: that of what was recorded, and that of what the recordings
 * draw as inputs. */
#include "nn_fixture.h"

#include "engine/half.h"

#include <criterion/criterion.h>
#include <lthost/create.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { NUMBERS = 8192 };
static const double DRAWN = 0.58; /* uniform in (-1, 1) */

static bool is_built(const char *accelerator)
{
    char path[1000];
    snprintf(path, sizeof path, "%s/%s/%s.so", LTHOST_TEST_PLUGINS, accelerator, accelerator);
    return access(path, R_OK) == 0;
}

void lab_each_lower(void (*run)(const lab_precision *precision, void *context), void *context)
{
    static const lab_precision all[] = {
        { "bf16-mixed", "reference", LTH_F32, LTH_BF16, LTH_DTYPE_NONE },
        { "bf16-true", "reference", LTH_F32, LTH_BF16, LTH_BF16 },
        { "16-mixed", "reference", LTH_F32, LTH_F16, LTH_DTYPE_NONE },
        { "bf16-mixed", "cpu", LTH_F32, LTH_BF16, LTH_DTYPE_NONE },
        { "bf16-true", "cpu", LTH_F32, LTH_BF16, LTH_BF16 },
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (is_built(all[i].accelerator))
            run(&all[i], context);
}

void lab_set_scale(lab *l)
{
    const float scale = 256;
    for (uint32_t i = 0; i < engine_tensor_count(l->g); i++)
        if (strcmp(engine_tensor_at(l->g, i)->name, "scaler/scale") == 0)
            cr_assert_eq(engine_tensor_set(l->g, i, &scale, &l->e), LTH_OK, "%s", l->e.text);
}

lth_tensor lab_operand(lab *l, const char *name)
{
    lth_tensor x = lab_input(l, name);
    if (!l->precision->lower || lth_is_none(x) || !lth_dtype_is_float(lth_dtype_of(x)))
        return x;
    lth_shape s = *lth_shape_of(x), one = { s.dtype, 2, { 1, 1 } };
    return lth_reshape_to(lth_matmul(lth_reshape(x, lth_count(x), 1), lth_ones(x, &one)), &s);
}

bool lab_differs(lab *l, const char *what, const char *of, uint32_t slot, const json_t *expected, double exact, double roundings)
{
    static double numbers[NUMBERS];
    int64_t count = json_flatten(expected, numbers, NUMBERS), worst = -1;
    double errors = 0, squares = 0;
    cr_assert_eq(lth_shape_count(lab_output_shape(l, slot)), count, "%s: %s has another shape", what, of);
    for (int64_t i = 0; i < count; i++) {
        double error = fabs(lab_value(l, slot, i) - numbers[i]);
        if (!(error <= exact * (1 + fabs(numbers[i]))) && worst < 0)
            worst = i;
        errors += error * error;
        squares += numbers[i] * numbers[i];
    }
    if (!l->precision->lower) {
        if (worst >= 0)
            fprintf(stderr, "%s: %s[%lld] = %.17g, torch has %.17g\n", what, of, (long long)worst, lab_value(l, slot, worst),
                    numbers[worst]);
        return worst >= 0;
    }
    double n = count ? (double)count : 1,
           is = sqrt(errors / n) / half_roundoff(l->precision->lower) / (sqrt(squares / n) + DRAWN);
    l->greatest = fmax(l->greatest, is);
    if (is <= roundings)
        return false;
    fprintf(stderr, "%s in %s on %s: %s is %.2f roundings from torch's, more than %g\n", what, l->precision->name,
            l->precision->accelerator, of, is, roundings);
    return true;
}

/* FNV-1a */
uint64_t lab_bits(lab *l, uint32_t slots)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (uint32_t slot = 0; slot < slots; slot++) {
        lth_shape s;
        const unsigned char *data = engine_output_data(l->g, l->ticket, slot, &s);
        for (int64_t i = 0; i < lth_shape_count(&s) * (int64_t)lth_dtype_size(s.dtype); i++)
            h = (h ^ data[i]) * 0x100000001b3u;
    }
    return h;
}
