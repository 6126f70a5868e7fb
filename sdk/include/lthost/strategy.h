/* SPDX-License-Identifier: Apache-2.0
 * lthost/strategy.h: kind "strategy/1": how a run is spread over processes and devices. All functions: [main]. */
#ifndef LTHOST_STRATEGY_H
#define LTHOST_STRATEGY_H

#include "component.h"
#include "graph.h"

LTH_BEGIN_C

typedef struct lth_world {
    uint32_t struct_size;
    int32_t rank, size;             /* of this process, and how many there are */
    int32_t local_rank, local_size; /* on this machine */
    int32_t node_rank, node_count;
    int32_t reserved;
} lth_world;

typedef struct lth_strategy_args {
    uint32_t struct_size;
    int32_t devices;   /* of [trainer] devices; 0: auto */
    int32_t num_nodes;
    int32_t device_count; /* that the accelerator has here */
} lth_strategy_args;

/* A graph under construction: emit as in lth_trace_api, but on value ids. */
typedef struct lth_graph_builder lth_graph_builder;
typedef struct lth_graph_builder_api {
    uint32_t struct_size, reserved;
    /* Appends a node; returns its first value, or LTH_NO_VALUE with the message kept. site: of the graph being rewritten.
     * What stands between a LOOP and its LOOP_END is the body, as in the graph being rewritten. */
    uint32_t (*emit)(lth_graph_builder *b, uint32_t op, const uint32_t *operands, uint32_t count, const void *attributes,
                     uint32_t attributes_size, uint32_t site);
} lth_graph_builder_api;
struct lth_graph_builder { const lth_graph_builder_api *api; };

typedef struct lth_strategy {
    LTH_COMPONENT_HEAD_
    /* Joins the world; refuses what it cannot serve (`devices = 4` with one process). Required. */
    lth_status (*setup)(void *self, const lth_strategy_args *args, lth_world *world) LTH_ZERO;
    /* Rewrites a step's graph; NULL: it stays as it is. */
    lth_status (*transform)(void *self, const lth_graph *in, lth_graph_builder *out) LTH_ZERO;
    /* The collective that moves its data ("mpi", "nccl"); "" for none. */
    const char *(*collective)(void *self) LTH_ZERO;
    lth_status (*barrier)(void *self) LTH_ZERO;
    lth_status (*teardown)(void *self) LTH_ZERO;
} lth_strategy;

#define LTH_STRATEGY(name, ...)                                                                                         \
    static const lth_strategy name##_strategy = { .struct_size = sizeof(lth_strategy), .instance_size = sizeof(struct name), .id = #name, __VA_ARGS__ }
#define LTH_STRATEGY_COMPONENT(name) { "strategy/1", &name##_strategy }

LTH_END_C
#endif
