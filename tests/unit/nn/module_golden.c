/* SPDX-License-Identifier: Apache-2.0 */
#include "module_golden.h"

#include "util/json.h"

#include <criterion/criterion.h>
#include <lthost/accel/plain/convert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBERS = 8192, WRT = 64 };

double module_option(const module_trial *t, const char *name, double otherwise)
{
    const json_t *value = json_object_get(t->options, name);
    double number = otherwise;
    if (value && !json_is_boolean(value))
        cr_assert(json_to_f64(value, &number), "option %s", name);
    return value && json_is_boolean(value) ? json_is_true(value) : number;
}

const char *module_word(const module_trial *t, const char *name, const char *otherwise)
{
    const char *word = json_string_value(json_object_get(t->options, name));
    return word ? word : otherwise;
}

lth_tensor module_input(module_trial *t, const char *name) { return lab_operand(&t->lab, name); }

/* The layer's own values are replaced; every one of them must have been recorded. */
static void set_parameters(lab *l, const char *what, const json_t *values)
{
    static double numbers[NUMBERS];
    size_t set = 0;
    for (uint32_t i = 0; i < engine_tensor_count(l->g); i++) {
        const engine_tensor *t = engine_tensor_at(l->g, i);
        if (t->kind != ENGINE_PARAMETER)
            continue;
        const json_t *value = json_object_get(values, t->name);
        cr_assert_not_null(value, "%s: torch has no parameter '%s'", what, t->name);
        const json_t *v = value;
        for (int32_t d = 0; d < t->shape.rank; d++, v = json_array_get(v, 0))
            cr_assert_eq((int64_t)json_array_size(v), t->shape.dim[d], "%s: %s has another shape", what, t->name);
        int64_t n = json_flatten(value, numbers, NUMBERS);
        for (int64_t k = 0; k < n; k++) /* in place: none is longer than a double */
            plain_store_float(t->shape.dtype, numbers, k, numbers[k]);
        cr_assert_eq(engine_tensor_set(l->g, i, numbers, &l->e), LTH_OK, "%s", l->e.text);
        set++;
    }
    cr_assert_eq(set, json_object_size(values), "%s: %zu parameters, torch has %zu", what, set, json_object_size(values));
}

static lth_tensor parameter(lab *l, lth_tensor near_, const char *name)
{
    const lth_parameter_info *info;
    uint32_t count = engine_parameters(l->g, &info);
    for (uint32_t i = 0; i < count; i++)
        if (strcmp(info[i].name, name) == 0)
            return lth_parameter_value(near_, ((lth_parameter) { i + 1, 0 }));
    cr_assert_fail("no input and no parameter is named '%s'", name);
    return near_;
}

static void record(module_trial *t, const module_row *row, const json_t *c)
{
    lth_tensor outputs[MODULE_OUTPUTS], wrt[WRT], gradients[WRT], loss = lth_none();
    uint32_t count = 0, slots = 0, n = 0;
    const char *name;
    json_t *value;
    row->run(t, outputs);
    json_object_foreach(json_object_get(c, "outputs"), name, value)
    {
        char field[64];
        snprintf(field, sizeof field, "upstream %s", name);
        lth_tensor term = lth_sum(lth_mul(outputs[n], lab_input(&t->lab, field)));
        loss = n == 0 ? term : lth_add(loss, term);
        cr_assert_eq(engine_output(t->lab.g, outputs[n++], LTH_HERE), slots++);
    }
    json_object_foreach(json_object_get(c, "grads"), name, value)
    {
        lth_tensor x = lab_input(&t->lab, name);
        cr_assert_lt(count, WRT);
        wrt[count++] = lth_is_none(x) ? parameter(&t->lab, loss, name) : x;
    }
    lth_grad(loss, wrt, count, gradients);
    for (uint32_t i = 0; i < count; i++)
        cr_assert_eq(engine_output(t->lab.g, gradients[i], LTH_HERE), slots++);
}

/* Recordings that are tried, and in what. */
typedef struct attempt {
    module_trial trial;
    const char *file;
    const module_row *rows;
    size_t count;
    double roundings, greatest; /* that may be; that were met */
} attempt;

static void open_case(module_trial *t, const lab_precision *precision, const module_row *row, const json_t *c)
{
    static char upstream[MODULE_OUTPUTS][64];
    const char *name;
    json_t *value;
    uint32_t n = 0;
    t->options = json_object_get(c, "options");
    lab_open_in(&t->lab, precision, row->configure, t);
    set_parameters(&t->lab, json_string_value(json_object_get(c, "name")), json_object_get(c, "parameters"));
    lab_set_scale(&t->lab);
    json_object_foreach(json_object_get(c, "inputs"), name, value) lab_field(&t->lab, name, value);
    json_object_foreach(json_object_get(c, "upstream"), name, value)
    {
        snprintf(upstream[n], sizeof *upstream, "upstream %s", name);
        lab_field(&t->lab, upstream[n++], value);
    }
}

/* Whether the case differs; bits: of all that came out. */
static bool run_case(attempt *a, const lab_precision *precision, const module_row *row, const json_t *c, uint64_t *bits)
{
    const char *what = json_string_value(json_object_get(c, "name")), *name;
    lab *l = &a->trial.lab;
    json_t *value;
    bool wrong = false;
    uint32_t slot = 0;
    open_case(&a->trial, precision, row, c);
    lab_begin(l, true);
    record(&a->trial, row, c);
    if (lab_try_end(l)) {
        fprintf(stderr, "%s in %s: %s\n", what, precision->name, l->e.text);
        wrong = true;
    } else {
        json_object_foreach(json_object_get(c, "outputs"), name, value) wrong |=
            lab_differs(l, what, name, slot++, value, 1e-12, a->roundings);
        json_object_foreach(json_object_get(c, "grads"), name, value) wrong |=
            lab_differs(l, what, name, slot++, value, 1e-12, a->roundings);
        *bits = lab_bits(l, slot);
        a->greatest = fmax(a->greatest, l->greatest);
    }
    lab_close(l);
    return wrong;
}

static bool run_twice(attempt *a, const lab_precision *precision, const module_row *row, const json_t *c)
{
    uint64_t bits = 0, again = 1;
    bool wrong = run_case(a, precision, row, c, &bits) || run_case(a, precision, row, c, &again);
    if (!wrong && bits != again)
        fprintf(stderr, "%s in %s has other bits the second time\n", json_string_value(json_object_get(c, "name")),
                precision->name);
    return wrong || bits != again;
}

static void run_file(const lab_precision *precision, void *context)
{
    attempt *a = context;
    char path[512];
    error e = { 0 };
    json_t *golden, *c;
    size_t i, cases = 0, met = 0, wrong = 0;
    snprintf(path, sizeof path, "%s/tests/golden/%s", LTHOST_TEST_SOURCE, a->file);
    cr_assert_eq(json_read(path, &golden, &e), LTH_OK, "%s", e.text);
    a->greatest = 0;
    for (size_t r = 0; r < a->count; r++) {
        size_t before = cases;
        json_array_foreach(json_object_get(golden, "cases"), i,
                           c) if (strcmp(a->rows[r].module, json_string_value(json_object_get(c, "module"))) == 0)
        {
            wrong += run_twice(a, precision, &a->rows[r], c);
            cases++;
        }
        met += cases > before;
    }
    cr_expect_eq(wrong, 0, "in %s on %s %zu of %zu cases differ", precision->name, precision->accelerator, wrong, cases);
    cr_expect(!precision->lower || a->greatest > 0.2, "nothing was computed in the lower type");
    cr_assert_eq(met, a->count, "a module has no case");
    cr_assert_eq(cases, json_array_size(json_object_get(golden, "cases")), "a case has no module");
    json_decref(golden);
}

void module_golden(const char *file, const module_row *rows, size_t count)
{
    static attempt a;
    a = (attempt) { .file = file, .rows = rows, .count = count };
    run_file(&lab_exact, &a);
}

void module_golden_lower(const char *file, const module_row *rows, size_t count, double roundings)
{
    static attempt a;
    a = (attempt) { .file = file, .rows = rows, .count = count, .roundings = roundings };
    lab_each_lower(run_file, &a);
}

/* ---- Initial values ---- */

static double number(const json_t *of, const char *name)
{
    double x = NAN;
    cr_assert(json_to_f64(json_object_get(of, name), &x), "%s", name);
    return x;
}

/* As large a share of x[n] lies below each recorded quantile as of torch's sample, within five deviations of the difference. */
static void expect_quantiles(const char *what, const double *x, int64_t n, const json_t *levels, const json_t *quantiles)
{
    for (size_t k = 0; k < json_array_size(levels); k++) {
        double p = json_number_value(json_array_get(levels, k)), q = json_number_value(json_array_get(quantiles, k)), below = 0;
        for (int64_t i = 0; i < n; i++)
            below += x[i] <= q;
        if (p > 0 && p < 1)
            cr_assert(fabs(below / (double)n - p) < 5 * sqrt(2 * p * (1 - p) / (double)n) + 2 / (double)n,
                      "%s: %g of it is below %g, of torch's %g", what, below / (double)n, q, p);
    }
}

/* x[n] has the recorded law: all of them within its bounds, the distribution that of the recorded sample, and the deviation that
 * of the law, within five of its own. */
static void expect_law(const char *what, const double *x, int64_t n, const json_t *recorded, const json_t *levels)
{
    const char *law = json_string_value(json_object_get(recorded, "law"));
    bool uniform = strcmp(law, "uniform") == 0, truncated = strcmp(law, "trunc_normal") == 0;
    double least = INFINITY, most = -INFINITY, squares = 0;
    for (int64_t i = 0; i < n; i++) {
        least = fmin(least, x[i]);
        most = fmax(most, x[i]);
        squares += x[i] * x[i];
    }
    if (strcmp(law, "constant") == 0) {
        cr_assert(least == most && most == number(recorded, "value"), "%s", what);
        return;
    }
    if (strcmp(law, "values") == 0) {
        for (int64_t i = 0; i < n; i++)
            cr_assert_eq(x[i], json_number_value(json_array_get(json_object_get(recorded, "values"), (size_t)i)), "%s", what);
        return;
    }
    double std = uniform ? number(recorded, "bound") / sqrt(3) : strcmp(law, "normal") == 0 ? number(recorded, "std") : NAN;
    double is = sqrt(squares / (double)n);
    cr_assert(isnan(std) || fabs(is / std - 1) < 5 / sqrt(2.0 * (double)n), "%s: a deviation of %g, torch has %g", what, is, std);
    if (uniform) {
        double bound = number(recorded, "bound");
        cr_assert(most <= bound * (1 + 1e-15) && -least <= bound * (1 + 1e-15) && fmax(most, -least) > bound * 0.8,
                  "%s: %.17g at most, torch's bound is %.17g", what, most, bound);
    }
    cr_assert(!truncated || (least >= number(recorded, "low") && most <= number(recorded, "high")), "%s: %g to %g", what, least, most);
    expect_quantiles(what, x, n, levels, json_object_get(recorded, "quantiles"));
}

/* Parameters and buffers. */
static void expect_parameters(lab *l, const char *what, const json_t *parameters, const json_t *levels)
{
    static double x[65536];
    size_t met = 0;
    for (uint32_t i = 0; i < engine_tensor_count(l->g); i++) {
        const engine_tensor *t = engine_tensor_at(l->g, i);
        const json_t *recorded = json_object_get(parameters, t->name + strlen("m.")), *dims = json_object_get(recorded, "shape");
        cr_assert_not_null(recorded, "%s: torch has no parameter '%s'", what, t->name);
        cr_assert_eq((size_t)t->shape.rank, json_array_size(dims), "%s: %s", what, t->name);
        for (int32_t d = 0; d < t->shape.rank; d++)
            cr_assert_eq(t->shape.dim[d], json_integer_value(json_array_get(dims, (size_t)d)), "%s: %s", what, t->name);
        cr_assert_leq(lth_shape_count(&t->shape), 65536);
        cr_assert_eq(engine_tensor_get(l->g, i, x, &l->e), LTH_OK, "%s", l->e.text);
        for (int64_t k = 0; k < lth_shape_count(&t->shape); k++)
            x[k] = bench_element(t->shape.dtype, x, k); /* f64, or the i64 of a count */
        expect_law(t->name, x, lth_shape_count(&t->shape), recorded, levels);
        met++;
    }
    cr_assert_eq(met, json_object_size(parameters), "%s: %zu parameters, torch has %zu", what, met, json_object_size(parameters));
}

void module_begins_as_torch_s(const module_row *rows, size_t count)
{
    static module_trial t;
    error e = { 0 };
    json_t *golden, *m;
    size_t i;
    cr_assert_eq(json_read(LTHOST_TEST_SOURCE "/tests/golden/init.json", &golden, &e), LTH_OK, "%s", e.text);
    for (size_t r = 0; r < count; r++) {
        size_t met = 0;
        json_array_foreach(json_object_get(golden, "modules"), i, m)
        {
            const json_t *module = json_object_get(m, "module");
            const char *kind = json_string_value(module ? module : json_object_get(m, "function"));
            if (strcmp(kind, rows[r].module) != 0)
                continue;
            t.options = json_object_get(m, "options");
            lab_open(&t.lab, LTH_F64, rows[r].configure, &t);
            expect_parameters(&t.lab, kind, json_object_get(m, "parameters"), json_object_get(golden, "levels"));
            lab_close(&t.lab);
            met++;
        }
        cr_assert_gt(met, 0, "%s is not recorded", rows[r].module);
    }
    json_decref(golden);
}
