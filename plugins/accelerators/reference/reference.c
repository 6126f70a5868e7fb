/* SPDX-License-Identifier: Apache-2.0
 * The accelerator `reference`: the meaning of every op as plain loops. Other accelerators are held against it. */
#include "plan.h"

#include <stdlib.h>
#include <string.h>
#ifdef __GLIBC__
#include <gnu/libc-version.h>
#endif

struct reference {
    const lth_host *host;
    char fingerprint[64];
};

static int32_t device_count(const char **reason)
{
    *reason = NULL;
    return 1;
}

/* exp() and its like are the C library's, so its version decides bits. */
static lth_status init(void *self, const lth_host *host)
{
    struct reference *r = self;
    const char *libc = "another libc";
#ifdef __GLIBC__
    libc = gnu_get_libc_version();
#endif
    r->host = host;
    snprintf(r->fingerprint, sizeof r->fingerprint, "reference libc=%s", libc);
    return LTH_OK;
}

static bool supports(void *self, uint32_t op, lth_dtype dtype)
{
    (void)self;
    switch (op) {
    case LTH_OP_INPUT:
    case LTH_OP_STATE:
    case LTH_OP_ASSIGN:
    case LTH_OP_OUTPUT:
    case LTH_OP_PRINT:
    case LTH_OP_LOOP:
    case LTH_OP_LOOP_END: return lth_dtype_size(dtype) != 0;
    default: return plain_find_wide(op, dtype) != NULL;
    }
}

static void *allocate(void *self, uint64_t bytes)
{
    (void)self;
    if (bytes > INT64_MAX - ACCEL_ALIGNMENT)
        return NULL;
    size_t size = (size_t)accel_align((int64_t)(bytes ? bytes : 1));
    void *memory = aligned_alloc(ACCEL_ALIGNMENT, size);
    return memory ? memset(memory, 0, size) : NULL;
}

static void release_memory(void *self, void *memory)
{
    (void)self;
    free(memory);
}

static lth_status copy(void *self, void *to, const void *from, uint64_t bytes)
{
    (void)self;
    if (bytes)
        memcpy(to, from, bytes);
    return LTH_OK;
}

static lth_status compile(void *self, const lth_compile_args *args, lth_plan **plan)
{
    struct reference *r = self;
    const lth_graph *g = args->graph;
    accel_error e;
    lth_status status = ref_plan_new(g, args->flags, plan, &e);
    if (!status)
        return LTH_OK;
    const lth_site *site = NULL;
    if (e.node < g->node_count && lth_graph_node(g, e.node)->site < g->site_count)
        site = lth_graph_site(g, lth_graph_node(g, e.node)->site);
    return r->host->api->fail(r->host, status, site ? site->file : NULL, site ? site->line : 0, e.text);
}

static lth_status run(void *self, lth_plan *plan, const lth_bindings *bindings, lth_run_result *result)
{
    (void)self;
    return ref_plan_run(plan, bindings, result);
}

static void release(void *self, lth_plan *plan)
{
    (void)self;
    ref_plan_free(plan);
}

static const void *value_data(void *self, lth_plan *plan, uint32_t value)
{
    (void)self;
    return plan->flags & LTH_COMPILE_KEEP_ALL && value < plan->graph->value_count ? plan->data[value] : NULL;
}

static void plan_info(void *self, const lth_plan *plan, lth_plan_info *out)
{
    (void)self;
    uint32_t size = out->struct_size && out->struct_size < sizeof *out ? out->struct_size : (uint32_t)sizeof *out;
    memcpy(out, &plan->info, size);
    out->struct_size = size;
}

static void describe(void *self, const lth_plan *plan, void (*line)(void *context, const char *text), void *context)
{
    (void)self;
    for (uint32_t i = 0; i < plan->graph->node_count; i++) {
        const lth_node *n = lth_graph_node(plan->graph, i);
        char text[512], place[64] = "";
        accel_node_text(plan->graph, i, text, sizeof text - sizeof place);
        if (n->value_count && !ref_plan_is_bound(plan, n->first_value))
            snprintf(place, sizeof place, " at %lld", (long long)plan->buffers[n->first_value].offset);
        strcat(text, place);
        line(context, text);
    }
}

/* A node is a launch. */
static bool launch(void *self, const lth_plan *plan, uint32_t index, lth_launch *out)
{
    (void)self;
    if (index >= plan->graph->node_count)
        return false;
    const lth_node *n = lth_graph_node(plan->graph, index);
    lth_launch l = { .struct_size = out->struct_size < sizeof l ? out->struct_size : (uint32_t)sizeof l,
                     .node = index,
                     .node_count = 1,
                     .threads = 1,
                     .flops = accel_node_flops(plan->graph, n),
                     .bytes = accel_node_bytes(plan->graph, n) };
    snprintf(l.ops, sizeof l.ops, "%s", accel_op_find(n->op)->name);
    memcpy(out, &l, l.struct_size);
    return true;
}

static const char *fingerprint(void *self)
{
    return ((struct reference *)self)->fingerprint;
}

LTH_ACCELERATOR(reference, .summary = "plain loops in f32, f64, bf16 and f16, every op: slow, and what the others are held against", .init = init,
                .base_score = 1, .device_count = device_count, .supports = supports, .alloc = allocate, .free = release_memory,
                .copy_in = copy, .copy_out = copy, .compile = compile, .run = run, .release = release, .value_data = value_data,
                .plan_info = plan_info, .describe = describe, .fingerprint = fingerprint, .launch = launch);
LTH_PLUGIN(LTH_ACCELERATOR_COMPONENT(reference));
