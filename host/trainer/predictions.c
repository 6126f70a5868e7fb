/* SPDX-License-Identifier: Apache-2.0
 * trainer/predictions.c */
#include "trainer/predictions.h"

#include "util/memory.h"
#include "util/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void predictions_dataset(predictions *p, uint32_t index, uint32_t count)
{
    p->at = memory_grow(p->at, &p->capacity, p->count + 1, sizeof *p->at);
    predictions_set *set = &p->at[p->count++];
    *set = (predictions_set) { .data = NULL };
    if (count > 1)
        snprintf(set->name, sizeof set->name, "predictions/dataloader_idx_%u", (unsigned)index);
    else
        snprintf(set->name, sizeof set->name, "predictions");
}

static bool same_rows(const lth_shape *a, const lth_shape *b)
{
    bool same = a->dtype == b->dtype && a->rank == b->rank;
    for (int32_t i = 1; same && i < a->rank; i++)
        same = a->dim[i] == b->dim[i];
    return same;
}

lth_status predictions_add(predictions *p, engine *g, uint64_t ticket, uint32_t slot, error *e)
{
    predictions_set *set = &p->at[p->count - 1];
    lth_shape shape;
    const void *data = engine_output_data(g, ticket, slot, &shape);
    if (set->shape.rank == 0) {
        set->shape = shape;
        set->shape.dim[0] = 0;
    } else if (!same_rows(&set->shape, &shape)) {
        return error_set(e, LTH_INVALID,
                         "predictions of the batches differ in more than their number: they cannot be one tensor "
                         "(pad them to one length, or use one bucket)");
    }
    size_t before = (size_t)lth_shape_count(&set->shape) * (size_t)lth_dtype_size(shape.dtype);
    size_t more = (size_t)lth_shape_count(&shape) * (size_t)lth_dtype_size(shape.dtype);
    if (before + more > set->capacity) {
        size_t capacity = 64 + 2 * (before + more);
        unsigned char *grown = realloc(set->data, capacity);
        if (!grown)
            return error_set(e, LTH_NO_MEMORY, "no memory for %zu bytes of predictions", capacity);
        set->data = grown;
        set->capacity = capacity;
    }
    memcpy(set->data + before, data, more);
    set->shape.dim[0] += shape.dim[0];
    return LTH_OK;
}

static lth_status put(void *context, const void *data, size_t size, error *e)
{
    const int *fd = context;
    return file_write_all(*fd, data, size, "predictions.safetensors", e);
}

/* Beside, synced, renamed. */
static lth_status write_file(const char *path, const safetensors_tensor *tensors, uint32_t count, error *e)
{
    char *beside = str_format("%s.part", path), *dir = path_dir(path);
    int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0)
        error_set(e, LTH_IO, "cannot write '%s': %s", beside, strerror(errno));
    else if (safetensors_write(tensors, count, NULL, 0, put, &fd, e) == LTH_OK && fsync(fd) != 0)
        error_set(e, LTH_IO, "cannot sync '%s': %s", beside, strerror(errno));
    if (fd >= 0)
        close(fd);
    if (e->status == LTH_OK && rename(beside, path) != 0)
        error_set(e, LTH_IO, "cannot rename '%s': %s", beside, strerror(errno));
    if (e->status == LTH_OK)
        file_sync_dir(dir, e);
    else
        unlink(beside);
    free(beside);
    free(dir);
    return e->status;
}

/* The datamodule may say it in its own words. */
static lth_status tell_data(session *s, const safetensors_tensor *tensors, uint32_t count, error *e)
{
    const lth_datamodule *data = (const lth_datamodule *)s->data->table;
    for (uint32_t i = 0; data->predicted && i < count && e->status == LTH_OK; i++) {
        component_enter(s->data, "predicted");
        lth_status status = data->predicted(s->data->self, tensors[i].name, &tensors[i].shape, tensors[i].data);
        component_result(s->data, "predicted", status, e);
        component_leave();
    }
    return e->status;
}

lth_status predictions_write(const predictions *p, session *s, error *e)
{
    if (s->limits.fast_dev_batches > 0)
        return LTH_OK;
    safetensors_tensor *tensors = memory_new((p->count + 1) * sizeof *tensors);
    uint32_t count = 0;
    for (size_t i = 0; i < p->count; i++)
        if (p->at[i].shape.rank > 0)
            tensors[count++] = (safetensors_tensor) { p->at[i].name, p->at[i].shape, p->at[i].data };
    char *path = path_join(s->run_dir, "predictions.safetensors");
    lth_status status = write_file(path, tensors, count, e);
    for (uint32_t i = 0; status == LTH_OK && i < count; i++)
        console_line(&s->console, "%lld %s: %s", (long long)tensors[i].shape.dim[0], tensors[i].name,
                     session_short_path(s, path));
    if (status == LTH_OK)
        status = tell_data(s, tensors, count, e);
    free(path);
    free(tensors);
    return status;
}

void predictions_free(predictions *p)
{
    for (size_t i = 0; i < p->count; i++)
        free(p->at[i].data);
    free(p->at);
}
