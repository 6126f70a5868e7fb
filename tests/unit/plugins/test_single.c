/* SPDX-License-Identifier: Apache-2.0
 * The strategy single. */
#include "plugin_fixture.h"

#include <criterion/criterion.h>
#include <string.h>

static lth_status ask(plugin *p, int32_t devices, int32_t nodes, lth_world *world)
{
    lth_strategy_args args = { .struct_size = sizeof args, .devices = devices, .num_nodes = nodes, .device_count = 4 };
    return ((const lth_strategy *)p->table)->setup(p->self, &args, world);
}

Test(single, is_a_world_of_one_and_refuses_more_by_name)
{
    plugin p;
    lth_world world = { .struct_size = sizeof world };
    plugin_open(&p, "single", "strategy/1", "single");
    plugin_must_begin(&p);
    cr_assert_eq(ask(&p, 0, 1, &world), LTH_OK);
    cr_assert_eq(ask(&p, 1, 1, &world), LTH_OK);
    cr_assert(world.rank == 0 && world.size == 1 && world.local_size == 1 && world.node_count == 1);
    cr_assert_eq(ask(&p, 4, 1, &world), LTH_UNSUPPORTED);
    cr_assert(strstr(p.message, "devices = 4"), "%s", p.message);
    cr_assert_eq(ask(&p, 1, 2, &world), LTH_UNSUPPORTED);
    cr_assert(strstr(p.message, "num_nodes = 2"), "%s", p.message);
    plugin_close(&p);
}
