/* SPDX-License-Identifier: Apache-2.0
 * lthost/random.h: Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011).
 *
 * Counter-based: the same numbers on every accelerator, thread count and after a resume. The key is the run's seed. The
 * counter of element e of a random op is { e / 4, op id, step, stream }, and e % 4 picks the word; `stream` is the
 * micro-batch in a training step, and LTH_STREAM_* elsewhere. A normal number takes two words: element e has words
 * 2 (e % 2) and 2 (e % 2) + 1 of counter { e / 2, ... }. DROPOUT's uniform numbers are those of UNIFORM. Within a loop the
 * index is folded into the stream (lth_random_stream), once for each loop around the op, from the outside in. */
#ifndef LTHOST_RANDOM_H
#define LTHOST_RANDOM_H

#include "base.h"
#include <math.h>

LTH_BEGIN_C

enum {
    LTH_STREAM_INIT = 0x70000000,    /* initial parameter values: op id = hash of the name */
    LTH_STREAM_SHUFFLE = 0x70000001, /* the order of samples */
    LTH_STREAM_USER = 0x70000002,    /* datamodules: augmentation and splits */
    LTH_STREAM_EVAL = 0x70000003     /* random ops of an evaluation step */
};

typedef struct lth_philox { uint32_t word[4]; } lth_philox;

/* The block of four words at a counter. [any] */
static inline lth_philox lth_philox_at(uint64_t seed, uint32_t c0, uint32_t c1, uint32_t c2, uint32_t c3)
{
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
        uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0, n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1;
        c3 = (uint32_t)p0;
        c0 = n0;
        c2 = n2;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    lth_philox r = { { c0, c1, c2, c3 } };
    return r;
}

/* A word as a uniform number in [0, 1), 24 bits: exact in f32 and f64 alike. [any] */
static inline double lth_philox_uniform(uint32_t word) { return (double)(word >> 8) * (1.0 / 16777216.0); }

/* Two words as one standard normal number (Box-Muller; the first uniform is taken in (0, 1]). [any] */
static inline double lth_philox_normal(uint32_t a, uint32_t b)
{
    double u = ((double)(a >> 8) + 1.0) * (1.0 / 16777216.0), v = lth_philox_uniform(b);
    return sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v);
}

/* Element e of a UNIFORM or DROPOUT op, and of a NORMAL op: e is below 2^33. [any] */
static inline double lth_random_uniform(uint64_t seed, uint32_t id, uint32_t step, uint32_t stream, int64_t e)
{
    return lth_philox_uniform(lth_philox_at(seed, (uint32_t)(e / 4), id, step, stream).word[e % 4]);
}
static inline double lth_random_normal(uint64_t seed, uint32_t id, uint32_t step, uint32_t stream, int64_t e)
{
    lth_philox block = lth_philox_at(seed, (uint32_t)(e / 2), id, step, stream);
    return lth_philox_normal(block.word[e % 2 * 2], block.word[e % 2 * 2 + 1]);
}

/* The stream at index `index` of a loop whose own stream is `stream`: another one for each index. [any] */
static inline uint32_t lth_random_stream(uint32_t stream, int64_t index)
{
    uint32_t x = stream + 0x9E3779B9u * ((uint32_t)index + 1);
    x = (x ^ x >> 16) * 0x85EBCA6Bu; /* each of these is one to one */
    x = (x ^ x >> 13) * 0xC2B2AE35u;
    return x ^ x >> 16;
}

LTH_END_C
#endif
