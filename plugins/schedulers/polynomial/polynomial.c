/* SPDX-License-Identifier: Apache-2.0
 * polynomial: base (1 - t / T)^power, zero past T. As torch's PolynomialLR, but that T may be the rest of the run. */
#include <lthost/scheduler.h>
#include <math.h>

struct polynomial {
    int64_t total_iters;
    double power;
    const lth_host *host;
};

static const lth_option options[] = {
    LTH_OPTION(struct polynomial, total_iters, "0", "0..", "T: intervals down to zero; 0: the rest of the run"),
    LTH_OPTION(struct polynomial, power, "1", "(0..", "of the polynomial; 1: a straight line"),
};

static lth_status init(void *self, const lth_host *host)
{
    ((struct polynomial *)self)->host = host;
    return LTH_OK;
}

static double rate(void *self, const lth_schedule *at)
{
    const struct polynomial *p = self;
    int64_t length = lth_schedule_length(p->host, at, p->total_iters, "total_iters");
    if (length < 0)
        return NAN;
    double left = at->count < length ? 1 - (double)at->count / (double)length : 0;
    return at->base * pow(left, p->power);
}

LTH_SCHEDULER(polynomial, .summary = "a polynomial down to zero", .options = LTH_OPTIONS(options), .init = init, .rate = rate);
LTH_PLUGIN(LTH_SCHEDULER_COMPONENT(polynomial));
