/* SPDX-License-Identifier: Apache-2.0
 * checkpoint: says when the trainer writes checkpoints and which of them are kept. As Lightning's ModelCheckpoint, but that
 * by default the newest is kept beside the best ones: it is what a killed run goes on from. */
#define _POSIX_C_SOURCE 200809L
#include "keep.h"
#include "name.h"

#include <lthost/callback.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct checkpoint {
    const char *monitor, *mode, *save_last, *filename, *save_on_train_epoch_end, *train_time_interval;
    int64_t save_top_k, every_n_train_steps, every_n_epochs;
    bool save_weights_only, auto_insert_metric_name, verbose;
    const lth_host *host;
    double interval;  /* seconds; 0: none */
    double last_time; /* seconds of the monotonic clock */
    bool fitting, validated, warned;
    bool deferred; /* a save waits for the validation that is due */
    bool keep_newest;
    bool untold; /* the trainer has yet to hear which one is best */
    /* state */
    keep keep;
    int64_t last_step; /* of the last save */
};

static const lth_option options[] = {
    LTH_OPTION(struct checkpoint, monitor, "", NULL, "the metric that ranks checkpoints, as it was logged; empty: the newest is best"),
    LTH_OPTION(struct checkpoint, mode, "min", "min|max", "whether less or more of it is better"),
    LTH_OPTION(struct checkpoint, save_top_k, "1", "-1..", "how many of the best are kept; -1: all, 0: none"),
    LTH_OPTION(struct checkpoint, save_last, "auto", "auto|true|false", "keep the newest, too; auto: where the best ones may not include it"),
    LTH_OPTION(struct checkpoint, filename, "{epoch}-{step}", NULL, "name; {epoch}, {step} and metrics, also with a format: {val_loss:.3f}"),
    LTH_OPTION(struct checkpoint, auto_insert_metric_name, "true", NULL, "write `epoch=3` for {epoch}, not `3`"),
    LTH_OPTION(struct checkpoint, every_n_train_steps, "0", "0..", "save every so many optimizer steps; 0: not by steps"),
    LTH_OPTION(struct checkpoint, every_n_epochs, "0", "0..", "save every so many epochs; 0: every epoch, unless steps or time say when"),
    LTH_OPTION(struct checkpoint, train_time_interval, "", NULL,
               "save when so much time has passed, DD:HH:MM:SS; which steps that hits differs from run to run"),
    LTH_OPTION(struct checkpoint, save_on_train_epoch_end, "auto", "auto|true|false",
               "save at the end of training epochs, not of validation; auto: unless validation runs at other times"),
    LTH_OPTION(struct checkpoint, save_weights_only, "false", NULL, "leave out what only a resume needs"),
    LTH_OPTION(struct checkpoint, verbose, "false", NULL, "tell of each save"),
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* "01:30:00" -> 5400; -1 if it is no duration. */
static double seconds_of(const char *text)
{
    static const int unit[] = { 24, 60, 60 }; /* hours a day, minutes an hour, seconds a minute */
    double total = 0;
    for (int parts = 0; parts < 4; parts++) {
        char *end;
        long long part = strtoll(text, &end, 10);
        if (end == text || part < 0 || *text == '+')
            return -1;
        total += (double)part;
        if (!*end)
            return total;
        if (*end != ':' || parts == 3)
            return -1;
        size_t colons = 0;
        for (const char *c = end; *c; c++)
            colons += *c == ':';
        if (colons > 3)
            return -1;
        total *= unit[3 - colons];
        text = end + 1;
    }
    return -1;
}

static double zero(void *context, const char *key)
{
    (void)context;
    (void)key;
    return 0;
}

static lth_status init(void *self, const lth_host *host)
{
    struct checkpoint *c = self;
    char name[NAME_SIZE];
    c->host = host;
    bool monitored = *c->monitor;
    int triggers = (c->every_n_train_steps > 0) + (c->every_n_epochs > 0) + (*c->train_time_interval != 0);
    if (triggers > 1)
        return lth_fail(host, LTH_INVALID, "every_n_train_steps, every_n_epochs and train_time_interval exclude each other");
    if (triggers == 0)
        c->every_n_epochs = 1;
    if (!monitored && c->save_top_k > 1)
        return lth_fail(host, LTH_INVALID, "save_top_k = %lld needs a monitor; without one it is -1 (all), 0 or 1", (long long)c->save_top_k);
    c->interval = *c->train_time_interval ? seconds_of(c->train_time_interval) : 0;
    if (*c->train_time_interval && c->interval <= 0)
        return lth_fail(host, LTH_INVALID, "train_time_interval = '%s' is no duration like 00:00:30:00 (DD:HH:MM:SS)", c->train_time_interval);
    const char *wrong = name_format(name, c->filename, c->auto_insert_metric_name, zero, NULL);
    if (wrong)
        return lth_fail(host, LTH_INVALID, "%s", wrong);
    c->keep.limit = c->save_top_k;
    c->keep.greater = strcmp(c->mode, "max") == 0;
    c->keep.ranked = monitored;
    c->keep_newest = strcmp(c->save_last, "auto") == 0 ? monitored && c->save_top_k > 0 : strcmp(c->save_last, "true") == 0;
    return LTH_OK;
}

static void destroy(void *self) { keep_free(&((struct checkpoint *)self)->keep); }

/* ---- A save ---- */

typedef struct naming { lth_trainer *trainer; const lth_progress *progress; } naming;

static double named_value(void *context, const char *key)
{
    const naming *n = context;
    double value = 0;
    if (strcmp(key, "epoch") == 0)
        return (double)n->progress->current_epoch;
    if (strcmp(key, "step") == 0)
        return (double)n->progress->global_step;
    lth_trainer_metric(n->trainer, key, &value);
    return value;
}

/* The name from the template, with -v1, -v2, ... where it is taken. */
static lth_status choose_name(struct checkpoint *c, lth_trainer *t, const lth_progress *p, char out[KEEP_NAME_SIZE])
{
    naming n = { t, p };
    char name[NAME_SIZE];
    const char *wrong = name_format(name, c->filename, c->auto_insert_metric_name, named_value, &n);
    if (wrong)
        return lth_fail(c->host, LTH_INVALID, "%s", wrong);
    snprintf(out, KEEP_NAME_SIZE, "%s", name);
    for (int version = 1; t->api->has_checkpoint(t, out); version++)
        snprintf(out, KEEP_NAME_SIZE, "%s-v%d", name, version);
    return LTH_OK;
}

/* Once validation has run, a monitor that is not there will not come. */
static lth_status missing_monitor(struct checkpoint *c, lth_trainer *t, const lth_progress *p)
{
    char names[512] = "";
    const lth_metric *metrics;
    uint32_t count = t->api->metrics(t, &metrics);
    for (uint32_t i = 0; i < count && strlen(names) + strlen(metrics[i].name) + 3 < sizeof names; i++)
        snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s", i ? ", " : "", metrics[i].name);
    if (c->validated || p->validation == LTH_VALIDATION_NONE)
        return lth_fail(c->host, LTH_INVALID, "monitor = '%s' has not been logged; there are: %s", c->monitor, *names ? names : "none");
    if (!c->warned)
        lth_warn(c->host, "monitor = '%s' has not been logged yet; there are: %s", c->monitor, *names ? names : "none");
    c->warned = true;
    return LTH_OK;
}

static void remove_doomed(struct checkpoint *c, lth_trainer *t)
{
    for (int i = 0; i < KEEP_DOOMED; i++) {
        if (c->keep.doomed[i][0])
            t->api->remove_checkpoint(t, c->keep.doomed[i]); /* one that may not go is kept, and that is no error */
        c->keep.doomed[i][0] = 0;
    }
}

static void report_best(const struct checkpoint *c, lth_trainer *t)
{
    const kept *best = keep_best(&c->keep);
    if (best)
        t->api->report_best(t, best->name, c->monitor, best->score);
}

/* Saves under a name that the lists hold already, as the checkpoint's own state must know of it. The best one is told before,
 * so that the trainer's state has it too; the first of all after, as nothing could take its place were the save to fail. */
static lth_status save_listed(struct checkpoint *c, lth_trainer *t, const char *name, bool ranked, keep *before)
{
    c->untold = ranked && before->count == 0;
    if (ranked && before->count)
        report_best(c, t);
    lth_status status = t->api->save_checkpoint(t, name, c->save_weights_only);
    if (status) {
        keep written = c->keep;
        c->keep = *before;
        *before = written;
    }
    if (ranked && (before->count == 0 || status))
        report_best(c, t);
    c->untold = false;
    return status;
}

static lth_status write_checkpoint(struct checkpoint *c, lth_trainer *t, const lth_progress *p, bool ranked, double score)
{
    char name[KEEP_NAME_SIZE];
    keep before;
    lth_status status = choose_name(c, t, p, name);
    if (status)
        return status;
    if (!keep_copy(&before, &c->keep) || (ranked && !keep_add(&c->keep, name, score))) {
        keep_free(&before);
        return lth_fail(c->host, LTH_NO_MEMORY, "no memory for the list of checkpoints");
    }
    if (c->keep_newest)
        keep_set_newest(&c->keep, name);
    int64_t last_step = c->last_step;
    c->last_step = p->global_step;
    c->last_time = now();
    status = save_listed(c, t, name, ranked, &before);
    keep_free(&before); /* the lists that hold no longer */
    if (status) { /* that the disk would not take it was told; what was there is there still, and the next one may fit */
        c->last_step = last_step;
        return status == LTH_IO || status == LTH_NO_MEMORY ? LTH_OK : status;
    }
    remove_doomed(c, t);
    if (c->verbose) {
        char line[KEEP_NAME_SIZE + 64];
        snprintf(line, sizeof line, "saved checkpoint %s", name);
        t->api->print(t, line);
    }
    return LTH_OK;
}

static bool skips(const struct checkpoint *c, const lth_progress *p)
{
    return !c->fitting || p->fast_dev_run || p->sanity_checking || p->global_step == c->last_step;
}

static lth_status save_now(struct checkpoint *c, lth_trainer *t)
{
    lth_progress p = lth_trainer_progress(t);
    double score = NAN;
    c->deferred = false;
    if (skips(c, &p))
        return LTH_OK;
    bool ranked = c->save_top_k != 0;
    if (*c->monitor && !lth_trainer_metric(t, c->monitor, &score)) {
        lth_status status = missing_monitor(c, t, &p);
        if (status)
            return status;
        ranked = false;
    }
    ranked = ranked && keep_wants(&c->keep, score);
    return ranked || c->keep_newest ? write_checkpoint(c, t, &p, ranked, score) : LTH_OK;
}

/* ---- When ---- */

static bool at_train_epoch_end(const struct checkpoint *c, const lth_progress *p)
{
    return strcmp(c->save_on_train_epoch_end, "auto") == 0 ? p->validation != LTH_VALIDATION_OTHER
                                                           : strcmp(c->save_on_train_epoch_end, "true") == 0;
}

static bool epoch_is_due(const struct checkpoint *c, const lth_progress *p)
{
    return c->every_n_epochs > 0 && (p->current_epoch + 1) % c->every_n_epochs == 0;
}

static lth_status on_fit_start(void *self, lth_trainer *t)
{
    struct checkpoint *c = self;
    c->fitting = true;
    remove_doomed(c, t); /* by a save after which the run was killed */
    return LTH_OK;
}

static lth_status on_train_start(void *self, lth_trainer *t)
{
    struct checkpoint *c = self;
    c->last_time = now();
    if (c->untold) /* it was killed after its first save */
        report_best(c, t);
    c->untold = false;
    return LTH_OK;
}

static lth_status on_train_batch_end(void *self, lth_trainer *t)
{
    struct checkpoint *c = self;
    if (c->every_n_train_steps == 0 && c->interval == 0)
        return LTH_OK;
    lth_progress p = lth_trainer_progress(t);
    bool by_step = c->every_n_train_steps > 0 && p.global_step % c->every_n_train_steps == 0 && p.global_step != c->last_step;
    if (!by_step && (c->interval == 0 || now() - c->last_time < c->interval))
        return LTH_OK;
    c->deferred = *c->monitor && t->api->validation_due(t);
    return c->deferred ? LTH_OK : save_now(c, t);
}

static lth_status on_validation_end(void *self, lth_trainer *t)
{
    struct checkpoint *c = self;
    lth_progress p = lth_trainer_progress(t);
    if (p.sanity_checking) /* a save that a resumed run owes waits on */
        return LTH_OK;
    c->validated = true;
    return c->deferred || (epoch_is_due(c, &p) && !at_train_epoch_end(c, &p)) ? save_now(c, t) : LTH_OK;
}

static lth_status on_train_epoch_end(void *self, lth_trainer *t)
{
    struct checkpoint *c = self;
    lth_progress p = lth_trainer_progress(t);
    return c->deferred || (epoch_is_due(c, &p) && at_train_epoch_end(c, &p)) ? save_now(c, t) : LTH_OK;
}

static lth_status on_fit_end(void *self, lth_trainer *t)
{
    (void)t;
    ((struct checkpoint *)self)->fitting = false;
    return LTH_OK;
}

static lth_status save(void *self, lth_writer *w)
{
    const struct checkpoint *c = self;
    keep_save(&c->keep, w);
    lth_put_i64(w, "last_step", c->last_step);
    lth_put_i64(w, "deferred", c->deferred);
    lth_put_i64(w, "untold", c->untold);
    return LTH_OK;
}

static lth_status load(void *self, lth_reader *r, uint32_t version)
{
    struct checkpoint *c = self;
    (void)version;
    if (!keep_load(&c->keep, r))
        return lth_fail(c->host, LTH_NO_MEMORY, "no memory for the list of checkpoints");
    int64_t deferred = 0, untold = 1;
    lth_get_i64(r, "last_step", &c->last_step);
    lth_get_i64(r, "deferred", &deferred); /* a resume point of the trainer's may lie before the validation */
    lth_get_i64(r, "untold", &untold);
    c->deferred = deferred != 0;
    c->untold = untold != 0;
    return LTH_OK;
}

LTH_CALLBACK(checkpoint, .summary = "writes checkpoints and keeps the best", .options = LTH_OPTIONS(options), .flags = LTH_DEFAULT_ON,
             .init = init, .destroy = destroy, .save = save, .load = load, .order = LTH_ORDER_CHECKPOINT, .on_fit_start = on_fit_start,
             .on_train_start = on_train_start, .on_train_batch_end = on_train_batch_end, .on_train_epoch_end = on_train_epoch_end,
             .on_validation_end = on_validation_end, .on_fit_end = on_fit_end);
LTH_PLUGIN(LTH_CALLBACK_COMPONENT(checkpoint));
