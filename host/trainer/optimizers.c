/* SPDX-License-Identifier: Apache-2.0
 * trainer/optimizers.c: instances of optimizers, one a group of parameters, and what a model's configure_optimizers may do. */
#include "trainer/optimizers.h"

#include "config/resolved.h"
#include "util/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static session *of(lth_optimizers *o) { return ((optimizer_set *)o)->session; }

lth_status optimizers_fail(optimizer_set *set, const char *file, uint32_t line, const char *format, ...)
{
    if (set->error.status != LTH_OK)
        return LTH_INVALID;
    va_list arguments;
    va_start(arguments, format);
    error_set_v(&set->error, LTH_INVALID, format, arguments);
    va_end(arguments);
    if (file && line > 0)
        error_prefix(&set->error, "%s:%u: ", file, (unsigned)line);
    else if (file)
        error_prefix(&set->error, "%s: ", file);
    return LTH_INVALID;
}

/* ---- Instances ---- */

/* The base's entries, with the group's in their place or behind them: a group's options override the optimizer's. */
static config_section *merged(session *s, const config_section *base, const config_section *group)
{
    config_section *m = arena_alloc(&s->memory, sizeof *m);
    *m = *group;
    m->entries = arena_array(&s->memory, base->count + group->count + 1, sizeof *m->entries);
    m->count = 0;
    for (size_t i = 0; i < base->count; i++)
        m->entries[m->count++] = base->entries[i];
    for (size_t i = 0; i < group->count; i++) {
        size_t at = 0;
        while (at < m->count && strcmp(m->entries[at].key, group->entries[i].key) != 0)
            at++;
        m->entries[at] = group->entries[i];
        m->count += at == m->count;
    }
    m->capacity = m->count;
    return m;
}

/* A number of the instance that a scheduler may change: an option, or the first element of one that is a list. */
static double *hyper(component *c, const char *name)
{
    for (uint32_t i = 0; i < c->table->options.count; i++) {
        lth_option o = schema_option(&c->table->options, i);
        void *field = (char *)c->self + o.offset;
        if (strcmp(o.name, name) != 0 || !(o.flags & LTH_OPTION_HYPER))
            continue;
        if (o.type == LTH_OPTION_FLOAT)
            return field;
        if (o.type == LTH_OPTION_FLOAT_LIST && ((lth_float_list *)field)->count > 0)
            return (double *)((lth_float_list *)field)->at; /* made for this instance */
    }
    return NULL;
}

lth_status optimizers_group_options(session *s, const optimizer *o, config_section *section, group_options *out)
{
    const schema_part parts[2] = { { &group_option_table, out },
                                   { &registry_find(s->registry, "optimizer", o->id)->options, NULL } };
    const schema_part own = { &group_option_table, out };
    diagnostics ignored = { 0 }; /* told where a group's instance is made, or by the run file's check */
    schema_fill(s->config, section, section->title, parts, 2, &s->memory, &ignored);
    diagnostics_free(&ignored);
    for (size_t i = 0; out->frozen && i < section->count; i++) {
        const config_entry *entry = &section->entries[i];
        lth_option option;
        void *field;
        if (strcmp(entry->key, "use") == 0 || strcmp(entry->key, "enabled") == 0)
            continue;
        if (!schema_find(&own, 1, entry->key, &option, &field) || (strcmp(option.name, "lr_scale") == 0 && out->lr_scale != 1))
            return optimizers_fail(&s->optimizers, entry->file, (uint32_t)entry->line,
                                   "[%s] %s: a frozen group is not trained, so that this would do nothing; remove it",
                                   section->title, entry->key);
    }
    return LTH_OK;
}

lth_status optimizers_new_group(session *s, optimizer *o, config_section *group, optimizer_group **out, error *e)
{
    const registry_component *known = registry_find(s->registry, "optimizer", o->id);
    group_options of_group = { .lr_scale = 1 };
    optimizer_options of_optimizer = { { NULL, 0 } };
    const schema_part host = { group ? &group_option_table : &optimizer_option_table, group ? (void *)&of_group : &of_optimizer };
    config_section *section = group ? merged(s, o->section, group) : o->section;
    optimizer_group g = { 0 };
    if (component_new(&s->scope, known, group ? group->title : o->title, section, &host, &g.who, e) != LTH_OK)
        return e->status;
    g.lr = hyper(g.who, "lr");
    if (of_group.lr_scale != 1 && g.lr)
        *g.lr *= of_group.lr_scale;
    if (of_group.lr_scale != 1 && !g.lr)
        error_set(e, LTH_INVALID, "[%s] lr_scale: the optimizer '%s' has no learning rate", group->title, o->id);
    if (e->status != LTH_OK || component_init(g.who, e) != LTH_OK) {
        component_free(g.who);
        return e->status;
    }
    g.base_lr = g.lr ? *g.lr : 0;
    g.momentum = hyper(g.who, "momentum");
    g.momentum = g.momentum ? g.momentum : hyper(g.who, "betas");
    g.base_momentum = g.momentum ? *g.momentum : NAN;
    o->groups = memory_grow(o->groups, &o->group_capacity, o->group_count + 1, sizeof *o->groups);
    o->groups[o->group_count] = g;
    *out = &o->groups[o->group_count++];
    return LTH_OK;
}

void optimizers_take(session *s, optimizer_group *g, uint32_t index)
{
    s->optimizers.taken[index] = true;
    if (!g) {
        engine_freeze(s->engine, index + 1);
        return;
    }
    g->parameters = memory_resize(g->parameters, (g->count + 1) * sizeof *g->parameters);
    g->parameters[g->count++] = index + 1;
}

/* "adamw", then "adamw-1", ... */
static const char *unique_name(session *s, const char *id)
{
    uint32_t same = 0;
    for (uint32_t i = 0; i < s->optimizers.count; i++)
        same += strcmp(s->optimizers.at[i].id, id) == 0;
    return same ? arena_format(&s->memory, "%s-%u", id, (unsigned)same) : id;
}

/* ---- lth_optimizers ---- */

int32_t optimizers_add(session *s, const char *title, const char *file, uint32_t line)
{
    optimizer_set *set = &s->optimizers;
    config_section *section = config_find(s->config, title);
    const char *id = section ? config_component(s->config, section) : "";
    const registry_component *known = registry_find(s->registry, "optimizer", id);
    if (!known)
        return optimizers_fail(set, file, line, "[%s] there is no optimizer '%s'", title, id), -1;
    set->at = memory_grow(set->at, &set->capacity, set->count + 1, sizeof *set->at);
    optimizer *o = &set->at[set->count];
    *o = (optimizer) { .id = known->id, .name = unique_name(s, known->id), .section = section, .title = section->title };
    const schema_part parts[2] = { { &optimizer_option_table, &o->options }, { &known->options, NULL } };
    diagnostics ignored = { 0 }; /* as for a group */
    schema_fill(s->config, section, title, parts, 2, &s->memory, &ignored);
    diagnostics_free(&ignored);
    return (int32_t)set->count++;
}

static int32_t api_add(lth_optimizers *abi, const char *title, const char *file, uint32_t line)
{
    session *s = of(abi);
    const config_section *section = config_find(s->config, title);
    if (!section || !section->enabled)
        return optimizers_fail(&s->optimizers, file, line,
                               "the run file has no section [%s]; the model '%s' wants it: write `use = NAME` there", title,
                               s->model->known->id),
               -1;
    int32_t index = optimizers_add(s, title, file, line);
    if (index >= 0 && s->optimizers.at[index].options.parameters.count > 0)
        return optimizers_fail(&s->optimizers, section->file, (uint32_t)section->line,
                               "[%s] parameters: the model '%s' says itself which it has; remove it", title, s->model->known->id),
               -1;
    return index;
}

static bool index_is_right(optimizer_set *set, int32_t index, const char *file, uint32_t line)
{
    if (index >= 0 && (uint32_t)index < set->count)
        return true;
    optimizers_fail(set, file, line, "there is no optimizer %d: %u were added", (int)index, (unsigned)set->count);
    return false;
}

/* The group's section, and its host's keys: a model that makes groups chooses their parameters, too. */
static lth_status section_of_group(session *s, int32_t index, const char *title, config_section **section, group_options *options,
                                   const char *file, uint32_t line)
{
    optimizer_set *set = &s->optimizers;
    *section = title ? config_find(s->config, title) : NULL;
    if (title && (!*section || !(*section)->enabled))
        return optimizers_fail(set, file, line, "the run file has no section [%s], of options of a group of parameters", title);
    if (*section && optimizers_group_options(s, &set->at[index], *section, options) != LTH_OK)
        return LTH_INVALID;
    if (options->parameters.count > 0)
        return optimizers_fail(set, (*section)->file, (uint32_t)(*section)->line,
                               "[%s] parameters: the model '%s' says itself which it has; remove it", title, s->model->known->id);
    return LTH_OK;
}

static lth_status api_parameters(lth_optimizers *abi, int32_t index, const char *prefix, const char *group_title,
                                 const char *file, uint32_t line)
{
    optimizer_set *set = (optimizer_set *)abi;
    session *s = of(abi);
    const lth_parameter_info *info;
    config_section *section;
    group_options options = { .frozen = false };
    optimizer_group *g = NULL;
    error e = { 0 };
    if (!index_is_right(set, index, file, line) ||
        section_of_group(s, index, group_title, &section, &options, file, line) != LTH_OK)
        return LTH_INVALID;
    if (!options.frozen && optimizers_new_group(s, &set->at[index], section, &g, &e) != LTH_OK)
        return optimizers_fail(set, file, line, "%s", e.text);
    uint32_t count = engine_parameters(s->engine, &info), took = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (info[i].is_buffer || !str_starts(info[i].name, prefix))
            continue;
        if (set->taken[i] && prefix[0])
            return optimizers_fail(set, file, line, "parameter '%s' is in two groups", info[i].name);
        if (set->taken[i] || info[i].flags & LTH_PARAMETER_FROZEN)
            continue;
        optimizers_take(s, g, i);
        took++;
    }
    if (options.frozen) {
        set->frozen = memory_grow(set->frozen, &set->frozen_capacity, set->frozen_count + 1, sizeof *set->frozen);
        set->frozen[set->frozen_count++] = section;
    }
    if (took > 0)
        return LTH_OK;
    str text = { 0 };
    optimizers_suggest(s, prefix, &text);
    optimizers_fail(set, file, line, "no parameter that is left has a name that begins with '%s'%s", prefix, str_text(&text));
    str_free(&text);
    return LTH_INVALID;
}

lth_status optimizers_add_schedule(session *s, uint32_t index, const char *title, const char *file, uint32_t line)
{
    optimizer_set *set = &s->optimizers;
    config_section *section = config_find(s->config, title);
    const char *id = config_component(s->config, section);
    const registry_component *known = registry_find(s->registry, "scheduler", id);
    schedule x = { .optimizer = index };
    const schema_part host = { &scheduler_option_table, &x.options };
    error e = { 0 };
    if (!known)
        return optimizers_fail(set, file, line, "[%s] there is no scheduler '%s'", title, id);
    if (component_new(&s->scope, known, section->title, section, &host, &x.who, &e) != LTH_OK ||
        component_init(x.who, &e) != LTH_OK) {
        component_free(x.who);
        return optimizers_fail(set, file, line, "%s", e.text);
    }
    x.table = (const lth_scheduler *)x.who->table;
    set->schedules = memory_grow(set->schedules, &set->schedule_capacity, set->schedule_count + 1, sizeof *set->schedules);
    set->schedules[set->schedule_count++] = x;
    if (strcmp(x.options.interval, "manual") == 0 && (!s->model_table->manual_optimization || x.options.frequency != 1))
        return optimizers_fail(set, file, line,
                               x.options.frequency != 1
                                   ? "[%s] frequency: with interval = manual every call of lth_scheduler_step is an advance"
                                   : "[%s] interval = manual is for a model that optimizes by hand, which '%s' does not",
                               section->title, s->model->known->id);
    if (x.table->needs_metric && !x.options.monitor[0])
        return optimizers_fail(set, file, line, "[%s] needs `monitor = METRIC`: '%s' looks at one", section->title, known->id);
    return LTH_OK;
}

static lth_status api_scheduler(lth_optimizers *abi, int32_t index, const char *title, const char *file, uint32_t line)
{
    session *s = of(abi);
    const config_section *section = config_find(s->config, title);
    if (!index_is_right(&s->optimizers, index, file, line))
        return LTH_INVALID;
    if (!section || !section->enabled)
        return optimizers_fail(&s->optimizers, file, line, "the run file has no section [%s], of a scheduler", title);
    return optimizers_add_schedule(s, (uint32_t)index, title, file, line);
}

static const lth_optimizers_api optimizers_api = { sizeof(lth_optimizers_api), 0, api_add, api_parameters, api_scheduler };

/* ---- Sections that nobody took ---- */

static bool is_taken(session *s, const config_section *section)
{
    const optimizer_set *set = &s->optimizers;
    bool by_model = s->model_table->configure_optimizers != NULL;
    const char *owner = by_model ? NULL : optimizers_group_owner(s, section); /* the run file's groups are all looked at */
    for (uint32_t i = 0; i < set->schedule_count; i++)
        if (strcmp(set->schedules[i].who->title, section->title) == 0)
            return true;
    for (uint32_t i = 0; i < set->frozen_count; i++)
        if (set->frozen[i] == section)
            return true;
    for (uint32_t i = 0; i < set->count; i++) {
        if (set->at[i].section == section || (owner && strcmp(set->at[i].title, owner) == 0))
            return true;
        for (uint32_t g = 0; g < set->at[i].group_count; g++)
            if (strcmp(set->at[i].groups[g].who->title, section->title) == 0)
                return true;
    }
    return false;
}

/* An option that does nothing is a mistake; so is a whole section of them. */
static lth_status refuse_unused(session *s)
{
    static const char *const kinds_here[] = { "optimizer", "scheduler" };
    for (size_t k = 0; k < sizeof kinds_here / sizeof *kinds_here; k++) {
        config_section *section = NULL;
        while ((section = config_next(s->config, kinds_here[k], section)))
            if (section->enabled && !is_taken(s, section))
                return optimizers_fail(
                    &s->optimizers, section->file, (uint32_t)section->line,
                    s->model_table->configure_optimizers
                        ? "[%s] is used by nobody: the model '%s' chooses its optimizers and schedulers itself, and does "
                          "not ask for it; remove it, or write enabled = false"
                        : "[%s] is used by nobody: [scheduler] and [optimizer.group.NAME] are [optimizer]'s, "
                          "[scheduler.NAME] and [optimizer.NAME.group.NAME] are [optimizer.NAME]'s, and there is no such "
                          "optimizer for '%s'; remove it, or write enabled = false",
                    section->title, s->model->known->id);
    }
    return LTH_OK;
}

/* ---- Into the engine ---- */

static lth_status to_engine(session *s, error *e)
{
    for (uint32_t i = 0; i < s->optimizers.count; i++) {
        optimizer *o = &s->optimizers.at[i];
        if (o->group_count == 0)
            return error_set(e, LTH_INVALID, "[%s] the model gave this optimizer no parameters (lth_optimizer_parameters)",
                             o->title);
        int32_t index = engine_add_optimizer(s->engine, (const lth_optimizer *)o->groups[0].who->table, o->name, e);
        if (index < 0)
            return e->status;
        for (uint32_t g = 0; g < o->group_count; g++) {
            component_enter(o->groups[g].who, "setup");
            lth_status status =
                engine_add_group(s->engine, index, o->groups[g].who->self, o->groups[g].parameters, o->groups[g].count, e);
            if (status != LTH_OK)
                component_add_fault(o->groups[g].who, e);
            component_leave();
            if (status != LTH_OK)
                return error_prefix(e, "[%s] ", o->groups[g].who->title);
        }
    }
    return LTH_OK;
}

lth_status optimizers_configure(session *s, error *e)
{
    optimizer_set *set = &s->optimizers;
    const lth_parameter_info *info;
    set->abi.api = &optimizers_api;
    set->session = s;
    set->taken = memory_new((engine_parameters(s->engine, &info) + 1) * sizeof *set->taken);
    lth_status status = LTH_OK;
    if (s->model_table->configure_optimizers) {
        component_enter(s->model, "configure_optimizers");
        status = s->model_table->configure_optimizers(s->model->self, &set->abi);
        if (set->error.status == LTH_OK)
            status = component_result(s->model, "configure_optimizers", status, e);
        component_leave();
    } else {
        optimizers_from_run_file(s);
    }
    if (status == LTH_OK && set->error.status == LTH_OK && set->count > 0)
        refuse_unused(s);
    if (set->error.status != LTH_OK)
        return error_set(e, set->error.status, "%s", set->error.text);
    if (status != LTH_OK)
        return status;
    if (set->count == 0)
        return error_set(e, LTH_INVALID, "the model '%s' configured no optimizer", s->model->known->id);
    if (set->count > 1 && !s->model_table->manual_optimization)
        return error_set(
            e, LTH_INVALID,
            "the model '%s' has %u optimizers: that needs .manual_optimization = 1 and lth_minimize in its training_step",
            s->model->known->id, (unsigned)set->count);
    if (s->model_table->manual_optimization && s->options.accumulate_grad_batches > 1)
        return error_set(e, LTH_UNSUPPORTED, "[trainer] accumulate_grad_batches = %lld: the model '%s' optimizes by hand",
                         (long long)s->options.accumulate_grad_batches, s->model->known->id);
    return to_engine(s, e);
}

bool session_accumulates(const session *s) { return s->options.accumulate_grad_batches > 1 || s->model_table->accumulates; }

void optimizers_free(session *s)
{
    optimizer_set *set = &s->optimizers;
    for (uint32_t i = 0; i < set->count; i++) {
        for (uint32_t g = 0; g < set->at[i].group_count; g++) {
            component_free(set->at[i].groups[g].who);
            free(set->at[i].groups[g].parameters);
        }
        free(set->at[i].groups);
    }
    for (uint32_t i = 0; i < set->schedule_count; i++)
        component_free(set->schedules[i].who);
    free(set->schedules);
    free(set->at);
    free(set->taken);
    free(set->frozen);
}

/* ---- The resolved run file ---- */

/* A section as its tables have it, whether or not this stage made an instance of it. */
static void resolve_one(session *s, const char *kind, config_section *section, config_section *filled, const char *id,
                        const schema_part *host, str *out)
{
    const registry_component *known = registry_find(s->registry, kind, id);
    component *c = NULL;
    error e = { 0 };
    if (known && component_new(&s->scope, known, section->title, filled, host, &c, &e) == LTH_OK) {
        component_resolve(c, host, out);
        free(c->self); /* init was never called */
        c->self = NULL;
    }
}

/* A frozen group has no other options than the host's. */
static bool resolve_frozen(session *s, const registry_component *known, config_section *section, str *out)
{
    group_options options = { .frozen = false };
    const optimizer o = { .id = known->id };
    const schema_part host = { &group_option_table, &options };
    if (optimizers_group_options(s, &o, section, &options) != LTH_OK || !options.frozen)
        return false;
    resolved_section(out, section->title, known->id, section, &host, 1);
    return true;
}

void optimizers_resolve(session *s, str *out)
{
    config_section *section = NULL;
    while ((section = config_next(s->config, "optimizer", section))) {
        group_options of_group;
        optimizer_options of_optimizer;
        const char *owner = optimizers_group_owner(s, section);
        config_section *base = owner ? config_find(s->config, owner) : NULL;
        const schema_part host = { base ? &group_option_table : &optimizer_option_table,
                                   base ? (void *)&of_group : &of_optimizer };
        const char *id = config_component(s->config, base ? base : section);
        const registry_component *known = registry_find(s->registry, "optimizer", id);
        if (section->enabled && !(base && known && resolve_frozen(s, known, section, out)))
            resolve_one(s, "optimizer", section, base ? merged(s, base, section) : section, id, &host, out);
    }
    while ((section = config_next(s->config, "scheduler", section))) {
        scheduler_options of_scheduler;
        const schema_part host = { &scheduler_option_table, &of_scheduler };
        if (section->enabled)
            resolve_one(s, "scheduler", section, section, config_component(s->config, section), &host, out);
    }
}
