/* SPDX-License-Identifier: Apache-2.0
 * Part of tile_template.h: what the instructions of a floating type T are made of. */
static void TILE_T(cast)(lth_dtype to, const T *x, void *out, int64_t n)
{
    switch (to) {
        TILE_CAST(LTH_F32, float, (float)x[i])
        TILE_CAST(LTH_F64, double, x[i])
        TILE_CAST(LTH_BF16, uint16_t, tile_bf16((float)x[i]))
        TILE_CAST(LTH_F16, uint16_t, tile_f16((float)x[i]))
        TILE_CAST(LTH_I64, int64_t, tile_i64(x[i]))
        TILE_CAST(LTH_I32, int32_t, (int32_t)tile_clamped(x[i], INT32_MIN, INT32_MAX))
        TILE_CAST(LTH_U8, uint8_t, (uint8_t)tile_clamped(x[i], 0, UINT8_MAX))
        TILE_CAST(LTH_I8, int8_t, (int8_t)tile_clamped(x[i], INT8_MIN, INT8_MAX))
        TILE_CAST(LTH_BOOL, uint8_t, x[i] != 0)
    default:
        return;
    }
}

/* Elements start.. of a random op; a tile starts at a multiple of 4, so whole blocks are used but for the last. */
static void TILE_T(random)(const accel_instruction *ins, const accel_tile_run *run, const void *const *in, T *y, int64_t start,
                           int64_t n)
{
    const T *x = in[0], *p = in[1];
    if (ins->op == LTH_OP_NORMAL) {
        for (int64_t i = 0; i < n; i++)
            y[i] = (T)lth_random_normal(run->seed, ins->id, run->step, run->stream, start + i);
        return;
    }
    uint32_t words[ACCEL_TILE_MOST + 4];
    TILE(philox)(words, run, ins->id, start, n);
    if (ins->op == LTH_OP_UNIFORM)
        for (int64_t i = 0; i < n; i++)
            y[i] =
                (T)(int32_t)(words[i] >> (ins->to == LTH_BF16 ? 24 : 8)) * (T)(ins->to == LTH_BF16 ? 1.0 / 256 : 1.0 / 16777216);
    else
        for (int64_t i = 0; i < n; i++)
            y[i] = (T)(int32_t)(words[i] >> 8) * (T)(1.0 / 16777216) >= p[i] ? x[i] / (1 - p[i]) : 0;
}

/* Sixteen running sums, so that there is something to vectorise and the order is the same everywhere. */
static double TILE_T(sum)(const T *x, int64_t n)
{
    double lane[16] = { 0 }, sum = 0;
    int64_t i = 0;
    for (; i + 16 <= n; i += 16)
        for (int k = 0; k < 16; k++)
            lane[k] += x[i + k];
    for (int k = 0; i < n; i++, k++)
        lane[k] += x[i];
    for (int k = 0; k < 16; k++)
        sum += lane[k];
    return sum;
}

static double TILE_T(all_finite)(const T *x, int64_t n)
{
    int bad = 0;
    for (int64_t i = 0; i < n; i++)
        bad |= !(x[i] - x[i] == 0);
    return !bad;
}
