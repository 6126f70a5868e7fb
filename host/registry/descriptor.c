/* SPDX-License-Identifier: Apache-2.0
 * A plugin's descriptor comes from strangers: nothing in it is used before it was looked at. */
#include "registry/descriptor.h"
#include "config/schema.h"

#include <string.h>

/* Everything one check needs. */
typedef struct checker {
    const descriptor_args *args;
    manifest *out;
    arena *memory;
    diagnostics *d;
} checker;

static bool wrong(checker *c, const char *owner, const char *what)
{
    diagnostics_error(c->d, NULL, 0, "%s: %s", owner, what);
    return false;
}

/* One line of UTF-8 without control characters. */
static bool is_line(const char *text)
{
    size_t n = strlen(text);
    if (n > 4096 || str_utf8_prefix(text, n) != n)
        return false;
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 127)
            return false;
    return true;
}

static bool check_line(checker *c, const char *owner, const char *what, const char *text)
{
    if (text && !is_line(text)) {
        diagnostics_error(c->d, NULL, 0, "%s: %s is not one line of UTF-8 of at most 4096 bytes", owner, what);
        return false;
    }
    return true;
}

/* Digits and dots as semantic versions have them: 1.2.3, 1.2.3-rc.1. */
static bool version_is_right(const char *version)
{
    int dots = 0;
    if (version[0] < '0' || version[0] > '9')
        return false;
    for (const char *v = version; *v && *v != '-' && *v != '+'; v++) {
        if (*v == '.')
            dots++;
        else if (*v < '0' || *v > '9')
            return false;
    }
    return dots == 2 && strlen(version) <= 60 && is_line(version);
}

static bool check_head(checker *c)
{
    const lth_plugin *p = c->args->descriptor;
    manifest *m = c->out;
    /* Its first version ended behind `component_stride`. */
    if (p->struct_size < offsetof(lth_plugin, component_stride) + sizeof p->component_stride || p->struct_size % 8)
        return wrong(c, c->args->library, "the descriptor's struct_size is too small or no multiple of 8");

    size_t stem = strlen(c->args->library) - (str_ends(c->args->library, ".so") ? 3 : 0);
    m->id = p->id ? p->id : arena_copy_part(c->memory, c->args->library, stem);
    m->version = p->version ? p->version : "";
    m->license = p->license ? p->license : "";
    m->library = c->args->library;
    m->arch = c->args->arch;
    m->sha256 = c->args->sha256;
    m->api_major = p->api_major;
    m->api_min_minor = p->api_min_minor;

    const char *owner = arena_format(c->memory, "plugin '%s'", m->id);
    if (!manifest_id_is_right(m->id))
        return wrong(c, owner, "the id is not of the form [a-z][a-z0-9_]*, at most 40 bytes");
    if (!version_is_right(m->version))
        wrong(c, owner, "the version is not of the form 1.2.3");
    check_line(c, owner, "the licence", m->license);
    error e = { 0 };
    if (manifest_check_api(m->id, m->version, m->api_major, m->api_min_minor, &e) != LTH_OK) {
        diagnostics_add(c->d, NULL, 0, &e);
        return false; /* what follows may have another form */
    }
    if (p->component_count > 1024 || (p->component_count && (!p->components || p->component_stride < sizeof(lth_component) ||
                                                             p->component_stride % sizeof(void *))))
        return wrong(c, owner, "the list of components has a wrong count or stride");
    if (!p->component_count)
        return wrong(c, owner, "it has no component");
    return true;
}

static const lth_component *component_at(const lth_plugin *p, uint32_t i)
{
    return (const lth_component *)((const char *)p->components + (size_t)i * p->component_stride);
}

static bool slot_is_set(const lth_component_head *table, uint32_t offset)
{
    void *slot = NULL;
    if (offset + sizeof slot <= table->struct_size)
        memcpy(&slot, (const char *)table + offset, sizeof slot);
    return slot != NULL;
}

static void check_options(checker *c, const char *owner, const kind *k, const lth_component_head *h)
{
    const char *taken[64] = { "use", "enabled" };
    size_t count = 2;
    for (size_t i = 0; i < c->args->host_key_count; i++) {
        const descriptor_host_keys *keys = &c->args->host_keys[i];
        for (uint32_t o = 0; strcmp(keys->kind, k->name) == 0 && o < keys->options->count && count < 64; o++)
            taken[count++] = schema_option(keys->options, o).name;
    }
    schema_check_table(&h->options, h->instance_size, owner, taken, count, c->d);
}

/* The rows in the form that a manifest has them: this host's size, no offsets. */
static lth_options copy_options(checker *c, const char *owner, const lth_options *from)
{
    lth_option *rows = arena_array(c->memory, from->count, sizeof *rows);
    for (uint32_t i = 0; i < from->count; i++) {
        rows[i] = schema_option(from, i);
        rows[i].offset = 0;
        rows[i].reserved = 0;
        const char *texts[] = { rows[i].initial, rows[i].range, rows[i].help };
        for (size_t t = 0; t < sizeof texts / sizeof *texts; t++)
            check_line(c, owner, "the default, range or help of an option", texts[t]);
    }
    return (lth_options) { rows, from->count, sizeof *rows };
}

static bool check_table(checker *c, const char *owner, const kind *k, const lth_component_head *h)
{
    if (h->struct_size < sizeof *h || h->struct_size % 8)
        return wrong(c, owner, "its struct_size is too small or no multiple of 8");
    if (h->flags & ~(uint32_t)LTH_DEFAULT_ON)
        wrong(c, owner, "it has flags that this lthost does not know");
    for (const kind_slot *s = k->required; s->name; s++)
        if (!slot_is_set(h, s->offset))
            diagnostics_error(c->d, NULL, 0, "%s: the required slot '%s' is NULL", owner, s->name);
    if (k->hooks && slot_is_set(h, k->hooks)) {
        const lth_hooks *hooks;
        memcpy(&hooks, (const char *)h + k->hooks, sizeof hooks);
        if (hooks->struct_size < offsetof(lth_hooks, setup) || hooks->struct_size % 8)
            wrong(c, owner, "the struct_size of its hooks is too small or no multiple of 8");
    }
    if (h->options.count > 512 || (h->options.count && (!h->options.at || h->options.stride < offsetof(lth_option, old_name) ||
                                                        h->options.stride % sizeof(void *))))
        return wrong(c, owner, "its table of options has a wrong count or stride");
    return true;
}

static void check_component(checker *c, const lth_component *row, manifest_component *out)
{
    const kind *k = row->kind ? kind_by_interface(row->kind) : NULL;
    const lth_component_head *h = row->vtable;
    const char *owner = arena_format(c->memory, "plugin '%s'", c->out->id);
    if (!k) {
        diagnostics_error(c->d, NULL, 0, "%s: a component is of the kind '%s', which this lthost does not know", owner,
                          row->kind ? row->kind : "(none)");
        return;
    }
    if (!h || !h->id || !manifest_id_is_right(h->id)) {
        diagnostics_error(c->d, NULL, 0, "%s: a %s has no table, or an id not of the form [a-z][a-z0-9_]*, at most 40 bytes",
                          owner, k->name);
        return;
    }
    owner = arena_format(c->memory, "%s '%s'", k->name, h->id);
    for (uint32_t i = 0; i < c->out->component_count; i++)
        if (c->out->components[i].kind == k && strcmp(c->out->components[i].id, h->id) == 0)
            wrong(c, owner, "it is there twice");
    if (!check_table(c, owner, k, h) || !check_line(c, owner, "its summary", h->summary))
        return;
    check_options(c, owner, k, h);
    out->interface = k->interface;
    out->kind = k;
    out->id = h->id;
    out->summary = h->summary ? h->summary : "";
    out->flags = h->flags;
    if (k->score && k->score + sizeof out->score <= h->struct_size)
        memcpy(&out->score, (const char *)h + k->score, sizeof out->score);
    out->options = copy_options(c, owner, &h->options);
    c->out->component_count++;
}

lth_status descriptor_read(const descriptor_args *args, manifest *out, arena *memory, diagnostics *d)
{
    size_t errors_before = d->error_count;
    checker c = { args, out, memory, d };
    memset(out, 0, sizeof *out);
    if (!check_head(&c))
        return LTH_INVALID;
    out->components = arena_array(memory, args->descriptor->component_count, sizeof *out->components);
    for (uint32_t i = 0; i < args->descriptor->component_count; i++)
        check_component(&c, component_at(args->descriptor, i), &out->components[out->component_count]);
    return d->error_count == errors_before ? LTH_OK : LTH_INVALID;
}

const lth_component_head *descriptor_find(const lth_plugin *descriptor, const char *interface, const char *id)
{
    for (uint32_t i = 0; i < descriptor->component_count; i++) {
        const lth_component *row = component_at(descriptor, i);
        const lth_component_head *h = row->vtable;
        if (row->kind && h && h->id && strcmp(row->kind, interface) == 0 && strcmp(h->id, id) == 0)
            return h;
    }
    return NULL;
}

static void *copy_sized(const void *from, uint32_t from_size, uint32_t to_size, arena *memory)
{
    void *to = arena_alloc(memory, to_size);
    memcpy(to, from, from_size < to_size ? from_size : to_size);
    return to;
}

const lth_component_head *descriptor_copy_table(const lth_component_head *table, const kind *k, arena *memory)
{
    lth_component_head *copy = copy_sized(table, table->struct_size, k->size, memory);
    copy->struct_size = k->size;
    const lth_hooks *hooks = NULL;
    if (k->hooks)
        memcpy(&hooks, (char *)copy + k->hooks, sizeof hooks);
    if (hooks) {
        lth_hooks *whole = copy_sized(hooks, hooks->struct_size, sizeof *whole, memory);
        whole->struct_size = sizeof *whole;
        memcpy((char *)copy + k->hooks, &whole, sizeof whole);
    }
    return copy;
}
