/* SPDX-License-Identifier: Apache-2.0
 * trainer/safetensors_read.c: nothing in the file is believed before it is checked. */
#include "safetensors.h"

#include "util/arena.h"
#include "util/json.h"
#include "util/memory.h"
#include "util/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct entry {
    safetensors_tensor tensor;
    int64_t begin, end; /* in the buffer */
} entry;

struct safetensors_file {
    int fd;
    char *path;
    int64_t buffer; /* where it begins in the file */
    int64_t buffer_size;
    entry *entries; /* by name */
    uint32_t count;
    json_t *header;
    arena memory;
};

LTH_PRINTF(4, 5)
static lth_status bad(const safetensors_file *f, const char *name, error *e, const char *format, ...)
{
    str text = { 0 };
    va_list a;
    va_start(a, format);
    str_vprintf(&text, format, a);
    va_end(a);
    lth_status status = error_set(e, LTH_INVALID, "'%s': tensor '%s' %s", f->path, name, str_text(&text));
    str_free(&text);
    return status;
}

static lth_status read_at(const safetensors_file *f, void *out, int64_t size, int64_t at, error *e)
{
    char *next = out;
    while (size > 0) {
        ssize_t n = pread(f->fd, next, (size_t)(size < (1 << 30) ? size : (1 << 30)), at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set(e, LTH_IO, "cannot read '%s': %s", f->path, strerror(errno));
        if (n == 0)
            return error_set(e, LTH_IO, "cannot read '%s': it became shorter meanwhile", f->path);
        next += n, at += n, size -= n;
    }
    return LTH_OK;
}

/* Opens the file and reads its header's text. */
static lth_status read_header(safetensors_file *f, char **text, size_t *size, error *e)
{
    f->fd = open(f->path, O_RDONLY | O_CLOEXEC);
    if (f->fd < 0)
        return error_set(e, LTH_IO, "cannot open '%s': %s", f->path, strerror(errno));
    struct stat st;
    if (fstat(f->fd, &st))
        return error_set(e, LTH_IO, "cannot read '%s': %s", f->path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return error_set(e, LTH_INVALID, "'%s' is not a file", f->path);
    unsigned char word[8];
    if (st.st_size < 8)
        return error_set(e, LTH_INVALID, "'%s' is no safetensors file: it is shorter than 8 bytes", f->path);
    lth_status status = read_at(f, word, 8, 0, e);
    if (status)
        return status;
    uint64_t n = 0;
    for (int i = 7; i >= 0; i--)
        n = n << 8 | word[i];
    if (n > SAFETENSORS_HEADER_LIMIT || (int64_t)n > st.st_size - 8)
        return error_set(e, LTH_INVALID, "'%s' is no whole safetensors file: its header would have %llu bytes, the file has %lld",
                         f->path, (unsigned long long)n, (long long)st.st_size);
    f->buffer = 8 + (int64_t)n;
    f->buffer_size = st.st_size - f->buffer;
    *size = (size_t)n;
    *text = malloc(*size + 1);
    if (!*text)
        return error_set(e, LTH_NO_MEMORY, "no memory for the header of '%s'", f->path);
    status = read_at(f, *text, (int64_t)n, 8, e);
    if (!status && (n == 0 || **text != '{'))
        status = error_set(e, LTH_INVALID, "'%s' is no safetensors file: its header does not begin with '{'", f->path);
    return status;
}

static lth_status check_notes(const safetensors_file *f, json_t *notes, error *e)
{
    const char *key;
    json_t *value;
    if (!json_is_object(notes))
        return error_set(e, LTH_INVALID, "'%s': __metadata__ is not an object", f->path);
    json_object_foreach(notes, key, value) if (!json_is_string(value)) return error_set(
        e, LTH_INVALID, "'%s': '%s' in __metadata__ is not a string", f->path, key);
    return LTH_OK;
}

static lth_status read_type(const safetensors_file *f, const char *name, const json_t *value, lth_dtype *out, error *e)
{
    const char *type = json_string_value(value);
    if (!type)
        return bad(f, name, e, "has no dtype");
    for (lth_dtype t = 1; t < LTH_DTYPE_COUNT; t++)
        if (strcmp(type, safetensors_types[t]) == 0)
            return *out = t, LTH_OK;
    return error_set(e, LTH_UNSUPPORTED,
                     "'%s': tensor '%s' has the dtype '%s'; known are F32, F64, BF16, F16, I64, I32, U8, BOOL and I8", f->path,
                     name, type);
}

static lth_status read_shape(const safetensors_file *f, const char *name, const json_t *value, lth_shape *shape, int64_t *bytes,
                             error *e)
{
    if (!json_is_array(value))
        return bad(f, name, e, "has no shape");
    if (json_array_size(value) > LTH_MAX_RANK)
        return error_set(e, LTH_UNSUPPORTED, "'%s': tensor '%s' has %zu axes; at most %d are supported", f->path, name,
                         json_array_size(value), LTH_MAX_RANK);
    int64_t product = lth_dtype_size(shape->dtype);
    shape->rank = (int32_t)json_array_size(value);
    for (int32_t i = 0; i < shape->rank; i++) {
        const json_t *dim = json_array_get(value, (size_t)i);
        if (!json_is_integer(dim) || json_integer_value(dim) < 0)
            return bad(f, name, e, "has an axis of no whole length");
        shape->dim[i] = json_integer_value(dim);
        if (__builtin_mul_overflow(product, shape->dim[i], &product))
            return bad(f, name, e, "is larger than 2^63 bytes");
    }
    *bytes = product;
    return LTH_OK;
}

static lth_status read_entry(safetensors_file *f, const char *name, json_t *value, entry *out, error *e)
{
    const json_t *offsets = json_object_get(value, "data_offsets");
    int64_t bytes = 0;
    if (json_object_size(value) != 3 || json_array_size(offsets) != 2 || !json_is_integer(json_array_get(offsets, 0)) ||
        !json_is_integer(json_array_get(offsets, 1)))
        return bad(f, name, e, "is not described by exactly dtype, shape and data_offsets");
    out->tensor.name = name;
    out->begin = json_integer_value(json_array_get(offsets, 0));
    out->end = json_integer_value(json_array_get(offsets, 1));
    lth_status status = read_type(f, name, json_object_get(value, "dtype"), &out->tensor.shape.dtype, e);
    if (!status)
        status = read_shape(f, name, json_object_get(value, "shape"), &out->tensor.shape, &bytes, e);
    if (status)
        return status;
    if (out->begin < 0 || out->end < out->begin || out->end > f->buffer_size)
        return bad(f, name, e, "lies at bytes %lld to %lld of a buffer of %lld", (long long)out->begin, (long long)out->end,
                   (long long)f->buffer_size);
    if (out->end - out->begin != bytes)
        return bad(f, name, e, "has %lld bytes by its offsets and %lld by its shape", (long long)(out->end - out->begin),
                   (long long)bytes);
    return LTH_OK;
}

static int by_place(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    if (x->begin != y->begin)
        return (x->begin > y->begin) - (x->begin < y->begin);
    return (x->end > y->end) - (x->end < y->end);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const entry *)a)->tensor.name, ((const entry *)b)->tensor.name);
}

/* Each tensor begins where the one before ends, the last one ends where the file does. */
static lth_status check_places(safetensors_file *f, error *e)
{
    int64_t end = 0;
    qsort(f->entries, f->count, sizeof *f->entries, by_place);
    for (uint32_t i = 0; i < f->count; i++) {
        const entry *t = &f->entries[i];
        if (t->begin != end)
            return bad(f, t->tensor.name, e, "%s at byte %lld; the tensor before it ends at %lld",
                       t->begin < end ? "overlaps the one before it: it begins" : "leaves a gap: it begins", (long long)t->begin,
                       (long long)end);
        end = t->end;
    }
    if (end != f->buffer_size)
        return error_set(e, LTH_INVALID, "'%s' is no whole safetensors file: its tensors have %lld bytes, it has room for %lld",
                         f->path, (long long)end, (long long)f->buffer_size);
    qsort(f->entries, f->count, sizeof *f->entries, by_name);
    return LTH_OK;
}

static lth_status read_entries(safetensors_file *f, const char *text, size_t size, error *e)
{
    lth_status status = json_read_text(text, size, f->path, &f->header, e);
    if (status) {
        error_prefix(e, "not a safetensors file: ");
        return status;
    }
    f->entries = arena_array(&f->memory, json_object_size(f->header) + 1, sizeof *f->entries);
    const char *key;
    json_t *value;
    json_object_foreach(f->header, key, value)
    {
        if (strcmp(key, "__metadata__") == 0)
            status = check_notes(f, value, e);
        else
            status = read_entry(f, key, value, &f->entries[f->count++], e);
        if (status)
            return status;
    }
    return check_places(f, e);
}

lth_status safetensors_open(const char *path, safetensors_file **out, error *e)
{
    safetensors_file *f = memory_new(sizeof *f);
    char *text = NULL;
    size_t size = 0;
    f->path = str_dup(path);
    lth_status status = read_header(f, &text, &size, e);
    if (!status)
        status = read_entries(f, text, size, e);
    free(text);
    if (status) {
        safetensors_close(f);
        f = NULL;
    }
    *out = f;
    return status;
}

void safetensors_close(safetensors_file *f)
{
    if (!f)
        return;
    if (f->fd >= 0)
        close(f->fd);
    json_decref(f->header);
    arena_free(&f->memory);
    free(f->path);
    free(f);
}

const char *safetensors_path(const safetensors_file *f) { return f->path; }

uint32_t safetensors_count(const safetensors_file *f) { return f->count; }

const safetensors_tensor *safetensors_at(const safetensors_file *f, uint32_t index) { return &f->entries[index].tensor; }

int64_t safetensors_find(const safetensors_file *f, const char *name)
{
    const entry key = { .tensor.name = name };
    const entry *found = f->count ? bsearch(&key, f->entries, f->count, sizeof key, by_name) : NULL;
    return found ? found - f->entries : -1;
}

const char *safetensors_note_of(const safetensors_file *f, const char *key)
{
    return json_string_value(json_object_get(json_object_get(f->header, "__metadata__"), key));
}

lth_status safetensors_read_part(safetensors_file *f, uint32_t index, int64_t first, int64_t count, void *out, error *e)
{
    const entry *t = &f->entries[index];
    int64_t size = lth_dtype_size(t->tensor.shape.dtype);
    return read_at(f, out, count * size, f->buffer + t->begin + first * size, e);
}

lth_status safetensors_read(safetensors_file *f, uint32_t index, void *out, error *e)
{
    const entry *t = &f->entries[index];
    return read_at(f, out, t->end - t->begin, f->buffer + t->begin, e);
}
