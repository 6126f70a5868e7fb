/* SPDX-License-Identifier: Apache-2.0
 * lthost/nn/positional.h: what tells a transformer where a step stands: positions that are added, sinusoidal or learned, and the
 * tables of rotary embedding. T steps, C channels. x is (..., T, C), floating; its values are not looked at. [main]
 *
 * The steps of x are the places 0 .. T - 1; with .first (i64 of rank 0, as lth_slice_at takes it) they begin there, so that
 * generation, which reads on from a place, is one plan for all places. */
#ifndef LTHOST_NN_POSITIONAL_H
#define LTHOST_NN_POSITIONAL_H

#include "check.h"
#include "embedding.h"

#include <lthost/sequence.h>

LTH_BEGIN_C
#pragma push_macro("LTH_HERE")
#undef LTH_HERE
#define LTH_HERE file, line

typedef struct lth_positions_args {
    lth_tensor x LTH_ZERO;
    int64_t channels LTH_ZERO; /* of the tables; default: those of x */
    double theta LTH_ZERO;     /* base of the angles; default 10000 */
    lth_tensor first LTH_ZERO; /* default 0 */
} lth_positions_args;

/* Cosines and sines (T, R / 2) for lth_rotary. */
typedef struct lth_rotary_table {
    lth_tensor cosines LTH_ZERO;
    lth_tensor sines LTH_ZERO;
} lth_rotary_table;

static inline bool lth_positions_accept_(const char *name, const lth_positions_args *a, int64_t channels, const char *file,
                                         uint32_t line)
{
    lth_tensor x = a->x;
    bool fits = lth_rank(x) >= 2 && lth_dtype_is_float(lth_dtype_of(x)) && channels > 0 && channels % 2 == 0;
    if (!fits || !(a->theta >= 0))
        lth_nn_fail_(x, file, line,
                     "%s: expected (..., T, C), floating, an even number of channels and a theta above 0; got %s %s, %lld "
                     "channels",
                     name, lth_dtype_name(lth_dtype_of(x)), lth_shape_text_(x).at, (long long)channels);
    return fits && a->theta >= 0;
}

/* (T, C / 2): place times theta^(-2 i / C), in f32 at least. */
static inline lth_tensor lth_angles_(const lth_positions_args *a, int64_t channels, const char *file, uint32_t line)
{
    const int64_t T = lth_dim(a->x, -2), pairs = channels / 2;
    lth_shape shape = { lth_dtype_of(a->x) == LTH_F64 ? (lth_dtype)LTH_F64 : (lth_dtype)LTH_F32, 2, { T, pairs } };
    lth_tensor step = lth_iota(a->x, &shape, 0), pair = lth_iota(a->x, &shape, 1);
    if (a->first.trace)
        step = lth_add(step, lth_cast(a->first, shape.dtype));
    return lth_mul(step, lth_exp(lth_mul(pair, -log(a->theta > 0 ? a->theta : 10000) / (double)pairs)));
}

static inline lth_rotary_table lth_rotary_tables_(const lth_positions_args *a, const char *file, uint32_t line)
{
    lth_rotary_table t = { a->x, a->x };
    const int64_t R = a->channels ? a->channels : lth_dim(a->x, -1);
    if (!a->x.trace)
        return t;
    if (!lth_positions_accept_("rotary tables", a, R, file, line)) {
        t.cosines = t.sines = lth_nn_fail_(a->x, file, line, "rotary tables were refused");
        return t;
    }
    lth_tensor angles = lth_angles_(a, R, file, line);
    t.cosines = lth_cast(lth_cos(angles), lth_dtype_of(a->x));
    t.sines = lth_cast(lth_sin(angles), lth_dtype_of(a->x));
    return t;
}

/* (T, C): sines in the even channels, cosines in the odd ones (Vaswani et al. 2017). */
static inline lth_tensor lth_sinusoidal_positions_(const lth_positions_args *a, const char *file, uint32_t line)
{
    const int64_t C = a->channels ? a->channels : lth_dim(a->x, -1), T = lth_dim(a->x, -2);
    if (!a->x.trace)
        return a->x;
    if (!lth_positions_accept_("sinusoidal positions", a, C, file, line))
        return lth_nn_fail_(a->x, file, line, "sinusoidal positions were refused");
    lth_tensor angles = lth_reshape(lth_angles_(a, C, file, line), T, C / 2, 1);
    lth_tensor both[2] = { lth_sin(angles), lth_cos(angles) };
    return lth_cast(lth_reshape(lth_concat(both, 2, 2), T, C), lth_dtype_of(a->x));
}

/* (T, C): rows of an embedding with a row a place. */
static inline lth_tensor lth_learned_positions_(const lth_embedding *e, const lth_positions_args *a, const char *file,
                                                uint32_t line)
{
    const int64_t T = lth_dim(a->x, -2);
    if (!a->x.trace)
        return a->x;
    if (!e->weight.id)
        return lth_nn_fail_(a->x, file, line, "these positions were never made: call lth_embedding_new in configure");
    if (a->channels || a->theta != 0)
        return lth_nn_fail_(a->x, file, line, "learned positions take .first alone");
    if (lth_rank(a->x) < 2 || T > e->count)
        return lth_nn_fail_(a->x, file, line, "learned positions: %lld places for the steps of (..., T, C), got %s",
                            (long long)e->count, lth_shape_text_(a->x).at);
    lth_tensor rows = lth_parameter_value(a->x, e->weight);
    return a->first.trace ? lth_slice_at(rows, 0, a->first, T) : T == e->count ? rows : lth_slice(rows, 0, 0, T);
}

#pragma pop_macro("LTH_HERE")
/* lth_rotary_table table = lth_rotary_tables(q); options follow: .channels = R (the first R of q's are rotated, an even number),
 * .theta, .first */
#define lth_rotary_tables(...) lth_rotary_tables_(LTH_REF(lth_positions_args, .x = __VA_ARGS__), LTH_HERE)
/* x = lth_add(x, lth_sinusoidal_positions(x)); options follow: .theta, .first */
#define lth_sinusoidal_positions(...) lth_sinusoidal_positions_(LTH_REF(lth_positions_args, .x = __VA_ARGS__), LTH_HERE)
/* m->wpe = lth_embedding_new(s, "wpe", places, C); x = lth_add(x, lth_learned_positions(&m->wpe, x)); an option follows: .first
 */
#define lth_learned_positions(e, ...) lth_learned_positions_((e), LTH_REF(lth_positions_args, .x = __VA_ARGS__), LTH_HERE)

LTH_END_C
#endif
