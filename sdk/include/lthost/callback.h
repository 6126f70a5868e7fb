/* SPDX-License-Identifier: Apache-2.0
 * lthost/callback.h: kind "callback/1". A struct of options, the hooks it cares for, one macro.
 *
 * Hooks run in the order of Lightning 2.6; callbacks in the order of the run file, those that monitor last at the ends of
 * epochs (`order`). A hook left NULL costs a pointer test. Hooks: [main]. A hook that returns a status other than 0 ends
 * the run with the message given to lth_fail. The hooks marked `recorded` are part of the step: they run on every step,
 * may log, and see symbols rather than values. */
#ifndef LTHOST_CALLBACK_H
#define LTHOST_CALLBACK_H

#include "component.h"
#include "step.h"
#include "trainer.h"

LTH_BEGIN_C

typedef lth_status (*lth_hook)(void *self, lth_trainer *t);
typedef lth_status (*lth_step_hook)(void *self, lth_trainer *t, lth_step *step);

enum { LTH_ORDER_NORMAL = 0, LTH_ORDER_TUNER = -1, LTH_ORDER_MONITOR = 1, LTH_ORDER_CHECKPOINT = 2 };

/* The hooks proper, in the order of their first call. Models and datamodules point to the same table. */
#define LTH_HOOKS_                                                                                                      \
    lth_hook setup LTH_ZERO;                                                                                             \
    lth_hook on_fit_start LTH_ZERO;                                                                                      \
    lth_hook on_sanity_check_start LTH_ZERO;                                                                             \
    lth_hook on_sanity_check_end LTH_ZERO;                                                                               \
    lth_hook on_train_start LTH_ZERO;                                                                                    \
    lth_hook on_train_epoch_start LTH_ZERO;                                                                              \
    lth_hook on_train_batch_start LTH_ZERO; /* LTH_END: skip the rest of the epoch */                                    \
    lth_step_hook on_before_zero_grad LTH_ZERO;      /* recorded */                                                      \
    lth_status (*on_before_backward)(void *self, lth_trainer *t, lth_step *step, lth_tensor loss) LTH_ZERO; /* recorded */ \
    lth_step_hook on_after_backward LTH_ZERO;        /* recorded; gradients: lth_gradients() */                          \
    lth_step_hook on_before_optimizer_step LTH_ZERO; /* recorded; not on accumulating batches */                         \
    lth_hook on_train_batch_end LTH_ZERO;                                                                                \
    lth_hook on_train_epoch_end LTH_ZERO;                                                                                \
    lth_hook on_train_end LTH_ZERO;                                                                                      \
    lth_hook on_validation_start LTH_ZERO;                                                                               \
    lth_hook on_validation_epoch_start LTH_ZERO;                                                                         \
    lth_hook on_validation_batch_start LTH_ZERO;                                                                         \
    lth_hook on_validation_batch_end LTH_ZERO;                                                                           \
    lth_hook on_validation_epoch_end LTH_ZERO;                                                                           \
    lth_hook on_validation_end LTH_ZERO;                                                                                 \
    lth_hook on_test_start LTH_ZERO;                                                                                     \
    lth_hook on_test_epoch_start LTH_ZERO;                                                                               \
    lth_hook on_test_batch_start LTH_ZERO;                                                                               \
    lth_hook on_test_batch_end LTH_ZERO;                                                                                 \
    lth_hook on_test_epoch_end LTH_ZERO;                                                                                 \
    lth_hook on_test_end LTH_ZERO;                                                                                       \
    lth_hook on_predict_start LTH_ZERO;                                                                                  \
    lth_hook on_predict_epoch_start LTH_ZERO;                                                                            \
    lth_hook on_predict_batch_start LTH_ZERO;                                                                            \
    lth_hook on_predict_batch_end LTH_ZERO;                                                                              \
    lth_hook on_predict_epoch_end LTH_ZERO;                                                                              \
    lth_hook on_predict_end LTH_ZERO;                                                                                    \
    lth_hook on_fit_end LTH_ZERO;                                                                                        \
    lth_hook on_save_checkpoint LTH_ZERO;                                                                                \
    lth_hook on_load_checkpoint LTH_ZERO;                                                                                \
    void (*on_exception)(void *self, lth_trainer *t, const char *message) LTH_ZERO;                                      \
    lth_hook teardown LTH_ZERO;

typedef struct lth_hooks {
    uint32_t struct_size LTH_ZERO, reserved LTH_ZERO;
    LTH_HOOKS_
} lth_hooks;

typedef struct lth_callback {
    LTH_COMPONENT_HEAD_
    int32_t order LTH_ZERO; /* LTH_ORDER_* */
    uint32_t reserved LTH_ZERO;
    LTH_HOOKS_
} lth_callback;

#define LTH_CALLBACK(name, ...)                                                                                         \
    static const lth_callback name##_callback = { .struct_size = sizeof(lth_callback), .instance_size = sizeof(struct name), .id = #name, __VA_ARGS__ }
#define LTH_CALLBACK_COMPONENT(name) { "callback/1", &name##_callback }
#define LTH_HOOKS(name, ...) static const lth_hooks name = { .struct_size = sizeof(lth_hooks), __VA_ARGS__ }

LTH_END_C
#endif
