/* SPDX-License-Identifier: Apache-2.0
 * kernel.h: kernels for the nodes that no tile program runs. What a kernel needs beside its operands is made when the plan
 * is compiled, so that a run allocates nothing. */
#ifndef CPU_KERNEL_H
#define CPU_KERNEL_H

#include <lthost/accel/plain/kernel.h>
#include <lthost/accel/schedule.h>
#include <stdlib.h>

typedef struct cpu_kernel cpu_kernel;

/* Nanoseconds below which a launch runs on one thread: entering the pool takes 2 to 5 microseconds, a team's task 0.5. */
#define CPU_LAUNCH_WORK 1e4

typedef struct cpu_kernel_kind {
    /* False: a check failed, and call->message says which. */
    bool (*run)(const cpu_kernel *k, const accel_call *call);
    /* How it does it, for a reader of the plan: "onednn, A transposed". */
    void (*text)(const cpu_kernel *k, char *text, size_t size);
    void (*free)(void *detail); /* NULL: free() */
} cpu_kernel_kind;

struct cpu_kernel {
    const cpu_kernel_kind *kind; /* NULL: the launch is none of a node */
    int32_t threads;             /* that it may use */
    bool enters_pool;            /* by a library that does so itself, where threads > 1 */
    double work;                 /* a guess of its nanoseconds on one thread */
    void *detail;                /* the kind's own */
};

/* What a maker knows of the launch. */
typedef struct cpu_site {
    const lth_graph *graph;
    const lth_node *node;
    const accel_operand *in, *out;
} cpu_site;

/* Makers fill kind, work and detail; `threads` is set. LTH_UNSUPPORTED: not this one; ask the next. */
typedef lth_status cpu_maker(cpu_kernel *k, const cpu_site *site);
cpu_maker cpu_make_gemm, cpu_make_attention, cpu_make_last_conv, cpu_make_last_pool, cpu_make_channel_norm, cpu_make_planar,
    cpu_make_conv, cpu_make_columns, cpu_make_planes, cpu_make_rows, cpu_make_reduction, cpu_make_rnn, cpu_make_plain;

/* Frees what the kind made of it. */
static inline void cpu_kernel_release(cpu_kernel *k)
{
    if (k->kind && k->kind->free)
        k->kind->free(k->detail);
    else
        free(k->detail);
}

/* bf16: whether a node is run by the f32 kernel on converted operands; and that one, as `make` makes it. schedule: the plan's,
 * with the wide graph, and as long-lived as the kernel. */
bool cpu_is_wide(const lth_graph *g, const lth_node *n);
/* A product of bf16 by oneDNN, by the processor's own instructions. LTH_UNSUPPORTED: it has none, or is too small. */
cpu_maker cpu_make_gemm_half;
bool cpu_multiplies_bf16(void);
/* Whether LTHOST_CPU_BF16 asks for this way: "library" or "tiles", also where it is not the fastest or has to be emulated. */
bool cpu_bf16_is(const char *way);
/* A convolution of bf16 that lies channels last, or one of its gradients, by the processor's own instructions. */
cpu_maker cpu_make_half_conv;
int64_t cpu_half_conv_workspace(const lth_graph *g, const lth_node *n, int32_t threads); /* 0: it has none */
lth_status cpu_make_wide(cpu_kernel *k, const cpu_site *site, const accel_schedule *schedule, cpu_maker *make);

/* Whether a product's kernel takes the operand as it lies. */
bool cpu_gemm_takes(const lth_graph *g, const lth_node *n, const accel_view *view);
bool cpu_attention_takes(const lth_node *n, uint32_t operand, const accel_view *view);
/* Bytes of workspace that the kernel for a node wants. */
int64_t cpu_gemm_workspace(const lth_graph *g, const lth_node *n, int32_t threads); /* on so many at most */
int64_t cpu_rows_workspace(const lth_graph *g, const lth_node *n);
int64_t cpu_attention_workspace(const lth_graph *g, const lth_node *n, int32_t threads);
int64_t cpu_rnn_workspace(const lth_graph *g, const lth_node *n);
int64_t cpu_reduction_workspace(const lth_graph *g, const lth_node *n);
int64_t cpu_channel_norm_workspace(const lth_graph *g, const lth_node *n);
int64_t cpu_columns_workspace(const lth_graph *g, const lth_node *n, int32_t threads); /* on so many at most */
int64_t cpu_last_conv_workspace(const lth_graph *g, const lth_node *n, int32_t threads);
int64_t cpu_planar_workspace(const lth_graph *g, const lth_node *n, int32_t threads);
int64_t cpu_conv_workspace(const lth_graph *g, const lth_node *n, int32_t threads); /* on 1, or as many */

#endif
