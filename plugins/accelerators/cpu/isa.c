/* SPDX-License-Identifier: Apache-2.0 */
#define _DEFAULT_SOURCE /* syscall */
#include "isa.h"

#include "half_kernels.h"
#include "image_kernels.h"
#include "kernel.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

enum { MOST_SETS = 3 };

typedef struct kernel_set {
    const cpu_kernel_table *kernels;
    const cpu_image_kernel_table *images;
} kernel_set;

/* Those that this processor has, the best first. */
static int available(kernel_set sets[MOST_SETS])
{
    int count = 0;
#if defined(__x86_64__)
    __builtin_cpu_init();
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512dq"))
        sets[count++] = (kernel_set) { &cpu_kernels_avx512, &cpu_image_kernels_avx512 };
    if (avx2)
        sets[count++] = (kernel_set) { &cpu_kernels_avx2, &cpu_image_kernels_avx2 };
#endif
    sets[count++] = (kernel_set) { &cpu_kernels_baseline, &cpu_image_kernels_baseline };
    return count;
}

static kernel_set chosen;
static bool has_matrix_unit;

/* Whether the processor multiplies tiles of bf16, and the kernel lets this process use them: their state is large, so that it
 * wants to be asked (Documentation/arch/x86/xstate.rst). */
static bool find_matrix_unit(void)
{
#if defined(__x86_64__) && defined(__linux__)
    const unsigned tiles_of_bf16 = 1u << 22 | 1u << 24;
    const long request_permission = 0x1023, tile_data = 18;
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d & tiles_of_bf16) == tiles_of_bf16 &&
           __builtin_cpu_supports("avx512bf16") && syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
#else
    return false;
#endif
}

bool cpu_kernels_choose(const char *wanted, char *names, size_t size)
{
    kernel_set sets[MOST_SETS];
    int count = available(sets);
    names[0] = 0;
    chosen = wanted ? (kernel_set) { NULL, NULL } : sets[0];
    for (int i = 0; i < count; i++) {
        if (wanted && strcmp(sets[i].kernels->name, wanted) == 0)
            chosen = sets[i];
        strncat(names, i ? ", " : "", size - strlen(names) - 1);
        strncat(names, sets[i].kernels->name, size - strlen(names) - 1);
    }
    has_matrix_unit = find_matrix_unit();
    return chosen.kernels != NULL;
}

const cpu_kernel_table *cpu_kernels(void) { return chosen.kernels; }
const cpu_image_kernel_table *cpu_image_kernels(void) { return chosen.images; }

bool cpu_bf16_is(const char *way)
{
    const char *wanted = getenv("LTHOST_CPU_BF16");
    return wanted && strcmp(wanted, way) == 0;
}

const cpu_half_kernel_table *cpu_half_gemm_kernels(void)
{
    if (cpu_bf16_is("library"))
        return NULL;
#if defined(__x86_64__)
    if (chosen.kernels == &cpu_kernels_avx512 && has_matrix_unit)
        return &cpu_half_tiles_amx;
#endif
    return cpu_bf16_is("tiles") ? &cpu_half_tiles_baseline : NULL;
}

static const cpu_half_kernel_table *dot_products(void)
{
#if defined(__x86_64__)
    if (chosen.kernels == &cpu_kernels_avx512 && __builtin_cpu_supports("avx512bf16"))
        return cpu_multiplies_bf16() ? &cpu_half_kernels_avx512bf16 : NULL;
#endif
    return cpu_bf16_is("library") || cpu_bf16_is("tiles") ? &cpu_half_kernels_baseline : NULL;
}

const cpu_half_kernel_table *cpu_half_conv_kernels(int64_t channels, int64_t columns)
{
    const cpu_half_kernel_table *const tables[] = { cpu_half_gemm_kernels(), dot_products() };
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        if (tables[i] && channels % tables[i]->channels == 0 && columns % tables[i]->channels == 0)
            return tables[i];
    return NULL;
}
