/* SPDX-License-Identifier: Apache-2.0
 * Ops against what PyTorch gives (tests/golden/losses.json): values, and gradients of sum(output * upstream). */
#include "ops_support.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ELEMENTS = 256 };

typedef struct array {
    lth_shape shape;
    double at[ELEMENTS];
} array;

static bench b;

/* Nested lists of numbers; whole where all of them are. */
static void read_into(json_t *value, int32_t depth, array *a, int64_t *n)
{
    if (!json_is_array(value)) {
        cr_assert(*n < ELEMENTS && json_is_number(value));
        a->at[(*n)++] = json_number_value(value);
        if (!json_is_integer(value))
            a->shape.dtype = LTH_F64;
        return;
    }
    a->shape.rank = depth + 1 > a->shape.rank ? depth + 1 : a->shape.rank;
    a->shape.dim[depth] = (int64_t)json_array_size(value);
    for (size_t i = 0; i < json_array_size(value); i++)
        read_into(json_array_get(value, i), depth + 1, a, n);
}

static array read_array(json_t *value)
{
    array a = { .shape.dtype = LTH_I64 };
    int64_t n = 0;
    read_into(value, 0, &a, &n);
    return a;
}

static uint32_t tensor(json_t *c, const char *name, bool whole)
{
    array a = read_array(json_object_get(json_object_get(c, "inputs"), name));
    a.shape.dtype = whole ? LTH_I64 : LTH_F64;
    return bench_input(&b, a.shape, a.at);
}

/* ---- How a function of torch is written in ops; LTH_NO_VALUE: with these options it is not one op of ours ---- */

static int64_t option(json_t *c, const char *name, int64_t otherwise)
{
    json_t *v = json_object_get(json_object_get(c, "options"), name);
    return v ? json_integer_value(v) : otherwise;
}

static const char *text_option(json_t *c, const char *name, const char *otherwise)
{
    json_t *v = json_object_get(json_object_get(c, "options"), name);
    return v ? json_string_value(v) : otherwise;
}

static uint32_t unary(json_t *c, uint32_t input)
{
    static const struct {
        const char *name;
        uint32_t op;
    } rows[] = { { "relu", LTH_OP_RELU }, { "silu", LTH_OP_SILU }, { "sigmoid", LTH_OP_SIGMOID }, { "tanh", LTH_OP_TANH } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(rows[i].name, json_string_value(json_object_get(c, "function"))) == 0)
            return OP1(&b, rows[i].op, input);
    return LTH_NO_VALUE;
}

static uint32_t gelu(json_t *c, uint32_t input)
{
    return OP1(&b, strcmp(text_option(c, "approximate", "none"), "tanh") == 0 ? LTH_OP_GELU_TANH : LTH_OP_GELU, input);
}

static uint32_t softplus(json_t *c, uint32_t input)
{
    bool plain = json_number_value(json_object_get(json_object_get(c, "options"), "beta")) == 1;
    return plain ? OP1(&b, LTH_OP_SOFTPLUS, input) : LTH_NO_VALUE;
}

static uint32_t softmax(json_t *c, uint32_t input) { return OP1A(&b, LTH_OP_SOFTMAX, input, lth_attr_axis, option(c, "dim", 0)); }
static uint32_t log_softmax(json_t *c, uint32_t input)
{
    return OP1A(&b, LTH_OP_LOG_SOFTMAX, input, lth_attr_axis, option(c, "dim", 0));
}

static uint32_t logsumexp(json_t *c, uint32_t input)
{
    int64_t axis = option(c, "dim", 0), rank = graph_shape(&b.g, input)->rank;
    return OP1A(&b, LTH_OP_LOGSUMEXP, input, lth_attr_reduce, 1u << (axis < 0 ? axis + rank : axis), 0);
}

static uint32_t cross_entropy(json_t *c, uint32_t input)
{
    const char *reduction = text_option(c, "reduction", "mean");
    json_t *options = json_object_get(c, "options");
    bool plain = json_object_size(options) == (json_object_get(options, "reduction") != NULL) &&
                 !json_object_get(json_object_get(c, "inputs"), "weight");
    array target = read_array(json_object_get(json_object_get(c, "inputs"), "target"));
    if (!plain || target.shape.dtype != LTH_I64 || target.shape.rank != 1)
        return LTH_NO_VALUE;
    uint32_t loss = OP2(&b, LTH_OP_CROSS_ENTROPY, input, tensor(c, "target", true));
    if (strcmp(reduction, "none") == 0)
        return loss;
    return OP1A(&b, strcmp(reduction, "sum") == 0 ? LTH_OP_SUM : LTH_OP_MEAN, loss, lth_attr_reduce, 1, 0);
}

static uint32_t layer_norm(json_t *c, uint32_t input)
{
    json_t *options = json_object_get(c, "options");
    if (json_object_get(json_object_get(c, "inputs"), "weight"))
        return LTH_NO_VALUE;
    uint32_t eps = bench_scalar(&b, LTH_F64, json_number_value(json_object_get(options, "eps")));
    return OP2A(&b, LTH_OP_LAYER_NORM, input, eps, lth_attr_axis,
                (int64_t)json_array_size(json_object_get(options, "normalized_shape")));
}

typedef struct function {
    const char *name, *wrt;
    uint32_t (*build)(json_t *c, uint32_t input);
    uint32_t cases; /* that must be found */
} function;

static uint32_t embedding(json_t *c, uint32_t weight)
{
    if (json_object_size(json_object_get(c, "options")) > 0)
        return LTH_NO_VALUE;
    return OP2(&b, LTH_OP_GATHER, weight, tensor(c, "input", true));
}

static const function functions[] = {
    { "relu", "input", unary, 2 },
    { "silu", "input", unary, 2 },
    { "sigmoid", "input", unary, 1 },
    { "tanh", "input", unary, 1 },
    { "gelu", "input", gelu, 3 },
    { "softplus", "input", softplus, 1 },
    { "softmax", "input", softmax, 3 },
    { "log_softmax", "input", log_softmax, 3 },
    { "logsumexp", "input", logsumexp, 3 },
    { "cross_entropy", "input", cross_entropy, 4 },
    { "layer_norm", "input", layer_norm, 3 },
    { "embedding", "weight", embedding, 1 },
};

static uint32_t loss_of(json_t *c, uint32_t y)
{
    json_t *given = json_object_get(c, "upstream");
    if (!given)
        return y;
    array upstream = read_array(given);
    upstream.shape.dtype = LTH_F64;
    uint32_t product = OP2(&b, LTH_OP_MUL, y, bench_input(&b, upstream.shape, upstream.at));
    return OP1A(&b, LTH_OP_SUM, product, lth_attr_reduce, (1u << upstream.shape.rank) - 1, 0);
}

static bool check_case(json_t *c, const function *f)
{
    const char *name = json_string_value(json_object_get(c, "name"));
    constants k = { 0 };
    uint32_t gradient;
    bench_reset(&b);
    uint32_t x = tensor(c, f->wrt, false), y = f->build(c, x);
    if (y == LTH_NO_VALUE)
        return false;
    bench_output(&b, y);
    uint32_t loss = loss_of(c, y);
    k.first_slot = b.g.scalar_count;
    cr_assert(autodiff(&b.g, &k, loss, &x, 1, &gradient, 0, &b.e), "%s: %s", name, b.e.text);
    bench_output(&b, gradient);
    memcpy(b.scalars + k.first_slot, k.values, k.count * sizeof *k.values);
    bench_go(&b, 0);
    array value = read_array(json_object_get(c, "output")),
          slope = read_array(json_object_get(json_object_get(c, "grads"), f->wrt));
    bench_expect(&b, name, 0, value.at, lth_shape_count(&value.shape), 1e-12);
    bench_expect(&b, name, 1, slope.at, lth_shape_count(&slope.shape), 1e-12);
    constants_free(&k);
    return true;
}

Test(golden, values_and_gradients_of_ops_are_those_of_torch)
{
    uint32_t found[sizeof functions / sizeof *functions] = { 0 };
    json_error_t error;
    json_t *file = json_load_file(LTHOST_TEST_SOURCE "/tests/golden/losses.json", 0, &error), *c;
    cr_assert_not_null(file, "%s", error.text);
    bench_open(&b, "reference");
    size_t i;
    json_array_foreach(json_object_get(file, "cases"), i,
                       c) for (size_t k = 0; k < sizeof functions / sizeof *functions;
                               k++) if (strcmp(functions[k].name, json_string_value(json_object_get(c, "function"))) == 0)
        found[k] += check_case(c, &functions[k]);
    for (size_t k = 0; k < sizeof functions / sizeof *functions; k++)
        cr_assert_eq(found[k], functions[k].cases, "%s: %u cases", functions[k].name, found[k]);
    json_decref(file);
    bench_close(&b);
}
