/* SPDX-License-Identifier: Apache-2.0
 * lthost/accelerator.h: kind "accelerator/1": memory, and graphs turned into plans that run.
 *
 * The host gives `compile` graphs whose every node `supports` answered for (composites that it declined arrive decomposed).
 * A plan runs on one host thread; it may use `lth_host.threads` threads inside. Its results are a function of the graph,
 * the shapes, the instruction set and the thread count, never of timing or history. All functions: [main]. */
#ifndef LTHOST_ACCELERATOR_H
#define LTHOST_ACCELERATOR_H

#include "component.h"
#include "graph.h"
#include "random.h"

LTH_BEGIN_C

typedef struct lth_plan lth_plan; /* the accelerator's own */

enum {
    LTH_COMPILE_NO_FUSION = 1, /* one kernel a node, in order: bit-equal to running the nodes one by one */
    LTH_COMPILE_KEEP_ALL = 2,  /* every value keeps memory of its own until the next run, for `value_data` */
    /* After each node its floating results are checked; the first that is not finite fails the run. Pardoned are infinities
     * that came from an infinite run-time SCALAR, as a mask's do, and from ATTENTION's log-sum-exp of no keys; a NaN is not. */
    LTH_COMPILE_CHECK_FINITE = 4
};

typedef struct lth_compile_args {
    uint32_t struct_size, flags;
    const lth_graph *graph; /* borrowed for the call */
} lth_compile_args;

/* How often a launch has run, and how long that took. */
typedef struct lth_launch_time {
    uint64_t runs, nanoseconds;
} lth_launch_time;

/* What a run binds. Pointers are the accelerator's memory where `alloc` gave it; inputs, outputs and scalars are host
 * memory unless the accelerator's flags say otherwise. */
typedef struct lth_bindings {
    uint32_t struct_size, reserved;
    const void *const *inputs;  /* by slot: dense, of the INPUT's shape */
    void *const *outputs;       /* by slot: dense, of the OUTPUT's operand's shape */
    void *const *arenas;        /* by arena, from `alloc` */
    const double *scalars;      /* by slot */
    uint64_t seed;
    uint32_t step, stream;      /* Philox counter words 2 and 3 */
    /* Called for each PRINT of a successful run, in order, with dense data. */
    void (*print)(void *context, const char *text, const lth_shape *shape, const void *data);
    void *print_context;
    lth_launch_time *times; /* by launch (lth_accelerator.launch): the run adds to them; NULL: nothing is timed */
} lth_bindings;

/* What came of a run that failed. */
typedef struct lth_run_result {
    uint32_t struct_size;
    uint32_t failed_node; /* UINT32_MAX: none in particular. While it runs: the node it is at, for the report of a crash */
    char message[240];    /* "index 12 is out of range 0..9"; the host adds op, file and line */
} lth_run_result;

typedef struct lth_plan_info {
    uint32_t struct_size, reserved;
    uint32_t kernel_count;  /* launches of a run */
    uint32_t fused_nodes;   /* nodes that share a kernel with another */
    int64_t memory;         /* bytes of working memory */
    int64_t memory_unshared; /* what it would take if no two values shared memory */
    double flops;           /* of a run: 2 a multiply-add in products, 1 an element in the rest */
    int64_t bytes_moved;    /* read and written by the kernels, each operand once */
} lth_plan_info;

/* A launch of a plan: what it is and what one run of it does, counted as in lth_plan_info. */
typedef struct lth_launch {
    uint32_t struct_size;
    uint32_t node;       /* of the graph that was compiled: the last of its nodes */
    uint32_t node_count; /* that share it */
    int32_t threads;     /* that it runs on at most */
    double flops;
    int64_t bytes;
    char ops[96]; /* for a reader: "matmul", "add, mul x2, tanh" */
    char how[96]; /* for a reader: "onednn, B transposed"; "": nothing to tell */
} lth_launch;

typedef struct lth_accelerator {
    LTH_COMPONENT_HEAD_
    int32_t base_score LTH_ZERO; /* for `accelerator = auto`: goes into the manifest; the greatest that `available` wins */
    uint32_t reserved LTH_ZERO;
    /* Devices that this machine has for it; 0: not usable here (why: *reason, static). Called before `init`. Required. */
    int32_t (*device_count)(const char **reason) LTH_ZERO;
    /* Whether it runs the op on operands of this dtype. Primitives must be supported for F32; a composite may be declined. */
    bool (*supports)(void *self, uint32_t op, lth_dtype dtype) LTH_ZERO;
    /* Device memory, 64-byte aligned, zeroed. copy: dense bytes between host and device memory. Required. */
    void *(*alloc)(void *self, uint64_t bytes) LTH_ZERO;
    void (*free)(void *self, void *memory) LTH_ZERO;
    lth_status (*copy_in)(void *self, void *device, const void *host_memory, uint64_t bytes) LTH_ZERO;
    lth_status (*copy_out)(void *self, void *host_memory, const void *device, uint64_t bytes) LTH_ZERO;
    /* Turns a graph into a plan. Required. */
    lth_status (*compile)(void *self, const lth_compile_args *args, lth_plan **plan) LTH_ZERO;
    /* Runs it. LTH_CHECK or another error: nothing was assigned, `result` says where. Required. */
    lth_status (*run)(void *self, lth_plan *plan, const lth_bindings *bindings, lth_run_result *result) LTH_ZERO;
    void (*release)(void *self, lth_plan *plan) LTH_ZERO;
    /* After a run of a KEEP_ALL plan: where the value lies, dense; valid until its next run. Required. */
    const void *(*value_data)(void *self, lth_plan *plan, uint32_t value) LTH_ZERO;
    void (*plan_info)(void *self, const lth_plan *plan, lth_plan_info *out) LTH_ZERO;
    /* Writes the plan for a reader: a line a kernel, through `line`. Optional. */
    void (*describe)(void *self, const lth_plan *plan, void (*line)(void *context, const char *text), void *context) LTH_ZERO;
    /* What decides the bits besides graph and shapes: "cpu avx2 threads=2 onednn=2.6.3 openblas=0.3.21". Lives as long as
     * the instance. Required. */
    const char *(*fingerprint)(void *self) LTH_ZERO;
    /* A plan's launch; false: it has none of that index. Indices are those of lth_bindings.times, which `run` fills where this
     * is there. Optional. */
    bool (*launch)(void *self, const lth_plan *plan, uint32_t index, lth_launch *out) LTH_ZERO;
} lth_accelerator;

#define LTH_ACCELERATOR(name, ...)                                                                                      \
    static const lth_accelerator name##_accelerator = { .struct_size = sizeof(lth_accelerator), .instance_size = sizeof(struct name), .id = #name, __VA_ARGS__ }
#define LTH_ACCELERATOR_COMPONENT(name) { "accelerator/1", &name##_accelerator }

LTH_END_C
#endif
