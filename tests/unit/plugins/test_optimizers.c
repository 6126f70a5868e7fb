/* SPDX-License-Identifier: Apache-2.0
 * Optimizers, clipping and accumulation against losses that torch recorded: the MLP, ten steps on the digits, on the oracle. */
#include "data_fixture.h"
#include "engine/accel_fixture.h"

#include "engine/engine.h"
#include "util/file.h"
#include "util/json.h"

#include <criterion/criterion.h>
#include <lthost/nn.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 64, STEPS = 10, PIXELS = 64 };

typedef struct run {
    bench bench;
    plugin rule;
    engine *g;
    error e;
    lth_linear fc1, fc2;
    const rows *digits;
    uint64_t ticket;
} run;

static lth_status configure(void *self, lth_setup *s)
{
    run *r = self;
    r->fc1 = lth_linear_new(s, "fc1", PIXELS, 128);
    r->fc2 = lth_linear_new(s, "fc2", 128, 10);
    return lth_setup_status(s);
}

/* ---- The weights that torch began with ---- */

/* mlp_init.safetensors: 8 bytes of length, a header in JSON, the data. */
static void load_weights(run *r)
{
    char *file;
    size_t size;
    uint64_t head;
    json_t *header;
    cr_assert_eq(file_read(LTHOST_TEST_SOURCE "/tests/golden/mlp_init.safetensors", 0, &file, &size, &r->e), LTH_OK, "%s", r->e.text);
    memcpy(&head, file, 8);
    cr_assert_eq(json_read_text(file + 8, head, "header", &header, &r->e), LTH_OK, "%s", r->e.text);
    for (uint32_t i = 0; i < engine_tensor_count(r->g); i++) {
        const engine_tensor *t = engine_tensor_at(r->g, i);
        const json_t *entry = json_object_get(header, t->name);
        if (t->kind != ENGINE_PARAMETER)
            continue;
        cr_assert_not_null(entry, "%s", t->name);
        int64_t begin = json_integer_value(json_array_get(json_object_get(entry, "data_offsets"), 0)), n = lth_shape_count(&t->shape);
        void *data = malloc((size_t)(n * 8));
        for (int64_t k = 0; k < n; k++)
            bench_fill(t->shape.dtype, data, k, bench_element(LTH_F32, file + 8 + head + begin, k));
        cr_assert_eq(engine_tensor_set(r->g, i, data, &r->e), LTH_OK, "%s", r->e.text);
        free(data);
    }
    json_decref(header);
    free(file);
}

/* ---- A case ---- */

static void set_options(plugin *p, const json_t *options)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)options, key, value) {
        char text[128];
        if (json_is_boolean(value))
            snprintf(text, sizeof text, "%s", json_is_true(value) ? "true" : "false");
        else if (json_is_array(value))
            snprintf(text, sizeof text, "%.17g, %.17g", golden_number(json_array_get(value, 0)), golden_number(json_array_get(value, 1)));
        else
            snprintf(text, sizeof text, "%.17g", golden_number(value));
        plugin_set(p, key, text);
    }
}

static void run_open(run *r, const json_t *c, lth_dtype floating, const rows *digits)
{
    const char *id = json_string_value(json_object_get(c, "optimizer"));
    memset(r, 0, sizeof *r);
    r->digits = digits;
    bench_open(&r->bench, "reference");
    plugin_open(&r->rule, id, "optimizer/1", id);
    set_options(&r->rule, json_object_get(c, "options"));
    plugin_must_begin(&r->rule);
    engine_options options = { .accelerator = r->bench.accelerator, .accelerator_self = r->bench.self, .floating = floating };
    r->g = engine_new(&options, &r->e);
    cr_assert_not_null(r->g, "%s", r->e.text);
    cr_assert_eq(engine_configure(r->g, NULL, 0, configure, r, &r->e), LTH_OK, "%s", r->e.text);
    cr_assert_eq(engine_add_optimizer(r->g, r->rule.table, id, &r->e), 0, "%s", r->e.text);
    const uint32_t all[] = { 1, 2, 3, 4 };
    cr_assert_eq(engine_add_group(r->g, 0, r->rule.self, all, 4, &r->e), LTH_OK, "%s", r->e.text);
    cr_assert_eq(engine_allocate(r->g, true, &r->e), LTH_OK, "%s", r->e.text);
    load_weights(r);
}

static void run_close(run *r)
{
    engine_free(r->g);
    plugin_close(&r->rule);
    bench_close(&r->bench);
}

typedef enum what { LOSS_ONLY, ACCUMULATE, UPDATE } what;

/* The loss of batch k; then its gradients are added up, or the optimizer steps with them. */
static double step(run *r, int k, what w, const engine_update_args *args)
{
    const engine_field fields[] = {
        { "x", { LTH_F32, 2, { BATCH, PIXELS } }, r->digits->x + k * BATCH * PIXELS },
        { "y", { LTH_I64, 1, { BATCH } }, (int64_t *)r->digits->y + k * BATCH },
    };
    engine_step_args begin = { .hook = "training_step", .fields = fields, .field_count = 2, .training = true, .step = (uint32_t)k };
    lth_trace *t = engine_begin(r->g, &begin);
    lth_tensor x = engine_input(r->g, "x", LTH_HERE), y = engine_input(r->g, "y", LTH_HERE);
    if (lth_dtype_of(x) != t->api->floating(t))
        x = lth_cast(x, t->api->floating(t));
    lth_tensor loss = lth_cross_entropy(lth_linear_apply(&r->fc2, lth_relu(lth_linear_apply(&r->fc1, x))), y);
    engine_output(r->g, loss, LTH_HERE);
    const lth_tensor *gradients, *totals;
    uint32_t count;
    if (w != LOSS_ONLY && engine_gradients(r->g, 0, loss, &gradients, &count, LTH_HERE) == LTH_OK) {
        if (w == ACCUMULATE)
            engine_accumulate(r->g, 0, gradients, args, LTH_HERE);
        else if (engine_total(r->g, 0, gradients, args, &totals, LTH_HERE) == LTH_OK)
            engine_update(r->g, 0, totals, args, LTH_HERE);
    }
    cr_assert_eq(engine_end(r->g, &r->ticket, &r->e), LTH_OK, "%s", r->e.text);
    return engine_output_value(r->g, r->ticket, 0);
}

static double trainer_number(const json_t *c, const char *key, double otherwise)
{
    const json_t *value = json_object_get(json_object_get(c, "trainer"), key);
    return value ? golden_number(value) : otherwise;
}

static void expect(const json_t *c, const char *which, double is, double expected, double tolerance)
{
    cr_assert(fabs(is - expected) <= tolerance * expected, "%s: %s is %.12g, torch has %.12g: %.1e off",
              json_string_value(json_object_get(c, "name")), which, is, expected, fabs(is - expected) / expected);
}

static void follow(const json_t *c, lth_dtype floating, double tolerance, const rows *digits)
{
    run r;
    const char *algorithm = json_string_value(json_object_get(json_object_get(c, "trainer"), "gradient_clip_algorithm"));
    double clip = trainer_number(c, "gradient_clip_val", 0);
    int every = (int)trainer_number(c, "accumulate_grad_batches", 1);
    bool by_norm = algorithm && strcmp(algorithm, "norm") == 0;
    engine_update_args args = { .divisor = every, .clip_norm = by_norm ? clip : 0, .clip_value = by_norm ? 0 : clip };
    const json_t *losses = json_object_get(c, "losses_fp64");
    run_open(&r, c, floating, digits);
    for (int k = 0; k < STEPS; k++) {
        args.add_accumulated = k % every != 0;
        what w = (k + 1) % every == 0 || k + 1 == STEPS ? UPDATE : ACCUMULATE;
        char which[32];
        snprintf(which, sizeof which, "loss %d", k);
        expect(c, which, step(&r, k, w, &args), golden_number(json_array_get(losses, (size_t)k)), tolerance);
    }
    expect(c, "loss_after", step(&r, 0, LOSS_ONLY, NULL), golden_number(json_object_get(c, "loss_after_fp64")), tolerance);
    run_close(&r);
}

static void follow_all(lth_dtype floating, double tolerance)
{
    plugin digits;
    offer o;
    json_t *golden = golden_read("optimizers.json"), *c;
    size_t i;
    plugin_open(&digits, "digits", "datamodule/1", "digits");
    plugin_set(&digits, "split", "last");
    plugin_must_begin(&digits);
    cr_assert_eq(offer_take(&o, &digits), LTH_OK, "%s", digits.message);
    rows r = offer_fetch(&o, LTH_STAGE_TRAIN, 0, BATCH * STEPS);
    json_array_foreach(json_object_get(golden, "cases"), i, c)
        follow(c, floating, tolerance, &r);
    cr_assert_geq(i, 17);
    rows_free(&r);
    plugin_close(&digits);
    json_decref(golden);
}

Test(optimizers, have_the_losses_of_torch_in_fp64) { follow_all(LTH_F64, 1e-10); }
Test(optimizers, have_the_losses_of_torch_in_fp32) { follow_all(LTH_F32, 1e-5); }

/* ---- State and refusals ---- */

static bool has_tensor(engine *g, const char *name)
{
    for (uint32_t i = 0; i < engine_tensor_count(g); i++)
        if (strcmp(engine_tensor_at(g, i)->name, name) == 0)
            return true;
    return false;
}

Test(optimizers, state_has_the_names_of_torch)
{
    static const struct { const char *optimizer, *options, *has, *lacks; } cases[] = {
        { "sgd", "{}", "fc1.weight", "sgd/fc1.weight/momentum_buffer" },
        { "sgd", "{\"momentum\": 0.9}", "sgd/fc1.weight/momentum_buffer", "sgd/group0/step" },
        { "adam", "{}", "adam/fc2.bias/exp_avg_sq", "adam/fc2.bias/max_exp_avg_sq" },
        { "adam", "{\"amsgrad\": true}", "adam/fc2.bias/max_exp_avg_sq", "adam/fc2.bias/momentum_buffer" },
        { "adamw", "{}", "adamw/group0/step", "adamw/fc1.bias/max_exp_avg_sq" },
        { "adamw", "{}", "adamw/fc1.bias/exp_avg", "adam/fc1.bias/exp_avg" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        run r;
        json_t *c = json_pack("{s:s, s:o}", "optimizer", cases[i].optimizer, "options", json_loads(cases[i].options, 0, NULL));
        run_open(&r, c, LTH_F32, NULL);
        cr_assert(has_tensor(r.g, cases[i].has), "%s", cases[i].has);
        cr_assert_not(has_tensor(r.g, cases[i].lacks), "%s", cases[i].lacks);
        run_close(&r);
        json_decref(c);
    }
}

Test(optimizers, options_that_make_no_sense_together_are_refused)
{
    static const struct { const char *optimizer, *option, *value, *says; } cases[] = {
        { "sgd", "nesterov", "true", "momentum > 0" },
        { "sgd", "dampening", "0.5", "without momentum" },
        { "adam", "betas", "0.9", "two numbers" },
        { "adamw", "betas", "0.9, 0.99, 0.999", "two numbers" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        plugin p;
        plugin_open(&p, cases[i].optimizer, "optimizer/1", cases[i].optimizer);
        plugin_set(&p, cases[i].option, cases[i].value);
        cr_assert_eq(plugin_begin(&p), LTH_INVALID);
        cr_assert(strstr(p.message, cases[i].says), "%s", p.message);
        plugin_close(&p);
    }
}
