/* SPDX-License-Identifier: Apache-2.0 */
#include "isa.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_SETS = 3 };

/* Those that this processor has, the best first. */
static int available(const cpu_kernel_table *sets[MOST_SETS])
{
    int count = 0;
#if defined(__x86_64__)
    __builtin_cpu_init();
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512dq"))
        sets[count++] = &cpu_kernels_avx512;
    if (avx2)
        sets[count++] = &cpu_kernels_avx2;
#endif
    sets[count++] = &cpu_kernels_baseline;
    return count;
}

static const cpu_kernel_table *chosen;

bool cpu_kernels_choose(const char *wanted, char *names, size_t size)
{
    const cpu_kernel_table *sets[MOST_SETS];
    int count = available(sets);
    names[0] = 0;
    chosen = wanted ? NULL : sets[0];
    for (int i = 0; i < count; i++) {
        if (wanted && strcmp(sets[i]->name, wanted) == 0)
            chosen = sets[i];
        strncat(names, i ? ", " : "", size - strlen(names) - 1);
        strncat(names, sets[i]->name, size - strlen(names) - 1);
    }
    return chosen != NULL;
}

const cpu_kernel_table *cpu_kernels(void) { return chosen; }
