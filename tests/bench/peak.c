/* SPDX-License-Identifier: Apache-2.0
 * bench_peak: what this machine can do at most, as the accelerator's figures are read against it: matrix products by the better
 * of oneDNN and OpenBLAS, and memory beyond all caches, copied and added (McCalpin's triad). Bytes that a cache reads before it
 * writes a line are not counted.
 *
 *     bench_peak [threads]        default: 1 */
#include <cblas.h>
#include <oneapi/dnnl/dnnl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { N = 1024, FLOATS = 1 << 24, TIMES = 8 };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static float *floats(size_t count)
{
    float *at = malloc(count * sizeof *at);
    if (!at)
        exit(1);
    for (size_t i = 0; i < count; i++)
        at[i] = (float)(i % 97) / 97;
    return at;
}

static void by_onednn(const float *a, const float *b, float *c) { dnnl_sgemm('N', 'N', N, N, N, 1, a, N, b, N, 0, c, N); }

static void by_openblas(const float *a, const float *b, float *c)
{
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, N, N, N, 1, a, N, b, N, 0, c, N);
}

/* What the compiler makes of `#pragma omp parallel`, called by its name, since clang has another runtime for it. */
void GOMP_parallel(void (*part)(void *), void *data, unsigned threads, unsigned flags);
int omp_get_thread_num(void);
void omp_set_num_threads(int threads);

static int threads = 1;
static const float *left, *right;
static float *result;

static void part(int *first, int *end)
{
    const int thread = omp_get_thread_num();
    *first = (int)((long)FLOATS * thread / threads);
    *end = (int)((long)FLOATS * (thread + 1) / threads);
}

static void copy_part(void *nothing)
{
    int i, end;
    (void)nothing;
    for (part(&i, &end); i < end; i++)
        result[i] = left[i];
}

static void triad_part(void *nothing)
{
    int i, end;
    (void)nothing;
    for (part(&i, &end); i < end; i++)
        result[i] = left[i] + 3 * right[i];
}

static void by_copy(const float *a, const float *b, float *c)
{
    left = a, right = b, result = c;
    GOMP_parallel(copy_part, NULL, (unsigned)threads, 0);
}

static void by_triad(const float *a, const float *b, float *c)
{
    left = a, right = b, result = c;
    GOMP_parallel(triad_part, NULL, (unsigned)threads, 0);
}

static double least(void (*work)(const float *, const float *, float *), const float *a, const float *b, float *c)
{
    double best = 1e9;
    for (int i = 0; i <= TIMES; i++) { /* the first warms up */
        double start = now();
        work(a, b, c);
        double time = now() - start;
        best = i && time < best ? time : best;
    }
    return best;
}

int main(int argc, char **argv)
{
    threads = argc > 1 && atoi(argv[1]) > 0 ? atoi(argv[1]) : 1;
    float *a = floats(FLOATS), *b = floats(FLOATS), *c = floats(FLOATS);
    omp_set_num_threads(threads);
    openblas_set_num_threads(threads);
    const double flops = 2.0 * N * N * N, bytes = 4.0 * FLOATS;
    const double onednn = flops / least(by_onednn, a, b, c), openblas = flops / least(by_openblas, a, b, c);
    printf("threads=%d gemm %.1f GFLOP/s (oneDNN %.1f, OpenBLAS %.1f), copy %.1f GB/s, triad %.1f GB/s\n", threads,
           1e-9 * (onednn > openblas ? onednn : openblas), 1e-9 * onednn, 1e-9 * openblas, 2e-9 * bytes / least(by_copy, a, b, c),
           3e-9 * bytes / least(by_triad, a, b, c));
    free(a);
    free(b);
    free(c);
    return 0;
}
