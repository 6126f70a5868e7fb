/* SPDX-License-Identifier: Apache-2.0 */
#include "trainer_fixture.h"

#include <criterion/criterion.h>
#include <string.h>

static stage *of(lth_trainer *t) { return (stage *)t; }

static void progress(lth_trainer *t, lth_progress *out)
{
    uint32_t size = out->struct_size;
    *out = of(t)->now;
    out->struct_size = size;
}

static void stop(lth_trainer *t, const char *reason) { snprintf(of(t)->stopped, sizeof of(t)->stopped, "%s", reason); }

static bool metric(lth_trainer *t, const char *name, double *value)
{
    for (uint32_t i = 0; i < of(t)->metric_count; i++)
        if (strcmp(of(t)->metrics[i].name, name) == 0) {
            *value = of(t)->metrics[i].value;
            return true;
        }
    return false;
}

static uint32_t metrics(lth_trainer *t, const lth_metric **out)
{
    *out = of(t)->metrics;
    return of(t)->metric_count;
}

static void say(stage *s, const char *text, const char *end)
{
    size_t n = strlen(s->said);
    snprintf(s->said + n, sizeof s->said - n, "%s%s", text, end);
}

static void log_value(lth_trainer *t, const char *name, double value, int32_t on_step, int32_t on_epoch, int32_t prog_bar)
{
    char text[256];
    (void)prog_bar;
    snprintf(text, sizeof text, "%s=%g@%s", name, value, on_step ? "step" : on_epoch ? "epoch" : "");
    say(of(t), text, ";");
}

static int find(const stage *s, const char *name)
{
    for (uint32_t i = 0; i < s->checkpoint_count; i++)
        if (strcmp(s->checkpoints[i], name) == 0)
            return (int)i;
    return -1;
}

static lth_status save_checkpoint(lth_trainer *t, const char *name, int32_t weights_only)
{
    stage *s = of(t);
    (void)weights_only;
    cr_assert_lt(find(s, name), 0, "%s exists already", name);
    if (s->save_status)
        return s->save_status;
    snprintf(s->checkpoints[s->checkpoint_count++], 128, "%s", name);
    if (s->saving) {
        json_decref(s->saved_state);
        s->saved_state = plugin_save(s->saving);
    }
    return LTH_OK;
}

static lth_status remove_checkpoint(lth_trainer *t, const char *name)
{
    stage *s = of(t);
    int i = find(s, name);
    if (strcmp(name, s->protect) == 0)
        return LTH_UNSUPPORTED;
    if (i >= 0)
        memmove(s->checkpoints[i], s->checkpoints[i + 1], (--s->checkpoint_count - (uint32_t)i) * sizeof *s->checkpoints);
    return LTH_OK;
}

static bool has_checkpoint(lth_trainer *t, const char *name) { return find(of(t), name) >= 0; }

static void report_best(lth_trainer *t, const char *name, const char *monitor, double score)
{
    (void)monitor;
    snprintf(of(t)->best, sizeof of(t)->best, "%s", name);
    of(t)->best_score = score;
}

static const char *run_dir(lth_trainer *t)
{
    (void)t;
    return "";
}

static uint32_t parameters(lth_trainer *t, const lth_parameter_info **out)
{
    *out = of(t)->parameters;
    return of(t)->parameter_count;
}

static uint32_t optimizers(lth_trainer *t, const lth_optimizer_info **out)
{
    static lth_optimizer_info info;
    info = (lth_optimizer_info){ .id = "adamw", .name = "adamw", .group_count = of(t)->groups };
    *out = &info;
    return 1;
}

static bool hyper(lth_trainer *t, uint32_t optimizer, uint32_t group, const char *name, double *value)
{
    (void)optimizer;
    *value = of(t)->hyper * (group + 1);
    return strcmp(name, "momentum") != 0;
}

static void print(lth_trainer *t, const char *text) { say(of(t), text, "\n"); }
static void status_line(lth_trainer *t, const char *text) { snprintf(of(t)->status, sizeof of(t)->status, "%s", text); }
static bool is_terminal(lth_trainer *t) { return of(t)->terminal; }
static int32_t terminal_width(lth_trainer *t) { return of(t)->width; }
static const char *describe(lth_trainer *t, const char *key)
{
    (void)t;
    return strcmp(key, "precision") == 0 ? "32-true" : strcmp(key, "accelerator") == 0 ? "cpu" : "";
}
static void record(lth_trainer *t, const lth_record *r)
{
    (void)t;
    (void)r;
}
static bool validation_due(lth_trainer *t) { return of(t)->validation_due; }

void stage_open(stage *s)
{
    static const lth_trainer_api api = {
        .struct_size = sizeof api, .progress = progress, .stop = stop, .metric = metric, .metrics = metrics, .log = log_value,
        .save_checkpoint = save_checkpoint, .remove_checkpoint = remove_checkpoint, .has_checkpoint = has_checkpoint,
        .report_best = report_best, .run_dir = run_dir, .parameters = parameters, .optimizers = optimizers, .hyper = hyper,
        .print = print, .status_line = status_line, .is_terminal = is_terminal, .terminal_width = terminal_width,
        .describe = describe, .record = record, .validation_due = validation_due,
    };
    memset(s, 0, sizeof *s);
    s->trainer.api = &api;
    s->now = (lth_progress){ .struct_size = sizeof s->now, .max_epochs = -1, .max_steps = -1, .num_batches = 10, .stepping_batches = -1,
                             .log_every_n_steps = 50, .validation = LTH_VALIDATION_EPOCH_END };
    s->width = 80;
    s->groups = 1;
}

void stage_close(stage *s) { json_decref(s->saved_state); }

void stage_metric(stage *s, const char *name, double value)
{
    for (uint32_t i = 0; i < s->metric_count; i++)
        if (strcmp(s->metrics[i].name, name) == 0) {
            s->metrics[i].value = value;
            return;
        }
    s->metrics[s->metric_count++] = (lth_metric){ .name = name, .value = value, .flags = LTH_METRIC_PROG_BAR };
}

const char *stage_checkpoints(const stage *s)
{
    static char text[STAGE_CHECKPOINTS * 129];
    *text = 0;
    for (uint32_t i = 0; i < s->checkpoint_count; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i ? " " : "", s->checkpoints[i]);
    return text;
}

void stage_hook(plugin *p, stage *s, lth_hook hook, const char *name)
{
    if (hook)
        cr_assert_eq(hook(p->self, &s->trainer), LTH_OK, "%s: %s", name, p->message);
}
