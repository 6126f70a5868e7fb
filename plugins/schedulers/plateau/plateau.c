/* SPDX-License-Identifier: Apache-2.0
 * plateau: the learning rate times `factor` once the monitored metric has not improved for more than `patience` checks.
 * As torch's ReduceLROnPlateau. */
#include <lthost/scheduler.h>
#include <math.h>
#include <string.h>

struct plateau {
    const char *mode, *threshold_mode;
    double factor, threshold, min_lr, eps;
    int64_t patience, cooldown;
    /* state */
    double best;
    int64_t bad_checks, cooling;
    bool reduce; /* this advance lowers the rates */
};

static const lth_option options[] = {
    LTH_OPTION(struct plateau, mode, "min", "min|max", "whether less or more of the metric is better"),
    LTH_OPTION(struct plateau, factor, "0.1", "[0..1)", "what the learning rate is multiplied by"),
    LTH_OPTION(struct plateau, patience, "10", "0..", "checks without improvement that are let pass"),
    LTH_OPTION(struct plateau, threshold, "1e-4", "0..", "a smaller improvement is none"),
    LTH_OPTION(struct plateau, threshold_mode, "rel", "rel|abs", "threshold as a share of the best value, or as a difference"),
    LTH_OPTION(struct plateau, cooldown, "0", "0..", "checks after a change that do not count"),
    LTH_OPTION(struct plateau, min_lr, "0", "0..", "the least learning rate"),
    LTH_OPTION(struct plateau, eps, "1e-8", "0..", "a smaller change of the learning rate is not made"),
};

static bool is_max(const struct plateau *p) { return strcmp(p->mode, "max") == 0; }

static lth_status init(void *self, const lth_host *host)
{
    struct plateau *p = self;
    (void)host;
    p->best = is_max(p) ? -INFINITY : INFINITY;
    return LTH_OK;
}

/* NaN is never better. */
static bool is_better(const struct plateau *p, double metric)
{
    bool relative = strcmp(p->threshold_mode, "rel") == 0;
    if (is_max(p))
        return metric > (relative ? p->best * (1 + p->threshold) : p->best + p->threshold);
    return metric < (relative ? p->best * (1 - p->threshold) : p->best - p->threshold);
}

static lth_status advance(void *self, const lth_schedule *at)
{
    struct plateau *p = self;
    if (is_better(p, at->metric)) {
        p->best = at->metric;
        p->bad_checks = 0;
    } else {
        p->bad_checks++;
    }
    if (p->cooling > 0) {
        p->cooling--;
        p->bad_checks = 0;
    }
    p->reduce = p->bad_checks > p->patience;
    if (p->reduce) {
        p->cooling = p->cooldown;
        p->bad_checks = 0;
    }
    return LTH_OK;
}

static double rate(void *self, const lth_schedule *at)
{
    const struct plateau *p = self;
    if (!p->reduce || at->count == 0)
        return at->current;
    double lower = fmax(at->current * p->factor, p->min_lr);
    return at->current - lower > p->eps ? lower : at->current;
}

static lth_status save(void *self, lth_writer *w)
{
    const struct plateau *p = self;
    lth_put_f64(w, "best", p->best);
    lth_put_i64(w, "bad_checks", p->bad_checks);
    lth_put_i64(w, "cooling", p->cooling);
    return LTH_OK;
}

static lth_status load(void *self, lth_reader *r, uint32_t version)
{
    struct plateau *p = self;
    (void)version;
    lth_get_f64(r, "best", &p->best);
    lth_get_i64(r, "bad_checks", &p->bad_checks);
    lth_get_i64(r, "cooling", &p->cooling);
    p->reduce = false; /* the rates that the checkpoint holds have been lowered already */
    return LTH_OK;
}

LTH_SCHEDULER(plateau, .summary = "lowers the learning rate when a metric stops improving", .options = LTH_OPTIONS(options), .init = init,
              .save = save, .load = load, .needs_metric = 1, .rate = rate, .advance = advance);
LTH_PLUGIN(LTH_SCHEDULER_COMPONENT(plateau));
