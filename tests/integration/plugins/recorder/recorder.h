/* SPDX-License-Identifier: Apache-2.0
 * recorder: components that write down each call that the trainer makes, in the words of tests/golden/hooks.json: a line a
 * call into the file that LTHOST_TEST_RECORD names. */
#ifndef RECORDER_H
#define RECORDER_H

#include <lthost/lthost.h>
#include <stdio.h>
#include <stdlib.h>

static inline void say(const char *call)
{
    const char *path = getenv("LTHOST_TEST_RECORD");
    FILE *f = path ? fopen(path, "a") : NULL;
    if (!f)
        return;
    fprintf(f, "%s\n", call);
    fclose(f);
}

/* "C.on_train_batch_start 3" */
static inline void say_batch(const char *call, lth_trainer *t)
{
    char text[120];
    snprintf(text, sizeof text, "%s %lld", call, (long long)lth_trainer_progress(t).batch_idx);
    say(text);
}

static inline const char *stage_name(lth_stage stage)
{
    static const char *const names[] = { "fit", "validate", "test", "predict", "fit" };
    return stage <= LTH_STAGE_SANITY ? names[stage] : "?";
}

static inline void say_stage(const char *call, lth_stage stage)
{
    char text[120];
    snprintf(text, sizeof text, "%s %s", call, stage_name(stage));
    say(text);
}

/* All hooks of WHO ("C" or "M"), each of which speaks. */
#define SPEAK(who, hook) static lth_status who##_##hook(void *self, lth_trainer *t) { (void)self; (void)t; say(#who "." #hook); return LTH_OK; }
#define SPEAK_BATCH(who, hook) static lth_status who##_##hook(void *self, lth_trainer *t) { (void)self; say_batch(#who "." #hook, t); return LTH_OK; }
#define SPEAK_STAGE(who, hook)                                                                                           \
    static lth_status who##_##hook(void *self, lth_trainer *t) { (void)self; say_stage(#who "." #hook, lth_trainer_progress(t).stage); return LTH_OK; }
#define SPEAK_STEP(who, hook)                                                                                            \
    static lth_status who##_##hook(void *self, lth_trainer *t, lth_step *step) { (void)self; (void)t; (void)step; say(#who "." #hook); return LTH_OK; }
#define SPEAK_LOOP(who, loop)                                                                                            \
    SPEAK(who, on_##loop##_start) SPEAK(who, on_##loop##_epoch_start) SPEAK(who, on_##loop##_epoch_end) SPEAK(who, on_##loop##_end)
#define SPEAK_BATCHES(who, loop) SPEAK_BATCH(who, on_##loop##_batch_start) SPEAK_BATCH(who, on_##loop##_batch_end)
#define SPEAK_ALL(who)                                                                                                   \
    SPEAK_STAGE(who, setup) SPEAK_STAGE(who, teardown) SPEAK(who, on_fit_start) SPEAK(who, on_fit_end)                    \
    SPEAK_LOOP(who, train) SPEAK_LOOP(who, validation) SPEAK_LOOP(who, test) SPEAK_LOOP(who, predict)                     \
    SPEAK_BATCHES(who, validation) SPEAK_BATCHES(who, test) SPEAK_BATCHES(who, predict)                                   \
    SPEAK_STEP(who, on_before_zero_grad) SPEAK_STEP(who, on_after_backward) SPEAK_STEP(who, on_before_optimizer_step)     \
    SPEAK(who, on_save_checkpoint) SPEAK(who, on_load_checkpoint)                                                         \
    static lth_status who##_on_before_backward(void *self, lth_trainer *t, lth_step *step, lth_tensor loss)               \
    { (void)self; (void)t; (void)step; (void)loss; say(#who ".on_before_backward"); return LTH_OK; }

#define SLOT(who, hook) .hook = who##_##hook
#define SLOTS_LOOP(who, loop)                                                                                            \
    SLOT(who, on_##loop##_start), SLOT(who, on_##loop##_epoch_start), SLOT(who, on_##loop##_batch_start),                 \
    SLOT(who, on_##loop##_batch_end), SLOT(who, on_##loop##_epoch_end), SLOT(who, on_##loop##_end)
/* All but on_train_batch_start and on_train_batch_end stand above; those two have more to do. */
#define SLOTS_ALL(who)                                                                                                   \
    SLOT(who, setup), SLOT(who, teardown), SLOT(who, on_fit_start), SLOT(who, on_fit_end), SLOTS_LOOP(who, train),        \
    SLOTS_LOOP(who, validation), SLOTS_LOOP(who, test), SLOTS_LOOP(who, predict), SLOT(who, on_before_zero_grad),         \
    SLOT(who, on_before_backward), SLOT(who, on_after_backward), SLOT(who, on_before_optimizer_step),                     \
    SLOT(who, on_save_checkpoint), SLOT(who, on_load_checkpoint)

extern const lth_callback recorder_callback, watcher_callback, keeper_callback;

#endif
