/* SPDX-License-Identifier: Apache-2.0 */
#include "accel_fixture.h"

#include <criterion/criterion.h>
#include <dlfcn.h>
#include <lthost/component.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { GUARD = 64, PATTERN = 0xA5 };

static char *guarded(int64_t bytes)
{
    char *memory = aligned_alloc(64, (size_t)((bytes + 2 * GUARD + 63) / 64 * 64));
    cr_assert_not_null(memory);
    memset(memory, PATTERN, (size_t)(bytes + 2 * GUARD));
    return memory + GUARD;
}

static void check_guards(const char *what, const char *memory, int64_t bytes)
{
    for (int64_t i = 1; i <= GUARD; i++) {
        cr_assert_eq((unsigned char)memory[-i], PATTERN, "%s: written before its start", what);
        cr_assert_eq((unsigned char)memory[bytes + i - 1], PATTERN, "%s: written past its end", what);
    }
}

static int64_t bytes_of(const lth_shape *s) { return lth_shape_count(s) * lth_dtype_size(s->dtype); }

static lth_status host_fail(const lth_host *host, lth_status status, const char *file, uint32_t line, const char *message)
{
    (void)file;
    (void)line;
    bench *b = (bench *)((char *)host - offsetof(bench, host));
    snprintf(b->message, sizeof b->message, "%s", message);
    return status;
}

static void host_message(const lth_host *host, uint32_t level, const char *text)
{
    (void)host;
    (void)level;
    (void)text;
}

static int32_t host_threads(const lth_host *host)
{
    (void)host;
    const char *threads = getenv("LTHOST_TEST_THREADS");
    return threads ? atoi(threads) : 2;
}

static const char *host_text(const lth_host *host)
{
    (void)host;
    return "";
}

static const void *host_interface(const lth_host *host, const char *id)
{
    (void)host;
    (void)id;
    return NULL;
}

static uint64_t host_seed(const lth_host *host)
{
    (void)host;
    return 0;
}

static const lth_host_api host_api = { .struct_size = sizeof host_api,
                                       .api_major = LTH_API_MAJOR,
                                       .api_minor = LTH_API_MINOR,
                                       .fail = host_fail,
                                       .message = host_message,
                                       .get_interface = host_interface,
                                       .section = host_text,
                                       .run_dir = host_text,
                                       .plugin_dir = host_text,
                                       .threads = host_threads,
                                       .seed = host_seed };

void bench_open(bench *b, const char *plugin)
{
    char path[1024];
    memset(b, 0, sizeof *b);
    snprintf(path, sizeof path, "%s/%s/%s.so", LTHOST_TEST_PLUGINS, plugin, plugin);
    b->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    cr_assert_not_null(b->library, "%s", dlerror());
    const lth_plugin *(*entry)(void);
    *(void **)&entry = dlsym(b->library, "lth_plugin_entry_v1");
    cr_assert_not_null(*(void **)&entry);
    const lth_component *component = entry()->components;
    cr_assert_str_eq(component->kind, "accelerator/1");
    b->accelerator = component->vtable;
    b->self = calloc(1, b->accelerator->instance_size);
    b->host.api = &host_api;
    cr_assert_eq(b->accelerator->init(b->self, &b->host), LTH_OK);
    graph_init(&b->g);
    bench_reset(b);
}

void bench_reset(bench *b)
{
    if (b->plan)
        b->accelerator->release(b->self, b->plan);
    b->plan = NULL;
    for (uint32_t i = 0; i < BENCH_SLOTS; i++) {
        free(b->inputs[i] ? b->inputs[i] - GUARD : NULL);
        free(b->outputs[i] ? b->outputs[i] - GUARD : NULL);
        if (b->arenas[i])
            b->accelerator->free(b->self, b->arenas[i] - GUARD);
        b->inputs[i] = b->outputs[i] = b->arenas[i] = NULL;
    }
    b->arena_count = 0;
    b->message[0] = b->printed[0] = 0;
    graph_reset(&b->g);
    b->g.arenas = b->arena_infos;
    error_clear(&b->e);
}

void bench_close(bench *b)
{
    bench_reset(b);
    graph_free(&b->g);
    if (b->accelerator->destroy)
        b->accelerator->destroy(b->self);
    if (b->self != b)
        free(b->self); /* the library stays, as in the host: a leak's stack needs its symbols */
}

lth_shape bench_shape(lth_dtype dtype, int32_t rank, const int64_t *dim)
{
    lth_shape s = { dtype, rank, { 0 } };
    for (int32_t i = 0; i < rank; i++)
        s.dim[i] = dim[i];
    return s;
}

void bench_fill(lth_dtype dtype, void *data, int64_t i, double x)
{
    switch (dtype) {
    case LTH_F32:
        ((float *)data)[i] = (float)x;
        break;
    case LTH_F64:
        ((double *)data)[i] = x;
        break;
    case LTH_I64:
        ((int64_t *)data)[i] = (int64_t)x;
        break;
    case LTH_I32:
        ((int32_t *)data)[i] = (int32_t)x;
        break;
    case LTH_I8:
        ((int8_t *)data)[i] = (int8_t)x;
        break;
    case LTH_U8:
        ((uint8_t *)data)[i] = (uint8_t)x;
        break;
    case LTH_BOOL:
        ((uint8_t *)data)[i] = x != 0;
        break;
    default:
        ((uint16_t *)data)[i] = (uint16_t)x; /* the bits of a bf16 or f16 */
    }
}

double bench_element(lth_dtype dtype, const void *data, int64_t i)
{
    switch (dtype) {
    case LTH_F32:
        return ((const float *)data)[i];
    case LTH_F64:
        return ((const double *)data)[i];
    case LTH_I64:
        return (double)((const int64_t *)data)[i];
    case LTH_I32:
        return ((const int32_t *)data)[i];
    case LTH_I8:
        return ((const int8_t *)data)[i];
    case LTH_U8:
    case LTH_BOOL:
        return ((const uint8_t *)data)[i];
    default:
        return ((const uint16_t *)data)[i];
    }
}

static uint32_t append(bench *b, uint32_t op, const uint32_t *operands, uint32_t count, const void *attributes, uint32_t size,
                       const lth_shape *result)
{
    return graph_append(&b->g, op, operands, count, attributes, size, graph_site(&b->g, "model.c", 1), result, result ? 1 : 0);
}

uint32_t bench_input(bench *b, lth_shape s, const double *data)
{
    uint32_t slot = b->g.input_count;
    cr_assert_lt(slot, BENCH_SLOTS);
    b->inputs[slot] = guarded(bytes_of(&s));
    for (int64_t i = 0, n = lth_shape_count(&s); i < n; i++)
        bench_fill(s.dtype, b->inputs[slot], i, data[i]);
    return append(b, LTH_OP_INPUT, NULL, 0, &(lth_attr_slot) { slot, 0 }, sizeof(lth_attr_slot), &s);
}

uint32_t bench_scalar(bench *b, lth_dtype dtype, double value)
{
    uint32_t slot = b->g.scalar_count;
    cr_assert_lt(slot, BENCH_SLOTS);
    b->scalars[slot] = value;
    return append(b, LTH_OP_SCALAR, NULL, 0, &(lth_attr_slot) { slot, 0 }, sizeof(lth_attr_slot),
                  &(lth_shape) { dtype, 0, { 0 } });
}

uint32_t bench_arena(bench *b, lth_dtype dtype, int64_t count, const double *data)
{
    uint32_t arena = b->arena_count++;
    int64_t bytes = count * lth_dtype_size(dtype);
    cr_assert_lt(arena, BENCH_SLOTS);
    b->arena_infos[arena] = (lth_arena_info) { "arena", dtype, 0, count };
    char *memory = b->accelerator->alloc(b->self, (uint64_t)(bytes + 2 * GUARD));
    cr_assert_not_null(memory);
    memset(memory, PATTERN, (size_t)(bytes + 2 * GUARD));
    b->arenas[arena] = memory + GUARD;
    for (int64_t i = 0; i < count; i++)
        bench_fill(dtype, b->arenas[arena], i, data[i]);
    b->g.arena_count = b->arena_count;
    return arena;
}

uint32_t bench_state(bench *b, uint32_t arena, int64_t offset, lth_shape s)
{
    return append(b, LTH_OP_STATE, NULL, 0, &(lth_attr_state) { arena, 0, offset }, sizeof(lth_attr_state), &s);
}

void bench_assign(bench *b, uint32_t arena, int64_t offset, uint32_t value)
{
    append(b, LTH_OP_ASSIGN, &value, 1, &(lth_attr_state) { arena, 0, offset }, sizeof(lth_attr_state), NULL);
}

uint32_t bench_op(bench *b, uint32_t op, const uint32_t *operands, uint32_t count, const void *attributes, uint32_t size)
{
    uint32_t v = graph_emit(&b->g, op, operands, count, attributes, size, graph_site(&b->g, "model.c", 2), &b->e);
    cr_assert_neq(v, LTH_NO_VALUE, "%s", b->e.text);
    return v;
}

uint32_t bench_output(bench *b, uint32_t value)
{
    uint32_t slot = b->g.output_count;
    cr_assert_lt(slot, BENCH_SLOTS);
    b->output_shapes[slot] = *graph_shape(&b->g, value);
    b->outputs[slot] = guarded(bytes_of(&b->output_shapes[slot]));
    append(b, LTH_OP_OUTPUT, &value, 1, &(lth_attr_slot) { slot, 0 }, sizeof(lth_attr_slot), NULL);
    return slot;
}

lth_status bench_compile(bench *b, uint32_t flags)
{
    lth_graph view;
    graph_view(&b->g, &view);
    if (b->plan)
        b->accelerator->release(b->self, b->plan);
    b->plan = NULL;
    lth_compile_args args = { .struct_size = sizeof args, .flags = flags, .graph = &view };
    return b->accelerator->compile(b->self, &args, &b->plan);
}

static void print(void *context, const char *text, const lth_shape *shape, const void *data)
{
    bench *b = context;
    size_t used = strlen(b->printed);
    snprintf(b->printed + used, sizeof b->printed - used, "%s=%g;", text, bench_element(shape->dtype, data, 0));
}

lth_status bench_run(bench *b)
{
    lth_bindings bindings = { .struct_size = sizeof bindings,
                              .inputs = (const void *const *)b->inputs,
                              .outputs = (void *const *)b->outputs,
                              .arenas = (void *const *)b->arenas,
                              .scalars = b->scalars,
                              .seed = b->seed,
                              .step = b->step,
                              .stream = b->stream,
                              .print = print,
                              .print_context = b,
                              .times = b->times };
    b->printed[0] = 0;
    b->result = (lth_run_result) { .struct_size = sizeof b->result };
    lth_status status = b->accelerator->run(b->self, b->plan, &bindings, &b->result);
    for (uint32_t i = 0; i < b->g.node_count; i++)
        if (b->g.nodes[i].op == LTH_OP_INPUT) {
            const lth_attr_slot *a = (const void *)(b->g.attributes + b->g.nodes[i].attributes);
            check_guards("an input", b->inputs[a->slot], bytes_of(graph_shape(&b->g, b->g.nodes[i].first_value)));
        }
    for (uint32_t i = 0; i < b->g.output_count; i++)
        check_guards("an output", b->outputs[i], bytes_of(&b->output_shapes[i]));
    for (uint32_t i = 0; i < b->arena_count; i++)
        check_guards("an arena", b->arenas[i], b->arena_infos[i].count * lth_dtype_size(b->arena_infos[i].dtype));
    return status;
}

void bench_go(bench *b, uint32_t flags)
{
    cr_assert_eq(bench_compile(b, flags), LTH_OK, "%s", b->message);
    cr_assert_eq(bench_run(b), LTH_OK, "node %u: %s", b->result.failed_node, b->result.message);
}

double bench_get(const bench *b, uint32_t slot, int64_t i)
{
    return bench_element(b->output_shapes[slot].dtype, b->outputs[slot], i);
}

double bench_state_get(const bench *b, uint32_t arena, int64_t i)
{
    return bench_element(b->arena_infos[arena].dtype, b->arenas[arena], i);
}

void bench_expect(const bench *b, const char *what, uint32_t slot, const double *expected, int64_t count, double tolerance)
{
    cr_assert_eq(lth_shape_count(&b->output_shapes[slot]), count, "%s: %lld elements, expected %lld", what,
                 (long long)lth_shape_count(&b->output_shapes[slot]), (long long)count);
    for (int64_t i = 0; i < count; i++) {
        double x = bench_get(b, slot, i), y = expected[i], scale = fabs(y) > 1 ? fabs(y) : 1;
        bool same = isnan(y) ? isnan(x) : isinf(y) ? x == y : fabs(x - y) <= tolerance * scale;
        cr_assert(same, "%s: element %lld is %.17g, expected %.17g", what, (long long)i, x, y);
    }
}

uint32_t bench_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

double bench_random_real(uint64_t *state, double low, double high)
{
    return low + (high - low) * (bench_random(state) / 2147483648.0);
}
