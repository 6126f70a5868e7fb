/* SPDX-License-Identifier: Apache-2.0
 * engine/setup.c: lth_setup_api: a model's configure makes parameters and buffers. */
#include "engine/internal.h"
#include "util/memory.h"

#include <stdlib.h>
#include <string.h>

typedef struct setup {
    lth_setup head; /* first, so that an lth_setup is a setup */
    engine *engine;
    const lth_field_info *fields;
    uint32_t field_count;
    str scope;
    size_t *outer; /* lengths of the scopes around it */
    size_t depth, depth_capacity;
    error *error;
} setup;

static setup *of(lth_setup *s) { return (setup *)s; }

LTH_PRINTF(4, 5) static void complain(setup *s, const char *file, uint32_t line, const char *format, ...)
{
    if (s->error->status != LTH_OK)
        return;
    va_list a;
    va_start(a, format);
    error_set_v(s->error, LTH_INVALID, format, a);
    va_end(a);
    error_prefix(s->error, "%s:%u: ", file ? file : "?", line);
}

static const lth_field_info *field(lth_setup *h, const char *name, const char *file, uint32_t line)
{
    setup *s = of(h);
    str list = { 0 };
    name = name ? name : "";
    for (uint32_t i = 0; i < s->field_count; i++)
        if (strcmp(s->fields[i].name, name) == 0)
            return &s->fields[i];
    for (uint32_t i = 0; i < s->field_count; i++)
        str_printf(&list, "%s'%s'", i ? ", " : "", s->fields[i].name);
    complain(s, file, line, "the batch has no field '%s'; it has %s", name, list.length ? str_text(&list) : "none");
    str_free(&list);
    return NULL;
}

/* "h.0.attn" + "weight" -> "h.0.attn.weight", in the state's memory. */
static const char *scoped(setup *s, const char *name)
{
    arena *a = &s->engine->state.names;
    return s->scope.length ? arena_format(a, "%s.%s", str_text(&s->scope), name) : arena_copy_text(a, name);
}

static const state_entry *find_name(const state *s, const char *name)
{
    for (size_t i = 0; i < s->parameters.count; i++)
        if (strcmp(s->parameters.at[i].name, name) == 0)
            return &s->parameters.at[i];
    for (size_t i = 0; i < s->buffers.count; i++)
        if (strcmp(s->buffers.at[i].name, name) == 0)
            return &s->buffers.at[i];
    return NULL;
}

/* Checks a shape and completes it with the run's floating type. */
static bool complete_shape(setup *s, const char *name, lth_shape *shape, const char *file, uint32_t line)
{
    int64_t count = 1;
    if (shape->rank < 0 || shape->rank > LTH_MAX_RANK) {
        complain(s, file, line, "'%s' has more than %d dimensions", name, LTH_MAX_RANK);
        return false;
    }
    for (int32_t i = 0; i < shape->rank; i++) {
        if (shape->dim[i] < 0) {
            complain(s, file, line, "dimension %d of '%s' is %lld%s", (int)i, name, (long long)shape->dim[i],
                     shape->dim[i] == -1 ? ": a dimension of the data that varies from batch to batch cannot shape it" : "");
            return false;
        }
        if (__builtin_mul_overflow(count, shape->dim[i], &count) || count > INT64_MAX / 16) {
            complain(s, file, line, "'%s' has too many elements", name);
            return false;
        }
    }
    for (int32_t i = shape->rank; i < LTH_MAX_RANK; i++)
        shape->dim[i] = 0;
    if (shape->dtype == LTH_DTYPE_NONE)
        shape->dtype = s->engine->options.floating;
    if (shape->dtype >= LTH_DTYPE_COUNT || shape->dtype == LTH_F16) {
        complain(s, file, line, "'%s' cannot have element type %s", name, lth_dtype_name(shape->dtype));
        return false;
    }
    return true;
}

/* A name stands in checkpoints, patterns of run files and on terminals. */
static bool valid_name(setup *s, const char *name, const char *file, uint32_t line)
{
    const char *const part[] = { str_text(&s->scope), name ? name : "" };
    bool good = *part[1];
    for (int i = 0; i < 2; i++) {
        good = good && str_utf8_prefix(part[i], strlen(part[i])) == strlen(part[i]);
        for (const char *c = part[i]; *c; c++)
            good = good && *c != '/' && (unsigned char)*c >= ' ' && *c != 127;
    }
    if (good)
        return true;
    complain(s, file, line, "'%s%s%s' is no name for a parameter or a buffer: it is UTF-8, not empty, without '/' and control characters",
             part[0], *part[0] ? "." : "", part[1]);
    return false;
}

/* Adds to `list`; returns the new id, 0 on an error. */
static uint32_t add(setup *s, state_entries *list, const char *name, const lth_shape *shape, const lth_init *init, uint32_t flags,
                    const char *file, uint32_t line)
{
    state *st = &s->engine->state;
    if (s->error->status != LTH_OK || !valid_name(s, name, file, line))
        return 0;
    state_entry entry = { .name = scoped(s, name),
                          .type = "",
                          .shape = *shape,
                          .flags = flags,
                          .optimizer = -1,
                          .group = -1,
                          .site = { file, line, 0 } };
    if (init)
        entry.init = *init;
    const state_entry *other = find_name(st, entry.name);
    if (other) {
        complain(s, file, line, "the name '%s' was given before, at %s:%u; names must be unique (lth_enter makes a scope)",
                 entry.name, other->site.file, other->site.line);
        return 0;
    }
    if (!complete_shape(s, entry.name, &entry.shape, file, line))
        return 0;
    const char *fault = init_fault(&entry.init, &entry.shape);
    if (fault) {
        complain(s, file, line, "'%s': %s (kind %u)", entry.name, fault, entry.init.kind);
        return 0;
    }
    int64_t values = entry.init.kind == LTH_INIT_VALUES      ? lth_shape_count(&entry.shape)
                     : entry.init.kind == LTH_INIT_TRUNCATED ? 2
                                                             : 0;
    if (values > 0)
        entry.init.values = arena_copy(&st->names, entry.init.values, (size_t)values * sizeof(double));
    entry.module = arena_copy_text(&st->names, str_text(&s->scope));
    const char *dot = strrchr(entry.name, '.');
    if (dot)
        entry.module = arena_copy_part(&st->names, entry.name, (size_t)(dot - entry.name));
    list->at = memory_grow(list->at, &list->capacity, list->count + 1, sizeof *list->at);
    list->at[list->count++] = entry;
    return (uint32_t)list->count;
}

static lth_parameter parameter(lth_setup *h, const char *name, const lth_shape *shape, const lth_init *init, uint32_t flags,
                               const char *file, uint32_t line)
{
    setup *s = of(h);
    lth_dtype wanted = s->engine->options.floating;
    if (shape->dtype != LTH_DTYPE_NONE && shape->dtype != wanted && !(flags & LTH_PARAMETER_FROZEN))
        complain(s, file, line,
                 "parameter '%s' is of type %s in a run of %s; only frozen parameters and buffers may have a type of their own",
                 name ? name : "", lth_dtype_name(shape->dtype), lth_dtype_name(wanted));
    if (flags & ~(uint32_t)LTH_PARAMETER_FROZEN)
        complain(s, file, line, "parameter '%s' has flags (%u) that this host does not know", name ? name : "", flags);
    return (lth_parameter) { add(s, &s->engine->state.parameters, name, shape, init, flags, file, line), 0 };
}

static lth_buffer buffer(lth_setup *h, const char *name, const lth_shape *shape, const lth_init *init, uint32_t flags,
                         const char *file, uint32_t line)
{
    setup *s = of(h);
    if (flags & ~(uint32_t)(LTH_BUFFER_TRANSIENT | LTH_BUFFER_OF_RUN))
        complain(s, file, line, "buffer '%s' has flags (%u) that this host does not know", name ? name : "", flags);
    return (lth_buffer) { add(s, &s->engine->state.buffers, name, shape, init, flags, file, line), 0 };
}

static void enter(lth_setup *h, const char *name)
{
    setup *s = of(h);
    s->outer = memory_grow(s->outer, &s->depth_capacity, s->depth + 1, sizeof *s->outer);
    s->outer[s->depth++] = s->scope.length;
    str_printf(&s->scope, "%s%s", s->scope.length ? "." : "", name ? name : "");
}

static void leave(lth_setup *h)
{
    setup *s = of(h);
    if (!s->depth) {
        complain(s, NULL, 0, "lth_leave without an lth_enter");
        return;
    }
    s->scope.length = s->outer[--s->depth];
    s->scope.at[s->scope.length] = '\0';
}

static lth_status fail(lth_setup *h, const char *file, uint32_t line, const char *message)
{
    complain(of(h), file, line, "%s", message);
    return LTH_INVALID;
}

static lth_status status(lth_setup *h) { return of(h)->error->status; }

static void module(lth_setup *h, const char *name, const char *type)
{
    setup *s = of(h);
    const char *path = name && *name ? scoped(s, name) : str_text(&s->scope);
    map_put(&s->engine->state.types, path, arena_copy_text(&s->engine->state.names, type));
}

static const lth_setup_api api = {
    .struct_size = sizeof(lth_setup_api),
    .field = field,
    .parameter = parameter,
    .buffer = buffer,
    .enter = enter,
    .leave = leave,
    .fail = fail,
    .status = status,
    .module = module,
};

static void fill_infos(state *s)
{
    s->infos = arena_array(&s->names, s->parameters.count + s->buffers.count, sizeof *s->infos);
    lth_parameter_info *out = s->infos;
    for (int is_buffer = 0; is_buffer < 2; is_buffer++) {
        state_entries *list = is_buffer ? &s->buffers : &s->parameters;
        for (size_t i = 0; i < list->count; i++) {
            state_entry *entry = &list->at[i];
            const char *type = map_get(&s->types, entry->module);
            entry->type = type ? type : "";
            *out++ =
                (lth_parameter_info) { entry->name, entry->module, entry->type, entry->shape, entry->flags, (uint32_t)is_buffer };
        }
    }
}

lth_status engine_configure(engine *g, const lth_field_info *fields, uint32_t field_count,
                            lth_status (*configure)(void *self, lth_setup *setup), void *self, error *e)
{
    if (g->state.configured)
        return error_set(e, LTH_INVALID, "the model was configured already");
    error first = { 0 };
    setup s = { .head = { &api }, .engine = g, .fields = fields, .field_count = field_count, .error = &first };
    lth_status answer = configure(self, &s.head);
    str_free(&s.scope);
    free(s.outer);
    if (first.status)
        return error_set(e, first.status, "%s", first.text);
    if (answer)
        return error_set(e, answer, "the model's configure failed without saying why");
    fill_infos(&g->state);
    g->state.configured = true;
    return LTH_OK;
}

uint32_t engine_parameters(engine *g, const lth_parameter_info **out)
{
    *out = g->state.infos;
    return (uint32_t)(g->state.parameters.count + g->state.buffers.count);
}
