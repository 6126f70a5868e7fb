/* SPDX-License-Identifier: Apache-2.0 */
#include "schedule.h"

#include "layout.h"

#include <stdlib.h>
#include <string.h>

typedef struct maker {
    accel_schedule *s;
    const accel_fusion *f;
    const accel_layout_plan *l;
    uint32_t operand_count, pointer_count, pointer_capacity;
} maker;

static const lth_shape *shape_of(const maker *m, uint32_t v) { return &lth_graph_value(m->f->graph, v)->shape; }

static int64_t value_bytes(const maker *m, uint32_t v) { return accel_value_bytes(m->f->graph, v); }

/* ---- Operands ---- */

static void add_operand(maker *m, accel_place place, const accel_view *view, lth_dtype dtype)
{
    accel_operand *o = &m->s->operands[m->operand_count++];
    *o = (accel_operand) { place, *view };
    o->place.offset += view->offset * lth_dtype_size(dtype);
    o->view.offset = 0;
}

/* What a kernel (its unit), or an effect (ACCEL_NONE), reads of v. */
static void add_read(maker *m, uint32_t v, uint32_t reader)
{
    accel_seen seen = accel_fusion_seen(m->f, v, reader);
    accel_place place = seen.bound ? accel_layout_place(&m->l->layout, seen.value) : m->l->own[seen.value];
    add_operand(m, place, &seen.view, shape_of(m, v)->dtype);
}

static void add_write(maker *m, accel_place place, const lth_shape *s)
{
    accel_view dense = accel_view_dense(s);
    add_operand(m, place, &dense, s->dtype);
}

/* ---- Launches ---- */

static accel_launch *add_launch(maker *m, accel_launch_kind kind, uint32_t node)
{
    accel_launch *l = &m->s->launches[m->s->launch_count++];
    *l = (accel_launch) {
        .kind = kind, .node = node, .node_count = 1, .first_operand = m->operand_count, .first_result = m->operand_count
    };
    return l;
}

static void end_operands(maker *m, accel_launch *l)
{
    l->operand_count = m->operand_count - l->first_operand;
    l->first_result = m->operand_count;
}

static void count_bytes(maker *m, accel_launch *l, int64_t bytes)
{
    double runs = accel_loop_runs(m->f->graph, lth_graph_node(m->f->graph, l->node)->region);
    l->bytes = bytes;
    m->s->info.bytes_moved += (int64_t)(runs * (double)bytes);
}

static void add_kernel(maker *m, uint32_t unit)
{
    const accel_unit *u = &m->f->units[unit];
    const lth_node *n = lth_graph_node(m->f->graph, u->node);
    accel_launch *l = add_launch(m,
                                 n->op == LTH_OP_LOOP       ? ACCEL_LAUNCH_LOOP
                                 : n->op == LTH_OP_LOOP_END ? ACCEL_LAUNCH_LOOP_END
                                                            : ACCEL_LAUNCH_NODE,
                                 u->node);
    for (uint32_t i = 0; i < n->operand_count; i++)
        add_read(m, lth_node_operand(m->f->graph, n, i), unit);
    end_operands(m, l);
    for (uint32_t i = 0; i < n->value_count; i++)
        add_write(m, m->l->own[n->first_value + i], lth_node_shape(m->f->graph, n, i));
    l->result_count = n->value_count;
    l->workspace = m->l->workspaces[u->node];
    if (accel_is_of_loop(n->op)) {
        accel_schedule_loop *loop = &m->s->loops[accel_loop_region(m->f->graph, n)];
        *(n->op == LTH_OP_LOOP ? &loop->begin : &loop->end) = m->s->launch_count - 1;
    }
    l->flops = accel_node_flops(m->f->graph, n);
    count_bytes(m, l, accel_node_bytes(m->f->graph, n));
}

/* A program moves what its memory slots, its views and its totals hold, each once. */
static int64_t program_bytes(const accel_program *p)
{
    int64_t bytes = 0;
    for (uint32_t i = 0; i < p->slot_count; i++)
        if (p->slots[i].kind == ACCEL_SLOT_MEMORY)
            bytes += p->count * lth_dtype_size(p->slots[i].dtype);
    for (uint32_t i = 0; i < p->instruction_count; i++)
        if (p->instructions[i].op == ACCEL_TILE_LOAD || p->instructions[i].op == ACCEL_TILE_STORE)
            bytes += p->count * lth_dtype_size(p->instructions[i].dtype);
    return bytes;
}

static bool add_program(maker *m, const accel_unit *u)
{
    accel_place places[ACCEL_PROGRAM_POINTERS];
    const lth_graph *g = m->f->graph;
    uint32_t node =
        u->kind == ACCEL_UNIT_MOVE ? lth_graph_value(g, u->to)->node : m->f->members[u->first_member + u->member_count - 1];
    accel_launch *l = add_launch(m, ACCEL_LAUNCH_PROGRAM, node);
    l->program = accel_program_of_unit(&m->l->layout, u, places);
    if (!l->program)
        return false;
    while (m->pointer_count + l->program->pointer_count > m->pointer_capacity) {
        uint32_t capacity = m->pointer_capacity ? 2 * m->pointer_capacity : ACCEL_PROGRAM_POINTERS;
        accel_place *grown = realloc(m->s->pointers, capacity * sizeof *grown);
        if (!grown)
            return false;
        m->s->pointers = grown;
        m->pointer_capacity = capacity;
    }
    l->first_pointer = m->pointer_count;
    l->node_count = u->member_count ? u->member_count : 1;
    if (l->program->pointer_count)
        memcpy(m->s->pointers + m->pointer_count, places, l->program->pointer_count * sizeof *places);
    m->pointer_count += l->program->pointer_count;
    m->s->scratch = l->program->scratch > m->s->scratch ? l->program->scratch : m->s->scratch;
    for (uint32_t i = 0; i < u->member_count; i++)
        l->flops += accel_node_flops(g, lth_graph_node(g, m->f->members[u->first_member + i]));
    count_bytes(m, l, program_bytes(l->program));
    m->s->info.fused_nodes += u->member_count > 1 ? u->member_count : 0;
    return true;
}

static bool add_unit(maker *m, uint32_t unit)
{
    const accel_unit *u = &m->f->units[unit];
    if (u->kind == ACCEL_UNIT_NODE)
        add_kernel(m, unit);
    else if (!m->l->elided[unit])
        return add_program(m, u);
    return true;
}

static void add_effect(maker *m, uint32_t node)
{
    const lth_graph *g = m->f->graph;
    const lth_node *n = lth_graph_node(g, node);
    const void *a = lth_node_attributes(g, n);
    uint32_t v = lth_node_operand(g, n, 0);
    lth_dtype dtype = shape_of(m, v)->dtype;
    accel_launch *l = add_launch(m,
                                 n->op == LTH_OP_OUTPUT  ? ACCEL_LAUNCH_OUTPUT
                                 : n->op == LTH_OP_PRINT ? ACCEL_LAUNCH_PRINT
                                                         : ACCEL_LAUNCH_ASSIGN,
                                 node);
    accel_place to = { ACCEL_PLACE_NONE, 0, 0 };
    if (n->op == LTH_OP_OUTPUT)
        to = (accel_place) { ACCEL_PLACE_OUTPUT, ((const lth_attr_slot *)a)->slot, 0 };
    else if (n->op == LTH_OP_ASSIGN)
        to = (accel_place) { ACCEL_PLACE_ARENA, ((const lth_attr_state *)a)->arena,
                             ((const lth_attr_state *)a)->offset * lth_dtype_size(dtype) };
    add_read(m, v, ACCEL_NONE);
    end_operands(m, l);
    add_write(m, to, shape_of(m, v));
    l->result_count = to.kind != ACCEL_PLACE_NONE;
    count_bytes(m, l, 2 * value_bytes(m, v));
}

static void add_effects(maker *m, bool assign)
{
    for (uint32_t i = 0; i < m->f->graph->node_count; i++) {
        uint32_t op = lth_graph_node(m->f->graph, i)->op;
        if (assign ? op == LTH_OP_ASSIGN && !m->l->in_place[i] : op == LTH_OP_OUTPUT || op == LTH_OP_PRINT)
            add_effect(m, i);
    }
}

/* ---- The whole ---- */

static lth_status make_launches(maker *m)
{
    const accel_fusion *f = m->f;
    for (uint32_t k = 0; k < f->commit; k++)
        if (!add_unit(m, f->order[k]))
            return LTH_NO_MEMORY;
    m->s->commit = m->s->launch_count;
    add_effects(m, false);
    for (uint32_t k = f->commit; k < f->order_count; k++)
        if (!add_unit(m, f->order[k]))
            return LTH_NO_MEMORY;
    add_effects(m, true);
    return LTH_OK;
}

static lth_status make_tables(maker *m)
{
    const lth_graph *g = m->f->graph;
    accel_schedule *s = m->s;
    uint32_t most = ACCEL_PROGRAM_POINTERS;
    for (uint32_t i = 0; i < g->node_count; i++) {
        const lth_node *n = lth_graph_node(g, i);
        most = n->operand_count + n->value_count > most ? n->operand_count + n->value_count : most;
        s->info.flops += accel_loop_runs(g, n->region) * accel_node_flops(g, n);
    }
    s->launches = calloc(m->f->order_count + g->node_count + 1, sizeof *s->launches);
    s->operands = calloc((size_t)g->operand_count + g->value_count + g->node_count + 1, sizeof *s->operands);
    s->own = calloc(g->value_count + 1, sizeof *s->own);
    s->root = calloc(g->value_count + 1, sizeof *s->root);
    s->infinite = calloc(g->value_count + 1, 1);
    s->table = calloc(most + 1, sizeof *s->table);
    s->loops = calloc(g->region_count + 1, sizeof *s->loops);
    s->bound = calloc(g->node_count + 1, sizeof *s->bound);
    if (!s->launches || !s->operands || !s->own || !s->root || !s->infinite || !s->table || !s->loops || !s->bound)
        return LTH_NO_MEMORY;
    for (uint32_t r = 1; r < g->region_count; r++) {
        const lth_region *region = lth_graph_region(g, r);
        s->loops[r].state = (accel_loop) { .begin = region->first_node, .end = region->first_node + region->node_count };
    }
    for (uint32_t v = 0; v < g->value_count; v++) {
        s->own[v] = m->l->own[v];
        s->root[v] = m->f->values[v].root;
    }
    for (uint32_t i = 0; i < g->node_count; i++) {
        const lth_node *n = lth_graph_node(g, i);
        bool leaf = n->op == LTH_OP_INPUT || n->op == LTH_OP_STATE, target = n->op == LTH_OP_OUTPUT || n->op == LTH_OP_ASSIGN;
        if ((leaf && value_bytes(m, n->first_value)) || (target && value_bytes(m, lth_node_operand(g, n, 0))))
            s->bound[s->bound_count++] = i;
    }
    return LTH_OK;
}

static lth_status make(accel_schedule *s, const accel_schedule_options *options)
{
    accel_fusion f;
    accel_layout_plan l = { 0 };
    accel_fusion_options fusion = { options->flags, options->takes_view, options->context };
    lth_status status = accel_fusion_plan(s->graph, &fusion, &f);
    if (!status)
        status = accel_layout_new(&f, options, &l);
    maker m = { .s = s, .f = &f, .l = &l };
    if (!status)
        status = make_tables(&m);
    if (!status)
        status = make_launches(&m);
    s->info.struct_size = sizeof s->info;
    s->info.kernel_count = s->launch_count;
    s->info.memory = l.memory.planned;
    s->info.memory_unshared = l.memory.unshared;
    accel_layout_free(&l);
    accel_fusion_free(&f);
    return status;
}

lth_status accel_schedule_new(const lth_graph *g, const accel_schedule_options *options, accel_schedule **out, accel_error *e)
{
    const uint32_t known = LTH_COMPILE_NO_FUSION | LTH_COMPILE_KEEP_ALL | LTH_COMPILE_CHECK_FINITE;
    *out = NULL;
    *e = (accel_error) { LTH_NO_VALUE, "" };
    if (options->flags & ~known) {
        snprintf(e->text, sizeof e->text, "flags 0x%x of compile are unknown here", options->flags & ~known);
        return LTH_UNSUPPORTED;
    }
    if (!accel_check_graph(g, e))
        return LTH_UNSUPPORTED;
    accel_schedule *s = calloc(1, sizeof *s);
    lth_status status = LTH_NO_MEMORY;
    if (s && (s->graph = accel_graph_copy(g))) {
        s->flags = options->flags;
        s->origin = options->origin;
        status = make(s, options);
    }
    if (status) {
        snprintf(e->text, sizeof e->text, "no memory for a plan of %u nodes", g->node_count);
        accel_schedule_free(s);
        return status;
    }
    *out = s;
    return LTH_OK;
}

void accel_schedule_free(accel_schedule *s)
{
    if (!s)
        return;
    for (uint32_t i = 0; i < s->launch_count; i++)
        accel_program_free(s->launches[i].program);
    free(s->graph);
    free(s->launches);
    free(s->operands);
    free(s->pointers);
    free(s->own);
    free(s->root);
    free(s->infinite);
    free(s->bound);
    free(s->loops);
    free(s->table);
    free(s);
}

const void *accel_schedule_value(const accel_schedule *s, const void *block, uint32_t value)
{
    if (!(s->flags & LTH_COMPILE_KEEP_ALL) || value >= s->graph->value_count || s->own[value].kind != ACCEL_PLACE_BLOCK)
        return NULL;
    return (const char *)block + s->own[value].offset;
}

void accel_launch_text(const accel_schedule *s, uint32_t launch, char *text, size_t size)
{
    const accel_launch *l = &s->launches[launch];
    accel_node_text(s->graph, l->node, text, size);
    size_t used = strlen(text);
    if (l->kind != ACCEL_LAUNCH_PROGRAM || used >= size)
        return;
    char program[96];
    accel_program_text(l->program, program, sizeof program);
    if (l->node_count > 1)
        snprintf(text + used, size - used, " and %u more: %s", l->node_count - 1, program);
    else
        snprintf(text + used, size - used, ": %s", program);
}

/* The instructions that are ops, each once: "add, mul x2, tanh". */
static void list_ops(const accel_program *p, char *text, size_t size)
{
    size_t used = 0;
    for (uint32_t i = 0; i < p->instruction_count && used < size; i++) {
        const accel_op *op = accel_op_find(p->instructions[i].op);
        uint32_t first = 0, times = 0;
        while (p->instructions[first].op != p->instructions[i].op)
            first++;
        for (uint32_t k = i; k < p->instruction_count; k++)
            times += p->instructions[k].op == p->instructions[i].op;
        if (!op || first < i)
            continue;
        int n = snprintf(text + used, size - used, times > 1 ? "%s%s x%u" : "%s%s", used ? ", " : "", op->name, times);
        used += n > 0 ? (size_t)n : 0;
    }
}

bool accel_launch_tell(const accel_schedule *s, uint32_t launch, lth_launch *out)
{
    if (launch >= s->launch_count)
        return false;
    const accel_launch *l = &s->launches[launch];
    lth_launch own = { .struct_size = out->struct_size < sizeof own ? out->struct_size : (uint32_t)sizeof own,
                       .node = accel_schedule_origin(s, l->node),
                       .node_count = l->node_count,
                       .threads = 1,
                       .flops = l->flops,
                       .bytes = l->bytes };
    const accel_op *op = accel_op_find(lth_graph_node(s->graph, l->node)->op);
    if (l->kind == ACCEL_LAUNCH_PROGRAM)
        list_ops(l->program, own.ops, sizeof own.ops);
    if (!own.ops[0])
        snprintf(own.ops, sizeof own.ops, "%s", op ? op->name : "");
    memcpy(out, &own, own.struct_size);
    return true;
}
