/* SPDX-License-Identifier: Apache-2.0 */
#include "schedule.h"

#include "clock.h"
#include "tile_math.h"

enum { MAX_RESULTS = 4 }; /* of an op but for LOOP_END */

static lth_status fail(lth_run_result *result, uint32_t node, const char *message)
{
    if (result) {
        result->failed_node = node;
        snprintf(result->message, sizeof result->message, "%s", message);
    }
    return LTH_CHECK;
}

/* ---- Bindings ---- */

static lth_status check_bound(const accel_schedule *s, const lth_bindings *b, lth_run_result *result)
{
    for (uint32_t i = 0; i < s->bound_count; i++) {
        const lth_node *n = lth_graph_node(s->graph, s->bound[i]);
        const void *a = lth_node_attributes(s->graph, n);
        uint32_t slot = ((const lth_attr_slot *)a)->slot;
        if (n->op == LTH_OP_INPUT && !b->inputs[slot])
            return fail(result, s->bound[i], "the input is not bound");
        if (n->op == LTH_OP_OUTPUT && !b->outputs[slot])
            return fail(result, s->bound[i], "the output is not bound");
        if ((n->op == LTH_OP_STATE || n->op == LTH_OP_ASSIGN) && !b->arenas[((const lth_attr_state *)a)->arena])
            return fail(result, s->bound[i], "the arena is not bound");
    }
    return LTH_OK;
}

/* ---- LTH_COMPILE_CHECK_FINITE ---- */

static double element(lth_dtype t, const void *data, int64_t i)
{
    switch (t) {
    case LTH_F32:
        return ((const float *)data)[i];
    case LTH_F64:
        return ((const double *)data)[i];
    case LTH_BF16:
        return tile_of_bf16(((const uint16_t *)data)[i]);
    case LTH_F16:
        return tile_of_f16(((const uint16_t *)data)[i]);
    default:
        return 0;
    }
}

/* A value may hold an infinity that the user gave as a number (a mask's -inf), that stands for what sees nothing, or that came
 * from one; any other number that is not finite was made by this node. */
static lth_status check_values(accel_schedule *s, uint32_t node, const void *const *data, bool given, lth_run_result *result)
{
    const lth_node *n = lth_graph_node(s->graph, node);
    for (uint32_t i = 0; i < n->operand_count; i++)
        given |= s->infinite[s->root[lth_node_operand(s->graph, n, i)]];
    for (uint32_t r = 0; r < n->value_count; r++) {
        const lth_shape *shape = lth_node_shape(s->graph, n, r);
        s->infinite[n->first_value + r] = false;
        for (int64_t i = 0, count = lth_dtype_is_float(shape->dtype) && data[r] ? lth_shape_count(shape) : 0; i < count; i++) {
            double x = element(shape->dtype, data[r], i);
            if (isfinite(x))
                continue;
            if (isnan(x) || !(given || accel_sees_nothing(n, r, x))) {
                char text[80];
                snprintf(text, sizeof text, "element %lld of the result is %s", (long long)i,
                         isnan(x) ? "nan"
                         : x > 0  ? "inf"
                                  : "-inf");
                return fail(result, node, text);
            }
            s->infinite[n->first_value + r] = true;
        }
    }
    return LTH_OK;
}

/* A loop makes no numbers: what it hands on has been checked where it was made. */
static void hand_infinities_on(accel_schedule *s, const accel_launch *l)
{
    const lth_node *n = lth_graph_node(s->graph, l->node);
    const accel_loop *loop = &s->loops[accel_loop_region(s->graph, n)].state;
    const lth_node *begin = lth_graph_node(s->graph, loop->begin), *end = lth_graph_node(s->graph, loop->end);
    bool given = false;
    for (uint32_t i = 0; i < n->operand_count; i++)
        given |= s->infinite[s->root[lth_node_operand(s->graph, n, i)]];
    for (uint32_t i = 0; given && i < begin->value_count; i++)
        s->infinite[begin->first_value + i] = true;
    for (uint32_t i = 0; given && i < end->value_count; i++)
        s->infinite[end->first_value + i] = true;
}

static lth_status check_leaves(accel_schedule *s, const lth_bindings *b, lth_run_result *result)
{
    for (uint32_t i = 0; i < s->graph->node_count; i++) {
        const lth_node *n = lth_graph_node(s->graph, i);
        const void *a = lth_node_attributes(s->graph, n), *data = NULL;
        if (n->op == LTH_OP_SCALAR) {
            data = &b->scalars[((const lth_attr_slot *)a)->slot];
            s->infinite[n->first_value] = isinf(*(const double *)data);
            if (isnan(*(const double *)data))
                return fail(result, i, "the number is nan");
        } else if (n->op == LTH_OP_INPUT) {
            data = b->inputs[((const lth_attr_slot *)a)->slot];
        } else if (n->op == LTH_OP_STATE) {
            const lth_attr_state *state = a;
            data = (const char *)b->arenas[state->arena] + state->offset * lth_dtype_size(lth_node_shape(s->graph, n, 0)->dtype);
        }
        if (data && n->op != LTH_OP_SCALAR && check_values(s, i, &data, false, result))
            return LTH_CHECK;
    }
    return LTH_OK;
}

/* The results of a launch's node; a move makes nothing new, but hands infinities on. */
static lth_status check_launch(accel_schedule *s, const accel_launch *l, void *block, lth_run_result *result)
{
    const lth_node *n = lth_graph_node(s->graph, l->node);
    const void *data[MAX_RESULTS] = { NULL };
    if (accel_is_of_loop(n->op)) {
        hand_infinities_on(s, l);
        return LTH_OK;
    }
    for (uint32_t r = 0; r < n->value_count && r < MAX_RESULTS; r++)
        data[r] = accel_place_at(&s->own[n->first_value + r], NULL, block);
    const accel_op *op = accel_op_find(n->op);
    bool moves = op->class == ACCEL_SHAPE || op->class == ACCEL_MEMORY_LEAF || n->op == LTH_OP_SCALAR;
    if (!moves)
        return check_values(s, l->node, data, false, result);
    for (uint32_t i = 0; i < n->operand_count; i++)
        s->infinite[n->first_value] |= s->infinite[s->root[lth_node_operand(s->graph, n, i)]];
    return LTH_OK;
}

/* ---- Launches ---- */

/* By kind of place: the addresses that its index chooses from. What accel_place_at does, without asking for the kind. */
typedef struct bases {
    void *const *of[ACCEL_PLACE_BLOCK + 1];
} bases;

static void *place_at(const bases *t, const accel_place *p)
{
    return (void *)((uintptr_t)t->of[p->kind][p->index] + (uintptr_t)p->offset);
}

static lth_status run_node(accel_schedule *s, uint32_t launch, const bases *t, const lth_bindings *b, const accel_kernels *k,
                           lth_run_result *result)
{
    const accel_launch *l = &s->launches[launch];
    char message[sizeof result->message];
    message[0] = 0;
    void **in = s->table, **out = s->table + l->operand_count;
    for (uint32_t i = 0; i < l->operand_count; i++)
        in[i] = place_at(t, &s->operands[l->first_operand + i].place);
    for (uint32_t i = 0; i < l->result_count; i++)
        out[i] = place_at(t, &s->operands[l->first_result + i].place);
    accel_call call = { s,
                        launch,
                        lth_graph_node(s->graph, l->node),
                        (const void *const *)in,
                        out,
                        &s->operands[l->first_operand],
                        place_at(t, &l->workspace),
                        b,
                        message };
    return k->node(k->context, &call) ? LTH_OK : fail(result, l->node, message);
}

static void run_program(accel_schedule *s, uint32_t launch, const bases *t, const lth_bindings *b, const accel_kernels *k)
{
    const accel_launch *l = &s->launches[launch];
    for (uint32_t i = 0; i < l->program->pointer_count; i++)
        s->table[i] = place_at(t, &s->pointers[l->first_pointer + i]);
    accel_tile_run run = { s->table, b->scalars, b->seed, b->step, b->stream };
    if (l->program->count)
        k->program(k->context, s, launch, &run);
    accel_program_finish(l->program, &run);
}

static void run_effect(accel_schedule *s, uint32_t launch, void *block, const lth_bindings *b)
{
    const accel_launch *l = &s->launches[launch];
    const lth_node *n = lth_graph_node(s->graph, l->node);
    const lth_shape *shape = lth_node_operand_shape(s->graph, n, 0);
    const void *from = accel_place_at(&s->operands[l->first_operand].place, b, block);
    void *to = accel_place_at(&s->operands[l->first_result].place, b, block);
    int64_t bytes = lth_shape_count(shape) * lth_dtype_size(shape->dtype);
    if (l->kind == ACCEL_LAUNCH_PRINT) {
        if (b->print)
            b->print(b->print_context, ((const lth_attr_text *)lth_node_attributes(s->graph, n))->text, shape, from);
    } else if (bytes) {
        memmove(to, from, (size_t)bytes); /* an ASSIGN of what was made in its place elsewhere may even overlap */
    }
}

/* ---- Loops ---- */

typedef struct loop_place {
    const accel_schedule *schedule;
    const accel_schedule_loop *loop;
    const lth_bindings *bindings;
    void *block;
} loop_place;

static const void *loop_operand(void *context, bool end, uint32_t index)
{
    const loop_place *at = context;
    const accel_launch *l = &at->schedule->launches[end ? at->loop->end : at->loop->begin];
    return accel_place_at(&at->schedule->operands[l->first_operand + index].place, at->bindings, at->block);
}

static void *loop_result(void *context, bool end, uint32_t index)
{
    const loop_place *at = context;
    const accel_launch *l = &at->schedule->launches[end ? at->loop->end : at->loop->begin];
    return accel_place_at(&at->schedule->operands[l->first_result + index].place, at->bindings, at->block);
}

/* Runs a LOOP or a LOOP_END; returns the launch that comes next. */
static uint32_t turn(accel_schedule *s, uint32_t launch, void *block, lth_bindings *b)
{
    const accel_launch *l = &s->launches[launch];
    accel_schedule_loop *loop = &s->loops[accel_loop_region(s->graph, lth_graph_node(s->graph, l->node))];
    loop_place at = { s, loop, b, block };
    void *staging = accel_place_at(&s->launches[loop->end].workspace, b, block);
    accel_loop_memory m = { &at, loop_operand, loop_result, staging };
    bool runs = l->kind == ACCEL_LAUNCH_LOOP ? accel_loop_begin(&loop->state, s->graph, &m, &b->stream)
                                             : accel_loop_next(&loop->state, s->graph, &m, &b->stream);
    return runs ? loop->begin + 1 : loop->end + 1;
}

/* ---- The whole ---- */

lth_status accel_execute(accel_schedule *s, void *block, const lth_bindings *b, const accel_kernels *k, lth_run_result *result)
{
    bool check = s->flags & LTH_COMPILE_CHECK_FINITE;
    if (result) {
        result->failed_node = LTH_NO_VALUE;
        result->message[0] = 0;
    }
    lth_status status = check_bound(s, b, result);
    if (!status && check)
        status = check_leaves(s, b, result);
    lth_bindings own = accel_own_bindings(b);
    void *const nowhere = NULL, *const whole = block;
    const bases t = { { [ACCEL_PLACE_NONE] = &nowhere,
                        [ACCEL_PLACE_INPUT] = (void *const *)own.inputs,
                        [ACCEL_PLACE_OUTPUT] = own.outputs,
                        [ACCEL_PLACE_ARENA] = own.arenas,
                        [ACCEL_PLACE_BLOCK] = &whole } };
    uint64_t since = own.times ? accel_clock() : 0;
    for (uint32_t i = 0, next; i < s->launch_count && !status; i = next) {
        accel_launch_kind kind = s->launches[i].kind;
        next = i + 1;
        if (result) /* where a crash would be */
            *(volatile uint32_t *)&result->failed_node = accel_schedule_origin(s, s->launches[i].node);
        if (kind == ACCEL_LAUNCH_NODE)
            status = run_node(s, i, &t, &own, k, result);
        else if (kind == ACCEL_LAUNCH_PROGRAM)
            run_program(s, i, &t, &own, k);
        else if (kind == ACCEL_LAUNCH_LOOP || kind == ACCEL_LAUNCH_LOOP_END)
            next = turn(s, i, block, &own);
        else
            run_effect(s, i, block, &own);
        if (own.times)
            since = accel_clock_note(&own.times[i], since);
        if (!status && check && i < s->commit)
            status = check_launch(s, &s->launches[i], block, result);
    }
    if (result)
        result->failed_node = status ? accel_schedule_origin(s, result->failed_node) : LTH_NO_VALUE;
    return status;
}
