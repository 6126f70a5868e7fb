/* SPDX-License-Identifier: Apache-2.0 */
#include "half.h"

#include "ops_support.h"

#include <lthost/accel/plain/convert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

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

uint32_t half_drawn(bench *b, lth_shape s, uint64_t seed)
{
    int64_t n = lth_shape_count(&s);
    double *x = calloc((size_t)n + 1, sizeof *x);
    for (int64_t i = 0; i < n; i++)
        x[i] = half_to_bench(s.dtype, half_rounded(LTH_BF16, bench_random_real(&seed, -1, 2)));
    uint32_t v = bench_input(b, s, x);
    free(x);
    return v;
}

double half_error(const bench *b, const bench *reference, uint32_t slot)
{
    double error = 0, size = 0;
    for (int64_t i = 0; i < lth_shape_count(&b->output_shapes[slot]); i++) {
        double wanted = bench_get(reference, slot, i), got = half_of_bench(b->output_shapes[slot].dtype, bench_get(b, slot, i));
        error += (got - wanted) * (got - wanted);
        size += wanted * wanted;
    }
    return sqrt(error) / (sqrt(size) + 1e-30);
}

static void line(void *context, const char *text) { strncat(context, text, 4095 - strlen(context)); }

bool half_plan_tells(const bench *b, const char *words, char out[4096])
{
    out[0] = 0;
    b->accelerator->describe(b->self, b->plan, line, out);
    return strstr(out, words) != NULL;
}
