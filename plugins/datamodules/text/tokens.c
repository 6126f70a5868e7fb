/* SPDX-License-Identifier: Apache-2.0 */
#include "tokens.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { CODE_POINTS = 0x110000, REPLACEMENT = 0xFFFD };

__attribute__((format(printf, 2, 3))) static int fail(complaint *c, const char *format, ...)
{
    va_list arguments;
    int length = snprintf(c->message, c->size, "%.400s: ", c->name);
    va_start(arguments, format);
    vsnprintf(c->message + length, c->size - (size_t)length, format, arguments);
    va_end(arguments);
    return -1;
}

/* ---- The file ---- */

static int read_all(gzFile file, char **text, int64_t *size, complaint *c)
{
    int64_t capacity = 1 << 16;
    for (*size = 0;;) {
        char *more = realloc(*text, (size_t)capacity);
        if (!more)
            return fail(c, "no memory for %lld bytes", (long long)capacity);
        *text = more;
        int n = gzread(file, *text + *size, (unsigned)(capacity - *size < 1 << 30 ? capacity - *size : 1 << 30));
        if (n < 0) {
            int code;
            gzerror(file, &code);
            return fail(c, "cannot be read: %s",
                        code == Z_ERRNO       ? strerror(errno)
                        : code == Z_MEM_ERROR ? "no memory"
                                              : "its compressed data is damaged");
        }
        *size += n;
        if (n == 0)
            return 0;
        if (*size == capacity)
            capacity *= 2;
    }
}

int text_read(const char *path, char **text, int64_t *size, complaint *c)
{
    *text = NULL;
    errno = 0;
    gzFile file = gzopen(path, "rb"); /* reads a plain file as it is */
    if (!file)
        return fail(c, "cannot be opened: %s", errno ? strerror(errno) : "no memory");
    int status = read_all(file, text, size, c);
    if (gzclose(file) != Z_OK && !status)
        status = fail(c, "the compressed file ends too early");
    if (status) {
        free(*text);
        *text = NULL;
    }
    return status;
}

/* ---- UTF-8 (RFC 3629) ---- */

/* The character at text[0..left); its bytes, or 0 where there is none. */
static int read_character(const unsigned char *text, int64_t left, uint32_t *code)
{
    static const struct {
        unsigned char mask, lead;
        uint32_t least;
    } forms[] = { { 0x80, 0x00, 0x1 }, { 0xE0, 0xC0, 0x80 }, { 0xF0, 0xE0, 0x800 }, { 0xF8, 0xF0, 0x10000 } };
    for (int more = 0; more < 4; more++) {
        if ((text[0] & forms[more].mask) != forms[more].lead)
            continue;
        *code = text[0] & (unsigned char)~forms[more].mask;
        for (int i = 1; i <= more; i++) {
            if (i >= left || (text[i] & 0xC0) != 0x80)
                return 0;
            *code = *code << 6 | (text[i] & 0x3F);
        }
        return *code < forms[more].least || *code >= CODE_POINTS || (*code >= 0xD800 && *code < 0xE000) ? 0 : more + 1;
    }
    return 0;
}

static size_t write_character(uint32_t code, char *out)
{
    unsigned char *to = (unsigned char *)out;
    if (code < 0x80)
        return to[0] = (unsigned char)code, 1;
    int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    for (int i = more; i > 0; i--, code >>= 6)
        to[i] = (unsigned char)(0x80 | (code & 0x3F));
    to[0] = (unsigned char)(~(0xFF >> (more + 1)) | code);
    return (size_t)more + 1;
}

static int no_text(complaint *c, const char *text, int64_t at)
{
    int64_t line = 1;
    for (int64_t i = 0; i < at; i++)
        line += text[i] == '\n';
    return fail(c, "line %lld: byte %02x at offset %lld is no UTF-8 text (vocabulary = bytes takes any file)", (long long)line,
                (unsigned char)text[at], (long long)at);
}

/* ---- Vocabulary ---- */

static int all_bytes(vocabulary *v)
{
    for (uint32_t i = 0; i < 256; i++)
        v->code[i] = i;
    v->count = 256;
    return 0;
}

int vocabulary_make(vocabulary *v, const char *text, int64_t size, complaint *c)
{
    bool *seen = v->bytes ? NULL : calloc(CODE_POINTS, sizeof *seen);
    v->code = v->bytes || seen ? malloc(256 * sizeof *v->code) : NULL;
    if (!v->code) {
        free(seen);
        return fail(c, "no memory for its vocabulary");
    }
    if (v->bytes)
        return all_bytes(v);
    int status = 0;
    uint32_t code, greatest = 0;
    for (int64_t at = 0; at < size && !status;) {
        int bytes = read_character((const unsigned char *)text + at, size - at, &code);
        if (bytes == 0) {
            status = no_text(c, text, at);
        } else {
            v->count += !seen[code];
            seen[code] = true;
            greatest = code > greatest ? code : greatest;
            at += bytes;
        }
    }
    uint32_t *all = status ? NULL : realloc(v->code, ((size_t)v->count + 1) * sizeof *all);
    if (!status && !all)
        status = fail(c, "no memory for its vocabulary");
    if (!status) {
        v->code = all;
        for (uint32_t i = 0; i <= greatest; i++)
            if (seen[i])
                *all++ = i;
    }
    free(seen);
    return status;
}

void vocabulary_free(vocabulary *v)
{
    free(v->code);
    v->code = NULL;
    v->count = 0;
}

/* The place of a character, or -1. */
static int64_t place_of(const vocabulary *v, uint32_t code)
{
    int64_t low = 0, high = v->count;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (v->code[middle] < code)
            low = middle + 1;
        else
            high = middle;
    }
    return low < v->count && v->code[low] == code ? low : -1;
}

/* ---- Tokens ---- */

int tokens_make(tokens *t, const vocabulary *v, const char *text, int64_t size, complaint *c)
{
    t->count = 0;
    t->at = malloc(((size_t)size + 1) * sizeof *t->at);
    if (!t->at)
        return fail(c, "no memory for its %lld bytes", (long long)size);
    for (int64_t at = 0; at < size;) {
        uint32_t code = (unsigned char)text[at];
        int bytes = v->bytes ? 1 : read_character((const unsigned char *)text + at, size - at, &code);
        if (bytes == 0)
            return no_text(c, text, at);
        int64_t place = place_of(v, code);
        if (place < 0)
            return fail(c, "offset %lld: the character '%.*s' (U+%04X) is not in the vocabulary of the text that is trained on",
                        (long long)at, bytes, text + at, (unsigned)code);
        t->at[t->count++] = (uint32_t)place;
        at += bytes;
    }
    return 0;
}

void tokens_free(tokens *t)
{
    free(t->at);
    t->at = NULL;
    t->count = 0;
}

char *tokens_text(const vocabulary *v, const int64_t *at, int64_t count, size_t *size)
{
    char *text = malloc(4 * (size_t)count + 1);
    *size = 0;
    for (int64_t i = 0; text && i < count; i++) {
        bool known = at[i] >= 0 && at[i] < v->count;
        if (known && v->bytes)
            text[(*size)++] = (char)at[i];
        else
            *size += write_character(known ? v->code[at[i]] : REPLACEMENT, text + *size);
    }
    if (text)
        text[*size] = 0;
    return text;
}
