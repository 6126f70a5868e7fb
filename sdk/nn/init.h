/* SPDX-License-Identifier: Apache-2.0
 * lthost/nn/init.h: initial values by the size of a layer, beside lth_init_constant, _uniform and _normal of setup.h.
 *
 * Each gives a `const lth_init *` that lives as long as the expression or block that it stands in:
 *     lth_linear_new(s, "fc", in, out, .weight = lth_init_xavier_uniform(in, out));
 *
 * fan_in: how many inputs one output sums over (for a weight (out, in): in); fan_out: how many outputs one input reaches.
 * slope: of the leaky ReLU that follows; 0 for a ReLU, sqrt(5) for the default of PyTorch's linear and convolution. */
#ifndef LTHOST_NN_INIT_H
#define LTHOST_NN_INIT_H

#include <lthost/setup.h>
#include <math.h>

LTH_BEGIN_C

/* Standard deviation after He et al. 2015, "Delving Deep into Rectifiers": gain / sqrt(fan). [any] */
static inline double lth_kaiming_std(int64_t fan, double slope)
{
    return sqrt(2 / (1 + slope * slope)) / sqrt(fan > 0 ? (double)fan : 1);
}

/* Standard deviation after Glorot & Bengio 2010, "Understanding the difficulty of training deep feedforward networks". [any] */
static inline double lth_xavier_std(int64_t fan_in, int64_t fan_out)
{
    return sqrt(2 / (fan_in + fan_out > 0 ? (double)(fan_in + fan_out) : 1));
}

/* A uniform distribution on [-b, b) has the standard deviation b / sqrt(3). */
#define LTH_INIT_UNIFORM_STD_(std) LTH_REF(lth_init, LTH_INIT_UNIFORM, 0, -sqrt(3.0) * (std), sqrt(3.0) * (std), NULL)

/* Uniform with mean 0: any gain and fan, as lth_init_uniform_std(LTH_GAIN_TANH * lth_xavier_std(in, out)). */
#define lth_init_uniform_std(std) LTH_INIT_UNIFORM_STD_(std)

/* What keeps a signal's size through an activation, as torch's calculate_gain; of a leaky ReLU sqrt(2 / (1 + slope^2)). */
#define LTH_GAIN_TANH (5.0 / 3)
#define LTH_GAIN_RELU sqrt(2.0)
#define LTH_GAIN_SELU 0.75

#define lth_init_kaiming_uniform(fan_in, slope) LTH_INIT_UNIFORM_STD_(lth_kaiming_std((fan_in), (slope)))
#define lth_init_kaiming_normal(fan_in, slope) lth_init_normal(0, lth_kaiming_std((fan_in), (slope)))
#define lth_init_xavier_uniform(fan_in, fan_out) LTH_INIT_UNIFORM_STD_(lth_xavier_std((fan_in), (fan_out)))
#define lth_init_xavier_normal(fan_in, fan_out) lth_init_normal(0, lth_xavier_std((fan_in), (fan_out)))
/* Redrawn beyond 2 standard deviations. */
#define lth_init_truncated_normal(mean, std) LTH_REF(lth_init, LTH_INIT_TRUNCATED_NORMAL, 0, (mean), (std), NULL)
/* Redrawn outside low to high, as torch's trunc_normal_. */
typedef struct lth_init_bounds_ {
    double at[2];
} lth_init_bounds_;
#define lth_init_trunc_normal(mean, std, low, high)                                                                      \
    LTH_REF(lth_init, LTH_INIT_TRUNCATED, 0, (mean), (std), LTH_REF(lth_init_bounds_, { (low), (high) })->at)
/* Orthonormal rows, or columns where there are more rows, times `gain`. */
#define lth_init_orthogonal(gain) LTH_REF(lth_init, LTH_INIT_ORTHOGONAL, 0, (gain), 0, NULL)
/* These numbers, f64, as many as the shape has, in its order: copied at once. */
#define lth_init_values(list) LTH_REF(lth_init, LTH_INIT_VALUES, 0, 0, 0, (list))
/* The layer begins as the identity: of a linear layer (torch's eye_), of a convolution with `groups` (dirac_). */
#define lth_init_eye() LTH_REF(lth_init, LTH_INIT_IDENTITY, 0, 1, 1, NULL)
#define lth_init_dirac(groups) LTH_REF(lth_init, LTH_INIT_IDENTITY, 0, 1, (double)(groups), NULL)

LTH_END_C
#endif
