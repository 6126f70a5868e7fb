/* SPDX-License-Identifier: Apache-2.0
 * Random graphs as plans, whose working memory begins as NaNs and is shared by values that do not live at once, against the same
 * graphs eagerly: a plan for each node, whose results all stay. Both have the same bits, twice in a row. */
#include "accel_plain.h"
#include "allocations.h"
#include "draw_graph.h"
#include "ops_support.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static bench planned, single;

typedef struct eager {
    uint64_t seed;
    char *state; /* the arena's elements */
    char **values;
} eager;

static size_t bytes_of(const lth_shape *s) { return (size_t)(lth_shape_count(s) * lth_dtype_size(s->dtype)); }

static char *copy_of(const void *data, size_t bytes)
{
    char *copy = malloc(bytes + 1);
    if (bytes)
        memcpy(copy, data, bytes);
    return copy;
}

/* Node `node` as a plan of its own, on what the nodes before it gave. */
static void run_alone(eager *e, uint32_t node)
{
    const graph *g = &planned.g;
    const lth_node *n = &g->nodes[node];
    uint32_t *map = calloc(g->value_count + 1, sizeof *map);
    bench_reset(&single);
    single.seed = planned.seed;
    memcpy(single.scalars, planned.scalars, sizeof planned.scalars);
    single.g.scalar_count = g->scalar_count;
    for (uint32_t i = 0; i < n->operand_count; i++) {
        uint32_t v = g->operands[n->first_operand + i];
        const lth_shape *s = graph_shape(g, v);
        double *zeros = calloc((size_t)lth_shape_count(s) + 1, sizeof *zeros);
        map[v] = bench_input(&single, *s, zeros);
        if (bytes_of(s))
            memcpy(single.inputs[i], e->values[v], bytes_of(s));
        free(zeros);
    }
    graph_copy_node(g, node, &single.g, map);
    for (uint32_t r = 0; r < n->value_count; r++)
        bench_output(&single, map[n->first_value + r]);
    bench_go(&single, 0);
    for (uint32_t r = 0; r < n->value_count; r++)
        e->values[n->first_value + r] = copy_of(single.outputs[r], bytes_of(&single.output_shapes[r]));
    free(map);
}

static void compare(const eager *e, const char *what, uint32_t index, const void *got, uint32_t value)
{
    const lth_shape *s = graph_shape(&planned.g, value);
    size_t bytes = bytes_of(s);
    for (int64_t i = 0; bytes && i < lth_shape_count(s); i++)
        cr_assert(memcmp((const char *)got + i * lth_dtype_size(s->dtype), e->values[value] + i * lth_dtype_size(s->dtype),
                         (size_t)lth_dtype_size(s->dtype)) == 0,
                  "seed %llu: %s %u, element %lld is %.17g, eagerly %.17g", (unsigned long long)e->seed, what, index,
                  (long long)i, bench_element(s->dtype, got, i), bench_element(s->dtype, e->values[value], i));
}

/* The planned graph, eagerly from the state that e holds, which becomes the next; compared with what the plan's run gave. */
static void check_run(eager *e)
{
    const graph *g = &planned.g;
    lth_dtype floating = planned.arena_infos[0].dtype;
    char *next = copy_of(e->state, DRAW_STATE * (size_t)lth_dtype_size(floating));
    e->values = calloc(g->value_count + 1, sizeof *e->values);
    for (uint32_t i = 0; i < g->node_count; i++) {
        const lth_node *n = &g->nodes[i];
        const void *a = g->attributes + n->attributes;
        uint32_t v = n->value_count ? n->first_value : g->operands[n->first_operand];
        size_t bytes = bytes_of(graph_shape(g, v));
        bool of_state = n->op == LTH_OP_STATE || n->op == LTH_OP_ASSIGN;
        int64_t offset = of_state ? ((const lth_attr_state *)a)->offset * lth_dtype_size(floating) : 0;
        if (n->op == LTH_OP_INPUT)
            e->values[v] = copy_of(planned.inputs[((const lth_attr_slot *)a)->slot], bytes);
        else if (n->op == LTH_OP_STATE)
            e->values[v] = copy_of(e->state + offset, bytes);
        else if (n->op == LTH_OP_OUTPUT)
            compare(e, "output", ((const lth_attr_slot *)a)->slot, planned.outputs[((const lth_attr_slot *)a)->slot], v);
        else if (n->op == LTH_OP_ASSIGN)
            memcpy(next + offset, e->values[v], bytes);
        else
            run_alone(e, i);
    }
    cr_assert(memcmp(next, planned.arenas[0], DRAW_STATE * (size_t)lth_dtype_size(floating)) == 0, "seed %llu: state differs",
              (unsigned long long)e->seed);
    for (uint32_t v = 0; v < g->value_count; v++)
        free(e->values[v]);
    free(e->values);
    free(e->state);
    e->state = next;
}

static void check_graph(uint64_t seed, uint32_t flags)
{
    bool half = planned.self != &planned && seed % 3 == 0; /* the least accelerator has no conversions around its kernels */
    draw_graph(&planned, half ? LTH_BF16 : seed % 2 ? LTH_F32 : LTH_F64, seed, false);
    op_case c = { .b = &planned, .constants.first_slot = planned.g.scalar_count };
    snprintf(c.name, sizeof c.name, "seed %llu", (unsigned long long)seed);
    eager e = { .seed = seed };
    e.state = copy_of(planned.arenas[0], DRAW_STATE * (size_t)lth_dtype_size(planned.arena_infos[0].dtype));
    allocations_poison(true);
    op_case_compile(&c, flags);
    for (int run = 0; run < 2; run++) { /* the second finds what the first left in memory */
        op_case_run(&c);
        cr_assert(allocations_check_guards(c.name) > 0 ||
                  planned.self == &planned); /* the least accelerator guards its own block */
        allocations_poison(false);
        check_run(&e);
    }
    free(e.state);
    op_case_end(&c);
}

/* plugin: NULL: the least accelerator. One thread: with more, the bits of a large node may depend on how many its plan was given.
 */
static void check_all(const char *plugin, uint64_t first, uint64_t count, uint32_t flags)
{
    setenv("LTHOST_TEST_THREADS", "1", 1);
    bench *const benches[] = { &planned, &single };
    for (int i = 0; i < 2; i++)
        if (plugin)
            bench_open(benches[i], plugin);
        else
            plain_bench_open(benches[i]);
    for (uint64_t seed = first; seed < first + count; seed++)
        check_graph(seed, flags);
    bench_close(&planned);
    bench_close(&single);
}

Test(plan_fuzz, a_plan_in_poisoned_memory_has_the_bits_of_eager_on_reference, .timeout = 120)
{
    check_all("reference", 1, 500, 0);
}

Test(plan_fuzz, a_plan_in_poisoned_memory_that_fuses_nothing_has_the_bits_of_eager_on_cpu, .timeout = 120)
{
    check_all("cpu", 501, 500, LTH_COMPILE_NO_FUSION);
}

Test(plan_fuzz, a_fused_plan_in_poisoned_memory_has_the_bits_of_eager_on_the_least_accelerator, .timeout = 120)
{
    check_all(NULL, 1001, 300, 0);
}
