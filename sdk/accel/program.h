/* SPDX-License-Identifier: Apache-2.0
 * accel/program.h: from a group or a move (fusion.h) to a tile program, once every value has its place. */
#ifndef LTHOST_ACCEL_PROGRAM_H
#define LTHOST_ACCEL_PROGRAM_H

#include "schedule.h"

/* Where values lie while programs are made. */
typedef struct accel_layout {
    const accel_fusion *fusion;
    const accel_place *own;      /* by value: its own memory; NONE: it stays in the scratch */
    const accel_view *const *in; /* by value: its elements' places within `own`, or NULL: dense */
    const accel_place *partials; /* by node: a total's partial sums */
} accel_layout;

/* Where a value's root is found: bound memory, or its own. */
accel_place accel_layout_place(const accel_layout *l, uint32_t root);

enum { ACCEL_PROGRAM_POINTERS = 4 * ACCEL_TILE_SLOTS };

/* `pointers` gets the places of program->pointer_count pointers, at most ACCEL_PROGRAM_POINTERS. NULL: no memory. */
accel_program *accel_program_of_unit(const accel_layout *l, const accel_unit *u, accel_place *pointers);

/* Elements a tile in programs with totals: one number for all, so that a sum's bits do not depend on what it is fused with. */
enum { ACCEL_TILE_OF_TOTALS = 512 };

/* Partial sums that a total over `count` elements needs, in bytes. */
static inline int64_t accel_partials_bytes(int64_t count)
{
    return (count + ACCEL_TILE_OF_TOTALS - 1) / ACCEL_TILE_OF_TOTALS * (int64_t)sizeof(double);
}

#endif
