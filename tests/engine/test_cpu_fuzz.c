/* SPDX-License-Identifier: Apache-2.0
 * Random graphs on the accelerator `cpu`: fused plans against the reference, plans without fusion against plans of one node.
 * A graph is drawn from a seed, which the message names. */
#include "allocations.h"
#include "draw_graph.h"
#include "ops_support.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bench cpu, reference, single;

static void open_all(void)
{
    bench_open(&cpu, "cpu");
    bench_open(&single, "cpu");
    bench_open(&reference, "reference");
}

static void close_all(void)
{
    bench_close(&cpu);
    bench_close(&single);
    bench_close(&reference);
}

TestSuite(cpu_fuzz, .init = open_all, .fini = close_all);

/* ---- Comparing ---- */

static void compare(uint64_t seed, const char *what, double tolerance)
{
    for (uint32_t slot = 0; slot < cpu.g.output_count; slot++)
        for (int64_t i = 0; i < lth_shape_count(&cpu.output_shapes[slot]); i++) {
            double wanted = bench_get(&reference, slot, i), got = bench_get(&cpu, slot, i);
            cr_assert(fabs(got - wanted) <= tolerance * (1 + fabs(wanted)),
                      "seed %llu, %s: output %u, element %lld is %.17g, the reference has %.17g", (unsigned long long)seed, what,
                      slot, (long long)i, got, wanted);
        }
    for (int64_t i = 0; i < DRAW_STATE; i++) {
        double wanted = bench_state_get(&reference, 0, i), got = bench_state_get(&cpu, 0, i);
        cr_assert(fabs(got - wanted) <= tolerance * (1 + fabs(wanted)),
                  "seed %llu, %s: element %lld of state is %.17g, the reference has %.17g", (unsigned long long)seed, what,
                  (long long)i, got, wanted);
    }
}

/* What the accelerator lacks is decomposed, as by the engine. Working memory begins as NaNs. */
static void compile(bench *b, uint64_t seed, uint32_t flags)
{
    op_case c = { .b = b, .constants.first_slot = b->g.scalar_count };
    snprintf(c.name, sizeof c.name, "seed %llu", (unsigned long long)seed);
    allocations_poison(true);
    op_case_compile(&c, flags);
    allocations_poison(false);
    op_case_end(&c);
}

static void try_graph(uint64_t seed, lth_dtype floating, double tolerance)
{
    static const struct {
        uint32_t flags;
        const char *what;
    } ways[] = { { 0, "fused" }, { LTH_COMPILE_NO_FUSION, "not fused" }, { LTH_COMPILE_KEEP_ALL, "all kept" } };
    for (size_t w = 0; w < sizeof ways / sizeof *ways; w++) {
        draw_graph(&reference, LTH_F64, seed, true);
        draw_graph(&cpu, floating, seed, true);
        compile(&cpu, seed, ways[w].flags);
        compile(&reference, seed, 0);
        for (int run = 0; run < 2; run++) { /* the second run finds what the first one left in memory */
            cr_assert_eq(bench_run(&reference), LTH_OK);
            cr_assert_eq(bench_run(&cpu), LTH_OK, "seed %llu, %s: %s", (unsigned long long)seed, ways[w].what,
                         cpu.result.message);
            compare(seed, ways[w].what, tolerance);
        }
    }
}

Test(cpu_fuzz, random_graphs_in_f64_agree_with_the_reference)
{
    for (uint64_t seed = 1; seed <= 300; seed++)
        try_graph(seed, LTH_F64, 1e-9);
}

Test(cpu_fuzz, random_graphs_in_f32_agree_with_the_reference)
{
    for (uint64_t seed = 301; seed <= 500; seed++)
        try_graph(seed, LTH_F32, 1e-3);
}

Test(cpu_fuzz, a_plan_gives_the_same_bits_every_time)
{
    for (uint64_t seed = 1; seed <= 60; seed++) {
        char *first[BENCH_SLOTS] = { NULL };
        for (int run = 0; run < 3; run++) {
            draw_graph(&cpu, LTH_F32, seed, true);
            compile(&cpu, seed, 0);
            cr_assert_eq(bench_run(&cpu), LTH_OK, "%s", cpu.result.message);
            for (uint32_t slot = 0; slot < cpu.g.output_count; slot++) {
                const lth_shape *shape = &cpu.output_shapes[slot];
                size_t bytes = (size_t)(lth_shape_count(shape) * lth_dtype_size(shape->dtype));
                if (run == 0)
                    memcpy(first[slot] = malloc(bytes + 1), cpu.outputs[slot], bytes);
                else
                    cr_assert_arr_eq(cpu.outputs[slot], first[slot], bytes, "seed %llu, output %u", (unsigned long long)seed,
                                     slot);
            }
        }
        for (uint32_t slot = 0; slot < BENCH_SLOTS; slot++)
            free(first[slot]);
    }
}

/* Runs one node of cpu's plan, which kept all values, as a plan of its own, on the same operands. */
static void check_node(uint64_t seed, uint32_t node)
{
    const lth_node *n = &cpu.g.nodes[node];
    uint32_t *map = calloc(cpu.g.value_count + 1, sizeof *map);
    bench_reset(&single);
    single.seed = seed;
    memcpy(single.scalars, cpu.scalars, sizeof cpu.scalars);
    for (uint32_t i = 0; i < n->operand_count; i++) {
        uint32_t v = cpu.g.operands[n->first_operand + i];
        const lth_shape *s = graph_shape(&cpu.g, v);
        const void *data = cpu.accelerator->value_data(cpu.self, cpu.plan, v);
        double *x = calloc((size_t)lth_shape_count(s) + 1, sizeof *x);
        for (int64_t k = 0; k < lth_shape_count(s); k++)
            x[k] = bench_element(s->dtype, data, k);
        map[v] = bench_input(&single, *s, x);
        free(x);
    }
    graph_copy_node(&cpu.g, node, &single.g, map);
    for (uint32_t r = 0; r < n->value_count; r++)
        bench_output(&single, map[n->first_value + r]);
    bench_go(&single, 0);
    for (uint32_t r = 0; r < n->value_count; r++) {
        const lth_shape *s = graph_shape(&cpu.g, n->first_value + r);
        size_t bytes = (size_t)(lth_shape_count(s) * lth_dtype_size(s->dtype));
        const void *kept = cpu.accelerator->value_data(cpu.self, cpu.plan, n->first_value + r);
        cr_assert(bytes == 0 || memcmp(kept, single.outputs[r], bytes) == 0,
                  "seed %llu: node %u (op %u) differs when run by itself", (unsigned long long)seed, node, n->op);
    }
    free(map);
}

Test(cpu_fuzz, without_fusion_every_node_has_the_bits_that_it_has_by_itself)
{
    for (uint64_t seed = 1; seed <= 40; seed++) {
        draw_graph(&cpu, LTH_F32, seed, false); /* a body's values are those of its last turn */
        compile(&cpu, seed, LTH_COMPILE_NO_FUSION | LTH_COMPILE_KEEP_ALL);
        cr_assert_eq(bench_run(&cpu), LTH_OK, "%s", cpu.result.message);
        for (uint32_t i = 0; i < cpu.g.node_count; i++)
            if (cpu.g.nodes[i].value_count && cpu.g.nodes[i].operand_count)
                check_node(seed, i);
    }
}
