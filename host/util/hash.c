/* SPDX-License-Identifier: Apache-2.0
 * util/hash.c: blocks of 16 bytes, each folded in by a 64 x 64 -> 128 bit multiplication. */
#include "hash.h"
#include <string.h>

/* Odd constants with as many ones as zeros: fractional bits of sqrt 2, 3 and 5, made odd. */
static const uint64_t key_a = 0x6a09e667f3bcc909, key_b = 0xbb67ae8584caa73b, key_c = 0x3c6ef372fe94f82b;

static uint64_t fold(uint64_t a, uint64_t b)
{
    __extension__ unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t load(const unsigned char *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    v = __builtin_bswap64(v);
#endif
    return v;
}

static uint64_t mix(uint64_t state, const unsigned char *block)
{
    /* The sum keeps a zero factor from wiping out what came before. */
    return fold(load(block) ^ key_a ^ state, load(block + 8) ^ key_b) + (state << 1 | state >> 63);
}

void hash_start(hash *h, uint64_t seed) { *h = (hash) { .state = fold(seed ^ key_a, key_c) }; }

void hash_bytes(hash *h, const void *data, size_t size)
{
    const unsigned char *p = data;
    size_t held = h->length % sizeof h->pending;
    h->length += size;
    if (held && held + size >= sizeof h->pending) {
        size_t n = sizeof h->pending - held;
        memcpy(h->pending + held, p, n);
        h->state = mix(h->state, h->pending);
        p += n;
        size -= n;
        held = 0;
    }
    if (!held)
        for (; size >= sizeof h->pending; p += sizeof h->pending, size -= sizeof h->pending)
            h->state = mix(h->state, p);
    if (size)
        memcpy(h->pending + held, p, size);
}

void hash_u64(hash *h, uint64_t value)
{
    unsigned char bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)(value >> 8 * i);
    hash_bytes(h, bytes, sizeof bytes);
}

void hash_text(hash *h, const char *text)
{
    if (text)
        hash_bytes(h, text, strlen(text) + 1);
    else
        hash_bytes(h, "\xff", 2); /* no UTF-8 text has this byte */
}

uint64_t hash_value(const hash *h)
{
    unsigned char last[sizeof h->pending] = { 0 };
    memcpy(last, h->pending, h->length % sizeof last);
    uint64_t state = mix(h->state, last);
    return fold(state ^ key_c, h->length ^ key_a) ^ state >> 32;
}

uint64_t hash_of(const void *data, size_t size)
{
    hash h;
    hash_start(&h, 0);
    hash_bytes(&h, data, size);
    return hash_value(&h);
}
