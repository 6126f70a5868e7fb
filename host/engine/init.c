/* SPDX-License-Identifier: Apache-2.0
 * engine/init.c: initial values, drawn with Philox. */
#include "engine/state.h"
#include "util/hash.h"
#include "util/memory.h"

#include <lthost/random.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { REDRAWS = 64 }; /* of a truncated normal: beyond 2 deviations 64 times in a row has probability 1e-86 */

static uint16_t bf16_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16); /* to nearest even */
}

/* Writes element i. Parameters and buffers are never of type f16 (setup.c). */
static void put(void *out, lth_dtype dtype, int64_t i, double value)
{
    switch (dtype) {
    case LTH_F32:
        ((float *)out)[i] = (float)value;
        break;
    case LTH_F64:
        ((double *)out)[i] = value;
        break;
    case LTH_BF16:
        ((uint16_t *)out)[i] = bf16_of((float)value);
        break;
    case LTH_I64:
        ((int64_t *)out)[i] = (int64_t)value;
        break;
    case LTH_I32:
        ((int32_t *)out)[i] = (int32_t)value;
        break;
    case LTH_I8:
        ((int8_t *)out)[i] = (int8_t)value;
        break;
    case LTH_BOOL:
        ((uint8_t *)out)[i] = value != 0;
        break;
    default:
        ((uint8_t *)out)[i] = (uint8_t)value;
        break;
    }
}

/* Normal, within low to high. */
static double draw_within(const lth_init *init, double low, double high, uint64_t seed, uint32_t id, int64_t i)
{
    double x = init->a;
    for (uint32_t n = 0; n < REDRAWS; n++) {
        x = init->a + init->b * lth_random_normal(seed, id, n, LTH_STREAM_INIT, i);
        if (x >= low && x <= high)
            return x;
    }
    return x < low ? low : high;
}

static double draw(const lth_init *init, uint64_t seed, uint32_t id, int64_t i)
{
    double z = 0;
    switch (init->kind) {
    case LTH_INIT_UNIFORM:
        return init->a + (init->b - init->a) * lth_random_uniform(seed, id, 0, LTH_STREAM_INIT, i);
    case LTH_INIT_NORMAL:
        return init->a + init->b * lth_random_normal(seed, id, 0, LTH_STREAM_INIT, i);
    case LTH_INIT_TRUNCATED_NORMAL:
        for (uint32_t n = 0; n < REDRAWS; n++) {
            z = lth_random_normal(seed, id, n, LTH_STREAM_INIT, i);
            if (z >= -2 && z <= 2)
                break;
        }
        return init->a + init->b * z;
    case LTH_INIT_TRUNCATED:
        return draw_within(init, init->values[0], init->values[1], seed, id, i);
    case LTH_INIT_VALUES:
        return init->values[i];
    default:
        return init->a;
    }
}

/* ---- Matrices ---- */

/* Makes `count` vectors of `length` (count <= length), which lie one after the other, orthonormal: by Gram and Schmidt, twice
 * each, which is as exact as a reflection (Giraud, Langou, Rozloznik 2005). */
static void orthonormalize(double *x, int64_t count, int64_t length)
{
    for (int64_t i = 0; i < 2 * count; i++) {
        double *v = x + i / 2 * length, square = 0;
        for (int64_t k = 0; k < i / 2; k++) {
            const double *u = x + k * length;
            double dot = 0;
            for (int64_t j = 0; j < length; j++)
                dot += u[j] * v[j];
            for (int64_t j = 0; j < length; j++)
                v[j] -= dot * u[j];
        }
        for (int64_t j = 0; j < length; j++)
            square += v[j] * v[j];
        for (int64_t j = 0; j < length; j++)
            v[j] /= sqrt(square);
    }
}

static void fill_orthogonal(const lth_init *init, uint32_t id, uint64_t seed, const lth_shape *shape, void *out)
{
    int64_t rows = shape->dim[0], columns = rows ? lth_shape_count(shape) / rows : 0;
    int64_t count = rows < columns ? rows : columns, length = rows < columns ? columns : rows;
    double *x = memory_new((size_t)(count * length + 1) * sizeof *x);
    for (int64_t i = 0; i < count * length; i++)
        x[i] = lth_random_normal(seed, id, 0, LTH_STREAM_INIT, i);
    orthonormalize(x, count, length);
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < columns; c++)
            put(out, shape->dtype, r * columns + c, init->a * (rows < columns ? x[r * length + c] : x[c * length + r]));
    free(x);
}

static void fill_identity(const lth_init *init, const lth_shape *shape, void *out)
{
    int64_t count = lth_shape_count(shape), kernel = 1, middle = 0;
    for (int32_t i = 2; i < shape->rank; i++) {
        middle = middle * shape->dim[i] + shape->dim[i] / 2;
        kernel *= shape->dim[i];
    }
    if (count == 0)
        return;
    int64_t row = count / shape->dim[0], group = shape->dim[0] / (int64_t)init->b;
    for (int64_t i = 0; i < count; i++)
        put(out, shape->dtype, i, i % row == i / row % group * kernel + middle ? init->a : 0);
}

const char *init_fault(const lth_init *init, const lth_shape *shape)
{
    bool matrix = shape->rank >= 2;
    switch (init->kind) {
    case LTH_INIT_CONSTANT:
        return NULL;
    case LTH_INIT_UNIFORM:
    case LTH_INIT_NORMAL:
    case LTH_INIT_TRUNCATED_NORMAL:
        return isfinite(init->a) && isfinite(init->b) ? NULL : "a distribution's numbers are finite";
    case LTH_INIT_VALUES:
        return init->values ? NULL : "initial values without values";
    case LTH_INIT_TRUNCATED:
        return init->values && init->values[0] < init->values[1]
                   ? NULL
                   : "a truncated normal wants two values, a low end and a high one";
    case LTH_INIT_ORTHOGONAL:
        return !matrix              ? "an orthogonal matrix has two axes at least"
               : init->zero_row > 0 ? "an orthogonal matrix has no row of zeros"
                                    : NULL;
    case LTH_INIT_IDENTITY:
        return !matrix              ? "an identity has two axes at least"
               : init->zero_row > 0 ? "an identity has no row of zeros"
               : !(init->b >= 1 && init->b <= 1e9) || shape->dim[0] % (int64_t)init->b != 0
                   ? "the groups of an identity divide its rows"
                   : NULL;
    default:
        return "unknown kind of initial values";
    }
}

void init_fill(const lth_init *init, const char *name, uint64_t seed, const lth_shape *shape, void *out)
{
    uint32_t id = (uint32_t)hash_of(name, strlen(name)); /* which "random op" this is: the step is 0, or the redraw */
    int64_t count = lth_shape_count(shape);
    if (init->kind == LTH_INIT_ORTHOGONAL) {
        fill_orthogonal(init, id, seed, shape, out);
        return;
    }
    if (init->kind == LTH_INIT_IDENTITY) {
        fill_identity(init, shape, out);
        return;
    }
    int64_t row = shape->rank > 0 && shape->dim[0] > 0 ? count / shape->dim[0] : 0; /* elements of one */
    for (int64_t i = 0; i < count; i++) {
        bool zero = row > 0 && i / row == (int64_t)init->zero_row - 1;
        put(out, shape->dtype, i, zero ? 0 : draw(init, seed, id, i));
    }
}
