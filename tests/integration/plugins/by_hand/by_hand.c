/* SPDX-License-Identifier: Apache-2.0
 * by_hand: training steps with several optimizers, losses and rhythms; those of tests/golden/by_hand.py, from the same weights.
 *
 *   made = tanh(z Wg + bg)                   generator (B, Z) -> (B, D); as an actor, the logits of D actions
 *   told = tanh(x W1 + b1) w2 + b2           critic (B, D) -> (B, 1) */
#include <lthost/lthost.h>
#include <lthost/nn.h>
#include <string.h>

struct by_hand {
    const char *how;
    int64_t every;
    lth_parameter generator[2], critic[4];
};

static const lth_option options[] = {
    LTH_OPTION(struct by_hand, how, "in_order", "in_order|wgan_gp|accumulate|actor_critic|one_optimizer|nothing|unnamed|uncounted|stale|clip", "what a step does"),
    LTH_OPTION(struct by_hand, every, "2", "1..", "batches to one step of the generator, or to one update"),
};

/* ---- Networks ---- */

/* The p-th parameter: numbers in -0.5..0.5 that are a formula of p and of their place. */
static lth_parameter parameter_new(lth_setup *s, const char *name, int64_t p, const lth_shape *shape)
{
    double values[64];
    for (int64_t e = 0; e < lth_shape_count(shape); e++)
        values[e] = ((double)((31 * p * p + 17 * e + 7 * p * e + 5 * e * e) % 97) / 48 - 1) / 2;
    const lth_init init = { .kind = LTH_INIT_VALUES, .values = values };
    return lth_parameter_new(s, name, shape, &init);
}

static lth_status configure(void *self, lth_setup *s)
{
    enum { HIDDEN = 7 };
    struct by_hand *m = self;
    const int64_t Z = lth_input_dim(s, "z", 1), D = lth_input_dim(s, "x", 1);
    lth_enter(s, "generator");
    m->generator[0] = parameter_new(s, "weight", 1, LTH_SHAPE(Z, D));
    m->generator[1] = parameter_new(s, "bias", 2, LTH_SHAPE(D));
    lth_leave(s);
    lth_enter(s, "critic");
    m->critic[0] = parameter_new(s, "w1", 3, LTH_SHAPE(D, HIDDEN));
    m->critic[1] = parameter_new(s, "b1", 4, LTH_SHAPE(HIDDEN));
    m->critic[2] = parameter_new(s, "w2", 5, LTH_SHAPE(HIDDEN, 1));
    m->critic[3] = parameter_new(s, "b2", 6, LTH_SHAPE(1));
    lth_leave(s);
    return lth_setup_status(s);
}

static lth_tensor affine(lth_tensor x, const lth_parameter *p)
{
    return lth_add(lth_matmul(x, lth_parameter_value(x, p[0])), lth_parameter_value(x, p[1]));
}
static lth_tensor make(const struct by_hand *m, lth_tensor z) { return lth_tanh(affine(z, m->generator)); }
static lth_tensor judge(const struct by_hand *m, lth_tensor x) { return affine(lth_tanh(affine(x, m->critic)), m->critic + 2); }

static lth_tensor square(lth_tensor x) { return lth_mul(x, x); }

/* ---- Steps ---- */

/* The second loss sees what the first one's update made of the generator. */
static void in_order(struct by_hand *m, lth_step *step, lth_tensor x, lth_tensor z)
{
    lth_tensor a = lth_mean(square(lth_sub(judge(m, make(m, z)), 1)));
    lth_minimize(step, lth_optimizer_index(step, "generator"), a);
    lth_tensor made = lth_stop_gradient(make(m, z));
    lth_tensor b = lth_add(lth_mean(square(lth_sub(judge(m, x), 1))), lth_mean(square(judge(m, made))));
    lth_minimize(step, lth_optimizer_index(step, "critic"), b);
    lth_log(step, "a_loss", a);
    lth_log(step, "b_loss", b);
}

/* Gulrajani et al. 2017, "Improved training of Wasserstein GANs": the critic in every batch, the generator in each `every`th. */
static void wgan_gp(struct by_hand *m, lth_step *step, lth_tensor x, lth_tensor z)
{
    lth_tensor made = lth_stop_gradient(make(m, z));
    lth_tensor between = lth_add(lth_mul(x, 0.3), lth_mul(made, 0.7)), slope;
    lth_grad(lth_sum(judge(m, between)), &between, 1, &slope);
    lth_tensor penalty = lth_mean(square(lth_sub(lth_sqrt(lth_sum_axis(square(slope), 1, 0)), 1)));
    lth_tensor b = lth_add(lth_sub(lth_mean(judge(m, made)), lth_mean(judge(m, x))), lth_mul(penalty, 10));
    lth_minimize(step, lth_optimizer_index(step, "critic"), b);
    lth_log(step, "b_loss", b);
    if ((lth_batch_idx(step) + 1) % m->every != 0)
        return;
    lth_tensor a = lth_neg(lth_mean(judge(m, make(m, z))));
    lth_minimize(step, lth_optimizer_index(step, "generator"), a);
    lth_log(step, "a_loss", a);
}

/* One optimizer, an update every `every` batches, clipped and scheduled by hand. */
static void accumulate(struct by_hand *m, lth_step *step, lth_tensor x, lth_tensor z)
{
    uint32_t n;
    lth_tensor loss = lth_mean(square(lth_sub(judge(m, make(m, z)), lth_mean_axis(x, 1, 1))));
    lth_tensor *g = lth_backward(step, 0, lth_div(loss, (double)m->every), &n);
    lth_clip_grad_norm(g, n, 0.05);
    if ((lth_batch_idx(step) + 1) % m->every != 0) {
        lth_accumulate(step, 0, g, n);
        return;
    }
    lth_optimizer_step(step, 0, g, n);
    lth_scheduler_step(step, 0);
    lth_log(step, "a_loss", loss);
}

/* Returns r, the actor takes action y: policy gradient with the critic as baseline. */
static void actor_critic(struct by_hand *m, lth_step *step, lth_tensor x, lth_tensor z, bool together)
{
    lth_tensor returned = lth_mean_axis(x, 1, 1), value = judge(m, x); /* (B, 1) */
    lth_tensor taken = lth_reshape(lth_input(step, "y"), lth_dim(x, 0), 1);
    lth_tensor log_p = lth_gather_along(lth_log_softmax(make(m, z), 1), taken, 1);
    lth_tensor a = lth_neg(lth_mean(lth_mul(log_p, lth_stop_gradient(lth_sub(returned, value)))));
    lth_tensor b = lth_mean(square(lth_sub(value, returned)));
    if (together) {
        uint32_t n;
        lth_tensor *of_actor = lth_backward(step, 0, a, &n), *of_critic = lth_backward(step, 0, b, &n);
        for (uint32_t i = 0; i < n; i++)
            of_actor[i] = lth_add(of_actor[i], of_critic[i]);
        lth_optimizer_step(step, 0, of_actor, n);
    } else {
        lth_minimize(step, lth_optimizer_index(step, "generator"), a);
        lth_minimize(step, lth_optimizer_index(step, "critic"), b);
    }
    lth_log(step, "a_loss", a);
    lth_log(step, "b_loss", b);
}

/* What a step gets wrong. */
static void mistake(struct by_hand *m, lth_step *step, lth_tensor x, lth_tensor z)
{
    uint32_t n = 0;
    const int32_t generator = strcmp(m->how, "unnamed") == 0 ? lth_optimizer_index(step, NULL) : lth_optimizer_index(step, "generator");
    lth_tensor a = lth_mean(square(lth_sub(judge(m, make(m, z)), lth_mean_axis(x, 1, 1))));
    lth_tensor *g = lth_backward(step, generator, a, strcmp(m->how, "uncounted") == 0 ? NULL : &n);
    if (strcmp(m->how, "clip") == 0)
        lth_clip_grad_norm(g, n, -1);
    lth_optimizer_step(step, generator, g, n);
    lth_minimize(step, generator, a);
}

static lth_tensor training_step(void *self, lth_step *step)
{
    struct by_hand *m = self;
    lth_tensor x = lth_input(step, "x"), z = lth_input(step, "z");
    if (strcmp(m->how, "in_order") == 0)
        in_order(m, step, x, z);
    else if (strcmp(m->how, "wgan_gp") == 0)
        wgan_gp(m, step, x, z);
    else if (strcmp(m->how, "accumulate") == 0)
        accumulate(m, step, x, z);
    else if (strcmp(m->how, "actor_critic") == 0 || strcmp(m->how, "one_optimizer") == 0)
        actor_critic(m, step, x, z, strcmp(m->how, "one_optimizer") == 0);
    else if (strcmp(m->how, "nothing") != 0)
        mistake(m, step, x, z);
    return lth_none();
}

#define SLOTS .options = LTH_OPTIONS(options), .configure = configure, .training_step = training_step
LTH_MODEL(by_hand, .summary = "several optimizers, losses and rhythms", .manual_optimization = 1, .accumulates = 1, SLOTS);
static const lth_model keeps_nothing = { .struct_size = sizeof(lth_model), .instance_size = sizeof(struct by_hand), .id = "by_hand_lean",
                                         .summary = "the same, without memory for accumulation", .manual_optimization = 1, SLOTS };

/* The same parameters to each as those of the run files. */
static lth_status configure_optimizers(void *self, lth_optimizers *o)
{
    (void)self;
    int32_t g = lth_optimizer_add(o, "optimizer.generator"), c = lth_optimizer_add(o, "optimizer.critic");
    lth_optimizer_parameters(o, g, "generator.", NULL);
    lth_optimizer_scheduler(o, g, "scheduler.generator");
    lth_optimizer_parameters(o, c, "critic.w", NULL);
    return lth_optimizer_parameters(o, c, "critic.b", "optimizer.critic.group.biases");
}
static const lth_model configures = { .struct_size = sizeof(lth_model), .instance_size = sizeof(struct by_hand), .id = "by_hand_configured",
                                      .summary = "the same, by its own word", .manual_optimization = 1,
                                      .configure_optimizers = configure_optimizers, SLOTS };
LTH_PLUGIN(LTH_MODEL_COMPONENT(by_hand), { "model/1", &keeps_nothing }, { "model/1", &configures });
