/* SPDX-License-Identifier: Apache-2.0
 * data/permutation.c */
#include "permutation.h"

/* Below this many bits a network has too few orders to choose from; walking is cheap there. */
enum { LEAST_BITS = 6 };

lth_philox data_random(uint64_t seed, int64_t epoch, data_purpose purpose, uint64_t index)
{
    return lth_philox_at(seed, (uint32_t)index, (uint32_t)(index >> 32) ^ (uint32_t)purpose << 28, (uint32_t)epoch,
                         LTH_STREAM_SHUFFLE);
}

void permutation_begin(permutation *p, int64_t count, uint64_t seed, int64_t epoch, data_purpose purpose)
{
    uint32_t bits = LEAST_BITS;
    while (bits < 63 && (int64_t)1 << bits < count)
        bits++;
    p->count = count;
    p->low_bits = bits / 2;
    p->high_bits = bits - bits / 2;
    for (uint32_t i = 0; i < PERMUTATION_ROUNDS; i++) {
        lth_philox r = data_random(seed, epoch, purpose, i);
        p->keys[i] = (uint64_t)r.word[1] << 32 | r.word[0];
    }
}

/* Each bit of the result depends on each bit of x and of the key. */
static uint64_t mix(uint64_t x, uint64_t key)
{
    x = (x ^ key) * 0x9E3779B97F4A7C15u;
    x = (x ^ x >> 32) * 0xD6E8FEB86659FD93u;
    return x ^ x >> 32;
}

int64_t permutation_at(const permutation *p, int64_t i)
{
    const uint64_t low_mask = ((uint64_t)1 << p->low_bits) - 1, high_mask = ((uint64_t)1 << p->high_bits) - 1;
    uint64_t low = (uint64_t)i & low_mask, high = (uint64_t)i >> p->low_bits;
    do {
        for (int r = 0; r < PERMUTATION_ROUNDS; r += 2) {
            high ^= mix(low, p->keys[r]) & high_mask;
            low ^= mix(high, p->keys[r + 1]) & low_mask;
        }
    } while ((int64_t)(high << p->low_bits | low) >= p->count);
    return (int64_t)(high << p->low_bits | low);
}
