/* SPDX-License-Identifier: Apache-2.0 */
#include "engine_fixture.h"

#include "util/hash.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- The optimizer ---- */

static const lth_option sgd_options[] = {
    LTH_OPTION(struct rig_sgd, lr, "0.1", "0..", "learning rate", .flags = LTH_OPTION_HYPER),
    LTH_OPTION(struct rig_sgd, momentum, "0.9", "0..1", "momentum", .flags = LTH_OPTION_HYPER),
};

static lth_status sgd_setup(void *self, lth_optimizer_setup *s)
{
    struct rig_sgd *o = self;
    o->velocity = lth_state_new(s, "velocity", 0);
    o->count = lth_number_new(s, "step", 0);
    return LTH_OK;
}

static lth_status sgd_update(void *self, lth_update *u)
{
    struct rig_sgd *o = self;
    lth_tensor v =
        lth_add(lth_mul(lth_update_state(u, o->velocity), lth_hyper(u, struct rig_sgd, momentum)), lth_update_gradient(u));
    lth_update_set(u, o->velocity, v);
    lth_update_set(u, o->count, lth_add(lth_update_state(u, o->count), 1));
    lth_update_set_parameter(u, lth_sub(lth_update_parameter(u), lth_mul(v, lth_hyper(u, struct rig_sgd, lr))));
    return LTH_OK;
}

const lth_optimizer rig_sgd_flat = { .struct_size = sizeof(lth_optimizer),
                                     .instance_size = sizeof(struct rig_sgd),
                                     .id = "sgd",
                                     .options = LTH_OPTIONS(sgd_options),
                                     .elementwise = 1,
                                     .setup = sgd_setup,
                                     .update = sgd_update };
const lth_optimizer rig_sgd_each = { .struct_size = sizeof(lth_optimizer),
                                     .instance_size = sizeof(struct rig_sgd),
                                     .id = "sgd",
                                     .options = LTH_OPTIONS(sgd_options),
                                     .setup = sgd_setup,
                                     .update = sgd_update };

/* ---- The model ---- */

static lth_status configure(void *self, lth_setup *s)
{
    rig *r = self;
    lth_enter(s, "one");
    r->w1 = lth_parameter_new(s, "weight", LTH_SHAPE(RIG_OUT, RIG_IN), lth_init_uniform(-0.5, 0.5));
    r->b1 = lth_parameter_new(s, "bias", LTH_SHAPE(RIG_OUT), lth_init_uniform(-0.5, 0.5));
    lth_leave(s);
    lth_enter(s, "two");
    r->w2 = lth_parameter_new(s, "weight", LTH_SHAPE(1, RIG_OUT), lth_init_normal(0, 0.5));
    r->b2 = lth_parameter_new(s, "bias", LTH_SHAPE(1), lth_init_constant(0.25));
    lth_leave(s);
    const lth_shape number = { LTH_F32, 0, { 0 } };
    r->seen = s->api->buffer(s, "seen", &number, lth_init_constant(0), 0, LTH_HERE);
    return lth_setup_status(s);
}

static void print(void *context, const char *text)
{
    rig *r = context;
    str_printf(&r->printed, "%s\n", text);
}

static void must(rig *r, lth_status status) { cr_assert_eq(status, LTH_OK, "%s", r->e.text); }

static void add_optimizers(rig *r, const rig_setup *s)
{
    const lth_optimizer *rule = s->rule ? s->rule : &rig_sgd_flat;
    uint32_t all[4] = { r->w1.id, r->b1.id, r->w2.id, r->b2.id };
    bool two = s->optimizers == 2;
    for (int i = 0; i < 2; i++)
        r->sgd[i] = (struct rig_sgd) { .lr = 0.1, .momentum = 0.9 };
    int32_t first = engine_add_optimizer(r->g, rule, two ? "a" : "sgd", &r->e);
    cr_assert_eq(first, 0, "%s", r->e.text);
    must(r, engine_add_group(r->g, 0, &r->sgd[0], all, two || s->groups == 2 ? 2 : 4, &r->e));
    if (two)
        cr_assert_eq(engine_add_optimizer(r->g, rule, "b", &r->e), 1, "%s", r->e.text);
    if (two || s->groups == 2)
        must(r, engine_add_group(r->g, two, &r->sgd[1], all + 2, 2, &r->e));
}

void rig_open(rig *r, const rig_setup *s)
{
    static const rig_setup plain = { 0 };
    s = s ? s : &plain;
    memset(r, 0, sizeof *r);
    bench_open(&r->bench, s->accelerator ? s->accelerator : "reference");
    r->options = (engine_options) { .accelerator = s->check_only ? NULL : r->bench.accelerator,
                                    .accelerator_self = r->bench.self,
                                    .floating = s->floating ? s->floating : LTH_F32,
                                    .lower = s->lower,
                                    .stored = s->stored,
                                    .growth_interval = s->growth_interval,
                                    .eager = s->eager,
                                    .no_fusion = s->no_fusion,
                                    .profile = s->profile,
                                    .strategy = s->strategy,
                                    .seed = 7,
                                    .print = print,
                                    .print_context = r };
    r->g = engine_new(&r->options, &r->e);
    cr_assert_not_null(r->g, "%s", r->e.text);
    must(r, engine_configure(r->g, NULL, 0, configure, r, &r->e));
    add_optimizers(r, s);
    must(r, engine_allocate(r->g, s->accumulate, &r->e));
    uint64_t random = 5;
    for (int i = 0; i < RIG_MAX_BATCH; i++) {
        for (int k = 0; k < RIG_IN; k++)
            r->x[i * RIG_IN + k] = (float)bench_random_real(&random, -1, 1);
        r->y[i] = r->x[i * RIG_IN] - 2 * r->x[i * RIG_IN + 1] + 0.5f;
    }
}

bool rig_has(const char *accelerator)
{
    char path[1000];
    snprintf(path, sizeof path, "%s/%s/%s.so", LTHOST_TEST_PLUGINS, accelerator, accelerator);
    return access(path, R_OK) == 0;
}

void rig_close(rig *r)
{
    engine_free(r->g);
    bench_close(&r->bench);
    str_free(&r->printed);
}

lth_tensor rig_loss(rig *r, lth_trace *t)
{
    (void)t;
    lth_tensor x = engine_input(r->g, "x", RIG_HERE), y = engine_input(r->g, "y", RIG_HERE);
    lth_dtype type = r->options.floating;
    if (type != LTH_F32) {
        x = lth_cast(x, type);
        y = lth_cast(y, type);
    }
    lth_tensor h = lth_relu(lth_add(lth_matmul_t(x, lth_parameter_value(x, r->w1)), lth_parameter_value(x, r->b1)));
    lth_tensor out = lth_add(lth_matmul_t(h, lth_parameter_value(x, r->w2)), lth_parameter_value(x, r->b2));
    return lth_mean(lth_square(lth_sub(lth_reshape(out, -1), y)));
}

lth_trace *rig_begin(rig *r, const rig_recipe *recipe)
{
    static const rig_recipe plain = { 0 };
    recipe = recipe ? recipe : &plain;
    int batch = recipe->batch ? recipe->batch : RIG_BATCH;
    r->fields[0] = (engine_field) { "x", { LTH_F32, 2, { batch, RIG_IN } }, r->x + recipe->first * RIG_IN };
    r->fields[1] = (engine_field) { "y", { LTH_F32, 1, { batch } }, r->y + recipe->first };
    engine_step_args args = { .hook = recipe->hook ? recipe->hook : "training_step",
                              .fields = r->fields,
                              .field_count = 2,
                              .training = !recipe->evaluate,
                              .mode = recipe->record_only ? ENGINE_RECORD_ONLY : ENGINE_RUN,
                              .step = recipe->step };
    return engine_begin(r->g, &args);
}

lth_status rig_end(rig *r)
{
    error_clear(&r->e);
    return engine_end(r->g, &r->ticket, &r->e);
}

static void minimize(rig *r, int32_t optimizer, lth_tensor loss, const rig_recipe *recipe)
{
    engine_update_args args = { .divisor = recipe->divisor,
                                .add_accumulated = recipe->add_accumulated,
                                .guard = recipe->guard,
                                .clip_norm = recipe->clip_norm,
                                .clip_value = recipe->clip_value };
    const lth_tensor *gradients, *totals;
    uint32_t count;
    if (engine_gradients(r->g, optimizer, loss, &gradients, &count, RIG_HERE))
        return;
    if (recipe->accumulate)
        engine_accumulate(r->g, optimizer, gradients, &args, RIG_HERE);
    else if (engine_total(r->g, optimizer, gradients, &args, &totals, RIG_HERE) == LTH_OK)
        engine_update(r->g, optimizer, totals, &args, RIG_HERE);
}

lth_status rig_step(rig *r, const rig_recipe *recipe)
{
    static const rig_recipe plain = { 0 };
    recipe = recipe ? recipe : &plain;
    lth_trace *t = rig_begin(r, recipe);
    lth_tensor loss = rig_loss(r, t);
    engine_output(r->g, loss, RIG_HERE);
    if (recipe->loss_scale != 0)
        loss = lth_mul(loss, recipe->loss_scale);
    if (recipe->count_seen)
        lth_assign(r->seen, lth_add(lth_buffer_value(loss, r->seen), 1));
    if (!recipe->evaluate && !recipe->no_update)
        minimize(r, 0, loss, recipe);
    return rig_end(r);
}

double rig_train(rig *r, const rig_recipe *recipe)
{
    must(r, rig_step(r, recipe));
    return engine_output_value(r->g, r->ticket, 0);
}

/* ---- Looking at state ---- */

int64_t rig_get(rig *r, const char *name, double *out)
{
    for (uint32_t i = 0; i < engine_tensor_count(r->g); i++) {
        const engine_tensor *t = engine_tensor_at(r->g, i);
        if (strcmp(t->name, name) != 0)
            continue;
        int64_t n = lth_shape_count(&t->shape);
        void *data = malloc((size_t)(n * lth_dtype_size(t->shape.dtype)));
        must(r, engine_tensor_get(r->g, i, data, &r->e));
        for (int64_t k = 0; k < n; k++)
            out[k] = bench_element(t->shape.dtype, data, k);
        free(data);
        return n;
    }
    cr_assert_fail("no tensor '%s' in the state", name);
    return 0;
}

double rig_get_first(rig *r, const char *name)
{
    double values[64];
    rig_get(r, name, values);
    return values[0];
}

uint64_t rig_state_hash(rig *r)
{
    hash h;
    hash_start(&h, 0);
    for (uint32_t i = 0; i < engine_tensor_count(r->g); i++) {
        const engine_tensor *t = engine_tensor_at(r->g, i);
        size_t bytes = (size_t)(lth_shape_count(&t->shape) * lth_dtype_size(t->shape.dtype));
        void *data = malloc(bytes);
        must(r, engine_tensor_get(r->g, i, data, &r->e));
        hash_text(&h, t->name);
        hash_bytes(&h, data, bytes);
        free(data);
    }
    return hash_value(&h);
}

engine_stats rig_stats(rig *r)
{
    engine_stats s;
    engine_get_stats(r->g, &s);
    return s;
}

lth_status rig_rewrite(void *self, const lth_graph *in, lth_graph_builder *out)
{
    (void)self;
    uint32_t *map = calloc(in->value_count + 1, sizeof *map), operands[64];
    for (uint32_t i = 0; i < in->node_count; i++) {
        const lth_node *n = lth_graph_node(in, i);
        for (uint32_t k = 0; k < n->operand_count; k++)
            operands[k] = map[lth_node_operand(in, n, k)];
        uint32_t first =
            out->api->emit(out, n->op, operands, n->operand_count, lth_node_attributes(in, n), n->attributes_size, n->site);
        for (uint32_t k = 0; k < n->value_count; k++)
            map[n->first_value + k] = first + k;
    }
    free(map);
    return LTH_OK;
}
