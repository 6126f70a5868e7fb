/* SPDX-License-Identifier: Apache-2.0
 * multi_step: the learning rate times gamma at each of the milestones. As torch's MultiStepLR. */
#include <lthost/scheduler.h>
#include <math.h>

struct multi_step {
    lth_int_list milestones;
    double gamma;
};

static const lth_option options[] = {
    LTH_OPTION(struct multi_step, milestones, NULL, "1..", "the intervals after which it changes; one named twice counts twice",
               .flags = LTH_OPTION_REQUIRED),
    LTH_OPTION(struct multi_step, gamma, "0.1", "0..", "what each change multiplies the learning rate by"),
};

static double rate(void *self, const lth_schedule *at)
{
    const struct multi_step *m = self;
    int64_t changes = 0;
    for (int64_t i = 0; i < m->milestones.count; i++)
        changes += at->count >= m->milestones.at[i];
    return at->base * pow(m->gamma, (double)changes);
}

LTH_SCHEDULER(multi_step, .summary = "multiplies the learning rate by gamma at the milestones", .options = LTH_OPTIONS(options), .rate = rate);
LTH_PLUGIN(LTH_SCHEDULER_COMPONENT(multi_step));
