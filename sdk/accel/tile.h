/* SPDX-License-Identifier: Apache-2.0
 * accel/tile.h: pointwise programs, run over tiles that stay in the first cache.
 *
 * A fused group of nodes becomes a program: a straight line of instructions on slots, each a tile of elements long. For
 * each tile every instruction runs once, as a plain loop that compilers vectorise. Results go straight to memory where
 * that is safe, and intermediate ones never leave the scratch. So a group costs one pass over its operands.
 *
 * The interpreter is a template (tile_template.h), to be compiled once an instruction set. Programs are made from groups
 * (program.h) and are data without pointers to what a run binds: it hands in a table of base addresses. */
#ifndef LTHOST_ACCEL_TILE_H
#define LTHOST_ACCEL_TILE_H

#include "view.h"

#include <lthost/accelerator.h>

enum { ACCEL_TILE_SLOTS = 128, ACCEL_TILE_LEAST = 128, ACCEL_TILE_MOST = 2048, ACCEL_TILE_SCRATCH = 24 * 1024 };

/* Instructions beside the pointwise ops of op.h (whose codes they share). Of PAIR up to LOAD: two in one pass over the tile, each
 * rounded as by itself, t = in[0] FIRST in[1] and then what SECOND makes of t and in[2]; the code is accel_tile_pair's. */
enum {
    ACCEL_TILE_PAIR = 0x0800,
    ACCEL_TILE_LOAD = 0x1000, /* in memory through views[view] */
    ACCEL_TILE_STORE,         /* in[0] to pointer `pointer` through views[view] */
    ACCEL_TILE_SUM,           /* the sum of in[0] over the tile, as a double, to partials */
    ACCEL_TILE_ALL_FINITE     /* whether in[0] is finite all over the tile, as a double 0 or 1, to partials */
};

typedef enum accel_pair_first { ACCEL_FIRST_ADD, ACCEL_FIRST_SUB, ACCEL_FIRST_MUL, ACCEL_FIRSTS } accel_pair_first;
typedef enum accel_pair_second { /* t + c, t c, t - c, c - t, t / c, c / t */
                                 ACCEL_SECOND_ADD,
                                 ACCEL_SECOND_MUL,
                                 ACCEL_SECOND_SUB,
                                 ACCEL_SECOND_SUB_FROM,
                                 ACCEL_SECOND_DIV,
                                 ACCEL_SECOND_DIV_OF
} accel_pair_second;

static inline uint32_t accel_tile_pair(accel_pair_first first, accel_pair_second second)
{
    return ACCEL_TILE_PAIR + (uint32_t)second * ACCEL_FIRSTS + (uint32_t)first;
}
static inline bool accel_tile_is_pair(uint32_t op) { return op >= ACCEL_TILE_PAIR && op < ACCEL_TILE_LOAD; }

typedef enum accel_slot_kind {
    ACCEL_SLOT_SCRATCH, /* `at`: byte offset in the scratch */
    ACCEL_SLOT_MEMORY,  /* dense: pointers[pointer] + (at + i) elements */
    ACCEL_SLOT_ONE,     /* the element pointers[pointer][at], repeated; filled into the scratch before the first tile */
    ACCEL_SLOT_SCALAR,  /* run-time scalar number `at`, repeated */
    ACCEL_SLOT_INTEGER  /* the integer `at`, repeated */
} accel_slot_kind;

typedef struct accel_slot {
    accel_slot_kind kind;
    lth_dtype dtype;
    uint32_t pointer;
    uint32_t scratch; /* byte offset, of all but MEMORY */
    int64_t at;
} accel_slot;

typedef struct accel_instruction {
    uint32_t op;
    lth_dtype dtype;       /* of the loop: of the operands (WHERE: of the choices; CAST: of the source) */
    lth_dtype to;          /* CAST, IOTA, UNIFORM, NORMAL: of the result */
    uint32_t id;           /* random ops: the op's id */
    uint16_t out, in[3];   /* slots */
    uint32_t view;         /* LOAD, STORE */
    uint32_t pointer;      /* LOAD, STORE, SUM, ALL_FINITE */
    int64_t inner, length; /* IOTA: element i has index i / inner % length */
    uint32_t adam;         /* so many instructions from here on are Adam's step, run in one pass (tile_adam.h); 0: no such */
} accel_instruction;

/* A reduction over all elements: partials[tile] are summed pairwise and written as `dtype` times 1 / divisor. */
typedef struct accel_total {
    uint32_t op; /* ACCEL_TILE_SUM or ACCEL_TILE_ALL_FINITE */
    lth_dtype dtype;
    uint32_t partials, result; /* pointers */
    double divisor;            /* 1; MEAN: the count */
} accel_total;

typedef struct accel_program {
    int64_t count;   /* elements */
    int64_t tile;    /* elements a tile: a multiple of 64 */
    int64_t scratch; /* bytes that each thread needs, 64-byte aligned */
    uint32_t slot_count, instruction_count, view_count, total_count, pointer_count, reserved;
    accel_slot *slots;
    accel_instruction *instructions;
    accel_view *views; /* merged (accel_view_merged) */
    accel_total *totals;
} accel_program;

/* What a run of a program binds. */
typedef struct accel_tile_run {
    void *const *pointers;
    const double *scalars;
    uint64_t seed;
    uint32_t step, stream;
} accel_tile_run;

static inline int64_t accel_program_tiles(const accel_program *p) { return (p->count + p->tile - 1) / p->tile; }

/* What tile_template.h defines for an instruction set: runs tiles first..last-1. Different tiles may run on different
 * threads, each with a scratch of its own; the bits do not depend on how they are divided. */
typedef void accel_tile_function(const accel_program *p, const accel_tile_run *run, int64_t first, int64_t last, void *scratch);

/* Compiled without a special instruction set. */
accel_tile_function accel_tile_generic;

/* After all tiles: the totals. */
void accel_program_finish(const accel_program *p, const accel_tile_run *run);

void accel_program_free(accel_program *p);

/* A line for a reader: "12 instructions on 4096 elements, tiles of 512". */
void accel_program_text(const accel_program *p, char *text, size_t size);

#endif
