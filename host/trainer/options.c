/* SPDX-License-Identifier: Apache-2.0
 * trainer/options.c: the tables, and the texts in them that mean more than one kind of number. */
#include "trainer/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RUN(f, initial, range, ...) LTH_OPTION(run_options, f, initial, range, __VA_ARGS__)
static const lth_option run_rows[] = {
    RUN(name, "", NULL, "name of the run and of its folder; default: the run file's"),
    RUN(seed, "0", "0..", "of every random number: initial values, dropout, the order of samples"),
    RUN(stages, "fit", "fit|validate|test|predict", "what `lthost run` does, in order"),
    RUN(resume, "", NULL, "auto, last, best or a checkpoint's path: where to go on from; default: a new run"),
    RUN(plugin_path, "", NULL, "folders with plugins, searched before the usual ones", .flags = LTH_OPTION_PATH),
    RUN(threads, "0", "0..1024", "compute threads; 0: one a processor"),
    RUN(dir, "runs", NULL, "folder of all runs; a relative one is taken from the current folder"),
};
const lth_options run_option_table = LTH_OPTIONS(run_rows);

#define TRAINER(f, initial, range, ...) LTH_OPTION(trainer_options, f, initial, range, __VA_ARGS__)
#define GONE(name, instead) LTH_OPTION_NAMED(trainer_options, removed, name, "false", NULL, instead, .flags = LTH_OPTION_REMOVED)
static const lth_option trainer_rows[] = {
    TRAINER(accelerator, "auto", NULL, "what computes; auto: the best that this machine has"),
    TRAINER(devices, "auto", NULL, "how many devices; auto: one"),
    TRAINER(num_nodes, "1", "1..", "machines that take part"),
    TRAINER(strategy, "auto", NULL, "how the run is spread over devices"),
    TRAINER(precision, "32-true", NULL,
            "32-true, 64-true, bf16-mixed (products in bf16, the rest in f32), bf16-true (parameters, too) or 16-mixed (in f16, "
            "the loss scaled)"),
    TRAINER(max_epochs, "1000", "-1..", "end after so many epochs; -1: no bound"),
    TRAINER(min_epochs, "0", "0..", "do not stop early before so many epochs"),
    TRAINER(max_steps, "-1", "-1..", "end after so many optimizer steps; -1: no bound"),
    TRAINER(min_steps, "0", "0..", "do not stop early before so many optimizer steps"),
    TRAINER(max_time, "", NULL, "end after DD:HH:MM:SS"),
    TRAINER(limit_train_batches, "1.0", NULL, "of an epoch: a fraction (1.0) or a number of batches (10)"),
    TRAINER(limit_val_batches, "1.0", NULL, "the same for validation; 0: no validation"),
    TRAINER(limit_test_batches, "1.0", NULL, "the same for test"),
    TRAINER(limit_predict_batches, "1.0", NULL, "the same for predict"),
    TRAINER(fast_dev_run, "false", NULL, "true or a number: so many batches of each stage, nothing kept, to see that all runs"),
    TRAINER(overfit_batches, "0", NULL, "train on the same few batches, unshuffled: a number of batches or a fraction"),
    TRAINER(val_check_interval, "1.0", NULL,
            "validate every so many batches (100), part of an epoch (0.25) or time (00:01:00:00)"),
    TRAINER(check_val_every_n_epoch, "1", "0..",
            "validate in every nth epoch; 0: val_check_interval counts batches across epochs"),
    TRAINER(num_sanity_val_steps, "2", "-1..", "validation batches before training; -1: all"),
    TRAINER(log_every_n_steps, "50", "1..", "steps between two rows of step metrics"),
    TRAINER(accumulate_grad_batches, "1", "1..", "batches whose gradients make one optimizer step"),
    TRAINER(gradient_clip_val, "0", "0..", "bound on the gradients; 0: none"),
    TRAINER(gradient_clip_algorithm, "norm", "norm|value", "what is bounded: the norm of all gradients or each element"),
    TRAINER(hook_timeout, "0", "0..",
            "end the process, with exit status 75, where a call into a plugin takes more seconds than this; 0: no bound. "
            "Downloads of a "
            "datamodule and the first, compiling step count, too"),
    TRAINER(max_memory, "", NULL,
            "end the process, with exit status 71, where it holds more memory than this (8G, 512M), which is looked at a hundred "
            "times a second; default: no bound"),
    TRAINER(enable_checkpointing, "true", NULL, "write checkpoints"),
    TRAINER(enable_progress_bar, "true", NULL, "show progress"),
    TRAINER(enable_model_summary, "true", NULL, "show the model's layers before training"),
    TRAINER(detect_anomaly, "true", NULL, "a gradient that is not finite ends the run and names the op"),
    GONE("logger", "each logger is a section: [logger.csv]"),
    GONE("callbacks", "each callback is a section: [callback.early_stopping]"),
    GONE("default_root_dir", "write `dir` in [run]"),
    GONE("deterministic", "every run is: equal run files give equal bits"),
    GONE("benchmark", "kernels are chosen without measuring, so that bits do not depend on timing"),
    GONE("inference_mode", "evaluation never records gradients"),
    GONE("use_distributed_sampler", "write `sampler` in [data]"),
    GONE("profiler", "there is no profiler yet"),
    GONE("plugins", "write `plugin_path` in [run]"),
    GONE("sync_batchnorm", "there is no run on several devices yet"),
    GONE("reload_dataloaders_every_n_epochs", "loaders live as long as the run; there is no reloading yet"),
    GONE("barebones", "switch off what is not wanted: `enabled = false` in its section"),
    GONE("enable_autolog_hparams", "hyperparameters always go to the loggers"),
    GONE("model_registry", "there is none"),
};
const lth_options trainer_option_table = LTH_OPTIONS(trainer_rows);

static const lth_option model_rows[] = {
    LTH_OPTION(model_options, weights, "", NULL, "start from this .safetensors file", .flags = LTH_OPTION_PATH),
    LTH_OPTION(model_options, weights_strict, "true", NULL, "weights must have the model's names, no more and no fewer"),
};
const lth_options model_option_table = LTH_OPTIONS(model_rows);

static const lth_option optimizer_rows[] = {
    LTH_OPTION(optimizer_options, parameters, "", NULL,
               "where there are several optimizers, the parameters of this one: beginnings of names or patterns"),
};
const lth_options optimizer_option_table = LTH_OPTIONS(optimizer_rows);

static const lth_option group_rows[] = {
    LTH_OPTION(group_options, parameters, "", NULL, "parameters of the group: beginnings of names (fc1.) or patterns (*.bias)"),
    LTH_OPTION(group_options, frozen, "false", NULL, "the group is not trained: no gradients, no state, no update"),
    LTH_OPTION(group_options, lr_scale, "1", "0..", "what the optimizer's learning rate is multiplied by for the group"),
};
const lth_options group_option_table = LTH_OPTIONS(group_rows);

static const lth_option scheduler_rows[] = {
    LTH_OPTION(scheduler_options, interval, "epoch", "epoch|step|manual",
               "what the schedule counts: epochs, steps of its optimizer, or the model's calls of lth_scheduler_step"),
    LTH_OPTION(scheduler_options, frequency, "1", "1..", "advance after so many intervals"),
    LTH_OPTION(scheduler_options, monitor, "", NULL, "metric that the schedule looks at"),
    LTH_OPTION(scheduler_options, strict, "true", NULL, "a missing metric ends the run; false: that advance is left out"),
    LTH_OPTION(scheduler_options, warmup, "0", "0..",
               "advances before the schedule begins, in which the learning rate rises linearly to its own"),
    LTH_OPTION(scheduler_options, warmup_start, "0.01", "0..1", "share of the learning rate that the warm-up begins with"),
};
const lth_options scheduler_option_table = LTH_OPTIONS(scheduler_rows);

uint64_t options_bytes(const char *text)
{
    static const char units[] = "KMGT";
    char *end;
    errno = 0;
    double value = strtod(text, &end);
    const char *unit = *end ? strchr(units, *end) : NULL;
    if (end == text || errno || strspn(text, "0123456789.") != (size_t)(end - text) || (*end && (!unit || end[1])))
        return 0;
    for (const char *u = units; unit && u <= unit; u++)
        value *= 1024;
    return value < 1e18 ? (uint64_t)value : 0;
}

double options_duration(const char *text)
{
    static const double unit[] = { 86400, 3600, 60, 1 };
    double seconds = 0;
    const char *at = text;
    for (int i = 0; i < 4; i++) {
        char *end;
        if (*at < '0' || *at > '9')
            return -1;
        errno = 0;
        long part = strtol(at, &end, 10);
        if (errno || part > 1000000 || *end != (i < 3 ? ':' : '\0'))
            return -1;
        seconds += (double)part * unit[i];
        at = end + 1;
    }
    return seconds;
}

/* A number as Lightning takes it: with a point or an exponent a fraction, without a count. */
static bool read_limit(const char *text, batch_limit *out)
{
    char *end;
    errno = 0;
    double value = strtod(text, &end);
    if (end == text || *end || errno || strspn(text, "0123456789.eE+-") != strlen(text))
        return false;
    out->is_fraction = strpbrk(text, ".eE") != NULL;
    out->value = value;
    return value >= 0 && (out->is_fraction ? value <= 1 : value <= 1e15);
}

/* Where [trainer] KEY stands. */
typedef struct reader {
    const config *c;
    config_section *s;
    diagnostics *d;
} reader;

static void wrong(const reader *r, const char *key, const char *value, const char *right)
{
    const config_entry *entry = config_take(r->s, key);
    diagnostics_error(r->d, entry ? entry->file : config_section_file(r->c, r->s),
                      entry ? entry->line : config_section_line(r->s), "[trainer] %s = %s is %s", key, value, right);
}

static batch_limit limit_of(const reader *r, const char *key, const char *text)
{
    batch_limit limit = { 1, true };
    if (!read_limit(text, &limit))
        wrong(r, key, text, "neither a fraction of an epoch (0.0 to 1.0) nor a number of batches (10)");
    return limit;
}

static void read_interval(const reader *r, const char *text, trainer_limits *out)
{
    batch_limit limit;
    out->val_interval_kind = INTERVAL_FRACTION;
    out->val_interval = 1;
    if (strchr(text, ':')) {
        out->val_interval_kind = INTERVAL_SECONDS;
        out->val_interval = options_duration(text);
    } else if (read_limit(text, &limit)) {
        out->val_interval_kind = limit.is_fraction ? INTERVAL_FRACTION : INTERVAL_BATCHES;
        out->val_interval = limit.value;
    } else {
        out->val_interval = -1;
    }
    if (out->val_interval <= 0)
        wrong(r, "val_check_interval", text,
              "neither a number of batches (100), nor a fraction of an epoch (0.25), nor a time (DD:HH:MM:SS)");
}

static const precision_kind precisions[] = {
    { "32-true", "32", LTH_F32, LTH_DTYPE_NONE, LTH_DTYPE_NONE }, { "64-true", "64", LTH_F64, LTH_DTYPE_NONE, LTH_DTYPE_NONE },
    { "bf16-mixed", "bf16", LTH_F32, LTH_BF16, LTH_DTYPE_NONE },  { "bf16-true", NULL, LTH_F32, LTH_BF16, LTH_BF16 },
    { "16-mixed", "16", LTH_F32, LTH_F16, LTH_DTYPE_NONE },
};

const precision_kind *precision_at(size_t index)
{
    return index < sizeof precisions / sizeof *precisions ? &precisions[index] : NULL;
}

static void read_precision(const reader *r, trainer_options *o, trainer_limits *out)
{
    static const char *const later[] = { "16-true", "transformer-engine" };
    const char *text = o->precision;
    out->floating = LTH_F32;
    out->lower = out->stored = LTH_DTYPE_NONE;
    for (size_t i = 0; i < sizeof precisions / sizeof *precisions; i++)
        if (strcmp(text, precisions[i].name) == 0 || (precisions[i].short_name && strcmp(text, precisions[i].short_name) == 0)) {
            o->precision = precisions[i].name;
            out->floating = precisions[i].floating;
            out->lower = precisions[i].lower;
            out->stored = precisions[i].stored;
            return;
        }
    for (size_t i = 0; i < sizeof later / sizeof *later; i++)
        if (strcmp(text, later[i]) == 0) {
            wrong(r, "precision", text, "not there yet; there are 32-true, 64-true, bf16-mixed, bf16-true and 16-mixed");
            return;
        }
    wrong(r, "precision", text, "no precision; there are 32-true, 64-true, bf16-mixed, bf16-true and 16-mixed");
}

static void read_devices(const reader *r, const char *text, trainer_limits *out)
{
    char *end;
    errno = 0;
    long count = strtol(text, &end, 10);
    out->devices = 0;
    if (strcmp(text, "auto") == 0)
        return;
    if (end != text && !*end && !errno && count >= 1 && count <= 100000)
        out->devices = count;
    else if (strcmp(text, "-1") == 0 || strchr(text, ','))
        wrong(r, "devices", text, "not there yet: write a number of devices or auto");
    else
        wrong(r, "devices", text, "neither a number of devices nor auto");
}

static int64_t read_fast_dev_run(const reader *r, const char *text)
{
    batch_limit limit;
    if (str_equal_nocase(text, "false") || str_equal_nocase(text, "no") || str_equal_nocase(text, "off") ||
        strcmp(text, "0") == 0)
        return 0;
    if (str_equal_nocase(text, "true") || str_equal_nocase(text, "yes") || str_equal_nocase(text, "on"))
        return 1;
    if (read_limit(text, &limit) && !limit.is_fraction)
        return (int64_t)limit.value;
    wrong(r, "fast_dev_run", text, "neither true, nor false, nor a number of batches");
    return 0;
}

/* What bounds a run: without anything Lightning's 1000 epochs. */
static void bound_epochs(const reader *r, trainer_options *o, trainer_limits *out)
{
    bool bounded = o->max_steps >= 0 || o->max_time[0];
    if (config_take(r->s, "max_epochs"))
        return;
    if (bounded)
        o->max_epochs = -1;
    out->unbounded = !bounded;
}

static void apply_fast_dev_run(trainer_options *o, trainer_limits *out, int64_t batches)
{
    batch_limit limit = { (double)batches, false };
    out->fast_dev_batches = batches;
    out->unbounded = false;
    out->train = out->validate = out->test = out->predict = limit;
    out->val_interval_kind = INTERVAL_FRACTION;
    out->val_interval = 1;
    o->max_epochs = 1;
    o->max_steps = batches;
    o->num_sanity_val_steps = 0;
    o->check_val_every_n_epoch = 1;
    o->enable_checkpointing = false;
}

lth_status trainer_options_resolve(trainer_options *o, const config *c, config_section *s, trainer_limits *out, diagnostics *d)
{
    const reader r = { c, s, d };
    size_t before = d->error_count;
    out->train = limit_of(&r, "limit_train_batches", o->limit_train_batches);
    out->validate = limit_of(&r, "limit_val_batches", o->limit_val_batches);
    out->test = limit_of(&r, "limit_test_batches", o->limit_test_batches);
    out->predict = limit_of(&r, "limit_predict_batches", o->limit_predict_batches);
    read_interval(&r, o->val_check_interval, out);
    read_precision(&r, o, out);
    read_devices(&r, o->devices, out);
    out->max_seconds = -1;
    if (o->max_time[0] && (out->max_seconds = options_duration(o->max_time)) < 0)
        wrong(&r, "max_time", o->max_time, "not of the form DD:HH:MM:SS");
    out->max_memory = options_bytes(o->max_memory);
    if (o->max_memory[0] && out->max_memory < 1 << 20)
        wrong(&r, "max_memory", o->max_memory, "no size of at least a megabyte (8G, 512M)");
    out->unbounded = false;
    bound_epochs(&r, o, out);
    batch_limit overfit = limit_of(&r, "overfit_batches", o->overfit_batches);
    out->overfit = overfit.value > 0;
    if (out->overfit)
        out->train = out->validate = overfit;
    int64_t fast = read_fast_dev_run(&r, o->fast_dev_run);
    if (fast > 0)
        apply_fast_dev_run(o, out, fast);
    if (o->check_val_every_n_epoch == 0 && out->val_interval_kind == INTERVAL_FRACTION)
        wrong(&r, "check_val_every_n_epoch", "0", "for an interval in batches; val_check_interval is a fraction of an epoch");
    return d->error_count > before ? LTH_INVALID : LTH_OK;
}
