/* SPDX-License-Identifier: Apache-2.0
 * A steady step allocates nothing: every allocation of the process is counted. */
#include "allocations.h"
#include "engine_fixture.h"

#include <criterion/criterion.h>

Test(engine_memory, a_steady_step_allocates_nothing)
{
    static rig r;
    rig_open(&r, &(rig_setup) { .accumulate = true });
    const rig_recipe recipes[] = { { .accumulate = true, .divisor = 2, .count_seen = true },
                                   { .add_accumulated = true, .divisor = 2, .guard = true, .clip_norm = 1, .clip_value = 2 },
                                   { .evaluate = true, .hook = "validation_step" },
                                   { .batch = 5, .guard = true } };
    for (int i = 0; i < 4 * ENGINE_RING; i++) { /* every plan, both records, every place of the ring */
        r.sgd[0].lr = 0.1 / (i + 1);
        rig_train(&r, &recipes[i % 4]);
    }
    allocations_begin();
    for (int i = 0; i < 40; i++) {
        r.sgd[0].lr = 0.1 / (i + 1);
        rig_train(&r, &recipes[i % 4]);
    }
    int calls = allocations_end();
    cr_assert_eq(calls, 0, "%d allocations in 40 steps", calls);
    rig_close(&r);
}

Test(engine_memory, a_steady_step_that_reads_values_allocates_nothing)
{
    static rig r;
    rig_open(&r, NULL);
    for (int i = 0; i < 60; i++) {
        if (i == 20)
            allocations_begin();
        lth_trace *t = rig_begin(&r, NULL);
        lth_tensor loss = rig_loss(&r, t);
        if (lth_item(loss) > 0)
            engine_output(r.g, lth_mul(loss, 2), RIG_HERE);
        cr_assert_eq(rig_end(&r), LTH_OK, "%s", r.e.text);
    }
    int calls = allocations_end();
    cr_assert_eq(calls, 0, "%d allocations in 40 steps", calls);
    rig_close(&r);
}
