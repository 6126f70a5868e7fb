/* SPDX-License-Identifier: Apache-2.0
 * Whole steps of the engine on the accelerator `cpu`: what is fused, updated in place and laid together there. */
#include "allocations.h"
#include "engine_fixture.h"

#include <criterion/criterion.h>
#include <math.h>

static const rig_recipe recipes[] = { { .clip_norm = 0.3, .guard = true, .count_seen = true },
                                      { .accumulate = true, .divisor = 2 },
                                      { .add_accumulated = true, .divisor = 2, .clip_value = 0.01, .batch = 5 },
                                      { .evaluate = true, .hook = "validation_step" } };

Test(cpu_engine, eager_is_bit_equal_to_the_plan_without_fusion)
{
    for (lth_dtype t = LTH_F32; t <= LTH_F64; t++) {
        rig a, b;
        rig_open(&a, &(rig_setup) { .accelerator = "cpu", .no_fusion = true, .floating = t, .accumulate = true });
        rig_open(&b, &(rig_setup) { .accelerator = "cpu", .eager = true, .floating = t, .accumulate = true });
        for (int i = 0; i < 12; i++)
            cr_assert_eq(rig_train(&a, &recipes[i % 4]), rig_train(&b, &recipes[i % 4]), "step %d", i);
        cr_assert_eq(rig_state_hash(&a), rig_state_hash(&b));
        rig_close(&a);
        rig_close(&b);
    }
}

Test(cpu_engine, training_follows_the_reference)
{
    for (int groups = 1; groups <= 2; groups++)
        for (int each = 0; each < 2; each++) {
            rig a, b;
            rig_setup setup = {
                .floating = LTH_F64, .accumulate = true, .groups = groups, .rule = each ? &rig_sgd_each : &rig_sgd_flat
            };
            rig_open(&a, &setup);
            setup.accelerator = "cpu";
            rig_open(&b, &setup);
            for (int i = 0; i < 40; i++) {
                double expected = rig_train(&a, &recipes[i % 4]), is = rig_train(&b, &recipes[i % 4]);
                cr_assert(fabs(is - expected) <= 1e-10 * (1 + fabs(expected)), "step %d: %.17g, the reference has %.17g", i, is,
                          expected);
            }
            rig_close(&a);
            rig_close(&b);
        }
}

Test(cpu_engine, a_steady_step_allocates_nothing)
{
    rig r;
    rig_open(&r, &(rig_setup) { .accelerator = "cpu", .accumulate = true });
    for (int i = 0; i < 4 * ENGINE_RING; i++)
        rig_train(&r, &recipes[i % 4]);
    allocations_begin();
    for (int i = 0; i < 40; i++)
        rig_train(&r, &recipes[i % 4]);
    int calls = allocations_end();
    cr_assert_eq(calls, 0, "%d allocations in 40 steps", calls);
    rig_close(&r);
}
