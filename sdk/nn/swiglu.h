/* SPDX-License-Identifier: Apache-2.0
 * lthost/nn/swiglu.h: down(silu(gate(x)) up(x)), a gated pair of linear layers (Shazeer 2020), with Llama's names. [main] */
#ifndef LTHOST_NN_SWIGLU_H
#define LTHOST_NN_SWIGLU_H

#include "activation.h"
#include "check.h"
#include "init.h"
#include "linear.h"

#include <string.h>

LTH_BEGIN_C
#pragma push_macro("LTH_HERE")
#undef LTH_HERE
#define LTH_HERE file, line

typedef struct lth_swiglu_layer {
    lth_linear gate_proj, up_proj, down_proj; /* (F, C), (F, C), (C, F) */
} lth_swiglu_layer;

typedef struct lth_swiglu_args {
    int64_t hidden LTH_ZERO;
    const lth_init *weight LTH_ZERO; /* default: normal, 0.02 */
} lth_swiglu_args;

static inline lth_swiglu_layer lth_swiglu_new_(lth_setup *s, const char *name, int64_t C, const lth_swiglu_args *a,
                                               const char *file, uint32_t line)
{
    const lth_init normal = { LTH_INIT_NORMAL, 0, 0, 0.02, NULL }, *weight = a->weight ? a->weight : &normal;
    lth_swiglu_layer m;
    memset(&m, 0, sizeof m);
    if (a->hidden < 1) {
        s->api->fail(s, file, line, "SwiGLU: the width within must be at least 1");
        return m;
    }
    s->api->module(s, name, "SwiGLU");
    lth_enter(s, name);
    m.gate_proj = lth_linear_new(s, "gate_proj", C, a->hidden, .weight = weight, .no_bias = 1);
    m.up_proj = lth_linear_new(s, "up_proj", C, a->hidden, .weight = weight, .no_bias = 1);
    m.down_proj = lth_linear_new(s, "down_proj", a->hidden, C, .weight = weight, .no_bias = 1);
    lth_leave(s);
    return m;
}

/* x (..., C) -> the same. */
static inline lth_tensor lth_swiglu_apply_(const lth_swiglu_layer *m, lth_tensor x, const char *file, uint32_t line)
{
    if (x.trace && !m->gate_proj.weight.id)
        return lth_nn_fail_(x, file, line, "this SwiGLU was never made: call lth_swiglu_new in configure");
    lth_tensor wide = lth_swiglu(lth_linear_apply(&m->gate_proj, x), lth_linear_apply(&m->up_proj, x));
    return lth_linear_apply(&m->down_proj, wide);
}

#pragma pop_macro("LTH_HERE")
/* m->mlp = lth_swiglu_new(s, "mlp", C, F); an option follows: .weight */
#define lth_swiglu_new(s, name, channels, ...) \
    lth_swiglu_new_((s), (name), (channels), LTH_REF(lth_swiglu_args, .hidden = __VA_ARGS__), LTH_HERE)
#define lth_swiglu_apply(m, x) lth_swiglu_apply_((m), (x), LTH_HERE)

LTH_END_C
#endif
