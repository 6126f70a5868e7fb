/* SPDX-License-Identifier: Apache-2.0
 * trainer/loggers.c: from the trainer to the threads of all loggers. */
#include "trainer/session.h"

#include "config/value.h"
#include "util/memory.h"

#include <stdlib.h>
#include <string.h>

/* ---- Hyperparameters: all options but secrets ---- */

static void add_option(session *s, const char *section, const lth_option *o, const void *instance)
{
    str text = { 0 };
    if (o->flags & (LTH_OPTION_SECRET | LTH_OPTION_REMOVED))
        return;
    value_write(&text, o, (const char *)instance + o->offset);
    s->hyperparameters = memory_grow(s->hyperparameters, &s->hyperparameter_capacity, s->run_info.hyperparameter_count + 1,
                                     sizeof *s->hyperparameters);
    s->hyperparameters[s->run_info.hyperparameter_count++] =
        (lth_hyperparameter) { section, o->name, arena_copy_text(&s->memory, str_text(&text)) };
    str_free(&text);
}

static void add_table(session *s, const char *section, const lth_options *table, const void *instance)
{
    for (uint32_t i = 0; i < table->count; i++) {
        lth_option o = schema_option(table, i);
        add_option(s, section, &o, instance);
    }
}

static void add_component(session *s, const component *c)
{
    add_option(s, c->title, &(lth_option) { .name = "use", .type = LTH_OPTION_STRING }, &c->known->id);
    add_table(s, c->title, &c->table->options, c->self);
}

static void collect_hyperparameters(session *s)
{
    s->run_info.hyperparameter_count = 0;
    add_table(s, "run", &run_option_table, &s->run);
    add_table(s, "trainer", &trainer_option_table, &s->options);
    add_table(s, "model", &model_option_table, &s->model_options);
    add_component(s, s->model);
    add_table(s, "data", &data_option_table, &s->data_options);
    add_component(s, s->data);
    for (uint32_t i = 0; i < s->optimizers.count; i++)
        for (uint32_t g = 0; g < s->optimizers.at[i].group_count; g++)
            add_component(s, s->optimizers.at[i].groups[g].who);
    for (uint32_t i = 0; i < s->optimizers.schedule_count; i++) {
        add_table(s, s->optimizers.schedules[i].who->title, &scheduler_option_table, &s->optimizers.schedules[i].options);
        add_component(s, s->optimizers.schedules[i].who);
    }
    s->run_info.hyperparameters = s->hyperparameters;
}

/* ---- Threads ---- */

static void explain(void *owner, const char *hook, lth_status status, error *e) { component_result(owner, hook, status, e); }

static void warn(void *owner, const char *text) { console_line(((component *)owner)->scope->console, "warning: %s", text); }

lth_status loggers_open(session *s, error *e)
{
    if (s->limits.fast_dev_batches > 0)
        return LTH_OK;
    s->run_info = (lth_run_info) { .struct_size = sizeof s->run_info,
                                   .name = s->run.name,
                                   .run_dir = s->run_dir,
                                   .run_id = s->run_id,
                                   .run_file = str_text(&s->run_ini),
                                   .resumed_step = !s->resumed ? -1
                                                   : s->in_fit ? s->loop.global_step
                                                               : s->logged_step,
                                   .resumed_rows = s->rows };
    collect_hyperparameters(s);
    s->threads = memory_new((s->logger_count + 1) * sizeof *s->threads);
    for (uint32_t i = 0; i < s->logger_count; i++) {
        component *c = s->loggers[i];
        const logger_args args = { (const lth_logger *)c->table, c->self, c->title, c->known->id, explain, warn, c, s->profile };
        if (logger_thread_start(&args, &s->run_info, &s->threads[s->thread_count], e) != LTH_OK)
            return e->status;
        s->thread_count++;
    }
    return LTH_OK;
}

void loggers_row(void *context, const lth_metrics_row *row)
{
    session *s = context;
    profile_part before = profile_set_part(s->profiled, PROFILE_LOGGING);
    s->rows += s->thread_count > 0;
    for (uint32_t i = 0; i < s->thread_count; i++)
        logger_thread_row(s->threads[i], row);
    profile_set_part(s->profiled, before);
}

void loggers_record(session *s, const lth_record *record)
{
    lth_record whole = { .struct_size = 0 };
    memcpy(&whole, record, record->struct_size < sizeof whole ? record->struct_size : sizeof whole);
    if (!whole.name)
        return;
    for (uint32_t i = 0; i < s->thread_count; i++)
        logger_thread_record(s->threads[i], &whole);
}

void loggers_flush(session *s)
{
    profile_part before = profile_set_part(s->profiled, PROFILE_LOGGING);
    for (uint32_t i = 0; i < s->thread_count; i++)
        logger_thread_flush(s->threads[i]);
    profile_set_part(s->profiled, before);
}

void loggers_wait(session *s)
{
    profile_part before = profile_set_part(s->profiled, PROFILE_LOGGING);
    for (uint32_t i = 0; i < s->thread_count; i++)
        logger_thread_wait(s->threads[i]);
    profile_set_part(s->profiled, before);
}

void loggers_checkpoint(session *s, const char *path, bool is_best)
{
    for (uint32_t i = 0; i < s->thread_count; i++)
        logger_thread_checkpoint(s->threads[i], path, is_best);
}

void loggers_close(session *s, lth_run_status status)
{
    for (uint32_t i = 0; i < s->thread_count; i++) {
        int64_t lost = logger_thread_close(s->threads[i], status);
        if (lost < 0)
            console_line(&s->console, "warning: [%s] stopped before the end (see above)", s->loggers[i]->title);
        else if (lost > 0)
            console_line(&s->console, "warning: [%s] could not keep up: %lld rows are missing", s->loggers[i]->title,
                         (long long)lost);
    }
    s->thread_count = 0;
    free(s->threads);
    s->threads = NULL;
}
