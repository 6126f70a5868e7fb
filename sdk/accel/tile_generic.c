/* SPDX-License-Identifier: Apache-2.0
 * The interpreter for the least instruction set of the target, and what needs none. */
#define TILE(name) name##_generic
#include "tile_template.h"

#include <stdio.h>
#include <stdlib.h>

static double pairwise(const double *x, int64_t n)
{
    return n == 0 ? 0 : n == 1 ? x[0] : pairwise(x, n / 2) + pairwise(x + n / 2, n - n / 2);
}

void accel_program_finish(const accel_program *p, const accel_tile_run *run)
{
    int64_t tiles = accel_program_tiles(p);
    for (uint32_t i = 0; i < p->total_count; i++) {
        const accel_total *t = &p->totals[i];
        const double *partials = run->pointers[t->partials];
        double value = 1;
        if (t->op == ACCEL_TILE_SUM)
            value = pairwise(partials, tiles) / t->divisor;
        else
            for (int64_t k = 0; k < tiles; k++)
                value *= partials[k];
        cast_f64_generic(t->dtype, &value, run->pointers[t->result], 1);
    }
}

void accel_program_free(accel_program *p)
{
    if (!p)
        return;
    free(p->slots);
    free(p->instructions);
    free(p->views);
    free(p->totals);
    free(p);
}

void accel_program_text(const accel_program *p, char *text, size_t size)
{
    snprintf(text, size, "%u instructions on %lld elements, tiles of %lld", p->instruction_count, (long long)p->count, (long long)p->tile);
}
