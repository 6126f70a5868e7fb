/* SPDX-License-Identifier: Apache-2.0
 * accel/schedule.h: a graph as launches in order, with a place in memory for all that they read and write.
 *
 * What an accelerator on host memory does:
 *
 *   compile: accel_schedule_new, then for each launch of kind NODE whatever its kernel needs (a primitive, a choice of
 *            threads); one block of schedule->info.memory bytes, aligned to ACCEL_ALIGNMENT.
 *   run:     accel_execute with two functions: one that runs a NODE, one that runs a tile program.
 *
 * Launches up to `commit` compute and check, and may fail; those from there on cannot. So state is as it was until then. The
 * order of the commit: outputs and prints (they may show old state), groups that write state in place, copies into state. */
#ifndef LTHOST_ACCEL_SCHEDULE_H
#define LTHOST_ACCEL_SCHEDULE_H

#include "fusion.h"
#include "loop.h"
#include "plan_memory.h"
#include "tile.h"

typedef enum accel_place_kind {
    ACCEL_PLACE_NONE,
    ACCEL_PLACE_INPUT,  /* bindings->inputs[index] */
    ACCEL_PLACE_OUTPUT, /* bindings->outputs[index] */
    ACCEL_PLACE_ARENA,  /* bindings->arenas[index] */
    ACCEL_PLACE_BLOCK   /* the plan's own block */
} accel_place_kind;

typedef struct accel_place {
    accel_place_kind kind;
    uint32_t index;
    int64_t offset; /* bytes */
} accel_place;

/* What a launch reads or writes: the place of its first element, and where the others lie from there (view.offset is 0).
 * Results are always dense, and so are operands but those that takes_view agreed to. */
typedef struct accel_operand {
    accel_place place;
    accel_view view;
} accel_operand;

typedef enum accel_launch_kind {
    ACCEL_LAUNCH_NODE,    /* one node, by a kernel */
    ACCEL_LAUNCH_PROGRAM, /* a tile program */
    ACCEL_LAUNCH_OUTPUT,  /* operand 0 is copied to result 0; so with ASSIGN */
    ACCEL_LAUNCH_ASSIGN,
    ACCEL_LAUNCH_PRINT, /* operand 0 is shown */
    ACCEL_LAUNCH_LOOP,  /* what the two nodes of a loop do, accel_execute does by itself */
    ACCEL_LAUNCH_LOOP_END
} accel_launch_kind;

typedef struct accel_launch {
    accel_launch_kind kind;
    uint32_t node;                                                     /* PROGRAM: the last of its nodes */
    uint32_t node_count;                                               /* that share it */
    uint32_t first_operand, operand_count, first_result, result_count; /* in schedule->operands */
    uint32_t first_pointer; /* PROGRAM: in schedule->pointers, program->pointer_count of them */
    accel_program *program;
    double flops;          /* of one run, as lth_plan_info counts */
    int64_t bytes;
    accel_place workspace; /* NODE: what options->workspace asked for; LOOP_END: room for what changes places */
} accel_launch;

/* A loop's two launches, and how far it is. */
typedef struct accel_schedule_loop {
    uint32_t begin, end;
    accel_loop state;
} accel_schedule_loop;

typedef struct accel_schedule_options {
    uint32_t flags; /* LTH_COMPILE_* */
    /* Whether the kernel for a node takes this operand strided (view.dim is the operand's shape). NULL: no kernel does. */
    bool (*takes_view)(void *context, const lth_graph *g, uint32_t node, uint32_t operand, const accel_view *view);
    /* Bytes of memory that the kernel for a node needs while it runs. NULL: none does. */
    int64_t (*workspace)(void *context, const lth_graph *g, uint32_t node);
    void *context;
    const uint32_t *origin; /* by node: the node to name where it fails; NULL: itself. As long-lived as the schedule */
} accel_schedule_options;

typedef struct accel_schedule {
    lth_graph *graph; /* a copy */
    const uint32_t *origin; /* the options' */
    uint32_t flags;
    int64_t scratch; /* bytes that a thread needs for any of the programs */
    uint32_t launch_count, commit, bound_count;
    accel_launch *launches;
    accel_operand *operands;
    accel_place *pointers;
    accel_place *own;   /* by value: where its own memory lies, dense; NONE: it has none */
    uint32_t *root;     /* by value: in whose memory it is seen */
    uint8_t *infinite;  /* by value, while CHECK_FINITE runs: has an infinity that was given */
    uint32_t *bound;    /* nodes whose memory the caller binds, bound_count of them */
    accel_schedule_loop *loops; /* by region */
    void **table;       /* room for one launch's pointers */
    lth_plan_info info; /* kernel_count, fused_nodes, memory, memory_unshared, flops, bytes_moved */
} accel_schedule;

/* Checks the graph and makes its schedule; free it with accel_schedule_free. The accelerator has looked at dtypes: every
 * pointwise node is one of accel_tile_supports, every other one has a kernel (which may be asked of `options`). */
lth_status accel_schedule_new(const lth_graph *g, const accel_schedule_options *options, accel_schedule **out, accel_error *e);
void accel_schedule_free(accel_schedule *s);

/* Memory of a value after a run of a KEEP_ALL schedule; NULL: it has none. */
const void *accel_schedule_value(const accel_schedule *s, const void *block, uint32_t value);

/* A launch for a reader: its nodes, fused ones in brackets. */
void accel_launch_text(const accel_schedule *s, uint32_t launch, char *text, size_t size);

/* The same as data, but for `threads` and `how`. False: there is no such launch. */
bool accel_launch_tell(const accel_schedule *s, uint32_t launch, lth_launch *out);

/* A call of a kernel. */
typedef struct accel_call {
    const accel_schedule *schedule;
    uint32_t launch;
    const lth_node *node;
    const void *const *in; /* first elements */
    void *const *out;
    const accel_operand *operands; /* with the views of `in` */
    void *workspace;
    const lth_bindings *bindings;
    char *message; /* of lth_run_result's size: why it failed */
} accel_call;

typedef struct accel_kernels {
    void *context;
    bool (*node)(void *context, const accel_call *call); /* false: a check failed; message is set */
    /* Runs all tiles of a launch's program, on as many threads as it likes; accel_execute makes the totals afterwards. */
    void (*program)(void *context, const accel_schedule *s, uint32_t launch, const accel_tile_run *run);
} accel_kernels;

/* Runs a schedule on host memory, by the contract of lth_accelerator.run; allocates nothing. */
lth_status accel_execute(accel_schedule *s, void *block, const lth_bindings *bindings, const accel_kernels *kernels,
                         lth_run_result *result);

static inline void *accel_place_at(const accel_place *p, const lth_bindings *b, void *block)
{
    char *base = p->kind == ACCEL_PLACE_INPUT    ? (char *)b->inputs[p->index]
                 : p->kind == ACCEL_PLACE_OUTPUT ? (char *)b->outputs[p->index]
                 : p->kind == ACCEL_PLACE_ARENA  ? (char *)b->arenas[p->index]
                 : p->kind == ACCEL_PLACE_BLOCK  ? (char *)block
                                                 : NULL;
    return base ? base + p->offset : NULL;
}

/* The node to name for one of the schedule's. */
static inline uint32_t accel_schedule_origin(const accel_schedule *s, uint32_t node)
{
    return s->origin && node != LTH_NO_VALUE ? s->origin[node] : node;
}

#endif
