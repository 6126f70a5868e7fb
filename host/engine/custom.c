/* SPDX-License-Identifier: Apache-2.0
 * engine/custom.c: authors' own ops: recorded by their shape function, differentiated by their gradient function. */
#include "engine/internal.h"
#include "engine/ops.h"
#include "util/memory.h"

#include <lthost/custom.h>

#include <stdlib.h>
#include <string.h>

static size_t length_of(const char *text, size_t most)
{
    size_t n = 0;
    while (n < most && text[n])
        n++;
    return n;
}

/* ---- Recording ---- */

static bool table_is_right(const lth_custom_op *op, error *e)
{
    /* Its first version ended behind `gradient`; what is added later is looked at only where struct_size says it is there. */
    if (!op || op->struct_size < offsetof(lth_custom_op, gradient) + sizeof op->gradient)
        return error_set(e, LTH_INVALID, "custom op: its table is none; LTH_CUSTOM_OP makes one") == LTH_OK;
    size_t length = op->name ? length_of(op->name, LTH_CUSTOM_NAME) : 0;
    if (length == 0 || length == LTH_CUSTOM_NAME)
        return error_set(e, LTH_INVALID, "custom op: its table needs a name of 1 to %d characters", LTH_CUSTOM_NAME - 1) ==
               LTH_OK;
    if (!op->shape || !op->run)
        return error_set(e, LTH_INVALID, "%s: its table has no `%s`", op->name, op->shape ? "run" : "shape") == LTH_OK;
    if (op->result_count == 0 || op->result_count > LTH_CUSTOM_RESULTS)
        return error_set(e, LTH_INVALID, "%s: its table says %u results; 1 to %d are possible", op->name, op->result_count,
                         LTH_CUSTOM_RESULTS) == LTH_OK;
    if (op->flags & ~(uint32_t)LTH_CUSTOM_HALF)
        return error_set(e, LTH_INVALID, "%s: its table has flags (0x%x) that this host does not know", op->name, op->flags) ==
               LTH_OK;
    return true;
}

static bool call_is_right(const lth_custom_op *op, uint32_t count, const void *attributes, uint32_t size, error *e)
{
    if (count == 0 || count > LTH_CUSTOM_OPERANDS || (op->operand_count && count != op->operand_count))
        return error_set(e, LTH_INVALID, "%s: %u operands given, %u expected", op->name, count,
                         op->operand_count ? op->operand_count : LTH_CUSTOM_OPERANDS) == LTH_OK;
    if (size > LTH_CUSTOM_ATTRIBUTES || (size > 0 && !attributes))
        return error_set(e, LTH_INVALID, "%s: %s", op->name,
                         size > LTH_CUSTOM_ATTRIBUTES
                             ? "its attributes are too long (192 bytes are the most); long lists are operands"
                             : "a size of attributes without attributes") == LTH_OK;
    return true;
}

static bool serves_type(const lth_custom_op *op, const lth_shape *s, const char *what, uint32_t i, error *e)
{
    if (op->flags & LTH_CUSTOM_HALF || (s->dtype != LTH_BF16 && s->dtype != LTH_F16))
        return true;
    error_set(e, LTH_UNSUPPORTED,
              "%s: %s %u is of %s, which its table does not allow (LTH_CUSTOM_HALF): cast it to f32 (lth_cast)", op->name, what,
              i + 1, lth_dtype_name(s->dtype));
    return false;
}

/* The results' shapes by the author's function; what it says is checked. */
static bool shapes_of(const lth_custom_op *op, const lth_shape *const *operands, uint32_t count, const void *attributes,
                      uint32_t size, lth_shape *results, error *e)
{
    char message[240] = "";
    lth_custom_shapes s = { sizeof s, count, op->result_count, size, operands, attributes, results, message, sizeof message };
    for (uint32_t i = 0; i < count; i++)
        if (!serves_type(op, operands[i], "operand", i, e))
            return false;
    if (!op->shape(&s)) {
        error_set(e, LTH_INVALID, "%s: %s", op->name, message[0] ? message : "its shape function refuses the operands");
        return false;
    }
    op_shapes rule = { operands, count, 0, NULL, results, e };
    for (uint32_t i = 0; i < op->result_count; i++) {
        if (!op_checks_size(&rule, &results[i])) {
            error_prefix(e, "%s: result %u of its shape function: ", op->name, i + 1);
            return false;
        }
        if (!serves_type(op, &results[i], "result", i, e))
            return false;
        for (int32_t k = results[i].rank; k < LTH_MAX_RANK; k++) /* shapes are compared as bytes */
            results[i].dim[k] = 0;
    }
    return true;
}

uint32_t graph_emit_custom(graph *g, const lth_custom_op *op, const uint32_t *operands, uint32_t count, const void *attributes,
                           uint32_t size, uint32_t site, error *e)
{
    struct {
        lth_attr_custom head;
        uint8_t own[LTH_CUSTOM_ATTRIBUTES];
    } a;
    const lth_shape *shapes[LTH_CUSTOM_OPERANDS];
    lth_shape results[LTH_CUSTOM_RESULTS];
    if (!table_is_right(op, e) || !call_is_right(op, count, attributes, size, e))
        return LTH_NO_VALUE;
    for (uint32_t i = 0; i < count; i++) {
        if (operands[i] >= g->value_count)
            return error_set(e, LTH_INVALID, "%s: operand %u is no value of this graph", op->name, i), LTH_NO_VALUE;
        shapes[i] = graph_shape(g, operands[i]);
    }
    memset(&a, 0, sizeof a);
    memset(results, 0, sizeof results);
    if (size)
        memcpy(a.own, attributes, size);
    if (!shapes_of(op, shapes, count, a.own, size, results, e))
        return LTH_NO_VALUE;
    memcpy(a.head.name, op->name, length_of(op->name, LTH_CUSTOM_NAME - 1));
    a.head.version = op->version;
    a.head.size = size;
    a.head.index = graph_add_custom(g, op);
    return graph_append(g, LTH_OP_CUSTOM, operands, count, &a, (uint32_t)sizeof a.head + (size + 7) / 8 * 8, site, results,
                        op->result_count);
}

lth_tensor trace_custom(lth_trace *h, const lth_custom_op *op, const lth_tensor *x, uint32_t count, const void *attributes,
                        uint32_t size, const char *file, uint32_t line)
{
    trace *t = (trace *)h;
    uint32_t ids[LTH_CUSTOM_OPERANDS], given = count < LTH_CUSTOM_OPERANDS ? count : LTH_CUSTOM_OPERANDS;
    if (!trace_ready(t, file, line))
        return trace_tensor(t, LTH_NO_VALUE);
    for (uint32_t i = 0; i < given; i++) {
        char what[64 + LTH_CUSTOM_NAME];
        snprintf(what, sizeof what, "%.48s: operand %u", op && op->name ? op->name : "custom op", i + 1);
        if ((ids[i] = trace_value(t, x[i], what, file, line)) == LTH_NO_VALUE)
            return trace_tensor(t, LTH_NO_VALUE);
    }
    uint32_t site = graph_site(t->graph, file, line);
    uint32_t value = graph_emit_custom(t->graph, op, ids, count, attributes, size, site, &t->error);
    if (value == LTH_NO_VALUE)
        error_prefix(&t->error, "%s:%u: ", file, line);
    return trace_tensor(t, value);
}

/* ---- The gradient ---- */

/* Tensors for values; a derivative that does not reach a floating result is 0. */
static void tensors_of(trace *t, const uint32_t *values, uint32_t count, lth_tensor *out)
{
    for (uint32_t i = 0; i < count; i++)
        out[i] = trace_tensor(t, values[i]);
}

static void d_results_of(op_rule *r, trace *t, lth_tensor *out)
{
    for (uint32_t i = 0; i < r->result_count; i++) {
        const lth_shape *s = op_shape_of(r, r->results[i]);
        uint32_t d = r->d_results[i];
        if (d == LTH_NO_VALUE && lth_dtype_is_float(s->dtype))
            d = op_filled(r, s, 0);
        out[i] = d == LTH_NO_VALUE ? lth_none() : trace_tensor(t, d);
    }
}

/* What the author's function has set, as values. */
static bool take(op_rule *r, trace *t, const lth_custom_op *op, const lth_tensor *d_operands)
{
    for (uint32_t i = 0; i < r->count; i++) {
        char what[64 + LTH_CUSTOM_NAME];
        if (lth_is_none(d_operands[i]))
            continue;
        snprintf(what, sizeof what, "the gradient of %.48s by operand %u", op->name, i + 1);
        uint32_t value = trace_value(t, d_operands[i], what, r->g->sites[r->site].file, r->g->sites[r->site].line);
        if (value == LTH_NO_VALUE)
            return false;
        const lth_shape *is = op_shape_of(r, value), *wanted = op_operand_shape(r, i);
        if (is->dtype != wanted->dtype || !op_same_dims(is, wanted))
            return error_set(&t->error, LTH_INVALID, "%s must be %s %s, as the operand is; its function sets %s %s", what,
                             lth_dtype_name(wanted->dtype), op_shape_text(wanted).text, lth_dtype_name(is->dtype),
                             op_shape_text(is).text) == LTH_OK;
        r->d_operands[i] = value;
    }
    return true;
}

void grad_custom(op_rule *r)
{
    lth_tensor operands[LTH_CUSTOM_OPERANDS], results[LTH_CUSTOM_RESULTS], d_results[LTH_CUSTOM_RESULTS],
        d_operands[LTH_CUSTOM_OPERANDS];
    const lth_attr_custom *a = r->attributes;
    const lth_custom_op *op = r->g->customs[a->index];
    trace *t = r->recorder;
    if (!t) {
        error_set(r->error, LTH_ERROR, "custom op '%s': its gradient is recorded within an engine's step alone", op->name);
        return;
    }
    if (!op->gradient) {
        error_set(r->error, LTH_INVALID,
                  "custom op '%s' at %s:%u has no gradient, and the loss depends on it: give its table a `gradient`, or put "
                  "lth_stop_gradient around what it reads",
                  op->name, r->g->sites[r->site].file, r->g->sites[r->site].line);
        return;
    }
    trace_begin(t, r->g, t->training);
    tensors_of(t, r->operands, r->count, operands);
    tensors_of(t, r->results, r->result_count, results);
    d_results_of(r, t, d_results);
    for (uint32_t i = 0; i < r->count; i++)
        d_operands[i] = lth_none();
    lth_custom_gradient g = { sizeof g, r->count, r->result_count, a->size, operands, results, d_results, d_operands, a + 1 };
    op->gradient(&g);
    bool ok = t->error.status == LTH_OK && take(r, t, op, d_operands);
    t->recording = false;
    if (!ok)
        error_set(r->error, t->error.status, "in the gradient of custom op '%s': %s", op->name, t->error.text);
}
