/* SPDX-License-Identifier: Apache-2.0
 * survivor: what a run that is killed and goes on must not lose: a model with dropout, batch norm and a state of its own, and a
 * stream whose samples depend on all that came before them. The model adds to the file that LTHOST_TEST_RECORD names, a line
 * each, "start STEP" as training begins and "STEP" after each batch. */
#define _POSIX_C_SOURCE 200809L
#include <lthost/lthost.h>
#include <lthost/nn.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- Model ---- */

struct survivor {
    int64_t hidden, seen; /* batches, in this process and those before */
    lth_linear fc1, fc2;
    lth_batch_norm1d norm;
};

#ifndef SURVIVOR_STATE /* survivor_older is built with another */
#define SURVIVOR_STATE 3
#endif

static const lth_option model_options[] = { LTH_OPTION(struct survivor, hidden, "16", "1..", "width of the hidden layer") };

static lth_status configure(void *self, lth_setup *s)
{
    struct survivor *m = self;
    m->fc1 = lth_linear_new(s, "fc1", lth_input_size(s, "x"), m->hidden);
    m->norm = lth_batch_norm1d_new(s, "norm", m->hidden);
    m->fc2 = lth_linear_new(s, "fc2", m->hidden, lth_num_classes(s, "y"));
    return lth_setup_status(s);
}

static lth_tensor forward(struct survivor *m, lth_step *step)
{
    lth_tensor h = lth_linear_apply(&m->fc1, lth_flatten(lth_input(step, "x"), 1));
    return lth_linear_apply(&m->fc2, lth_dropout(lth_relu(lth_batch_norm_apply(&m->norm, h)), 0.2));
}

static lth_tensor training_step(void *self, lth_step *step)
{
    lth_tensor loss = lth_cross_entropy(forward(self, step), lth_input(step, "y"));
    lth_log(step, "train_loss", loss, .on_step = 1, .on_epoch = 1);
    lth_log(step, "x_mean", lth_mean(lth_input(step, "x"))); /* which samples came */
    return loss;
}

static lth_tensor validation_step(void *self, lth_step *step)
{
    lth_tensor logits = forward(self, step), y = lth_input(step, "y"), loss = lth_cross_entropy(logits, y);
    lth_log(step, "val_loss", loss, .on_step = 1, .on_epoch = 1);
    lth_log(step, "val_acc", lth_accuracy(logits, y));
    return logits;
}

static void record(const char *before, int64_t step)
{
    const char *path = getenv("LTHOST_TEST_RECORD");
    char line[64];
    int length = snprintf(line, sizeof line, "%s%lld\n", before, (long long)step);
    int fd = path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644) : -1;
    if (fd >= 0 && write(fd, line, (size_t)length) == length)
        close(fd);
}

static lth_status on_train_start(void *self, lth_trainer *t)
{
    (void)self;
    record("start ", lth_trainer_progress(t).global_step);
    return LTH_OK;
}

static lth_status on_train_batch_end(void *self, lth_trainer *t)
{
    struct survivor *m = self;
    t->api->log(t, "seen", (double)++m->seen, 0, 0, 0);
    record("", lth_trainer_progress(t).global_step);
    return LTH_OK;
}

static lth_status save(void *self, lth_writer *w)
{
    lth_put_i64(w, "seen", ((struct survivor *)self)->seen);
    return LTH_OK;
}

static lth_status load(void *self, lth_reader *r, uint32_t version)
{
    (void)version;
    lth_get_i64(r, "seen", &((struct survivor *)self)->seen);
    return LTH_OK;
}

LTH_HOOKS(hooks, .on_train_start = on_train_start, .on_train_batch_end = on_train_batch_end);
LTH_MODEL(survivor, .summary = "dropout, batch norm and a state of its own", .options = LTH_OPTIONS(model_options),
          .state_version = SURVIVOR_STATE, .save = save, .load = load, .configure = configure, .training_step = training_step,
          .validation_step = validation_step, .hooks = &hooks);

/* ---- Data: the largest of the first four of 16 normal numbers is the class ---- */

enum { WIDTH = 16, CLASSES = 4 };

struct survivor_stream {
    int64_t train, val;
    bool keeps; /* the stream can take up a saved place */
    uint64_t place;
    int64_t left;
};

static const lth_option data_options[] = {
    LTH_OPTION(struct survivor_stream, train, "1400", "1..", "samples of an epoch"),
    LTH_OPTION(struct survivor_stream, val, "200", "1..", "samples of validation"),
    LTH_OPTION(struct survivor_stream, keeps, "true", NULL, "the stream keeps a state; false: it is read again from its start"),
};

static lth_status rewind_to(void *context, int64_t epoch)
{
    struct survivor_stream *d = context;
    d->place = (uint64_t)epoch + 1;
    d->left = d->train;
    return LTH_OK;
}

static lth_status next(void *context, lth_reference *reference)
{
    struct survivor_stream *d = context;
    if (d->left == 0)
        return LTH_END;
    d->left--;
    d->place = d->place * 6364136223846793005u + 1442695040888963407u;
    reference->word[0] = d->place >> 32;
    return LTH_OK;
}

static void fill(lth_batch *batch, int64_t row, uint32_t sample)
{
    float *x = (float *)batch->api->field(batch, "x", NULL) + row * WIDTH;
    int64_t *y = (int64_t *)batch->api->field(batch, "y", NULL) + row;
    uint64_t seed = batch->api->seed(batch);
    for (int64_t i = 0; i < WIDTH; i++)
        x[i] = (float)lth_random_normal(seed, sample, 0, LTH_STREAM_USER, i);
    for (int64_t i = *y = 0; i < CLASSES; i++)
        *y = x[i] > x[*y] ? i : *y;
}

static lth_status decode(void *context, const lth_reference *references, int64_t count, lth_batch *batch)
{
    (void)context;
    for (int64_t i = 0; i < count; i++)
        fill(batch, i, (uint32_t)references[i].word[0]);
    return LTH_OK;
}

static lth_status fetch(void *context, const int64_t *indices, int64_t count, lth_batch *batch)
{
    (void)context;
    for (int64_t i = 0; i < count; i++)
        fill(batch, i, (uint32_t)indices[i]);
    return LTH_OK;
}

static lth_status stream_save(void *context, lth_writer *w)
{
    const struct survivor_stream *d = context;
    lth_put_i64(w, "place", (int64_t)d->place);
    lth_put_i64(w, "left", d->left);
    return LTH_OK;
}

static lth_status stream_load(void *context, lth_reader *r)
{
    struct survivor_stream *d = context;
    int64_t place;
    if (!lth_get_i64(r, "place", &place) || !lth_get_i64(r, "left", &d->left))
        return LTH_INVALID;
    d->place = (uint64_t)place;
    return LTH_OK;
}

static lth_status setup(void *self, lth_data *d)
{
    const struct survivor_stream *m = self;
    lth_dataset train = { .struct_size = sizeof train, .length = -1, .next = next, .rewind = rewind_to, .decode = decode };
    const lth_dataset val = { .struct_size = sizeof val, .length = m->val, .fetch = fetch };
    if (m->keeps) {
        train.save = stream_save;
        train.load = stream_load;
    }
    lth_data_field(d, .name = "x", .shape = { LTH_F32, 1, { WIDTH } });
    lth_data_field(d, .name = "y", .shape = { LTH_I64, 0, { 0 } }, .num_classes = CLASSES);
    d->api->dataset(d, LTH_STAGE_TRAIN, &train, self);
    d->api->dataset(d, LTH_STAGE_VALIDATE, &val, self);
    return LTH_OK;
}

LTH_DATAMODULE(survivor_stream, .summary = "a stream whose samples depend on those before", .options = LTH_OPTIONS(data_options),
               .setup = setup);
LTH_PLUGIN(LTH_MODEL_COMPONENT(survivor), LTH_DATAMODULE_COMPONENT(survivor_stream));
