/* SPDX-License-Identifier: Apache-2.0
 * Compiled, never run: every header of nn/ is C++20 without a warning, designators and all. */
#include <lthost/lthost.h>
#include <lthost/nn.h>

namespace {

struct net { lth_linear fc; lth_embedding wte; lth_layer_norm norm; lth_conv2d conv; lth_conv_transpose2d up; 
    lth_class_metric f1;
    lth_confusion_matrix confusion;
    lth_curve_metric auroc;
    lth_regression_metric r2;
    lth_mean_metric mean;
};

lth_status configure(void *self, lth_setup *s)
{
    net *n = static_cast<net *>(self);
    n->fc = lth_linear_new(s, "fc", 3, 4, .weight = lth_init_xavier_uniform(3, 4), .bias = lth_init_constant(0));
    n->wte = lth_embedding_new(s, "wte", 10, 4, .weight = lth_init_truncated_normal(0, 0.02), .padding = 1, .padding_idx = 2);
    n->norm = lth_layer_norm_new(s, "norm", 4, .eps = 1e-6, .no_bias = 1);
    n->conv = lth_conv2d_new(s, "conv", 1, 8, 3, .stride = 2, .padding_of = { 1, 2 }, .padding_mode = LTH_PAD_REFLECT, .no_bias = 1,
                             .weight = lth_init_orthogonal(1));
    n->up = lth_conv_transpose2d_new(s, "up", 8, 1, 2, .stride = 2, .weight = lth_init_trunc_normal(0, 0.02, -0.04, 0.04), .bias = lth_init_uniform_std(LTH_GAIN_TANH * lth_xavier_std(8, 1)));
    n->f1 = lth_f1_new(s, "f1", 4, .average = LTH_AVERAGE_MICRO, .ignore = 1, .ignore_index = 0);
    n->confusion = lth_confusion_matrix_new(s, "confusion", 4);
    n->auroc = lth_auroc_new(s, "auroc", 4, .thresholds = 50);
    n->r2 = lth_r2_new(s, "r2", 4, .multioutput = LTH_MULTIOUTPUT_RAW);
    n->mean = lth_mean_metric_new(s, "mean", .reduce = LTH_REDUCE_MAX);
    return lth_setup_status(s);
}

lth_tensor images(net *n, lth_tensor x)
{
    lth_tensor where;
    x = lth_max_pool(lth_conv_apply(&n->conv, x), 3, .stride = 2, .padding = 1, .indices = &where, .ceil_mode = 1);
    x = lth_conv_apply(&n->up, lth_avg_pool(lth_max_unpool(x, where, LTH_SHAPE(9, 9)), 2, .exclude_padding = 1));
    x = lth_conv(lth_pad_spatial(x, LTH_PAD_CIRCULAR, .padding = 1), x, .dilation = 2, .same = 1);
    x = lth_resize(lth_adaptive_avg_pool(lth_lp_pool(lth_conv_transpose(x, x), 2, 3, .stride = 2), LTH_SHAPE(1)), LTH_SHAPE(8, 8), LTH_RESIZE_LINEAR);
    return lth_fold(lth_unfold(lth_pixel_unshuffle(lth_pixel_shuffle(lth_upsample(x, 2, LTH_RESIZE_NEAREST), 2), 2), 3, .padding = 1), LTH_SHAPE(8, 8), 3);
}

lth_tensor training_step(void *self, lth_step *step)
{
    net *n = static_cast<net *>(self);
    lth_tensor x = lth_embedding_apply(&n->wte, lth_input(step, "x")), y = lth_input(step, "y"), z = lth_input(step, "z");
    x = lth_linear_apply(&n->fc, lth_layer_norm_apply(&n->norm, lth_dropout(x, 0.1)));
    x = lth_add(x, lth_mean(images(n, lth_input(step, "image"))));
    x = lth_mish(lth_elu(lth_relu6(lth_leaky_relu(lth_hardswish(lth_softplus_scaled(x, 1, 20)), 0.1)), 1));
    lth_tensor loss = lth_cross_entropy(x, y, .label_smoothing = 0.1, .reduction = LTH_REDUCTION_SUM, .ignore = 1, .ignore_index = 0);
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
