/* SPDX-License-Identifier: Apache-2.0
 * exponential: base gamma^t, as torch's ExponentialLR. */
#include <lthost/scheduler.h>
#include <math.h>

struct exponential {
    double gamma;
};

static const lth_option options[] = {
    LTH_OPTION(struct exponential, gamma, NULL, "0..", "what each interval multiplies the learning rate by", .flags = LTH_OPTION_REQUIRED),
};

static double rate(void *self, const lth_schedule *at)
{
    return at->base * pow(((const struct exponential *)self)->gamma, (double)at->count);
}

LTH_SCHEDULER(exponential, .summary = "multiplies the learning rate by gamma at each interval", .options = LTH_OPTIONS(options), .rate = rate);
LTH_PLUGIN(LTH_SCHEDULER_COMPONENT(exponential));
