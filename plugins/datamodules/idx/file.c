/* SPDX-License-Identifier: Apache-2.0 */
#include "file.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { PIECE = 1 << 20 }; /* memory is asked for as bytes come: a header alone cannot claim it all */

static const struct {
    int type;
    int64_t size;
} types[] = {
    { IDX_U8, 1 }, { IDX_I8, 1 }, { IDX_I16, 2 }, { IDX_I32, 4 }, { IDX_F32, 4 }, { IDX_F64, 8 },
};

/* A file being read. */
typedef struct source {
    gzFile file;
    const char *path;
    int64_t offset; /* of the next byte, uncompressed */
    char *message;
    size_t size;
} source;

__attribute__((format(printf, 2, 3))) static int fail(source *s, const char *format, ...)
{
    va_list arguments;
    int length = snprintf(s->message, s->size, "%.400s: ", s->path);
    va_start(arguments, format);
    vsnprintf(s->message + length, s->size - (size_t)length, format, arguments);
    va_end(arguments);
    return -1;
}

/* `size` bytes, at most PIECE. */
static int take(source *s, void *out, int64_t size)
{
    int got = gzread(s->file, out, (unsigned)size);
    int code = Z_OK;
    gzerror(s->file, &code);
    if (got < 0 || (code != Z_OK && code != Z_BUF_ERROR))
        return fail(s, "cannot be read at offset %lld: %s", (long long)s->offset,
                    code == Z_ERRNO       ? strerror(errno)
                    : code == Z_MEM_ERROR ? "no memory"
                                          : "its compressed data is damaged");
    s->offset += got;
    return got == size ? 0 : 1;
}

static int take_header(source *s, void *out, int64_t size)
{
    int status = take(s, out, size);
    return status > 0 ? fail(s, "ends at offset %lld, within the header", (long long)s->offset) : status;
}

static int64_t size_of(int type)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].type == type)
            return types[i].size;
    return 0;
}

static uint32_t big_endian(const unsigned char *b, int size)
{
    uint32_t value = 0;
    for (int i = 0; i < size; i++)
        value = value << 8 | b[i];
    return value;
}

static int read_magic(source *s, idx_file *f, int min_rank, int max_rank)
{
    unsigned char magic[4];
    if (take_header(s, magic, 4))
        return -1;
    if (magic[0] || magic[1])
        return fail(s, "offset 0: an IDX file begins with two bytes 0, this one with %02x %02x", magic[0], magic[1]);
    if (size_of(magic[2]) == 0)
        return fail(s, "offset 2: there is no type %02x; there are 08, 09, 0b, 0c, 0d, 0e", magic[2]);
    if (magic[3] < min_rank || magic[3] > max_rank)
        return fail(s, "offset 3: it has %d dimensions, where %d to %d are wanted", magic[3], min_rank, max_rank);
    f->type = magic[2];
    f->rank = magic[3];
    return 0;
}

/* The dimensions; the number of bytes that are to follow. */
static int read_dimensions(source *s, idx_file *f, int64_t *bytes)
{
    *bytes = size_of(f->type);
    f->row = 1;
    for (int i = 0; i < f->rank; i++) {
        unsigned char word[4];
        int64_t at = s->offset;
        if (take_header(s, word, 4))
            return -1;
        f->dim[i] = big_endian(word, 4);
        if (f->dim[i] == 0)
            return fail(s, "offset %lld: dimension %d is 0", (long long)at, i);
        if (__builtin_mul_overflow(*bytes, f->dim[i], bytes))
            return fail(s, "offset %lld: dimension %d is %lld, which no memory holds", (long long)at, i, (long long)f->dim[i]);
        f->row *= i ? f->dim[i] : 1;
    }
    return 0;
}

static int read_elements(source *s, idx_file *f, int64_t bytes)
{
    int64_t begin = s->offset, capacity = 0;
    for (int64_t at = 0; at < bytes;) {
        int64_t piece = bytes - at < PIECE ? bytes - at : PIECE;
        if (at + piece > capacity) {
            capacity = at ? 2 * capacity : piece;
            capacity = capacity < bytes ? capacity : bytes;
            unsigned char *more = realloc(f->data, (size_t)capacity);
            if (!more)
                return fail(s, "no memory for %lld bytes", (long long)capacity);
            f->data = more;
        }
        int status = take(s, f->data + at, piece);
        if (status)
            return status < 0 ? -1
                              : fail(s, "ends at offset %lld, where its header tells of %lld bytes", (long long)s->offset,
                                     (long long)(begin + bytes));
        at += piece;
    }
    unsigned char more;
    int status = take(s, &more, 1);
    return status ? (status < 0 ? -1 : 0)
                  : fail(s, "goes on at offset %lld, where its header tells of its end", (long long)(begin + bytes));
}

int idx_read(idx_file *f, const char *path, int min_rank, int max_rank, char *message, size_t size)
{
    source s = { .path = path, .message = message, .size = size };
    int64_t bytes;
    errno = 0;
    memset(f, 0, sizeof *f);
    if (!(s.file = gzopen(path, "rb")))
        return fail(&s, "cannot be opened: %s", errno ? strerror(errno) : "no memory");
    int status = read_magic(&s, f, min_rank, max_rank);
    if (!status)
        status = read_dimensions(&s, f, &bytes);
    if (!status)
        status = read_elements(&s, f, bytes);
    if (gzclose(s.file) != Z_OK && !status)
        status = fail(&s, "the compressed file ends too early, at offset %lld", (long long)s.offset);
    if (status)
        idx_free(f);
    return status;
}

void idx_free(idx_file *f)
{
    free(f->data);
    memset(f, 0, sizeof *f);
}

int64_t idx_offset(const idx_file *f, int64_t i) { return 4 + 4 * f->rank + i * size_of(f->type); }

double idx_at(const idx_file *f, int64_t i)
{
    const unsigned char *at = f->data + i * size_of(f->type);
    uint32_t word = big_endian(at, f->type == IDX_F64 ? 4 : (int)size_of(f->type));
    uint64_t wide;
    float single;
    double number;
    switch (f->type) {
    case IDX_U8:
        return word;
    case IDX_I8:
        return (int8_t)word;
    case IDX_I16:
        return (int16_t)word;
    case IDX_I32:
        return (int32_t)word;
    case IDX_F32:
        memcpy(&single, &word, sizeof single);
        return single;
    default:
        wide = (uint64_t)word << 32 | big_endian(at + 4, 4);
        memcpy(&number, &wide, sizeof number);
        return number;
    }
}
