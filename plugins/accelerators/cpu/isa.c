/* SPDX-License-Identifier: Apache-2.0 */
#include "isa.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static const cpu_kernel_table *choose(void)
{
    const cpu_kernel_table *fit[3];
    int count = 0;
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512dq"))
        fit[count++] = &cpu_kernels_avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        fit[count++] = &cpu_kernels_avx2;
#endif
    fit[count++] = &cpu_kernels_baseline;
    const char *wanted = getenv("LTHOST_CPU_ISA");
    for (int i = 0; wanted && i < count; i++)
        if (strcmp(fit[i]->name, wanted) == 0)
            return fit[i];
    return fit[0];
}

const cpu_kernel_table *cpu_kernels(void)
{
    static const cpu_kernel_table *table; /* same value from whichever thread comes first */
    if (!table)
        table = choose();
    return table;
}
