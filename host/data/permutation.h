/* SPDX-License-Identifier: Apache-2.0
 * data/permutation.h: the order of an epoch without a list: a permutation of 0..n-1 that is computed point by point.
 *
 * A Feistel network with a key from Philox (seed, epoch, purpose) permutes the numbers of a few more bits than n needs; a
 * value beyond n is permuted again until it falls below (cycle walking: Black and Rogaway, "Ciphers with Arbitrary Finite
 * Domains", CT-RSA 2002). [any] */
#ifndef DATA_PERMUTATION_H
#define DATA_PERMUTATION_H

#include <lthost/random.h>

enum { PERMUTATION_ROUNDS = 8 };

/* What random numbers of the shuffle's stream are for: none is drawn twice. */
typedef enum data_purpose { DATA_ORDER = 0, DATA_DRAWS = 1, DATA_BATCHES = 2 } data_purpose;

/* The block at `index` of (seed, epoch, purpose). */
lth_philox data_random(uint64_t seed, int64_t epoch, data_purpose purpose, uint64_t index);

typedef struct permutation {
    int64_t count;
    uint32_t low_bits, high_bits;
    uint64_t keys[PERMUTATION_ROUNDS];
} permutation;

void permutation_begin(permutation *p, int64_t count, uint64_t seed, int64_t epoch, data_purpose purpose);
/* Where i of 0..count-1 goes; one-to-one. */
int64_t permutation_at(const permutation *p, int64_t i);

#endif
