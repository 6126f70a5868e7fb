/* SPDX-License-Identifier: Apache-2.0
 * trainer/profile_advice.c: which share is the bottleneck, and what to try. */
#include "trainer/profile_report.h"

#include <string.h>
#include <unistd.h>

static const double SHORT_LAUNCH = 2e-6; /* seconds: what a launch costs besides its work then shows */

static double percent(const profile_facts *f, double seconds) { return f->loop > 0 ? 100 * seconds / f->loop : 0; }

/* The heaviest call of a hook in a part; NULL: none. */
static const profile_row *heaviest(const profile_facts *f, profile_part part, const char *but_section)
{
    for (size_t i = 0; i < f->row_count; i++)
        if (f->rows[i].part == part && f->rows[i].hook && strcmp(f->rows[i].section, but_section) != 0)
            return &f->rows[i];
    return NULL;
}

static void advise_compute(const session *s, profile_facts *f)
{
    const profile_op *top = NULL;
    uint64_t launches = 0;
    for (size_t i = 0; i < f->op_count; i++) {
        top = !top || f->ops[i].nanoseconds > top->nanoseconds ? &f->ops[i] : top;
        launches += f->ops[i].runs;
    }
    double seconds = f->seconds[SHARE_COMPUTE];
    int at = snprintf(f->advice, sizeof f->advice, "the plans ran for %.1f %% of the time", percent(f, seconds));
    if (!top || seconds <= 0)
        return;
    bool is_half = s->limits.lower != LTH_DTYPE_NONE || lth_dtype_size(s->limits.floating) == 2;
    const char *more = is_half ? "a smaller model"
                               : "[trainer] precision = bf16-mixed, where the processor computes in it, or a smaller model";
    char threads[48];
    if (s->scope.threads < sysconf(_SC_NPROCESSORS_ONLN)) {
        snprintf(threads, sizeof threads, "[run] threads = %ld", sysconf(_SC_NPROCESSORS_ONLN));
        more = threads;
    }
    if (seconds / (double)launches < SHORT_LAUNCH)
        more = "a larger [data] batch_size, as the launches are short";
    snprintf(f->advice + at, sizeof f->advice - (size_t)at, ", %.0f %% of it %.60s at %.3g GFLOP/s; try %s",
             1e-7 * (double)top->nanoseconds / seconds, top->ops, top->flops / (double)top->nanoseconds, more);
}

static void advise_data(const session *s, profile_facts *f)
{
    data_loader *l = s->loaders.train ? s->loaders.train : s->loaders.evaluate_count ? s->loaders.evaluate[0] : NULL;
    data_loader_stats stats = { 0 };
    if (l)
        data_loader_get_stats(l, &stats);
    double share = percent(f, f->seconds[SHARE_DATA]);
    if (stats.threads)
        snprintf(f->advice, sizeof f->advice, "the steps waited %.1f %% of the time for batches; try [data] workers = %d", share,
                 2 * stats.threads);
    else if (s->data_options.workers == 0)
        snprintf(f->advice, sizeof f->advice, "making batches between the steps took %.1f %% of the time; try [data] workers = 2",
                 share);
    else
        snprintf(f->advice, sizeof f->advice,
                 "making batches took %.1f %% of the time; the datamodule '%s' calls that cheap, so no thread does it", share,
                 s->data->known->id);
}

static void advise_checkpoint(const session *s, profile_facts *f)
{
    int64_t saves = s->saves;
    int at = snprintf(f->advice, sizeof f->advice, "saving %lld checkpoint%s took %.1f %% of the time, %.3g ms each; try fewer",
                      (long long)saves, saves == 1 ? "" : "s", percent(f, f->seconds[SHARE_CHECKPOINT]),
                      saves ? 1e3 * f->seconds[SHARE_CHECKPOINT] / (double)saves : 0);
    if (s->saved_for)
        snprintf(f->advice + at, sizeof f->advice - (size_t)at, ", by the options of [%s]", s->saved_for);
}

static void advise_hooks(const session *s, profile_facts *f)
{
    const profile_row *top = heaviest(f, PROFILE_LOOP, s->accelerator->title);
    if (top)
        snprintf(
            f->advice, sizeof f->advice,
            "hooks took %.1f %% of the time, [%s] %s the most of it, %.3g us a call; try to do less in it, or in fewer calls",
            percent(f, f->seconds[SHARE_HOOKS]), top->section, top->hook,
            1e-3 * (double)top->nanoseconds / (double)(top->calls ? top->calls : 1));
}

void profile_advise(const session *s, profile_facts *f)
{
    f->bottleneck = SHARE_COMPUTE;
    for (int i = 0; i <= SHARE_TRAINER; i++)
        if (f->seconds[i] > f->seconds[f->bottleneck])
            f->bottleneck = (profile_share)i;
    switch (f->bottleneck) {
    case SHARE_DATA:
        advise_data(s, f);
        break;
    case SHARE_LOGGING:
        snprintf(f->advice, sizeof f->advice, "logging took %.1f %% of the time; try [trainer] log_every_n_steps = %lld",
                 percent(f, f->seconds[SHARE_LOGGING]), 10 * (long long)s->options.log_every_n_steps);
        break;
    case SHARE_CHECKPOINT:
        advise_checkpoint(s, f);
        break;
    case SHARE_HOOKS:
        advise_hooks(s, f);
        break;
    case SHARE_TRAINER:
        snprintf(f->advice, sizeof f->advice,
                 "the trainer itself took %.1f %% of the time: the steps are very short; try a larger [data] batch_size",
                 percent(f, f->seconds[SHARE_TRAINER]));
        break;
    default:
        advise_compute(s, f);
    }
}
