/* SPDX-License-Identifier: Apache-2.0
 * trainer/weights.c */
#include "weights.h"

#include "util/memory.h"
#include "util/path.h"
#include "util/str.h"
#include "weights_convert.h"

#include <stdlib.h>
#include <string.h>

static void shape_text(str *s, const lth_shape *shape)
{
    str_printf(s, "%s (", lth_dtype_name(shape->dtype));
    for (int32_t i = 0; i < shape->rank; i++)
        str_printf(s, i ? ", %lld" : "%lld", (long long)shape->dim[i]);
    str_append_char(s, ')');
}

static bool same_dims(const lth_shape *a, const lth_shape *b)
{
    return a->rank == b->rank && memcmp(a->dim, b->dim, (size_t)a->rank * sizeof *a->dim) == 0;
}

/* "\n  missing in the file: a, b, c", nothing where there are none. */
typedef struct name_list {
    str text;
    uint32_t count;
} name_list;

static void list_add(name_list *l, const char *name)
{
    str_append(&l->text, l->count++ ? ", " : "");
    str_append(&l->text, name);
}

static void list_end(name_list *l, const char *title, str *out)
{
    if (l->count)
        str_printf(out, "\n  %s (%u): %s", title, l->count, str_text(&l->text));
    str_free(&l->text);
}

static void find_sources(const safetensors_file *f, const weights_target *targets, uint32_t count, uint32_t flags,
                         int64_t *sources, bool *used, name_list *missing, name_list *wrong)
{
    for (uint32_t i = 0; i < count; i++) {
        const lth_shape *want = &targets[i].shape;
        sources[i] = safetensors_find(f, targets[i].name);
        if (sources[i] < 0) {
            list_add(missing, targets[i].name);
            continue;
        }
        const lth_shape *have = &safetensors_at(f, (uint32_t)sources[i])->shape;
        used[sources[i]] = true;
        bool type_fits = have->dtype == want->dtype || (flags & WEIGHTS_CONVERT && weights_can_convert(have->dtype, want->dtype));
        if (type_fits && same_dims(have, want))
            continue;
        list_add(wrong, targets[i].name);
        str_append(&wrong->text, " is ");
        shape_text(&wrong->text, have);
        str_append(&wrong->text, " in the file, ");
        shape_text(&wrong->text, want);
        str_append(&wrong->text, " in the run");
    }
}

lth_status weights_match(const safetensors_file *f, const weights_target *targets, uint32_t count, uint32_t flags,
                         const char *apart, int64_t *sources, weights_warn warn, void *context, error *e)
{
    name_list missing = { 0 }, unexpected = { 0 }, wrong = { 0 };
    bool *used = memory_new(safetensors_count(f) + 1);
    find_sources(f, targets, count, flags, sources, used, &missing, &wrong);
    for (uint32_t i = 0; i < safetensors_count(f); i++)
        if (!used[i] && !(apart && str_starts(safetensors_at(f, i)->name, apart)))
            list_add(&unexpected, safetensors_at(f, i)->name);
    free(used);

    bool refused = wrong.count || (flags & WEIGHTS_STRICT && missing.count + unexpected.count);
    bool any = refused || missing.count + unexpected.count;
    str text = { 0 };
    str_printf(&text, "'%s' does not fit the run:", safetensors_path(f));
    list_end(&wrong, "of another shape or type", &text);
    list_end(&missing, "missing in the file", &text);
    list_end(&unexpected, "unexpected in the file", &text);
    if (refused && !wrong.count && flags & WEIGHTS_CHOICE)
        str_append(&text, "\n  weights_strict = false takes what both have");
    if (any && warn && (!refused || text.length >= sizeof e->text))
        warn(context, str_text(&text));
    lth_status status = refused ? error_set(e, LTH_INVALID, "%s", str_text(&text)) : LTH_OK;
    str_free(&text);
    return status;
}

/* Converts in pieces, so that a large tensor needs no second copy. */
static lth_status read_converted(safetensors_file *f, uint32_t source, const lth_shape *shape, char *out, error *e)
{
    enum { PIECE = 1 << 16 };
    const safetensors_tensor *t = safetensors_at(f, source);
    int64_t count = lth_shape_count(shape);
    void *piece = memory_new(PIECE * 8);
    lth_status status = LTH_OK;
    for (int64_t i = 0; i < count && !status; i += PIECE) {
        int64_t n = count - i < PIECE ? count - i : PIECE;
        status = safetensors_read_part(f, source, i, n, piece, e);
        int64_t lost =
            status ? -1 : weights_convert(t->shape.dtype, piece, shape->dtype, out + i * lth_dtype_size(shape->dtype), n);
        if (lost >= 0)
            status = error_set(e, LTH_INVALID, "'%s': element %lld of tensor '%s' is too large for %s", safetensors_path(f),
                               (long long)i + (long long)lost, t->name, lth_dtype_name(shape->dtype));
    }
    free(piece);
    return status;
}

lth_status weights_read(safetensors_file *f, uint32_t source, const lth_shape *shape, void *out, error *e)
{
    if (safetensors_at(f, source)->shape.dtype == shape->dtype)
        return safetensors_read(f, source, out, e);
    return read_converted(f, source, shape, out, e);
}
