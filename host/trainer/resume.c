/* SPDX-License-Identifier: Apache-2.0
 * trainer/resume.c: from a checkpoint back into the run. save.c is its mirror. */
#include "trainer/resume.h"
#include "trainer/checkpoint_parts.h"
#include "trainer/session.h"

#include "util/path.h"

#include <stdlib.h>
#include <string.h>

/* ---- Finding ---- */

/* The run's folder of a checkpoint <run>/checkpoints/<name>, or NULL where it stands elsewhere. The caller frees. */
static char *run_dir_of(const char *checkpoint)
{
    char *real = NULL, *parent, *run = NULL;
    error ignored = { 0 };
    if (path_real(checkpoint, &real, &ignored) != LTH_OK)
        return NULL;
    parent = path_dir(real);
    char *below = path_join(real, "checkpoints");
    if (strcmp(path_base(parent), "checkpoints") == 0)
        run = path_dir(parent);
    else if (path_is_dir(below)) /* a run's folder itself */
        run = str_dup(real);
    free(below);
    free(parent);
    free(real);
    return run;
}

static lth_status open_in(session *s, const char *run, const char *which, checkpoint **out, error *e)
{
    char *dir = path_join(run, "checkpoints");
    const checkpoint_open_args args = { .dir = dir,
                                        .which = which,
                                        .resume = s->in_fit,
                                        .quarantine = s->in_fit && s->lock.fd >= 0,
                                        .warn = session_warn,
                                        .context = s };
    lth_status status = checkpoint_open(&args, out, e);
    free(dir);
    return status;
}

static bool is_word(const char *which)
{
    return strcmp(which, "last") == 0 || strcmp(which, "best") == 0 || strcmp(which, "auto") == 0;
}

lth_status resume_find(session *s, const char *which, checkpoint **out, error *e)
{
    bool automatic = strcmp(which, "auto") == 0;
    *out = NULL;
    s->resume_named = !automatic && strcmp(which, "last") != 0;
    if (!is_word(which) && !path_exists(which))
        return error_set(e, LTH_INVALID, "there is no checkpoint '%s' (last, best, auto, or the path of one)", which);
    char *run = is_word(which) ? run_dir_newest(s, e) : run_dir_of(which);
    if (e->status != LTH_OK)
        return e->status;
    if (!run && automatic) /* killed before its first checkpoint, it begins again where it was */
        return s->in_fit && run_dir_use_killed(s, e) != LTH_OK ? e->status : LTH_END;
    if (!run && is_word(which))
        return error_set(e, LTH_INVALID, "no run of the name '%s' in '%s' has a checkpoint yet", s->run.name, s->run.dir);
    lth_status status = LTH_OK;
    if (run && s->in_fit) /* the run goes on in its own folder */
        status = run_dir_use(s, run, e);
    if (status == LTH_OK)
        status = open_in(s, run ? run : "", automatic ? "last" : which, out, e);
    if (status == LTH_END)
        status = automatic ? LTH_END : error_set(e, LTH_INVALID, "'%s' holds no checkpoint to go on from", run ? run : which);
    free(run);
    return status;
}

/* ---- Restoring ---- */

/* Of a plugin as it was when the checkpoint was written; NULL where it does not tell. */
static const char *plugin_version(const checkpoint *c, const char *id)
{
    const checkpoint_facts *facts = checkpoint_facts_of(c);
    for (uint32_t i = 0; i < facts->plugin_count; i++)
        if (strcmp(facts->plugins[i].id, id) == 0)
            return facts->plugins[i].version;
    return NULL;
}

static lth_status load_component(checkpoint *c, component *who, error *e)
{
    state_reader r;
    uint32_t version;
    if (!who->table->load || !checkpoint_read_component(c, who->title, &r, &version))
        return LTH_OK;
    if (version > who->table->state_version) {
        const manifest *m = &who->known->plugin->manifest;
        const char *wrote = plugin_version(c, m->id);
        state_reader_end(&r, e);
        return error_set(
            e, LTH_UNSUPPORTED,
            "[%s] the checkpoint holds the state of '%s' in version %u; the plugin '%s' %s knows versions up to %u: use "
            "the one that wrote it (%s)",
            who->title, who->known->id, (unsigned)version, m->id, m->version, (unsigned)who->table->state_version,
            wrote ? wrote : "a newer one");
    }
    lth_status status = component_load(who, &r.abi, version, e);
    lth_status read = state_reader_end(&r, e);
    return status != LTH_OK ? status : read;
}

lth_status resume_model(session *s, checkpoint *c, error *e)
{
    const hook_target *model = &s->targets[s->callback_count];
    const size_t hook = offsetof(lth_hooks, on_load_checkpoint);
    if (hooks_call_one(s, model, hook, "on_load_checkpoint", e) != LTH_OK || load_component(c, s->model, e) != LTH_OK ||
        load_component(c, s->data, e) != LTH_OK)
        return e->status;
    return hooks_call_one(s, model + 1, hook, "on_load_checkpoint", e);
}

lth_status resume_components(session *s, checkpoint *c, error *e)
{
    if (resume_model(s, c, e) != LTH_OK || hooks_call_ordered(s, offsetof(lth_hooks, on_load_checkpoint), "on_load_checkpoint",
                                                              INT32_MIN, INT32_MAX, false, e) != LTH_OK)
        return e->status;
    for (uint32_t i = 0; i < s->callback_count; i++)
        if (load_component(c, s->callbacks[i], e) != LTH_OK)
            return e->status;
    for (uint32_t i = 0; i < s->logger_count; i++)
        if (load_component(c, s->loggers[i], e) != LTH_OK)
            return e->status;
    return LTH_OK;
}

static int64_t integer(const json_t *o, const char *key, bool *right)
{
    const json_t *value = json_object_get(o, key);
    *right = *right && json_is_integer(value);
    return json_integer_value(value);
}

static lth_status loop_from_json(session *s, const json_t *o, error *e)
{
    loop_state *l = &s->loop;
    bool right = json_is_object(o);
    *l = (loop_state) { .epoch = integer(o, "epoch", &right),
                        .batch = integer(o, "batch", &right),
                        .global_step = integer(o, "global_step", &right),
                        .batches = integer(o, "batches", &right),
                        .micro = integer(o, "micro", &right),
                        .samples = integer(o, "samples", &right),
                        .accumulated = json_is_true(json_object_get(o, "accumulated")),
                        .epoch_cut = json_is_true(json_object_get(o, "epoch_cut")),
                        .epoch_scheduled = json_is_true(json_object_get(o, "epoch_scheduled")),
                        .place = (loop_place)integer(o, "place", &right) };
    s->running.last = json_is_true(json_object_get(o, "last_batch"));
    right = right && json_to_f64(json_object_get(o, "seconds"), &l->seconds) && (int)l->place >= 0 && l->place <= PLACE_EPOCH_END;
    right = right && l->epoch >= 0 && l->batch >= 0 && l->global_step >= 0 && l->batches >= 0 && l->micro >= 0 && l->samples >= 0;
    return right ? LTH_OK : error_set(e, LTH_INVALID, "the checkpoint's state of the loops is not as it should be");
}

static lth_status optimizers_from_json(session *s, const json_t *list, error *e)
{
    bool right = json_array_size(list) == s->optimizers.count;
    for (uint32_t i = 0; i < s->optimizers.count && right; i++) {
        const json_t *of = json_array_get(list, i);
        optimizer *o = &s->optimizers.at[i];
        o->steps = integer(of, "steps", &right);
        o->updated_at = integer(of, "updated_at", &right);
        o->accumulated = json_is_true(json_object_get(of, "accumulated"));
    }
    return right ? LTH_OK
                 : error_set(e, LTH_INVALID, "the checkpoint has the state of %zu optimizers, the run has %u",
                             json_array_size(list), (unsigned)s->optimizers.count);
}

static bool is_scheduled(const session *s, uint32_t optimizer)
{
    for (uint32_t i = 0; i < s->optimizers.schedule_count; i++)
        if (s->optimizers.schedules[i].optimizer == optimizer)
            return true;
    return false;
}

/* The rates as they stood. Where the run file's own rate is another one now, they are in the same proportion to it; those that
 * no schedule moves are the run file's. */
static void rates_from_json(session *s, const json_t *root)
{
    const json_t *rates = json_object_get(root, "learning_rates"), *bases = json_object_get(root, "base_learning_rates");
    size_t at = 0;
    for (uint32_t i = 0; i < s->optimizers.count; i++)
        for (uint32_t k = 0; k < s->optimizers.at[i].group_count; k++, at++) {
            optimizer_group *g = &s->optimizers.at[i].groups[k];
            double rate, base;
            if (!g->lr || !is_scheduled(s, i) || !json_to_f64(json_array_get(rates, at), &rate))
                continue;
            bool moved = json_to_f64(json_array_get(bases, at), &base) && base != g->base_lr;
            *g->lr = !moved ? rate : base > 0 ? rate * (g->base_lr / base) : g->base_lr;
        }
}

static bool is_same_run_file(const session *s, const checkpoint *c)
{
    const char *before = checkpoint_facts_of(c)->run_ini;
    return before && strcmp(before, str_text(&s->run_ini)) == 0;
}

static lth_status schedules_from_json(session *s, checkpoint *c, const json_t *root, error *e)
{
    const json_t *list = json_object_get(root, "schedules");
    for (uint32_t i = 0; i < s->optimizers.schedule_count; i++) {
        schedule *x = &s->optimizers.schedules[i];
        const json_t *count = json_object_get(json_array_get(list, i), "count");
        if (json_is_integer(count))
            x->count = json_integer_value(count);
        if (load_component(c, x->who, e) != LTH_OK)
            return e->status;
    }
    rates_from_json(s, root);
    return schedules_resume(s, is_same_run_file(s, c), e);
}

/* Absent where no checkpoint is known as the best one. */
static lth_status best_from_json(session *s, const json_t *o, error *e)
{
    const char *name = json_string_value(json_object_get(o, "name")), *monitor = json_string_value(json_object_get(o, "monitor"));
    if (!o)
        return LTH_OK;
    if (!name || !monitor || !json_to_f64(json_object_get(o, "score"), &s->best.score))
        return error_set(e, LTH_INVALID, "the checkpoint does not tell which one was the best");
    s->best.name = str_dup(name);
    s->best.monitor = str_dup(monitor);
    return LTH_OK;
}

static lth_status load_position(session *s, checkpoint *c, error *e)
{
    state_reader r;
    uint32_t version;
    if (s->loop.place == PLACE_EPOCH_START || !checkpoint_read_component(c, RESUME_LOADER, &r, &version))
        return LTH_OK;
    lth_status status = data_loader_load(s->loaders.train, &r.abi, e);
    lth_status read = state_reader_end(&r, e);
    int64_t epoch;
    if (status == LTH_OK) /* counted in this run's batches, which may have another size */
        data_loader_saved(s->loaders.train, &epoch, &s->loop.batch);
    return status != LTH_OK ? status : read;
}

static void warn_of_differences(session *s, const checkpoint *c)
{
    str text = { 0 };
    checkpoint_fingerprint_difference(checkpoint_facts_of(c)->fingerprint, engine_fingerprint(s->engine), &text);
    if (text.length)
        console_line(
            &s->console,
            "warning: the checkpoint was written under other circumstances (%s): the bits of the resumed run will differ",
            str_text(&text));
    str_free(&text);
}

/* State that does not fit because it is of another precision: then that is said first. */
static lth_status explain_misfit(session *s, const checkpoint *c, error *e)
{
    str text = { 0 };
    checkpoint_fingerprint_difference(checkpoint_facts_of(c)->fingerprint, engine_fingerprint(s->engine), &text);
    if (text.length && strstr(str_text(&text), "precision: "))
        error_prefix(e,
                     "the checkpoint was written under another precision (%s): go on in that one, or let [model] weights = "
                     "%s/model.safetensors begin anew with its parameters; ",
                     str_text(&text), checkpoint_path(c));
    str_free(&text);
    return e->status;
}

/* The trainer's own resume points: this one, or the one that this one was to replace when the run was killed. */
static void own_from_json(session *s, const checkpoint *c, const json_t *root)
{
    const char *name = checkpoint_name(c), *before = json_string_value(json_object_get(root, "supersedes"));
    error failed = { 0 };
    if (!s->checkpoints)
        return;
    if (json_is_true(json_object_get(root, "of_trainer")) && checkpoint_exists(s->checkpoints, name))
        s->own_checkpoint = str_dup(name);
    if (before && strcmp(before, name) != 0 && checkpoint_remove(s->checkpoints, before, &failed) != LTH_OK)
        session_warn(s, failed.text);
}

/* The links are made anew: a crash may have come between a checkpoint and its link. */
lth_status resume_loops(session *s, checkpoint *c, error *e)
{
    const json_t *root = checkpoint_state(c);
    if (!root)
        return error_set(e, LTH_INVALID,
                         "'%s' holds weights only: training cannot go on from it; [model] weights = %s/model.safetensors starts "
                         "anew with them",
                         checkpoint_path(c), checkpoint_path(c));
    if (checkpoint_restore_engine(c, s->engine, true, e) != LTH_OK)
        return explain_misfit(s, c, e);
    if (loop_from_json(s, json_object_get(root, "loop"), e) != LTH_OK ||
        optimizers_from_json(s, json_object_get(root, "optimizers"), e) != LTH_OK ||
        metrics_from_json(&s->metrics, json_object_get(root, "metrics"), e) != LTH_OK ||
        schedules_from_json(s, c, root, e) != LTH_OK || load_position(s, c, e) != LTH_OK ||
        best_from_json(s, json_object_get(root, "best"), e) != LTH_OK)
        return error_prefix(e, "cannot go on from '%s': ", session_short_path(s, checkpoint_path(c)));
    /* A stop that a plugin asked for holds, unless the run file has changed since: then it is a wish to go on. */
    const char *stop = json_string_value(json_object_get(root, "stop"));
    if (stop && is_same_run_file(s, c))
        s->trainer.api->stop(&s->trainer, stop);
    s->rows = json_integer_value(json_object_get(root, "rows"));
    s->resumed = true;
    if (s->resume_named)
        s->resumed_from = arena_copy_text(&s->memory, checkpoint_name(c));
    s->last_checkpoint = str_dup(checkpoint_name(c));
    s->last_checkpoint_batches = s->loop.batches;
    own_from_json(s, c, root);
    const json_t *saved_in = json_object_get(root, "saved_in");
    const char *hook = json_string_value(json_object_get(saved_in, "hook")),
               *by = json_string_value(json_object_get(saved_in, "by"));
    if (hook && by) {
        s->resumed_hook = arena_copy_text(&s->memory, hook);
        s->resumed_saver = arena_copy_text(&s->memory, by);
    }
    warn_of_differences(s, c);
    if (s->checkpoints && s->best.name)
        save_mark_best(s);
    return s->checkpoints && !s->resume_named ? checkpoint_link(s->checkpoint_path, "last", checkpoint_name(c), e) : LTH_OK;
}
