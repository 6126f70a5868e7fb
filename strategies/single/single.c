/* SPDX-License-Identifier: Apache-2.0
 * single: one process on one device. */
#include <lthost/strategy.h>

struct single { const lth_host *host; };

static lth_status init(void *self, const lth_host *host)
{
    ((struct single *)self)->host = host;
    return LTH_OK;
}

static lth_status setup(void *self, const lth_strategy_args *args, lth_world *world)
{
    const lth_host *host = ((struct single *)self)->host;
    if (args->devices > 1)
        return lth_fail(host, LTH_UNSUPPORTED, "strategy 'single' runs on one device; [trainer] devices = %d needs another strategy",
                        (int)args->devices);
    if (args->num_nodes > 1)
        return lth_fail(host, LTH_UNSUPPORTED, "strategy 'single' runs on one machine; [trainer] num_nodes = %d needs another strategy",
                        (int)args->num_nodes);
    world->rank = world->local_rank = world->node_rank = 0;
    world->size = world->local_size = world->node_count = 1;
    return LTH_OK;
}

static const char *collective(void *self)
{
    (void)self;
    return "";
}

LTH_STRATEGY(single, .summary = "one process on one device", .flags = LTH_DEFAULT_ON, .init = init, .setup = setup, .collective = collective);
LTH_PLUGIN(LTH_STRATEGY_COMPONENT(single));
