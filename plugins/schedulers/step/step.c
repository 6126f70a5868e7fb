/* SPDX-License-Identifier: Apache-2.0
 * step: the learning rate times gamma, every step_size intervals or at each of the milestones. As StepLR and MultiStepLR
 * of torch. */
#include <lthost/scheduler.h>
#include <math.h>

struct step {
    int64_t step_size;
    lth_int_list milestones;
    double gamma;
};

static const lth_option options[] = {
    LTH_OPTION(struct step, step_size, "0", "0..", "intervals between two changes; 0: milestones say when"),
    LTH_OPTION(struct step, milestones, "", "1..", "the intervals after which it changes; one named twice counts twice"),
    LTH_OPTION(struct step, gamma, "0.1", "0..", "what each change multiplies the learning rate by"),
};

static lth_status init(void *self, const lth_host *host)
{
    const struct step *s = self;
    if ((s->step_size > 0) == (s->milestones.count > 0))
        return lth_fail(host, LTH_INVALID, "give either step_size, as in 'step_size = 10', or milestones, as in 'milestones = 20, 30'");
    return LTH_OK;
}

static double rate(void *self, const lth_schedule *at)
{
    const struct step *s = self;
    int64_t changes = s->step_size ? at->count / s->step_size : 0;
    for (int64_t i = 0; i < s->milestones.count; i++)
        changes += at->count >= s->milestones.at[i];
    return at->base * pow(s->gamma, (double)changes);
}

LTH_SCHEDULER(step, .summary = "multiplies the learning rate by gamma at fixed intervals or milestones", .options = LTH_OPTIONS(options),
              .init = init, .rate = rate);
LTH_PLUGIN(LTH_SCHEDULER_COMPONENT(step));
