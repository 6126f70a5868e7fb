/* SPDX-License-Identifier: Apache-2.0
 * Compiled, never run: every header of nn/ is C++20 without a warning, designators and all. */
#include <lthost/lthost.h>
#include <lthost/nn.h>

namespace {

struct net { lth_linear fc; lth_embedding wte; lth_layer_norm norm, wide; lth_prelu_layer act; lth_rms_norm rms; lth_batch_norm2d bn; lth_instance_norm2d in; lth_group_norm gn; lth_conv2d conv; lth_conv_transpose2d up; 
    lth_class_metric f1;
    lth_confusion_matrix confusion;
    lth_curve_metric auroc, exact;
    lth_spearman spearman;
    lth_regression_metric r2;
    lth_mean_metric mean;
    lth_multihead_attention attention;
    lth_causal_attention causal;
    lth_recurrent lstm;
    lth_recurrent_cell gru;
    lth_transformer_layer layer;
    lth_transformer_stack encoder, decoder;
    lth_transformer transformer;
    lth_gpt_block block;
    lth_llama_layer llama;
};

void sequence_layers(net *n, lth_setup *s)
{
    n->attention = lth_multihead_attention_new(s, "attention", 4, 2, .dropout = 0.1, .kdim = 3, .vdim = 5,
                                               .out_proj = lth_init_xavier_uniform(4, 4), .no_bias = 1);
    n->causal = lth_causal_attention_new(s, "causal", 4, 2, .dropout = 0.1, .weight = lth_init_normal(0, 0.02),
                                         .project = lth_init_normal(0, 0.01), .bias = lth_init_constant(0), .no_bias = 1);
    n->lstm = lth_lstm_new(s, "lstm", 3, 4, .layers = 2, .dropout = 0.1, .bidirectional = 1, .batch_first = 1, .no_bias = 1);
    n->lstm = lth_rnn_new(s, "rnn", 3, 4, .relu = 1);
    n->lstm = lth_gru_new(s, "gru", 3, 4);
    n->gru = lth_rnn_cell_new(s, "rnn_cell", 3, 4, .no_bias = 1, .relu = 1);
    n->gru = lth_lstm_cell_new(s, "lstm_cell", 3, 4);
    n->gru = lth_gru_cell_new(s, "gru_cell", 3, 4);
    n->layer = lth_transformer_encoder_layer_new(s, "layer", 4, 2, .hidden = 8, .dropout = 0.1, .eps = 1e-6,
                                                 .activation = LTH_OP_GELU, .norm_first = 1, .no_bias = 1, .xavier = 1);
    n->layer = lth_transformer_decoder_layer_new(s, "decoder_layer", 4, 2, .hidden = 8);
    n->encoder = lth_transformer_encoder_new(s, "encoder", 2, 4, 2, .hidden = 8, .norm = 1);
    n->decoder = lth_transformer_decoder_new(s, "decoder", 2, 4, 2, .hidden = 8, .norm = 1);
    n->block = lth_gpt_block_new(s, "block", 4, 2, .hidden = 8, .dropout = 0.1, .eps = 1e-6, .weight = lth_init_normal(0, 0.02),
                                 .project = lth_init_normal(0, 0.01), .activation = LTH_OP_GELU_TANH, .no_bias = 1);
    n->llama = lth_llama_layer_new(s, "llama", 4, 2, .groups = 1, .hidden = 8, .head = 2, .eps = 1e-6, .dropout = 0.1,
                                   .weight = lth_init_normal(0, 0.02), .bias = 1, .interleaved = 1);
    n->llama.self_attn = lth_grouped_attention_new(s, "grouped", 4, 2, .groups = 1);
    n->llama.mlp = lth_swiglu_new(s, "mlp", 4, 8, .weight = lth_init_normal(0, 0.02));
    n->transformer = lth_transformer_new(s, "transformer", 1, 1, 4, 2, .hidden = 8);
}

lth_tensor sequences(net *n, lth_tensor x, lth_tensor mask)
{
    lth_tensor weights;
    lth_tensor y = lth_attention(x, x, x, .mask = mask, .scale = 0.5, .dropout = 0.1, .causal = 1);
    y = lth_add(y, lth_attention_log_sum_exp(y));
    y = lth_rotary(lth_rotary_interleaved(y, x, x), x, x);
    const lth_rnn_weights w = { x, x, x, x };
    y = lth_add(lth_rnn_tanh(y, x, &w, 0).y, lth_rnn_relu(y, x, &w, 1).h);
    y = lth_add(lth_rnn_gru(y, x, &w, 0).y, lth_rnn_lstm(y, x, x, &w, 1).c);
    y = lth_multihead_attention_apply(&n->attention, y, x, x, .attn_mask = mask, .key_padding_mask = mask, .weights = &weights,
                                      .per_head = 1, .causal = 1);
    lth_tensor cache[2];
    cache[0] = cache[1] = lth_attention_cache_new(y, 1, 2, 8, 2);
    y = lth_causal_attention_apply(&n->causal, lth_add(y, weights));
    y = lth_causal_attention_apply(&n->causal, y, .cache = cache, .place = mask);
    y = lth_gpt_block_apply(&n->block, lth_gpt_block_apply(&n->block, y), .cache = cache, .place = mask);
    y = lth_add(y, lth_sinusoidal_positions(y, .theta = 100, .first = mask));
    y = lth_add(y, lth_learned_positions(&n->wte, y, .first = mask));
    lth_rotary_table table = lth_rotary_tables(y, .channels = 2, .theta = 100, .first = mask);
    y = lth_rotary(y, table.cosines, table.sines);
    y = lth_llama_layer_apply(&n->llama, lth_llama_layer_apply(&n->llama, y, table), table, .mask = mask, .cache = cache, .place = mask);
    y = lth_swiglu_apply(&n->llama.mlp, lth_grouped_attention_apply(&n->llama.self_attn, y, table));
    y = lth_recurrent_apply(&n->lstm, y, .h0 = x, .c0 = x, .lengths = mask).y;
    y = lth_recurrent_cell_apply(&n->gru, y, x, x).h;
    y = lth_transformer_encoder_layer_apply(&n->layer, y, .mask = mask, .key_padding_mask = mask, .causal = 1);
    y = lth_transformer_decoder_layer_apply(&n->layer, y, x, .mask = mask, .key_padding_mask = mask, .memory_mask = mask,
                                            .memory_key_padding_mask = mask, .causal = 1, .memory_causal = 1);
    y = lth_transformer_encoder_apply(&n->encoder, y, .key_padding_mask = mask);
    y = lth_transformer_decoder_apply(&n->decoder, y, x, .causal = 1);
    return lth_transformer_apply(&n->transformer, x, y, .src_mask = mask, .src_key_padding_mask = mask, .tgt_mask = mask,
                                 .tgt_key_padding_mask = mask, .memory_mask = mask, .memory_key_padding_mask = mask,
                                 .src_causal = 1, .tgt_causal = 1, .memory_causal = 1);
}

lth_status configure(void *self, lth_setup *s)
{
    net *n = static_cast<net *>(self);
    n->fc = lth_linear_new(s, "fc", 3, 4, .weight = lth_init_xavier_uniform(3, 4), .bias = lth_init_constant(0));
    n->wte = lth_embedding_new(s, "wte", 10, 4, .weight = lth_init_truncated_normal(0, 0.02), .padding = 1, .padding_idx = 2);
    n->norm = lth_layer_norm_new(s, "norm", 4, .eps = 1e-6, .no_bias = 1);
    n->wide = lth_layer_norm_over_new(s, "wide", LTH_SHAPE(8, 8, 8), .no_affine = 1);
    n->act = lth_prelu_new(s, "act", 4, .weight = lth_init_constant(0.1));
    n->rms = lth_rms_norm_new(s, "rms", 4, .eps = 1e-6);
    n->bn = lth_batch_norm2d_new(s, "bn", 8, .momentum = 0.2, .no_affine = 1);
    n->in = lth_instance_norm2d_new(s, "in", 8, .affine = 1, .tracking = 1);
    n->gn = lth_group_norm_new(s, "gn", 2, 8, .eps = 1e-6);
    n->conv = lth_conv2d_new(s, "conv", 1, 8, 3, .stride = 2, .padding_of = { 1, 2 }, .padding_mode = LTH_PAD_REFLECT, .no_bias = 1,
                             .weight = lth_init_orthogonal(1));
    n->up = lth_conv_transpose2d_new(s, "up", 8, 1, 2, .stride = 2, .weight = lth_init_trunc_normal(0, 0.02, -0.04, 0.04), .bias = lth_init_uniform_std(LTH_GAIN_TANH * lth_xavier_std(8, 1)));
    n->f1 = lth_f1_new(s, "f1", 4, .average = LTH_AVERAGE_MICRO, .ignore = 1, .ignore_index = 0);
    n->confusion = lth_confusion_matrix_new(s, "confusion", 4);
    n->auroc = lth_auroc_new(s, "auroc", 4, .thresholds = 50);
    n->exact = lth_average_precision_new(s, "exact", 4, .capacity = 50);
    n->spearman = lth_spearman_new(s, "spearman", .capacity = 50);
    n->r2 = lth_r2_new(s, "r2", 4, .multioutput = LTH_MULTIOUTPUT_RAW);
    n->mean = lth_mean_metric_new(s, "mean", .reduce = LTH_REDUCE_MAX);
    sequence_layers(n, s);
    return lth_setup_status(s);
}

lth_tensor images(net *n, lth_tensor x)
{
    lth_tensor where;
    x = lth_max_pool(lth_conv_apply(&n->conv, x), 3, .stride = 2, .padding = 1, .indices = &where, .ceil_mode = 1);
    x = lth_group_norm_apply(&n->gn, lth_instance_norm_apply(&n->in, lth_batch_norm_apply(&n->bn, x)));
    x = lth_local_response_norm(lth_dropout2d(x, 0.2), 5);
    x = lth_local_response_norm(lth_layer_norm_apply(&n->wide, x), 3, .alpha = 0.1);
    x = lth_conv_apply(&n->up, lth_avg_pool(lth_max_unpool(x, where, LTH_SHAPE(9, 9)), 2, .exclude_padding = 1));
    x = lth_conv(lth_pad_spatial(x, LTH_PAD_CIRCULAR, .padding = 1), x, .dilation = 2, .same = 1);
    x = lth_resize(lth_adaptive_avg_pool(lth_lp_pool(lth_conv_transpose(x, x), 2, 3, .stride = 2), LTH_SHAPE(1)), LTH_SHAPE(8, 8), LTH_RESIZE_LINEAR);
    return lth_fold(lth_unfold(lth_pixel_unshuffle(lth_pixel_shuffle(lth_upsample(x, 2, LTH_RESIZE_NEAREST), 2), 2), 3, .padding = 1), LTH_SHAPE(8, 8), 3);
}

lth_tensor tensors(lth_tensor x, lth_tensor index)
{
    lth_tensor parts[2] = { x, lth_full_like(x, 2) };
    const int64_t lengths[] = { 1, 2 };
    lth_split(lth_stack(parts, 2, 0), 0, lengths, 2, parts);
    (void)lth_chunk(lth_repeat(lth_roll(x, 1, 0), 2, 1, 3), 2, 0, parts);
    x = lth_einsum("bij,bjk->bik", lth_sort(x, 1, .descending = 1).values, lth_topk(x, 3, 1, .smallest = 1).values);
    x = lth_add(lth_cumsum(x, 0, .reverse = 1), lth_cast(lth_argsort(x, 1), LTH_F32));
    x = lth_clamp(lth_masked_fill(x, lth_any_axis(x, 1, 1), -INFINITY), -1.0, x);
    x = lth_mul(lth_std_axis(x, 1, 1, 1), lth_norm(lth_flip_axes(lth_tril(x, 0), 0, 1), 2));
    x = lth_add(x, lth_mul(lth_median(x), lth_quantile_axis(x, 0.9, 0, 0)));
    x = lth_add(lth_index_select(x, 0, index), lth_arange(x, 0, 3, .step = 0.5, .dtype = LTH_F32));
    return lth_bmm(lth_outer(x, x), lth_unsqueeze(lth_squeeze(lth_repeat_interleave(x, 2, 0), 0), 0));
}

lth_tensor training_step(void *self, lth_step *step)
{
    net *n = static_cast<net *>(self);
    lth_tensor x = lth_embedding_apply(&n->wte, lth_input(step, "x")), y = lth_input(step, "y"), z = lth_input(step, "z");
    x = lth_linear_apply(&n->fc, lth_rms_norm_apply(&n->rms, lth_layer_norm_apply(&n->norm, lth_dropout(x, 0.1))));
    x = lth_add(x, lth_mean(images(n, lth_input(step, "image"))));
    x = lth_add(x, sequences(n, x, y));
    x = lth_alpha_dropout(lth_rrelu(lth_prelu_apply(&n->act, lth_swiglu(x, lth_threshold(x, 0, 1))), 0.1, 0.3), 0.1);
    x = lth_mish(lth_elu(lth_relu6(lth_leaky_relu(lth_hardswish(lth_softplus_scaled(x, 1, 20)), 0.1)), 1));
    lth_tensor loss = lth_cross_entropy(x, y, .label_smoothing = 0.1, .reduction = LTH_REDUCTION_SUM, .ignore = 1, .ignore_index = 0);
    loss = lth_add(loss, lth_sum(tensors(x, y)));
    loss = lth_add(loss, lth_smooth_l1_loss(x, z, .beta = 0.5));
    loss = lth_add(loss, lth_gaussian_nll_loss(x, z, lth_square(x), .full = 1));
    loss = lth_add(loss, lth_binary_cross_entropy_with_logits(x, z, .pos_weight = z));
    loss = lth_add(loss, lth_triplet_margin_loss(x, z, x, .margin = 0.2));
    loss = lth_add(loss, lth_sigmoid_focal_loss(x, z, .gamma = 1.5));
    loss = lth_add(loss, lth_nt_xent_loss(x, z, .temperature = 0.2));
    loss = lth_add(loss, lth_clip_loss(x, z, 10.0));
    loss = lth_add(loss, lth_sum(lth_cdist(x, z, .p = 1)));
    loss = lth_add(loss, lth_ctc_loss(x, y, y, y, .blank = 1, .zero_infinity = 1));
    lth_log(step, "loss", loss, .prog_bar = 1);
    lth_log(step, "f1", lth_class_metric_update(&n->f1, step, x, y), .reduce = LTH_REDUCE_LAST);
    lth_log(step, "kappa", lth_cohen_kappa(lth_confusion_matrix_update(&n->confusion, step, x, y), LTH_KAPPA_PLAIN));
    lth_log(step, "auroc", lth_curve_metric_update(&n->auroc, step, x, y));
    lth_log_each(step, "r2", lth_regression_metric_update(&n->r2, step, x, z), .reduce = LTH_REDUCE_LAST);
    lth_log(step, "mean", lth_mean_metric_update(&n->mean, step, x));
    lth_log(step, "acc", lth_top_k_accuracy(x, y, 5));
    return loss;
}

} // namespace

extern const lth_model test_model;
const lth_model test_model = { .struct_size = sizeof(lth_model), .instance_size = sizeof(net), .id = "test", .configure = configure,
                               .training_step = training_step };
