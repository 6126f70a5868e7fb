/* SPDX-License-Identifier: Apache-2.0
 * Compiled, never run: every header of nn/ is C++20 without a warning, designators and all. */
#include <lthost/lthost.h>
#include <lthost/nn.h>

namespace {

struct net { lth_linear fc; lth_embedding wte; lth_layer_norm norm; };

lth_status configure(void *self, lth_setup *s)
{
    net *n = static_cast<net *>(self);
    n->fc = lth_linear_new(s, "fc", 3, 4, .weight = lth_init_xavier_uniform(3, 4), .bias = lth_init_constant(0));
    n->wte = lth_embedding_new(s, "wte", 10, 4, .weight = lth_init_truncated_normal(0, 0.02), .padding = 1, .padding_idx = 2);
    n->norm = lth_layer_norm_new(s, "norm", 4, .eps = 1e-6, .no_bias = 1);
    return lth_setup_status(s);
}

lth_tensor training_step(void *self, lth_step *step)
{
    net *n = static_cast<net *>(self);
    lth_tensor x = lth_embedding_apply(&n->wte, lth_input(step, "x")), y = lth_input(step, "y"), z = lth_input(step, "z");
    x = lth_linear_apply(&n->fc, lth_layer_norm_apply(&n->norm, lth_dropout(x, 0.1)));
    x = lth_mish(lth_elu(lth_relu6(lth_leaky_relu(lth_hardswish(lth_softplus_scaled(x, 1, 20)), 0.1)), 1));
    lth_tensor loss = lth_cross_entropy(x, y, .label_smoothing = 0.1, .reduction = LTH_REDUCTION_SUM, .ignore = 1, .ignore_index = 0);
    loss = lth_add(loss, lth_smooth_l1_loss(x, z, .beta = 0.5));
    loss = lth_add(loss, lth_gaussian_nll_loss(x, z, lth_square(x), .full = 1));
    loss = lth_add(loss, lth_binary_cross_entropy_with_logits(x, z, .pos_weight = z));
    loss = lth_add(loss, lth_triplet_margin_loss(x, z, x, .margin = 0.2));
    lth_log(step, "loss", loss, .prog_bar = 1);
    lth_log(step, "acc", lth_top_k_accuracy(x, y, 5));
    return loss;
}

} // namespace

extern const lth_model test_model;
const lth_model test_model = { .struct_size = sizeof(lth_model), .instance_size = sizeof(net), .id = "test", .configure = configure,
                               .training_step = training_step };
