/* SPDX-License-Identifier: Apache-2.0
 * accel/layout.h: where every value of a fusion lies. Between fusion.h and schedule.h; accelerators need not look. */
#ifndef LTHOST_ACCEL_LAYOUT_H
#define LTHOST_ACCEL_LAYOUT_H

#include "program.h"

typedef struct accel_layout_plan {
    accel_layout layout;     /* what programs are made with; points into the tables below */
    accel_place *own;        /* by value */
    accel_place *partials;   /* by node */
    accel_place *workspaces; /* by node */
    const accel_view **in;   /* by value */
    uint8_t *elided;         /* by unit: a MOVE whose source is made in its place */
    uint8_t *in_place;       /* by node: an ASSIGN whose value is made in its place */
    accel_memory memory;
} accel_layout_plan;

/* LTH_NO_MEMORY. Borrows the fusion. Free with accel_layout_free in either case. */
lth_status accel_layout_new(const accel_fusion *f, const accel_schedule_options *options, accel_layout_plan *out);
void accel_layout_free(accel_layout_plan *l);

#endif
