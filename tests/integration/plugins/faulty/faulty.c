/* SPDX-License-Identifier: Apache-2.0
 * faulty: the model and the datamodule. The model's own op runs within the plan, and may go wrong there or on a thread of the
 * pool that computes. */
#include "faulty.h"

#include <lthost/nn.h>
#include <math.h>
#include <string.h>

enum { WIDTH = 4 };

void GOMP_parallel(void (*body)(void *), void *data, unsigned threads, unsigned flags);
int omp_get_thread_num(void);

/* ---- Model ---- */

struct faulty {
    faulty_plan plan;
    lth_linear layer;
    lth_tensor kept;
};

static const lth_option model_options[] = { FAULTY_OPTIONS(struct faulty) };

static faulty_plan *in_plan; /* a custom op sees no instance */

static bool op_shape(const lth_custom_shapes *s)
{
    s->results[0] = *s->operands[0];
    return true;
}

static void on_pool(void *nothing)
{
    (void)nothing;
    if (omp_get_thread_num() == 1)
        faulty_here(in_plan, "pool");
}

static bool op_run(const lth_custom_call *c)
{
    memcpy(c->results[0], c->operands[0], (size_t)lth_shape_count(c->operand_shapes[0]) * sizeof(float));
    if (strcmp(in_plan->where, "pool") == 0)
        GOMP_parallel(on_pool, NULL, (unsigned)in_plan->host->api->threads(in_plan->host), 0);
    return faulty_here(in_plan, "plan") == LTH_OK || lth_custom_fail(c, "it would not");
}

/* A rule has a trace of its own. */
static void op_gradient(lth_custom_gradient *g)
{
    g->d_operands[0] = strcmp(in_plan->where, "gradient") == 0 ? lth_mul(g->d_results[0], faulty_tensor) : g->d_results[0];
}
LTH_CUSTOM_OP(op, .version = 1, .name = "faulty.op", .result_count = 1, .operand_count = 1, .shape = op_shape, .run = op_run,
              .gradient = op_gradient);

static lth_status init(void *self, const lth_host *host)
{
    struct faulty *m = self;
    m->plan.host = host;
    in_plan = &m->plan;
    return faulty_here(&m->plan, "init");
}

static lth_status configure(void *self, lth_setup *s)
{
    struct faulty *m = self;
    m->layer = lth_linear_new(s, "layer", WIDTH, 2);
    lth_status status = faulty_here(&m->plan, "configure");
    return status ? status : lth_setup_status(s);
}

static lth_tensor use_tensors(struct faulty *m, lth_step *step, lth_tensor x)
{
    const faulty_plan *p = &m->plan;
    const lth_tensor nothing = { NULL, 0, 0 }, garbage = { x.trace, x.node + 1000, x.generation };
    if (faulty_is(p, "stale", "training_step"))
        x = lth_add(x, m->kept);
    if (faulty_is(p, "zeroed", "training_step"))
        x = lth_add(x, nothing);
    if (faulty_is(p, "of_nobody", "training_step"))
        x = lth_add(x, garbage);
    if (faulty_is(p, "nan", "training_step"))
        lth_log(step, "odd", lth_step_scalar(step, (double)NAN));
    if (faulty_is(p, "nan_loss", "training_step"))
        x = lth_mul(x, lth_log1p(lth_sub(lth_mul(x, 0), 2)));
    m->kept = x;
    return x;
}

static lth_tensor loss_of(struct faulty *m, lth_step *step, const char *name)
{
    lth_tensor x = lth_input(step, "x");
    if (lth_step_stage(step) == LTH_STAGE_TRAIN)
        x = use_tensors(m, step, x);
    lth_tensor y = lth_linear_apply(&m->layer, x);
    if (strcmp(m->plan.where, "gradient") == 0)
        y = lth_custom(&op, &y, 1, NULL, 0);
    lth_tensor loss = lth_mean(lth_square(lth_dropout(y, 0.2)));
    if (strcmp(m->plan.where, "plan") == 0 || strcmp(m->plan.where, "pool") == 0)
        lth_log(step, "by_op", lth_mean(lth_custom(&op, &x, 1, NULL, 0)));
    lth_log(step, name, loss);
    return loss;
}

static lth_tensor training_step(void *self, lth_step *step)
{
    struct faulty *m = self;
    lth_tensor loss = loss_of(m, step, "train_loss");
    faulty_step = step;
    faulty_tensor = loss;
    lth_trace *trace = loss.trace;
    return faulty_here(&m->plan, "training_step") ? trace->api->fail(trace, __FILE__, __LINE__, "deliberate") : loss;
}

static lth_tensor validation_step(void *self, lth_step *step)
{
    lth_tensor loss = loss_of(self, step, "val_loss");
    faulty_here(&((struct faulty *)self)->plan, lth_step_stage(step) == LTH_STAGE_SANITY ? "sanity_step" : "validation_step");
    return loss;
}

static lth_tensor predict_step(void *self, lth_step *step)
{
    faulty_here(&((struct faulty *)self)->plan, "predict_step");
    return lth_linear_apply(&((struct faulty *)self)->layer, lth_input(step, "x"));
}

static lth_status save(void *self, lth_writer *w)
{
    lth_put_i64(w, "kept", 1);
    return faulty_here(&((struct faulty *)self)->plan, "save");
}

static lth_status load(void *self, lth_reader *r, uint32_t version)
{
    int64_t kept;
    (void)version;
    lth_get_i64(r, "kept", &kept);
    return faulty_here(&((struct faulty *)self)->plan, "load");
}

static void on_exception(void *self, lth_trainer *t, const char *message)
{
    (void)self;
    (void)t;
    faulty_record("model.on_exception %s", message);
}

static lth_status teardown(void *self, lth_trainer *t)
{
    (void)self;
    (void)t;
    faulty_record("model.teardown");
    return LTH_OK;
}
LTH_HOOKS(hooks, .on_exception = on_exception, .teardown = teardown);

LTH_MODEL(faulty, .summary = "goes wrong where it is told to", .options = LTH_OPTIONS(model_options), .init = init,
          .configure = configure, .training_step = training_step, .validation_step = validation_step,
          .predict_step = predict_step, .save = save, .load = load, .hooks = &hooks);

/* ---- Datamodule ---- */

struct faulty_data {
    faulty_plan plan;
    bool stream;
    int64_t next;
};

static const lth_option data_options[] = {
    FAULTY_OPTIONS(struct faulty_data), LTH_OPTION(struct faulty_data, stream, "false", NULL, "training data by next and decode")
};

static void fill(lth_batch *b, int64_t row, int64_t index)
{
    float *x = b->api->field(b, "x", NULL);
    for (int64_t k = 0; k < WIDTH; k++)
        x[row * WIDTH + k] = sinf((float)(index * WIDTH + k));
}

static lth_status fetch(void *context, const int64_t *indices, int64_t count, lth_batch *b)
{
    for (int64_t i = 0; i < count; i++)
        fill(b, i, indices[i]);
    return context ? faulty_here(context, "fetch") : LTH_OK;
}

static lth_status next(void *context, lth_reference *reference)
{
    struct faulty_data *d = context;
    if (d->next == 24)
        return LTH_END;
    reference->word[0] = (uint64_t)d->next++;
    return faulty_here(&d->plan, "next");
}

static lth_status rewind_stream(void *context, int64_t epoch)
{
    struct faulty_data *d = context;
    (void)epoch;
    d->next = 0;
    return LTH_OK;
}

static lth_status decode(void *context, const lth_reference *references, int64_t count, lth_batch *b)
{
    struct faulty_data *d = context;
    for (int64_t i = 0; i < count; i++)
        fill(b, i, (int64_t)references[i].word[0]);
    return faulty_here(&d->plan, "decode");
}

static lth_status data_init(void *self, const lth_host *host)
{
    ((struct faulty_data *)self)->plan.host = host;
    return LTH_OK;
}

static lth_status prepare_data(void *self, const lth_host *host)
{
    (void)host;
    return faulty_here(&((struct faulty_data *)self)->plan, "prepare_data");
}

static lth_status setup(void *self, lth_data *d)
{
    struct faulty_data *n = self;
    lth_data_field(d, .name = "x", .shape = { LTH_F32, 1, { WIDTH } });
    const lth_dataset train = { .struct_size = sizeof train, .length = 24, .fetch = fetch };
    const lth_dataset stream = {
        .struct_size = sizeof stream, .length = -1, .next = next, .rewind = rewind_stream, .decode = decode
    };
    const lth_dataset rest = { .struct_size = sizeof rest, .length = 8, .fetch = fetch };
    d->api->dataset(d, LTH_STAGE_TRAIN, n->stream ? &stream : &train, self);
    d->api->dataset(d, LTH_STAGE_VALIDATE, &rest, NULL);
    d->api->dataset(d, LTH_STAGE_PREDICT, &rest, NULL);
    return faulty_here(&n->plan, "setup");
}

static lth_status data_teardown(void *self, lth_stage stage)
{
    (void)stage;
    faulty_record("data.teardown");
    return faulty_here(&((struct faulty_data *)self)->plan, "teardown");
}

static void data_on_exception(void *self, lth_trainer *t, const char *message)
{
    (void)self;
    (void)t;
    (void)message;
    faulty_record("data.on_exception");
}
LTH_HOOKS(data_hooks, .on_exception = data_on_exception);

LTH_DATAMODULE(faulty_data, .summary = "rows of numbers", .options = LTH_OPTIONS(data_options), .init = data_init,
               .prepare_data = prepare_data, .setup = setup, .teardown = data_teardown, .hooks = &data_hooks);

LTH_PLUGIN(LTH_MODEL_COMPONENT(faulty), LTH_DATAMODULE_COMPONENT(faulty_data), { "callback/1", &faulty_callback },
           { "logger/1", &faulty_logger });
