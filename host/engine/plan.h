/* SPDX-License-Identifier: Apache-2.0
 * engine/plan.h: plans and the cache that finds them.
 *
 * A plan's key is what was recorded (nodes, operands, attributes and shapes: not places, not the values of scalars), the
 * hook, the mode, and where segments ended. It is found by prediction or by hash and then compared in full: no plan is ever
 * run on trust. */
#ifndef ENGINE_PLAN_H
#define ENGINE_PLAN_H

#include "engine/engine.h"
#include "engine/graph.h"
#include "util/hash.h"

/* A segment of a step ended after `nodes` nodes of the record, to read `value`. */
typedef struct plan_boundary {
    uint32_t nodes, value;
} plan_boundary;

typedef struct plan_output {
    lth_shape shape;
    uint64_t offset; /* in the outputs' memory, 64-aligned */
} plan_output;

/* An input that an earlier segment of the same step computed: value `value` of its graph. */
typedef struct plan_kept {
    uint32_t segment, value;
} plan_kept;

struct eager_program;

typedef struct plan {
    /* The key. */
    char *hook;
    bool training, segment; /* segment: ends with the last boundary; else the step's last plan */
    graph record;
    plan_boundary *boundaries;
    uint32_t boundary_count;
    uint64_t hash;

    /* What runs. */
    graph graph;        /* as compiled */
    lth_plan *compiled; /* NULL where the engine is eager */
    struct eager_program *eager;
    uint32_t *map; /* segments: a value of the expansion -> of `graph`, or LTH_NO_VALUE */
    uint32_t map_count, expanded_nodes, record_scalars, reserved;
    double *scalars;     /* the record's, then the constants */
    const void **inputs; /* by slot: fields, then kept values */
    uint32_t field_count;
    char **field_names;
    plan_kept *kept;
    size_t kept_count, kept_capacity;
    plan_output *outputs; /* by slot */
    uint64_t output_bytes;
    lth_plan_info info;
    lth_launch_time *times; /* by launch; NULL: not profiled */
    uint32_t launch_count;
    uint64_t runs, nanoseconds; /* while profiled, since plan_times_collect */

    struct plan *successor; /* what ran after it the last time: tried first the next */
    uint64_t used;          /* tick of the last use */
} plan;

/* How many plans are kept; and how many are, even if together they take more than a quarter of the machine's memory. */
enum { PLAN_CACHE_LIMIT = 64, PLAN_CACHE_LEAST = 8, PLAN_WARN_AFTER = 8 };

typedef struct plan_cache {
    plan **plans; /* more than the limit only within a step */
    size_t count, capacity;
    uint64_t tick;
    uint64_t hash_mask;    /* all ones; a test narrows it to force collisions */
    uint64_t memory_limit; /* of all plans' working memory, in bytes */
    plan *last;
} plan_cache;

/* The plan of what the engine has recorded: found, or made. segment: up to here, to read the last boundary's value. */
plan *plan_find(engine *g, bool segment, error *e);
void plan_free(engine *g, plan *p);

/* Forgets the plans used longest ago, down to the limit. Only between steps. */
void plan_cache_trim(engine *g);
void plan_cache_free(engine *g);

/* Makes what runs of a plan whose key is set. */
bool plan_compile(engine *g, plan *p, error *e);

/* Runs it into `outputs` (pointers by slot). On a failure nothing was assigned and the message names op, file and line. */
lth_status plan_run(engine *g, plan *p, void *const *outputs, error *e);
/* A value that a segment's plan computed, dense, until its next run. */
const void *plan_value(engine *g, const plan *p, uint32_t value);

/* segment.c: `in`, the record's expansion, without what earlier segments of this step have computed (which becomes inputs)
 * and shown. A segment's own plan has one output: `read`. map: in's values -> out's. */
void plan_cut(engine *g, plan *p, const graph *in, uint32_t read, graph *out, uint32_t *map);

/* Whether two graphs are the same but for places; and a hash of what is compared. */
bool graphs_equal(const graph *a, const graph *b);
void graph_hash(const graph *g, hash *h);

/* eager.c: the same graph, a node at a time. */
struct eager_program *eager_compile(engine *g, const graph *in, error *e);
lth_status eager_run(engine *g, struct eager_program *program, const lth_bindings *bindings, lth_run_result *result);
const void *eager_value(const struct eager_program *program, uint32_t value);
const uint32_t *eager_running_node(const struct eager_program *program); /* where it writes the node that it is at */
void eager_free(engine *g, struct eager_program *program);
void eager_profile(engine *g); /* plan_times_collect for its plans */

/* nonfinite.c: runs the plan's graph again with every value kept and names the first op that made a non-finite number out
 * of finite ones. guard: the node whose check failed. Fills `e`. */
void nonfinite_explain(engine *g, plan *p, const lth_bindings *bindings, uint32_t guard, error *e);

/* describe.c: for messages. "matmul f32 (64, 128) at mlp.c:31"; "f32 (64, 128)"; and why `p` has to be made. */
const char *describe_op(const graph *in, const lth_node *n); /* "matmul"; of an author's op its own name */
void describe_node(const graph *in, uint32_t node, char *out, size_t size);
void describe_shape(const lth_shape *shape, char *out, size_t size);
void describe_cause(engine *g, const plan *p);

#endif
