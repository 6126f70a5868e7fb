/* SPDX-License-Identifier: Apache-2.0
 * planar_tiles.h: the two products that a convolution of few channels is made of where images lie plane by plane. A strip is a
 * vector of neighbours in a row; six channels by two strips, or by two terms, are summed in registers. */

static void planar_keep(vector sum, float *y, int32_t n)
{
    float rest[FLOATS];
    if (n == FLOATS) {
        vector_store(y, sum);
        return;
    }
    vector_store(rest, sum);
    memcpy(y, rest, (size_t)n * sizeof *y);
}

static void planar_rows(const cpu_planar_rows *c)
{
    const float *weight = c->weight;
    for (int64_t first = 0; first < c->columns; first += PLANAR_COLUMNS, weight += c->terms * PLANAR_COLUMNS)
        for (int32_t t = 0; t < c->strips; t += 2) {
            int32_t u = t + 1 < c->strips ? t + 1 : t;
            int64_t columns = c->columns - first < PLANAR_COLUMNS ? c->columns - first : PLANAR_COLUMNS;
            const float *left = c->source + c->strip[t], *right = c->source + c->strip[u], *w = weight;
            vector sum[PLANAR_COLUMNS][2] = { { { 0 } } };
            for (int32_t l = 0; l < c->terms; l++, w += PLANAR_COLUMNS) {
                vector x = vector_load(left + c->term[l]), y = vector_load(right + c->term[l]);
#pragma GCC unroll 6
                for (int i = 0; i < PLANAR_COLUMNS; i++) {
                    vector by = vector_of(w[i]);
                    sum[i][0] = vector_fma(by, x, sum[i][0]);
                    sum[i][1] = vector_fma(by, y, sum[i][1]);
                }
            }
#pragma GCC unroll 6
            for (int i = 0; i < PLANAR_COLUMNS; i++)
                if (i < columns) {
                    float *to = c->result + (first + i) * c->result_plane;
                    planar_keep(sum[i][0], to + c->to[t], c->lanes[t]);
                    planar_keep(sum[i][1], to + c->to[u], c->lanes[u]);
                }
        }
}

/* The lanes' sum, halves first. */
static inline float planar_total(vector x)
{
#if defined(__AVX512F__)
    return _mm512_reduce_add_ps(x);
#else
    float lane[FLOATS];
    vector_store(lane, x);
    for (int width = FLOATS / 2; width; width /= 2)
        for (int i = 0; i < width; i++)
            lane[i] += lane[i + width];
    return lane[0];
#endif
}

static void planar_sums(const cpu_planar_sums *c)
{
    const int64_t blocks = (c->columns + PLANAR_COLUMNS - 1) / PLANAR_COLUMNS,
                  block = (int64_t)c->strips * PLANAR_COLUMNS * FLOATS;
    for (int64_t b = 0; b < blocks; b++)
        for (int32_t l = 0; l < c->terms; l += 2) {
            int32_t second = l + 1 < c->terms ? l + 1 : l;
            vector sum[PLANAR_COLUMNS][2] = { { { 0 } } };
            for (int64_t n = 0; n < c->images; n++) {
                const float *left = c->source + n * c->image + c->term[l], *right = c->source + n * c->image + c->term[second];
                const float *d = c->gradient + (n * blocks + b) * block;
                for (int32_t t = 0; t < c->strips; t++, d += PLANAR_COLUMNS * FLOATS) {
                    vector x = vector_load(left + c->strip[t]), y = vector_load(right + c->strip[t]);
#pragma GCC unroll 6
                    for (int i = 0; i < PLANAR_COLUMNS; i++) {
                        vector by = vector_load(d + i * FLOATS);
                        sum[i][0] = vector_fma(by, x, sum[i][0]);
                        sum[i][1] = vector_fma(by, y, sum[i][1]);
                    }
                }
            }
#pragma GCC unroll 6
            for (int i = 0; i < PLANAR_COLUMNS; i++) {
                int64_t k = b * PLANAR_COLUMNS + i;
                float *to = c->result + k * c->terms;
                if (k >= c->columns)
                    continue;
                to[l] = planar_total(sum[i][0]) + (c->add ? to[l] : 0);
                if (second != l)
                    to[second] = planar_total(sum[i][1]) + (c->add ? to[second] : 0);
            }
        }
}

/* ---- Max pooling, two by two ---- */

typedef int32_t planar_ints __attribute__((vector_size(VECTOR)));

/* Two vectors' elements with even numbers, and those with odd ones. */
static inline void planar_halves(const float *x, vector *even, vector *odd)
{
#if defined(__AVX512F__)
    const __m512i step = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    __m512 a = _mm512_loadu_ps(x), b = _mm512_loadu_ps(x + FLOATS);
    *even = _mm512_permutex2var_ps(a, step, b);
    *odd = _mm512_permutex2var_ps(a, _mm512_add_epi32(step, _mm512_set1_epi32(1)), b);
#elif defined(__AVX2__)
    __m256 a = _mm256_loadu_ps(x), b = _mm256_loadu_ps(x + FLOATS);
    *even = (vector)_mm256_permute4x64_pd((__m256d)_mm256_shuffle_ps(a, b, 0x88), 0xd8);
    *odd = (vector)_mm256_permute4x64_pd((__m256d)_mm256_shuffle_ps(a, b, 0xdd), 0xd8);
#else
    for (int i = 0; i < FLOATS; i++) {
        (*even)[i] = x[2 * i];
        (*odd)[i] = x[2 * i + 1];
    }
#endif
}

/* The greater of best and x, whose place is `place`: the first of equals; NaN wins. */
static inline void planar_greater(vector *best, planar_ints *at, vector x, int32_t place)
{
    planar_ints wins = (x > *best) | ((x != x) & (*best == *best)), places = (planar_ints) { 0 } + place;
    *best = (vector)((wins & (planar_ints)x) | (~wins & (planar_ints)*best));
    *at = (wins & places) | (~wins & *at);
}

/* A vector of results, of which there are n: of rows x and x + width, whose first element has the index `first`. */
static inline void planar_pool_vector(const float *x, int64_t width, int64_t first, float *y, int64_t *index, int64_t n)
{
    vector best, right;
    planar_ints at = { 0 };
    float rows[2][2 * FLOATS], greatest[FLOATS];
    int32_t place[FLOATS];
    int64_t places[FLOATS];
    if (n < FLOATS) { /* nothing beyond the row is read */
        memset(rows, 0, sizeof rows);
        memcpy(rows[0], x, (size_t)(2 * n) * sizeof *x);
        memcpy(rows[1], x + width, (size_t)(2 * n) * sizeof *x);
    }
    planar_halves(n < FLOATS ? rows[0] : x, &best, &right);
    planar_greater(&best, &at, right, 1);
    vector low, low_right;
    planar_halves(n < FLOATS ? rows[1] : x + width, &low, &low_right);
    planar_greater(&best, &at, low, (int32_t)width);
    planar_greater(&best, &at, low_right, (int32_t)width + 1);
    memcpy(place, &at, sizeof place);
    vector_store(greatest, best);
    for (int i = 0; i < FLOATS; i++)
        places[i] = first + 2 * i + place[i];
    memcpy(y, greatest, (size_t)n * sizeof *y);
    memcpy(index, places, (size_t)n * sizeof *index);
}

static void planar_pool(const float *x, int64_t width, int64_t rows, int64_t n, float *y, int64_t *index)
{
    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = 0; i < n; i += FLOATS) {
            int64_t here = n - i < FLOATS ? n - i : FLOATS, first = 2 * r * width + 2 * i;
            planar_pool_vector(x + first, width, first, y + r * n + i, index + r * n + i, here);
        }
}
