/* SPDX-License-Identifier: Apache-2.0
 * numbers: a model that logs in every way, with values that are functions of batch and epoch alone, as
 * tests/golden/logging_rows.py does; and a logger and a callback that write down what arrives:
 *     row STEP EPOCH name=value ...
 *     metric name=value FLAGS */
#include <lthost/lthost.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static FILE *report(void)
{
    const char *path = getenv("LTHOST_TEST_RECORD");
    return path ? fopen(path, "a") : NULL;
}

/* ---- Model ---- */

struct numbers {
    bool twice; /* logs one name with other switches */
    const char *loss;
    lth_parameter weight;
};

static const lth_option model_options[] = { LTH_OPTION(struct numbers, twice, "false", NULL, "log one name in two ways"),
                                            LTH_OPTION(struct numbers, loss, "weight", "weight|data|zero|none", "what it depends on") };

static lth_status configure(void *self, lth_setup *s)
{
    ((struct numbers *)self)->weight = lth_parameter_new(s, "weight", LTH_SHAPE(1), lth_init_constant(1));
    return lth_setup_status(s);
}

static lth_tensor training_step(void *self, lth_step *step)
{
    struct numbers *m = self;
    double b = (double)lth_batch_idx(step), e = (double)lth_step_epoch(step);
    lth_tensor x = lth_input(step, "x"), w = lth_parameter_value(x, m->weight);
    lth_log(step, "t_default", lth_step_scalar(step, b + 10 * e));
    lth_log(step, "t_step", lth_step_scalar(step, b + 10 * e), .on_step = 1, .on_epoch = -1);
    lth_log(step, "t_epoch", lth_step_scalar(step, b + 10 * e), .on_step = -1, .on_epoch = 1);
    lth_log(step, "t_both", lth_step_scalar(step, b + 10 * e), .on_step = 1, .on_epoch = 1, .prog_bar = 1);
    lth_log(step, "t_bar_only", lth_step_scalar(step, b), .on_step = 1, .prog_bar = 1, .logger = -1);
    lth_log(step, "t_max", lth_step_scalar(step, (double)(lth_batch_idx(step) % 3)), .on_step = -1, .on_epoch = 1, .reduce = LTH_REDUCE_MAX);
    lth_log(step, "t_sum", lth_step_scalar(step, b), .on_step = -1, .on_epoch = 1, .reduce = LTH_REDUCE_SUM);
    lth_log(step, "t_min", lth_step_scalar(step, b + 1), .on_step = -1, .on_epoch = 1, .reduce = LTH_REDUCE_MIN);
    lth_log(step, "t_weighted", lth_step_scalar(step, b), .on_step = -1, .on_epoch = 1, .batch_size = lth_batch_idx(step) + 1);
    if (m->twice)
        lth_log(step, "t_default", lth_step_scalar(step, b), .on_epoch = 1);
    if (strcmp(m->loss, "none") == 0)
        return lth_none();
    if (strcmp(m->loss, "zero") == 0)
        return lth_step_scalar(step, 0);
    return strcmp(m->loss, "data") == 0 ? lth_sum(x) : lth_mean(lth_mul(x, w));
}

static lth_tensor validation_step(void *self, lth_step *step)
{
    double b = (double)lth_batch_idx(step), e = (double)lth_step_epoch(step);
    (void)self;
    lth_log(step, "v_default", lth_step_scalar(step, b + e), .prog_bar = 1);
    lth_log(step, "v_both", lth_step_scalar(step, b + e), .on_step = 1, .on_epoch = 1);
    return lth_none();
}

static lth_tensor test_step(void *self, lth_step *step)
{
    (void)self;
    lth_log(step, "test_default", lth_step_scalar(step, (double)lth_batch_idx(step)));
    return lth_none();
}

static lth_status on_train_epoch_end(void *self, lth_trainer *t)
{
    (void)self;
    t->api->log(t, "t_hook", (double)lth_trainer_progress(t).current_epoch + 0.5, 0, 0, 0);
    return LTH_OK;
}

static lth_status on_validation_epoch_end(void *self, lth_trainer *t)
{
    (void)self;
    t->api->log(t, "v_hook", (double)lth_trainer_progress(t).current_epoch + 0.25, 0, 0, 0);
    return LTH_OK;
}

LTH_HOOKS(hooks, .on_train_epoch_end = on_train_epoch_end, .on_validation_epoch_end = on_validation_epoch_end);
LTH_MODEL(numbers, .summary = "logs in every way", .options = LTH_OPTIONS(model_options), .configure = configure,
          .training_step = training_step, .validation_step = validation_step, .test_step = test_step, .hooks = &hooks);

/* ---- Data: sample i is the number i ---- */

struct numbers_data { int64_t train, val, val_sets; };

static const lth_option data_options[] = {
    LTH_OPTION(struct numbers_data, train, "18", "0..", "samples"),
    LTH_OPTION(struct numbers_data, val, "10", "0..", "samples, of test too"),
    LTH_OPTION(struct numbers_data, val_sets, "1", "1..4", "datasets of validation"),
};

static lth_status fetch(void *context, const int64_t *indices, int64_t count, lth_batch *batch)
{
    float *x = batch->api->field(batch, "x", NULL);
    (void)context;
    for (int64_t i = 0; i < count; i++)
        x[i] = (float)indices[i];
    return LTH_OK;
}

static lth_status setup(void *self, lth_data *d)
{
    const struct numbers_data *n = self;
    lth_data_field(d, .name = "x", .shape = { LTH_F32, 1, { 1 } });
    for (lth_stage stage = LTH_STAGE_TRAIN; stage <= LTH_STAGE_TEST; stage++) {
        const lth_dataset set = { .struct_size = sizeof set, .length = stage == LTH_STAGE_TRAIN ? n->train : n->val, .fetch = fetch };
        for (int64_t i = 0; i < (stage == LTH_STAGE_VALIDATE ? n->val_sets : 1); i++)
            d->api->dataset(d, stage, &set, self);
    }
    return LTH_OK;
}

LTH_DATAMODULE(numbers_data, .summary = "numbers", .options = LTH_OPTIONS(data_options), .setup = setup);

/* ---- What arrives ---- */

struct rows { int64_t fail_at; int64_t count; const lth_host *host; };

static const lth_option rows_options[] = { LTH_OPTION(struct rows, fail_at, "-1", "-1..", "fails at this row") };

static lth_status init(void *self, const lth_host *host)
{
    ((struct rows *)self)->host = host;
    return LTH_OK;
}

static lth_status open_run(void *self, const lth_run_info *run)
{
    (void)self;
    (void)run;
    return LTH_OK;
}

static lth_status log_metrics(void *self, const lth_metrics_row *row)
{
    struct rows *r = self;
    if (r->count++ == r->fail_at)
        return lth_fail(r->host, LTH_IO, "the disk is full of rows");
    FILE *f = report();
    if (!f)
        return LTH_OK;
    fprintf(f, "row %lld %lld", (long long)row->step, (long long)row->epoch);
    for (uint32_t i = 0; i < row->count; i++)
        fprintf(f, " %s=%.17g", row->names[i], row->values[i]);
    fprintf(f, "\n");
    fclose(f);
    return LTH_OK;
}

LTH_LOGGER(rows, .summary = "writes rows down", .options = LTH_OPTIONS(rows_options), .init = init, .open = open_run, .log_metrics = log_metrics);

struct shown { char nothing; };

static lth_status show(void *self, lth_trainer *t)
{
    const lth_metric *metrics;
    uint32_t count = t->api->metrics(t, &metrics);
    FILE *f = report();
    (void)self;
    for (uint32_t i = 0; f && i < count; i++)
        fprintf(f, "metric %s=%.17g %u\n", metrics[i].name, metrics[i].value, (unsigned)metrics[i].flags);
    if (f)
        fclose(f);
    return LTH_OK;
}

LTH_CALLBACK(shown, .summary = "writes callback_metrics down", .teardown = show);

LTH_PLUGIN(LTH_MODEL_COMPONENT(numbers), LTH_DATAMODULE_COMPONENT(numbers_data), LTH_LOGGER_COMPONENT(rows), LTH_CALLBACK_COMPONENT(shown));
