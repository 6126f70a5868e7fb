/* SPDX-License-Identifier: Apache-2.0
 * A small model on an accelerator, driven through engine.h as the trainer drives it. */
#ifndef TEST_ENGINE_FIXTURE_H
#define TEST_ENGINE_FIXTURE_H

#include "accel_fixture.h"
#include "engine/engine.h"
#include "util/str.h"

enum { RIG_IN = 3, RIG_OUT = 4, RIG_BATCH = 8, RIG_MAX_BATCH = 32 };

/* v <- momentum v + g; p <- p - lr v; t <- t + 1. */
struct rig_sgd {
    double lr, momentum;
    lth_slot velocity, count;
};
extern const lth_optimizer rig_sgd_flat; /* elementwise: on the whole group */
extern const lth_optimizer rig_sgd_each; /* the same rule for each parameter */

typedef struct rig {
    bench bench; /* the accelerator */
    engine *g;
    engine_options options;
    error e;
    str printed;                  /* lines, each ended by '\n' */
    lth_parameter w1, b1, w2, b2; /* y = relu(x w1' + b1) w2' + b2, both layers RIG_IN -> RIG_OUT -> 1 */
    lth_buffer seen;              /* f32, rank 0: counts steps where the recipe says so */
    struct rig_sgd sgd[2];        /* an instance a group */
    float x[RIG_MAX_BATCH * RIG_IN], y[RIG_MAX_BATCH];
    engine_field fields[2];
    uint64_t ticket;
} rig;

/* What goes into rig_open; zero: the reference accelerator, F32, flat, one optimizer with one group, no accumulators. */
typedef struct rig_setup {
    const char *accelerator;
    lth_dtype floating, lower, stored;
    uint32_t growth_interval;
    const lth_optimizer *rule;
    const lth_strategy *strategy;
    bool eager, no_fusion, profile, accumulate, check_only;
    int groups;     /* 2: layer one and layer two, each a group */
    int optimizers; /* 2: layer one and layer two, each an optimizer */
} rig_setup;
void rig_open(rig *r, const rig_setup *s);
void rig_close(rig *r);
/* Whether an accelerator was built here. */
bool rig_has(const char *accelerator);

/* What a step does; zero: a plain training step with an update. */
typedef struct rig_recipe {
    const char *hook; /* NULL: "training_step" */
    int batch, first; /* rows of r->x; 0: RIG_BATCH */
    bool evaluate, record_only, no_update, count_seen, guard, add_accumulated, accumulate;
    double clip_norm, clip_value, divisor, loss_scale;
    uint32_t step;
} rig_recipe;
/* The model's loss (mean squared error) within a step. */
lth_tensor rig_loss(rig *r, lth_trace *t);
/* Begins a step; the recipe may be NULL. */
lth_trace *rig_begin(rig *r, const rig_recipe *recipe);
/* A whole step; returns its status, with the message in r->e. The loss is output 0. */
lth_status rig_step(rig *r, const rig_recipe *recipe);
/* The same, which must succeed; returns the loss. */
double rig_train(rig *r, const rig_recipe *recipe);
/* Ends a step that was begun; the message is in r->e. */
lth_status rig_end(rig *r);

/* A named tensor of the state, as doubles; returns the number of elements. Fails the test where there is none. */
int64_t rig_get(rig *r, const char *name, double *out);
double rig_get_first(rig *r, const char *name);
/* All state, byte for byte: its hash. */
uint64_t rig_state_hash(rig *r);
engine_stats rig_stats(rig *r);

#define RIG_HERE __FILE__, __LINE__

/* A strategy's transform that writes the graph as it is. */
lth_status rig_rewrite(void *self, const lth_graph *in, lth_graph_builder *out);

#endif
