/* SPDX-License-Identifier: Apache-2.0
 * engine/op_samples.c: from the tables (op_samples_*.c) to graphs and values. */
#include "engine/op_samples.h"
#include "engine/op_samples_tables.h"
#include "engine/op_table.h"

#include <lthost/random.h>
#include <string.h>

/* ---- Which ---- */

static uint32_t rows_of(const sample_table *t, uint32_t op, uint32_t wanted, const op_sample **out)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < t->count; i++)
        if (t->rows[i].op == op && n++ == wanted)
            *out = &t->rows[i];
    return n;
}

static const sample_table *const tables[] = { &sample_rows, &sample_rows_nn, &sample_rows_conv, &sample_rows_attention,
                                               &sample_rows_order, &sample_rows_norm, &sample_rows_rnn, &sample_rows_edges };
enum { TABLES = sizeof tables / sizeof *tables };

static const sample_range *range_of(uint32_t op)
{
    for (uint32_t i = 0; i < sample_ranges_count; i++)
        if (sample_ranges[i].op == op)
            return &sample_ranges[i];
    return NULL;
}

/* A form is for ops of as many operands. */
static uint32_t forms_of(const sample_range *range, uint32_t wanted, const op_sample **out)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < sample_forms.count; i++)
        if (sample_forms.rows[i].count == range->count && n++ == wanted)
            *out = &sample_forms.rows[i];
    return n;
}

uint32_t op_sample_count(uint32_t op)
{
    const op_sample *ignored = NULL;
    const sample_range *range = range_of(op);
    uint32_t count = range ? forms_of(range, 0, &ignored) : 0;
    for (uint32_t t = 0; t < TABLES; t++)
        count += rows_of(tables[t], op, 0, &ignored);
    return count;
}

op_sample op_sample_at(uint32_t op, uint32_t index)
{
    const op_sample *row = NULL;
    const sample_range *range = range_of(op);
    uint32_t forms = range ? forms_of(range, index, &row) : 0;
    if (index < forms) {
        op_sample s = *row;
        s.op = op;
        for (uint32_t i = 0; i < s.count; i++)
            s.operands[i].low = range->ends[i][0], s.operands[i].high = range->ends[i][1];
        return s;
    }
    index -= forms;
    for (uint32_t t = 0; t < TABLES && !row; t++) {
        uint32_t rows = rows_of(tables[t], op, index, &row);
        index -= rows; /* not looked at again where it was found */
    }
    return row ? *row : (op_sample) { 0 };
}

/* ---- Values ---- */

/* Attention's log-sum-exp, and what recurrent steps begin with and save, are f32 where the rest is of 16 bits. */
static lth_dtype dtype_of(const op_sample *s, uint32_t operand, lth_dtype floating)
{
    bool wide = (s->op == LTH_OP_ATTENTION_GRAD && operand + 2 == s->count) ||
                ((s->op == LTH_OP_RNN_STEPS || s->op == LTH_OP_RNN_STEPS_GRAD) && operand == 0);
    return s->operands[operand].dtype            ? s->operands[operand].dtype
           : wide && lth_dtype_size(floating) == 2 ? LTH_F32
                                                   : floating;
}

lth_shape op_sample_input(const op_sample *s, uint32_t operand, lth_dtype floating)
{
    const op_operand *o = &s->operands[operand];
    lth_shape shape = { dtype_of(s, operand, floating), o->rank, { 0 } };
    for (int32_t i = 0; i < o->rank; i++)
        shape.dim[i] = o->dim[o->layout == OP_PERMUTED ? o->rank - 1 - i : i];
    if (o->layout == OP_SLICED)
        shape.dim[o->rank - 1] = 2 * shape.dim[o->rank - 1] + 1;
    return shape;
}

static double drawn(const op_sample *s, uint32_t operand, bool whole, int64_t element, int64_t count)
{
    const op_operand *o = &s->operands[operand];
    double low = o->low, high = o->high, u;
    if (!whole && low == 0 && high == 0)
        low = -2, high = 2;
    lth_philox words = lth_philox_at(0x5a3b1e, (uint32_t)element, s->op, operand, s->count);
    u = lth_philox_uniform(words.word[0]);
    if (whole)
        return low + floor(u * (high - low + 1));
    if (s->flags & OP_SAMPLE_DISTINCT) { /* a shuffle of multiples of 1/2: 7 has no factor in common with the counts in use */
        int64_t place = (element * 7 + 3) % count, middle = count / 2;
        return 0.5 * (double)(place - middle) + 1.0 / 4096;
    }
    return (4 * floor((low + u * (high - low)) * 1024) + 1 + 2 * (operand & 1)) / 4096;
}

void op_sample_values(const op_sample *s, uint32_t operand, lth_dtype floating, double *out)
{
    const op_operand *o = &s->operands[operand];
    lth_shape shape = op_sample_input(s, operand, floating);
    bool whole = !lth_dtype_is_float(shape.dtype) && shape.dtype != LTH_BOOL;
    int64_t count = lth_shape_count(&shape);
    for (int64_t i = 0; i < count; i++) {
        out[i] = o->list ? o->list[i % o->list_count] : drawn(s, operand, whole, i, count);
        if (shape.dtype == LTH_BOOL)
            out[i] = out[i] > 0;
    }
}

/* ---- Graphs ---- */

static uint32_t lay_out(const op_operand *o, graph *g, uint32_t x, error *e)
{
    if (o->layout == OP_PERMUTED) {
        lth_attr_dims a = { o->rank, 0, { 0 } };
        for (int32_t i = 0; i < o->rank; i++)
            a.dim[i] = o->rank - 1 - i;
        return graph_emit(g, LTH_OP_PERMUTE, &x, 1, &a, sizeof a, 0, e);
    }
    if (o->layout == OP_SLICED) {
        lth_attr_slice a = { { 0 }, { 0 }, { 0 } };
        for (int32_t i = 0; i < o->rank; i++)
            a.length[i] = o->dim[i], a.step[i] = 1;
        a.start[o->rank - 1] = 1;
        a.step[o->rank - 1] = 2;
        return graph_emit(g, LTH_OP_SLICE, &x, 1, &a, sizeof a, 0, e);
    }
    return x;
}

uint32_t op_sample_emit(const op_sample *s, graph *g, lth_dtype floating, const uint32_t *inputs, error *e)
{
    uint32_t operands[OP_SAMPLE_OPERANDS];
    for (uint32_t i = 0; i < s->count; i++)
        operands[i] = lay_out(&s->operands[i], g, inputs[i], e);
    const op_info *info = op_find(s->op);
    op_attributes a = s->attributes;
    bool shaped = s->op == LTH_OP_IOTA || s->op == LTH_OP_UNIFORM || s->op == LTH_OP_NORMAL; /* the shape comes first in both */
    if (shaped && a.shape.shape.dtype == LTH_DTYPE_NONE)
        a.shape.shape.dtype = floating;
    if (s->op == LTH_OP_CAST && a.cast.dtype == LTH_DTYPE_NONE)
        a.cast.dtype = floating;
    return graph_emit_broadcast(g, s->op, operands, s->count, &a, info->attributes_size, 0, e);
}
