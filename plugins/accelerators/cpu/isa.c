/* SPDX-License-Identifier: Apache-2.0 */
#include "isa.h"

#include "half_kernels.h"
#include "image_kernels.h"
#include "kernel.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

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
    return chosen.kernels != NULL;
}

const cpu_kernel_table *cpu_kernels(void) { return chosen.kernels; }
const cpu_image_kernel_table *cpu_image_kernels(void) { return chosen.images; }

const cpu_half_kernel_table *cpu_half_kernels(void)
{
#if defined(__x86_64__)
    if (chosen.kernels == &cpu_kernels_avx512 && __builtin_cpu_supports("avx512bf16"))
        return cpu_multiplies_bf16() ? &cpu_half_kernels_avx512bf16 : NULL;
#endif
    return cpu_emulates_bf16() ? &cpu_half_kernels_baseline : NULL;
}
