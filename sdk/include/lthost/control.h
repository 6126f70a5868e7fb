/* SPDX-License-Identifier: Apache-2.0
 * lthost/control.h: control flow within a step: loops with a run-time number of turns, run-time indices, and parts
 * of a step that are computed again in the backward pass rather than kept.
 *
 *     lth_tensor h0[] = { zeros };                                      // (B, H)
 *     lth_loop l = lth_loop_begin(lth_none(), T, h0, 1, &x, 1);         // x (T, B, I)
 *     lth_tensor h = lth_tanh(lth_add(lth_linear_apply(&m->input, lth_loop_part(&l, 0)),
 *                                     lth_linear_apply(&m->hidden, lth_loop_carried(&l, 0))));
 *     lth_loop_end(&l, &h, 1, &h, 1);
 *     lth_tensor y = lth_loop_stack(&l, 0), last = lth_loop_last(&l, 0); // (T, B, H), (B, H)
 *
 * The body is recorded once, whatever the number of turns, so one plan serves every number up to `length`. It reads whatever
 * was made before the loop, and may hold loops itself. What it makes is of one turn: it leaves the body only as something
 * carried or stacked. Within a body no state is assigned, no optimizer steps, nothing is logged, printed, asserted or read
 * (lth_item): that is for before and after. Random ops draw other numbers in each turn, by the index.
 *
 * Gradients flow through loops, and gradients of gradients: the backward loop runs in the other direction and computes the body
 * again from what was carried into each turn, which is kept for it (length times the size of what is carried). lth_grad within
 * a body takes derivatives by what the body itself makes or carries.
 *
 * All functions: [main], as those of tensor.h. Errors are sticky. */
#ifndef LTHOST_CONTROL_H
#define LTHOST_CONTROL_H

#include "tensor.h"

LTH_BEGIN_C

typedef struct lth_loop {
    lth_tensor begin, end;
    uint32_t carried, sequences, stacked, reserved;
} lth_loop;

typedef struct lth_loop_args {
    const char *file;
    lth_tensor count;
    int64_t length;
    const lth_tensor *carried;
    uint32_t carried_count, line;
    const lth_tensor *sequences;
    uint32_t sequence_count;
    int32_t reverse LTH_ZERO;
} lth_loop_args;

/* Opens a loop's body.
 *   count      turns of this run: i64 of rank 0, clamped to 0..length; lth_none(): all of them.
 *   length     the most turns, and the length of sequences and stacks: a number of the plan, >= 0.
 *   carried    n initial values of what a turn hands to the next, of any shapes and types.
 *   sequences  m tensors (length, ...), of which each turn sees the part at its index.
 * One of them at least must be a tensor: it tells the step that the loop is of.
 * .reverse = 1: the index runs down from count - 1 to 0 (a sequence is read, and a stack written, from there). */
#define lth_loop_begin(count_, length_, carried_, n, sequences_, ...)                                                      \
    lth_loop_begin_(LTH_REF(lth_loop_args, .file = __FILE__, .count = (count_), .length = (length_), .carried = (carried_), \
                            .carried_count = (uint32_t)(n), .line = __LINE__, .sequences = (sequences_), .sequence_count = __VA_ARGS__))
static inline lth_loop lth_loop_begin_(const lth_loop_args *a)
{
    lth_loop l = { lth_none(), lth_none(), a->carried_count, a->sequence_count, 0, 0 };
    lth_attr_loop attributes = { a->length, a->carried_count, a->sequence_count, 0, a->reverse > 0 };
    lth_tensor any = a->count;
    for (uint32_t i = 0; i < a->carried_count && lth_is_none(any); i++)
        any = a->carried[i];
    for (uint32_t i = 0; i < a->sequence_count && lth_is_none(any); i++)
        any = a->sequences[i];
    if (any.trace) l.begin = any.trace->api->loop_begin(any.trace, a->count, &attributes, a->carried, a->sequences, a->file, a->line);
    return l;
}

/* Within the body: the index (i64, rank 0), what is carried, and the sequences' parts. */
static inline lth_tensor lth_loop_result_(lth_tensor x, uint32_t index) { return x.trace ? x.trace->api->result(x.trace, x, index) : x; }
static inline lth_tensor lth_loop_index(const lth_loop *l) { return l->begin; }
static inline lth_tensor lth_loop_carried(const lth_loop *l, uint32_t i) { return lth_loop_result_(l->begin, 1 + i); }
static inline lth_tensor lth_loop_part(const lth_loop *l, uint32_t j) { return lth_loop_result_(l->begin, 1 + l->carried + j); }

/* Closes the body. next: what is handed on, n tensors of the shapes and types of the initial ones. parts: k tensors that are
 * stacked along a new first axis. */
#define lth_loop_end(loop, next, n, parts, k) lth_loop_end_((loop), (next), (uint32_t)(n), (parts), (uint32_t)(k), LTH_HERE)
static inline void lth_loop_end_(lth_loop *l, const lth_tensor *next, uint32_t n, const lth_tensor *parts, uint32_t k, const char *file,
                                 uint32_t line)
{
    l->stacked = k;
    l->end = l->begin.trace ? l->begin.trace->api->loop_end(l->begin.trace, l->begin, next, n, parts, k, file, line) : l->begin;
}

/* After it: what the last turn handed on (the initial value where there was none), and the parts of all turns (length, ...), 0
 * where a turn was not taken. */
static inline lth_tensor lth_loop_last(const lth_loop *l, uint32_t i) { return lth_loop_result_(l->end, i); }
static inline lth_tensor lth_loop_stack(const lth_loop *l, uint32_t j) { return lth_loop_result_(l->end, l->carried + j); }

/* A run-time index: i64 of rank 0, for lth_slice_at, lth_update_at and the turns of a loop. Another value is no other plan.
 * near_: any tensor of the step. |value| <= 2^53. */
#define lth_index(near_, value) lth_index_((near_), (value), LTH_HERE)
static inline lth_tensor lth_index_(lth_tensor near_, int64_t value, const char *file, uint32_t line)
{
    return near_.trace ? near_.trace->api->scalar(near_.trace, (double)value, LTH_I64, file, line) : near_;
}

/* What is recorded between the two is not kept for the backward pass but computed again there (Chen et al.: "Training Deep Nets
 * with Sublinear Memory Cost", 2016; torch.utils.checkpoint): memory falls, work grows by a forward pass, the numbers stay,
 * dropout's too. What is read of it afterwards is kept, as is what it reads. Effects within it (lth_assign, lth_log, lth_print)
 * take place once. Such parts may lie within each other, around loops and in their bodies; lth_grad by what lies within works.
 * Gradients are the same to the bit, gradients of gradients to rounding (they are summed in another order); so are all in 16 bits,
 * where the accelerator fuses and rounds a chain of ops at its end. near_: any tensor of the step.
 *
 *     lth_checkpoint_begin(x);
 *     x = block(m, x);
 *     lth_checkpoint_end(x); */
#define lth_checkpoint_begin(near_) lth_checkpoint_((near_), 1, LTH_HERE)
#define lth_checkpoint_end(near_) lth_checkpoint_((near_), 0, LTH_HERE)
static inline void lth_checkpoint_(lth_tensor near_, uint32_t begin, const char *file, uint32_t line)
{
    if (near_.trace) near_.trace->api->checkpoint(near_.trace, begin, file, line);
}

LTH_END_C
#endif
