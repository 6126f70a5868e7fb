/* SPDX-License-Identifier: Apache-2.0
 * cosine: half a cosine from the base rate to eta_min over T intervals:
 *
 *     eta_min + (base - eta_min) (1 + cos(pi t / T)) / 2
 *
 * after Loshchilov & Hutter 2017, "SGDR", as torch's CosineAnnealingLR: past T the rate rises again. */
#include <lthost/scheduler.h>
#include <math.h>

struct cosine {
    int64_t t_max;
    double eta_min;
    const lth_host *host;
};

static const lth_option options[] = {
    LTH_OPTION(struct cosine, t_max, "0", "0..", "T: intervals of the fall; 0: the rest of the run"),
    LTH_OPTION(struct cosine, eta_min, "0", "0..", "the learning rate at its end"),
};

static lth_status init(void *self, const lth_host *host)
{
    ((struct cosine *)self)->host = host;
    return LTH_OK;
}

static double rate(void *self, const lth_schedule *at)
{
    static const double pi = 3.14159265358979323846;
    const struct cosine *c = self;
    int64_t length = lth_schedule_length(c->host, at, c->t_max, "t_max");
    if (length < 0)
        return NAN;
    return c->eta_min + (at->base - c->eta_min) * 0.5 * (1 + cos(pi * (double)at->count / (double)length));
}

LTH_SCHEDULER(cosine, .summary = "half a cosine down to eta_min", .options = LTH_OPTIONS(options), .init = init, .rate = rate);
LTH_PLUGIN(LTH_SCHEDULER_COMPONENT(cosine));
