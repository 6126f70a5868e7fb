/* SPDX-License-Identifier: Apache-2.0
 * engine/op_samples_conv.c: samples of convolution, pooling and resampling. */
#include "engine/op_samples_tables.h"

#include <math.h>

static const double ties[] = { 1, 0.5, 1, -2, 1, 0.5 };
static const double broken[] = { 0.25, NAN, -7.5, INFINITY, 3.75, -INFINITY };

// clang-format off
/* Of each axis: stride, zeros before, zeros after, dilation; then groups and the gradients' size. */
#define CONV_1D(stride, low, high, dilation, in_groups, ...) \
    .attributes.conv = { { stride }, { low }, { high }, { dilation }, { __VA_ARGS__ }, in_groups, 0, 0 }
#define CONV_2D(stride, low, high, dilation, in_groups, ...) \
    .attributes.conv = { { stride, stride }, { low, low }, { high, high }, { dilation, dilation }, { __VA_ARGS__ }, in_groups, 0, 0 }
#define POOL_1D(k, step, low, high, dilation, length, how) \
    .attributes.pool = { { k }, { step }, { low }, { high }, { dilation }, { length }, how, 0 }
#define POOL_2D(k, step, low, high, dilation, height, width, how) \
    .attributes.pool = { { k, k }, { step, step }, { low, low }, { high, high }, { dilation, dilation }, { height, width }, how, 0 }
#define POOL_TO(how, ...) .attributes.pool = { .size = { __VA_ARGS__ }, .flags = how }
#define RESIZE(how, ...) .attributes.resize = { { __VA_ARGS__ }, { 0 }, LTH_RESIZE_##how, 0 }
#define RESIZED(how, ...) .attributes.resize = { { 0 }, { __VA_ARGS__ }, LTH_RESIZE_##how, 0 }

static const op_sample rows[] = {
    { .op = LTH_OP_CONV, 2, 0, "a signal", { X(2, 3, 7), X(4, 3, 3) }, CONV_1D(1, 0, 0, 1, 1, 0) },
    { .op = LTH_OP_CONV, 2, 0, "a signal, stride, padding, dilation", { X(1, 2, 9), X(3, 2, 3) }, CONV_1D(2, 2, 1, 2, 1, 0) },
    { .op = LTH_OP_CONV, 2, 0, "an image", { X(2, 2, 4, 5), X(3, 2, 3, 2) }, CONV_2D(1, 0, 0, 1, 1, 0) },
    { .op = LTH_OP_CONV, 2, 0, "an image, stride 2, padded unevenly", { X(1, 2, 5, 5), X(2, 2, 3, 3) }, CONV_2D(2, 1, 2, 1, 1, 0) },
    { .op = LTH_OP_CONV, 2, 0, "an image, groups", { X(1, 4, 4, 4), X(6, 2, 3, 3) }, CONV_2D(1, 1, 1, 1, 2, 0) },
    { .op = LTH_OP_CONV, 2, 0, "an image, depthwise", { X(2, 3, 4, 4), X(3, 1, 3, 3) }, CONV_2D(1, 1, 1, 1, 3, 0) },
    { .op = LTH_OP_CONV, 2, 0, "an image, depthwise, two outputs a channel", { X(1, 2, 5, 4), X(4, 1, 2, 2) },
      CONV_2D(2, 0, 1, 1, 2, 0) },
    { .op = LTH_OP_CONV, 2, 0, "an image, kernel of 1", { X(2, 3, 2, 3), X(4, 3, 1, 1) }, CONV_2D(1, 0, 0, 1, 1, 0) },
    { .op = LTH_OP_CONV, 2, 0, "one element", { X(1, 1, 1, 1), X(1, 1, 1, 1) }, CONV_2D(1, 0, 0, 1, 1, 0) },
    { .op = LTH_OP_CONV, 2, 0, "an image, dilated", { X(1, 2, 6, 7), X(2, 2, 3, 3) }, CONV_2D(1, 0, 1, 2, 1, 0) },
    { .op = LTH_OP_CONV, 2, 0, "a volume", { X(1, 2, 3, 4, 3), X(3, 2, 2, 3, 2) },
      .attributes.conv = { { 1, 2, 1 }, { 0, 1, 1 }, { 1, 1, 0 }, { 1, 1, 1 }, { 0 }, 1, 0, 0 } },
    { .op = LTH_OP_CONV, 2, 0, "no images", { X(0, 2, 4, 5), X(3, 2, 3, 2) }, CONV_2D(1, 0, 0, 1, 1, 0) },
    { .op = LTH_OP_CONV, 2, 0, "no channels", { X(2, 0, 4, 5), X(3, 0, 3, 2) }, CONV_2D(1, 0, 0, 1, 1, 0) },
    { .op = LTH_OP_CONV, 2, 0, "no outputs", { X(2, 2, 4, 5), X(0, 2, 3, 2) }, CONV_2D(1, 0, 0, 1, 1, 0) },
    { .op = LTH_OP_CONV, 2, 0, "padding alone", { X(2, 2, 0, 3), X(2, 2, 2, 2) }, CONV_2D(1, 1, 1, 1, 1, 0) },
    { .op = LTH_OP_CONV, 2, 0, "permuted and sliced", { PERMUTED(2, 3, 5), SLICED(4, 3, 2) }, CONV_1D(1, 1, 0, 1, 1, 0) },
    { .op = LTH_OP_CONV, 2, 0, "many channels", { X(2, 33, 9, 8), X(35, 33, 3, 3) }, CONV_2D(1, 1, 1, 1, 1, 0) },
    { .op = LTH_OP_CONV, 2, 0, "many channels, stride 2", { X(1, 32, 9, 9), X(48, 16, 3, 3) }, CONV_2D(2, 1, 1, 1, 2, 0) },

    { .op = LTH_OP_CONV_DATA_GRAD, 2, 0, "a signal", { X(2, 4, 5), X(4, 3, 3) }, CONV_1D(1, 0, 0, 1, 1, 7) },
    { .op = LTH_OP_CONV_DATA_GRAD, 2, 0, "a signal, stride, padding, dilation", { X(1, 3, 4), X(3, 2, 3) },
      CONV_1D(2, 2, 1, 2, 1, 8) },
    { .op = LTH_OP_CONV_DATA_GRAD, 2, 0, "an image, stride 2", { X(1, 2, 2, 3), X(2, 2, 3, 3) }, CONV_2D(2, 1, 1, 1, 1, 3, 6) },
    { .op = LTH_OP_CONV_DATA_GRAD, 2, 0, "an image, groups", { X(1, 6, 3, 3), X(6, 2, 2, 2) }, CONV_2D(1, 0, 0, 1, 2, 4, 4) },
    { .op = LTH_OP_CONV_DATA_GRAD, 2, 0, "an image, depthwise", { X(2, 3, 3, 3), X(3, 1, 2, 2) }, CONV_2D(2, 0, 0, 1, 3, 7, 6) },
    { .op = LTH_OP_CONV_DATA_GRAD, 2, 0, "a stride above the kernel", { X(1, 2, 3), X(2, 2, 1) }, CONV_1D(3, 0, 0, 1, 1, 9) },
    { .op = LTH_OP_CONV_DATA_GRAD, 2, 0, "a volume", { X(1, 3, 2, 2, 2), X(3, 2, 2, 1, 2) },
      .attributes.conv = { { 1, 2, 1 }, { 0, 0, 1 }, { 0, 0, 0 }, { 1, 1, 1 }, { 3, 4, 2 }, 1, 0, 0 } },
    { .op = LTH_OP_CONV_DATA_GRAD, 2, 0, "no images", { X(0, 2, 2, 3), X(2, 2, 3, 3) }, CONV_2D(2, 1, 1, 1, 1, 3, 6) },
    { .op = LTH_OP_CONV_DATA_GRAD, 2, 0, "no outputs", { X(2, 0, 2, 3), X(0, 2, 3, 3) }, CONV_2D(2, 1, 1, 1, 1, 3, 6) },
    { .op = LTH_OP_CONV_DATA_GRAD, 2, 0, "no elements", { X(1, 2, 2), X(2, 2, 1) }, CONV_1D(1, 1, 1, 1, 1, 0) },
    { .op = LTH_OP_CONV_DATA_GRAD, 2, 0, "permuted and sliced", { PERMUTED(2, 4, 5), SLICED(4, 3, 2) }, CONV_1D(1, 1, 0, 1, 1, 5) },
    { .op = LTH_OP_CONV_DATA_GRAD, 2, 0, "many channels", { X(2, 35, 7, 6), X(35, 33, 3, 3) }, CONV_2D(1, 0, 0, 1, 1, 9, 8) },

    { .op = LTH_OP_CONV_WEIGHT_GRAD, 2, 0, "a signal", { X(2, 3, 7), X(2, 4, 5) }, CONV_1D(1, 0, 0, 1, 1, 3) },
    { .op = LTH_OP_CONV_WEIGHT_GRAD, 2, 0, "an image, stride 2, padded", { X(2, 2, 5, 4), X(2, 3, 3, 2) },
      CONV_2D(2, 1, 1, 1, 1, 3, 3) },
    { .op = LTH_OP_CONV_WEIGHT_GRAD, 2, 0, "an image, dilated", { X(1, 2, 6, 7), X(1, 2, 3, 4) }, CONV_2D(1, 0, 1, 2, 1, 3, 3) },
    { .op = LTH_OP_CONV_WEIGHT_GRAD, 2, 0, "an image, groups", { X(1, 4, 4, 4), X(1, 6, 3, 3) }, CONV_2D(1, 0, 0, 1, 2, 2, 2) },
    { .op = LTH_OP_CONV_WEIGHT_GRAD, 2, 0, "an image, depthwise", { X(2, 3, 4, 4), X(2, 3, 4, 4) },
      CONV_2D(1, 1, 1, 1, 3, 3, 3) },
    { .op = LTH_OP_CONV_WEIGHT_GRAD, 2, 0, "a volume", { X(1, 2, 3, 3, 2), X(1, 2, 2, 2, 3) },
      .attributes.conv = { { 1, 2, 1 }, { 0, 1, 1 }, { 0, 1, 1 }, { 1, 1, 1 }, { 2, 3, 2 }, 1, 0, 0 } },
    { .op = LTH_OP_CONV_WEIGHT_GRAD, 2, 0, "no images", { X(0, 2, 5, 4), X(0, 3, 3, 2) }, CONV_2D(2, 1, 1, 1, 1, 3, 3) },
    { .op = LTH_OP_CONV_WEIGHT_GRAD, 2, 0, "no channels", { X(2, 0, 5, 4), X(2, 3, 3, 2) }, CONV_2D(2, 1, 1, 1, 1, 3, 3) },
    { .op = LTH_OP_CONV_WEIGHT_GRAD, 2, 0, "permuted and sliced", { PERMUTED(2, 3, 5), SLICED(2, 4, 5) }, CONV_1D(1, 1, 0, 1, 1, 2) },
    { .op = LTH_OP_CONV_WEIGHT_GRAD, 2, 0, "many channels", { X(2, 33, 9, 8), X(2, 35, 7, 6) }, CONV_2D(1, 0, 0, 1, 1, 3, 3) },

    { .op = LTH_OP_MAX_POOL, 1, OP_SAMPLE_DISTINCT, "a signal", { X(1, 2, 9) }, POOL_1D(3, 2, 1, 0, 1, 0, 0) },
    { .op = LTH_OP_MAX_POOL, 1, OP_SAMPLE_DISTINCT, "an image", { X(2, 1, 4, 6) }, POOL_2D(2, 2, 0, 0, 1, 0, 0, 0) },
    { .op = LTH_OP_MAX_POOL, 1, OP_SAMPLE_DISTINCT, "overlapping and padded", { X(1, 2, 4, 5) }, POOL_2D(3, 1, 1, 1, 1, 0, 0, 0) },
    { .op = LTH_OP_MAX_POOL, 1, OP_SAMPLE_DISTINCT, "dilated", { X(1, 1, 6, 5) }, POOL_2D(2, 1, 0, 0, 3, 0, 0, 0) },
    { .op = LTH_OP_MAX_POOL, 1, OP_SAMPLE_DISTINCT, "ceil mode", { X(1, 2, 5, 5) }, POOL_2D(2, 2, 0, 0, 1, 0, 0, LTH_POOL_CEIL) },
    { .op = LTH_OP_MAX_POOL, 1, OP_SAMPLE_DISTINCT, "ceil mode, one window begins past the end", { X(1, 1, 5) },
      POOL_1D(2, 3, 1, 1, 1, 0, LTH_POOL_CEIL) },
    { .op = LTH_OP_MAX_POOL, 1, OP_SAMPLE_DISTINCT, "adaptive", { X(1, 2, 5, 3) }, POOL_TO(LTH_POOL_ADAPTIVE, 3, 2) },
    { .op = LTH_OP_MAX_POOL, 1, OP_SAMPLE_DISTINCT, "adaptive, to more", { X(1, 1, 3) }, POOL_TO(LTH_POOL_ADAPTIVE, 5) },
    { .op = LTH_OP_MAX_POOL, 1, OP_SAMPLE_DISTINCT, "a volume", { X(1, 1, 2, 4, 3) },
      .attributes.pool = { { 2, 2, 3 }, { 1, 2, 1 }, { 0, 0, 1 }, { 0, 0, 1 }, { 1, 1, 1 }, { 0 }, 0, 0 } },
    { .op = LTH_OP_MAX_POOL, 1, OP_SAMPLE_DISTINCT, "permuted", { PERMUTED(2, 3, 5) }, POOL_1D(2, 1, 0, 0, 1, 0, 0) },
    { .op = LTH_OP_MAX_POOL, 1, OP_SAMPLE_DISTINCT, "sliced", { SLICED(2, 2, 4) }, POOL_1D(2, 2, 0, 0, 1, 0, 0) },
    { .op = LTH_OP_MAX_POOL, 1, 0, "no images", { X(0, 2, 4) }, POOL_1D(2, 2, 0, 0, 1, 0, 0) },
    { .op = LTH_OP_MAX_POOL, 1, 0, "one element", { X(1, 1, 1, 1) }, POOL_2D(1, 1, 0, 0, 1, 0, 0, 0) },
    { .op = LTH_OP_MAX_POOL, 1, OP_SAMPLE_KINK, "ties", { LISTED(ties, 1, 1, 12) }, POOL_1D(4, 2, 1, 1, 1, 0, 0) },
    { .op = LTH_OP_MAX_POOL, 1, OP_SAMPLE_KINK | OP_SAMPLE_EXTREME, "with NaN and infinities", { LISTED(broken, 1, 1, 12) },
      POOL_1D(3, 1, 1, 1, 1, 0, 0) },
    { .op = LTH_OP_MAX_POOL, 1, OP_SAMPLE_DISTINCT, "many planes", { X(3, 67, 8, 10) }, POOL_2D(3, 2, 1, 1, 1, 0, 0, 0) },

    { .op = LTH_OP_AVG_POOL, 1, 0, "a signal", { X(1, 2, 9) }, POOL_1D(3, 2, 1, 0, 1, 0, 0) },
    { .op = LTH_OP_AVG_POOL, 1, 0, "an image", { X(2, 1, 4, 6) }, POOL_2D(2, 2, 0, 0, 1, 0, 0, 0) },
    { .op = LTH_OP_AVG_POOL, 1, 0, "padding counts", { X(1, 2, 4, 5) }, POOL_2D(3, 1, 1, 1, 1, 0, 0, 0) },
    { .op = LTH_OP_AVG_POOL, 1, 0, "padding does not count", { X(1, 2, 4, 5) },
      POOL_2D(3, 2, 1, 2, 1, 0, 0, LTH_POOL_EXCLUDE_PADDING) },
    { .op = LTH_OP_AVG_POOL, 1, 0, "ceil mode", { X(1, 2, 5, 6) }, POOL_2D(3, 2, 0, 0, 1, 0, 0, LTH_POOL_CEIL) },
    { .op = LTH_OP_AVG_POOL, 1, 0, "ceil mode, padded", { X(1, 2, 6, 5) }, POOL_2D(3, 2, 1, 1, 1, 0, 0, LTH_POOL_CEIL) },
    { .op = LTH_OP_AVG_POOL, 1, 0, "ceil mode, padding does not count", { X(1, 1, 6, 5) },
      POOL_2D(2, 3, 1, 1, 1, 0, 0, LTH_POOL_CEIL | LTH_POOL_EXCLUDE_PADDING) },
    { .op = LTH_OP_AVG_POOL, 1, 0, "dilated", { X(1, 1, 9) }, POOL_1D(3, 2, 2, 2, 2, 0, LTH_POOL_CEIL) },
    { .op = LTH_OP_AVG_POOL, 1, 0, "windows of padding alone", { X(1, 1, 3) }, POOL_1D(2, 1, 3, 3, 1, 0, 0) },
    { .op = LTH_OP_AVG_POOL, 1, 0, "adaptive", { X(1, 2, 5, 3) }, POOL_TO(LTH_POOL_ADAPTIVE, 3, 2) },
    { .op = LTH_OP_AVG_POOL, 1, 0, "adaptive, to more", { X(1, 1, 3) }, POOL_TO(LTH_POOL_ADAPTIVE, 5) },
    { .op = LTH_OP_AVG_POOL, 1, 0, "adaptive, to one", { X(2, 3, 4, 5) }, POOL_TO(LTH_POOL_ADAPTIVE, 1, 1) },
    { .op = LTH_OP_AVG_POOL, 1, 0, "a volume", { X(1, 1, 2, 4, 3) },
      .attributes.pool = { { 2, 2, 3 }, { 1, 2, 1 }, { 0, 0, 1 }, { 0, 0, 1 }, { 1, 1, 1 }, { 0 }, 0, 0 } },
    { .op = LTH_OP_AVG_POOL, 1, 0, "permuted", { PERMUTED(2, 3, 5) }, POOL_1D(2, 1, 0, 0, 1, 0, 0) },
    { .op = LTH_OP_AVG_POOL, 1, 0, "sliced", { SLICED(2, 2, 4) }, POOL_1D(2, 2, 0, 0, 1, 0, 0) },
    { .op = LTH_OP_AVG_POOL, 1, 0, "no images", { X(0, 2, 4) }, POOL_1D(2, 2, 0, 0, 1, 0, 0) },
    { .op = LTH_OP_AVG_POOL, 1, 0, "many planes", { X(3, 67, 8, 10) }, POOL_2D(2, 2, 0, 0, 1, 0, 0, 0) },
    { .op = LTH_OP_AVG_POOL_GRAD, 1, 0, "a signal", { X(1, 2, 4) }, POOL_1D(3, 2, 1, 0, 1, 9, 0) },
    { .op = LTH_OP_AVG_POOL_GRAD, 1, 0, "padding does not count", { X(1, 2, 3, 3) },
      POOL_2D(3, 2, 1, 2, 1, 4, 5, LTH_POOL_EXCLUDE_PADDING) },
    { .op = LTH_OP_AVG_POOL_GRAD, 1, 0, "ceil mode, padded", { X(1, 2, 4, 3) }, POOL_2D(3, 2, 1, 1, 1, 6, 5, LTH_POOL_CEIL) },
    { .op = LTH_OP_AVG_POOL_GRAD, 1, 0, "adaptive", { X(1, 2, 3, 2) }, POOL_TO(LTH_POOL_ADAPTIVE, 5, 3) },
    { .op = LTH_OP_AVG_POOL_GRAD, 1, 0, "a volume, permuted", { PERMUTED(1, 1, 1, 2, 3) },
      .attributes.pool = { { 2, 2, 3 }, { 1, 2, 1 }, { 0, 0, 1 }, { 0, 0, 1 }, { 1, 1, 1 }, { 2, 4, 3 }, 0, 0 } },
    { .op = LTH_OP_AVG_POOL_GRAD, 1, 0, "no images", { X(0, 2, 2) }, POOL_1D(2, 2, 0, 0, 1, 4, 0) },
    { .op = LTH_OP_AVG_POOL_GRAD, 1, 0, "many planes", { X(3, 67, 4, 5) }, POOL_2D(2, 2, 0, 0, 1, 8, 10, 0) },

    { .op = LTH_OP_RESIZE, 1, 0, "nearest, to more", { X(1, 2, 3) }, RESIZE(NEAREST, 7) },
    { .op = LTH_OP_RESIZE, 1, 0, "nearest, to less", { X(1, 2, 7, 5) }, RESIZE(NEAREST, 3, 2) },
    { .op = LTH_OP_RESIZE, 1, 0, "nearest exact", { X(1, 2, 7, 3) }, RESIZE(NEAREST_EXACT, 3, 5) },
    { .op = LTH_OP_RESIZE, 1, 0, "linear, to more", { X(1, 2, 3) }, RESIZE(LINEAR, 7) },
    { .op = LTH_OP_RESIZE, 1, 0, "linear, to less", { X(2, 1, 7, 5) }, RESIZE(LINEAR, 3, 2) },
    { .op = LTH_OP_RESIZE, 1, 0, "linear, a volume", { X(1, 1, 2, 3, 2) }, RESIZE(LINEAR, 3, 4, 5) },
    { .op = LTH_OP_RESIZE, 1, 0, "linear, aligned", { X(1, 2, 3, 4) }, RESIZE(LINEAR_ALIGNED, 5, 7) },
    { .op = LTH_OP_RESIZE, 1, 0, "linear, aligned, to one", { X(1, 1, 3, 1) }, RESIZE(LINEAR_ALIGNED, 1, 3) },
    { .op = LTH_OP_RESIZE, 1, 0, "permuted", { PERMUTED(2, 3, 4) }, RESIZE(LINEAR, 7) },
    { .op = LTH_OP_RESIZE, 1, 0, "sliced", { SLICED(2, 2, 3) }, RESIZE(NEAREST, 5) },
    { .op = LTH_OP_RESIZE, 1, 0, "no images", { X(0, 2, 3) }, RESIZE(LINEAR, 6) },
    { .op = LTH_OP_RESIZE, 1, 0, "a long row", { X(2, 35, 2, 300) }, RESIZE(LINEAR, 3, 601) },
    { .op = LTH_OP_RESIZE_GRAD, 1, 0, "nearest", { X(1, 2, 7, 2) }, RESIZED(NEAREST, 3, 5) },
    { .op = LTH_OP_RESIZE_GRAD, 1, 0, "nearest exact", { X(1, 2, 3) }, RESIZED(NEAREST_EXACT, 7) },
    { .op = LTH_OP_RESIZE_GRAD, 1, 0, "linear", { X(1, 1, 7, 3) }, RESIZED(LINEAR, 3, 5) },
    { .op = LTH_OP_RESIZE_GRAD, 1, 0, "linear, aligned", { PERMUTED(1, 2, 5, 3) }, RESIZED(LINEAR_ALIGNED, 3, 4) },
    { .op = LTH_OP_RESIZE_GRAD, 1, 0, "no images", { X(0, 2, 3) }, RESIZED(LINEAR, 6) },
    { .op = LTH_OP_RESIZE_GRAD, 1, 0, "a long row", { X(2, 35, 3, 601) }, RESIZED(LINEAR, 2, 300) },
};
// clang-format on
const sample_table sample_rows_conv = { rows, sizeof rows / sizeof *rows };
