/* SPDX-License-Identifier: Apache-2.0
 * bench_compile: what recording and planning a step cost as the graph grows, in seconds of the processor, and what the plan is
 * then: bytes, launches, and the milliseconds of a run (the least of three; --plan: it is not run).
 *
 *     bench_compile [--plan] [accelerator] [threads]        default: cpu 1 */
#include "bench_accelerator.h"
#include "engine/engine.h"

#include <lthost/model.h>
#include <lthost/nn.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BATCH = 16, WIDTH = 256, CLASSES = 12, LAYERS = 2 };

typedef struct network {
    lth_recurrent lstm;
    lth_linear layers[LAYERS];
    int64_t steps;
} network;

static lth_status configure(void *self, lth_setup *s)
{
    network *n = self;
    n->lstm = lth_lstm_new(s, "lstm", WIDTH, WIDTH, .layers = LAYERS);
    for (int i = 0; i < LAYERS; i++)
        n->layers[i] = lth_linear_new(s, i ? "b" : "a", WIDTH, WIDTH);
    return lth_setup_status(s);
}

static lth_tensor lstm(const network *n, lth_tensor near_)
{
    lth_tensor x = lth_normal(near_, LTH_SHAPE(n->steps, BATCH, WIDTH));
    return lth_mean(lth_square(lth_recurrent_apply(&n->lstm, x).y));
}

static lth_tensor ctc(const network *n, lth_tensor near_)
{
    lth_tensor x = lth_linear_apply(&n->layers[0], lth_normal(near_, LTH_SHAPE(n->steps, BATCH, WIDTH)));
    lth_tensor target = lth_add(lth_zeros(near_, LTH_REF(lth_shape, LTH_I64, 2, { BATCH, CLASSES })), 3);
    lth_tensor lengths = lth_zeros(near_, LTH_REF(lth_shape, LTH_I64, 1, { BATCH }));
    return lth_ctc_loss(lth_log_softmax(x, 2), target, lth_add(lengths, (double)n->steps), lth_add(lengths, CLASSES));
}

/* Written out by the author: a state that goes through two layers a turn, and a table that is read at each. */
static lth_tensor unrolled(const network *n, lth_tensor near_)
{
    lth_tensor h = lth_zeros(near_, LTH_SHAPE(BATCH, WIDTH)), x = lth_normal(near_, LTH_SHAPE(n->steps, WIDTH)), sum = lth_none();
    for (int64_t t = 0; t < n->steps; t++) {
        h = lth_tanh(lth_linear_apply(&n->layers[0], lth_add(h, lth_slice(x, 0, t, t + 1))));
        h = lth_standardize(lth_add(h, lth_gelu(lth_linear_apply(&n->layers[1], h))), 1, 1e-5);
        sum = lth_is_none(sum) ? lth_mean(h) : lth_add(sum, lth_mean(lth_softmax(h, 1)));
    }
    return sum;
}

static bool step(engine *g, const network *n, lth_tensor (*body)(const network *n, lth_tensor near_), uint32_t number)
{
    error e = { 0 };
    uint64_t ticket;
    const float zero = 0;
    const lth_parameter_info *info;
    uint32_t count = engine_parameters(g, &info);
    lth_tensor wrt[64], gradients[64];
    engine_field field = { .name = "x", .shape = { LTH_F32, 1, { 1 } }, .data = &zero };
    engine_begin(g, &(engine_step_args) { .hook = "step", .fields = &field, .field_count = 1, .training = true, .step = number });
    lth_tensor near_ = engine_input(g, "x", LTH_HERE), loss = body(n, near_);
    for (uint32_t i = 0; i < count; i++)
        wrt[i] = lth_parameter_value(near_, ((lth_parameter) { i + 1, 0 }));
    lth_grad(loss, wrt, count, gradients);
    engine_output(g, loss, LTH_HERE);
    for (uint32_t i = 0; i < count; i++)
        engine_output(g, lth_sum(gradients[i]), LTH_HERE);
    bool ok = engine_end(g, &ticket, &e) == LTH_OK;
    if (!ok)
        fprintf(stderr, "%s\n", e.text);
    return ok;
}

static lth_status run_nothing(void *self, lth_plan *plan, const lth_bindings *bindings, lth_run_result *result)
{
    (void)self, (void)plan, (void)bindings, (void)result;
    return LTH_OK;
}

static void last_lines(void *context, const char *text)
{
    if (strstr(text, "memory"))
        snprintf(context, 200, "%s", text);
}

static void measure(bench_accelerator *a, const char *name, lth_tensor (*body)(const network *n, lth_tensor near_), int64_t steps,
                    bool plan_alone)
{
    error e = { 0 };
    network n = { .steps = steps };
    engine_options options = { .accelerator = bench_timed(a), .accelerator_self = a->self, .floating = LTH_F32, .seed = 1 };
    lth_status (*run)(void *, lth_plan *, const lth_bindings *, lth_run_result *) = a->timed.run;
    engine *g = engine_new(&options, &e);
    if (!g || engine_configure(g, NULL, 0, configure, &n, &e) || engine_allocate(g, false, &e)) {
        fprintf(stderr, "%s\n", e.text);
        exit(1);
    }
    double least = 1e9, planned = 0;
    for (uint32_t i = 0; i < (plan_alone ? 1 : 4); i++) { /* the first is not run */
        clock_t start = clock();
        a->timed.run = i ? run : run_nothing;
        if (!step(g, &n, body, i))
            exit(1);
        planned = i ? planned : (double)(clock() - start) / CLOCKS_PER_SEC;
        least = i && a->last_run < least ? a->last_run : least;
    }
    char text[200] = "";
    engine_describe(g, last_lines, text);
    printf("%-10s %5lld steps: %7.3f s to plan, %s", name, (long long)steps, planned, text);
    printf(plan_alone ? "\n" : ", %9.2f ms a run\n", 1e3 * least);
    fflush(stdout);
    engine_free(g);
}

int main(int argc, char **argv)
{
    bench_accelerator a;
    bool plan_alone = argc > 1 && strcmp(argv[1], "--plan") == 0;
    argc -= plan_alone, argv += plan_alone;
    const char *plugin = argc > 1 ? argv[1] : "cpu";
    if (!bench_open_accelerator(&a, plugin, argc > 2 ? atoi(argv[2]) : 1))
        return 1;
    for (int64_t steps = 64; steps <= 512; steps *= 2) {
        measure(&a, "lstm", lstm, steps, plan_alone);
        measure(&a, "ctc", ctc, steps, plan_alone);
        measure(&a, "unrolled", unrolled, steps, plan_alone);
    }
    return 0;
}
