/* SPDX-License-Identifier: Apache-2.0
 * trainer/fit.c: training from its first hook to its last. An epoch: fit_epoch.c. */
#include "trainer/fit.h"

#include "trainer/signals.h"
#include "util/clock.h"

#include <signal.h>

double fit_elapsed(const session *s) { return s->fit_began > 0 ? clock_seconds() - s->fit_began : 0; }
double fit_seconds(const session *s) { return s->loop.seconds + fit_elapsed(s); }

/* ---- When training ends ---- */

bool fit_may_stop(const session *s)
{
    int64_t epochs_done = s->loop.epoch + (s->loop.place == PLACE_EPOCH_END && !s->loop.epoch_cut);
    return s->stop_asked && epochs_done >= s->options.min_epochs && s->loop.global_step >= s->options.min_steps;
}

bool fit_steps_reached(const session *s) { return s->options.max_steps >= 0 && s->loop.global_step >= s->options.max_steps; }

void fit_check_time(session *s)
{
    if (s->stop_asked || s->limits.max_seconds < 0 || fit_seconds(s) < s->limits.max_seconds)
        return;
    char reason[120];
    snprintf(reason, sizeof reason, "max_time = %s reached", s->options.max_time);
    s->trainer.api->stop(&s->trainer, reason);
}

/* Between epochs. Sets the reason. */
static bool done(session *s)
{
    if (fit_steps_reached(s))
        s->end_reason = arena_format(&s->memory, "max_steps = %lld reached", (long long)s->options.max_steps);
    else if (fit_may_stop(s))
        s->end_reason = s->stop_reason;
    else if (s->options.max_epochs >= 0 && s->loop.epoch >= s->options.max_epochs)
        s->end_reason = arena_format(&s->memory, "max_epochs = %lld reached", (long long)s->options.max_epochs);
    return s->end_reason != NULL;
}

lth_status fit_interrupted(session *s, error *e)
{
    if (session_trespassed(s, e) != LTH_OK)
        return e->status;
    int number = signals_pending();
    const char *name = number == SIGINT ? "SIGINT" : number == SIGHUP ? "SIGHUP" : "SIGTERM";
    return number ? error_set(e, LTH_STOPPED, "interrupted by %s", name) : LTH_OK;
}

/* ---- Sanity check ---- */

static lth_status sanity_check(session *s, error *e)
{
    if (!fit_validation_enabled(s) || s->options.num_sanity_val_steps == 0)
        return LTH_OK;
    s->sanity = true;
    metrics_keep(&s->metrics);
    lth_status status = HOOKS(s, on_sanity_check_start, e);
    if (status == LTH_OK)
        status = evaluate_validation(s, e);
    if (status == LTH_OK)
        status = HOOKS(s, on_sanity_check_end, e);
    metrics_restore(&s->metrics);
    s->sanity = false;
    return status;
}

/* ---- The whole ---- */

static lth_status train(session *s, error *e)
{
    if (HOOKS(s, on_train_start, e) != LTH_OK || fit_interrupted(s, e) != LTH_OK)
        return e->status;
    do {
        if (fit_epoch(s, e) != LTH_OK)
            return e->status;
    } while (!done(s));
    return HOOKS(s, on_train_end, e);
}

lth_status fit(session *s, error *e)
{
    s->in_fit = true;
    s->between_batches = true;
    s->fit_began = s->validated_at = clock_seconds();
    s->running.count = s->train_batches;
    if (loggers_open(s, e) != LTH_OK || HOOKS(s, on_fit_start, e) != LTH_OK)
        return e->status;
    if (!s->resumed && schedules_start(s, e) != LTH_OK)
        return e->status;
    if (s->resumed_hook && hooks_call_rest(s, s->resumed_hook, s->resumed_saver, e) != LTH_OK)
        return e->status;
    /* What ended in the middle of an epoch has that epoch's end before it. */
    bool between_epochs = s->loop.place == PLACE_EPOCH_START || s->loop.place == PLACE_EPOCH_END;
    bool complete = between_epochs && done(s);
    profile_set_part(s->profiled, PROFILE_LOOP);
    if (!complete && (sanity_check(s, e) != LTH_OK || train(s, e) != LTH_OK))
        return e->status;
    metrics_drain(&s->metrics);
    /* Where all was done already, a resume point of a run that was stopped may want the name of one that ended. */
    if ((!complete || s->own_checkpoint) && save_own_checkpoint(s, e) != LTH_OK)
        return e->status;
    return HOOKS(s, on_fit_end, e);
}
