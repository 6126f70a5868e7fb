/* SPDX-License-Identifier: Apache-2.0
 * text/tokens.h: text as numbers: its characters by their place in a vocabulary, or its bytes as they are. */
#ifndef TEXT_TOKENS_H
#define TEXT_TOKENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The characters of a text, by code point, ascending. Of bytes: all 256. */
typedef struct vocabulary {
    uint32_t *code;
    int64_t count;
    bool bytes;
} vocabulary;

typedef struct tokens {
    uint32_t *at; /* places in the vocabulary */
    int64_t count;
} tokens;

/* What is wrong goes to `message`, with the name that the text has. */
typedef struct complaint {
    const char *name; /* "shakespeare.txt", "prompt" */
    char *message;
    size_t size;
} complaint;

/* Functions answer 0, or -1 with a message. */

/* The whole file, gzip or plain; the caller frees. */
int text_read(const char *path, char **text, int64_t *size, complaint *c);
/* The vocabulary of a text; v->bytes is set by the caller. A text of characters is UTF-8 without NUL. */
int vocabulary_make(vocabulary *v, const char *text, int64_t size, complaint *c);
/* A text by a vocabulary that must have all its characters. */
int tokens_make(tokens *t, const vocabulary *v, const char *text, int64_t size, complaint *c);
/* Tokens as text, with a NUL behind it; `size` is without. A number that is no place gives U+FFFD. NULL: no memory. */
char *tokens_text(const vocabulary *v, const int64_t *at, int64_t count, size_t *size);
void vocabulary_free(vocabulary *v);
void tokens_free(tokens *t);

#endif
