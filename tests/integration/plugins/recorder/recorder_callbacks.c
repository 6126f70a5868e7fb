/* SPDX-License-Identifier: Apache-2.0
 * recorder: a callback that speaks in every hook; `watcher` checks where an early stopping would, `keeper` saves where
 * Lightning's ModelCheckpoint would. */
#include "recorder.h"

#include <string.h>

/* ---- recorder ---- */

struct recorder_calls { char nothing; };

SPEAK_ALL(C)
SPEAK(C, on_sanity_check_start)
SPEAK(C, on_sanity_check_end)
SPEAK_BATCHES(C, train)

static void C_on_exception(void *self, lth_trainer *t, const char *message)
{
    (void)self;
    (void)t;
    (void)message;
    say("C.on_exception");
}

static lth_status save(void *self, lth_writer *w)
{
    (void)self;
    say("C.state_dict");
    lth_put_i64(w, "kept", 1);
    return LTH_OK;
}

static lth_status load(void *self, lth_reader *r, uint32_t version)
{
    (void)self;
    (void)r;
    (void)version;
    say("C.load_state_dict");
    return LTH_OK;
}

const lth_callback recorder_callback = { .struct_size = sizeof(lth_callback), .instance_size = sizeof(struct recorder_calls), .id = "recorder",
                                         .summary = "says what is called", .save = save, .load = load, SLOTS_ALL(C),
                                         SLOT(C, on_sanity_check_start), SLOT(C, on_sanity_check_end), SLOT(C, on_exception) };

/* ---- watcher: the metric never improves after the first check ---- */

struct watcher { int64_t patience, checks; };
static const lth_option watcher_options[] = { LTH_OPTION(struct watcher, patience, "3", "1..", "checks without improvement") };

static lth_status watch(struct watcher *w, lth_trainer *t)
{
    double value;
    say("early_stopping.check");
    if (lth_trainer_metric(t, "val_loss", &value) && ++w->checks > w->patience)
        lth_trainer_stop(t, "no improvement");
    return LTH_OK;
}

static bool validates_at_epoch_end(const lth_progress *p) { return p->validation == LTH_VALIDATION_EPOCH_END; }

static lth_status watcher_validation_end(void *self, lth_trainer *t)
{
    lth_progress p = lth_trainer_progress(t);
    return p.sanity_checking || validates_at_epoch_end(&p) ? LTH_OK : watch(self, t);
}

static lth_status watcher_epoch_end(void *self, lth_trainer *t)
{
    lth_progress p = lth_trainer_progress(t);
    return validates_at_epoch_end(&p) ? watch(self, t) : LTH_OK;
}

const lth_callback watcher_callback = { .struct_size = sizeof(lth_callback), .instance_size = sizeof(struct watcher), .id = "watcher",
                                        .summary = "stops early", .options = LTH_OPTIONS(watcher_options), .order = LTH_ORDER_MONITOR,
                                        .on_validation_end = watcher_validation_end, .on_train_epoch_end = watcher_epoch_end };

/* ---- keeper ---- */

struct keeper {
    int64_t every_n_train_steps, save_top_k;
    const char *monitor;
    bool saved;
};
static const lth_option keeper_options[] = {
    LTH_OPTION(struct keeper, every_n_train_steps, "0", "0..", "steps between saves; 0: at the ends of epochs"),
    LTH_OPTION(struct keeper, save_top_k, "1", "-1..", "-1: all"),
    LTH_OPTION(struct keeper, monitor, "", NULL, "metric; it never improves"),
};

static lth_status keep(struct keeper *k, lth_trainer *t)
{
    lth_progress p = lth_trainer_progress(t);
    char name[64];
    if (p.fast_dev_run || p.sanity_checking || (*k->monitor && k->save_top_k == 1 && k->saved))
        return LTH_OK;
    say("checkpoint.save");
    k->saved = true;
    snprintf(name, sizeof name, "kept-%lld-%lld", (long long)p.current_epoch, (long long)p.global_step);
    return t->api->save_checkpoint(t, name, 0);
}

static lth_status keeper_batch_end(void *self, lth_trainer *t)
{
    struct keeper *k = self;
    return k->every_n_train_steps > 0 && lth_trainer_progress(t).global_step % k->every_n_train_steps == 0 ? keep(k, t) : LTH_OK;
}

static lth_status keeper_validation_end(void *self, lth_trainer *t)
{
    lth_progress p = lth_trainer_progress(t);
    struct keeper *k = self;
    return k->every_n_train_steps > 0 || p.validation != LTH_VALIDATION_OTHER ? LTH_OK : keep(k, t);
}

static lth_status keeper_epoch_end(void *self, lth_trainer *t)
{
    lth_progress p = lth_trainer_progress(t);
    struct keeper *k = self;
    return k->every_n_train_steps > 0 || p.validation == LTH_VALIDATION_OTHER ? LTH_OK : keep(k, t);
}

const lth_callback keeper_callback = { .struct_size = sizeof(lth_callback), .instance_size = sizeof(struct keeper), .id = "keeper",
                                       .summary = "saves", .options = LTH_OPTIONS(keeper_options), .order = LTH_ORDER_CHECKPOINT,
                                       .on_train_batch_end = keeper_batch_end, .on_validation_end = keeper_validation_end,
                                       .on_train_epoch_end = keeper_epoch_end };
