/* SPDX-License-Identifier: Apache-2.0
 * Part of tile_template.h: the step of Adam (Kingma & Ba 2015), with a weight decay apart from the gradient (Loshchilov & Hutter
 * 2019) or without, in one pass: ten instructions or nine, each rounded as by itself. So memory comes while the processor
 * divides. The instructions are those of adam[] in program.c. */
static inline __attribute__((always_inline)) void TILE(adam_loop)(bool decays, const accel_instruction *ins, void *const *slots,
                                                                  int64_t n)
{
    const accel_instruction *i = decays ? ins : ins - 1; /* so that they count as if there were one for the decay */
    const float *p = decays ? slots[i[0].in[0]] : slots[i[9].in[0]], *g = slots[i[1].in[0]], *m = slots[i[1].in[1]];
    const float *v = slots[i[4].in[0]];
    float *p_next = slots[i[9].out], *m_next = slots[i[2].out], *v_next = slots[i[4].out];
    const float decay = decays ? *(const float *)slots[i[0].in[1]] : 0, beta1_rest = *(const float *)slots[i[1].in[2]];
    const float beta2_rest = *(const float *)slots[i[3].in[2]], beta2 = *(const float *)slots[i[4].in[1]];
    const float root = *(const float *)slots[i[6].in[1]], eps = *(const float *)slots[i[7].in[1]];
    const float rate = *(const float *)slots[i[8].in[1]];
    TILE_LOOP
    for (int64_t k = 0; k < n; k++) {
        float from = decays ? p[k] - p[k] * decay : p[k], d = g[k];
        float mean = m[k] + (d - m[k]) * beta1_rest, square = v[k] * beta2 + d * d * beta2_rest;
        m_next[k] = mean;
        v_next[k] = square;
        p_next[k] = from - mean * rate / (tile_sqrt_f32(square) / root + eps);
    }
}

static void TILE(adam)(const accel_instruction *ins, void *const *slots, int64_t n)
{
    if (ins->adam == 10)
        TILE(adam_loop)(true, ins, slots, n);
    else
        TILE(adam_loop)(false, ins, slots, n);
}
