/* SPDX-License-Identifier: Apache-2.0
 * Linear layers, embeddings, PReLU, shares of right answers, and each function of tensor.h under its name: as torch's. */
#include "module_golden.h"

#include <criterion/criterion.h>
#include <string.h>

static int64_t whole(const module_trial *t, const char *name) { return (int64_t)module_option(t, name, 0); }

/* ---- Layers ---- */

static lth_status make_nothing(void *self, lth_setup *s)
{
    (void)self;
    return lth_setup_status(s);
}

static lth_status make_linear(void *self, lth_setup *s)
{
    module_trial *t = self;
    *(lth_linear *)(void *)t->layer.bytes =
        lth_linear_new(s, "m", whole(t, "in_features"), whole(t, "out_features"), .no_bias = !module_option(t, "bias", 1));
    return lth_setup_status(s);
}

static lth_status make_embedding(void *self, lth_setup *s)
{
    module_trial *t = self;
    *(lth_embedding *)(void *)t->layer.bytes =
        lth_embedding_new(s, "m", whole(t, "num_embeddings"), whole(t, "embedding_dim"),
                          .padding = module_option(t, "padding_idx", -1) >= 0, .padding_idx = whole(t, "padding_idx"));
    return lth_setup_status(s);
}

static lth_status make_prelu(void *self, lth_setup *s)
{
    module_trial *t = self;
    *(lth_prelu_layer *)(void *)t->layer.bytes = lth_prelu_new(s, "m", whole(t, "num_parameters"));
    return lth_setup_status(s);
}

#define RUN(name, ...)                                           \
    static void run_##name(module_trial *t, lth_tensor *outputs) \
    {                                                            \
        lth_tensor x = module_input(t, "input");                 \
        __VA_ARGS__;                                             \
    }

RUN(linear, outputs[0] = lth_linear_apply((lth_linear *)(void *)t->layer.bytes, x))
RUN(embedding, outputs[0] = lth_embedding_apply((lth_embedding *)(void *)t->layer.bytes, x))
RUN(prelu, outputs[0] = lth_prelu_apply((lth_prelu_layer *)(void *)t->layer.bytes, x))

static void run_embedding_bag(module_trial *t, lth_tensor *outputs)
{
    const char *mode = module_word(t, "mode", "mean");
    lth_bag bag = mode[0] == 's' ? LTH_BAG_SUM : mode[1] == 'a' ? LTH_BAG_MAX : LTH_BAG_MEAN;
    outputs[0] = lth_embedding_bag_apply((lth_embedding *)(void *)t->layer.bytes, module_input(t, "input"), .mode = bag,
                                         .weight = module_input(t, "weights"));
}

/* ---- Functions ---- */

RUN(accuracy, outputs[0] = lth_accuracy(x, module_input(t, "target")))
RUN(top_k_accuracy, outputs[0] = lth_top_k_accuracy(x, module_input(t, "target"), whole(t, "k")))
RUN(binary_accuracy, outputs[0] = lth_binary_accuracy(x, lth_cast(module_input(t, "target"), LTH_F64)))
RUN(weighted_mean, outputs[0] = lth_weighted_mean(x, module_input(t, "weight")))

static void run_max_unpool(module_trial *t, lth_tensor *outputs)
{
    lth_tensor where = lth_none(), y = lth_max_pool(module_input(t, "input"), 2, .indices = &where);
    outputs[0] = y;
    outputs[1] = lth_cast(where, LTH_F64);
    outputs[2] = lth_max_unpool(y, where, LTH_SHAPE(4, 4));
}

static void run_adaptive_max_pool_indices(module_trial *t, lth_tensor *outputs)
{
    lth_tensor where = lth_none();
    outputs[0] = lth_adaptive_max_pool_indices(module_input(t, "input"), LTH_SHAPE(2, 3), &where);
    outputs[1] = lth_cast(where, LTH_F64);
}

RUN(conv, lth_tensor w = module_input(t, "weight");
    outputs[0] = lth_conv(x, w, .bias = module_input(t, "bias"), .stride = 2, .padding = 1);
    outputs[1] = lth_conv_transpose(outputs[0], w, .stride = 2, .padding = 1, .output_padding = 1))

/* Weights that are tensors of the step. */
#define RUN_CELL(name, ...)                                                                                       \
    RUN(name, const lth_rnn_weights w = { module_input(t, "weight_ih"), module_input(t, "weight_hh"),             \
                                          module_input(t, "bias_ih"), module_input(t, "bias_hh") };               \
        lth_tensor h = module_input(t, "h0"), c = module_input(t, "c0"); (void)c; lth_rnn_result r = __VA_ARGS__; \
        outputs[0] = r.y; outputs[1] = r.h; outputs[2] = r.c)

RUN_CELL(rnn_tanh, lth_rnn_tanh(x, h, &w, 0))
RUN_CELL(rnn_relu, lth_rnn_relu(x, h, &w, 0))
RUN_CELL(rnn_gru, lth_rnn_gru(x, h, &w, 0))
RUN_CELL(rnn_lstm, lth_rnn_lstm(x, h, c, &w, 0))

/* All of them as one vector of real numbers. */
static lth_tensor in_order(lth_tensor *parts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        parts[i] = lth_reshape(lth_dtype_of(parts[i]) == LTH_F64 ? parts[i] : lth_cast(parts[i], LTH_F64), -1);
    return lth_concat(parts, count, 0);
}
#define NAMED(name, ...)                                                       \
    static void run_##name(module_trial *t, lth_tensor *outputs)               \
    {                                                                          \
        lth_tensor x = module_input(t, "input"), y = module_input(t, "other"); \
        (void)y;                                                               \
        lth_tensor parts[] = { __VA_ARGS__ };                                  \
        outputs[0] = in_order(parts, sizeof parts / sizeof *parts);            \
    }

NAMED(unary, lth_neg(x), lth_exp(x), lth_ln(x), lth_sqrt(x), lth_rsqrt(x), lth_sin(x), lth_cos(x), lth_tanh(x), lth_erf(x),
      lth_abs(x), lth_sign(x), lth_floor(x), lth_ceil(x), lth_round(x), lth_log1p(x), lth_expm1(x), lth_reciprocal(x),
      lth_square(x), lth_sigmoid(x), lth_relu(x), lth_gelu(x), lth_gelu_tanh(x), lth_silu(x), lth_softplus(x),
      lth_stop_gradient(x))
NAMED(binary, lth_add(x, y), lth_sub(x, y), lth_mul(x, y), lth_div(x, y), lth_pow(x, y), lth_maximum(x, y), lth_minimum(x, y))
NAMED(comparisons, lth_eq(x, y), lth_ne(x, y), lth_lt(x, y), lth_le(x, y), lth_gt(x, y), lth_ge(x, y))
NAMED(shapes, lth_reshape(x, 4, 3), lth_permute(x, 2, 0, 1), lth_expand(lth_slice(x, 1, 0, 1), 2, 3, 2), lth_flatten(x, 1),
      lth_transpose(x, 0, -1), lth_slice(x, 1, 1, INT64_MAX), lth_slice(x, -1, -1, INT64_MAX), lth_slice(x, 0, 1, 2),
      lth_flip(x, 1), lth_concat(LTH_TENSORS_(x, x), 2, -1))
NAMED(reductions, lth_sum(x), lth_mean(x), lth_max(x), lth_min(x), lth_sum_axis(x, 1, 1), lth_mean_axis(x, 1, 1),
      lth_max_axis(x, 1, 1), lth_min_axis(x, 1, 1), lth_prod_axis(x, 1, 1), lth_logsumexp(x, 1, 1), lth_argmax(x, -1),
      lth_argmin(x, 0), lth_softmax(x, 1), lth_log_softmax(x, 0), lth_quantile(x, 0.3))
NAMED(numbers, lth_add(x, 2), lth_sub(2, x), lth_mul(x, 3), lth_div(2, x), lth_pow(x, 3), lth_pow(2, x), lth_clamp_min(x, 0.75),
      lth_clamp_max(x, 0.75), lth_where(lth_gt(x, 1), x, 0.5), lth_argsort(x, 1))

static void run_logic(module_trial *t, lth_tensor *outputs)
{
    lth_tensor x = module_input(t, "input"), a = lth_gt(x, 1), b = lth_gt(module_input(t, "other"), 0.5);
    lth_tensor parts[] = { lth_not(a), lth_and(a, b), lth_or(a, b),          lth_isfinite(x),      lth_all_finite(x),
                           lth_any(a), lth_all(b),    lth_any_axis(a, 1, 0), lth_all_axis(b, 0, 0) };
    outputs[0] = in_order(parts, sizeof parts / sizeof *parts);
}

static void run_indices(module_trial *t, lth_tensor *outputs)
{
    lth_tensor x = module_input(t, "input"), rows = module_input(t, "rows"), places = module_input(t, "places");
    lth_tensor one = lth_sum(lth_full(x, LTH_REF(lth_shape, LTH_I64, 0, { 0 }), 1));
    lth_tensor parts[] = { lth_gather(x, rows),
                           lth_scatter_add(x, rows, 5),
                           lth_gather_along(x, places, 1),
                           lth_scatter_along(x, places, 1, 4),
                           lth_matmul(x, lth_transpose(x, 0, 1)),
                           lth_matmul_t(x, x),
                           lth_slice_at(x, 0, one, 2),
                           lth_update_at(x, 0, one, lth_slice(x, 0, 0, 1)) };
    outputs[0] = in_order(parts, sizeof parts / sizeof *parts);
}

Test(nn_named, layers_and_functions_have_the_values_and_gradients_of_torch)
{
    static const module_row rows[] = {
        { "Linear", make_linear, run_linear },
        { "Embedding", make_embedding, run_embedding },
        { "EmbeddingBag", make_embedding, run_embedding_bag },
        { "PReLU", make_prelu, run_prelu },
        { "accuracy", make_nothing, run_accuracy },
        { "top_k_accuracy", make_nothing, run_top_k_accuracy },
        { "binary_accuracy", make_nothing, run_binary_accuracy },
        { "weighted_mean", make_nothing, run_weighted_mean },
        { "max_unpool", make_nothing, run_max_unpool },
        { "adaptive_max_pool_indices", make_nothing, run_adaptive_max_pool_indices },
        { "conv", make_nothing, run_conv },
        { "rnn_tanh", make_nothing, run_rnn_tanh },
        { "rnn_relu", make_nothing, run_rnn_relu },
        { "rnn_gru", make_nothing, run_rnn_gru },
        { "rnn_lstm", make_nothing, run_rnn_lstm },
        { "unary", make_nothing, run_unary },
        { "binary", make_nothing, run_binary },
        { "comparisons", make_nothing, run_comparisons },
        { "logic", make_nothing, run_logic },
        { "shapes", make_nothing, run_shapes },
        { "reductions", make_nothing, run_reductions },
        { "indices", make_nothing, run_indices },
        { "numbers", make_nothing, run_numbers },
    };
    module_golden("layers.json", rows, sizeof rows / sizeof *rows);
}

Test(nn_named, parameters_begin_as_torch_s_do)
{
    static const module_row rows[] = {
        { "Linear", make_linear, NULL },
        { "Embedding", make_embedding, NULL },
        { "PReLU", make_prelu, NULL },
    };
    module_begins_as_torch_s(rows, sizeof rows / sizeof *rows);
}
