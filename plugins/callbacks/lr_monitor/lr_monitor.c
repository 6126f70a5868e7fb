/* SPDX-License-Identifier: Apache-2.0
 * lr_monitor: logs the learning rate of each parameter group: `lr-adamw`, with several groups `lr-adamw/pg1`, ... */
#include <lthost/callback.h>
#include <stdio.h>
#include <stdlib.h>

/* A number of a group, and what it is logged as. */
struct series {
    char name[80];
    uint32_t optimizer, group;
    const char *option; /* "lr" */
};

struct lr_monitor {
    const char *interval;
    bool log_momentum, log_weight_decay;
    const lth_host *host;
    struct series *series;
    uint32_t count;
};

static const lth_option options[] = {
    LTH_OPTION_NAMED(struct lr_monitor, interval, "logging_interval", "step", "step|epoch", "log with the rows of steps, or once an epoch"),
    LTH_OPTION(struct lr_monitor, log_momentum, "false", NULL, "log momentum, or the first of the betas, as `lr-NAME-momentum`"),
    LTH_OPTION(struct lr_monitor, log_weight_decay, "false", NULL, "log weight decay as `lr-NAME-weight_decay`"),
};

static lth_status init(void *self, const lth_host *host)
{
    ((struct lr_monitor *)self)->host = host;
    return LTH_OK;
}

static void destroy(void *self) { free(((struct lr_monitor *)self)->series); }

/* Adds a series for an option that the group has; answers whether it has it. */
static bool watch(struct lr_monitor *m, lth_trainer *t, const lth_optimizer_info *o, uint32_t optimizer, uint32_t group,
                  const char *option, const char *suffix)
{
    double value;
    if (!t->api->hyper(t, optimizer, group, option, &value))
        return false;
    struct series *s = &m->series[m->count++];
    char place[24] = "";
    if (o->group_count > 1)
        snprintf(place, sizeof place, "/pg%u", (unsigned)group + 1);
    snprintf(s->name, sizeof s->name, "lr-%.40s%s%s", o->name, place, suffix);
    s->optimizer = optimizer;
    s->group = group;
    s->option = option;
    return true;
}

static lth_status on_train_start(void *self, lth_trainer *t)
{
    struct lr_monitor *m = self;
    const lth_optimizer_info *o;
    uint32_t optimizers = t->api->optimizers(t, &o), groups = 0;
    for (uint32_t i = 0; i < optimizers; i++)
        groups += o[i].group_count;
    free(m->series);
    m->count = 0;
    m->series = calloc((size_t)groups * 3 + 1, sizeof *m->series);
    if (!m->series)
        return lth_fail(m->host, LTH_NO_MEMORY, "no memory for the names of %u groups", (unsigned)groups);
    for (uint32_t i = 0; i < optimizers; i++)
        for (uint32_t g = 0; g < o[i].group_count; g++) {
            watch(m, t, &o[i], i, g, "lr", "");
            if (m->log_momentum && !watch(m, t, &o[i], i, g, "momentum", "-momentum"))
                watch(m, t, &o[i], i, g, "betas", "-momentum");
            if (m->log_weight_decay)
                watch(m, t, &o[i], i, g, "weight_decay", "-weight_decay");
        }
    return LTH_OK;
}

static lth_status log_all(const struct lr_monitor *m, lth_trainer *t, bool on_step)
{
    for (uint32_t i = 0; i < m->count; i++) {
        double value;
        if (t->api->hyper(t, m->series[i].optimizer, m->series[i].group, m->series[i].option, &value))
            t->api->log(t, m->series[i].name, value, on_step, !on_step, 0);
    }
    return LTH_OK;
}

static bool every_step(const struct lr_monitor *m) { return strcmp(m->interval, "step") == 0; }

static lth_status on_train_batch_start(void *self, lth_trainer *t)
{
    return every_step(self) ? log_all(self, t, true) : LTH_OK;
}

static lth_status on_train_epoch_start(void *self, lth_trainer *t)
{
    return every_step(self) ? LTH_OK : log_all(self, t, false);
}

LTH_CALLBACK(lr_monitor, .summary = "logs the learning rate of each parameter group", .options = LTH_OPTIONS(options), .init = init,
             .destroy = destroy, .on_train_start = on_train_start, .on_train_epoch_start = on_train_epoch_start,
             .on_train_batch_start = on_train_batch_start);
LTH_PLUGIN(LTH_CALLBACK_COMPONENT(lr_monitor));
