/* SPDX-License-Identifier: Apache-2.0
 * util/hash.h: a fast 64-bit hash of a stream of bytes.
 *
 * The value is a function of the bytes and the seed alone: not of how they were cut into pieces, nor of the machine or
 * the run, so that it may be stored. It is no defence against someone who wants collisions: sha256.h is. [any] */
#ifndef UTIL_HASH_H
#define UTIL_HASH_H

#include <lthost/base.h>

typedef struct hash {
    uint64_t state, length;
    unsigned char pending[16]; /* the last length % 16 bytes, not mixed in yet */
} hash;

void hash_start(hash *h, uint64_t seed);
void hash_bytes(hash *h, const void *data, size_t size);
/* Eight bytes, little-endian. */
void hash_u64(hash *h, uint64_t value);
/* The text and its terminator, so that "ab","c" differs from "a","bc"; NULL differs from "". */
void hash_text(hash *h, const char *text);
/* The value so far; more may follow. */
uint64_t hash_value(const hash *h);

/* All in one, with seed 0. */
uint64_t hash_of(const void *data, size_t size);

#endif
