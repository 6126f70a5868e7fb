/* SPDX-License-Identifier: Apache-2.0
 * trainer/session_build.c: from sections to instances. Which plugins there are, which of them are on by default and which
 * accelerator is best comes from the manifests. */
#include "trainer/session.h"

#include "config/resolved.h"
#include "util/memory.h"

#include <stdlib.h>
#include <string.h>

static void add(component ***list, uint32_t *count, size_t *capacity, component *c)
{
    *list = memory_grow(*list, capacity, *count + 1, sizeof **list);
    (*list)[(*count)++] = c;
}

/* The component of a section that was checked. */
static lth_status from_section(session *s, const char *kind, config_section *section, const schema_part *host, component **out,
                               error *e)
{
    const registry_component *known = registry_find(s->registry, kind, config_component(s->config, section));
    return component_new(&s->scope, known, section->title, section, host, out, e);
}

/* ---- Callbacks and loggers ---- */

static bool has_section_of(const session *s, const char *section_kind, const char *id)
{
    config_section *section = NULL;
    while ((section = config_next(s->config, section_kind, section)))
        if (strcmp(config_component(s->config, section), id) == 0)
            return true;
    return false;
}

/* All of a kind: first the run file's, in its order, then those that are on by default and not mentioned. */
static lth_status build_many(session *s, const kind *k, component ***list, uint32_t *count, size_t *capacity, error *e)
{
    component *c;
    config_section *section = NULL;
    while ((section = config_next(s->config, k->section, section))) {
        if (!section->enabled)
            continue;
        if (from_section(s, k->name, section, NULL, &c, e) != LTH_OK)
            return e->status;
        add(list, count, capacity, c);
    }
    const registry_component *known = NULL;
    while ((known = registry_next(s->registry, k->name, known))) {
        if (!(known->flags & LTH_DEFAULT_ON) || known->plugin->problem || has_section_of(s, k->section, known->id))
            continue;
        if (component_new(&s->scope, known, arena_format(&s->memory, "%s.%s", k->section, known->id), NULL, NULL, &c, e) !=
            LTH_OK)
            return e->status;
        add(list, count, capacity, c);
    }
    return LTH_OK;
}

/* Tuners first, then the run file's order, checkpoints last. */
static void order_callbacks(session *s)
{
    static const int32_t rank[] = { LTH_ORDER_TUNER, LTH_ORDER_NORMAL, LTH_ORDER_CHECKPOINT };
    component **ordered = memory_new((s->callback_count + 1) * sizeof *ordered);
    uint32_t count = 0;
    for (size_t r = 0; r < sizeof rank / sizeof *rank; r++)
        for (uint32_t i = 0; i < s->callback_count; i++) {
            int32_t order = ((const lth_callback *)s->callbacks[i]->table)->order;
            int32_t of = order == LTH_ORDER_TUNER || order == LTH_ORDER_CHECKPOINT ? order : LTH_ORDER_NORMAL;
            if (of == rank[r])
                ordered[count++] = s->callbacks[i];
        }
    free(s->callbacks);
    s->callbacks = ordered;
}

/* ---- Accelerator and strategy ---- */

/* An instance's own section: [accelerator], if it is there. */
static lth_status build_accelerator_of(session *s, const registry_component *known, const char **reason, bool *usable, error *e)
{
    config_section *section = config_find(s->config, "accelerator");
    component *c;
    if (section && strcmp(config_component(s->config, section), known->id) != 0)
        section = NULL;
    if (component_new(&s->scope, known, "accelerator", section, NULL, &c, e) != LTH_OK)
        return e->status;
    *reason = "it gives no reason";
    component_enter(c, "device_count");
    *usable = ((const lth_accelerator *)c->table)->device_count(reason) > 0;
    component_leave();
    if (*usable)
        s->accelerator = c;
    else
        component_free(c);
    return LTH_OK;
}

static lth_status named_accelerator(session *s, error *e)
{
    const config_entry *entry = config_take(config_find(s->config, "trainer"), "accelerator");
    const char *reason = NULL;
    bool usable = false;
    const registry_component *known = registry_require(s->registry, "accelerator", s->options.accelerator,
                                                       entry ? entry->file : NULL, entry ? entry->line : 0, &s->diagnostics);
    if (!known)
        return error_set(e, LTH_INVALID, "[trainer] accelerator = %s is not there", s->options.accelerator);
    if (build_accelerator_of(s, known, &reason, &usable, e) != LTH_OK)
        return e->status;
    return usable ? LTH_OK
                  : error_set(e, LTH_UNSUPPORTED, "[trainer] accelerator = %s cannot be used here: %s", known->id, reason);
}

/* The one with the greatest score that works here; those that do not even load are passed over with a word. */
static lth_status auto_accelerator(session *s, error *e)
{
    int32_t below = INT32_MAX;
    for (;;) {
        const registry_component *c = NULL, *best = NULL;
        while ((c = registry_next(s->registry, "accelerator", c)))
            if (c->score < below && !c->plugin->problem && (!best || c->score > best->score))
                best = c;
        if (!best)
            return error_set(
                e, LTH_UNSUPPORTED,
                "accelerator = auto: there is no accelerator that works here (`lthost plugins` lists what there is)");
        below = best->score;
        const char *reason = NULL;
        bool usable = false;
        error failed = { 0 };
        if (build_accelerator_of(s, best, &reason, &usable, &failed) != LTH_OK)
            session_warn(s, failed.text);
        else if (usable)
            return LTH_OK;
    }
}

/* auto: the one that its manifest marks as on by default; without one the host's single process needs none. */
static lth_status build_strategy(session *s, error *e)
{
    const registry_component *known = NULL, *c = NULL;
    config_section *section = config_find(s->config, "strategy");
    if (strcmp(s->options.strategy, "auto") == 0) {
        while (!known && (c = registry_next(s->registry, "strategy", c)))
            known = c->flags & LTH_DEFAULT_ON && !c->plugin->problem ? c : NULL;
    } else {
        const config_entry *entry = config_take(config_find(s->config, "trainer"), "strategy");
        known = registry_require(s->registry, "strategy", s->options.strategy, entry ? entry->file : NULL,
                                 entry ? entry->line : 0, &s->diagnostics);
        if (!known)
            return error_set(e, LTH_INVALID, "[trainer] strategy = %s is not there", s->options.strategy);
    }
    if (!known)
        return s->limits.devices > 1 || s->options.num_nodes > 1
                   ? error_set(e, LTH_UNSUPPORTED, "[trainer] devices = %s: there is no strategy that spreads a run",
                               s->options.devices)
                   : LTH_OK;
    if (section && strcmp(config_component(s->config, section), known->id) != 0)
        section = NULL;
    return component_new(&s->scope, known, "strategy", section, NULL, &s->strategy, e);
}

/* ---- All ---- */

lth_status session_build(session *s, error *e)
{
    const schema_part model = { &model_option_table, &s->model_options }, data = { &data_option_table, &s->data_options };
    if (from_section(s, "model", config_find(s->config, "model"), &model, &s->model, e) != LTH_OK ||
        from_section(s, "datamodule", config_find(s->config, "data"), &data, &s->data, e) != LTH_OK ||
        (strcmp(s->options.accelerator, "auto") == 0 ? auto_accelerator(s, e) : named_accelerator(s, e)) != LTH_OK ||
        build_strategy(s, e) != LTH_OK ||
        build_many(s, kind_by_name("callback"), &s->callbacks, &s->callback_count, &s->callback_capacity, e) != LTH_OK ||
        build_many(s, kind_by_name("logger"), &s->loggers, &s->logger_count, &s->logger_capacity, e) != LTH_OK)
        return e->status;
    s->model_table = (const lth_model *)s->model->table;
    order_callbacks(s);
    return hooks_prepare(s);
}

static lth_status setup_strategy(session *s, error *e)
{
    const char *reason;
    const lth_accelerator *accelerator = (const lth_accelerator *)s->accelerator->table;
    lth_strategy_args args = { sizeof args, (int32_t)s->limits.devices, (int32_t)s->options.num_nodes,
                               accelerator->device_count(&reason) };
    s->world = (lth_world) { .struct_size = sizeof s->world, .size = 1, .local_size = 1, .node_count = 1 };
    if (!s->strategy)
        return LTH_OK;
    component_enter(s->strategy, "setup");
    lth_status status = ((const lth_strategy *)s->strategy->table)->setup(s->strategy->self, &args, &s->world);
    return component_result(s->strategy, "setup", status, e);
}

lth_status session_init(session *s, error *e)
{
    if (component_init(s->accelerator, e) != LTH_OK || (s->strategy && component_init(s->strategy, e) != LTH_OK) ||
        setup_strategy(s, e) != LTH_OK || component_init(s->data, e) != LTH_OK || component_init(s->model, e) != LTH_OK)
        return e->status;
    for (uint32_t i = 0; i < s->callback_count; i++)
        if (component_init(s->callbacks[i], e) != LTH_OK)
            return e->status;
    for (uint32_t i = 0; i < s->logger_count; i++)
        if (component_init(s->loggers[i], e) != LTH_OK)
            return e->status;
    return LTH_OK;
}

/* ---- The resolved run file ---- */

static void resolve_disabled(session *s, str *out)
{
    for (size_t i = 0; i < s->config->count; i++)
        if (!s->config->sections[i]->enabled)
            resolved_disabled(out, s->config->sections[i]->title, config_component(s->config, s->config->sections[i]));
}

/* The options of an accelerator or strategy are a section of their own where they have any. */
static void resolve_own(const component *c, str *out)
{
    if (c && c->table->options.count > 0)
        component_resolve(c, NULL, out);
}

void session_resolve(session *s)
{
    str *out = &s->run_ini;
    str_clear(out);
    resolved_begin(out);
    const schema_part run = { &run_option_table, &s->run }, trainer = { &trainer_option_table, &s->options };
    const schema_part model = { &model_option_table, &s->model_options }, data = { &data_option_table, &s->data_options };
    resolved_section(out, "run", NULL, config_find(s->config, "run"), &run, 1);
    resolved_section(out, "trainer", NULL, config_find(s->config, "trainer"), &trainer, 1);
    component_resolve(s->model, &model, out);
    component_resolve(s->data, &data, out);
    optimizers_resolve(s, out);
    resolve_own(s->accelerator, out);
    resolve_own(s->strategy, out);
    for (uint32_t i = 0; i < s->callback_count; i++)
        component_resolve(s->callbacks[i], NULL, out);
    for (uint32_t i = 0; i < s->logger_count; i++)
        component_resolve(s->loggers[i], NULL, out);
    resolve_disabled(s, out);
}
