/* SPDX-License-Identifier: Apache-2.0
 * trainer/weights_load.c: tensors of a file into the engine. */
#include "weights.h"

#include "util/memory.h"
#include "util/path.h"

#include <stdlib.h>

uint32_t weights_of_engine(const engine *g, bool model, weights_target **out)
{
    uint32_t all = engine_tensor_count(g), count = 0;
    *out = memory_new((all + 1) * sizeof **out);
    for (uint32_t i = 0; i < all; i++) {
        const engine_tensor *t = engine_tensor_at(g, i);
        bool of_model = t->kind == ENGINE_PARAMETER || (t->kind == ENGINE_BUFFER && !(t->flags & LTH_BUFFER_OF_RUN));
        if (of_model != model || (t->kind == ENGINE_BUFFER && t->flags & LTH_BUFFER_TRANSIENT))
            continue;
        (*out)[count++] = (weights_target) { t->name, t->shape, i };
    }
    return count;
}

lth_status weights_set(engine *g, safetensors_file *f, const weights_target *targets, uint32_t count, const int64_t *sources,
                       error *e)
{
    size_t largest = 1;
    for (uint32_t i = 0; i < count; i++) {
        size_t bytes = (size_t)(lth_shape_count(&targets[i].shape) * lth_dtype_size(targets[i].shape.dtype));
        largest = bytes > largest ? bytes : largest;
    }
    void *values = malloc(largest);
    if (!values)
        return error_set(e, LTH_NO_MEMORY, "no memory for %zu bytes of '%s'", largest, safetensors_path(f));
    lth_status status = LTH_OK;
    for (uint32_t i = 0; i < count && !status; i++) {
        if (sources[i] < 0)
            continue;
        status = weights_read(f, (uint32_t)sources[i], &targets[i].shape, values, e);
        if (!status)
            status = engine_tensor_set(g, targets[i].index, values, e);
    }
    free(values);
    return status;
}

lth_status weights_load(engine *g, const char *path, bool strict, weights_warn warn, void *context, error *e)
{
    char *inside = path_is_dir(path) ? path_join(path, "model.safetensors") : NULL;
    safetensors_file *f = NULL;
    lth_status status = safetensors_open(inside ? inside : path, &f, e);
    free(inside);
    if (status)
        return status;
    weights_target *targets;
    uint32_t count = weights_of_engine(g, true, &targets);
    int64_t *sources = memory_new((count + 1) * sizeof *sources);
    status = weights_match(f, targets, count, WEIGHTS_CONVERT | (strict ? WEIGHTS_STRICT | WEIGHTS_CHOICE : 0), NULL, sources,
                           warn, context, e);
    if (!status)
        status = weights_set(g, f, targets, count, sources, e);
    free(sources);
    free(targets);
    safetensors_close(f);
    return status;
}
