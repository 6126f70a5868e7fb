/* SPDX-License-Identifier: Apache-2.0
 * accel/tile_philox.h: random words, for the instruction set that TILE names. */

/* The words of a random op's elements start..start+n-1, rounded up to blocks of four: lth_philox_at, many blocks at a time
 * with the rounds outside, so that there is something to vectorise. */
static void TILE(philox)(uint32_t *words, const accel_tile_run *run, uint32_t id, int64_t start, int64_t n)
{
    enum { LANES = 64 };
    uint32_t c0[LANES], c1[LANES], c2[LANES], c3[LANES];
    for (int64_t done = 0; done < n; done += 4 * LANES) {
        int lanes = n - done < 4 * LANES ? (int)((n - done + 3) / 4) : LANES;
        uint32_t first = (uint32_t)((start + done) / 4), k0 = (uint32_t)run->seed, k1 = (uint32_t)(run->seed >> 32);
        for (int i = 0; i < lanes; i++) {
            c0[i] = first + (uint32_t)i;
            c1[i] = id;
            c2[i] = run->step;
            c3[i] = run->stream;
        }
        for (int round = 0; round < 10; round++, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u)
            for (int i = 0; i < lanes; i++) {
                uint64_t p0 = (uint64_t)0xD2511F53u * c0[i], p1 = (uint64_t)0xCD9E8D57u * c2[i];
                c0[i] = (uint32_t)(p1 >> 32) ^ c1[i] ^ k0;
                c2[i] = (uint32_t)(p0 >> 32) ^ c3[i] ^ k1;
                c1[i] = (uint32_t)p1;
                c3[i] = (uint32_t)p0;
            }
        for (int i = 0; i < lanes; i++, words += 4) {
            words[0] = c0[i];
            words[1] = c1[i];
            words[2] = c2[i];
            words[3] = c3[i];
        }
    }
}
