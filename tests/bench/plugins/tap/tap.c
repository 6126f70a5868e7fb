/* SPDX-License-Identifier: Apache-2.0
 * bench_tap: stands before another accelerator and passes everything on. Of the plan that runs most it times `pairs` pairs of
 * blocks: `steps` steps as the trainer makes them, from the end of one run to the end of another, then as many runs in a bare
 * loop, with copies of the last batches in turns, since a trainer has a fresh batch each step, too.
 *
 * The file: "pair TRAINER BARE" a line, nanoseconds. With pairs = 0 it passes on alone, for counting instructions. */
#include <lthost/accelerator.h>

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PLANS = 16, BATCHES = 8, SLOTS = 16 };

/* A plan, and the bytes of each of its inputs. */
struct plan {
    lth_plan *plan;
    size_t bytes[SLOTS];
    uint32_t slots;
};

struct bench_tap {
    const char *path, *output;
    int64_t pairs, steps, warm;
    const lth_host *host;
    const lth_accelerator *inner;
    void *inner_self;
    struct plan plans[PLANS];
    uint32_t plan_count;
    const lth_plan *timed;
    int64_t runs, pair, start, *times; /* times: (pairs, 2) */
    void *batch[BATCHES][SLOTS];
};

static const lth_option options[] = {
    LTH_OPTION(struct bench_tap, path, "", NULL, "the accelerator's library; none: cpu of the same build",
               .flags = LTH_OPTION_PATH),
    LTH_OPTION(struct bench_tap, output, "", NULL, "the file to write", .flags = LTH_OPTION_PATH),
    LTH_OPTION(struct bench_tap, pairs, "0", "0..100000", "pairs of blocks to time"),
    LTH_OPTION(struct bench_tap, steps, "200", "1..", "steps of a block"),
    LTH_OPTION(struct bench_tap, warm, "200", "16..", "steps before the first block"),
};

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int32_t device_count(const char **reason)
{
    *reason = NULL;
    return 1;
}

static lth_status init(void *self, const lth_host *host)
{
    struct bench_tap *t = self;
    char path[4096];
    snprintf(path, sizeof path, "%s/../../../lib/lthost/plugins/cpu/cpu.so", host->api->plugin_dir(host));
    void *library = dlopen(t->path[0] ? t->path : path, RTLD_NOW | RTLD_LOCAL);
    const lth_plugin *(*entry)(void) = NULL;
    if (library)
        *(void **)&entry = dlsym(library, "lth_plugin_entry_v1");
    if (!entry)
        return lth_fail(host, LTH_ERROR, "%s", dlerror());
    t->host = host;
    t->inner = entry()->components->vtable;
    t->inner_self = calloc(1, t->inner->instance_size);
    t->times = calloc((size_t)t->pairs + 1, 2 * sizeof *t->times);
    if (!t->inner_self || !t->times)
        return lth_fail(host, LTH_NO_MEMORY, "no memory for the accelerator");
    return t->inner->init(t->inner_self, host);
}

static void destroy(void *self)
{
    struct bench_tap *t = self;
    FILE *file = t->pairs && t->output[0] ? fopen(t->output, "w") : NULL;
    for (int64_t i = 0; file && i < t->pair; i++)
        fprintf(file, "pair %lld %lld\n", (long long)t->times[2 * i], (long long)t->times[2 * i + 1]);
    if (file)
        fclose(file);
    for (size_t i = 0; i < BATCHES * SLOTS; i++)
        free(t->batch[i / SLOTS][i % SLOTS]);
    if (t->inner && t->inner->destroy)
        t->inner->destroy(t->inner_self);
    free(t->inner_self);
    free(t->times);
}

static lth_status compile(void *self, const lth_compile_args *args, lth_plan **plan)
{
    struct bench_tap *t = self;
    const lth_graph *g = args->graph;
    lth_status status = t->inner->compile(t->inner_self, args, plan);
    if (status || t->plan_count == PLANS)
        return status;
    struct plan *p = &t->plans[t->plan_count++];
    p->plan = *plan;
    for (uint32_t i = 0; i < g->node_count; i++) {
        const lth_node *n = lth_graph_node(g, i);
        if (n->op != LTH_OP_INPUT)
            continue;
        const lth_attr_slot *at = lth_node_attributes(g, n);
        const lth_shape *s = lth_node_shape(g, n, 0);
        if (at->slot >= SLOTS)
            return lth_fail(t->host, LTH_UNSUPPORTED, "a plan of more than %d inputs", SLOTS);
        p->bytes[at->slot] = (size_t)lth_shape_count(s) * lth_dtype_size(s->dtype);
        p->slots = at->slot >= p->slots ? at->slot + 1 : p->slots;
    }
    return LTH_OK;
}

static const struct plan *find(const struct bench_tap *t, const lth_plan *plan)
{
    for (uint32_t i = 0; i < t->plan_count; i++)
        if (t->plans[i].plan == plan)
            return &t->plans[i];
    return NULL;
}

static bool keep(void **batch, const struct plan *p, const lth_bindings *bindings)
{
    for (uint32_t i = 0; i < p->slots; i++) {
        if (!batch[i] && !(batch[i] = malloc(p->bytes[i])))
            return false;
        memcpy(batch[i], bindings->inputs[i], p->bytes[i]);
    }
    return true;
}

/* Called after each run of the plan that is timed. */
static lth_status watch(struct bench_tap *t, lth_plan *plan, const lth_bindings *bindings, lth_run_result *result)
{
    lth_status status = LTH_OK;
    const struct plan *p = find(t, plan);
    int64_t run = ++t->runs - t->warm;
    if (p && run > -BATCHES && run <= 0 && !keep(t->batch[-run], p, bindings))
        return lth_fail(t->host, LTH_NO_MEMORY, "no memory for batches");
    if (run == 0)
        t->start = now();
    if (run <= 0 || run % t->steps != 0)
        return LTH_OK;
    const int64_t middle = now();
    for (int64_t i = 0; i < t->steps && !status; i++) {
        lth_bindings bare = *bindings;
        bare.inputs = (const void *const *)t->batch[i % BATCHES];
        status = t->inner->run(t->inner_self, plan, &bare, result);
    }
    t->times[2 * t->pair] = middle - t->start;
    t->start = now();
    t->times[2 * t->pair++ + 1] = t->start - middle;
    return status;
}

static lth_status bench_tap_run(void *self, lth_plan *plan, const lth_bindings *bindings, lth_run_result *result)
{
    struct bench_tap *t = self;
    lth_status status = t->inner->run(t->inner_self, plan, bindings, result);
    if (status || t->pair == t->pairs)
        return status;
    if (t->timed != plan) /* the last that was new: no other runs in between */
        t->runs = 0;
    t->timed = plan;
    return watch(t, plan, bindings, result);
}

static void release(void *self, lth_plan *plan)
{
    struct bench_tap *t = self;
    for (uint32_t i = 0; i < t->plan_count; i++)
        if (t->plans[i].plan == plan)
            t->plans[i] = t->plans[--t->plan_count];
    t->inner->release(t->inner_self, plan);
}

/* ---- What is passed on as it is ---- */

#define INNER ((struct bench_tap *)self)->inner
#define SELF ((struct bench_tap *)self)->inner_self
static bool supports(void *self, uint32_t op, lth_dtype dtype) { return INNER->supports(SELF, op, dtype); }
static void *allocate(void *self, uint64_t bytes) { return INNER->alloc(SELF, bytes); }
static void release_memory(void *self, void *memory) { INNER->free(SELF, memory); }
static lth_status copy_in(void *self, void *to, const void *from, uint64_t bytes)
{
    return INNER->copy_in(SELF, to, from, bytes);
}
static lth_status copy_out(void *self, void *to, const void *from, uint64_t bytes)
{
    return INNER->copy_out(SELF, to, from, bytes);
}
static const void *value_data(void *self, lth_plan *plan, uint32_t v) { return INNER->value_data(SELF, plan, v); }
static void plan_info(void *self, const lth_plan *plan, lth_plan_info *out) { INNER->plan_info(SELF, plan, out); }
static const char *fingerprint(void *self) { return INNER->fingerprint(SELF); }

LTH_ACCELERATOR(bench_tap, .summary = "another accelerator, beside a bare loop over its plan", .options = LTH_OPTIONS(options),
                .init = init, .destroy = destroy, .device_count = device_count, .supports = supports, .alloc = allocate,
                .free = release_memory, .copy_in = copy_in, .copy_out = copy_out, .compile = compile, .run = bench_tap_run,
                .release = release, .value_data = value_data, .plan_info = plan_info, .fingerprint = fingerprint);
LTH_PLUGIN(LTH_ACCELERATOR_COMPONENT(bench_tap));
