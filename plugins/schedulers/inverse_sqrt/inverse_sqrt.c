/* SPDX-License-Identifier: Apache-2.0
 * inverse_sqrt: base / sqrt(1 + t / timescale). With a warm-up of W and a timescale of W, the default then, this is
 * base sqrt(W / step): the schedule of Vaswani et al. 2017, "Attention is all you need", section 5.3. */
#include <lthost/scheduler.h>
#include <math.h>

struct inverse_sqrt {
    int64_t timescale;
};

static const lth_option options[] = {
    LTH_OPTION(struct inverse_sqrt, timescale, "0", "0..", "intervals until the rate has fallen to 1 / sqrt(2); 0: as long as the warm-up, or 10000"),
};

static double rate(void *self, const lth_schedule *at)
{
    const struct inverse_sqrt *s = self;
    int64_t scale = s->timescale ? s->timescale : at->warmup ? at->warmup : 10000;
    return at->base * sqrt((double)scale / ((double)scale + (double)at->count));
}

LTH_SCHEDULER(inverse_sqrt, .summary = "falls with the square root of the step, as for the first transformers",
              .options = LTH_OPTIONS(options), .rate = rate);
LTH_PLUGIN(LTH_SCHEDULER_COMPONENT(inverse_sqrt));
