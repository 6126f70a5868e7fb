/* SPDX-License-Identifier: Apache-2.0
 * bench_compile: what making a plan costs as the graph grows, and what the plan is then: seconds, bytes, launches, and the
 * milliseconds of a run (the least of three; --once: not run again).
 *
 *     bench_compile [--once] [accelerator] [threads]        default: cpu 1 */
#include "bench_accelerator.h"
#include "engine/engine.h"

#include <lthost/model.h>
#include <lthost/nn.h>
#include <stdlib.h>
#include <string.h>

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

static void last_lines(void *context, const char *text)
{
    if (strstr(text, "launches") || strstr(text, "memory"))
        snprintf(context, 200, "%s", text);
}

static void measure(bench_accelerator *a, const char *name, lth_tensor (*body)(const network *n, lth_tensor near_), int64_t steps,
                    bool once)
{
    error e = { 0 };
    network n = { .steps = steps };
    engine_options options = { .accelerator = bench_timed(a), .accelerator_self = a->self, .floating = LTH_F32, .seed = 1 };
    engine *g = engine_new(&options, &e);
    if (!g || engine_configure(g, NULL, 0, configure, &n, &e) || engine_allocate(g, false, &e)) {
        fprintf(stderr, "%s\n", e.text);
        exit(1);
    }
    double least = 1e9;
    for (uint32_t i = 0; i < (once ? 1 : 3); i++) {
        if (!step(g, &n, body, i))
            exit(1);
        least = a->last_run < least ? a->last_run : least;
    }
    engine_stats s;
    char text[200] = "";
    engine_get_stats(g, &s);
    engine_describe(g, last_lines, text);
    printf("%-10s %5lld steps: %7.3f s to compile, %12llu bytes, %9.2f ms a run; %s\n", name, (long long)steps, s.compile_seconds,
           (unsigned long long)s.plan_memory, 1e3 * least, text);
    fflush(stdout);
    engine_free(g);
}

int main(int argc, char **argv)
{
    bench_accelerator a;
    bool once = argc > 1 && strcmp(argv[1], "--once") == 0;
    argc -= once, argv += once;
    const char *plugin = argc > 1 ? argv[1] : "cpu";
    if (!bench_open_accelerator(&a, plugin, argc > 2 ? atoi(argv[2]) : 1))
        return 1;
    for (int64_t steps = 64; steps <= 512; steps *= 2) {
        measure(&a, "lstm", lstm, steps, once);
        measure(&a, "ctc", ctc, steps, once);
        measure(&a, "unrolled", unrolled, steps, once);
    }
    return 0;
}
