/* SPDX-License-Identifier: Apache-2.0
 * engine/init.c: initial values, drawn with Philox. */
#include "engine/state.h"
#include "util/hash.h"

#include <lthost/random.h>
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
    case LTH_INIT_VALUES:
        return init->values[i];
    default:
        return init->a;
    }
}

void init_fill(const lth_init *init, const char *name, uint64_t seed, const lth_shape *shape, void *out)
{
    uint32_t id = (uint32_t)hash_of(name, strlen(name)); /* which "random op" this is: the step is 0, or the redraw */
    int64_t count = lth_shape_count(shape);
    int64_t row = shape->rank > 0 && shape->dim[0] > 0 ? count / shape->dim[0] : 0; /* elements of one */
    for (int64_t i = 0; i < count; i++) {
        bool zero = row > 0 && i / row == (int64_t)init->zero_row - 1;
        put(out, shape->dtype, i, zero ? 0 : draw(init, seed, id, i));
    }
}
