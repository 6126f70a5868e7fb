/* SPDX-License-Identifier: Apache-2.0
 * trainer/save.c: all of a run's state into a checkpoint. resume.c is its mirror. */
#include "trainer/session.h"

#include "trainer/resume.h"
#include "trainer/signals.h"
#include "util/clock.h"
#include "util/memory.h"
#include "util/path.h"
#include "util/str.h"

#include <stdlib.h>
#include <string.h>

static json_t *loop_to_json(const session *s)
{
    const loop_state *l = &s->loop;
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:b, s:b, s:i, s:o, s:b}", "epoch", (json_int_t)l->epoch, "batch",
                     (json_int_t)l->batch, "global_step", (json_int_t)l->global_step, "batches", (json_int_t)l->batches, "micro",
                     (json_int_t)l->micro, "samples", (json_int_t)l->samples, "accumulated", l->accumulated, "epoch_cut",
                     l->epoch_cut, "epoch_scheduled", l->epoch_scheduled, "place", (int)l->place, "seconds",
                     json_from_f64(fit_seconds(s)), "last_batch", s->running.last);
}

static json_t *schedules_to_json(const session *s)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < s->optimizers.schedule_count; i++)
        json_array_append_new(list, json_pack("{s:s, s:I}", "section", s->optimizers.schedules[i].who->title, "count",
                                              (json_int_t)s->optimizers.schedules[i].count));
    return list;
}

static json_t *optimizers_to_json(const session *s)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < s->optimizers.count; i++) {
        const optimizer *o = &s->optimizers.at[i];
        json_array_append_new(list, json_pack("{s:s, s:I, s:I, s:b}", "section", o->title, "steps", (json_int_t)o->steps,
                                              "updated_at", (json_int_t)o->updated_at, "accumulated", o->accumulated));
    }
    return list;
}

/* The groups' learning rates as they stand; base: as the run file has them. */
static json_t *rates_to_json(const session *s, bool base)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < s->optimizers.count; i++)
        for (uint32_t g = 0; g < s->optimizers.at[i].group_count; g++) {
            const optimizer_group *group = &s->optimizers.at[i].groups[g];
            json_array_append_new(list, group->lr ? json_from_f64(base ? group->base_lr : *group->lr) : json_null());
        }
    return list;
}

static lth_status save_component(session *s, component *c, const char *name, error *e)
{
    if (!c->table->save)
        return LTH_OK;
    lth_writer *w = checkpoint_snapshot_component(s->snapshot, name, c->table->state_version);
    component_save(c, w, e);
    checkpoint_snapshot_component_end(s->snapshot, e);
    return e->status;
}

/* Model, callbacks, datamodule: Lightning's order. Then what Lightning has no state for. */
static lth_status save_components(session *s, error *e)
{
    if (save_component(s, s->model, s->model->title, e) != LTH_OK)
        return e->status;
    for (uint32_t i = 0; i < s->callback_count; i++)
        if (save_component(s, s->callbacks[i], s->callbacks[i]->title, e) != LTH_OK)
            return e->status;
    if (save_component(s, s->data, s->data->title, e) != LTH_OK)
        return e->status;
    for (uint32_t i = 0; i < s->optimizers.schedule_count; i++)
        if (save_component(s, s->optimizers.schedules[i].who, s->optimizers.schedules[i].who->title, e) != LTH_OK)
            return e->status;
    for (uint32_t i = 0; i < s->logger_count; i++)
        if (save_component(s, s->loggers[i], s->loggers[i]->title, e) != LTH_OK)
            return e->status;
    if (s->loop.place == PLACE_EPOCH_START)
        return LTH_OK; /* the epoch's loader has not begun */
    lth_writer *w = checkpoint_snapshot_component(s->snapshot, RESUME_LOADER, 0);
    data_loader_save(s->loaders.train, w, e);
    return checkpoint_snapshot_component_end(s->snapshot, e);
}

static void set_state(session *s)
{
    json_t *root = checkpoint_snapshot_state(s->snapshot);
    json_object_set_new(root, "loop", loop_to_json(s));
    json_object_set_new(root, "metrics", metrics_to_json(&s->metrics));
    json_object_set_new(root, "optimizers", optimizers_to_json(s));
    json_object_set_new(root, "schedules", schedules_to_json(s));
    json_object_set_new(root, "learning_rates", rates_to_json(s, false));
    json_object_set_new(root, "base_learning_rates", rates_to_json(s, true));
    json_object_set_new(root, "run_id", json_string(s->run_id));
    json_object_set_new(root, "rows", json_integer((json_int_t)s->rows));
    json_object_set_new(root, "of_trainer", json_boolean(s->saving_own));
    if (s->saver)
        json_object_set_new(root, "saved_in", json_pack("{s:s, s:s}", "hook", s->saving_in, "by", s->saver));
    if (s->own_checkpoint)
        json_object_set_new(root, "supersedes", json_string(s->own_checkpoint));
    if (s->stop_asked)
        json_object_set_new(root, "stop", json_string(s->stop_reason));
    if (s->best.name)
        json_object_set_new(root, "best",
                            json_pack("{s:s, s:s, s:o}", "name", s->best.name, "monitor", s->best.monitor, "score",
                                      json_from_f64(s->best.score)));
}

/* ---- What the manifest tells ---- */

static void add_plugin(checkpoint_plugin *list, uint32_t *count, const component *c)
{
    const manifest *m = c ? &c->known->plugin->manifest : NULL;
    for (uint32_t i = 0; m && i < *count; i++)
        if (strcmp(list[i].id, m->id) == 0)
            return;
    if (m)
        list[(*count)++] = (checkpoint_plugin) { m->id, m->version, m->sha256 };
}

static void begin_snapshot(session *s, bool weights_only)
{
    uint32_t count = 0, most = s->callback_count + s->logger_count + s->optimizers.count + s->optimizers.schedule_count + 4;
    checkpoint_plugin *plugins = memory_new(most * sizeof *plugins);
    add_plugin(plugins, &count, s->model);
    add_plugin(plugins, &count, s->data);
    add_plugin(plugins, &count, s->accelerator);
    add_plugin(plugins, &count, s->strategy);
    for (uint32_t i = 0; i < s->optimizers.count; i++)
        add_plugin(plugins, &count, s->optimizers.at[i].groups[0].who);
    for (uint32_t i = 0; i < s->optimizers.schedule_count; i++)
        add_plugin(plugins, &count, s->optimizers.schedules[i].who);
    for (uint32_t i = 0; i < s->callback_count; i++)
        add_plugin(plugins, &count, s->callbacks[i]);
    for (uint32_t i = 0; i < s->logger_count; i++)
        add_plugin(plugins, &count, s->loggers[i]);
    const checkpoint_facts facts = { s->loop.global_step,   s->loop.epoch,  weights_only,
                                     s->world.size,         LTHOST_VERSION, engine_fingerprint(s->engine),
                                     str_text(&s->run_ini), plugins,        count };
    if (!s->snapshot)
        s->snapshot = checkpoint_snapshot_new();
    checkpoint_snapshot_begin(s->snapshot, &facts);
    free(plugins);
}

static lth_status take_snapshot(session *s, bool weights_only, error *e)
{
    begin_snapshot(s, weights_only);
    if (checkpoint_snapshot_engine(s->snapshot, s->engine, e) != LTH_OK)
        return e->status;
    if (weights_only)
        return LTH_OK;
    set_state(s);
    return save_components(s, e);
}

/* The trainer's own resume points are no callback's to prune: the one before goes when a newer one is safe. */
static void prune_own(session *s, const char *name)
{
    error failed = { 0 };
    if (s->own_checkpoint && strcmp(s->own_checkpoint, name) != 0 &&
        checkpoint_remove(s->checkpoints, s->own_checkpoint, &failed) != LTH_OK)
        session_warn(s, failed.text);
    free(s->own_checkpoint);
    s->own_checkpoint = s->saving_own ? str_dup(name) : NULL;
}

void save_mark_best(session *s)
{
    error failed = { 0 };
    if (s->best.name && checkpoint_exists(s->checkpoints, s->best.name) &&
        checkpoint_set_best(s->checkpoints, s->best.name, &failed) != LTH_OK)
        session_warn(s, failed.text);
}

static void told_where(session *s, const char *name)
{
    char path[900];
    snprintf(path, sizeof path, "%s/%s", s->checkpoint_path, name);
    crash_set_checkpoint(path);
    loggers_checkpoint(s, path, s->best.name && strcmp(s->best.name, name) == 0);
}

static lth_status write_checkpoint(session *s, const char *name, bool weights_only, error *e)
{
    if (checkpoint_check_name(name, e) != LTH_OK)
        return e->status;
    metrics_drain(&s->metrics);
    if (take_snapshot(s, weights_only, e) != LTH_OK || HOOKS(s, on_save_checkpoint, e) != LTH_OK)
        return error_prefix(e, "checkpoint '%s' was not saved: ", name);
    /* The log reaches the disk while the checkpoint's files do, and before they are a checkpoint. */
    loggers_flush(s);
    lth_status status = checkpoint_write(s->checkpoints, name, s->snapshot, e);
    loggers_wait(s);
    return status ? status : checkpoint_commit(s->checkpoints, name, s->snapshot, e);
}

/* What follows from a checkpoint that is on disk. */
static void committed(session *s, const char *name, bool weights_only)
{
    s->saves++;
    s->keep_run_dir = true;
    s->saved_for = s->saver;
    if (s->best.name && strcmp(s->best.name, name) == 0)
        save_mark_best(s);
    if (!weights_only) {
        prune_own(s, name);
        free(s->last_checkpoint);
        s->last_checkpoint = str_dup(name);
        s->last_checkpoint_batches = s->loop.batches;
    }
    told_where(s, name);
}

lth_status save_checkpoint(session *s, const char *name, bool weights_only, error *e)
{
    bool between = s->between_batches;
    s->between_batches = false; /* a hook of this checkpoint writes no other */
    profile_part before = profile_set_part(s->profiled, PROFILE_CHECKPOINT);
    lth_status status = write_checkpoint(s, name, weights_only, e);
    s->between_batches = between;
    if (status == LTH_OK)
        committed(s, name, weights_only);
    profile_set_part(s->profiled, before);
    return status;
}

/* A run that goes on may owe a save at the very step at which it was stopped: its name shall be free. */
static const char interrupted[] = "interrupted-";

/* Whether the newest resume point is that of a run that was stopped, and this one ends. */
static bool wants_a_name(const session *s)
{
    return s->own_checkpoint && str_starts(s->own_checkpoint, interrupted) && !signals_pending();
}

lth_status save_own_checkpoint(session *s, error *e)
{
    if (!s->checkpoints || !s->options.enable_checkpointing || s->loop.batches == 0)
        return LTH_OK;
    if (s->last_checkpoint && s->last_checkpoint_batches == s->loop.batches && !wants_a_name(s))
        return LTH_OK;
    const char *first = signals_pending() ? interrupted : "";
    char name[120];
    int used = snprintf(name, sizeof name, "%sepoch=%lld-step=%lld", first, (long long)s->loop.epoch, (long long)s->loop.global_step);
    for (int v = 1; checkpoint_exists(s->checkpoints, name); v++)
        snprintf(name + used, sizeof name - (size_t)used, "-v%d", v);
    s->saving_own = true;
    lth_status status = save_checkpoint(s, name, false, e);
    s->saving_own = false;
    return status;
}
