/* SPDX-License-Identifier: Apache-2.0
 * engine/autodiff.c: reverse-mode differentiation of a graph, into the same graph. */
#include "engine/autodiff.h"
#include "util/memory.h"

#include <stdlib.h>
#include <string.h>

typedef autodiff_pass pass;

static uint32_t constant(op_rule *r, double value, lth_dtype dtype)
{
    pass *p = r->constant_context;
    return constants_value(p->c, p->g, value, dtype, r->site, p->error);
}

op_rule autodiff_rule(autodiff_pass *p, uint32_t site)
{
    return (op_rule) {
        .g = p->g, .site = site, .constant = constant, .constant_context = p, .recorder = p->c->recorder, .error = p->error
    };
}

/* Whether derivatives pass through the op. */
static bool has_rule(const op_info *info) { return info->gradient || info->decompose; }

static bool reads_path(const pass *p, const lth_node *n)
{
    for (uint32_t i = 0; i < n->operand_count; i++)
        if (p->on_path[p->g->operands[n->first_operand + i]])
            return true;
    return false;
}

/* What a body sees of the values that its LOOP reads. */
static void mark_turn(pass *p, const lth_node *loop)
{
    for (uint32_t i = 1; i < loop->operand_count; i++)
        if (p->on_path[p->g->operands[loop->first_operand + i]])
            p->on_path[loop->first_value + i] = true;
}

/* Marks what lies between wrt and the loss. Returns the greatest number of operands on the way. */
static uint32_t mark_path(pass *p, const uint32_t *wrt, uint32_t count, uint32_t nodes)
{
    uint32_t widest = 1, again;
    for (uint32_t i = 0; i < count; i++)
        p->on_path[wrt[i]] = true;
    for (uint32_t i = 0; i < nodes; i++) {
        const lth_node *n = &p->g->nodes[i];
        const op_info *info = op_find(n->op);
        bool symbolic = !info || info->kind == OP_SYMBOLIC; /* an error, if the loss turns out to depend on it */
        if (n->op == LTH_OP_LOOP)
            mark_turn(p, n);
        if (n->op == LTH_OP_LOOP_END && autodiff_mark_loop(p, i, &again))
            i = again - 1;
        if ((!symbolic && !has_rule(info)) || !reads_path(p, n))
            continue;
        widest = n->operand_count > widest ? n->operand_count : widest;
        for (uint32_t k = n->first_value; k < n->first_value + n->value_count; k++)
            p->on_path[k] = p->on_path[k] || lth_dtype_is_float(p->g->values[k].shape.dtype);
    }
    return widest;
}

static bool has_gradient(const pass *p, const lth_node *n)
{
    for (uint32_t k = n->first_value; k < n->first_value + n->value_count; k++)
        if (p->gradient[k] != LTH_NO_VALUE)
            return true;
    return false;
}

/* Adds what a rule gave for operand i, which must have its shape. */
static bool accept(pass *p, op_rule *r, const op_info *info, uint32_t i)
{
    uint32_t to = r->operands[i], d = r->d_operands[i];
    if (d == LTH_NO_VALUE || !p->on_path[to])
        return true;
    if (op_dtype_of(r, d) != op_dtype_of(r, to) || !op_same_dims(op_shape_of(r, d), op_shape_of(r, to)))
        return error_set(p->error, LTH_ERROR, "the gradient of %s by operand %u has the wrong shape %s", info->name, i,
                         op_shape_text(op_shape_of(r, d)).text) == LTH_OK;
    p->gradient[to] = op_accumulate(r, p->gradient[to], d);
    return true;
}

/* The gradient of a composite that has no rule of its own: its decomposition, made once more (simplify merges the two), is
 * differentiated. Each operand enters by a reshape of its own, so that the derivative by it is partial even where one operand
 * was computed from another. */
static void differentiate_decomposition(pass *p, op_rule *r, const op_info *info)
{
    uint32_t own[OP_MAX_COMPOSITE], outputs[OP_MAX_RESULTS], wrt[OP_MAX_COMPOSITE], which[OP_MAX_COMPOSITE], count = 0;
    for (uint32_t i = 0; i < r->count; i++) {
        const lth_shape *s = op_operand_shape(r, i);
        lth_attr_dims same = { s->rank, 0, { 0 } };
        memcpy(same.dim, s->dim, sizeof same.dim);
        own[i] = op_emit(r, LTH_OP_RESHAPE, &r->operands[i], 1, &same, sizeof same);
        if (own[i] != LTH_NO_VALUE && p->on_path[r->operands[i]] && lth_dtype_is_float(op_dtype_of(r, own[i])))
            which[count] = i, wrt[count++] = own[i];
    }
    op_rule forward = *r;
    forward.operands = own;
    forward.outputs = outputs;
    memset(outputs, 0xff, sizeof outputs); /* LTH_NO_VALUE */
    info->decompose(&forward);
    uint32_t gradients[OP_MAX_COMPOSITE];
    if (!autodiff_vjp(p->g, p->c, outputs, r->d_results, r->result_count, wrt, count, gradients, p->error))
        return;
    for (uint32_t i = 0; i < count; i++)
        r->d_operands[which[i]] = gradients[i];
}

static bool step_back(pass *p, uint32_t node)
{
    const lth_node n = p->g->nodes[node];
    if (!has_gradient(p, &n) || (n.op != LTH_OP_LOOP_END && !reads_path(p, &n)))
        return true;
    if (n.op == LTH_OP_LOOP_END)
        return autodiff_loop(p, node);
    const op_info *info = op_find(n.op);
    if (!info || !has_rule(info)) {
        if (!info || info->kind == OP_SYMBOLIC)
            return error_set(p->error, LTH_ERROR, "the loss depends on a symbolic op (%u) that has not been expanded", n.op) ==
                   LTH_OK;
        return true;
    }
    _Alignas(8) uint8_t attributes[OP_MAX_ATTRIBUTES];
    uint32_t results[OP_MAX_RESULTS], d_results[OP_MAX_RESULTS];
    if (n.attributes_size > 0)
        memcpy(attributes, p->g->attributes + n.attributes, n.attributes_size);
    for (uint32_t i = 0; i < n.value_count; i++) {
        results[i] = n.first_value + i;
        d_results[i] = p->gradient[n.first_value + i];
    }
    for (uint32_t i = 0; i < n.operand_count; i++) {
        p->operands[i] = p->g->operands[n.first_operand + i];
        p->d_operands[i] = LTH_NO_VALUE;
    }
    op_rule r = autodiff_rule(p, n.site);
    r.operands = p->operands;
    r.results = results;
    r.d_results = d_results;
    r.d_operands = p->d_operands;
    r.attributes = attributes;
    r.count = n.operand_count;
    r.result_count = n.value_count;
    if (info->gradient)
        info->gradient(&r);
    else
        differentiate_decomposition(p, &r, info);
    for (uint32_t i = 0; i < n.operand_count; i++)
        if (!accept(p, &r, info, i))
            return false;
    return p->error->status == LTH_OK;
}

bool autodiff_walk(autodiff_pass *p, uint32_t first, uint32_t end)
{
    bool ok = true;
    for (uint32_t i = end; ok && i-- > first;) {
        uint32_t region = p->g->nodes[i].region ? autodiff_recomputed(p->g, i) : 0;
        if (!region) {
            ok = step_back(p, i);
            continue;
        }
        uint32_t begin = p->g->regions[region].first_node > first ? p->g->regions[region].first_node : first;
        ok = autodiff_recompute(p, region, begin, i + 1);
        i = begin;
    }
    return ok;
}

void autodiff_reserve(autodiff_pass *p)
{
    size_t known = p->capacity, values = p->g->value_count;
    if (values <= known)
        return;
    p->capacity = values;
    p->gradient = memory_resize(p->gradient, values * sizeof *p->gradient);
    p->on_path = memory_resize(p->on_path, values * sizeof *p->on_path);
    memset(p->gradient + known, 0xff, (values - known) * sizeof *p->gradient); /* LTH_NO_VALUE */
    memset(p->on_path + known, 0, (values - known) * sizeof *p->on_path);
}

void autodiff_copy_node(graph *g, uint32_t node, uint32_t *map, uint32_t *regions, arena *memory)
{
    const lth_node n = g->nodes[node];
    uint32_t *operands = arena_array(memory, n.operand_count, sizeof *operands);
    for (uint32_t i = 0; i < n.operand_count; i++) {
        uint32_t v = g->operands[n.first_operand + i];
        operands[i] = map[v] == LTH_NO_VALUE ? v : map[v];
    }
    void *attributes = arena_copy(memory, g->attributes + n.attributes, n.attributes_size);
    lth_shape *shapes = arena_array(memory, n.value_count, sizeof *shapes);
    for (uint32_t i = 0; i < n.value_count; i++)
        shapes[i] = g->values[n.first_value + i].shape;
    graph_follow_region(g, g, n.region, regions);
    uint32_t first =
        graph_append(g, n.op, operands, n.operand_count, attributes, n.attributes_size, n.site, shapes, n.value_count);
    g->nodes[g->node_count - 1].flags = n.flags;
    for (uint32_t i = 0; i < n.value_count; i++)
        map[n.first_value + i] = first + i;
}

static bool arguments_are_right(const graph *g, uint32_t loss, const uint32_t *wrt, uint32_t count, error *e)
{
    if (loss >= g->value_count || graph_shape(g, loss)->rank != 0 || !lth_dtype_is_float(graph_shape(g, loss)->dtype))
        return error_set(e, LTH_INVALID, "grad: the loss must be a floating scalar of rank 0") == LTH_OK;
    for (uint32_t i = 0; i < count; i++)
        if (wrt[i] >= g->value_count || !lth_dtype_is_float(graph_shape(g, wrt[i])->dtype))
            return error_set(e, LTH_INVALID, "grad: tensor %u to differentiate by is not floating", i) == LTH_OK;
    return true;
}

bool autodiff_vjp(graph *g, constants *c, const uint32_t *outputs, const uint32_t *seeds, uint32_t count, const uint32_t *wrt,
                  uint32_t wrt_count, uint32_t *gradients, error *e)
{
    pass p = { .g = g, .c = c, .error = e };
    uint32_t nodes = 0;
    for (uint32_t i = 0; i < count; i++)
        if (outputs[i] != LTH_NO_VALUE && seeds[i] != LTH_NO_VALUE && g->values[outputs[i]].node >= nodes)
            nodes = g->values[outputs[i]].node + 1;
    autodiff_reserve(&p);
    uint32_t widest = mark_path(&p, wrt, wrt_count, nodes);
    p.operands = memory_new(2 * widest * sizeof *p.operands);
    p.d_operands = p.operands + widest;
    op_rule r = autodiff_rule(&p, 0);
    for (uint32_t i = 0; i < count; i++) {
        if (outputs[i] == LTH_NO_VALUE || seeds[i] == LTH_NO_VALUE || !p.on_path[outputs[i]])
            continue;
        r.site = g->nodes[g->values[outputs[i]].node].site;
        p.gradient[outputs[i]] = op_accumulate(&r, p.gradient[outputs[i]], seeds[i]);
    }
    bool ok = e->status == LTH_OK && autodiff_walk(&p, 0, nodes);
    for (uint32_t i = 0; i < wrt_count; i++)
        gradients[i] = p.gradient[wrt[i]];
    free(p.gradient);
    free(p.on_path);
    free(p.operands);
    return ok;
}

bool autodiff(graph *g, constants *c, uint32_t loss, const uint32_t *wrt, uint32_t count, uint32_t *gradients, uint32_t site,
              error *e)
{
    error own = { 0 };
    e = e ? e : &own;
    if (!arguments_are_right(g, loss, wrt, count, e))
        return false;
    uint32_t one = constants_value(c, g, 1, graph_shape(g, loss)->dtype, site, e);
    return autodiff_vjp(g, c, &loss, &one, 1, wrt, count, gradients, e);
}
