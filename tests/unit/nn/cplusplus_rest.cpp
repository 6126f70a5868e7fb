/* SPDX-License-Identifier: Apache-2.0
 * Compiled, never run: the macros of nn/ and image.h that cplusplus.cpp leaves, with every option in the order of its field. */
#include <lthost/lthost.h>
#include <lthost/nn.h>

namespace {

struct net {
    lth_conv_layer conv[4];
    lth_embedding bag;
    lth_class_metric classes[7];
    lth_regression_metric numbers[9];
    lth_curve_metric curve;
    lth_mean_metric perplexity;
    lth_linear linear[5];
};

void layers(net *n, lth_setup *s)
{
    n->conv[0] = lth_conv1d_new(s, "c1", 1, 2, 3, .dilation = 2, .groups = 1);
    n->conv[1] = lth_conv3d_new(s, "c3", 1, 2, 3, .padding = 1);
    n->conv[2] = lth_conv_transpose1d_new(s, "t1", 1, 2, 3, .output_padding = 1);
    n->conv[3] = lth_conv_transpose3d_new(s, "t3", 1, 2, 3);
    n->bag = lth_embedding_new(s, "bag", 10, 4);
    n->linear[0] = lth_linear_new(s, "l0", 4, 4, .weight = lth_init_kaiming_uniform(4, 0), .bias = lth_init_constant(0));
    n->linear[1] = lth_linear_new(s, "l1", 4, 4, .weight = lth_init_kaiming_normal(4, 0));
    n->linear[2] = lth_linear_new(s, "l2", 4, 4, .weight = lth_init_xavier_normal(4, 4), .no_bias = 1);
    n->linear[3] = lth_linear_new(s, "l3", 4, 4, .weight = lth_init_eye());
    n->linear[4] = lth_linear_new(s, "l4", 4, 4, .weight = lth_init_dirac(1));
}

void metrics(net *n, lth_setup *s)
{
    n->classes[0] = lth_accuracy_new(s, "accuracy", 4, .average = LTH_AVERAGE_MICRO, .multilabel = 1, .probabilities = 1, .ignore = 1,
                                     .ignore_index = 2, .top_k = 2, .threshold = 0.5, .beta = 2);
    n->classes[1] = lth_precision_new(s, "precision", 4);
    n->classes[2] = lth_recall_new(s, "recall", 4);
    n->classes[3] = lth_f_beta_new(s, "f_beta", 4, .beta = 2);
    n->classes[4] = lth_specificity_new(s, "specificity", 4);
    n->classes[5] = lth_jaccard_new(s, "jaccard", 4);
    n->classes[6] = lth_stat_scores_new(s, "scores", 4);
    n->numbers[0] = lth_mae_new(s, "mae", 1);
    n->numbers[1] = lth_mse_new(s, "mse", 1);
    n->numbers[2] = lth_rmse_new(s, "rmse", 1);
    n->numbers[3] = lth_mape_new(s, "mape", 1);
    n->numbers[4] = lth_smape_new(s, "smape", 1);
    n->numbers[5] = lth_msle_new(s, "msle", 1);
    n->numbers[6] = lth_log_cosh_new(s, "log_cosh", 1);
    n->numbers[7] = lth_explained_variance_new(s, "explained", 3, .multioutput = LTH_MULTIOUTPUT_RAW);
    n->numbers[8] = lth_pearson_new(s, "pearson", 1);
    n->curve = lth_average_precision_new(s, "precision_curve", 4, .thresholds = 50, .average = LTH_AVERAGE_MACRO, .multilabel = 1,
                                         .probabilities = 1, .ignore = 1, .ignore_index = 2);
    n->perplexity = lth_mean_metric_new(s, "perplexity");
}

lth_status configure(void *self, lth_setup *s)
{
    net *n = static_cast<net *>(self);
    layers(n, s);
    metrics(n, s);
    return lth_setup_status(s);
}

lth_tensor activations(lth_tensor x)
{
    x = lth_prelu(lth_hardtanh(lth_selu(lth_celu(lth_hardsigmoid(lth_logsigmoid(x)), 1.5)), -1, 1), x);
    return lth_glu(lth_tanhshrink(lth_softshrink(lth_hardshrink(lth_softsign(x), 0.5), 0.5)), -1);
}

lth_tensor losses(lth_tensor x, lth_tensor y, lth_tensor z)
{
    lth_tensor sum = lth_binary_cross_entropy(x, z, .weight = z, .reduction = LTH_REDUCTION_SUM);
    sum = lth_add(sum, lth_multilabel_soft_margin_loss(x, z, .weight = z));
    sum = lth_add(sum, lth_multilabel_margin_loss(x, y, .reduction = LTH_REDUCTION_SUM));
    sum = lth_add(sum, lth_dice_loss(x, z, .smooth = 1, .reduction = LTH_REDUCTION_SUM));
    sum = lth_add(sum, lth_jaccard_loss(x, z, .smooth = 1));
    sum = lth_add(sum, lth_sigmoid_focal_loss(x, z, .alpha = 0.25, .gamma = 2, .reduction = LTH_REDUCTION_SUM));
    sum = lth_add(sum, lth_contrastive_loss(x, z, z, .margin = 1, .reduction = LTH_REDUCTION_SUM));
    sum = lth_add(sum, lth_info_nce_loss(x, z, .negatives = z, .temperature = 0.1, .reduction = LTH_REDUCTION_SUM));
    sum = lth_add(sum, lth_mse_loss(x, z, .reduction = LTH_REDUCTION_SUM));
    sum = lth_add(sum, lth_l1_loss(x, z));
    sum = lth_add(sum, lth_huber_loss(x, z, .delta = 0.5, .reduction = LTH_REDUCTION_SUM));
    sum = lth_add(sum, lth_poisson_nll_loss(x, z, .eps = 1e-6, .reduction = LTH_REDUCTION_SUM, .rate = 1, .full = 1));
    sum = lth_add(sum, lth_hinge_embedding_loss(x, z, .margin = 0.5));
    sum = lth_add(sum, lth_margin_ranking_loss(x, z, z, .margin = 0.5));
    sum = lth_add(sum, lth_soft_margin_loss(x, z));
    sum = lth_add(sum, lth_cosine_embedding_loss(x, z, z, .margin = 0.5));
    sum = lth_add(sum, lth_nll_loss(x, y, .reduction = LTH_REDUCTION_SUM, .ignore = 1, .ignore_index = 0));
    sum = lth_add(sum, lth_multi_margin_loss(x, y, .margin = 0.5, .reduction = LTH_REDUCTION_SUM, .squared = 1));
    return lth_add(sum, lth_kl_div(x, z, .reduction = LTH_REDUCTION_BATCH_MEAN, .log_target = 1));
}

lth_tensor distances(net *n, lth_tensor x, lth_tensor y)
{
    lth_tensor where;
    x = lth_add(x, lth_pairwise_distance(x, x, .p = 1, .eps = 1e-6, .keep = 1));
    x = lth_cosine_similarity(lth_normalize(x, -1), x, -1);
    x = lth_adaptive_max_pool_indices(lth_adaptive_max_pool(x, LTH_SHAPE(2, 2)), LTH_SHAPE(1, 1), &where);
    return lth_add(x, lth_embedding_bag_apply(&n->bag, y, .mode = LTH_BAG_SUM, .weight = x));
}

/* An addition in turns, as control.h has them. */
lth_tensor loop(lth_tensor x)
{
    lth_loop l = lth_loop_begin(lth_index(x, 3), 4, &x, 1, &x, 1, .reverse = 1);
    lth_tensor next = lth_add(lth_loop_carried(&l, 0), lth_loop_part(&l, 0));
    lth_loop_end(&l, &next, 1, &next, 1);
    return lth_add(lth_loop_last(&l, 0), lth_loop_stack(&l, 0));
}

lth_tensor training_step(void *self, lth_step *step)
{
    net *n = static_cast<net *>(self);
    lth_tensor x = lth_input(step, "x"), y = lth_input(step, "y"), z = lth_input(step, "z");
    lth_log(step, "perplexity", lth_perplexity_update(&n->perplexity, step, x, y, .ignore = 1, .ignore_index = 0));
    lth_log(step, "accuracy", lth_accuracy(x, y));
    lth_log(step, "binary", lth_binary_accuracy(x, z));
    lth_log(step, "mean", lth_weighted_mean(lth_kl_divergence(x, z), lth_hinge_scores(x, y)));
    lth_log(step, "matrix", lth_matthews_corrcoef(lth_confusion_normalized(x, LTH_NORMALIZE_TARGET)));
    return losses(loop(distances(n, activations(x), y)), y, z);
}

} // namespace

extern const lth_model rest_model;
const lth_model rest_model = { .struct_size = sizeof(lth_model), .instance_size = sizeof(net), .id = "rest", .configure = configure,
                               .training_step = training_step };
