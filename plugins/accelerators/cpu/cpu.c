/* SPDX-License-Identifier: Apache-2.0
 * The accelerator `cpu`: fused loops compiled for the processor at hand, matrix products by oneDNN and OpenBLAS. */
#include "gemm.h"
#include "half_kernels.h"
#include "isa.h"
#include "plan.h"
#include "pool.h"

#include <lthost/accelerator.h>
#include <lthost/threads.h>
#include <stdlib.h>
#include <string.h>
#ifdef __GLIBC__
#include <gnu/libc-version.h>
#endif

struct cpu {
    const lth_host *host;
    int32_t threads;
    char fingerprint[160];
};

/* The pool's threads are made here, once and for all; a crash on one of them shall be reported. */
static void begin_thread(void *context, int32_t thread, int32_t threads)
{
    const struct cpu *c = context;
    const lth_threads_api *api = c->host->api->get_interface(c->host, LTH_THREADS);
    (void)thread;
    (void)threads;
    api->begin(c->host, "pool");
}

static int32_t device_count(const char **reason)
{
    *reason = NULL;
    return 1;
}

/* f64 calls the C library's exp() and its like, so its version decides bits too. */
static lth_status init(void *self, const lth_host *host)
{
    struct cpu *c = self;
    const char *wanted = getenv("LTHOST_CPU_ISA");
    char libraries[80], libc[24] = "another", names[48];
    if (!cpu_kernels_choose(wanted, names, sizeof names))
        return lth_fail(host, LTH_INVALID, "LTHOST_CPU_ISA is '%s'; this processor has %s", wanted, names);
#ifdef __GLIBC__
    snprintf(libc, sizeof libc, "%s", gnu_get_libc_version());
#endif
    if (getenv("LTHOST_CPU_BF16") && !cpu_bf16_is("library") && !cpu_bf16_is("tiles"))
        return lth_fail(host, LTH_INVALID, "LTHOST_CPU_BF16 is '%s'; it may be 'library' or 'tiles'", getenv("LTHOST_CPU_BF16"));
    c->host = host;
    c->threads = host->api->threads(host);
    if (host->api->get_interface(host, LTH_THREADS))
        pool_run(c->threads, begin_thread, c);
    gemm_open();
    gemm_versions(libraries, sizeof libraries);
    snprintf(c->fingerprint, sizeof c->fingerprint, "cpu %s%s threads=%d %s libc=%s", cpu_kernels()->name,
             cpu_half_gemm_kernels() ? "+tiles" : cpu_multiplies_bf16() ? "+bf16" : "", c->threads, libraries, libc);
    return LTH_OK;
}

static bool supports(void *self, uint32_t op, lth_dtype dtype)
{
    (void)self;
    return cpu_plan_supports(op, dtype);
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
    struct cpu *c = self;
    const lth_graph *g = args->graph;
    accel_error e;
    lth_status status = cpu_plan_new(g, args->flags, c->threads, plan, &e);
    if (!status)
        return LTH_OK;
    const lth_site *site = NULL;
    if (e.node < g->node_count && lth_graph_node(g, e.node)->site < g->site_count)
        site = lth_graph_site(g, lth_graph_node(g, e.node)->site);
    return c->host->api->fail(c->host, status, site ? site->file : NULL, site ? site->line : 0, e.text);
}

static lth_status run(void *self, lth_plan *plan, const lth_bindings *bindings, lth_run_result *result)
{
    (void)self;
    return cpu_plan_run(plan, bindings, result);
}

static void release(void *self, lth_plan *plan)
{
    (void)self;
    cpu_plan_free(plan);
}

static const void *value_data(void *self, lth_plan *plan, uint32_t value)
{
    (void)self;
    return accel_schedule_value(plan->schedule, plan->block, plan->last.plain ? plan->last.plain[value] : value);
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
    for (uint32_t i = 0; i < plan->schedule->launch_count; i++) {
        char text[1024];
        cpu_plan_text(plan, i, text, sizeof text);
        line(context, text);
    }
}

static bool launch(void *self, const lth_plan *plan, uint32_t index, lth_launch *out)
{
    (void)self;
    return cpu_plan_launch(plan, index, out);
}

static const char *fingerprint(void *self) { return ((struct cpu *)self)->fingerprint; }

LTH_ACCELERATOR(cpu, .summary = "this machine's processor: fused loops, oneDNN and OpenBLAS, in f32, f64 and bf16", .init = init,
                .base_score = 10, .device_count = device_count, .supports = supports, .alloc = allocate, .free = release_memory,
                .copy_in = copy, .copy_out = copy, .compile = compile, .run = run, .release = release, .value_data = value_data,
                .plan_info = plan_info, .describe = describe, .fingerprint = fingerprint, .launch = launch);
LTH_PLUGIN(LTH_ACCELERATOR_COMPONENT(cpu));
