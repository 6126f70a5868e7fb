/* SPDX-License-Identifier: Apache-2.0
 * A file of tensors, as it is and with its header's length put right: every byte of it is read; written anew it says the same. */
#include "target.h"

#include "trainer/safetensors.h"
#include "util/str.h"

#include <stdlib.h>
#include <string.h>

static lth_status put(void *context, const void *data, size_t size, error *e)
{
    (void)e;
    str_append_bytes(context, data, size);
    return LTH_OK;
}

static int same_shape(const lth_shape *a, const lth_shape *b)
{
    return a->dtype == b->dtype && a->rank == b->rank && !memcmp(a->dim, b->dim, (size_t)a->rank * sizeof *a->dim);
}

static void *read_one(safetensors_file *f, uint32_t i)
{
    const safetensors_tensor *t = safetensors_at(f, i);
    error e = { 0 };
    int64_t count = lth_shape_count(&t->shape), size = lth_dtype_size(t->shape.dtype);
    char *whole = malloc((size_t)(count * size) + 1), *half = malloc((size_t)(count * size) + 1);
    FUZZ_CHECK(whole && half);
    FUZZ_CHECK(safetensors_find(f, t->name) == (int64_t)i);
    FUZZ_CHECK(safetensors_read(f, i, whole, &e) == LTH_OK);
    FUZZ_CHECK(safetensors_read_part(f, i, count / 2, count - count / 2, half, &e) == LTH_OK);
    FUZZ_CHECK(!memcmp(half, whole + count / 2 * size, (size_t)((count - count / 2) * size)));
    free(half);
    return whole;
}

static void compare(const safetensors_tensor *tensors, uint32_t count, const str *written)
{
    safetensors_file *f;
    error e = { 0 };
    FUZZ_CHECK(safetensors_open(fuzz_file(1, str_text(written), written->length), &f, &e) == LTH_OK);
    FUZZ_CHECK(safetensors_count(f) == count);
    for (uint32_t i = 0; i < count; i++) {
        const safetensors_tensor *t = safetensors_at(f, i);
        void *bytes = read_one(f, i);
        FUZZ_CHECK(!strcmp(t->name, tensors[i].name) && same_shape(&t->shape, &tensors[i].shape));
        FUZZ_CHECK(!memcmp(bytes, tensors[i].data, (size_t)(lth_shape_count(&t->shape) * lth_dtype_size(t->shape.dtype))));
        free(bytes);
    }
    safetensors_close(f);
}

static void read_file(const void *data, size_t size)
{
    safetensors_file *f;
    error e = { 0 };
    const char *path = fuzz_file(0, data, size);
    lth_status status = safetensors_open(path, &f, &e);
    FUZZ_CHECK((status == LTH_OK) == (f != NULL) && (status == LTH_OK) == (e.text[0] == 0));
    if (status != LTH_OK) {
        FUZZ_CHECK(strstr(e.text, path));
        return;
    }
    FUZZ_CHECK(!strcmp(safetensors_path(f), path));
    FUZZ_CHECK(safetensors_find(f, "no such tensor") < 0 || safetensors_count(f) > 0);
    const char *format = safetensors_note_of(f, "format");
    const safetensors_note note = { "note", format ? format : "" };
    uint32_t count = safetensors_count(f);
    safetensors_tensor *tensors = calloc(count + 1, sizeof *tensors);
    FUZZ_CHECK(tensors);
    for (uint32_t i = 0; i < count; i++) {
        tensors[i] = *safetensors_at(f, i);
        tensors[i].data = read_one(f, i);
    }
    str written = { 0 };
    FUZZ_CHECK(safetensors_write(tensors, count, &note, 1, put, &written, &e) == LTH_OK);
    compare(tensors, count, &written);
    for (uint32_t i = 0; i < count; i++)
        free((void *)tensors[i].data);
    free(tensors);
    str_free(&written);
    safetensors_close(f);
}

/* The header ends with the last brace; few mutations would keep the length that stands before it. */
static void read_repaired(const uint8_t *data, size_t size)
{
    const uint8_t *end = memrchr(data + 8, '}', size - 8);
    if (!end)
        return;
    uint8_t *copy = malloc(size);
    FUZZ_CHECK(copy);
    memcpy(copy, data, size);
    uint64_t length = (uint64_t)(end - data) - 7;
    for (int i = 0; i < 8; i++)
        copy[i] = (uint8_t)(length >> 8 * i);
    read_file(copy, size);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_file(data, size);
    if (size > 8)
        read_repaired(data, size);
    return 0;
}
