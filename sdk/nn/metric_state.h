/* SPDX-License-Identifier: Apache-2.0
 * lthost/nn/metric_state.h: what the metrics that gather over an epoch share.
 *
 * Such a metric is a member of the model, as a layer is: made in configure, updated with every batch. Its state is one
 * buffer, which the first batch of an epoch (of each dataloader) begins anew. An update returns the metric of all batches so
 * far, of type f64, so that the last batch's is that of the whole, whatever the batches' sizes:
 *
 *     m->val_f1 = lth_f1_new(s, "val_f1", C);                                                          in configure
 *     lth_tensor f1 = lth_class_metric_update(&m->val_f1, step, logits, target);                       in validation_step
 *     lth_log(step, "val_f1", f1, .reduce = LTH_REDUCE_LAST);
 *
 * The buffer stands in checkpoints (in optimizer.safetensors: it is no part of the model), so that a run resumed in the middle of
 * an epoch goes on to the same bits. One metric
 * belongs to one loop: validation may run in the middle of a training epoch, so a metric that both update is refused.
 * Counts are i64, sums f64. In training, log with .on_step = -1, .on_epoch = 1. Update in every batch, once or more often: one
 * left out in the first batch would go on from the epoch before. Several processes gather each for itself. [main] */
#ifndef LTHOST_NN_METRIC_STATE_H
#define LTHOST_NN_METRIC_STATE_H

#include "check.h"
#include <lthost/setup.h>
#include <lthost/step.h>

LTH_BEGIN_C
#pragma push_macro("LTH_HERE")
#undef LTH_HERE
#define LTH_HERE file, line

typedef struct lth_metric_state {
    lth_buffer buffer;
    uint32_t loop; /* 1 of training, 2 of evaluation; 0: not updated yet */
    uint32_t step; /* the recording (a tensor's generation) that updated it last */
    bool again;    /* not the first update of this step */
    uint8_t pad[7];
} lth_metric_state;

static inline lth_metric_state lth_metric_state_new_(lth_setup *s, const char *name, const char *type, const lth_shape *shape,
                                                     const char *file, uint32_t line)
{
    lth_metric_state m = { { 0, 0 }, 0, 0, false, { 0 } };
    s->api->module(s, name, type);
    lth_enter(s, name);
    m.buffer = s->api->buffer(s, "state", shape, lth_init_constant(0), LTH_BUFFER_OF_RUN, file, line);
    lth_leave(s);
    return m;
}

/* The author's error in configure, told by a format. */
LTH_PRINTF(4, 5)
static inline void lth_metric_refuse_(lth_setup *s, const char *file, uint32_t line, const char *format, ...)
{
    char text[320];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    s->api->fail(s, file, line, text);
}

/* False, with the error recorded at x's trace, where the metric was not made or is updated by two loops. */
static inline bool lth_metric_ready_(lth_metric_state *m, lth_step *step, lth_tensor x, const char *file, uint32_t line)
{
    const uint32_t loop = lth_step_stage(step) == LTH_STAGE_TRAIN ? 1 : 2;
    if (!x.trace)
        return false;
    if (!m->buffer.id) {
        lth_nn_fail_(x, file, line, "this metric was never made: make it in configure");
        return false;
    }
    if (m->loop && m->loop != loop) {
        lth_nn_fail_(x, file, line, "this metric is updated in training and in evaluation, which would mix: make one for each");
        return false;
    }
    m->loop = loop;
    m->again = m->step == x.generation;
    m->step = x.generation;
    return true;
}

/* Whether nothing was gathered in this epoch yet, as a value: no other plan is needed for the first batch. */
static inline lth_tensor lth_metric_first_(const lth_metric_state *m, lth_step *step, const char *file, uint32_t line)
{
    return lth_eq(lth_step_scalar_(step, m->again ? 1 : (double)lth_batch_idx(step), file, line), 0);
}

/* What was gathered before this batch; zeros in the first. */
static inline lth_tensor lth_metric_before_(const lth_metric_state *m, lth_step *step, lth_tensor x, const char *file, uint32_t line)
{
    return lth_where(lth_metric_first_(m, step, file, line), 0, lth_buffer_value(x, m->buffer));
}

/* state := before + batch, which is of its shape and type; returned. */
static inline lth_tensor lth_metric_add_(const lth_metric_state *m, lth_step *step, lth_tensor batch, const char *file, uint32_t line)
{
    lth_tensor total = lth_add(lth_metric_before_(m, step, batch, file, line), batch);
    lth_assign(m->buffer, total);
    return total;
}

/* a / b, 0 where b is 0. */
static inline lth_tensor lth_metric_ratio_(lth_tensor a, lth_tensor b, const char *file, uint32_t line)
{
    lth_tensor nothing = lth_eq(b, 0);
    return lth_where(nothing, 0, lth_div(a, lth_where(nothing, 1, b)));
}

/* Row `index` of axis 0, which goes. */
static inline lth_tensor lth_metric_row_(lth_tensor x, int64_t index, const char *file, uint32_t line)
{
    lth_shape s = *lth_shape_of(x);
    for (int32_t i = 0; i + 1 < s.rank; i++)
        s.dim[i] = s.dim[i + 1];
    s.rank--;
    return lth_reshape_to(lth_slice(x, 0, index, index + 1), &s);
}

/* n tensors of one shape under each other, along a new axis 0. */
static inline lth_tensor lth_metric_stack_(const lth_tensor *x, uint32_t n, const char *file, uint32_t line)
{
    lth_shape s = *lth_shape_of(x[0]);
    lth_tensor rows[8];
    for (int32_t i = s.rank++; i > 0; i--)
        s.dim[i] = s.dim[i - 1];
    s.dim[0] = 1;
    for (uint32_t i = 0; i < n && i < 8; i++)
        rows[i] = lth_reshape_to(x[i], &s);
    return lth_concat(rows, n, 0);
}

/* Logs each element of a vector (C) as NAME_0 ... NAME_(C-1), with one set of switches. */
static inline void lth_log_each_(lth_step *step, const char *name, const lth_log_args *a)
{
    const char *file = a->file;
    const uint32_t line = a->line;
    if (a->value.trace && lth_rank(a->value) != 1) {
        lth_nn_fail_(a->value, file, line, "lth_log_each takes a vector, not %s: lth_log is for single numbers", lth_shape_text_(a->value).at);
        return;
    }
    for (int64_t i = 0; i < lth_dim(a->value, 0); i++) {
        char each[256];
        lth_log_args one = *a;
        snprintf(each, sizeof each, "%s_%lld", name, (long long)i);
        one.value = lth_metric_row_(a->value, i, file, line);
        step->api->log(step, each, &one);
    }
}

#pragma pop_macro("LTH_HERE")
/* lth_log_each(step, "val_recall", recalls, .reduce = LTH_REDUCE_LAST) */
#define lth_log_each(step, name, ...)                                                                                    \
    lth_log_each_((step), (name),                                                                                        \
                  LTH_REF(lth_log_args, .struct_size = sizeof(lth_log_args), .line = __LINE__, .file = __FILE__, .value = __VA_ARGS__))

LTH_END_C
#endif
