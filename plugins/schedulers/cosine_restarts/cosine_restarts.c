/* SPDX-License-Identifier: Apache-2.0
 * cosine_restarts: half a cosine from the base rate to eta_min, then again from the base rate, ...; the i-th takes
 * t_0 t_mult^i intervals. After Loshchilov & Hutter 2017, "SGDR", as torch's CosineAnnealingWarmRestarts. */
#include <lthost/scheduler.h>
#include <math.h>

struct cosine_restarts {
    int64_t t_0, t_mult;
    double eta_min;
};

static const lth_option options[] = {
    LTH_OPTION(struct cosine_restarts, t_0, NULL, "1..1000000000", "intervals of the first fall", .flags = LTH_OPTION_REQUIRED),
    LTH_OPTION(struct cosine_restarts, t_mult, "1", "1..1000000", "how many times as long each fall is as the one before"),
    LTH_OPTION(struct cosine_restarts, eta_min, "0", "0..", "the learning rate at the end of a fall"),
};

static double rate(void *self, const lth_schedule *at)
{
    static const double pi = 3.14159265358979323846;
    const struct cosine_restarts *c = self;
    int64_t t = at->count, length = c->t_0;
    if (c->t_mult == 1)
        t %= length;
    while (t >= length) {
        t -= length;
        length *= c->t_mult; /* at most t times t_mult: no overflow */
    }
    return c->eta_min + (at->base - c->eta_min) * 0.5 * (1 + cos(pi * (double)t / (double)length));
}

LTH_SCHEDULER(cosine_restarts, .summary = "falls by half a cosine, again and again", .options = LTH_OPTIONS(options), .rate = rate);
LTH_PLUGIN(LTH_SCHEDULER_COMPONENT(cosine_restarts));
