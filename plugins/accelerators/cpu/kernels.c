/* SPDX-License-Identifier: Apache-2.0
 * All own kernels for one instruction set: compiled with ISA set to its name, and with the compiler's flags for it. */
#include "isa.h"

#include <lthost/random.h>
#include <math.h>
#include <string.h>

#define PASTE_(a, b) a##_##b
#define PASTE(a, b) PASTE_(a, b)
#define TEXT_(isa) #isa
#define TEXT(isa) TEXT_(isa)

accel_tile_function PASTE(accel_tile, ISA);
#define TILE(name) PASTE(name, ISA)
#include <lthost/accel/tile_template.h>

#define LOOP TILE_LOOP
#define LANES 32 /* running results in a reduction: gcc takes loops of 16 apart before it could vectorise them */

/* Where the instruction set has no fma, a call of fma() would be emulated: multiply and add instead. */
#if defined(__FMA__) || defined(__aarch64__)
#define FMA_F32(x, y, z) __builtin_fmaf((x), (y), (z))
#define FMA_F64(x, y, z) __builtin_fma((x), (y), (z))
#else
#define FMA_F32(x, y, z) ((x) * (y) + (z))
#define FMA_F64(x, y, z) ((x) * (y) + (z))
#endif

#include "vector.h"

#define T float
#define BITS int32_t
#define VECTOR_FMA VECTOR_FMA_F32
#define NAME(name) name##_float
#include "vector_float.h"
#include "product_float.h"
#undef T
#undef BITS
#undef VECTOR_FMA
#undef NAME

#define T double
#define BITS int64_t
#define VECTOR_FMA VECTOR_FMA_F64
#define NAME(name) name##_double
#include "vector_float.h"
#include "product_float.h"
#undef T
#undef BITS
#undef VECTOR_FMA
#undef NAME

#include "vector_math.h"

#define T float
#define FMA FMA_F32
#define SPREAD SPREAD_F32
#define VECTOR_FMA VECTOR_FMA_F32
#define VECTOR_MAX VECTOR_MAX_F32
#define F(name) tile_##name##_f32
#define NAME(name) name##_float
#include "attention_panel.h"

#include "attention_float.h"
#include "attention_grad_float.h"
#include "panel_float.h"
#include "gemm_small.h"
#include "reduce_float.h"
#include "rows_float.h"
#include "rnn_float.h"
#undef T
#undef FMA
#undef SPREAD
#undef VECTOR_FMA
#undef VECTOR_MAX
#undef F
#undef NAME

#define T double
#define FMA FMA_F64
#define SPREAD SPREAD_F64
#define VECTOR_FMA VECTOR_FMA_F64
#define VECTOR_MAX VECTOR_MAX_F64
#define F(name) tile_##name##_f64
#define NAME(name) name##_double
#include "attention_panel.h"

#include "attention_float.h"
#include "attention_grad_float.h"
#include "panel_float.h"
#include "gemm_small.h"
#include "reduce_float.h"
#include "rows_float.h"
#include "rnn_float.h"
#undef T
#undef FMA
#undef SPREAD
#undef VECTOR_FMA
#undef VECTOR_MAX
#undef F
#undef NAME

#define KERNELS(type)                                                                                                 \
    {                                                                                                                 \
        .gemm = gemm_##type, .sum = sum_##type, .add = add_##type, .add_rows = add_rows_##type, .max = max_##type, .min = min_##type,              \
        .max_of = max_of_##type, .min_of = min_of_##type, .place = place_##type, .softmax = softmax_##type,           \
        .log_softmax = log_softmax_##type, .logsumexp = logsumexp_##type, .cross_entropy = cross_entropy_##type,      \
        .cross_entropy_grad = cross_entropy_grad_##type, .layer_norm = layer_norm_##type, .rms_norm = rms_norm_##type, \
        .attention_room = attention_room_##type, .attention = attention_##type, .attention_grad = attention_grad_##type, \
        .turn = turn_##type, .lanes = VL_##type, .panels = panels_##type, .panel_pack = panel_pack_##type, .panel_gemm = panel_gemm_##type,               \
        .rnn = { rnn_tanh_##type, rnn_relu_##type, rnn_lstm_##type, rnn_gru_##type },                                \
        .rnn_back = { rnn_tanh_back_##type, rnn_relu_back_##type, rnn_lstm_back_##type, rnn_gru_back_##type }         \
    }

const cpu_kernel_table PASTE(cpu_kernels, ISA) = {
    .name = TEXT(ISA), .has_wide_vectors = VECTOR == 64, .tile = PASTE(accel_tile, ISA), .f32 = KERNELS(float), .f64 = KERNELS(double)
};
