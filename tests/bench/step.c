/* SPDX-License-Identifier: Apache-2.0
 * bench_step: what a training step of a multi-layer perceptron costs: recording, the plan, and the plan beside a loop written by
 * hand. Times are the median and the least of many steps, in microseconds.
 *
 *     bench_step [accelerator] [threads]        default: cpu 1
 *     bench_step --describe [accelerator]       prints the plans */
#include "bench_accelerator.h"
#include "engine/engine.h"
#include "hand.h"

#include <lthost/nn/classification_loss.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct network {
    const char *name;
    int64_t batch, inputs, hidden, classes;
} network;

static const network networks[] = {
    { "2-16-16-10, batch 4", 4, 2, 16, 10 },
    { "64-128-128-10, batch 64", 64, 64, 128, 10 },
    { "784-128-128-10, batch 64", 64, 784, 128, 10 },
    { "784-512-512-10, batch 256", 256, 784, 512, 10 },
};

/* Adam (Kingma and Ba 2015). */
struct adam {
    double lr, beta1, beta2, eps;
    lth_slot m, v, t;
};

static const lth_option adam_options[] = {
    LTH_OPTION(struct adam, lr, "1e-3", "0..", "learning rate", .flags = LTH_OPTION_HYPER),
    LTH_OPTION(struct adam, beta1, "0.9", "0..1", "decay of the mean", .flags = LTH_OPTION_HYPER),
    LTH_OPTION(struct adam, beta2, "0.999", "0..1", "decay of the mean square", .flags = LTH_OPTION_HYPER),
    LTH_OPTION(struct adam, eps, "1e-8", "0..", "added to the divisor", .flags = LTH_OPTION_HYPER),
};

static lth_status adam_setup(void *self, lth_optimizer_setup *s)
{
    struct adam *o = self;
    o->m = lth_state_new(s, "m", 0);
    o->v = lth_state_new(s, "v", 0);
    o->t = lth_number_new(s, "step", 0);
    return LTH_OK;
}

static lth_status adam_update(void *self, lth_update *u)
{
    struct adam *o = self;
    lth_tensor b1 = lth_hyper(u, struct adam, beta1), b2 = lth_hyper(u, struct adam, beta2), g = lth_update_gradient(u);
    lth_tensor t = lth_add(lth_update_state(u, o->t), 1);
    lth_tensor m = lth_add(lth_mul(lth_update_state(u, o->m), b1), lth_mul(g, lth_sub(1, b1)));
    lth_tensor v = lth_add(lth_mul(lth_update_state(u, o->v), b2), lth_mul(lth_square(g), lth_sub(1, b2)));
    lth_tensor root = lth_div(lth_sqrt(v), lth_sqrt(lth_sub(1, lth_pow(b2, t))));
    lth_tensor step = lth_div(lth_hyper(u, struct adam, lr), lth_sub(1, lth_pow(b1, t)));
    lth_update_set_parameter(
        u, lth_sub(lth_update_parameter(u), lth_div(lth_mul(m, step), lth_add(root, lth_hyper(u, struct adam, eps)))));
    lth_update_set(u, o->m, m);
    lth_update_set(u, o->v, v);
    lth_update_set(u, o->t, t);
    return LTH_OK;
}

static const lth_optimizer adam_rule = { .struct_size = sizeof(lth_optimizer),
                                         .instance_size = sizeof(struct adam),
                                         .id = "adam",
                                         .options = LTH_OPTIONS(adam_options),
                                         .elementwise = 1,
                                         .setup = adam_setup,
                                         .update = adam_update };

typedef struct model {
    const network *n;
    lth_parameter w[3], b[3];
} model;

static lth_status configure(void *self, lth_setup *s)
{
    model *m = self;
    int64_t widths[] = { m->n->inputs, m->n->hidden, m->n->hidden, m->n->classes };
    for (int i = 0; i < 3; i++) {
        char name[8] = { 'f', 'c', (char)('1' + i) };
        lth_enter(s, name);
        m->w[i] = lth_parameter_new(s, "weight", LTH_SHAPE(widths[i + 1], widths[i]), lth_init_uniform(-0.1, 0.1));
        m->b[i] = lth_parameter_new(s, "bias", LTH_SHAPE(widths[i + 1]), lth_init_constant(0));
        lth_leave(s);
    }
    return lth_setup_status(s);
}

static void step(engine *g, const model *m, engine_field *fields, uint32_t number, error *e)
{
    const lth_tensor *gradients, *totals;
    uint32_t count;
    uint64_t ticket;
    engine_begin(
        g, &(engine_step_args) { .hook = "training_step", .fields = fields, .field_count = 2, .training = true, .step = number });
    lth_tensor x = engine_input(g, "x", LTH_HERE), y = engine_input(g, "y", LTH_HERE);
    for (int i = 0; i < 3; i++) {
        x = lth_add(lth_matmul_t(x, lth_parameter_value(x, m->w[i])), lth_parameter_value(x, m->b[i]));
        x = i < 2 ? lth_relu(x) : x;
    }
    lth_tensor loss = lth_cross_entropy(x, y);
    engine_output(g, loss, LTH_HERE);
    engine_update_args args = { .guard = true };
    if (engine_gradients(g, 0, loss, &gradients, &count, LTH_HERE) == LTH_OK &&
        engine_total(g, 0, gradients, &args, &totals, LTH_HERE) == LTH_OK)
        engine_update(g, 0, totals, &args, LTH_HERE);
    if (engine_end(g, &ticket, e)) {
        fprintf(stderr, "%s\n", e->text);
        exit(1);
    }
}

static void line(void *context, const char *text)
{
    (void)context;
    puts(text);
}

static void must(lth_status status, const error *e)
{
    if (status) {
        fprintf(stderr, "%s\n", e->text);
        exit(1);
    }
}

static void run_network(bench_accelerator *a, const network *n, bool describe)
{
    error e = { 0 };
    model m = { .n = n };
    struct adam adam = { .lr = 1e-3, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8 };
    engine_options options = { .accelerator = bench_timed(a), .accelerator_self = a->self, .floating = LTH_F32, .seed = 1 };
    engine *g = engine_new(&options, &e);
    uint32_t parameters[6];
    must(g ? LTH_OK : LTH_ERROR, &e);
    must(engine_configure(g, NULL, 0, configure, &m, &e), &e);
    for (int i = 0; i < 3; i++) {
        parameters[2 * i] = m.w[i].id;
        parameters[2 * i + 1] = m.b[i].id;
    }
    if (engine_add_optimizer(g, &adam_rule, "adam", &e) < 0)
        must(LTH_ERROR, &e);
    must(engine_add_group(g, 0, &adam, parameters, 6, &e), &e);
    must(engine_allocate(g, false, &e), &e);

    float *x = calloc((size_t)(n->batch * n->inputs), sizeof *x);
    int64_t *y = calloc((size_t)n->batch, sizeof *y);
    for (int64_t i = 0; i < n->batch * n->inputs; i++)
        x[i] = (float)(i * 7919 % 1000) / 1000;
    for (int64_t i = 0; i < n->batch; i++)
        y[i] = i % n->classes;
    engine_field fields[] = { { "x", { LTH_F32, 2, { n->batch, n->inputs } }, x }, { "y", { LTH_I64, 1, { n->batch } }, y } };

    hand *h = hand_new(n->batch, (const int64_t[]) { n->inputs, n->hidden, n->hidden, n->classes });
    must(h ? LTH_OK : LTH_NO_MEMORY, &e);
    bench_times whole = { 0 }, plan = { 0 }, by_hand = { 0 };
    uint32_t times = n->batch > 64 ? BENCH_TIMES / 10 : BENCH_TIMES;
    for (uint32_t i = 0; i < times + 20; i++) {
        double start = bench_now();
        step(g, &m, fields, i, &e);
        bench_add(&whole, bench_now() - start, i >= 20);
        bench_add(&plan, a->last_run, i >= 20);
        start = bench_now();
        hand_step(h, x, y);
        bench_add(&by_hand, bench_now() - start, i >= 20);
    }
    if (describe)
        engine_describe(g, line, NULL);
    printf("%-26s step %8.1f (least %.1f)  plan %8.1f (%.1f)  by hand %8.1f (%.1f) us\n", n->name, bench_median(&whole),
           bench_least(&whole), bench_median(&plan), bench_least(&plan), bench_median(&by_hand), bench_least(&by_hand));
    hand_free(h);
    engine_free(g);
    free(x);
    free(y);
}

int main(int argc, char **argv)
{
    bool describe = argc > 1 && strcmp(argv[1], "--describe") == 0;
    argv += describe;
    argc -= describe;
    bench_accelerator a;
    if (!bench_open_accelerator(&a, argc > 1 ? argv[1] : "cpu", argc > 2 ? atoi(argv[2]) : 1))
        return 1;
    printf("%s\n", a.accelerator->fingerprint(a.self));
    for (size_t i = 0; i < sizeof networks / sizeof *networks; i++)
        run_network(&a, &networks[i], describe);
    return 0;
}
