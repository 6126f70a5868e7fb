/* SPDX-License-Identifier: Apache-2.0
 * lthost/step.h: what a step function sees: the batch as tensors, logging, and the means of manual optimization.
 *
 * All calls: [main], while the step (or a hook that gets the step) runs. */
#ifndef LTHOST_STEP_H
#define LTHOST_STEP_H

#include "base.h"
#include "tensor.h"

LTH_BEGIN_C

typedef struct lth_step lth_step;

typedef uint32_t lth_stage;
enum {
    LTH_STAGE_TRAIN = 0,
    LTH_STAGE_VALIDATE = 1,
    LTH_STAGE_TEST = 2,
    LTH_STAGE_PREDICT = 3,
    LTH_STAGE_SANITY = 4 /* the sanity check: validation batches before training */
};

typedef uint32_t lth_reduce_fx;
enum { LTH_REDUCE_MEAN = 0, LTH_REDUCE_SUM = 1, LTH_REDUCE_MIN = 2, LTH_REDUCE_MAX = 3, LTH_REDUCE_LAST = 4 };

/* How a value is logged. Switches: 0 default, 1 on, -1 off. Defaults: on_step in training batches, on_epoch elsewhere;
 * logger on; prog_bar off. With both on_step and on_epoch the names are `name_step` and `name_epoch`. */
typedef struct lth_log_args {
    uint32_t struct_size;
    uint32_t line;
    const char *file;
    lth_tensor value; /* rank 0, any numeric type */
    int8_t prog_bar LTH_ZERO, on_step LTH_ZERO, on_epoch LTH_ZERO, logger LTH_ZERO, sync_dist LTH_ZERO;
    uint8_t pad[3] LTH_ZERO;
    lth_reduce_fx reduce LTH_ZERO;  /* over an epoch; the mean is weighted by batch_size */
    uint32_t reserved LTH_ZERO;
    int64_t batch_size LTH_ZERO;    /* the weight; 0: the batch's own size */
} lth_log_args;

typedef struct lth_step_api {
    uint32_t struct_size, reserved;
    /* A field of the batch; poison, with the list of fields there are, if there is none. */
    lth_tensor (*input)(lth_step *s, const char *name, const char *file, uint32_t line);
    void (*log)(lth_step *s, const char *name, const lth_log_args *args);
    lth_stage (*stage)(lth_step *s);
    int64_t (*batch_idx)(lth_step *s);     /* in the epoch */
    int64_t (*batch_size)(lth_step *s);    /* samples in this batch */
    int64_t (*dataloader_idx)(lth_step *s);
    int64_t (*current_epoch)(lth_step *s);
    int64_t (*global_step)(lth_step *s);   /* training steps so far that ended in an update: one, whatever the number of optimizers */
    /* Manual optimization: gradients of `loss` for the parameters of optimizer `index`, clipping as configured, and its
     * update, in the order written. Reads of parameters after it see the new values. */
    void (*minimize)(lth_step *s, uint32_t optimizer, lth_tensor loss, const char *file, uint32_t line);
    /* The second half of it, with gradients at hand, one for each parameter of the optimizer in its order. Both add what was
     * accumulated, and leave nothing of it. */
    void (*update)(lth_step *s, uint32_t optimizer, const lth_tensor *gradients, uint32_t count, const char *file, uint32_t line);
    /* The trace of this step, for a hook that has no tensor at hand. */
    lth_trace *(*trace)(lth_step *s);
    /* In on_after_backward and on_before_optimizer_step: the gradients of an optimizer's parameters, in its order, as symbols
     * (before clipping; accumulated ones in on_before_optimizer_step). NULL elsewhere. Valid until the hook returns. */
    const lth_tensor *(*gradients)(lth_step *s, uint32_t optimizer, uint32_t *count);
    /* Manual optimization: the first half of minimize: gradients of `loss` for the optimizer's parameters, in its order, as
     * symbols that the author may change in the list (clip.h). It lives until the step function returns; NULL and a count of 0
     * after a mistake. */
    lth_tensor *(*backward)(lth_step *s, uint32_t optimizer, lth_tensor loss, uint32_t *count, const char *file, uint32_t line);
    /* Adds gradients to those that the optimizer's next update takes in, in this step or a later one. The model's table must
     * have .accumulates = 1. */
    void (*accumulate)(lth_step *s, uint32_t optimizer, const lth_tensor *gradients, uint32_t count, const char *file, uint32_t line);
    /* Index of [optimizer.NAME] ("": of [optimizer]), for a model that leaves its optimizers to the run file; -1 and a message
     * with the names that there are, where there is none. */
    int32_t (*optimizer)(lth_step *s, const char *name, const char *file, uint32_t line);
    /* Advances the optimizer's schedules that have interval = manual, as scheduler.step() of PyTorch: the updates recorded
     * after it have the new rate. One that looks at a metric takes its newest value. */
    void (*scheduler_step)(lth_step *s, uint32_t optimizer, const char *file, uint32_t line);
} lth_step_api;
struct lth_step { const lth_step_api *api; };

#define lth_input(step, name) (step)->api->input((step), (name), LTH_HERE)
/* lth_log(step, "train_loss", loss, .prog_bar = 1); */
#define lth_log(step, name, ...)                                                                                         \
    (step)->api->log((step), (name),                                                                                     \
                     LTH_REF(lth_log_args, .struct_size = sizeof(lth_log_args), .line = __LINE__, .file = __FILE__, .value = __VA_ARGS__))
#define lth_gradients(step, optimizer, count) (step)->api->gradients((step), (optimizer), (count))

/* Manual optimization. Each `optimizer` is an index: in the order of lth_optimizer_add, or by lth_optimizer_index.
 *
 *   lth_minimize(step, 0, loss);                                   backward and update
 *
 *   uint32_t n;                                                    the same by hand, over two batches
 *   lth_tensor *g = lth_backward(step, 0, lth_div(loss, 2), &n);
 *   if (lth_batch_idx(step) % 2 == 0)
 *       lth_accumulate(step, 0, g, n);
 *   else
 *       lth_optimizer_step(step, 0, g, n);
 */
#define lth_minimize(step, optimizer, loss) (step)->api->minimize((step), (uint32_t)(optimizer), (loss), LTH_HERE)
#define lth_backward(step, optimizer, loss, count) (step)->api->backward((step), (uint32_t)(optimizer), (loss), (count), LTH_HERE)
#define lth_accumulate(step, optimizer, gradients, count)                                                                \
    (step)->api->accumulate((step), (uint32_t)(optimizer), (gradients), (count), LTH_HERE)
#define lth_optimizer_step(step, optimizer, gradients, count)                                                            \
    (step)->api->update((step), (uint32_t)(optimizer), (gradients), (count), LTH_HERE)
#define lth_scheduler_step(step, optimizer) (step)->api->scheduler_step((step), (uint32_t)(optimizer), LTH_HERE)
#define lth_optimizer_index(step, name) (step)->api->optimizer((step), (name), LTH_HERE)

static inline lth_stage lth_step_stage(lth_step *s) { return s->api->stage(s); }
static inline int64_t lth_batch_idx(lth_step *s) { return s->api->batch_idx(s); }
static inline int64_t lth_batch_size(lth_step *s) { return s->api->batch_size(s); }
static inline int64_t lth_step_epoch(lth_step *s) { return s->api->current_epoch(s); }
static inline int64_t lth_step_global(lth_step *s) { return s->api->global_step(s); }
/* A run-time scalar of the step: a number that varies from step to step without a new plan. */
static inline lth_tensor lth_step_scalar_(lth_step *s, double value, const char *file, uint32_t line)
{
    lth_trace *t = s->api->trace(s);
    return t->api->scalar(t, value, LTH_DTYPE_NONE, file, line);
}
#define lth_step_scalar(step, value) lth_step_scalar_((step), (value), LTH_HERE)

LTH_END_C
#endif
