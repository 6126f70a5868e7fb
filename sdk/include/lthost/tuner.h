/* SPDX-License-Identifier: Apache-2.0
 * lthost/tuner.h: kind "tuner/1": a search over options of the run file. The host runs trials; the tuner proposes. [main] */
#ifndef LTHOST_TUNER_H
#define LTHOST_TUNER_H

#include "component.h"

LTH_BEGIN_C

typedef struct lth_search_axis {
    const char *key;    /* "optimizer.lr" */
    const char *choices; /* "a|b|c", or NULL */
    double low, high;   /* without choices */
    int32_t log_scale, integer;
} lth_search_axis;

typedef struct lth_trial {
    uint32_t struct_size, value_count;
    int64_t number;
    const char *const *values; /* one an axis, as the run file would have it */
} lth_trial;

typedef struct lth_tuner {
    LTH_COMPONENT_HEAD_
    /* Required. direction: -1 minimizes, 1 maximizes. */
    lth_status (*begin)(void *self, const lth_search_axis *axes, uint32_t count, int32_t direction) LTH_ZERO;
    /* The next trial, or LTH_END. The trial lives until the next call. Required. */
    lth_status (*suggest)(void *self, lth_trial *trial) LTH_ZERO;
    /* An intermediate value; LTH_STOPPED prunes the trial. */
    lth_status (*report)(void *self, int64_t trial, int64_t step, double value) LTH_ZERO;
    lth_status (*finish)(void *self, int64_t trial, lth_status outcome, double value) LTH_ZERO;
} lth_tuner;

#define LTH_TUNER(name, ...)                                                                                            \
    static const lth_tuner name##_tuner = { .struct_size = sizeof(lth_tuner), .instance_size = sizeof(struct name), .id = #name, __VA_ARGS__ }
#define LTH_TUNER_COMPONENT(name) { "tuner/1", &name##_tuner }

LTH_END_C
#endif
