/* SPDX-License-Identifier: Apache-2.0
 * progress: how far the run is. On a terminal one line that stays the last, redrawn at most ten times a second:
 *
 *     epoch 3/30 [=======>            ] 210/690  412 step/s  0:01 left  train_loss 0.213  val_acc 0.961
 *
 * elsewhere a line from time to time, about ten in a run. A batch costs a look at the clock; a redraw waits for the values
 * that it shows. */
#define _POSIX_C_SOURCE 200809L
#include <lthost/callback.h>
#include <math.h>
#include <stdio.h>
#include <time.h>

enum { LINE_SIZE = 512, BAR_WIDTH = 20, BAR_LEAST = 8 };

typedef struct text { char at[LINE_SIZE]; size_t size, limit; } text;

struct progress {
    double refresh, silence;
    int64_t lines;
    double began, drawn, printed; /* seconds of the monotonic clock: of training, of the last redraw, of the last line */
    int64_t first_step;           /* global_step when this process began to train */
    int64_t part;                 /* parts of the run that lines were printed for */
    text last;                    /* where the last epoch ended; "": that has been printed */
    bool terminal;
    bool off; /* [trainer] enable_progress_bar = false */
};

static const lth_option options[] = {
    LTH_OPTION(struct progress, refresh, "0.1", "0..", "on a terminal: least seconds between two redraws"),
    LTH_OPTION(struct progress, lines, "10", "1..", "elsewhere: about how many lines a run prints"),
    LTH_OPTION(struct progress, silence, "60", "0..", "elsewhere: seconds after which a line is printed anyway"),
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ---- The text ---- */

static text new_text(size_t limit)
{
    text t = { "", 0, limit > 0 && limit < LINE_SIZE ? limit : LINE_SIZE };
    return t;
}

/* Appends; what does not fit is cut. */
LTH_PRINTF(2, 3)
static void put(text *t, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(t->at + t->size, t->limit - t->size, format, arguments);
    va_end(arguments);
    t->size += n < 0 ? 0 : (size_t)n;
    if (t->size >= t->limit)
        t->size = t->limit - 1;
}

/* "412", "3.1" or "0.52" */
static void put_rate(text *t, double rate, const char *unit)
{
    put(t, "  %.*f %s/s", rate >= 10 ? 0 : rate >= 1 ? 1 : 2, rate, unit);
}

static void put_duration(text *t, double seconds)
{
    long long s = seconds < 1e9 ? (long long)(seconds + 0.5) : 999999999;
    if (s >= 3600)
        put(t, "%lld:%02lld:%02lld", s / 3600, s / 60 % 60, s % 60);
    else
        put(t, "%lld:%02lld", s / 60, s % 60);
}

static void put_bar(text *t, int64_t done, int64_t count, int width)
{
    char bar[BAR_WIDTH + 1];
    int filled = (int)(width * done / count);
    for (int i = 0; i < width; i++)
        bar[i] = i < filled ? '=' : i == filled ? '>' : ' ';
    bar[width] = 0;
    put(t, " [%s]", bar);
}

/* Those that fit as a whole. */
static void put_metrics(text *t, lth_trainer *trainer)
{
    const lth_metric *metrics;
    uint32_t count = trainer->api->metrics(trainer, &metrics);
    for (uint32_t i = 0; i < count; i++) {
        size_t before = t->size;
        if (metrics[i].flags & LTH_METRIC_PROG_BAR)
            put(t, "  %s %.4g", metrics[i].name, metrics[i].value);
        if (t->size + 1 >= t->limit)
            t->at[t->size = before] = 0;
    }
}

/* What stands behind the bar. done: batches of the epoch. */
static void describe_rest(const struct progress *s, lth_trainer *t, const lth_progress *p, int64_t done, text *out)
{
    put(out, p->num_batches > 0 ? " %lld/%lld" : " %lld", (long long)done, (long long)p->num_batches);
    double seconds = now() - s->began;
    int64_t steps = p->global_step - s->first_step;
    if (steps > 0 && seconds > 0) {
        double rate = (double)steps / seconds;
        put_rate(out, rate, "step");
        if (p->stepping_batches > p->global_step) {
            put(out, "  ");
            put_duration(out, (double)(p->stepping_batches - p->global_step) / rate);
            put(out, " left");
        }
    }
    put_metrics(out, t);
}

/* Where training stands, in at most `limit` bytes; a bar where there is room for it. */
static text describe_training(const struct progress *s, lth_trainer *t, const lth_progress *p, size_t limit, bool bar)
{
    text line = new_text(limit);
    put(&line, p->max_epochs > 0 ? "epoch %lld/%lld" : "epoch %lld", (long long)p->current_epoch + 1, (long long)p->max_epochs);
    bar = bar && p->num_batches > 0 && line.limit >= 60;
    text rest = new_text(line.limit - line.size - (bar ? BAR_LEAST + 3 : 0)); /* a blank and the brackets */
    describe_rest(s, t, p, p->batch_idx + 1, &rest);
    int room = (int)(line.limit - line.size - rest.size) - 4;
    if (bar)
        put_bar(&line, p->batch_idx + 1, p->num_batches, room < BAR_WIDTH ? BAR_LEAST : BAR_WIDTH);
    put(&line, "%s", rest.at);
    return line;
}

/* ---- Training ---- */

static bool redraw_is_due(struct progress *s)
{
    double time = now();
    if (time - s->drawn < s->refresh)
        return false;
    s->drawn = time;
    return true;
}

static void draw_training(struct progress *s, lth_trainer *t, const lth_progress *p)
{
    text line = describe_training(s, t, p, (size_t)t->api->terminal_width(t), true); /* with its NUL: one column stays free */
    t->api->status_line(t, line.at);
}

/* Has the run come so far that another line is due? Where its length is not known, time alone says so. */
static bool line_is_due(struct progress *s, const lth_progress *p)
{
    int64_t part = p->stepping_batches > 0 ? s->lines * p->global_step / p->stepping_batches : s->part;
    bool due = part > s->part || now() - s->printed >= s->silence;
    s->part = part > s->part ? part : s->part;
    return due;
}

static void print_last(struct progress *s, lth_trainer *t)
{
    if (s->last.size && !s->off)
        t->api->print(t, s->last.at);
    s->last.size = 0;
    s->printed = now();
}

static lth_status on_train_start(void *self, lth_trainer *t)
{
    struct progress *s = self;
    lth_progress p = lth_trainer_progress(t);
    s->terminal = t->api->is_terminal(t);
    s->off = strcmp(t->api->describe(t, "enable_progress_bar"), "false") == 0;
    s->began = s->printed = now();
    s->drawn = 0;
    s->first_step = p.global_step;
    s->part = p.stepping_batches > 0 ? s->lines * p.global_step / p.stepping_batches : 0;
    return LTH_OK;
}

static lth_status on_train_batch_end(void *self, lth_trainer *t)
{
    struct progress *s = self;
    if (!redraw_is_due(s))
        return LTH_OK;
    lth_progress p = lth_trainer_progress(t);
    if (s->terminal) {
        draw_training(s, t, &p);
    } else if (!p.is_last_batch && line_is_due(s, &p)) { /* the epoch's end has newer metrics to tell */
        s->last = describe_training(s, t, &p, 0, false);
        print_last(s, t);
    }
    return LTH_OK;
}

static lth_status on_train_epoch_end(void *self, lth_trainer *t)
{
    struct progress *s = self;
    lth_progress p = lth_trainer_progress(t);
    s->last = describe_training(s, t, &p, 0, false);
    if (s->terminal && redraw_is_due(s))
        draw_training(s, t, &p);
    else if (!s->terminal && line_is_due(s, &p))
        print_last(s, t);
    return LTH_OK;
}

/* The last state stays, as a line. */
static lth_status on_train_end(void *self, lth_trainer *t)
{
    t->api->status_line(t, "");
    print_last(self, t);
    return LTH_OK;
}

/* ---- Evaluation: on a terminal alone ---- */

static lth_status on_evaluation_start(void *self, lth_trainer *t)
{
    ((struct progress *)self)->terminal = t->api->is_terminal(t);
    return LTH_OK;
}

static lth_status on_evaluation_batch_end(void *self, lth_trainer *t)
{
    static const char *const words[] = { "training", "validating", "testing", "predicting", "sanity check" };
    struct progress *s = self;
    if (!s->terminal || !redraw_is_due(s))
        return LTH_OK;
    lth_progress p = lth_trainer_progress(t);
    text line = new_text((size_t)t->api->terminal_width(t));
    put(&line, "%s", words[p.sanity_checking ? LTH_STAGE_SANITY : p.stage <= LTH_STAGE_SANITY ? p.stage : LTH_STAGE_VALIDATE]);
    if (p.num_batches > 0)
        put_bar(&line, p.batch_idx + 1, p.num_batches, BAR_WIDTH);
    put(&line, p.num_batches > 0 ? " %lld/%lld" : " %lld", (long long)p.batch_idx + 1, (long long)p.num_batches);
    t->api->status_line(t, line.at);
    return LTH_OK;
}

static lth_status on_evaluation_end(void *self, lth_trainer *t)
{
    (void)self;
    t->api->status_line(t, "");
    return LTH_OK;
}

static void on_exception(void *self, lth_trainer *t, const char *message)
{
    (void)self;
    (void)message;
    t->api->status_line(t, "");
}

LTH_CALLBACK(progress, .summary = "how far the run is: a bar on a terminal, else a line from time to time", .options = LTH_OPTIONS(options),
             .flags = LTH_DEFAULT_ON, .on_train_start = on_train_start, .on_train_batch_end = on_train_batch_end,
             .on_train_epoch_end = on_train_epoch_end, .on_train_end = on_train_end, .on_validation_start = on_evaluation_start,
             .on_validation_batch_end = on_evaluation_batch_end, .on_validation_end = on_evaluation_end,
             .on_test_start = on_evaluation_start, .on_test_batch_end = on_evaluation_batch_end, .on_test_end = on_evaluation_end,
             .on_predict_start = on_evaluation_start, .on_predict_batch_end = on_evaluation_batch_end, .on_predict_end = on_evaluation_end,
             .on_exception = on_exception);
LTH_PLUGIN(LTH_CALLBACK_COMPONENT(progress));
