/* SPDX-License-Identifier: Apache-2.0
 * early_stopping: ends the run when a metric stops improving. The tests, in this order: not finite, stopping threshold,
 * divergence threshold, improvement by more than min_delta, patience (counted in checks). As Lightning's EarlyStopping. */
#include <lthost/callback.h>
#include <math.h>
#include <stdio.h>

struct early_stopping {
    const char *monitor, *mode, *check_on_train_epoch_end;
    double min_delta;
    int64_t patience;
    bool strict, check_finite, verbose, fitting;
    lth_float_list stopping_threshold, divergence_threshold;
    const lth_host *host;
    /* state */
    double best;
    int64_t waited;
    bool validated; /* in this process */
};

static const lth_option options[] = {
    LTH_OPTION(struct early_stopping, monitor, NULL, NULL, "the metric to watch, as it was logged", .flags = LTH_OPTION_REQUIRED),
    LTH_OPTION(struct early_stopping, mode, "min", "min|max", "whether less or more of it is better"),
    LTH_OPTION(struct early_stopping, min_delta, "0", "0..", "an improvement must be greater than this"),
    LTH_OPTION(struct early_stopping, patience, "3", "0..", "checks without improvement after which the run ends"),
    LTH_OPTION(struct early_stopping, strict, "true", NULL, "a metric that is not there is an error, not a warning"),
    LTH_OPTION(struct early_stopping, check_finite, "true", NULL, "end when the metric is NaN or infinite"),
    LTH_OPTION(struct early_stopping, stopping_threshold, "", NULL, "end as soon as the metric is better than this; empty: never"),
    LTH_OPTION(struct early_stopping, divergence_threshold, "", NULL, "end as soon as the metric is worse than this; empty: never"),
    LTH_OPTION(struct early_stopping, check_on_train_epoch_end, "auto", "auto|true|false",
               "check at the end of training epochs, not of validation; auto: unless validation runs at other times"),
    LTH_OPTION(struct early_stopping, verbose, "false", NULL, "tell of each improvement"),
};

static lth_status init(void *self, const lth_host *host)
{
    struct early_stopping *s = self;
    s->host = host;
    s->best = strcmp(s->mode, "max") == 0 ? -INFINITY : INFINITY;
    if (s->stopping_threshold.count > 1 || s->divergence_threshold.count > 1)
        return lth_fail(host, LTH_INVALID, "stopping_threshold and divergence_threshold are one number each, or empty");
    return LTH_OK;
}

static bool is_better(const struct early_stopping *s, double a, double b) { return strcmp(s->mode, "max") == 0 ? a > b : a < b; }

/* Counts the check; writes why the run should end and answers true, if it should. */
static bool judge(struct early_stopping *s, lth_trainer *t, double value, char *reason, size_t size)
{
    double sign = strcmp(s->mode, "max") == 0 ? 1 : -1;
    if (s->check_finite && !isfinite(value)) {
        snprintf(reason, size, "%s = %g is not finite; its best was %g", s->monitor, value, s->best);
        return true;
    }
    if (s->stopping_threshold.count && is_better(s, value, s->stopping_threshold.at[0])) {
        snprintf(reason, size, "%s = %g has passed the stopping threshold %g", s->monitor, value, s->stopping_threshold.at[0]);
        return true;
    }
    if (s->divergence_threshold.count && is_better(s, -value, -s->divergence_threshold.at[0])) {
        snprintf(reason, size, "%s = %g has passed the divergence threshold %g", s->monitor, value, s->divergence_threshold.at[0]);
        return true;
    }
    if (is_better(s, value - sign * s->min_delta, s->best)) {
        if (s->verbose) {
            snprintf(reason, size, "%s improved to %g", s->monitor, value);
            t->api->print(t, reason);
        }
        s->best = value;
        s->waited = 0;
        return false;
    }
    if (++s->waited < s->patience)
        return false;
    snprintf(reason, size, "%s has not improved on %g in %lld checks", s->monitor, s->best, (long long)s->waited);
    return true;
}

static lth_status missing(const struct early_stopping *s, lth_trainer *t)
{
    char names[512] = "";
    const lth_metric *metrics;
    uint32_t count = t->api->metrics(t, &metrics);
    for (uint32_t i = 0; i < count && strlen(names) + strlen(metrics[i].name) + 3 < sizeof names; i++)
        snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s", i ? ", " : "", metrics[i].name);
    if (s->strict)
        return lth_fail(s->host, LTH_INVALID, "monitor = '%s' has not been logged; there are: %s", s->monitor, *names ? names : "none");
    lth_warn(s->host, "monitor = '%s' has not been logged; there are: %s", s->monitor, *names ? names : "none");
    return LTH_OK;
}

static lth_status check(struct early_stopping *s, lth_trainer *t)
{
    double value;
    char reason[256];
    if (!lth_trainer_metric(t, s->monitor, &value)) /* it may yet come, where training ended before the first validation */
        return s->validated || lth_trainer_progress(t).validation == LTH_VALIDATION_NONE ? missing(s, t) : LTH_OK;
    if (judge(s, t, value, reason, sizeof reason))
        lth_trainer_stop(t, reason);
    return LTH_OK;
}

static bool at_train_epoch_end(const struct early_stopping *s, const lth_progress *p)
{
    return strcmp(s->check_on_train_epoch_end, "auto") == 0 ? p->validation != LTH_VALIDATION_OTHER
                                                            : strcmp(s->check_on_train_epoch_end, "true") == 0;
}

/* Validation also runs by itself, without a training to end. */
static lth_status on_fit_start(void *self, lth_trainer *t)
{
    (void)t;
    ((struct early_stopping *)self)->fitting = true;
    return LTH_OK;
}

static lth_status on_fit_end(void *self, lth_trainer *t)
{
    (void)t;
    ((struct early_stopping *)self)->fitting = false;
    return LTH_OK;
}

static lth_status on_train_epoch_end(void *self, lth_trainer *t)
{
    lth_progress p = lth_trainer_progress(t);
    return p.fast_dev_run || !at_train_epoch_end(self, &p) ? LTH_OK : check(self, t);
}

static lth_status on_validation_end(void *self, lth_trainer *t)
{
    lth_progress p = lth_trainer_progress(t);
    struct early_stopping *s = self;
    s->validated = s->validated || (s->fitting && !p.sanity_checking);
    return !s->fitting || p.fast_dev_run || p.sanity_checking || at_train_epoch_end(s, &p) ? LTH_OK : check(self, t);
}

static lth_status save(void *self, lth_writer *w)
{
    const struct early_stopping *s = self;
    lth_put_f64(w, "best", s->best);
    lth_put_i64(w, "waited", s->waited);
    return LTH_OK;
}

static lth_status load(void *self, lth_reader *r, uint32_t version)
{
    struct early_stopping *s = self;
    (void)version;
    lth_get_f64(r, "best", &s->best);
    lth_get_i64(r, "waited", &s->waited);
    return LTH_OK;
}

LTH_CALLBACK(early_stopping, .summary = "ends the run when a metric stops improving", .options = LTH_OPTIONS(options), .init = init,
             .save = save, .load = load, .order = LTH_ORDER_MONITOR, .on_fit_start = on_fit_start,
             .on_train_epoch_end = on_train_epoch_end, .on_validation_end = on_validation_end, .on_fit_end = on_fit_end);
LTH_PLUGIN(LTH_CALLBACK_COMPONENT(early_stopping));
