/* SPDX-License-Identifier: Apache-2.0
 * step: the learning rate times gamma every step_size intervals. As torch's StepLR. */
#include <lthost/scheduler.h>
#include <math.h>

struct step {
    int64_t step_size;
    double gamma;
    bool milestones; /* no longer an option */
};

static const lth_option options[] = {
    LTH_OPTION(struct step, step_size, NULL, "1..", "intervals between two changes", .flags = LTH_OPTION_REQUIRED),
    LTH_OPTION(struct step, gamma, "0.1", "0..", "what each change multiplies the learning rate by"),
    LTH_OPTION(struct step, milestones, "false", NULL, "use = multi_step has them", .flags = LTH_OPTION_REMOVED),
};

static double rate(void *self, const lth_schedule *at)
{
    const struct step *s = self;
    return at->base * pow(s->gamma, (double)(at->count / s->step_size));
}

LTH_SCHEDULER(step, .summary = "multiplies the learning rate by gamma at fixed intervals", .options = LTH_OPTIONS(options), .rate = rate);
LTH_PLUGIN(LTH_SCHEDULER_COMPONENT(step));
