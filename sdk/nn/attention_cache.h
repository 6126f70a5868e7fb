/* SPDX-License-Identifier: Apache-2.0
 * lthost/nn/attention_cache.h: keys and values that a causal attention has read, kept for the steps that follow: a token that is
 * generated then costs one step, whatever stands before it. [main]
 *
 * A cache is two tensors of the step, keys and values (B, G, S, D): B sequences, G heads of keys and values, S places, D channels
 * of a head. A layer is given where they stand, `.cache = &kept[2 * i]`, writes what it reads at a run-time place, and leaves the
 * new tensors there: so a loop (control.h) carries them from turn to turn, and buffers from step to step. */
#ifndef LTHOST_NN_ATTENTION_CACHE_H
#define LTHOST_NN_ATTENTION_CACHE_H

#include "check.h"

#include <lthost/sequence.h>
#include <lthost/setup.h>

LTH_BEGIN_C
#pragma push_macro("LTH_HERE")
#undef LTH_HERE
#define LTH_HERE file, line

/* (B, G, S, D), no place taken: keys or values, of the run's floating type. */
static inline lth_tensor lth_attention_cache_new_(lth_tensor near_, int64_t B, int64_t G, int64_t S, int64_t D, const char *file,
                                                  uint32_t line)
{
    return lth_expand(lth_scalar(near_, 0), B, G, S, D);
}

/* q (B, H, T, D), k and v (B, G, T, D) of the T steps at `place`, `place` + 1, ...: y (B, H, T, D), where each step sees the
 * places up to its own; mask as lth_attention's, bool alone. place: i64 of rank 0, at most S - T (it is cut to that). */
static inline lth_tensor lth_attention_cached_(lth_tensor *cache, lth_tensor place, lth_tensor q, lth_tensor k, lth_tensor v,
                                               lth_tensor mask, double dropout, const char *file, uint32_t line)
{
    if (!q.trace)
        return q;
    if (!place.trace || lth_rank(cache[0]) != 4 || lth_rank(cache[1]) != 4 || lth_dim(q, 2) > lth_dim(cache[0], 2))
        return lth_nn_fail_(q, file, line,
                            "a cache of keys and values (B, G, S, D) wants .place, i64 of rank 0, and at most S steps "
                            "at once; it has %s, and there are %lld steps",
                            lth_shape_text_(cache[0]).at, (long long)lth_dim(q, 2));
    if (mask.trace && lth_dtype_of(mask) != LTH_BOOL)
        return lth_nn_fail_(q, file, line, "with a cache the mask must be bool: true where a key is seen");
    const lth_shape shape = { LTH_I64, 2, { lth_dim(q, 2), lth_dim(cache[0], 2) } };
    lth_tensor seen = lth_le(lth_iota(q, &shape, 1), lth_add(lth_iota(q, &shape, 0), place)); /* (T, S) */
    cache[0] = lth_update_at(cache[0], 2, place, k);
    cache[1] = lth_update_at(cache[1], 2, place, v);
    return lth_attention(q, cache[0], cache[1], .mask = mask.trace ? lth_and(mask, seen) : seen, .dropout = dropout);
}

#pragma pop_macro("LTH_HERE")
/* kept[2 * i] = kept[2 * i + 1] = lth_attention_cache_new(x, B, G, S, D) */
#define lth_attention_cache_new(near_, sequences, heads, places, channels) \
    lth_attention_cache_new_((near_), (sequences), (heads), (places), (channels), LTH_HERE)

LTH_END_C
#endif
