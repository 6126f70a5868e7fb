/* SPDX-License-Identifier: Apache-2.0
 * Optimizers, clipping and accumulation against losses that torch recorded: the MLP, twenty steps on the digits, on the oracle. */
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

enum { BATCH = 64, STEPS = 20, PIXELS = 64, MAX_OPTIMIZERS = 2 };

typedef struct run {
    bench bench;
    plugin rules[MAX_OPTIMIZERS]; /* muon's second is an adamw, for the biases */
    int optimizers;
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
        else if (json_is_string(value))
            snprintf(text, sizeof text, "%s", json_string_value(value));
        else if (json_is_array(value))
            for (size_t i = 0, at = 0; i < json_array_size(value); i++)
                at += (size_t)snprintf(text + at, sizeof text - at, i ? ", %.17g" : "%.17g", golden_number(json_array_get(value, i)));
        else
            snprintf(text, sizeof text, "%.17g", golden_number(value));
        plugin_set(p, key, text);
    }
}

static void add_optimizer(run *r, const char *id, const json_t *options, const uint32_t *parameters, uint32_t count)
{
    int32_t index = r->optimizers++;
    plugin *rule = &r->rules[index];
    plugin_open(rule, id, "optimizer/1", id);
    set_options(rule, options);
    plugin_must_begin(rule);
    cr_assert_eq(engine_add_optimizer(r->g, rule->table, id, &r->e), index, "%s", r->e.text);
    cr_assert_eq(engine_add_group(r->g, index, rule->self, parameters, count, &r->e), LTH_OK, "%s", r->e.text);
}

static void run_open(run *r, const json_t *c, lth_dtype floating, lth_dtype lower, const rows *digits)
{
    const char *id = json_string_value(json_object_get(c, "optimizer"));
    memset(r, 0, sizeof *r);
    r->digits = digits;
    bench_open(&r->bench, "reference");
    engine_options options = {
        .accelerator = r->bench.accelerator, .accelerator_self = r->bench.self, .floating = floating, .lower = lower
    };
    r->g = engine_new(&options, &r->e);
    cr_assert_not_null(r->g, "%s", r->e.text);
    cr_assert_eq(engine_configure(r->g, NULL, 0, configure, r, &r->e), LTH_OK, "%s", r->e.text);
    const uint32_t all[] = { 1, 2, 3, 4 }, weights[] = { 1, 3 }, biases[] = { 2, 4 };
    bool matrices = strcmp(id, "muon") == 0;
    add_optimizer(r, id, json_object_get(c, "options"), matrices ? weights : all, matrices ? 2 : 4);
    if (matrices)
        add_optimizer(r, "adamw", NULL, biases, 2);
    cr_assert_eq(engine_allocate(r->g, true, &r->e), LTH_OK, "%s", r->e.text);
    load_weights(r);
}

static void run_close(run *r)
{
    engine_free(r->g);
    for (int i = 0; i < r->optimizers; i++)
        plugin_close(&r->rules[i]);
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
    for (int i = 0; w != LOSS_ONLY && i < r->optimizers; i++) {
        if (engine_gradients(r->g, i, loss, &gradients, &count, LTH_HERE) != LTH_OK)
            break;
        if (w == ACCUMULATE)
            engine_accumulate(r->g, i, gradients, args, LTH_HERE);
        else if (engine_total(r->g, i, gradients, args, &totals, LTH_HERE) == LTH_OK)
            engine_update(r->g, i, totals, args, LTH_HERE);
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

/* The losses that torch had in fp64, or in bf16. */
static void follow(const json_t *c, lth_dtype floating, lth_dtype lower, double tolerance, const rows *digits)
{
    run r;
    const char *algorithm = json_string_value(json_object_get(json_object_get(c, "trainer"), "gradient_clip_algorithm"));
    double clip = trainer_number(c, "gradient_clip_val", 0);
    int every = (int)trainer_number(c, "accumulate_grad_batches", 1);
    bool by_norm = algorithm && strcmp(algorithm, "norm") == 0;
    engine_update_args args = { .divisor = every, .clip_norm = by_norm ? clip : 0, .clip_value = by_norm ? 0 : clip };
    const json_t *losses = json_object_get(c, lower ? "losses_bf16" : "losses_fp64");
    run_open(&r, c, floating, lower, digits);
    for (int k = 0; k < STEPS; k++) {
        args.add_accumulated = k % every != 0;
        what w = (k + 1) % every == 0 || k + 1 == STEPS ? UPDATE : ACCUMULATE;
        char which[32];
        snprintf(which, sizeof which, "loss %d", k);
        expect(c, which, step(&r, k, w, &args), golden_number(json_array_get(losses, (size_t)k)), tolerance);
    }
    expect(c, "loss_after", step(&r, 0, LOSS_ONLY, NULL), golden_number(json_object_get(c, lower ? "loss_after_bf16" : "loss_after_fp64")), tolerance);
    run_close(&r);
}

/* Calls back for each case of the file, with the digits of all steps. */
static void each_case(const char *file, size_t least, void (*run_one)(const json_t *c, const rows *digits, const void *context), const void *context)
{
    plugin digits;
    offer o;
    json_t *golden = golden_read(file), *c;
    size_t i;
    plugin_open(&digits, "digits", "datamodule/1", "digits");
    plugin_set(&digits, "split", "last");
    plugin_must_begin(&digits);
    cr_assert_eq(offer_take(&o, &digits), LTH_OK, "%s", digits.message);
    rows r = offer_fetch(&o, LTH_STAGE_TRAIN, 0, BATCH * STEPS);
    json_array_foreach(json_object_get(golden, "cases"), i, c)
        run_one(c, &r, context);
    cr_assert_geq(i, least);
    rows_free(&r);
    plugin_close(&digits);
    json_decref(golden);
}

typedef struct terms { lth_dtype floating, lower; double tolerance; } terms;

static void follow_one(const json_t *c, const rows *digits, const void *context)
{
    const terms *t = context;
    follow(c, t->floating, t->lower, t->tolerance, digits);
}

static void follow_all(const char *file, size_t least, lth_dtype floating, lth_dtype lower, double tolerance)
{
    const terms t = { floating, lower, tolerance };
    each_case(file, least, follow_one, &t);
}

Test(optimizers, have_the_losses_of_torch_in_fp64) { follow_all("optimizers.json", 46, LTH_F64, LTH_DTYPE_NONE, 1e-10); }
Test(optimizers, have_the_losses_of_torch_in_fp32) { follow_all("optimizers.json", 46, LTH_F32, LTH_DTYPE_NONE, 1e-6); }
/* Loosely: torch rounds logits to bf16 where they are f32 here, and sums in another order. */
Test(optimizers, have_the_losses_of_torch_s_autocast_in_bf16) { follow_all("autocast.json", 2, LTH_F32, LTH_BF16, 5e-3); }

/* ---- Updates that do not take place ---- */

static bool of_scaler(const engine_tensor *t) { return strncmp(t->name, "scaler/", 7) == 0; }

/* All state but the scaler's, one tensor after the other; what it is in bytes. */
static size_t take_state(run *r, char *out)
{
    size_t n = 0;
    for (uint32_t i = 0; i < engine_tensor_count(r->g); i++) {
        const engine_tensor *t = engine_tensor_at(r->g, i);
        if (of_scaler(t) || t->kind == ENGINE_ACCUMULATOR)
            continue;
        cr_assert_eq(engine_tensor_get(r->g, i, out + n, &r->e), LTH_OK, "%s", r->e.text);
        n += (size_t)lth_shape_count(&t->shape) * lth_dtype_size(t->shape.dtype);
    }
    return n;
}

static float *scale(run *r, float *set)
{
    static float is;
    for (uint32_t i = 0; i < engine_tensor_count(r->g); i++)
        if (strcmp(engine_tensor_at(r->g, i)->name, "scaler/scale") == 0)
            cr_assert_eq(set ? engine_tensor_set(r->g, i, set, &r->e) : engine_tensor_get(r->g, i, &is, &r->e), LTH_OK, "%s", r->e.text);
    return &is;
}

/* A step at a scale that f16 cannot hold, between steps at one that it can. */
static void skip_one(const json_t *c, const rows *digits, const void *context)
{
    enum { ROOM = 1 << 18 };
    static char before[ROOM], after[ROOM];
    const char *name = json_string_value(json_object_get(c, "name"));
    const engine_update_args args = { .divisor = 1, .guard = true, .clip_norm = 1 };
    float fits = 1024, overflows = 0x1p40f;
    run r;
    (void)context;
    run_open(&r, c, LTH_F32, LTH_F16, digits);
    for (int k = 0; k < 6; k++) {
        bool skipped = k == 0 || k == 3; /* the first of all, when state is 0 and NaN would stay, and one in between */
        size_t n = take_state(&r, before);
        cr_assert_leq(n, ROOM);
        scale(&r, skipped ? &overflows : &fits);
        cr_assert(isfinite(step(&r, k, UPDATE, &args)), "%s", name);
        take_state(&r, after);
        cr_assert_eq(memcmp(before, after, n) == 0, skipped, "%s, step %d: %s", name, k, skipped ? "state has changed" : "nothing has changed");
        cr_assert_eq(*scale(&r, NULL), skipped ? ldexpf(overflows, -r.optimizers) : fits, "%s: half for each optimizer", name);
    }
    cr_assert(isfinite(step(&r, 0, LOSS_ONLY, NULL)), "%s", name);
    run_close(&r);
}

Test(optimizers, an_update_that_overflows_in_f16_leaves_all_state_as_it_was) { each_case("optimizers.json", 46, skip_one, NULL); }

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
        { "adagrad", "{}", "adagrad/fc1.bias/sum", "adagrad/fc1.bias/step" },
        { "adadelta", "{}", "adadelta/fc1.bias/acc_delta", "adadelta/group0/step" },
        { "rmsprop", "{}", "rmsprop/fc1.bias/square_avg", "rmsprop/fc1.bias/momentum_buffer" },
        { "rmsprop", "{\"momentum\": 0.5, \"centered\": true}", "rmsprop/fc1.bias/grad_avg", "rmsprop/group0/step" },
        { "adamax", "{}", "adamax/fc1.bias/exp_inf", "adamax/fc1.bias/exp_avg_sq" },
        { "nadam", "{}", "nadam/group0/mu_product", "nadam/fc1.bias/mu_product" },
        { "radam", "{}", "radam/fc1.bias/exp_avg_sq", "radam/fc1.bias/step" },
        { "lion", "{}", "lion/fc1.bias/exp_avg", "lion/fc1.bias/exp_avg_sq" },
        { "lamb", "{}", "lamb/group0/step", "lamb/fc1.bias/step" },
        { "lars", "{\"momentum\": 0}", "fc1.bias", "lars/fc1.bias/momentum_buffer" },
        { "adafactor", "{}", "adafactor/fc1.weight/row_var", "adafactor/fc1.weight/variance" },
        { "adafactor", "{}", "adafactor/fc1.bias/variance", "adafactor/fc1.bias/col_var" },
        { "muon", "{}", "muon/fc1.weight/momentum_buffer", "muon/fc1.bias/momentum_buffer" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        run r;
        json_t *c = json_pack("{s:s, s:o}", "optimizer", cases[i].optimizer, "options", json_loads(cases[i].options, 0, NULL));
        run_open(&r, c, LTH_F32, LTH_DTYPE_NONE, NULL);
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
        { "adamax", "betas", "0.9", "two numbers" },
        { "nadam", "betas", "0.9", "two numbers" },
        { "radam", "betas", "0.9", "two numbers" },
        { "lion", "betas", "0.9", "two numbers" },
        { "lamb", "betas", "0.9", "two numbers" },
        { "adafactor", "eps", "1e-3", "two numbers" },
        { "muon", "ns_coefficients", "1, 2", "three numbers" },
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

static int64_t elements_of(engine *g, const char *name)
{
    for (uint32_t i = 0; i < engine_tensor_count(g); i++)
        if (strcmp(engine_tensor_at(g, i)->name, name) == 0)
            return lth_shape_count(&engine_tensor_at(g, i)->shape);
    return -1;
}

Test(optimizers, adafactor_keeps_a_row_and_a_column_of_a_matrix)
{
    run r;
    json_t *c = json_pack("{s:s, s:{}}", "optimizer", "adafactor", "options");
    run_open(&r, c, LTH_F32, LTH_DTYPE_NONE, NULL);
    cr_assert_eq(elements_of(r.g, "adafactor/fc1.weight/row_var"), 128);
    cr_assert_eq(elements_of(r.g, "adafactor/fc1.weight/col_var"), PIXELS);
    cr_assert_eq(elements_of(r.g, "adafactor/fc2.weight/row_var"), 10);
    cr_assert_eq(elements_of(r.g, "adafactor/fc1.bias/variance"), 128);
    run_close(&r);
    json_decref(c);
}

/* A loss that is flat: every gradient is 0. */
Test(optimizers, a_zero_gradient_leaves_finite_parameters)
{
    static const char *const ids[] = { "sgd",  "adam",  "adamw", "adagrad", "adadelta",  "rmsprop", "adamax",
                                       "nadam", "radam", "lion",  "lamb",    "lars",      "adafactor", "muon" };
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        run r;
        json_t *c = json_pack("{s:s, s:{}}", "optimizer", ids[i], "options");
        float x[BATCH * PIXELS] = { 0 };
        int64_t y[BATCH] = { 0 };
        rows zeros = { .x = x, .y = y };
        run_open(&r, c, LTH_F32, LTH_DTYPE_NONE, &zeros);
        const engine_update_args args = { .divisor = 1, .clip_value = 1e-300 }; /* into [-0, 0] in f32 */
        for (int k = 0; k < 3; k++)
            step(&r, 0, UPDATE, &args);
        for (uint32_t t = 0; t < engine_tensor_count(r.g); t++) {
            static float data[128 * PIXELS];
            const engine_tensor *tensor = engine_tensor_at(r.g, t);
            cr_assert_eq(engine_tensor_get(r.g, t, data, &r.e), LTH_OK);
            for (int64_t k = 0; k < lth_shape_count(&tensor->shape); k++)
                cr_assert(isfinite(data[k]), "%s: %s is %g", ids[i], tensor->name, (double)data[k]);
        }
        run_close(&r);
        json_decref(c);
    }
}

Test(optimizers, muon_refuses_a_parameter_that_is_no_matrix)
{
    run r;
    memset(&r, 0, sizeof r);
    bench_open(&r.bench, "reference");
    engine_options options = { .accelerator = r.bench.accelerator, .accelerator_self = r.bench.self, .floating = LTH_F32 };
    r.g = engine_new(&options, &r.e);
    cr_assert_eq(engine_configure(r.g, NULL, 0, configure, &r, &r.e), LTH_OK, "%s", r.e.text);
    add_optimizer(&r, "muon", NULL, (const uint32_t[]){ 1, 2, 3, 4 }, 4);
    cr_assert_eq(engine_allocate(r.g, false, &r.e), LTH_OK, "%s", r.e.text);
    float x[BATCH * PIXELS] = { 0 };
    int64_t y[BATCH] = { 0 };
    const engine_field fields[] = { { "x", { LTH_F32, 2, { BATCH, PIXELS } }, x }, { "y", { LTH_I64, 1, { BATCH } }, y } };
    engine_begin(r.g, &(engine_step_args){ .hook = "training_step", .fields = fields, .field_count = 2, .training = true });
    lth_tensor out = lth_linear_apply(&r.fc2, lth_relu(lth_linear_apply(&r.fc1, engine_input(r.g, "x", LTH_HERE))));
    lth_tensor loss = lth_cross_entropy(out, engine_input(r.g, "y", LTH_HERE));
    const lth_tensor *gradients;
    uint32_t count;
    cr_assert_eq(engine_gradients(r.g, 0, loss, &gradients, &count, LTH_HERE), LTH_OK);
    cr_assert_eq(engine_update(r.g, 0, gradients, &(engine_update_args){ .divisor = 1 }, LTH_HERE), LTH_OK);
    cr_assert_neq(engine_end(r.g, &r.ticket, &r.e), LTH_OK);
    cr_assert(strstr(r.e.text, "muon is for matrices"), "%s", r.e.text);
    run_close(&r);
}
