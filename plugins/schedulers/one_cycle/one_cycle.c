/* SPDX-License-Identifier: Apache-2.0
 * one_cycle: up from base / div_factor to the base rate, then down to base / div_factor / final_div_factor, while the momentum
 * goes from max_momentum down to base_momentum and back. After Smith & Topin 2018, "Super-convergence", as torch's OneCycleLR
 * with max_lr = the optimizer's lr. Past the last interval the rate stays, where torch raises an error. */
#include <lthost/scheduler.h>
#include <math.h>
#include <string.h>

struct one_cycle {
    int64_t total_steps;
    double pct_start, base_momentum, max_momentum, div_factor, final_div_factor;
    const char *anneal_strategy;
    bool cycle_momentum, three_phase;
    const lth_host *host;
};

static const lth_option options[] = {
    LTH_OPTION(struct one_cycle, total_steps, "0", "0..", "intervals of the cycle; 0: the rest of the run"),
    LTH_OPTION(struct one_cycle, pct_start, "0.3", "0..1", "share of them in which the rate rises"),
    LTH_OPTION(struct one_cycle, anneal_strategy, "cos", "cos|linear", "the curve of each phase"),
    LTH_OPTION(struct one_cycle, cycle_momentum, "true", NULL, "the momentum, or the first of the betas, goes against the rate"),
    LTH_OPTION(struct one_cycle, base_momentum, "0.85", "[0..1)", "the momentum where the rate is highest"),
    LTH_OPTION(struct one_cycle, max_momentum, "0.95", "[0..1)", "the momentum where the rate is lowest"),
    LTH_OPTION(struct one_cycle, div_factor, "25", "(0..", "the rate begins with the optimizer's, divided by this"),
    LTH_OPTION(struct one_cycle, final_div_factor, "1e4", "(0..", "the rate ends with what it began with, divided by this"),
    LTH_OPTION(struct one_cycle, three_phase, "false", NULL, "a third phase, of the last fall alone, after one as long as the rise"),
};

static lth_status init(void *self, const lth_host *host)
{
    struct one_cycle *c = self;
    c->host = host;
    if (c->three_phase && c->pct_start > 0.5)
        return lth_fail(host, LTH_INVALID, "three_phase = true falls for as long as it rises: pct_start can be 0.5 at most, not %g",
                        c->pct_start);
    return LTH_OK;
}

enum { MOST_PHASES = 3 };

/* A phase's last interval, and the numbers that it leads to. */
typedef struct phase {
    double end, rate, momentum;
} phase;

static int phases_of(const struct one_cycle *c, double total, double base, phase out[MOST_PHASES])
{
    double low = base / c->div_factor, least = low / c->final_div_factor;
    out[0] = (phase){ c->pct_start * total - 1, base, c->base_momentum };
    out[1] = (phase){ c->three_phase ? 2 * c->pct_start * total - 2 : total - 1, c->three_phase ? low : least, c->max_momentum };
    out[2] = (phase){ total - 1, least, c->max_momentum };
    return c->three_phase ? 3 : 2;
}

static double between(const struct one_cycle *c, double from, double to, double share)
{
    static const double pi = 3.14159265358979323846;
    if (strcmp(c->anneal_strategy, "linear") == 0)
        return (to - from) * share + from;
    return to + (from - to) / 2 * (1 + cos(pi * share));
}

/* Rate and momentum at the count; end: not used. */
static phase now(const struct one_cycle *c, const lth_schedule *at, int64_t length, double base)
{
    phase phases[MOST_PHASES], from = { 0, base / c->div_factor, c->max_momentum };
    int count = phases_of(c, (double)length, base, phases);
    double t = (double)(at->count < length ? at->count : length - 1);
    for (int i = 0; i < count; from = phases[i++])
        if (t <= phases[i].end || i == count - 1) {
            double share = phases[i].end > from.end ? (t - from.end) / (phases[i].end - from.end) : 1;
            return (phase){ 0, between(c, from.rate, phases[i].rate, share), between(c, from.momentum, phases[i].momentum, share) };
        }
    return from;
}

static double rate(void *self, const lth_schedule *at)
{
    const struct one_cycle *c = self;
    int64_t length = lth_schedule_length(c->host, at, c->total_steps, "total_steps");
    return length < 0 ? NAN : now(c, at, length, at->base).rate;
}

static double momentum(void *self, const lth_schedule *at)
{
    const struct one_cycle *c = self;
    int64_t length = lth_schedule_length(c->host, at, c->total_steps, "total_steps");
    if (!c->cycle_momentum)
        return NAN;
    if (!(at->base > 0)) {
        lth_fail(c->host, LTH_INVALID, "the optimizer has no momentum to cycle: give it one, or write cycle_momentum = false");
        return -1;
    }
    return now(c, at, length, 1).momentum;
}

LTH_SCHEDULER(one_cycle, .summary = "up to the learning rate, then down to almost nothing; the momentum the other way",
              .options = LTH_OPTIONS(options), .init = init, .rate = rate, .momentum = momentum);
LTH_PLUGIN(LTH_SCHEDULER_COMPONENT(one_cycle));
