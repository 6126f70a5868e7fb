/* SPDX-License-Identifier: Apache-2.0
 * recorder: model, datamodule and schedulers. A batch is two rows of ones, four wide; the loss is mean((W x + b)^2). */
#include "recorder.h"

#include <lthost/nn.h>
#include <signal.h>
#include <unistd.h>

/* ---- Model ---- */

struct recorder {
    int64_t fail_at, stop_at, skip_at, no_loss_at, crash_at, hang_at; /* batch_idx; -1: never */
    bool wrong_shape;                                        /* training_step makes a mistake */
    bool several;                                  /* two optimizers */
    lth_linear layer;
    const lth_host *host;
};

static const lth_option model_options[] = {
    LTH_OPTION(struct recorder, fail_at, "-1", "-1..", "training_step fails at this batch"),
    LTH_OPTION(struct recorder, stop_at, "-1", "-1..", "on_train_batch_end asks for a stop"),
    LTH_OPTION(struct recorder, skip_at, "-1", "-1..", "on_train_batch_start skips the rest of the epoch"),
    LTH_OPTION(struct recorder, no_loss_at, "-1", "-1..", "training_step returns no loss"),
    LTH_OPTION(struct recorder, crash_at, "-1", "-1..", "on_train_batch_end crashes"),
    LTH_OPTION(struct recorder, hang_at, "-1", "-1..", "on_train_batch_end never returns"),
    LTH_OPTION(struct recorder, wrong_shape, "false", NULL, "training_step multiplies what does not fit"),
    LTH_OPTION(struct recorder, several, "false", NULL, "configure two optimizers"),
};

SPEAK_ALL(M)

static lth_status M_on_train_batch_start(void *self, lth_trainer *t)
{
    say_batch("M.on_train_batch_start", t);
    return lth_trainer_progress(t).batch_idx == ((struct recorder *)self)->skip_at ? LTH_END : LTH_OK;
}

static lth_status M_on_train_batch_end(void *self, lth_trainer *t)
{
    say_batch("M.on_train_batch_end", t);
    if (lth_trainer_progress(t).batch_idx == ((struct recorder *)self)->stop_at)
        lth_trainer_stop(t, "the model asked");
    if (lth_trainer_progress(t).batch_idx == ((struct recorder *)self)->crash_at)
        raise(SIGSEGV);
    if (lth_trainer_progress(t).batch_idx == ((struct recorder *)self)->hang_at) {
        fclose(fopen("hanging", "w"));
        while (true)
            pause();
    }
    return LTH_OK;
}

LTH_HOOKS(hooks, SLOTS_ALL(M));

static lth_status init(void *self, const lth_host *host)
{
    ((struct recorder *)self)->host = host;
    return LTH_OK;
}

static lth_status configure(void *self, lth_setup *s)
{
    struct recorder *m = self;
    say("M.configure_model");
    m->layer = lth_linear_new(s, "layer", lth_input_dim(s, "x", 1), 2);
    return lth_setup_status(s);
}

static void say_step(const char *call, lth_step *step)
{
    char text[80];
    snprintf(text, sizeof text, "M.%s %lld", call, (long long)lth_batch_idx(step));
    say(text);
}

static lth_tensor loss_of(struct recorder *m, lth_step *step)
{
    lth_tensor y = lth_linear_apply(&m->layer, lth_input(step, "x"));
    return lth_mean(lth_mul(y, y));
}

static lth_tensor training_step(void *self, lth_step *step)
{
    struct recorder *m = self;
    say_step("training_step", step);
    lth_trace *trace = step->api->trace(step);
    if (lth_batch_idx(step) == m->fail_at)
        return trace->api->fail(trace, __FILE__, __LINE__, "deliberate");
    lth_tensor loss = loss_of(m, step);
    if (m->wrong_shape)
        loss = lth_mean(lth_matmul(lth_input(step, "x"), lth_input(step, "x")));
    lth_log(step, "train_loss", lth_step_scalar(step, 1.0), .on_step = 1, .on_epoch = 1);
    return lth_batch_idx(step) == m->no_loss_at ? lth_none() : loss;
}

static lth_tensor manual_step(void *self, lth_step *step)
{
    say_step("training_step", step);
    for (uint32_t i = 0; i < 2; i++)
        lth_minimize(step, i, loss_of(self, step));
    return lth_none();
}

static lth_tensor validation_step(void *self, lth_step *step)
{
    (void)self;
    say_step("validation_step", step);
    lth_log(step, "val_loss", lth_step_scalar(step, 1.0));
    return lth_none();
}

static lth_tensor test_step(void *self, lth_step *step)
{
    (void)self;
    say_step("test_step", step);
    return lth_none();
}

static lth_tensor predict_step(void *self, lth_step *step)
{
    say_step("predict_step", step);
    return lth_linear_apply(&((struct recorder *)self)->layer, lth_input(step, "x"));
}

static lth_status configure_optimizers(void *self, lth_optimizers *o)
{
    const struct recorder *m = self;
    say("M.configure_optimizers");
    int32_t first = lth_optimizer_add(o, "optimizer");
    lth_optimizer_parameters(o, first, m->several ? "layer.weight" : "", NULL);
    if (m->several)
        lth_optimizer_parameters(o, lth_optimizer_add(o, "optimizer.second"), "layer.bias", NULL);
    else if (getenv("LTHOST_TEST_SCHEDULER"))
        lth_optimizer_scheduler(o, first, "scheduler");
    return LTH_OK;
}

static lth_status model_save(void *self, lth_writer *w)
{
    (void)self;
    say("M.state_dict");
    lth_put_i64(w, "kept", 1);
    return LTH_OK;
}

static lth_status model_load(void *self, lth_reader *r, uint32_t version)
{
    int64_t kept = 0;
    (void)version;
    say("M.load_state_dict");
    return lth_get_i64(r, "kept", &kept) && kept == 1 ? LTH_OK : lth_fail(((struct recorder *)self)->host, LTH_INVALID, "lost");
}

#define MODEL_SLOTS                                                                                                      \
    .options = LTH_OPTIONS(model_options), .init = init, .save = model_save, .load = model_load, .configure = configure,  \
    .validation_step = validation_step, .test_step = test_step, .predict_step = predict_step,                             \
    .configure_optimizers = configure_optimizers, .hooks = &hooks
LTH_MODEL(recorder, .summary = "says what is called", MODEL_SLOTS, .training_step = training_step);
static const lth_model manual_model = { .struct_size = sizeof(lth_model), .instance_size = sizeof(struct recorder), .id = "recorder_manual",
                                        .summary = "the same, by hand", MODEL_SLOTS, .training_step = manual_step,
                                        .manual_optimization = 1 };

/* ---- Datamodule ---- */

struct recorder_data {
    int64_t train, val, test, predict; /* batches of two */
    const lth_host *host;
};

static const lth_option data_options[] = {
    LTH_OPTION(struct recorder_data, train, "4", "0..", "batches"),
    LTH_OPTION(struct recorder_data, val, "2", "0..", "batches"),
    LTH_OPTION(struct recorder_data, test, "2", "0..", "batches"),
    LTH_OPTION(struct recorder_data, predict, "2", "0..", "batches"),
};

static lth_status prepare_data(void *self, const lth_host *host)
{
    (void)self;
    (void)host;
    say("D.prepare_data");
    return LTH_OK;
}

static lth_status fetch(void *context, const int64_t *indices, int64_t count, lth_batch *batch)
{
    (void)context;
    (void)indices;
    float *x = batch->api->field(batch, "x", NULL);
    for (int64_t i = 0; i < 4 * count; i++)
        x[i] = 1;
    return LTH_OK;
}

static lth_status data_setup(void *self, lth_data *d)
{
    const struct recorder_data *m = self;
    const int64_t batches[] = { m->train, m->val, m->test, m->predict };
    say_stage("D.setup", d->api->stage(d));
    lth_data_field(d, .name = "x", .shape = { LTH_F32, 1, { 4 } });
    for (lth_stage stage = LTH_STAGE_TRAIN; stage <= LTH_STAGE_PREDICT; stage++) {
        const lth_dataset set = { .struct_size = sizeof set, .length = 2 * batches[stage], .fetch = fetch, .flags = LTH_DATASET_CHEAP };
        d->api->dataset(d, stage, &set, self);
    }
    return LTH_OK;
}

static lth_status data_teardown(void *self, lth_stage stage)
{
    (void)self;
    say_stage("D.teardown", stage);
    return LTH_OK;
}

static lth_status data_save(void *self, lth_writer *w)
{
    (void)self;
    say("D.state_dict");
    lth_put_i64(w, "kept", 1);
    return LTH_OK;
}

static lth_status data_load(void *self, lth_reader *r, uint32_t version)
{
    (void)self;
    (void)r;
    (void)version;
    say("D.load_state_dict");
    return LTH_OK;
}

static void D_on_exception(void *self, lth_trainer *t, const char *message)
{
    (void)self;
    (void)t;
    (void)message;
    say("D.on_exception");
}
LTH_HOOKS(data_hooks, .on_exception = D_on_exception);

LTH_DATAMODULE(recorder_data, .summary = "rows of ones", .options = LTH_OPTIONS(data_options), .prepare_data = prepare_data,
               .setup = data_setup, .teardown = data_teardown, .save = data_save, .load = data_load, .hooks = &data_hooks);

/* ---- Schedulers ---- */

struct recorder_steps { char nothing; };

static double rate(void *self, const lth_schedule *at)
{
    (void)self;
    return at->current;
}

static lth_status advance(void *self, const lth_schedule *at)
{
    (void)self;
    (void)at;
    say("M.lr_scheduler_step");
    return LTH_OK;
}

LTH_SCHEDULER(recorder_steps, .summary = "says when it advances", .rate = rate, .advance = advance);
static const lth_scheduler plateau = { .struct_size = sizeof(lth_scheduler), .instance_size = 1, .id = "recorder_plateau",
                                       .summary = "the same, on a metric", .rate = rate, .advance = advance, .needs_metric = 1 };

LTH_PLUGIN(LTH_MODEL_COMPONENT(recorder), { "model/1", &manual_model }, LTH_DATAMODULE_COMPONENT(recorder_data),
           { "callback/1", &recorder_callback }, { "callback/1", &watcher_callback }, { "callback/1", &keeper_callback },
           LTH_SCHEDULER_COMPONENT(recorder_steps), { "scheduler/1", &plateau });
