/* SPDX-License-Identifier: Apache-2.0
 * cosine: a linear warm-up over W intervals, then half a cosine from the base rate to eta_min over T:
 *
 *     t < W     base (t + 1) / W
 *     else      eta_min + (base - eta_min) (1 + cos(pi (t - W) / T)) / 2
 *
 * after Loshchilov & Hutter 2017, "SGDR", and, without warm-up, as torch's CosineAnnealingLR: past T the rate rises again. */
#include <lthost/scheduler.h>
#include <math.h>

struct cosine {
    int64_t warmup, t_max;
    double eta_min;
    const lth_host *host;
};

static const lth_option options[] = {
    LTH_OPTION(struct cosine, warmup, "0", "0..", "W: intervals of linear warm-up"),
    LTH_OPTION(struct cosine, t_max, "0", "0..", "T: intervals of the fall; 0: what the whole run has after the warm-up"),
    LTH_OPTION(struct cosine, eta_min, "0", "0..", "the learning rate at its end"),
};

static lth_status init(void *self, const lth_host *host)
{
    struct cosine *c = self;
    c->host = host;
    return LTH_OK;
}

static double rate(void *self, const lth_schedule *at)
{
    static const double pi = 3.14159265358979323846;
    const struct cosine *c = self;
    int64_t fall = c->t_max ? c->t_max : at->total - c->warmup;
    if (c->t_max == 0 && at->total < 0) {
        lth_fail(c->host, LTH_INVALID, "how long this run will be is not known: set t_max, or [trainer] max_epochs or max_steps");
        return NAN;
    }
    if (at->count < c->warmup)
        return at->base * (double)(at->count + 1) / (double)c->warmup;
    if (fall <= 0) {
        lth_fail(c->host, LTH_INVALID, "the warm-up of %lld intervals leaves nothing of a run of %lld", (long long)c->warmup,
                 (long long)at->total);
        return NAN;
    }
    double t = (double)(at->count - c->warmup) / (double)fall;
    return c->eta_min + (at->base - c->eta_min) * 0.5 * (1 + cos(pi * t));
}

LTH_SCHEDULER(cosine, .summary = "linear warm-up, then half a cosine down to eta_min", .options = LTH_OPTIONS(options), .init = init,
              .rate = rate);
LTH_PLUGIN(LTH_SCHEDULER_COMPONENT(cosine));
