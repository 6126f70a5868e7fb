/* SPDX-License-Identifier: Apache-2.0
 * trainer/safetensors.h: files of named tensors, as https://github.com/huggingface/safetensors defines the format:
 * u64 little-endian size of the header, the header (JSON), then the tensors' bytes without gaps.
 *
 * Element types: F32 F64 BF16 F16 I64 I32 U8 BOOL I8; a file with others is refused by name. At most LTH_MAX_RANK axes. */
#ifndef TRAINER_SAFETENSORS_H
#define TRAINER_SAFETENSORS_H

#include "util/error.h"

/* "F32", "I64", ... by element type. */
extern const char *const safetensors_types[LTH_DTYPE_COUNT];
enum { SAFETENSORS_HEADER_LIMIT = 100000000 }; /* bytes, as in the format's own reader */

typedef struct safetensors_tensor {
    const char *name;
    lth_shape shape;
    const void *data; /* of a tensor to be written: dense, row-major; NULL in what a reader gives */
} safetensors_tensor;

/* An entry of the file's own notes (`__metadata__`). */
typedef struct safetensors_note {
    const char *key, *value;
} safetensors_note;

/* Where the bytes of a file go, piece by piece from its beginning. */
typedef lth_status (*safetensors_put)(void *context, const void *data, size_t size, error *e);

/* Writes a file: tensors by size of element, larger first, then by name, so that each is aligned; equal tensors and notes
 * give equal bytes. `format=pt` is added to the notes. Refused: a name twice, not UTF-8 or "__metadata__", a header over
 * 100,000,000 bytes. [any] */
lth_status safetensors_write(const safetensors_tensor *tensors, uint32_t count, const safetensors_note *notes,
                             uint32_t note_count, safetensors_put put, void *context, error *e);

typedef struct safetensors_file safetensors_file;

/* Opens a file and checks all of its header: sizes with checked products, no gap, no overlap, the last tensor ends where
 * the file ends, no name twice. LTH_IO: the system; LTH_INVALID: not a whole safetensors file; LTH_UNSUPPORTED: a type or
 * rank that lthost has not. Messages name file and tensor. The tensors stay on disk until they are read. [any] */
lth_status safetensors_open(const char *path, safetensors_file **out, error *e);
void safetensors_close(safetensors_file *f);

const char *safetensors_path(const safetensors_file *f);
uint32_t safetensors_count(const safetensors_file *f);
/* Sorted by name. Lives as long as the file is open. */
const safetensors_tensor *safetensors_at(const safetensors_file *f, uint32_t index);
/* The index of a name, or -1. */
int64_t safetensors_find(const safetensors_file *f, const char *name);
/* An entry of the notes; NULL where there is none. */
const char *safetensors_note_of(const safetensors_file *f, const char *key);

/* Reads a tensor's bytes, as many as its shape has. [any], one call at a time. */
lth_status safetensors_read(safetensors_file *f, uint32_t index, void *out, error *e);
/* Elements [first, first + count) of it. */
lth_status safetensors_read_part(safetensors_file *f, uint32_t index, int64_t first, int64_t count, void *out, error *e);

#endif
