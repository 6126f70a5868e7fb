/* SPDX-License-Identifier: Apache-2.0 */
#include "half.h"

#include <lthost/accel/plain/convert.h>

double half_rounded(lth_dtype dtype, double x)
{
    double stored;
    if (!lth_dtype_is_float(dtype))
        return x;
    plain_store_float(dtype, &stored, 0, x);
    return plain_load_float(dtype, &stored, 0);
}

double half_to_bench(lth_dtype dtype, double x)
{
    uint16_t bits;
    if (!half_is(dtype))
        return x;
    plain_store_float(dtype, &bits, 0, x);
    return bits;
}

double half_of_bench(lth_dtype dtype, double x)
{
    uint16_t bits = (uint16_t)x;
    return half_is(dtype) ? plain_load_float(dtype, &bits, 0) : x;
}
