/* SPDX-License-Identifier: Apache-2.0 */
#include "accel_plain.h"

#include <criterion/criterion.h>
#include <lthost/accel/plain/kernel.h>
#include <stdlib.h>
#include <string.h>

enum { GUARD = 64 };

struct lth_plan {
    accel_schedule *s;
    char *block, *scratch;
};

static bool run_node(void *context, const accel_call *call)
{
    (void)context;
    plain_call plain = { call->schedule->graph, call->node, call->in, call->out, call->bindings, call->message, 1 };
    plain_kernel kernel = plain_find(call->node->op, accel_node_dtype(call->schedule->graph, call->node));
    cr_assert_not_null(kernel, "op %u has no plain kernel", call->node->op);
    if (call->workspace)
        memset(call->workspace, 0xFF, 100);
    return kernel(&plain);
}

/* Two halves, the second first: as two threads could. */
static void run_program(void *context, const accel_schedule *s, uint32_t launch, const accel_tile_run *run)
{
    const struct lth_plan *p = context;
    const accel_program *program = s->launches[launch].program;
    int64_t tiles = accel_program_tiles(program);
    memset(p->scratch, 0xFF, (size_t)s->scratch);
    accel_tile_generic(program, run, tiles / 2, tiles, p->scratch);
    memset(p->scratch, 0xFF, (size_t)s->scratch);
    accel_tile_generic(program, run, 0, tiles / 2, p->scratch);
}

static int64_t workspace(void *context, const lth_graph *g, uint32_t node)
{
    (void)context;
    return lth_graph_node(g, node)->op == LTH_OP_MATMUL ? 100 : 0;
}

static bool supports(void *self, uint32_t op, lth_dtype dtype)
{
    (void)self;
    return accel_tile_supports(op, dtype) || plain_find(op, dtype);
}

static void *allocate(void *self, uint64_t bytes)
{
    (void)self;
    return calloc(1, bytes ? bytes : 1);
}

static void release_memory(void *self, void *memory)
{
    (void)self;
    free(memory);
}

static lth_status compile(void *self, const lth_compile_args *args, lth_plan **plan)
{
    bench *b = self;
    accel_error e;
    accel_schedule_options options = { .flags = args->flags, .workspace = workspace };
    lth_plan *p = calloc(1, sizeof *p);
    lth_status status = accel_schedule_new(args->graph, &options, &p->s, &e);
    if (status) {
        snprintf(b->message, sizeof b->message, "%s", e.text);
        free(p);
        return status;
    }
    p->block = malloc((size_t)p->s->info.memory + 2 * GUARD);
    p->scratch = malloc((size_t)p->s->scratch + 1);
    memset(p->block, 0xFF, (size_t)p->s->info.memory + 2 * GUARD);
    *plan = p;
    return LTH_OK;
}

static lth_status run(void *self, lth_plan *p, const lth_bindings *bindings, lth_run_result *result)
{
    (void)self;
    accel_kernels kernels = { p, run_node, run_program };
    lth_status status = accel_execute(p->s, p->block + GUARD, bindings, &kernels, result);
    for (int i = 0; i < GUARD; i++) {
        cr_assert_eq((unsigned char)p->block[i], 0xFF, "written before the block");
        cr_assert_eq((unsigned char)p->block[GUARD + p->s->info.memory + i], 0xFF, "written past the block");
    }
    return status;
}

static void release(void *self, lth_plan *p)
{
    (void)self;
    accel_schedule_free(p->s);
    free(p->block);
    free(p->scratch);
    free(p);
}

static const void *value_data(void *self, lth_plan *p, uint32_t value)
{
    (void)self;
    return accel_schedule_value(p->s, p->block + GUARD, value);
}

static const lth_accelerator plain = { .struct_size = sizeof plain,
                                       .supports = supports,
                                       .alloc = allocate,
                                       .free = release_memory,
                                       .compile = compile,
                                       .run = run,
                                       .release = release,
                                       .value_data = value_data };

void plain_bench_open(bench *b)
{
    memset(b, 0, sizeof *b);
    b->accelerator = &plain;
    b->self = b;
    graph_init(&b->g);
    bench_reset(b);
}

accel_schedule *plain_schedule(bench *b) { return b->plan->s; }

void plain_poison(bench *b) { memset(b->plan->block, 0xFF, (size_t)b->plan->s->info.memory + 2 * GUARD); }
