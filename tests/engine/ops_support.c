/* SPDX-License-Identifier: Apache-2.0 */
#include "ops_support.h"

#include "half.h"

#include <criterion/criterion.h>
#include <stdlib.h>

void op_case_begin(op_case *c, bench *b, const op_sample *sample, lth_dtype floating)
{
    op_case_begin_rounded(c, b, sample, floating, floating);
}

void op_case_begin_rounded(op_case *c, bench *b, const op_sample *sample, lth_dtype floating, lth_dtype rounded_to)
{
    const op_info *info = op_find(sample->op);
    *c = (op_case) { .b = b, .sample = *sample, .result_count = info->results };
    snprintf(c->name, sizeof c->name, "%s, %s", info->name, sample->name);
    bench_reset(b);
    b->seed = 7;
    for (uint32_t i = 0; i < sample->count; i++) {
        lth_shape shape = op_sample_input(sample, i, floating);
        double *values = calloc((size_t)lth_shape_count(&shape) + 1, sizeof *values);
        op_sample_values(sample, i, floating, values);
        for (int64_t k = 0; k < lth_shape_count(&shape) && lth_dtype_is_float(shape.dtype); k++)
            values[k] = half_to_bench(shape.dtype, half_rounded(rounded_to, values[k]));
        c->inputs[i] = bench_input(b, shape, values);
        free(values);
    }
    uint32_t first = op_sample_emit(sample, &b->g, floating, c->inputs, &b->e);
    cr_assert_neq(first, LTH_NO_VALUE, "%s: %s", c->name, b->e.text);
    for (uint32_t i = 0; i < c->result_count; i++) {
        c->results[i] = first + i;
        c->slots[i] = bench_output(b, first + i);
    }
}

void op_case_end(op_case *c) { constants_free(&c->constants); }

static bool supported(void *context, uint32_t op, lth_dtype dtype)
{
    const bench *b = context;
    return b->accelerator->supports(b->self, op, dtype);
}

/* What the accelerator lacks arrives decomposed, as it does from the engine. */
static void decompose_rest(op_case *c)
{
    bool whole = true;
    for (uint32_t i = 0; i < c->b->g.node_count; i++) {
        const lth_node *n = &c->b->g.nodes[i];
        whole = whole && (op_find(n->op)->kind != OP_COMPOSITE ||
                          supported(c->b, n->op, graph_shape(&c->b->g, c->b->g.operands[n->first_operand])->dtype));
    }
    if (whole)
        return;
    graph out;
    graph_init(&out);
    uint32_t *map = calloc(c->b->g.value_count + 1, sizeof *map);
    cr_assert(decompose(&c->b->g, &out, &c->constants, supported, c->b, map, &c->b->e), "%s: %s", c->name, c->b->e.text);
    op_case_swap(c, &out);
    for (uint32_t i = 0; i < c->sample.count; i++)
        c->inputs[i] = map[c->inputs[i]];
    for (uint32_t i = 0; i < c->result_count; i++)
        c->results[i] = map[c->results[i]];
    free(map);
    graph_free(&out);
}

void op_case_compile(op_case *c, uint32_t flags)
{
    decompose_rest(c);
    cr_assert_leq(c->constants.first_slot + c->constants.count, BENCH_SLOTS);
    for (uint32_t i = 0; i < c->constants.count; i++)
        c->b->scalars[c->constants.first_slot + i] = c->constants.values[i];
    cr_assert_eq(bench_compile(c->b, flags), LTH_OK, "%s: %s", c->name, c->b->message);
}

void op_case_run(op_case *c)
{
    cr_assert_eq(bench_run(c->b), LTH_OK, "%s: node %u: %s", c->name, c->b->result.failed_node, c->b->result.message);
}

bool op_case_is_float(const op_case *c, uint32_t value) { return lth_dtype_is_float(graph_shape(&c->b->g, value)->dtype); }

int64_t op_case_count(const op_case *c, uint32_t value) { return lth_shape_count(graph_shape(&c->b->g, value)); }

uint32_t op_case_drawn_like(op_case *c, uint32_t value, uint32_t *slot)
{
    lth_shape shape = *graph_shape(&c->b->g, value);
    int64_t n = lth_shape_count(&shape);
    double *values = calloc((size_t)n + 1, sizeof *values);
    uint64_t state = 11 + c->b->g.input_count;
    for (int64_t i = 0; i < n; i++)
        values[i] = bench_random_real(&state, -1, 1);
    *slot = c->b->g.input_count;
    uint32_t x = bench_input(c->b, shape, values);
    free(values);
    return x;
}

uint32_t op_case_dot(op_case *c, uint32_t a, uint32_t b)
{
    uint32_t product = OP2(c->b, LTH_OP_MUL, a, b);
    return OP1A(c->b, LTH_OP_SUM, product, lth_attr_reduce, (1u << graph_shape(&c->b->g, product)->rank) - 1, 0);
}

uint32_t op_case_weighted_sum(op_case *c, uint32_t *weights)
{
    uint32_t sum = LTH_NO_VALUE;
    for (uint32_t i = 0; i < c->result_count; i++) {
        weights[i] = UINT32_MAX;
        if (!op_case_is_float(c, c->results[i]))
            continue;
        uint32_t weight = op_case_drawn_like(c, c->results[i], &weights[i]);
        uint32_t term = op_case_dot(c, c->results[i], weight);
        if (graph_shape(&c->b->g, term)->dtype != LTH_F64)
            term = OP1A(c->b, LTH_OP_CAST, term, lth_attr_dtype, LTH_F64, 0);
        sum = sum == LTH_NO_VALUE ? term : OP2(c->b, LTH_OP_ADD, sum, term);
    }
    return sum;
}

void op_case_swap(op_case *c, graph *next)
{
    graph was = c->b->g;
    c->b->g = *next;
    *next = was;
}
