/* SPDX-License-Identifier: Apache-2.0
 * Own kernels for images that lie channels last, for one instruction set: compiled as kernels.c is. */
#include "image_kernels.h"

#include "conv_vector.h"

#include <string.h>

#define PASTE_(a, b) a##_##b
#define PASTE(a, b) PASTE_(a, b)

#include "conv_tiles.h"
#include "winograd_products.h"
#include "winograd_tiles.h"

/* Channels do not depend on each other. */
#if defined(__clang__)
#define LOOP _Pragma("clang loop vectorize(enable)")
#else
#define LOOP _Pragma("GCC ivdep")
#endif

#include "pixels.h"
#include "planar_tiles.h"

#define T float
#define NAME(name) name##_float
#include "channels_float.h"
#undef T
#undef NAME
#define T double
#define NAME(name) name##_double
#include "channels_float.h"
#undef T
#undef NAME

#define CHANNELS(type)                                                   \
    {                                                                    \
        .add_squares = add_squares_##type, .normalize = normalize_##type \
    }

const cpu_image_kernel_table PASTE(cpu_image_kernels, ISA) = {
    .conv_lanes = CONV_LANES,
    .conv_rows = conv_rows,
    .conv_sums = conv_sums,
    .planar_rows = planar_rows,
    .planar_sums = planar_sums,
    .planar_pool = planar_pool,
    .winograd_rows = winograd_rows,
    .winograd_sums = winograd_sums,
    .winograd_source = winograd_source,
    .winograd_result = winograd_result,
    .winograd_weight = winograd_weight,
    .winograd_gradient = winograd_gradient,
    .winograd_weight_result = winograd_weight_result,
    .greatest_pixel = greatest_pixel,
    .f32 = CHANNELS(float),
    .f64 = CHANNELS(double),
};
