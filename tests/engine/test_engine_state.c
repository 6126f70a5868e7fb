/* SPDX-License-Identifier: Apache-2.0
 * Parameters, buffers and optimizer state: their making, their names, their bits. */
#include "engine/internal.h"
#include "engine_fixture.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static rig r;

Test(engine_state, names_kinds_and_order_are_those_of_model_and_optimizer)
{
    rig_open(&r, &(rig_setup) { .accumulate = true, .groups = 2 });
    const struct {
        const char *name;
        engine_tensor_kind kind;
    } expected[] = {
        { "one.weight", ENGINE_PARAMETER },
        { "one.bias", ENGINE_PARAMETER },
        { "two.weight", ENGINE_PARAMETER },
        { "two.bias", ENGINE_PARAMETER },
        { "seen", ENGINE_BUFFER },
        { "sgd/one.weight/velocity", ENGINE_OPTIMIZER_STATE },
        { "sgd/one.bias/velocity", ENGINE_OPTIMIZER_STATE },
        { "sgd/group0/step", ENGINE_OPTIMIZER_STATE },
        { "sgd/two.weight/velocity", ENGINE_OPTIMIZER_STATE },
        { "sgd/two.bias/velocity", ENGINE_OPTIMIZER_STATE },
        { "sgd/group1/step", ENGINE_OPTIMIZER_STATE },
        { "sgd/one.weight/accumulated", ENGINE_ACCUMULATOR },
        { "sgd/one.bias/accumulated", ENGINE_ACCUMULATOR },
        { "sgd/two.weight/accumulated", ENGINE_ACCUMULATOR },
        { "sgd/two.bias/accumulated", ENGINE_ACCUMULATOR },
    };
    cr_assert_eq(engine_tensor_count(r.g), sizeof expected / sizeof *expected);
    for (uint32_t i = 0; i < engine_tensor_count(r.g); i++) {
        cr_assert_str_eq(engine_tensor_at(r.g, i)->name, expected[i].name);
        cr_assert_eq(engine_tensor_at(r.g, i)->kind, expected[i].kind);
    }
    const lth_parameter_info *infos;
    cr_assert_eq(engine_parameters(r.g, &infos), 5);
    cr_assert_str_eq(infos[1].name, "one.bias");
    cr_assert_str_eq(infos[1].module, "one");
    cr_assert(infos[4].is_buffer && !infos[3].is_buffer);
    rig_close(&r);
}

Test(engine_state, every_tensor_comes_back_as_it_was_set_and_touches_no_other)
{
    rig_open(&r, &(rig_setup) { .accumulate = true, .groups = 2 });
    float data[16], back[16];
    for (uint32_t i = 0; i < engine_tensor_count(r.g); i++) {
        int64_t n = lth_shape_count(&engine_tensor_at(r.g, i)->shape);
        for (int64_t k = 0; k < n; k++)
            data[k] = (float)(100 * i + (uint32_t)k);
        cr_assert_eq(engine_tensor_set(r.g, i, data, &r.e), LTH_OK);
    }
    for (uint32_t i = 0; i < engine_tensor_count(r.g); i++) {
        int64_t n = lth_shape_count(&engine_tensor_at(r.g, i)->shape);
        cr_assert_eq(engine_tensor_get(r.g, i, back, &r.e), LTH_OK);
        for (int64_t k = 0; k < n; k++)
            cr_assert_eq(back[k], (float)(100 * i + (uint32_t)k), "%s", engine_tensor_at(r.g, i)->name);
    }
    cr_assert_eq(engine_tensor_get(r.g, 99, back, &r.e), LTH_INVALID);
    cr_assert_null(engine_tensor_at(r.g, 99));
    rig_close(&r);
}

Test(engine_state, a_run_continued_from_copied_state_gives_the_same_bits)
{
    rig a, b;
    rig_setup setup = { .accumulate = true };
    rig_open(&a, &setup);
    rig_open(&b, &setup);
    for (uint32_t i = 0; i < 5; i++)
        rig_train(&a, &(rig_recipe) { .step = i });
    void *data = malloc(4096);
    for (uint32_t i = 0; i < engine_tensor_count(a.g); i++) {
        cr_assert_eq(engine_tensor_get(a.g, i, data, &a.e), LTH_OK);
        cr_assert_eq(engine_tensor_set(b.g, i, data, &b.e), LTH_OK);
    }
    free(data);
    for (uint32_t i = 5; i < 8; i++)
        cr_assert_eq(rig_train(&a, &(rig_recipe) { .step = i }), rig_train(&b, &(rig_recipe) { .step = i }));
    cr_assert_eq(rig_state_hash(&a), rig_state_hash(&b));
    rig_close(&a);
    rig_close(&b);
}

/* ---- Initial values ---- */

static double drawn[4096];

static const double *draw(lth_init init, const char *name, uint64_t seed, int64_t count)
{
    lth_shape s = { LTH_F64, 1, { count } };
    init_fill(&init, name, seed, &s, drawn);
    return drawn;
}

Test(engine_state, initial_values_follow_their_law_and_hang_on_name_and_seed_alone)
{
    double mean = 0, square = 0, first = draw((lth_init) { .kind = LTH_INIT_NORMAL, .a = 1, .b = 2 }, "w", 3, 4096)[0];
    for (int i = 0; i < 4096; i++)
        mean += drawn[i] / 4096;
    for (int i = 0; i < 4096; i++)
        square += (drawn[i] - mean) * (drawn[i] - mean) / 4096;
    cr_assert(fabs(mean - 1) < 0.15 && fabs(sqrt(square) - 2) < 0.1, "%g %g", mean, sqrt(square));
    cr_assert_eq(draw((lth_init) { .kind = LTH_INIT_NORMAL, .a = 1, .b = 2 }, "w", 3, 1)[0], first);
    cr_assert_neq(draw((lth_init) { .kind = LTH_INIT_NORMAL, .a = 1, .b = 2 }, "v", 3, 1)[0], first);
    cr_assert_neq(draw((lth_init) { .kind = LTH_INIT_NORMAL, .a = 1, .b = 2 }, "w", 4, 1)[0], first);
    draw((lth_init) { .kind = LTH_INIT_UNIFORM, .a = -3, .b = 5 }, "w", 3, 4096);
    double low = 9, high = -9;
    for (int i = 0; i < 4096; i++) {
        low = fmin(low, drawn[i]);
        high = fmax(high, drawn[i]);
    }
    cr_assert(low >= -3 && low < -2.9 && high < 5 && high > 4.9, "%g %g", low, high);
    draw((lth_init) { .kind = LTH_INIT_TRUNCATED_NORMAL, .a = 1, .b = 0.5 }, "w", 3, 4096);
    for (int i = 0; i < 4096; i++)
        cr_assert(fabs(drawn[i] - 1) <= 1.0);
    lth_shape rows = { LTH_F64, 2, { 3, 2 } };
    lth_init padded = { .kind = LTH_INIT_CONSTANT, .zero_row = 2, .a = 7 };
    init_fill(&padded, "w", 3, &rows, drawn);
    const double expected[] = { 7, 7, 0, 0, 7, 7 };
    for (int i = 0; i < 6; i++)
        cr_assert_eq(drawn[i], expected[i]);
}

/* The greatest distance of Q Q' (rows) from gain^2 I. */
static double distance_from_orthogonal(const double *q, int64_t rows, int64_t columns, bool by_rows, double gain)
{
    int64_t count = by_rows ? rows : columns, length = by_rows ? columns : rows;
    double worst = 0;
    for (int64_t i = 0; i < count; i++)
        for (int64_t j = 0; j < count; j++) {
            double dot = 0;
            for (int64_t k = 0; k < length; k++)
                dot += by_rows ? q[i * columns + k] * q[j * columns + k] : q[k * columns + i] * q[k * columns + j];
            worst = fmax(worst, fabs(dot - (i == j ? gain * gain : 0)));
        }
    return worst;
}

Test(engine_state, orthogonal_initial_values_have_orthonormal_rows_or_columns_whichever_are_fewer)
{
    static const lth_shape shapes[] = { { LTH_F64, 2, { 64, 64 } }, { LTH_F64, 2, { 20, 50 } }, { LTH_F64, 4, { 50, 5, 2, 2 } } };
    lth_init init = { .kind = LTH_INIT_ORTHOGONAL, .a = 1.5 };
    for (int i = 0; i < 3; i++) {
        int64_t columns = lth_shape_count(&shapes[i]) / shapes[i].dim[0];
        cr_assert_null(init_fault(&init, &shapes[i]));
        init_fill(&init, "w", 3, &shapes[i], drawn);
        cr_assert_lt(distance_from_orthogonal(drawn, shapes[i].dim[0], columns, shapes[i].dim[0] <= columns, 1.5), 1e-14);
        cr_assert_neq(drawn[0], 1.5);
    }
    cr_assert_not_null(init_fault(&init, &(lth_shape) { LTH_F64, 1, { 3 } }));
}

Test(engine_state, truncated_and_identical_initial_values_are_torch_s)
{
    static const double ends[] = { -0.02, 0.01 };
    lth_shape vector = { LTH_F64, 1, { 4096 } }, conv = { LTH_F64, 3, { 4, 3, 3 } }, matrix = { LTH_F64, 2, { 2, 3 } };
    lth_init truncated = { .kind = LTH_INIT_TRUNCATED, .a = 0, .b = 0.02, .values = ends };
    double below = 0;
    cr_assert_null(init_fault(&truncated, &vector));
    init_fill(&truncated, "w", 3, &vector, drawn);
    for (int i = 0; i < 4096; i++) {
        cr_assert(drawn[i] >= -0.02 && drawn[i] <= 0.01);
        below += drawn[i] < 0;
    }
    cr_assert(fabs(below / 4096 - 0.6406) < 0.025, "%g", below / 4096); /* (Phi(0) - Phi(-1)) / (Phi(1/2) - Phi(-1)) */
    truncated.values = NULL;
    cr_assert_not_null(init_fault(&truncated, &vector));
    lth_init identity = { .kind = LTH_INIT_IDENTITY, .a = 1, .b = 2 };
    init_fill(&identity, "w", 3, &conv, drawn); /* torch.nn.init.dirac_(torch.empty(4, 3, 3), groups=2) */
    for (int i = 0; i < 36; i++)
        cr_assert_eq(drawn[i], i == 1 || i == 9 + 4 || i == 18 + 1 || i == 27 + 4, "element %d", i);
    identity.b = 1;
    init_fill(&identity, "w", 3, &matrix, drawn);
    for (int i = 0; i < 6; i++)
        cr_assert_eq(drawn[i], i == 0 || i == 4, "element %d", i);
    identity.b = 3;
    cr_assert_not_null(init_fault(&identity, &conv));
}

/* ---- configure ---- */

typedef struct wish {
    void (*make)(lth_setup *s);
    const char *says;
} wish;

static void twice(lth_setup *s)
{
    lth_parameter_new(s, "w", LTH_SHAPE(2), lth_init_constant(0));
    lth_buffer_new(s, "w", LTH_SHAPE(2), lth_init_constant(0));
}
static void negative(lth_setup *s) { lth_parameter_new(s, "w", LTH_SHAPE(2, lth_input_dim(s, "x", 2)), lth_init_constant(0)); }
static void no_field(lth_setup *s) { lth_input_dim(s, "pixels", 1); }
static void no_axis(lth_setup *s) { lth_input_dim(s, "x", 5); }
static void no_label(lth_setup *s) { lth_num_classes(s, "x"); }
static void slash(lth_setup *s) { lth_parameter_new(s, "a/b", LTH_SHAPE(2), lth_init_constant(0)); }
static void control(lth_setup *s)
{
    lth_enter(s, "a\n");
    lth_parameter_new(s, "b", LTH_SHAPE(2), lth_init_constant(0));
}
static void no_text(lth_setup *s) { lth_parameter_new(s, "a\xff", LTH_SHAPE(2), lth_init_constant(0)); }
static void unnamed(lth_setup *s) { lth_parameter_new(s, NULL, LTH_SHAPE(2), lth_init_constant(0)); }
static void no_field_name(lth_setup *s) { lth_input_size(s, NULL); }
static void nine(lth_setup *s) { lth_parameter_new(s, "w", LTH_SHAPE(1, 1, 1, 1, 1, 1, 1, 1, 1), lth_init_constant(0)); }
static void not_finite(lth_setup *s) { lth_parameter_new(s, "w", LTH_SHAPE(2), lth_init_normal(0, NAN)); }
static void huge(lth_setup *s) { lth_parameter_new(s, "w", LTH_SHAPE(1LL << 40, 1LL << 40), lth_init_constant(0)); }
static void leave_alone(lth_setup *s) { lth_leave(s); }
static void own_words(lth_setup *s) { s->api->fail(s, LTH_HERE, "hidden must be even"); }
static void other_type(lth_setup *s)
{
    const lth_shape shape = { LTH_F64, 1, { 2 } };
    lth_parameter_new(s, "w", &shape, lth_init_constant(0));
}

static lth_status configure_wish(void *self, lth_setup *s)
{
    ((wish *)self)->make(s);
    return lth_setup_status(s);
}

Test(engine_state, what_configure_does_wrong_is_told_with_its_place)
{
    wish wishes[] = { { twice, "the name 'w' was given before" },
                      { negative, "varies from batch to batch" },
                      { no_field, "the batch has no field 'pixels'; it has 'x', 'y'" },
                      { no_axis, "axis 5" },
                      { no_label, "is no class label" },
                      { slash, "'a/b' is no name" },
                      { control, "b' is no name" },
                      { no_text, "it is UTF-8" },
                      { unnamed, "'' is no name" },
                      { no_field_name, "the batch has no field ''" },
                      { nine, "'w' has more than 8 dimensions" },
                      { not_finite, "are finite" },
                      { huge, "too many elements" },
                      { leave_alone, "lth_leave without" },
                      { own_words, "hidden must be even" },
                      { other_type, "only frozen parameters" } };
    const lth_field_info fields[] = { { sizeof(lth_field_info), 0, "x", { LTH_F32, 2, { 8, -1 } }, 0 },
                                      { sizeof(lth_field_info), 0, "y", { LTH_I64, 0, { 0 } }, 10 } };
    for (size_t i = 0; i < sizeof wishes / sizeof *wishes; i++) {
        error e = { 0 };
        engine *g = engine_new(&(engine_options) { .floating = LTH_F32 }, &e);
        cr_assert_neq(engine_configure(g, fields, 2, configure_wish, &wishes[i], &e), LTH_OK);
        cr_assert(strstr(e.text, wishes[i].says), "'%s' is not in: %s", wishes[i].says, e.text);
        engine_free(g);
    }
}

static void modules(lth_setup *s)
{
    s->api->module(s, "h", "Block");
    lth_enter(s, "h.0");
    s->api->module(s, "attn", "Attention");
    lth_enter(s, "attn");
    lth_parameter_new(s, "weight", LTH_SHAPE(2), lth_init_constant(1));
    lth_leave(s);
    s->api->parameter(s, "scale", LTH_SHAPE(1), lth_init_constant(1), LTH_PARAMETER_FROZEN, LTH_HERE);
    lth_leave(s);
    lth_parameter_new(s, "top", LTH_SHAPE(1), lth_init_constant(1));
}

Test(engine_state, scopes_name_parameters_and_frozen_or_shared_ones_are_refused_in_groups)
{
    error e = { 0 };
    wish w = { modules, "" };
    engine *g = engine_new(&(engine_options) { .floating = LTH_F32 }, &e);
    cr_assert_eq(engine_configure(g, NULL, 0, configure_wish, &w, &e), LTH_OK, "%s", e.text);
    const lth_parameter_info *infos;
    cr_assert_eq(engine_parameters(g, &infos), 3);
    cr_assert_str_eq(infos[0].name, "h.0.attn.weight");
    cr_assert_str_eq(infos[0].module, "h.0.attn");
    cr_assert_str_eq(infos[0].type, "Attention");
    cr_assert_str_eq(infos[1].name, "h.0.scale");
    cr_assert_str_eq(infos[2].name, "top");
    cr_assert_str_eq(infos[2].module, "");
    struct rig_sgd self = { 0 };
    uint32_t ids[] = { 1, 2, 1, 9 };
    cr_assert_eq(engine_add_optimizer(g, &rig_sgd_flat, "sgd", &e), 0);
    cr_assert_eq(engine_add_optimizer(g, &rig_sgd_flat, "sgd", &e), -1);
    cr_assert(strstr(e.text, "two optimizers are named 'sgd'"));
    error_clear(&e);
    cr_assert_neq(engine_add_group(g, 0, &self, &ids[1], 1, &e), LTH_OK);
    cr_assert(strstr(e.text, "'h.0.scale' is frozen"), "%s", e.text);
    error_clear(&e);
    cr_assert_eq(engine_add_group(g, 0, &self, ids, 1, &e), LTH_OK, "%s", e.text);
    cr_assert_neq(engine_add_group(g, 0, &self, ids, 1, &e), LTH_OK);
    cr_assert(strstr(e.text, "'h.0.attn.weight' is in two groups"), "%s", e.text);
    error_clear(&e);
    cr_assert_neq(engine_add_group(g, 0, &self, &ids[3], 1, &e), LTH_OK);
    error_clear(&e);
    cr_assert_neq(engine_add_group(g, 0, &self, ids, 0, &e), LTH_OK);
    engine_free(g);
    error_clear(&e);
    cr_assert_null(engine_new(&(engine_options) { .floating = LTH_BF16 }, &e));
    cr_assert(strstr(e.text, "bf16"));
}
