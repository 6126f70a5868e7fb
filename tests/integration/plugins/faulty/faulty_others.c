/* SPDX-License-Identifier: Apache-2.0
 * faulty: the callback and the logger. */
#include "faulty.h"

/* ---- Callback ---- */

struct faulty_calls {
    faulty_plan plan;
};

static const lth_option callback_options[] = { FAULTY_OPTIONS(struct faulty_calls) };

#define HOOK(name)                                                       \
    static lth_status name(void *self, lth_trainer *t)                   \
    {                                                                    \
        faulty_trainer = t;                                              \
        return faulty_here(&((struct faulty_calls *)self)->plan, #name); \
    }
HOOK(setup)
HOOK(on_sanity_check_start)
HOOK(on_sanity_check_end)
HOOK(on_train_start)
HOOK(on_train_batch_start)
HOOK(on_train_batch_end)
HOOK(on_train_epoch_end)
HOOK(on_validation_start)
HOOK(on_validation_batch_end)
HOOK(on_validation_end)
HOOK(on_predict_batch_end)
HOOK(on_save_checkpoint)
HOOK(on_fit_end)

static lth_status teardown(void *self, lth_trainer *t)
{
    (void)t;
    faulty_record("callback.teardown");
    return faulty_here(&((struct faulty_calls *)self)->plan, "teardown");
}

static void on_exception(void *self, lth_trainer *t, const char *message)
{
    (void)t;
    faulty_record("callback.on_exception %s", message);
    faulty_here(&((struct faulty_calls *)self)->plan, "on_exception");
}

static lth_status init(void *self, const lth_host *host)
{
    ((struct faulty_calls *)self)->plan.host = host;
    return LTH_OK;
}

const lth_callback faulty_callback = {
    .struct_size = sizeof(lth_callback),
    .instance_size = sizeof(struct faulty_calls),
    .id = "faulty",
    .summary = "goes wrong where it is told to",
    .options = LTH_OPTIONS(callback_options),
    .init = init,
    .setup = setup,
    .on_sanity_check_start = on_sanity_check_start,
    .on_sanity_check_end = on_sanity_check_end,
    .on_train_start = on_train_start,
    .on_train_batch_start = on_train_batch_start,
    .on_train_batch_end = on_train_batch_end,
    .on_train_epoch_end = on_train_epoch_end,
    .on_validation_start = on_validation_start,
    .on_validation_batch_end = on_validation_batch_end,
    .on_validation_end = on_validation_end,
    .on_predict_batch_end = on_predict_batch_end,
    .on_save_checkpoint = on_save_checkpoint,
    .on_fit_end = on_fit_end,
    .teardown = teardown,
    .on_exception = on_exception,
};

/* ---- Logger ---- */

struct faulty_lines {
    faulty_plan plan;
};

static const lth_option logger_options[] = { FAULTY_OPTIONS(struct faulty_lines) };

static lth_status here(void *self, const char *hook) { return faulty_here(&((struct faulty_lines *)self)->plan, hook); }

static lth_status logger_init(void *self, const lth_host *host)
{
    ((struct faulty_lines *)self)->plan.host = host;
    return LTH_OK;
}

static lth_status logger_open(void *self, const lth_run_info *run)
{
    (void)run;
    return here(self, "open");
}

static lth_status log_metrics(void *self, const lth_metrics_row *row)
{
    (void)row;
    return here(self, "log_metrics");
}

static lth_status flush(void *self) { return here(self, "flush"); }

static lth_status logger_close(void *self, lth_run_status status)
{
    static const char *const words[] = { "success", "failed", "interrupted" };
    faulty_record("logger.close %s", status <= LTH_RUN_INTERRUPTED ? words[status] : "?");
    return here(self, "close");
}

const lth_logger faulty_logger = {
    .struct_size = sizeof(lth_logger),
    .instance_size = sizeof(struct faulty_lines),
    .id = "faulty",
    .summary = "goes wrong where it is told to",
    .options = LTH_OPTIONS(logger_options),
    .init = logger_init,
    .open = logger_open,
    .log_metrics = log_metrics,
    .flush = flush,
    .close = logger_close,
};
