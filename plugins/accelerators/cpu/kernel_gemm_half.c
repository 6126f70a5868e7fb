/* SPDX-License-Identifier: Apache-2.0
 * MATMUL of bf16, by oneDNN on processors that multiply bf16 by AVX-512's dot products; those with a matrix unit have own kernels
 * (kernel_gemm.c). Sums are f32, and the result is rounded once, as by the f32 kernel between two conversions (kernel_wide.c),
 * which does it elsewhere. */
#include "kernel.h"
#include "onednn_compat.h"
#include "pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { A, B, C, SIDES, LEAST_WORK = 8192 /* multiply-adds: below, a primitive's call costs more than the product */ };

typedef struct half {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_primitive_t primitive;
    onednn_layout layout[SIDES];
    dnnl_memory_t memory[SIDES];
    char name[48];
} half;

/* Its products wherever the library has any, its plain loops too; for tests of this file. */
static bool is_forced(void) { return cpu_bf16_is("library"); }

bool cpu_multiplies_bf16(void)
{
    const int needs = dnnl_cpu_isa_avx512_core_bf16;
    return is_forced() || ((int)dnnl_get_effective_cpu_isa() & needs) == needs;
}

static void release(void *detail)
{
    half *h = detail;
    for (int32_t i = 0; i < SIDES; i++) {
        if (h->memory[i])
            dnnl_memory_destroy(h->memory[i]);
        onednn_layout_free(&h->layout[i]);
    }
    if (h->primitive)
        dnnl_primitive_destroy(h->primitive);
    if (h->stream)
        dnnl_stream_destroy(h->stream);
    if (h->engine)
        dnnl_engine_destroy(h->engine);
    free(h);
}

static bool run(const cpu_kernel *k, const accel_call *call)
{
    const half *h = k->detail;
    const void *const at[SIDES] = { call->in[0], call->in[1], call->out[0] };
    static const int argument[SIDES] = { DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST };
    dnnl_exec_arg_t a[SIDES];
    bool ok = true;
    pool_set_threads(k->threads);
    for (int32_t i = 0; i < SIDES; i++) {
        ok &= dnnl_memory_set_data_handle(h->memory[i], (void *)at[i]) == dnnl_success;
        a[i] = (dnnl_exec_arg_t) { argument[i], h->memory[i] };
    }
    if (ok && dnnl_primitive_execute(h->primitive, h->stream, SIDES, a) == dnnl_success)
        return true;
    snprintf(call->message, PLAIN_MESSAGE, "oneDNN fails in a product of bf16");
    return false;
}

static void text(const cpu_kernel *k, char *text, size_t size)
{
    snprintf(text, size, "onednn bf16 %s", ((const half *)k->detail)->name);
}

static const cpu_kernel_kind kind = { run, text, release };

/* (batch, rows, columns), as it lies dense: columns first where it is transposed. */
static dnnl_status_t lay_out(onednn_layout *l, int64_t batch, int64_t rows, int64_t columns, bool transposed,
                             dnnl_data_type_t type)
{
    dnnl_dims_t dim = { batch, rows, columns }, stride = { rows * columns, transposed ? 1 : columns, transposed ? rows : 1 };
    return onednn_strided(l, 3, dim, type, stride);
}

static dnnl_status_t make_primitive(half *h)
{
    dnnl_primitive_desc_t p = NULL;
    const char *name = "";
    dnnl_status_t status = onednn_matmul(&p, h->engine, &h->layout[A], &h->layout[B], &h->layout[C]);
    if (!status)
        status = dnnl_primitive_desc_query(p, dnnl_query_impl_info_str, 0, (void *)&name);
    snprintf(h->name, sizeof h->name, "%s", name);
    if (!status && strstr(name, "ref") && !is_forced())
        status = dnnl_unimplemented;
    if (!status)
        status = dnnl_primitive_create(&h->primitive, p);
    if (p)
        dnnl_primitive_desc_destroy(p);
    return status;
}

/* Multiply-adds a nanosecond on one thread. */
static const double SPEED = 80;

lth_status cpu_make_gemm_half(cpu_kernel *k, const cpu_site *site)
{
    const lth_node *n = site->node;
    const lth_attr_matmul *t = lth_node_attributes(site->graph, n);
    const lth_shape *c = lth_node_shape(site->graph, n, 0), *a = lth_node_operand_shape(site->graph, n, 0);
    if (n->op != LTH_OP_MATMUL || accel_node_dtype(site->graph, n) != LTH_BF16 || !cpu_multiplies_bf16())
        return LTH_UNSUPPORTED;
    int64_t batch = 1, M = c->dim[c->rank - 2], N = c->dim[c->rank - 1], K = a->dim[a->rank - (t->transpose_a ? 2 : 1)];
    for (int32_t i = 0; i < c->rank - 2; i++)
        batch *= c->dim[i];
    if (batch * M * N * K == 0 || (batch * M * N * K < LEAST_WORK && !is_forced()) ||
        (c->dtype != LTH_BF16 && c->dtype != LTH_F32))
        return LTH_UNSUPPORTED;
    half *h = calloc(1, sizeof *h);
    if (!h)
        return LTH_NO_MEMORY;
    k->work = 2000 + (double)(batch * M * N * K) / SPEED;
    pool_set_threads(k->work < CPU_LAUNCH_WORK ? 1 : k->threads);
    dnnl_status_t status = dnnl_engine_create(&h->engine, dnnl_cpu, 0);
    if (!status)
        status = dnnl_stream_create(&h->stream, h->engine, dnnl_stream_default_flags);
    if (!status)
        status = lay_out(&h->layout[A], batch, M, K, t->transpose_a, dnnl_bf16);
    if (!status)
        status = lay_out(&h->layout[B], batch, K, N, t->transpose_b, dnnl_bf16);
    if (!status)
        status = lay_out(&h->layout[C], batch, M, N, false, c->dtype == LTH_BF16 ? dnnl_bf16 : dnnl_f32);
    if (!status)
        status = make_primitive(h);
    for (int32_t i = 0; i < SIDES && !status; i++)
        status = dnnl_memory_create(&h->memory[i], onednn_ref(&h->layout[i]), h->engine, DNNL_MEMORY_NONE);
    if (status) {
        release(h);
        return status == dnnl_out_of_memory ? LTH_NO_MEMORY : LTH_UNSUPPORTED;
    }
    k->detail = h;
    k->kind = &kind;
    k->enters_pool = true;
    return LTH_OK;
}
