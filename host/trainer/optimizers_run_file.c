/* SPDX-License-Identifier: Apache-2.0
 * trainer/optimizers_run_file.c: where the model leaves it to the run file: whose each parameter is, by patterns of names. */
#include "trainer/optimizers.h"

#include "util/memory.h"
#include "util/nearest.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

/* ---- Patterns ---- */

/* A pattern has a wildcard; anything else is the beginning of a name. */
static bool matches(const char *pattern, const char *name)
{
    return strpbrk(pattern, "*?[") ? fnmatch(pattern, name, 0) == 0 : str_starts(name, pattern);
}

/* Whether any matches; those that do are marked. */
static bool matches_any(const lth_string_list *patterns, const char *name, bool *hit)
{
    bool any = false;
    for (int64_t p = 0; p < patterns->count; p++)
        if (matches(patterns->at[p], name))
            any = hit[p] = true;
    return any;
}

/* Without wildcards and dots at its ends. */
static const char *bare(session *s, const char *pattern)
{
    size_t begin = strspn(pattern, "*?."), end = strlen(pattern);
    while (end > begin && strchr("*?.", pattern[end - 1]))
        end--;
    return arena_copy_part(&s->memory, pattern + begin, end - begin);
}

void optimizers_suggest(session *s, const char *pattern, str *out)
{
    enum { MOST = 8 };
    const lth_parameter_info *info;
    uint32_t count = engine_parameters(s->engine, &info), n = 0, shown = 0;
    const char **choices = memory_new((3 * (size_t)count + 1) * sizeof *choices);
    for (uint32_t i = 0; i < count; i++) {
        const char *dot = strrchr(info[i].name, '.');
        if (info[i].is_buffer)
            continue;
        choices[n++] = info[i].name;
        choices[n++] = info[i].module;
        choices[n++] = dot ? dot + 1 : info[i].name;
    }
    const char *close = nearest(bare(s, pattern), choices, n);
    if (close)
        str_printf(out, " (did you mean '%s'?)", close);
    for (uint32_t i = 0; i < n && !close; i += 3, shown++)
        if (shown < MOST)
            str_printf(out, "%s%s", shown ? ", " : "; there are ", choices[i]);
    if (shown > MOST)
        str_printf(out, " and %u more", (unsigned)(shown - MOST));
    free(choices);
}

/* Every pattern must have matched something. */
static lth_status check_hits(session *s, const config_section *section, const lth_string_list *patterns, const bool *hit)
{
    str text = { 0 };
    for (int64_t p = 0; p < patterns->count; p++)
        if (!hit[p]) {
            str_printf(&text, "%s'%s' matches none of the%s parameters", text.length ? "; " : "", patterns->at[p],
                       optimizers_group_owner(s, section) ? " optimizer's" : " model's");
            optimizers_suggest(s, patterns->at[p], &text);
        }
    lth_status status = text.length == 0 ? LTH_OK
                                         : optimizers_fail(&s->optimizers, section->file, (uint32_t)section->line,
                                                           "[%s] parameters: %s", section->title, str_text(&text));
    str_free(&text);
    return status;
}

/* ---- Groups ---- */

const char *optimizers_group_owner(session *s, const config_section *section)
{
    const char *inner = strstr(section->name, ".group.");
    if (str_starts(section->name, "group."))
        return section->kind;
    return inner ? arena_format(&s->memory, "%s.%.*s", section->kind, (int)(inner - section->name), section->name) : NULL;
}

/* Whose each parameter is: index of an optimizer, or NOBODY. */
enum { NOBODY = -1 };

static lth_status fill_group(session *s, uint32_t index, config_section *section, const int32_t *owners)
{
    optimizer_set *set = &s->optimizers;
    const lth_parameter_info *info;
    uint32_t count = engine_parameters(s->engine, &info), line = (uint32_t)section->line;
    group_options options;
    optimizer_group *g = NULL;
    error e = { 0 };
    if (optimizers_group_options(s, &set->at[index], section, &options) != LTH_OK)
        return LTH_INVALID;
    if (options.parameters.count == 0)
        return optimizers_fail(set, section->file, line,
                               "[%s] does not say which parameters it has: parameters = fc1., *.bias (beginnings or patterns)",
                               section->title);
    if (!options.frozen && optimizers_new_group(s, &set->at[index], section, &g, &e) != LTH_OK)
        return optimizers_fail(set, NULL, 0, "%s", e.text);
    bool *hit = memory_new((size_t)options.parameters.count * sizeof *hit);
    lth_status status = LTH_OK;
    for (uint32_t i = 0; i < count && status == LTH_OK; i++) {
        if (info[i].is_buffer || owners[i] != (int32_t)index || !matches_any(&options.parameters, info[i].name, hit) ||
            (info[i].flags & LTH_PARAMETER_FROZEN && !set->taken[i])) /* the model's own */
            continue;
        if (set->taken[i])
            status = optimizers_fail(set, section->file, line, "[%s] parameter '%s' is in another group already", section->title,
                                     info[i].name);
        else
            optimizers_take(s, g, i);
    }
    if (status == LTH_OK)
        status = check_hits(s, section, &options.parameters, hit);
    if (status == LTH_OK && g && g->count == 0)
        status = optimizers_fail(set, section->file, line, "[%s] the model has frozen all its parameters", section->title);
    free(hit);
    return status;
}

/* First the rest of the optimizer's parameters, then the groups, as PyTorch's users order them. */
static lth_status fill_optimizer(session *s, uint32_t index, const int32_t *owners)
{
    optimizer_set *set = &s->optimizers;
    optimizer *o = &set->at[index];
    optimizer_group *rest = NULL;
    error e = { 0 };
    if (optimizers_new_group(s, o, NULL, &rest, &e) != LTH_OK)
        return optimizers_fail(set, NULL, 0, "%s", e.text);
    config_section *section = NULL;
    while ((section = config_next(s->config, "optimizer", section))) {
        const char *owner = section->enabled ? optimizers_group_owner(s, section) : NULL;
        if (owner && strcmp(owner, o->title) == 0 && fill_group(s, index, section, owners) != LTH_OK)
            return LTH_INVALID;
    }
    const lth_parameter_info *info;
    uint32_t count = engine_parameters(s->engine, &info);
    for (uint32_t i = 0; i < count; i++)
        if (!info[i].is_buffer && owners[i] == (int32_t)index && !(info[i].flags & LTH_PARAMETER_FROZEN) && !set->taken[i])
            optimizers_take(s, &o->groups[0], i);
    if (o->groups[0].count == 0) { /* the named groups have them all */
        component_free(o->groups[0].who);
        memmove(o->groups, o->groups + 1, --o->group_count * sizeof *o->groups);
    }
    if (o->group_count > 0)
        return LTH_OK;
    bool any = false;
    for (uint32_t i = 0; i < count; i++)
        any = any || (!info[i].is_buffer && owners[i] == (int32_t)index);
    return optimizers_fail(set, o->section->file, (uint32_t)o->section->line, "[%s] has nothing to train: %s", o->title,
                           any              ? "all its parameters are frozen"
                           : set->count > 1 ? "the others have all parameters"
                                            : "the model has no parameters");
}

/* ---- Optimizers ---- */

static lth_status no_optimizer(session *s)
{
    str names = { 0 };
    const registry_component *c = NULL;
    while ((c = registry_next(s->registry, "optimizer", c)))
        str_printf(&names, "%s%s", names.length ? ", " : "", c->id);
    optimizers_fail(&s->optimizers, NULL, 0, "%s: training needs a section [optimizer] with use = NAME; there are: %s",
                    s->config->file, str_text(&names));
    str_free(&names);
    return LTH_INVALID;
}

static lth_status add_optimizers(session *s)
{
    optimizer_set *set = &s->optimizers;
    config_section *section = NULL;
    while ((section = config_next(s->config, "optimizer", section)))
        if (section->enabled && !optimizers_group_owner(s, section) &&
            optimizers_add(s, section->title, section->file, (uint32_t)section->line) < 0)
            return LTH_INVALID;
    if (set->count == 0)
        return no_optimizer(s);
    if (set->count == 1 || s->model_table->manual_optimization)
        return LTH_OK;
    return optimizers_fail(set, set->at[1].section->file, (uint32_t)set->at[1].section->line,
                           "[%s] is a second optimizer beside [%s]: that needs a model that optimizes by hand "
                           "(.manual_optimization = 1 and lth_minimize in its training_step), which '%s' does not",
                           set->at[1].title, set->at[0].title, s->model->known->id);
}

/* Those that an optimizer names; the one that names none has the rest. */
static lth_status share_out(session *s, int32_t *owners)
{
    optimizer_set *set = &s->optimizers;
    const lth_parameter_info *info;
    uint32_t count = engine_parameters(s->engine, &info);
    int32_t rest = NOBODY;
    lth_status status = LTH_OK;
    for (uint32_t i = 0; i < count; i++)
        owners[i] = NOBODY;
    for (uint32_t k = 0; k < set->count && status == LTH_OK; k++) {
        const config_section *section = set->at[k].section;
        const lth_string_list *patterns = &set->at[k].options.parameters;
        if (patterns->count == 0 && rest != NOBODY)
            return optimizers_fail(set, section->file, (uint32_t)section->line,
                                   "[%s] needs `parameters`: [%s] has none either, and only one can have those that are left",
                                   section->title, set->at[rest].title);
        rest = patterns->count == 0 ? (int32_t)k : rest;
        bool *hit = memory_new((size_t)patterns->count * sizeof *hit + 1);
        for (uint32_t i = 0; i < count && status == LTH_OK; i++) {
            if (info[i].is_buffer || !matches_any(patterns, info[i].name, hit))
                continue;
            if (owners[i] != NOBODY)
                status = optimizers_fail(set, section->file, (uint32_t)section->line, "[%s] parameter '%s' is [%s]'s already",
                                         section->title, info[i].name, set->at[owners[i]].title);
            owners[i] = (int32_t)k;
        }
        if (status == LTH_OK)
            status = check_hits(s, section, patterns, hit);
        free(hit);
    }
    for (uint32_t i = 0; i < count && status == LTH_OK; i++) {
        owners[i] = owners[i] == NOBODY ? rest : owners[i];
        if (owners[i] == NOBODY && !info[i].is_buffer && !(info[i].flags & LTH_PARAMETER_FROZEN))
            status = optimizers_fail(set, set->at[0].section->file, (uint32_t)set->at[0].section->line,
                                     "[%s] parameter '%s' is no optimizer's: add it to one; in a group with frozen = true it "
                                     "is not trained",
                                     set->at[0].title, info[i].name);
    }
    return status;
}

/* [scheduler] is [optimizer]'s, [scheduler.NAME] is [optimizer.NAME]'s. */
static lth_status add_schedule_of(session *s, uint32_t index)
{
    const char *name = s->optimizers.at[index].section->name;
    const char *title = name[0] ? arena_format(&s->memory, "scheduler.%s", name) : "scheduler";
    const config_section *section = config_find(s->config, title);
    return section && section->enabled ? optimizers_add_schedule(s, index, title, section->file, (uint32_t)section->line)
                                       : LTH_OK;
}

lth_status optimizers_from_run_file(session *s)
{
    const lth_parameter_info *info;
    if (add_optimizers(s) != LTH_OK)
        return LTH_INVALID;
    int32_t *owners = memory_new((engine_parameters(s->engine, &info) + 1) * sizeof *owners);
    lth_status status = share_out(s, owners);
    for (uint32_t i = 0; i < s->optimizers.count && status == LTH_OK; i++)
        status = fill_optimizer(s, i, owners);
    for (uint32_t i = 0; i < s->optimizers.count && status == LTH_OK; i++)
        status = add_schedule_of(s, i);
    free(owners);
    return status;
}
