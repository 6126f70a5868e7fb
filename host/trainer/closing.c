/* SPDX-License-Identifier: Apache-2.0
 * trainer/closing.c: the last words of a run: why it stopped, how long it took, what is best, where it is, how to go on. */
#include "trainer/session.h"

#include "util/clock.h"
#include "util/json.h"
#include "util/path.h"

#include <stdlib.h>
#include <string.h>

static const char *checkpoint_place(session *s, const char *name)
{
    return session_short_path(s, arena_format(&s->memory, "%s/%s", s->checkpoint_path, name));
}

/* In single quotes where a shell would take it apart. */
static const char *shell_word(session *s, const char *text)
{
    return text[strcspn(text, " \t'\"\\$&;()<>|*?[]#~`!{}")] ? arena_format(&s->memory, "'%s'", text) : text;
}

/* The command that goes on from the last checkpoint; a run that has reached its bound needs a greater one. */
static const char *resume_command(session *s)
{
    const char *run_file = session_short_path(s, arena_format(&s->memory, "%s/run.ini", s->run_dir));
    const char *last = checkpoint_place(s, "last"), *more = "";
    if (s->end_reason && str_starts(s->end_reason, "max_epochs"))
        more = arena_format(&s->memory, " trainer.max_epochs=%lld", (long long)s->options.max_epochs * 2);
    else if (s->end_reason && str_starts(s->end_reason, "max_steps"))
        more = arena_format(&s->memory, " trainer.max_steps=%lld", (long long)s->options.max_steps * 2);
    return arena_format(&s->memory, "lthost fit %s --resume %s%s", shell_word(s, run_file), shell_word(s, last), more);
}

static void say_plans(session *s)
{
    engine_stats stats;
    engine_get_stats(s->engine, &stats);
    uint64_t expected = 8 + 2 * (uint64_t)(s->loaders.validate_count + s->loaders.evaluate_count);
    if (stats.plans_compiled <= expected && !s->scope.debug)
        return;
    console_line(&s->console, "plans:   %llu compiled in %.2f s for %llu steps, %llu waits for a value; the last one: %s",
                 (unsigned long long)stats.plans_compiled, stats.compile_seconds, (unsigned long long)stats.steps,
                 (unsigned long long)stats.waits, engine_compile_cause(s->engine));
}

static void fit_json(session *s, const char *reason)
{
    json_t *root =
        json_pack("{s:s, s:s, s:I, s:I, s:o, s:s}", "stage", "fit", "stopped", reason, "epochs", (json_int_t)s->loop.epoch,
                  "steps", (json_int_t)s->loop.global_step, "seconds", json_from_f64(fit_elapsed(s)), "run_dir", s->run_dir);
    if (s->best.name)
        json_object_set_new(root, "best",
                            json_pack("{s:s, s:o, s:s}", "monitor", s->best.monitor, "score", json_from_f64(s->best.score),
                                      "checkpoint", s->best.name));
    if (s->last_checkpoint)
        json_object_set_new(root, "last_checkpoint", json_string(s->last_checkpoint));
    json_object_set_new(root, "failed_saves", json_integer((json_int_t)s->failed_saves));
    const lth_metric *metrics;
    json_t *values = json_object();
    uint32_t count = metrics_list(&s->metrics, &metrics);
    for (uint32_t i = 0; i < count; i++)
        json_object_set_new(values, metrics[i].name, json_from_f64(metrics[i].value));
    json_object_set_new(root, "metrics", values);
    char *text = json_render(root, NULL);
    if (text)
        fputs(text, stdout);
    free(text);
    json_decref(root);
}

void closing_words(session *s, const char *reason)
{
    char took[CLOCK_TEXT_SIZE], whole[CLOCK_TEXT_SIZE];
    console_status(&s->console, "");
    say_plans(s);
    if (s->args->json)
        fit_json(s, reason);
    clock_duration(fit_elapsed(s), took);
    clock_duration(fit_seconds(s), whole);
    console_line(&s->console, "stopped: %s; %lld epochs, %lld steps, %s%s%s%s", reason, (long long)s->loop.epoch,
                 (long long)s->loop.global_step, took, s->resumed ? " (" : "", s->resumed ? whole : "",
                 s->resumed ? " with what came before)" : "");
    if (s->made_run_dir && !s->keep_run_dir)
        return;
    if (s->best.name)
        console_line(&s->console, "best:    %s = %.6g, %s", s->best.monitor, s->best.score, checkpoint_place(s, s->best.name));
    if (s->failed_saves)
        console_line(&s->console, "warning: %lld checkpoint%s could not be saved (see above)", (long long)s->failed_saves,
                     s->failed_saves == 1 ? "" : "s");
    if (s->last_checkpoint)
        console_line(&s->console, "last:    %s", checkpoint_place(s, s->last_checkpoint));
    console_line(&s->console, "run:     %s", session_short_path(s, s->run_dir));
    if (s->last_checkpoint)
        console_line(&s->console, "resume:  %s", resume_command(s));
}

void closing_metrics(session *s)
{
    const lth_metric *metrics;
    uint32_t count = metrics_list(&s->metrics, &metrics);
    console_status(&s->console, "");
    if (s->args->json) {
        json_t *root = json_object(), *values = json_object();
        for (uint32_t i = 0; i < count; i++)
            json_object_set_new(values, metrics[i].name, json_from_f64(metrics[i].value));
        json_object_set_new(root, "stage", json_string(s->stage_name));
        json_object_set_new(root, "metrics", values);
        json_object_set_new(root, "run_dir", json_string(s->run_dir));
        char *text = json_render(root, NULL);
        if (text)
            fputs(text, stdout);
        free(text);
        json_decref(root);
    } else if (s->stage != LTH_STAGE_PREDICT) {
        size_t width = strlen(s->stage_name);
        for (uint32_t i = 0; i < count; i++)
            width = strlen(metrics[i].name) > width ? strlen(metrics[i].name) : width;
        printf("%-*s  value\n", (int)width, s->stage_name);
        for (uint32_t i = 0; i < count; i++)
            printf("%-*s  %.6g\n", (int)width, metrics[i].name, metrics[i].value);
        if (count == 0)
            printf("(nothing was logged)\n");
    }
    fflush(stdout);
    say_plans(s);
}
