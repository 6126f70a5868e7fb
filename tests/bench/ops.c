/* SPDX-License-Identifier: Apache-2.0
 * bench_ops: what single ops cost on one thread: nanoseconds an element of the largest operand (matmul: multiply-adds a
 * nanosecond), the least of many runs.
 *
 *     bench_ops [accelerator] [threads] [part of a name]        default: cpu 1, all of them */
#include "bench_accelerator.h"
#include "engine/op_table.h"

#include <stdlib.h>
#include <string.h>

typedef struct probe {
    const char *name;
    uint32_t op;
    int64_t x[2], y[2]; /* operands; y: {0, 0} where there is one */
    union {
        lth_attr_axis axis;
        lth_attr_reduce reduce;
        lth_attr_matmul matmul;
        lth_attr_random random;
        lth_attr_dims dims;
    } attributes;
    bool y_is_scalar, y_is_index;
} probe;

static const probe probes[] = {
    { "add", LTH_OP_ADD, .x = { 64, 1024 }, .y = { 64, 1024 } },
    { "div", LTH_OP_DIV, .x = { 64, 1024 }, .y = { 64, 1024 } },
    { "sqrt", LTH_OP_SQRT, .x = { 64, 1024 } },
    { "exp", LTH_OP_EXP, .x = { 64, 1024 } },
    { "log", LTH_OP_LOG, .x = { 64, 1024 } },
    { "log1p", LTH_OP_LOG1P, .x = { 64, 1024 } },
    { "expm1", LTH_OP_EXPM1, .x = { 64, 1024 } },
    { "sin", LTH_OP_SIN, .x = { 64, 1024 } },
    { "tanh", LTH_OP_TANH, .x = { 64, 1024 } },
    { "erf", LTH_OP_ERF, .x = { 64, 1024 } },
    { "relu", LTH_OP_RELU, .x = { 64, 1024 } },
    { "sigmoid", LTH_OP_SIGMOID, .x = { 64, 1024 } },
    { "gelu", LTH_OP_GELU, .x = { 64, 1024 } },
    { "gelu_tanh", LTH_OP_GELU_TANH, .x = { 64, 1024 } },
    { "softplus", LTH_OP_SOFTPLUS, .x = { 64, 1024 } },
    { "pow", LTH_OP_POW, .x = { 64, 1024 }, .y = { 64, 1024 } },
    { "floor", LTH_OP_FLOOR, .x = { 64, 1024 } },
    { "sign", LTH_OP_SIGN, .x = { 64, 1024 } },
    { "maximum", LTH_OP_MAXIMUM, .x = { 64, 1024 }, .y = { 64, 1024 } },
    { "dropout", LTH_OP_DROPOUT, .x = { 64, 1024 }, .y_is_scalar = true },
    { "permute", LTH_OP_PERMUTE, .x = { 64, 1024 }, .attributes.dims = { 2, 0, { 1, 0 } } },
    { "sum all", LTH_OP_SUM, .x = { 64, 1024 }, .attributes.reduce = { 3, 0 } },
    { "sum rows", LTH_OP_SUM, .x = { 64, 1024 }, .attributes.reduce = { 2, 0 } },
    { "sum columns", LTH_OP_SUM, .x = { 64, 1024 }, .attributes.reduce = { 1, 0 } },
    { "sum columns of 128", LTH_OP_SUM, .x = { 64, 128 }, .attributes.reduce = { 1, 0 } },
    { "max rows", LTH_OP_MAX, .x = { 64, 1024 }, .attributes.reduce = { 2, 0 } },
    { "argmax rows", LTH_OP_ARGMAX, .x = { 64, 1024 }, .attributes.axis = { 1 } },
    { "softmax", LTH_OP_SOFTMAX, .x = { 64, 1024 }, .attributes.axis = { 1 } },
    { "softmax of 10", LTH_OP_SOFTMAX, .x = { 64, 10 }, .attributes.axis = { 1 } },
    { "softmax of columns", LTH_OP_SOFTMAX, .x = { 64, 1024 }, .attributes.axis = { 0 } },
    { "layer_norm", LTH_OP_LAYER_NORM, .x = { 64, 1024 }, .attributes.axis = { 1 }, .y_is_scalar = true },
    { "gather", LTH_OP_GATHER, .x = { 1024, 64 }, .y = { 1024, 0 }, .y_is_index = true },
    { "scatter_add", LTH_OP_SCATTER_ADD, .x = { 1024, 64 }, .y = { 1024, 0 }, .attributes.axis = { 1024 }, .y_is_index = true },
    { "matmul 64 x 784 x 128", LTH_OP_MATMUL, .x = { 64, 784 }, .y = { 784, 128 } },
    { "matmul 64 x 128 x 128", LTH_OP_MATMUL, .x = { 64, 128 }, .y = { 128, 128 } },
    { "matmul 128 x 64 x 128, A'", LTH_OP_MATMUL, .x = { 64, 128 }, .y = { 64, 128 }, .attributes.matmul.transpose_a = 1 },
    { "matmul 16 x 16 x 16", LTH_OP_MATMUL, .x = { 16, 16 }, .y = { 16, 16 } },
    { "matmul 64 x 784 x 128, B'", LTH_OP_MATMUL, .x = { 64, 784 }, .y = { 128, 784 }, .attributes.matmul.transpose_b = 1 },
    { "matmul 128 x 64 x 784, A'", LTH_OP_MATMUL, .x = { 64, 128 }, .y = { 64, 784 }, .attributes.matmul.transpose_a = 1 },
    { "matmul 768 x 128 x 384, B'", LTH_OP_MATMUL, .x = { 768, 128 }, .y = { 384, 128 }, .attributes.matmul.transpose_b = 1 },
    { "matmul 768 x 128 x 128, B'", LTH_OP_MATMUL, .x = { 768, 128 }, .y = { 128, 128 }, .attributes.matmul.transpose_b = 1 },
    { "matmul 768 x 128 x 512, B'", LTH_OP_MATMUL, .x = { 768, 128 }, .y = { 512, 128 }, .attributes.matmul.transpose_b = 1 },
    { "matmul 768 x 128 x 65, B'", LTH_OP_MATMUL, .x = { 768, 128 }, .y = { 65, 128 }, .attributes.matmul.transpose_b = 1 },
    { "matmul 768 x 512 x 128, B'", LTH_OP_MATMUL, .x = { 768, 512 }, .y = { 128, 512 }, .attributes.matmul.transpose_b = 1 },
    { "matmul 768 x 512 x 128", LTH_OP_MATMUL, .x = { 768, 512 }, .y = { 512, 128 } },
    { "matmul 768 x 128 x 512", LTH_OP_MATMUL, .x = { 768, 128 }, .y = { 128, 512 } },
    { "matmul 512 x 768 x 128, A'", LTH_OP_MATMUL, .x = { 768, 512 }, .y = { 768, 128 }, .attributes.matmul.transpose_a = 1 },
    { "matmul 128 x 768 x 512, A'", LTH_OP_MATMUL, .x = { 768, 128 }, .y = { 768, 512 }, .attributes.matmul.transpose_a = 1 },
    { "matmul 1024 x 384 x 1536, B'", LTH_OP_MATMUL, .x = { 1024, 384 }, .y = { 1536, 384 }, .attributes.matmul.transpose_b = 1 },
    { "matmul 1024 x 1536 x 384", LTH_OP_MATMUL, .x = { 1024, 1536 }, .y = { 1536, 384 } },
    { "matmul 1536 x 1024 x 384, A'", LTH_OP_MATMUL, .x = { 1024, 1536 }, .y = { 1024, 384 }, .attributes.matmul.transpose_a = 1 },
    { "matmul 512 x 512 x 512", LTH_OP_MATMUL, .x = { 512, 512 }, .y = { 512, 512 } },
};

static uint32_t input(graph *g, const lth_shape *s)
{
    lth_attr_slot slot = { g->input_count, 0 };
    return graph_append(g, LTH_OP_INPUT, NULL, 0, &slot, sizeof slot, 0, s, 1);
}

static uint32_t make(graph *g, const probe *p)
{
    error e = { 0 };
    uint32_t operands[2], count = 1;
    operands[0] = input(g, &(lth_shape) { LTH_F32, 2, { p->x[0], p->x[1] } });
    if (p->y_is_scalar)
        operands[count++] = input(g, &(lth_shape) { LTH_F32, 0, { 0 } });
    else if (p->y_is_index)
        operands[count++] = input(g, &(lth_shape) { LTH_I64, 1, { p->y[0] } });
    else if (p->y[0])
        operands[count++] = input(g, &(lth_shape) { LTH_F32, 2, { p->y[0], p->y[1] } });
    uint32_t v = graph_emit(g, p->op, operands, count, &p->attributes, op_find(p->op)->attributes_size, 0, &e);
    if (v == LTH_NO_VALUE) {
        fprintf(stderr, "%s: %s\n", p->name, e.text);
        exit(1);
    }
    lth_attr_slot slot = { 0, 0 };
    graph_append(g, LTH_OP_OUTPUT, &v, 1, &slot, sizeof slot, 0, NULL, 0);
    return v;
}

static void run_probe(bench_accelerator *a, const probe *p)
{
    static float x[1 << 21], y[1 << 21], out[1 << 21];
    static int64_t index[1024];
    static bench_times times;
    graph g;
    lth_graph view;
    lth_plan *plan;
    graph_init(&g);
    uint32_t v = make(&g, p);
    graph_view(&g, &view);
    if (a->accelerator->compile(a->self, &(lth_compile_args) { .struct_size = sizeof(lth_compile_args), .graph = &view }, &plan))
        exit(1);
    for (int i = 0; i < 1 << 21; i++) {
        x[i] = (float)(i % 977 + 1) / 500;
        y[i] = p->y_is_scalar ? 0.1f : (float)(i % 499 + 1) / 250;
        index[i % 1024] = i * 7 % 1024;
    }
    const void *inputs[] = { x, p->y_is_index ? (const void *)index : y };
    void *outputs[] = { out };
    lth_bindings bindings = { .struct_size = sizeof bindings, .inputs = inputs, .outputs = outputs };
    lth_run_result result;
    times.count = 0;
    for (int i = 0; i < 220; i++) {
        double start = bench_now();
        a->accelerator->run(a->self, plan, &bindings, &result);
        bench_add(&times, bench_now() - start, i >= 20);
    }
    a->accelerator->release(a->self, plan);
    double least = 1e3 * bench_least(&times), elements = (double)(p->x[0] * p->x[1]);
    if (p->op == LTH_OP_MATMUL)
        printf("%-30s %8.2f us %8.1f multiply-adds a ns\n", p->name, 1e-3 * least,
               elements * (double)graph_shape(&g, v)->dim[1] / least);
    else
        printf("%-30s %8.2f us %8.3f ns an element\n", p->name, 1e-3 * least, least / elements);
    graph_free(&g);
}

int main(int argc, char **argv)
{
    bench_accelerator a;
    int threads = argc > 2 ? atoi(argv[2]) : 1;
    if (threads < 1) {
        fprintf(stderr, "usage: bench_ops [ACCELERATOR [THREADS [PART OF A NAME]]]\n");
        return 2;
    }
    if (!bench_open_accelerator(&a, argc > 1 ? argv[1] : "cpu", threads))
        return 1;
    printf("%s\n", a.accelerator->fingerprint(a.self));
    for (size_t i = 0; i < sizeof probes / sizeof *probes; i++)
        if (argc <= 3 || strstr(probes[i].name, argv[3]))
            run_probe(&a, &probes[i]);
    return 0;
}
