/* SPDX-License-Identifier: Apache-2.0
 * scored: a classifier that logs metrics gathered over an epoch, on data that are functions of the sample's number alone, as
 * tests/integration/test_run_metrics.c computes them again. LTHOST_TEST_STOP="v 1 2 15" sends itself signal 15 in batch 2
 * of validation ("t": training) of epoch 1. */
#include <lthost/lthost.h>
#include <lthost/nn.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum { FEATURES = 4, CLASSES = 3 };

/* ---- Model ---- */

struct scored {
    bool still; /* trains something else: the predictions stay */
    lth_linear fit;
    lth_parameter aside;
    lth_class_metric train_accuracy, f1, recall;
    lth_curve_metric auroc;
    lth_confusion_matrix confusion;
};

static const lth_option model_options[] = { LTH_OPTION(struct scored, still, "false", NULL, "leaves the predictions as they are") };

static lth_status configure(void *self, lth_setup *s)
{
    struct scored *m = self;
    m->fit = lth_linear_new(s, "fit", FEATURES, CLASSES);
    m->aside = lth_parameter_new(s, "aside", LTH_SHAPE(1), lth_init_constant(1));
    m->train_accuracy = lth_accuracy_new(s, "train_accuracy", CLASSES);
    m->f1 = lth_f1_new(s, "val_f1", CLASSES);
    m->recall = lth_recall_new(s, "val_recall", CLASSES, .average = LTH_AVERAGE_NONE);
    m->auroc = lth_auroc_new(s, "val_auroc", CLASSES, .thresholds = 20);
    m->confusion = lth_confusion_matrix_new(s, "val_confusion", CLASSES);
    return lth_setup_status(s);
}

static void stop_here(lth_step *step, char stage)
{
    const char *at = getenv("LTHOST_TEST_STOP");
    char of;
    long long epoch, batch;
    int number;
    if (at && sscanf(at, "%c %lld %lld %d", &of, &epoch, &batch, &number) == 4 && of == stage && epoch == lth_step_epoch(step) &&
        batch == lth_batch_idx(step))
        raise(number);
}

static lth_tensor forward(struct scored *m, lth_step *step) { return lth_linear_apply(&m->fit, lth_input(step, "x")); }

static lth_tensor training_step(void *self, lth_step *step)
{
    struct scored *m = self;
    lth_tensor logits = forward(m, step), y = lth_input(step, "y");
    stop_here(step, 't');
    lth_log(step, "train_accuracy", lth_class_metric_update(&m->train_accuracy, step, logits, y), .on_step = -1, .on_epoch = 1,
            .reduce = LTH_REDUCE_LAST);
    lth_tensor aside = lth_sum(lth_square(lth_parameter_value(logits, m->aside)));
    return m->still ? aside : lth_add(lth_cross_entropy(logits, y), aside);
}

static lth_tensor evaluation_step(void *self, lth_step *step)
{
    struct scored *m = self;
    lth_tensor logits = forward(m, step), y = lth_input(step, "y");
    if (lth_step_stage(step) == LTH_STAGE_VALIDATE)
        stop_here(step, 'v');
    lth_tensor matrix = lth_confusion_matrix_update(&m->confusion, step, logits, y);
    lth_log(step, "val_f1", lth_class_metric_update(&m->f1, step, logits, y), .reduce = LTH_REDUCE_LAST);
    lth_log(step, "val_auroc", lth_curve_metric_update(&m->auroc, step, logits, y), .reduce = LTH_REDUCE_LAST);
    lth_log(step, "val_kappa", lth_cohen_kappa(matrix, LTH_KAPPA_PLAIN), .reduce = LTH_REDUCE_LAST);
    lth_log_each(step, "val_recall", lth_class_metric_update(&m->recall, step, logits, y), .reduce = LTH_REDUCE_LAST);
    return lth_none();
}

static lth_tensor predict_step(void *self, lth_step *step) { return forward(self, step); }

LTH_MODEL(scored, .summary = "a classifier with metrics", .options = LTH_OPTIONS(model_options), .configure = configure,
          .training_step = training_step, .validation_step = evaluation_step, .test_step = evaluation_step, .predict_step = predict_step);

/* ---- Data: validation sets begin at samples 1000 and 2000; what is predicted is the first of them, then what is trained on ---- */

struct scored_data { int64_t val_sets; };

static const lth_option data_options[] = { LTH_OPTION(struct scored_data, val_sets, "1", "1..2", "datasets of validation") };

static lth_status fetch(void *context, const int64_t *indices, int64_t count, lth_batch *batch)
{
    float *x = batch->api->field(batch, "x", NULL);
    int64_t *y = batch->api->field(batch, "y", NULL);
    for (int64_t i = 0; i < count; i++) {
        const int64_t sample = indices[i] + (int64_t)(intptr_t)context;
        for (int64_t k = 0; k < FEATURES; k++)
            x[i * FEATURES + k] = (float)((sample * (k + 3) * 7919) % 101) / 50 - 1;
        y[i] = sample * sample % 7 % CLASSES;
    }
    return LTH_OK;
}

static lth_status setup(void *self, lth_data *d)
{
    const struct scored_data *n = self;
    lth_data_field(d, .name = "x", .shape = { LTH_F32, 1, { FEATURES } });
    lth_data_field(d, .name = "y", .shape = { LTH_I64, 0, { 0 } }, .num_classes = CLASSES);
    const lth_dataset train = { .struct_size = sizeof train, .length = 22, .fetch = fetch };
    const lth_dataset val = { .struct_size = sizeof val, .length = 13, .fetch = fetch };
    d->api->dataset(d, LTH_STAGE_TRAIN, &train, NULL);
    for (int64_t i = 0; i < n->val_sets; i++)
        d->api->dataset(d, LTH_STAGE_VALIDATE, &val, (void *)(intptr_t)(1000 + 1000 * i));
    d->api->dataset(d, LTH_STAGE_TEST, &val, (void *)(intptr_t)1000);
    d->api->dataset(d, LTH_STAGE_PREDICT, &val, (void *)(intptr_t)1000);
    d->api->dataset(d, LTH_STAGE_PREDICT, n->val_sets > 1 ? &val : &train, (void *)(intptr_t)(n->val_sets > 1 ? 2000 : 0));
    return LTH_OK;
}

LTH_DATAMODULE(scored_data, .summary = "samples by their numbers", .options = LTH_OPTIONS(data_options), .setup = setup);

LTH_PLUGIN(LTH_MODEL_COMPONENT(scored), LTH_DATAMODULE_COMPONENT(scored_data));
