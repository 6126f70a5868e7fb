/* SPDX-License-Identifier: Apache-2.0
 * What is wrong with an author's own op is told by its name and place, and nothing is committed. */
#include "custom_ops.h"
#include "engine/internal.h"

#include <criterion/criterion.h>
#include <string.h>

static rig r;

static void says(const char *part) { cr_assert(strstr(r.e.text, part), "'%s' does not say '%s'", r.e.text, part); }

/* ---- What is refused ---- */

static bool failing_run(const lth_custom_call *c) { return lth_custom_fail(c, "element %d is not to its taste", 7); }
static bool silent_run(const lth_custom_call *c)
{
    (void)c;
    return false;
}
LTH_CUSTOM_OP(failing, .name = "test.failing", .result_count = 1, .shape = custom_like_first, .run = failing_run);
LTH_CUSTOM_OP(silent, .name = "test.silent", .result_count = 1, .shape = custom_like_first, .run = silent_run);

Test(custom_errors, a_kernel_that_fails_fails_the_step_by_its_name_and_place_and_nothing_is_committed)
{
    EACH_WAY(i, setup)
    {
        rig_open(&r, &setup);
        uint64_t before = rig_state_hash(&r);
        for (int k = 0; k < 2; k++) {
            lth_tensor x = custom_begin(&r, NULL);
            lth_assign(r.seen, lth_cast(lth_sum(x), LTH_F32));
            uint32_t line = __LINE__ + 1;
            lth_tensor y = lth_custom(k ? &silent : &failing, &x, 1, NULL, 0);
            engine_output(r.g, lth_sum(y), RIG_HERE);
            cr_assert_eq(rig_end(&r), LTH_CHECK);
            char place[64];
            snprintf(place, sizeof place, "test_custom_errors.c:%u: ", line);
            says(place);
            says(k ? "test.silent at " : "test.failing at ");
            says(k ? "its kernel failed and does not say why" : "element 7 is not to its taste");
            cr_assert_eq(rig_state_hash(&r), before);
        }
        custom_train(&r, true); /* the next step is not the worse for it */
        rig_close(&r);
    }
}

/* Records a call and expects the step to fail with the words. */
static void refused(const lth_custom_op *op, lth_tensor x, uint32_t count, const void *attributes, uint32_t size,
                    const char *words)
{
    lth_tensor operands[20];
    for (int i = 0; i < 20; i++)
        operands[i] = x;
    engine_output(r.g, lth_custom(op, operands, count, attributes, size), RIG_HERE);
    cr_assert_neq(rig_end(&r), LTH_OK);
    says(words);
    says("test_custom_errors.c:");
}

static bool bad_rank(const lth_custom_shapes *s)
{
    s->results[0] = (lth_shape) { LTH_F32, 9, { 0 } };
    return true;
}
static bool bad_type(const lth_custom_shapes *s)
{
    s->results[0] = (lth_shape) { (lth_dtype)99, 0, { 0 } };
    return true;
}
static bool forgets(const lth_custom_shapes *s)
{
    (void)s;
    return true;
}
static bool half_result(const lth_custom_shapes *s)
{
    s->results[0] = (lth_shape) { LTH_BF16, 0, { 0 } };
    return true;
}
static bool mute(const lth_custom_shapes *s)
{
    (void)s;
    return false;
}

Test(custom_errors, a_wrong_table_or_call_is_refused_with_its_place)
{
    const lth_custom_op good = custom_swish;
    const char attributes[200] = { 0 };
    struct {
        lth_custom_op op;
        const char *words;
        uint32_t count, size;
    } cases[] = {
        { good, "its table is none", 1, 8 },
        { good, "needs a name of 1 to 47 characters", 1, 8 },
        { good, "needs a name of 1 to 47 characters", 1, 8 },
        { good, "test.swish: its table has no `run`", 1, 8 },
        { good, "test.swish: its table has no `shape`", 1, 8 },
        { good, "0 results; 1 to 4 are possible", 1, 8 },
        { good, "5 results; 1 to 4 are possible", 1, 8 },
        { good, "flags (0x2) that this host does not know", 1, 8 },
        { good, "test.swish: 2 operands given, 1 expected", 2, 8 },
        { good, "test.swish: 17 operands given, 16 expected", 17, 8 },
        { good, "192 bytes are the most", 1, 200 },
        { good, "result 1 of its shape function: ", 1, 8 },
        { good, "result 1 of its shape function: ", 1, 8 },
        { good, "result 1 of its shape function: ", 1, 8 },
        { good, "result 1 is of bf16, which its table does not allow (LTH_CUSTOM_HALF)", 1, 8 },
        { good, "test.swish: its shape function refuses the operands", 1, 8 },
    };
    cases[0].op.struct_size = 8;
    cases[1].op.name = NULL;
    cases[2].op.name = "a name that is longer than what fits into a message or so";
    cases[3].op.run = NULL;
    cases[4].op.shape = NULL;
    cases[5].op.result_count = 0;
    cases[6].op.result_count = 5;
    cases[7].op.flags = 2;
    cases[9].op.operand_count = 0;
    cases[11].op.shape = bad_rank;
    cases[12].op.shape = bad_type;
    cases[13].op.shape = forgets;
    cases[14].op.shape = half_result;
    cases[15].op.shape = mute;
    rig_open(&r, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refused(&cases[i].op, custom_begin(&r, NULL), cases[i].count, attributes, cases[i].size, cases[i].words);
    refused(NULL, custom_begin(&r, NULL), 1, NULL, 0, "its table is none");
    refused(&custom_swish, custom_begin(&r, NULL), 1, NULL, 8, "a size of attributes without attributes");
    refused(&custom_swish, lth_cast(custom_begin(&r, NULL), LTH_BF16), 1, attributes, 8,
            "operand 1 is of bf16, which its table does not allow");
    refused(&custom_swish, lth_cast(custom_begin(&r, NULL), LTH_I32), 1, attributes, 8,
            "test.swish: operand 1 is not as the first, or not floating");
    refused(&custom_dots, lth_sum(custom_begin(&r, NULL)), 2, NULL, 0, "test.dots: it wants (N, K), not rank 0");
    lth_tensor x[2] = { custom_begin(&r, NULL), lth_none() };
    engine_output(r.g, lth_custom(&custom_dots, x, 2, NULL, 0), RIG_HERE);
    cr_assert_neq(rig_end(&r), LTH_OK);
    says("test.dots: operand 2 has no value");
    rig_close(&r);
}

/* -x of 16 bits. */
static bool negate_run(const lth_custom_call *c)
{
    for (int64_t i = 0; i < lth_shape_count(c->result_shapes[0]); i++)
        ((uint16_t *)c->results[0])[i] = ((const uint16_t *)c->operands[0])[i] ^ 0x8000;
    return true;
}
LTH_CUSTOM_OP(negate, .name = "test.negate", .result_count = 1, .flags = LTH_CUSTOM_HALF, .shape = custom_like_first,
              .run = negate_run);

Test(custom_errors, sixteen_bits_arrive_where_the_table_allows_them)
{
    for (size_t i = 0; i < 2; i++) {
        rig_setup setup = { .accelerator = i ? "cpu" : "reference" };
        if (!rig_has(setup.accelerator))
            continue;
        rig_open(&r, &setup);
        lth_dtype type = i ? LTH_BF16 : LTH_F16;
        lth_tensor x = lth_cast(custom_begin(&r, NULL), type), y = lth_custom(&negate, &x, 1, NULL, 0);
        engine_output(r.g, custom_largest(lth_add(lth_cast(y, LTH_F32), lth_cast(x, LTH_F32))), RIG_HERE);
        custom_finish(&r);
        cr_assert_eq(custom_output(&r, 0, 0), 0);
        rig_close(&r);
    }
}

/* ---- Wrong gradients ---- */

LTH_CUSTOM_OP(twice, .name = "test.twice", .result_count = 1, .shape = custom_like_first, .run = failing_run);

static void wrong_shape(lth_custom_gradient *g) { g->d_operands[0] = lth_sum(g->d_results[0]); }
static void wrong_type(lth_custom_gradient *g) { g->d_operands[0] = lth_cast(g->d_results[0], LTH_F64); }
static void asks_for_more(lth_custom_gradient *g) { lth_grad(lth_sum(g->results[0]), g->operands, 1, g->d_operands); }
static void reads(lth_custom_gradient *g) { g->d_operands[0] = lth_mul(g->d_results[0], lth_item(lth_sum(g->operands[0]))); }
static void bad_op(lth_custom_gradient *g) { g->d_operands[0] = lth_matmul(g->d_results[0], g->operands[0]); }
static void none(lth_custom_gradient *g) { (void)g; }

Test(custom_errors, a_wrong_gradient_is_told_by_the_ops_name)
{
    const struct {
        void (*gradient)(lth_custom_gradient *g);
        const char *words;
    } cases[] = {
        { NULL, "custom op 'test.twice' at " },
        { NULL, "has no gradient, and the loss depends on it" },
        { wrong_shape,
          "the gradient of test.twice by operand 1 must be f32 (8, 3), as the operand is; its function sets f32 ()" },
        { wrong_type, "its function sets f64 (8, 3)" },
        { asks_for_more, "gets its gradients, it cannot ask for more" },
        { reads, "it cannot read values" },
        { bad_op, "in the gradient of custom op 'test.twice': " },
    };
    rig_open(&r, NULL);
    uint64_t before = rig_state_hash(&r);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        lth_custom_op op = twice;
        op.gradient = cases[i].gradient;
        lth_tensor x = custom_begin(&r, NULL), d, loss = lth_sum(lth_custom(&op, &x, 1, NULL, 0));
        lth_grad(loss, &x, 1, &d);
        engine_output(r.g, d, RIG_HERE);
        cr_assert_neq(rig_end(&r), LTH_OK);
        says(cases[i].words);
        cr_assert_eq(rig_state_hash(&r), before);
    }
    rig_close(&r);
}

Test(custom_errors, a_gradient_that_is_not_set_or_not_asked_for_is_no_error)
{
    rig_open(&r, NULL);
    lth_custom_op sets_none = custom_swish, has_none = custom_swish;
    sets_none.gradient = none;
    has_none.gradient = NULL;
    for (int i = 0; i < 2; i++) {
        lth_tensor x = custom_begin(&r, NULL), d, through = i ? lth_stop_gradient(x) : x;
        lth_tensor y = lth_custom(i ? &has_none : &sets_none, &through, 1, &(struct swish) { 1 }, sizeof(struct swish));
        lth_tensor loss = lth_add(lth_sum(y), lth_sum(x));
        lth_grad(loss, &x, 1, &d);
        engine_output(r.g, custom_largest(lth_sub(d, 1)), RIG_HERE);
        custom_finish(&r);
        cr_assert_eq(custom_output(&r, 0, 0), 0);
    }
    rig_close(&r);
}

Test(custom_errors, a_second_derivative_through_a_backward_kernel_without_one_is_an_error)
{
    lth_custom_op back = custom_swish_back;
    back.gradient = NULL;
    rig_open(&r, NULL);
    lth_tensor x = custom_begin(&r, NULL), operands[] = { x, x }, d;
    lth_grad(lth_sum(lth_custom(&back, operands, 2, &(struct swish) { 1 }, sizeof(struct swish))), &x, 1, &d);
    engine_output(r.g, d, RIG_HERE);
    cr_assert_neq(rig_end(&r), LTH_OK);
    says("custom op 'test.swish_back'");
    rig_close(&r);
}

/* ---- An accelerator without it ---- */

static bool no_custom(void *self, uint32_t op, lth_dtype dtype)
{
    return op != LTH_OP_CUSTOM && r.bench.accelerator->supports(self, op, dtype);
}
static lth_status no_compile(void *self, const lth_compile_args *args, lth_plan **plan)
{
    for (uint32_t i = 0; i < args->graph->node_count; i++)
        if (lth_graph_node(args->graph, i)->op == LTH_OP_CUSTOM)
            return LTH_UNSUPPORTED;
    return r.bench.accelerator->compile(self, args, plan);
}

Test(custom_errors, an_accelerator_without_it_is_told_by_name)
{
    rig_open(&r, NULL);
    lth_accelerator plain = *r.bench.accelerator;
    plain.supports = no_custom;
    plain.compile = no_compile;
    r.g->options.accelerator = &plain;
    lth_tensor x = custom_begin(&r, NULL);
    engine_output(r.g, lth_sum(custom_swish_of(x, 1)), RIG_HERE);
    cr_assert_eq(rig_end(&r), LTH_UNSUPPORTED);
    says("accelerator 'reference' does not run test.swish on f32");
    says("custom_ops.c:");
    r.g->options.accelerator = r.bench.accelerator;
    rig_close(&r);
}

Test(custom_errors, a_step_that_is_only_checked_is_recorded_and_differentiated)
{
    rig_open(&r, &(rig_setup) { .check_only = true });
    custom_calls = 0;
    lth_tensor x = custom_begin(&r, &(rig_recipe) { .record_only = true }), d;
    lth_grad(lth_sum(custom_swish_of(x, 2)), &x, 1, &d);
    custom_finish(&r);
    cr_assert_eq(custom_calls, 0);
    x = custom_begin(&r, &(rig_recipe) { .record_only = true });
    lth_custom_op op = twice;
    lth_grad(lth_sum(lth_custom(&op, &x, 1, NULL, 0)), &x, 1, &d);
    cr_assert_neq(rig_end(&r), LTH_OK);
    says("has no gradient");
    rig_close(&r);
}
