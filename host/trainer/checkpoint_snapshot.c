/* SPDX-License-Identifier: Apache-2.0
 * trainer/checkpoint_snapshot.c: a copy of the run's state in memory. */
#include "checkpoint_parts.h"

#include "util/memory.h"

#include <stdlib.h>
#include <string.h>

checkpoint_snapshot *checkpoint_snapshot_new(void) { return memory_new(sizeof(checkpoint_snapshot)); }

void checkpoint_snapshot_free(checkpoint_snapshot *s)
{
    if (!s)
        return;
    for (int p = 0; p < 2; p++) {
        for (size_t i = 0; i < s->parts[p].room_count; i++)
            free(s->parts[p].rooms[i].at);
        free(s->parts[p].rooms);
        free(s->parts[p].tensors);
    }
    json_decref(s->state);
    arena_free(&s->memory);
    free(s);
}

static const char *copy(checkpoint_snapshot *s, const char *text) { return arena_copy_text(&s->memory, text ? text : ""); }

void checkpoint_snapshot_begin(checkpoint_snapshot *s, const checkpoint_facts *facts)
{
    arena_reset(&s->memory);
    json_decref(s->state);
    s->state = json_object();
    s->components = json_object();
    json_object_set_new(s->state, "components", s->components);
    s->parts[CHECKPOINT_MODEL].count = s->parts[CHECKPOINT_OPTIMIZER].count = 0;
    s->facts = *facts;
    s->facts.host_version = copy(s, facts->host_version);
    s->facts.fingerprint = copy(s, facts->fingerprint);
    s->facts.run_ini = copy(s, facts->run_ini);
    checkpoint_plugin *plugins = arena_array(&s->memory, facts->plugin_count + 1, sizeof *plugins);
    for (uint32_t i = 0; i < facts->plugin_count; i++) {
        const checkpoint_plugin *from = &facts->plugins[i];
        plugins[i] = (checkpoint_plugin) { copy(s, from->id), copy(s, from->version), copy(s, from->sha256) };
    }
    s->facts.plugins = plugins;
}

json_t *checkpoint_snapshot_state(checkpoint_snapshot *s) { return s->state; }

/* Room for `size` bytes: that of the same place in an earlier snapshot where it is large enough. */
static void *room_for(snapshot_part *p, size_t size, error *e)
{
    if (p->count == p->room_count) {
        p->rooms = memory_grow(p->rooms, &p->room_capacity, p->room_count + 1, sizeof *p->rooms);
        p->rooms[p->room_count++] = (struct snapshot_room) { NULL, 0 };
    }
    struct snapshot_room *r = &p->rooms[p->count];
    if (!r->at || r->size < size) {
        free(r->at);
        r->size = (size + 64) / 64 * 64;
        r->at = aligned_alloc(64, r->size);
        if (!r->at) {
            error_set(e, LTH_NO_MEMORY, "no memory for %zu bytes of a checkpoint", r->size);
            r->size = 0;
        }
    }
    return r->at;
}

void *checkpoint_snapshot_tensor(checkpoint_snapshot *s, checkpoint_part part, const char *name, const lth_shape *shape, error *e)
{
    snapshot_part *p = &s->parts[part];
    p->tensors = memory_grow(p->tensors, &p->tensor_capacity, p->count + 1, sizeof *p->tensors);
    void *at = room_for(p, (size_t)(lth_shape_count(shape) * lth_dtype_size(shape->dtype)), e);
    if (at)
        p->tensors[p->count++] = (safetensors_tensor) { copy(s, name), *shape, at };
    return at;
}

size_t checkpoint_snapshot_size(const checkpoint_snapshot *s)
{
    size_t size = arena_size(&s->memory);
    for (int p = 0; p < 2; p++)
        for (size_t i = 0; i < s->parts[p].room_count; i++)
            size += s->parts[p].rooms[i].size;
    return size;
}

/* ---- Components ---- */

static lth_status put_component_tensor(void *context, const char *name, const lth_shape *shape, const void *data, error *e)
{
    void *at = checkpoint_snapshot_tensor(context, CHECKPOINT_OPTIMIZER, name, shape, e);
    if (!at)
        return LTH_NO_MEMORY;
    size_t bytes = (size_t)(lth_shape_count(shape) * lth_dtype_size(shape->dtype));
    if (bytes)
        memcpy(at, data, bytes);
    return LTH_OK;
}

lth_writer *checkpoint_snapshot_component(checkpoint_snapshot *s, const char *section, uint32_t state_version)
{
    json_t *values = json_object();
    s->section = copy(s, section);
    state_writer_begin(&s->writer, values, arena_format(&s->memory, "components/%s", section), put_component_tensor, s);
    if (json_object_get(s->components, section))
        error_set(&s->writer.error, LTH_INVALID, "its state is kept already");
    json_t *entry = json_pack("{s:I, s:o}", "version", (json_int_t)state_version, "values", values);
    if (json_object_set_new(s->components, section, entry))
        error_set(&s->writer.error, LTH_INVALID, "the section's name is not UTF-8");
    return &s->writer.abi;
}

lth_status checkpoint_snapshot_component_end(checkpoint_snapshot *s, error *e)
{
    return state_writer_end(&s->writer, e) ? error_prefix(e, "[%s] cannot keep its state: ", s->section) : LTH_OK;
}
