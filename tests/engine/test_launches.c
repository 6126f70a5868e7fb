/* SPDX-License-Identifier: Apache-2.0
 * Launches of plans: what they are told to be, and how often they have run. How long is not asserted. */
#include "engine/internal.h"
#include "engine_fixture.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static const char *const accelerators[] = { "reference", "cpu" };
enum { ACCELERATORS = sizeof accelerators / sizeof *accelerators };

static bench b;
static rig r;

/* relu(x w + 1) and its sum. */
static void make_graph(void)
{
    static const double ones[48] = { [0 ... 47] = 1 };
    uint32_t x = bench_input(&b, SHAPE(LTH_F32, 6, 8), ones), w = bench_input(&b, SHAPE(LTH_F32, 8, 6), ones);
    uint32_t product = OP2A(&b, LTH_OP_MATMUL, x, w, lth_attr_matmul, 0);
    uint32_t y = OP1(&b, LTH_OP_RELU, OP2(&b, LTH_OP_ADD, product, product));
    bench_output(&b, y);
    bench_output(&b, OP1A(&b, LTH_OP_SUM, y, lth_attr_reduce, .axes = 3));
}

static bool tell(uint32_t index, lth_launch *out)
{
    *out = (lth_launch) { .struct_size = sizeof *out };
    return b.accelerator->launch(b.self, b.plan, index, out);
}

Test(launches, they_add_up_to_the_plan_and_each_tells_its_ops)
{
    for (int i = 0; i < ACCELERATORS; i++) {
        if (!rig_has(accelerators[i]))
            continue;
        bench_open(&b, accelerators[i]);
        make_graph();
        bench_go(&b, 0);
        lth_plan_info info = { .struct_size = sizeof info };
        b.accelerator->plan_info(b.self, b.plan, &info);
        double flops = 0;
        int64_t bytes = 0;
        bool matmul = false;
        lth_launch l;
        uint32_t count = 0;
        for (; tell(count, &l); count++) {
            flops += l.flops;
            bytes += l.bytes;
            matmul |= strcmp(l.ops, "matmul") == 0;
            cr_assert(l.ops[0] && l.node < b.g.node_count && l.node_count > 0 && l.threads > 0, "launch %u", count);
        }
        cr_expect_geq(count, info.kernel_count);
        cr_expect_eq(flops, info.flops, "%s: %g, the plan has %g", accelerators[i], flops, info.flops);
        cr_expect_eq(bytes, info.bytes_moved, "%s", accelerators[i]);
        cr_expect(matmul);
        cr_expect_not(tell(count, &l) || tell(count + 100, &l) || tell(UINT32_MAX, &l));
        bench_close(&b);
    }
}

Test(launches, a_run_counts_each_once_where_it_is_asked_to)
{
    for (int i = 0; i < ACCELERATORS; i++) {
        if (!rig_has(accelerators[i]))
            continue;
        bench_open(&b, accelerators[i]);
        make_graph();
        bench_go(&b, 0);
        lth_launch l;
        uint32_t count = 0, ran = 0;
        while (tell(count, &l))
            count++;
        lth_launch_time *times = calloc(count, sizeof *times);
        b.times = times;
        for (int k = 0; k < 3; k++)
            bench_run(&b);
        b.times = NULL;
        bench_run(&b);
        for (uint32_t k = 0; k < count; k++) {
            ran += times[k].runs == 3;
            cr_assert(times[k].runs == 3 || times[k].runs == 0, "%s: launch %u ran %llu times", accelerators[i], k,
                      (unsigned long long)times[k].runs);
        }
        cr_expect_eq(ran, count, "%s: %u of %u", accelerators[i], ran, count);
        free(times);
        bench_close(&b);
    }
}

/* ---- The engine's ---- */

static uint64_t runs_of(const engine_profile *p, const char *hook, const char *ops)
{
    uint64_t runs = 0;
    for (size_t i = 0; i < p->launch_count; i++)
        if (strcmp(p->launches[i].hook, hook) == 0 && strcmp(p->launches[i].ops, ops) == 0)
            runs += p->launches[i].runs;
    return runs;
}

static uint64_t steps_of(const engine_profile *p, const char *hook)
{
    for (size_t i = 0; i < p->hook_count; i++)
        if (strcmp(p->hooks[i].hook, hook) == 0)
            return p->hooks[i].steps;
    return 0;
}

Test(launches, the_engine_adds_them_up_by_hook_also_of_plans_that_were_forgotten)
{
    for (int i = 0; i < ACCELERATORS; i++) {
        if (!rig_has(accelerators[i]))
            continue;
        rig_open(&r, &(rig_setup) { .accelerator = accelerators[i], .profile = true });
        engine_profile p;
        for (int k = 0; k < 5; k++)
            rig_train(&r, NULL);
        for (int k = 0; k < PLAN_CACHE_LIMIT; k++) /* shapes enough to push the first plan out */
            rig_train(&r, &(rig_recipe) { .evaluate = true, .hook = "validation_step", .batch = k % RIG_MAX_BATCH + 1 });
        engine_get_profile(r.g, &p);
        cr_expect_eq(steps_of(&p, "training_step"), 5);
        cr_expect_eq(steps_of(&p, "validation_step"), PLAN_CACHE_LIMIT);
        cr_expect_eq(steps_of(&p, "test_step"), 0);
        uint64_t matmuls = runs_of(&p, "training_step", "matmul");
        cr_expect(matmuls >= 5 * 4 && matmuls % 5 == 0, "%llu", (unsigned long long)matmuls);
        for (size_t k = 0; k < p.launch_count; k++)
            cr_expect(p.launches[k].line > 0 && strchr(p.launches[k].file, '/'), "launch %zu has no place", k);
        rig_train(&r, NULL);
        engine_get_profile(r.g, &p);
        cr_expect_eq(steps_of(&p, "training_step"), 6, "asked twice, counted once");
        cr_expect_eq(runs_of(&p, "training_step", "matmul"), matmuls / 5 * 6);
        rig_close(&r);
    }
}

Test(launches, the_engine_tells_them_op_by_op_where_it_is_eager)
{
    rig_open(&r, &(rig_setup) { .eager = true, .profile = true });
    engine_profile p;
    for (int k = 0; k < 4; k++)
        rig_train(&r, NULL);
    engine_get_profile(r.g, &p);
    cr_expect_eq(steps_of(&p, "training_step"), 4);
    cr_expect_geq(runs_of(&p, "one by one", "matmul"), 4 * 4);
    rig_close(&r);
}

Test(launches, a_profile_changes_no_bits)
{
    rig plain;
    rig_open(&plain, &(rig_setup) { .accelerator = rig_has("cpu") ? "cpu" : NULL });
    rig_open(&r, &(rig_setup) { .accelerator = rig_has("cpu") ? "cpu" : NULL, .profile = true });
    for (int k = 0; k < 10; k++)
        cr_assert_eq(rig_train(&plain, NULL), rig_train(&r, NULL));
    cr_assert_eq(rig_state_hash(&plain), rig_state_hash(&r));
    rig_close(&plain);
    rig_close(&r);
}
