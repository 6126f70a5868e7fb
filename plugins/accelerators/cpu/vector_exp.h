/* SPDX-License-Identifier: Apache-2.0
 * vector_exp.h: exp of a vector of f32. */

/* exp(x) as tile_exp_f32 does it, but below 2^-126 it is 0. */
static inline vec_float exp_vector_float(vec_float x)
{
    const vec_float magic = splat_float(12582912.0f), log2_e = splat_float(1.44269504f), top = splat_float(89.0f);
    mask_float gone = x < splat_float(-87.33654f);
    vec_float c = choose_float(x > top, top, x), shifted = VECTOR_FMA_F32(c, log2_e, magic), n = shifted - magic;
    vec_float r = VECTOR_FMA_F32(n, splat_float(-0.693145752f), c);
    r = VECTOR_FMA_F32(n, splat_float(-1.42860677e-6f), r);
    vec_float p = splat_float(1.9891981314e-04f);
    p = VECTOR_FMA_F32(p, r, splat_float(1.3934541928e-03f));
    p = VECTOR_FMA_F32(p, r, splat_float(8.3333100242e-03f));
    p = VECTOR_FMA_F32(p, r, splat_float(4.1666456810e-02f));
    p = VECTOR_FMA_F32(p, r, splat_float(1.6666666683e-01f));
    p = VECTOR_FMA_F32(p, r, splat_float(5.0000000143e-01f));
    p = VECTOR_FMA_F32(r * r, p, r) + 1.0f;
    mask_float power = ((mask_float)shifted - (mask_float)magic + 127) << 23;
    return (vec_float)((mask_float)(p * (vec_float)power) & ~gone);
}
