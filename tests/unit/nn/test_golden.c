/* SPDX-License-Identifier: Apache-2.0
 * Values and gradients of losses and activations against the recordings made with torch, in fp64 and in lower precisions. */
#include "nn_fixture.h"

#include "util/json.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A recorded case while it is being recorded again. */
typedef struct trial {
    lab *lab;
    const json_t *options;
} trial;

static double option(const trial *t, const char *name, double otherwise)
{
    const json_t *value = json_object_get(t->options, name);
    double number = otherwise;
    if (value)
        cr_assert(json_is_boolean(value) || json_to_f64(value, &number), "option %s", name);
    return value && json_is_boolean(value) ? json_is_true(value) : number;
}

static lth_reduction reduction(const trial *t)
{
    static const char *const words[] = { "mean", "sum", "none", "batchmean" };
    const char *word = json_string_value(json_object_get(t->options, "reduction"));
    lth_reduction r = 0;
    while (word && strcmp(words[r], word) != 0)
        r++;
    return r;
}

static lth_tensor in(const trial *t, const char *name) { return lab_operand(t->lab, name); }
/* torch takes whole numbers, too, where a target is +-1. */
static lth_tensor real(const trial *t, const char *name)
{
    lth_tensor x = in(t, name);
    return lth_dtype_is_float(lth_dtype_of(x)) ? x : lth_cast(x, t->lab->precision->floating);
}
static bool has(const trial *t, const char *name) { return json_object_get(t->options, name) != NULL; }

#define CASE(name, ...) static lth_tensor run_##name(const trial *t) { lth_tensor x = in(t, "input"); (void)x; return __VA_ARGS__; }

CASE(cross_entropy, lth_cross_entropy(x, in(t, "target"), .weight = in(t, "weight"), .label_smoothing = option(t, "label_smoothing", 0),
     .reduction = reduction(t), .ignore = has(t, "ignore_index"), .ignore_index = (int64_t)option(t, "ignore_index", 0)))
CASE(nll_loss, lth_nll_loss(x, in(t, "target"), .weight = in(t, "weight"), .reduction = reduction(t), .ignore = has(t, "ignore_index"),
     .ignore_index = (int64_t)option(t, "ignore_index", 0)))
CASE(multi_margin_loss, lth_multi_margin_loss(x, in(t, "target"), .weight = in(t, "weight"), .margin = option(t, "margin", 0),
     .reduction = reduction(t), .squared = option(t, "p", 1) == 2))
CASE(mse_loss, lth_mse_loss(x, in(t, "target"), .reduction = reduction(t)))
CASE(l1_loss, lth_l1_loss(x, in(t, "target"), .reduction = reduction(t)))
CASE(smooth_l1_loss, has(t, "beta") && option(t, "beta", 1) == 0
     ? lth_l1_loss(x, in(t, "target"), .reduction = reduction(t))
     : lth_smooth_l1_loss(x, in(t, "target"), .beta = option(t, "beta", 0), .reduction = reduction(t)))
CASE(huber_loss, lth_huber_loss(x, in(t, "target"), .delta = option(t, "delta", 0), .reduction = reduction(t)))
CASE(gaussian_nll_loss, lth_gaussian_nll_loss(x, in(t, "target"), in(t, "var"), .eps = option(t, "eps", 0), .reduction = reduction(t),
     .full = (int32_t)option(t, "full", 0)))
CASE(poisson_nll_loss, lth_poisson_nll_loss(x, real(t, "target"), .reduction = reduction(t), .rate = !option(t, "log_input", 1),
     .full = (int32_t)option(t, "full", 0)))
CASE(binary_cross_entropy_with_logits, lth_binary_cross_entropy_with_logits(x, real(t, "target"), .weight = in(t, "weight"),
     .pos_weight = in(t, "pos_weight"), .reduction = reduction(t)))
CASE(soft_margin_loss, lth_soft_margin_loss(x, real(t, "target"), .reduction = reduction(t)))
CASE(kl_div, lth_kl_div(x, in(t, "target"), .reduction = reduction(t), .log_target = (int32_t)option(t, "log_target", 0)))
CASE(hinge_embedding_loss, lth_hinge_embedding_loss(x, real(t, "target"), .margin = option(t, "margin", 0), .reduction = reduction(t)))
CASE(margin_ranking_loss, lth_margin_ranking_loss(in(t, "input1"), in(t, "input2"), real(t, "target"), .margin = option(t, "margin", 0),
     .reduction = reduction(t)))
CASE(cosine_similarity, lth_cosine_similarity(in(t, "x1"), in(t, "x2"), (int32_t)option(t, "dim", 1)))
CASE(cosine_embedding_loss, lth_cosine_embedding_loss(in(t, "input1"), in(t, "input2"), real(t, "target"),
     .margin = option(t, "margin", 0)))
CASE(triplet_margin_loss, lth_triplet_margin_loss(in(t, "anchor"), in(t, "positive"), in(t, "negative"), .margin = option(t, "margin", 0),
     .p = option(t, "p", 0), .eps = option(t, "eps", 0), .reduction = reduction(t), .swap = (int32_t)option(t, "swap", 0)))
CASE(binary_cross_entropy, lth_binary_cross_entropy(x, in(t, "target"), .weight = in(t, "weight"), .reduction = reduction(t)))
CASE(sigmoid_focal_loss, lth_sigmoid_focal_loss(x, in(t, "target"), .alpha = option(t, "alpha", 0), .gamma = option(t, "gamma", 0)))
CASE(multilabel_soft_margin_loss, lth_multilabel_soft_margin_loss(x, in(t, "target"), .weight = in(t, "weight"), .reduction = reduction(t)))
CASE(multilabel_margin_loss, lth_multilabel_margin_loss(x, in(t, "target"), .reduction = reduction(t)))
CASE(dice_loss, lth_dice_loss(x, in(t, "target"), .smooth = option(t, "smooth", 0)))
CASE(jaccard_loss, lth_jaccard_loss(x, in(t, "target"), .smooth = option(t, "smooth", 0)))
CASE(pairwise_distance, lth_pairwise_distance(in(t, "x1"), in(t, "x2"), .p = option(t, "p", 0), .eps = option(t, "eps", 0),
     .keep = (int32_t)option(t, "keepdim", 0)))
CASE(cdist, lth_cdist(in(t, "x1"), in(t, "x2"), .p = option(t, "p", 0)))
CASE(normalize, lth_normalize(x, (int32_t)option(t, "dim", 1)))
CASE(contrastive_loss, lth_contrastive_loss(in(t, "input1"), in(t, "input2"), in(t, "target"), .margin = option(t, "margin", 0)))
CASE(info_nce_loss, lth_info_nce_loss(in(t, "query"), in(t, "positive"), in(t, "negatives"), .temperature = option(t, "temperature", 0)))
CASE(nt_xent_loss, lth_nt_xent_loss(in(t, "input1"), in(t, "input2"), .temperature = option(t, "temperature", 0)))
CASE(clip_loss, lth_clip_loss(in(t, "image"), in(t, "text"), in(t, "scale")))
CASE(ctc_loss, lth_ctc_loss(lth_log_softmax(x, 2), in(t, "target"), in(t, "input_lengths"), in(t, "target_lengths"),
     .blank = (int64_t)option(t, "blank", 0), .reduction = reduction(t), .zero_infinity = (int32_t)option(t, "zero_infinity", 0)))
CASE(relu, lth_relu(x))
CASE(relu6, lth_relu6(x))
CASE(leaky_relu, lth_leaky_relu(x, option(t, "negative_slope", 0.01)))
CASE(elu, lth_elu(x, option(t, "alpha", 1)))
CASE(selu, lth_selu(x))
CASE(celu, lth_celu(x, option(t, "alpha", 1)))
CASE(silu, lth_silu(x))
CASE(mish, lth_mish(x))
CASE(softplus, lth_softplus_scaled(x, option(t, "beta", 1), option(t, "threshold", 20)))
CASE(hardswish, lth_hardswish(x))
CASE(hardsigmoid, lth_hardsigmoid(x))
CASE(hardtanh, lth_hardtanh(x, -1, 1))
CASE(sigmoid, lth_sigmoid(x))
CASE(logsigmoid, lth_logsigmoid(x))
CASE(tanh, lth_tanh(x))
CASE(softsign, lth_softsign(x))
CASE(hardshrink, lth_hardshrink(x, option(t, "lambd", 0.5)))
CASE(softshrink, lth_softshrink(x, option(t, "lambd", 0.5)))
CASE(tanhshrink, lth_tanhshrink(x))
CASE(glu, lth_glu(x, (int32_t)option(t, "dim", -1)))
CASE(swiglu, lth_swiglu(in(t, "gate"), x))
CASE(geglu, lth_geglu(in(t, "gate"), x))
CASE(reglu, lth_reglu(in(t, "gate"), x))
CASE(threshold, lth_threshold(x, option(t, "threshold", 0), option(t, "value", 0)))
CASE(softmin, lth_softmin(x, (int64_t)option(t, "dim", -1)))
CASE(softmax, lth_softmax(x, (int64_t)option(t, "dim", -1)))
CASE(log_softmax, lth_log_softmax(x, (int64_t)option(t, "dim", -1)))
CASE(logsumexp, lth_logsumexp(x, (int32_t)option(t, "dim", -1), 0))

static lth_tensor run_gelu(const trial *t)
{
    const char *approximate = json_string_value(json_object_get(t->options, "approximate"));
    return approximate && strcmp(approximate, "tanh") == 0 ? lth_gelu_tanh(in(t, "input")) : lth_gelu(in(t, "input"));
}

/* One weight a channel, axis 1. */
static lth_tensor run_prelu(const trial *t)
{
    lth_tensor x = in(t, "input"), weight = in(t, "weight");
    lth_shape s = { lth_dtype_of(x), lth_rank(x), { 1, 1, 1, 1 } };
    s.dim[s.rank > 1] = lth_count(weight);
    return lth_prelu(x, lth_reshape_to(weight, &s));
}

static lth_tensor run_layer_norm(const trial *t)
{
    lth_tensor weight = in(t, "weight"), bias = in(t, "bias");
    int64_t axes = (int64_t)json_array_size(json_object_get(t->options, "normalized_shape"));
    lth_tensor y = lth_standardize(in(t, "input"), axes, option(t, "eps", 1e-5));
    y = lth_is_none(weight) ? y : lth_mul(y, weight);
    return lth_is_none(bias) ? y : lth_add(y, bias);
}

#define ROW(name) { #name, run_##name }
static const struct { const char *function; lth_tensor (*run)(const trial *t); } functions[] = {
    ROW(cross_entropy), ROW(nll_loss), ROW(multi_margin_loss), ROW(mse_loss), ROW(l1_loss), ROW(smooth_l1_loss), ROW(huber_loss),
    ROW(gaussian_nll_loss), ROW(poisson_nll_loss), ROW(binary_cross_entropy_with_logits), ROW(soft_margin_loss), ROW(kl_div),
    ROW(hinge_embedding_loss), ROW(margin_ranking_loss), ROW(cosine_similarity), ROW(cosine_embedding_loss), ROW(triplet_margin_loss),
    ROW(binary_cross_entropy), ROW(sigmoid_focal_loss), ROW(multilabel_soft_margin_loss), ROW(multilabel_margin_loss), ROW(dice_loss),
    ROW(jaccard_loss), ROW(pairwise_distance), ROW(cdist), ROW(normalize), ROW(contrastive_loss), ROW(info_nce_loss), ROW(nt_xent_loss),
    ROW(clip_loss), ROW(ctc_loss),
    ROW(relu), ROW(relu6), ROW(leaky_relu), ROW(elu), ROW(selu), ROW(celu), ROW(gelu), ROW(silu), ROW(mish), ROW(softplus),
    ROW(hardswish), ROW(hardsigmoid), ROW(hardtanh), ROW(sigmoid), ROW(logsigmoid), ROW(tanh), ROW(softsign), ROW(hardshrink),
    ROW(softshrink), ROW(tanhshrink), ROW(prelu), ROW(glu), ROW(swiglu), ROW(geglu), ROW(reglu), ROW(threshold),
    ROW(softmin), ROW(softmax), ROW(log_softmax), ROW(logsumexp), ROW(layer_norm),
};
enum { FUNCTIONS = sizeof functions / sizeof *functions };

/* Slot 0 the output, then the gradients in the order of the recording. */
static void record(const trial *t, lth_tensor (*run)(const trial *t), const json_t *c)
{
    lth_tensor wrt[4], gradients[4], y = run(t), upstream = lab_input(t->lab, "upstream");
    uint32_t count = 0;
    const char *name;
    json_t *value;
    json_object_foreach(json_object_get(c, "grads"), name, value)
        wrt[count++] = lab_input(t->lab, name);
    engine_output(t->lab->g, y, LTH_HERE);
    lth_grad(lth_is_none(upstream) ? y : lth_sum(lth_mul(y, upstream)), wrt, count, gradients);
    for (uint32_t i = 0; i < count; i++)
        engine_output(t->lab->g, gradients[i], LTH_HERE);
}

/* How many roundings a lower precision may cost (lab_precision.c). Of these it only makes no NaN: their inputs, once rounded, have
 * other results by far, or f16 cannot hold an input or a gradient. */
static double roundings(const char *name)
{
    static const char *const steep[] = { "large logits", "large values", "variance below eps", "at the ends", "of nothing", "normalize",
                                         "layer_norm of a constant row" };
    for (size_t i = 0; i < sizeof steep / sizeof *steep; i++)
        if (strstr(name, steep[i]))
            return INFINITY;
    return 4;
}

static int check_case(lab *l, const json_t *c, lth_tensor (*run)(const trial *t))
{
    const char *what = json_string_value(json_object_get(c, "name")), *name;
    json_t *value;
    json_object_foreach(json_object_get(c, "inputs"), name, value)
        lab_field(l, name, value);
    lab_field(l, "upstream", json_object_get(c, "upstream"));
    trial t = { l, json_object_get(c, "options") };
    lab_begin(l, true);
    record(&t, run, c);
    if (lab_try_end(l)) {
        fprintf(stderr, "%s: %s\n", what, l->e.text);
        lab_clear_fields(l);
        return 1;
    }
    double of_gradients = strstr(what, "hardsigmoid") ? 3e-8 : 1e-12; /* torch's 1/6 is a float */
    bool wrong = lab_differs(l, what, "output", 0, json_object_get(c, "output"), 1e-12, roundings(what));
    uint32_t slot = 1;
    json_object_foreach(json_object_get(c, "grads"), name, value)
        wrong |= lab_differs(l, what, name, slot++, value, of_gradients, roundings(what));
    lab_clear_fields(l);
    return wrong;
}

static void check_all(const lab_precision *precision, void *context)
{
    lab l;
    error e = { 0 };
    json_t *golden, *c;
    bool met[FUNCTIONS] = { false };
    size_t i;
    int wrong = 0;
    (void)context;
    cr_assert_eq(json_read(LTHOST_TEST_SOURCE "/tests/golden/losses.json", &golden, &e), LTH_OK, "%s", e.text);
    lab_open_in(&l, precision, NULL, NULL);
    lab_set_scale(&l);
    json_array_foreach(json_object_get(golden, "cases"), i, c) {
        const char *function = json_string_value(json_object_get(c, "function"));
        size_t f = 0;
        while (f < FUNCTIONS && strcmp(functions[f].function, function) != 0)
            f++;
        cr_assert(f < FUNCTIONS, "nothing reads the cases of %s", function);
        wrong += check_case(&l, c, functions[f].run);
        met[f] = true;
    }
    for (size_t f = 0; f < FUNCTIONS; f++)
        cr_expect(met[f], "%s has no case", functions[f].function);
    cr_expect(!precision->lower || l.greatest > 0.2, "nothing was computed in the lower type");
    lab_close(&l);
    cr_expect_eq(wrong, 0, "in %s on %s %d of %zu cases differ", precision->name, precision->accelerator, wrong,
                 json_array_size(json_object_get(golden, "cases")));
    json_decref(golden);
}

Test(nn_golden, losses_and_activations_have_the_values_and_gradients_of_torch) { check_all(&lab_exact, NULL); }
Test(nn_golden, and_in_lower_precisions_within_some_roundings_of_16_bits) { lab_each_lower(check_all, NULL); }
