/* SPDX-License-Identifier: Apache-2.0
 * util/sha256.h: SHA-256 (FIPS 180-4, by libsodium) as 64 lower-case hexadecimal digits. [any] */
#ifndef UTIL_SHA256_H
#define UTIL_SHA256_H

#include "error.h"
#include <sodium/crypto_hash_sha256.h>

enum { SHA256_HEX_SIZE = 65 };

typedef struct sha256 {
    crypto_hash_sha256_state state;
    bool by_blocks;
} sha256;

void sha256_start(sha256 *s);
void sha256_bytes(sha256 *s, const void *data, size_t size);
void sha256_finish(sha256 *s, char hex[SHA256_HEX_SIZE]);

void sha256_of(const void *data, size_t size, char hex[SHA256_HEX_SIZE]);
lth_status sha256_of_file(const char *path, char hex[SHA256_HEX_SIZE], error *e);

#endif
