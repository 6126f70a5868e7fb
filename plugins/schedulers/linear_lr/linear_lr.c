/* SPDX-License-Identifier: Apache-2.0
 * linear: from base start_factor to base end_factor in a straight line over T intervals, then level. As torch's LinearLR, but
 * for the defaults, which are a fall to zero over the run: a rise is what `warmup` of [scheduler] is for. */
#include <lthost/scheduler.h>
#include <math.h>

struct linear {
    double start_factor, end_factor;
    int64_t total_iters;
    const lth_host *host;
};

static const lth_option options[] = {
    LTH_OPTION(struct linear, start_factor, "1", "0..1", "share of the learning rate that it begins with"),
    LTH_OPTION(struct linear, end_factor, "0", "0..1", "share of the learning rate that it ends with"),
    LTH_OPTION(struct linear, total_iters, "0", "0..", "T: intervals from the one to the other; 0: the rest of the run"),
};

static lth_status init(void *self, const lth_host *host)
{
    ((struct linear *)self)->host = host;
    return LTH_OK;
}

static double rate(void *self, const lth_schedule *at)
{
    const struct linear *l = self;
    int64_t length = lth_schedule_length(l->host, at, l->total_iters, "total_iters");
    if (length < 0)
        return NAN;
    double t = fmin((double)at->count / (double)length, 1);
    return at->base * (l->start_factor + (l->end_factor - l->start_factor) * t);
}

LTH_SCHEDULER(linear, .summary = "a straight line down to zero, or between two shares of the learning rate",
              .options = LTH_OPTIONS(options), .init = init, .rate = rate);
LTH_PLUGIN(LTH_SCHEDULER_COMPONENT(linear));
