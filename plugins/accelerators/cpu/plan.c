/* SPDX-License-Identifier: Apache-2.0
 * Compiling and running: the schedule comes from accel/, kernels and threads from here. */
#include "plan.h"

#include "gemm.h"
#include "isa.h"
#include "pool.h"

#include <lthost/accel/plain/wide.h>

#include <stdlib.h>
#include <string.h>

/* Entering the pool takes 2 to 5 microseconds while its threads are awake, and far more when another program wants the
 * processor: a plan below PLAN_WORK runs on one thread, and so does a launch below CPU_LAUNCH_WORK. Nanoseconds. */
static const double PLAN_WORK = 2e5;

bool cpu_plan_supports(uint32_t op, lth_dtype dtype)
{
    bool real = dtype == LTH_F32 || dtype == LTH_F64 || dtype == LTH_BF16;
    switch (op) {
    case LTH_OP_INPUT:
    case LTH_OP_STATE:
    case LTH_OP_ASSIGN:
    case LTH_OP_OUTPUT:
    case LTH_OP_PRINT:
    case LTH_OP_LOOP:
    case LTH_OP_LOOP_END:
        return lth_dtype_size(dtype) != 0;
    case LTH_OP_SOFTMAX:
    case LTH_OP_LOG_SOFTMAX:
    case LTH_OP_LOGSUMEXP:
    case LTH_OP_CROSS_ENTROPY:
    case LTH_OP_CROSS_ENTROPY_GRAD:
    case LTH_OP_LAYER_NORM:
    case LTH_OP_RMS_NORM:
    case LTH_OP_BATCH_NORM:
    case LTH_OP_MEAN:
    case LTH_OP_ATTENTION:
    case LTH_OP_ATTENTION_GRAD:
    case LTH_OP_RNN_STEPS:
    case LTH_OP_RNN_STEPS_GRAD:
        return real;
    default:
        return accel_tile_supports(op, dtype) || (dtype == LTH_BF16 ? plain_find_wide(op, dtype) : plain_find(op, dtype)) != NULL;
    }
}

/* ---- Compiling ---- */

static bool takes_view(void *context, const lth_graph *g, uint32_t node, uint32_t operand, const accel_view *view)
{
    (void)context;
    const lth_node *n = lth_graph_node(g, node);
    return cpu_attention_takes(n, operand, view) || cpu_gemm_takes(g, n, view);
}

static int64_t workspace(void *context, const lth_graph *g, uint32_t node)
{
    const lth_plan *p = context;
    const lth_node *n = lth_graph_node(g, node);
    bool wide = cpu_is_wide(g, n);
    int64_t half = cpu_half_conv_workspace(g, n, p->threads) + (wide ? cpu_gemm_workspace(g, n, p->threads) : 0);
    if (half)
        return half;
    const lth_graph *computed = wide ? p->wide : g;
    int64_t conv = cpu_last_conv_workspace(computed, n, p->threads);
    conv = conv ? conv : cpu_planar_workspace(computed, n, p->threads);
    conv = conv ? conv : cpu_conv_workspace(computed, n, p->threads);
    int64_t other = cpu_gemm_workspace(computed, n, p->threads) + cpu_rows_workspace(computed, n) +
                    cpu_reduction_workspace(computed, n) + cpu_channel_norm_workspace(computed, n) +
                    cpu_rnn_workspace(computed, n);
    return (wide ? plain_wide_bytes(g, n) : 0) + (conv ? conv : other) + cpu_attention_workspace(g, n, p->threads);
}

static lth_status choose_kernel(lth_plan *p, cpu_kernel *k, const accel_launch *l, accel_error *e)
{
    static cpu_maker *const narrow[] = { cpu_make_gemm, cpu_make_gemm_half, cpu_make_half_conv };
    static cpu_maker *const makers[] = { cpu_make_gemm,         cpu_make_attention, cpu_make_last_conv, cpu_make_last_pool,
                                         cpu_make_channel_norm, cpu_make_planar,    cpu_make_conv,      cpu_make_columns,
                                         cpu_make_planes,       cpu_make_rows,      cpu_make_reduction, cpu_make_rnn,
                                         cpu_make_plain };
    const accel_schedule *s = p->schedule;
    const lth_node *n = lth_graph_node(s->graph, l->node);
    cpu_site site = { s->graph, n, s->operands + l->first_operand, s->operands + l->first_result };
    bool wide = cpu_is_wide(s->graph, n);
    lth_status status = LTH_UNSUPPORTED;
    for (size_t i = 0; i < sizeof narrow / sizeof *narrow && wide && status == LTH_UNSUPPORTED; i++)
        status = narrow[i](k, &site);
    for (size_t i = 0; i < sizeof makers / sizeof *makers && status == LTH_UNSUPPORTED; i++)
        status = wide ? cpu_make_wide(k, &site, &p->wide_schedule, makers[i]) : makers[i](k, &site);
    if (status == LTH_UNSUPPORTED) {
        e->node = accel_schedule_origin(s, l->node);
        snprintf(e->text, sizeof e->text, "%s of %s is not supported", accel_op_find(n->op)->name,
                 lth_dtype_name(accel_node_dtype(s->graph, n)));
    }
    return status;
}

static double instruction_work(uint32_t op)
{
    switch (op) {
    case LTH_OP_EXP:
    case LTH_OP_LOG:
    case LTH_OP_TANH:
    case LTH_OP_ERF:
    case LTH_OP_SIGMOID:
    case LTH_OP_SILU:
    case LTH_OP_GELU:
    case LTH_OP_GELU_TANH:
    case LTH_OP_GELU_SLOPE:
    case LTH_OP_GELU_TANH_SLOPE:
    case LTH_OP_UNIFORM:
    case LTH_OP_DROPOUT:
        return 1.5;
    case LTH_OP_SIN:
    case LTH_OP_COS:
    case LTH_OP_POW:
    case LTH_OP_EXPM1:
    case LTH_OP_LOG1P:
    case LTH_OP_SOFTPLUS:
    case LTH_OP_NORMAL:
        return 10;
    case LTH_OP_DIV:
    case LTH_OP_SQRT:
    case LTH_OP_RSQRT:
        return 0.5;
    default:
        return 0.15;
    }
}

static double program_work(const accel_program *p)
{
    double element = 0;
    for (uint32_t i = 0; i < p->instruction_count; i++)
        element += instruction_work(p->instructions[i].op) * (p->instructions[i].dtype == LTH_F64 ? 2 : 1);
    return 100 + (double)p->count * element + 15.0 * (double)accel_program_tiles(p) * p->instruction_count;
}

static void free_kernels(lth_plan *p)
{
    for (uint32_t i = 0; p->kernels && i < p->schedule->launch_count; i++)
        cpu_kernel_release(&p->kernels[i]);
    if (p->kernels)
        memset(p->kernels, 0, p->schedule->launch_count * sizeof *p->kernels);
}

/* Kernels for p->threads; *work: nanoseconds of all on one thread. */
static lth_status choose_kernels(lth_plan *p, double *work, accel_error *e)
{
    const accel_schedule *s = p->schedule;
    *work = 0;
    p->has_team = p->threads > 1;
    for (uint32_t i = 0; i < s->launch_count; i++) {
        const accel_launch *l = &s->launches[i];
        cpu_kernel *k = &p->kernels[i];
        k->threads = p->threads;
        lth_status status = l->kind == ACCEL_LAUNCH_NODE ? choose_kernel(p, k, l, e) : LTH_OK;
        if (status)
            return status;
        if (l->kind == ACCEL_LAUNCH_PROGRAM)
            k->work = program_work(l->program);
        if (k->work < CPU_LAUNCH_WORK)
            k->threads = 1;
        p->has_team &= k->threads == 1 || !k->enters_pool;
        *work += k->work * accel_loop_runs(s->graph, lth_graph_node(s->graph, l->node)->region);
    }
    return LTH_OK;
}

static lth_status place_memory(lth_plan *p)
{
    int64_t most = 0, memory = accel_align(p->schedule->info.memory);
    for (uint32_t i = 0; i < p->schedule->launch_count; i++) {
        const accel_launch *l = &p->schedule->launches[i];
        if (l->kind == ACCEL_LAUNCH_PROGRAM && l->program->scratch > most)
            most = l->program->scratch;
    }
    most = accel_align(most);
    p->block = aligned_alloc(ACCEL_ALIGNMENT, (size_t)(memory + p->threads * most + ACCEL_ALIGNMENT));
    if (!p->block)
        return LTH_NO_MEMORY;
    p->scratch = p->block + memory;
    p->scratch_stride = most;
    p->info = p->schedule->info;
    p->info.struct_size = sizeof p->info;
    p->info.memory += p->threads * most;
    p->info.memory_unshared += p->threads * most;
    return LTH_OK;
}

static lth_status build(lth_plan *p, accel_error *e)
{
    double work;
    p->kernels = calloc(p->schedule->launch_count + 1, sizeof *p->kernels);
    lth_status status = p->kernels ? choose_kernels(p, &work, e) : LTH_NO_MEMORY;
    if (!status && p->threads > 1 && work < PLAN_WORK) {
        free_kernels(p);
        p->threads = 1;
        status = choose_kernels(p, &work, e);
    }
    return status ? status : place_memory(p);
}

/* Programs take what they are given: whether they have all its instructions. */
static bool check_programs(const lth_graph *g, accel_error *e)
{
    for (uint32_t i = 0; i < g->node_count; i++) {
        const lth_node *n = lth_graph_node(g, i);
        const accel_op *op = accel_op_find(n->op);
        if (!op || op->class != ACCEL_POINTWISE || accel_tile_supports(n->op, accel_node_dtype(g, n)))
            continue;
        e->node = i;
        snprintf(e->text, sizeof e->text, "%s of %s is not supported", op->name, lth_dtype_name(accel_node_dtype(g, n)));
        return false;
    }
    return true;
}

/* The schedule, and its look at the wide graph. */
static lth_status make_schedule(lth_plan *p, const lth_graph *g, uint32_t flags, accel_error *e)
{
    accel_schedule_options options = {
        .flags = flags, .takes_view = flags ? NULL : takes_view, .workspace = workspace, .context = p
    };
    if (!accel_check_graph(g, e) || !check_programs(g, e))
        return LTH_UNSUPPORTED;
    lth_status last = channels_last_make(g, flags != 0, &p->last);
    if (last == LTH_NO_MEMORY)
        return last;
    g = last ? g : &p->last.graph;
    options.origin = p->last.origin;
    p->wide = plain_wide_graph(g);
    lth_status status = p->wide ? accel_schedule_new(g, &options, &p->schedule, e) : LTH_NO_MEMORY;
    if (status)
        return status;
    p->wide_schedule = *p->schedule;
    p->wide_schedule.graph = p->wide;
    return LTH_OK;
}

lth_status cpu_plan_new(const lth_graph *g, uint32_t flags, int32_t threads, lth_plan **out, accel_error *e)
{
    const uint32_t known = LTH_COMPILE_NO_FUSION | LTH_COMPILE_KEEP_ALL | LTH_COMPILE_CHECK_FINITE;
    *out = NULL;
    *e = (accel_error) { LTH_NO_VALUE, "" };
    if (flags & ~known) {
        snprintf(e->text, sizeof e->text, "flags 0x%x of compile are unknown here", flags & ~known);
        return LTH_UNSUPPORTED;
    }
    lth_plan *p = calloc(1, sizeof *p);
    lth_status status = LTH_NO_MEMORY;
    if (p) {
        p->threads = threads;
        status = make_schedule(p, g, flags, e);
    }
    if (!status)
        status = build(p, e);
    if (status == LTH_NO_MEMORY)
        snprintf(e->text, sizeof e->text, "no memory for a plan of %u nodes", g->node_count);
    if (status)
        cpu_plan_free(p);
    else
        *out = p;
    return status;
}

void cpu_plan_free(lth_plan *p)
{
    if (!p)
        return;
    free_kernels(p);
    free(p->kernels);
    free(p->block);
    accel_schedule_free(p->schedule);
    channels_last_free(&p->last);
    free(p->wide);
    free(p);
}

/* ---- Running ---- */

struct tiles {
    const lth_plan *plan;
    const accel_program *program;
    const accel_tile_run *run;
};

static void run_tiles(void *context, int32_t thread, int32_t threads)
{
    const struct tiles *t = context;
    int64_t first, last;
    pool_share(accel_program_tiles(t->program), 1, thread, threads, &first, &last);
    if (first < last)
        cpu_kernels()->tile(t->program, t->run, first, last, t->plan->scratch + thread * t->plan->scratch_stride);
}

static void run_program(void *context, const accel_schedule *s, uint32_t launch, const accel_tile_run *run)
{
    const lth_plan *p = context;
    struct tiles t = { p, s->launches[launch].program, run };
    pool_run(p->kernels[launch].threads, run_tiles, &t);
}

static bool run_node(void *context, const accel_call *call)
{
    const lth_plan *p = context;
    const cpu_kernel *k = &p->kernels[call->launch];
    return k->kind->run(k, call);
}

struct plan_call {
    lth_plan *plan;
    const lth_bindings *bindings;
    lth_run_result *result;
    lth_status status;
};

static void execute(void *context)
{
    struct plan_call *c = context;
    accel_kernels kernels = { c->plan, run_node, run_program };
    c->status = accel_execute(c->plan->schedule, c->plan->block, c->bindings, &kernels, c->result);
}

lth_status cpu_plan_run(lth_plan *p, const lth_bindings *b, lth_run_result *result)
{
    struct plan_call c = { p, b, result, LTH_OK };
    pool_team(p->has_team ? p->threads : 1, execute, &c);
    return c.status;
}

void cpu_plan_text(const lth_plan *p, uint32_t launch, char *text, size_t size)
{
    const cpu_kernel *k = &p->kernels[launch];
    accel_launch_text(p->schedule, launch, text, size);
    size_t used = strlen(text);
    if (k->kind && used + 4 < size) {
        char how[96];
        k->kind->text(k, how, sizeof how);
        snprintf(text + used, size - used, "  [%s%s]", how, k->threads > 1 ? ", threads" : "");
    }
}

bool cpu_plan_launch(const lth_plan *p, uint32_t launch, lth_launch *out)
{
    lth_launch l = { .struct_size = sizeof l };
    if (!accel_launch_tell(p->schedule, launch, &l))
        return false;
    const cpu_kernel *k = &p->kernels[launch];
    l.threads = k->threads;
    if (k->kind)
        k->kind->text(k, l.how, sizeof l.how);
    l.struct_size = out->struct_size < sizeof l ? out->struct_size : (uint32_t)sizeof l;
    memcpy(out, &l, l.struct_size);
    return true;
}
