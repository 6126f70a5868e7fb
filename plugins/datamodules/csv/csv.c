/* SPDX-License-Identifier: Apache-2.0
 * csv: any table of numbers: a delimited text file, its columns features or targets.
 *
 * A sample: x (features) f32; y () i64, a class, or (targets) f32, numbers. */
#include "frame.h"

#include <lthost/datamodule.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct csv;

/* The rows of a stage. */
struct part {
    const struct csv *data;
    const frame *frame;
    const int64_t *rows; /* NULL: all */
    int64_t count;
};

struct csv {
    const char *path, *val_path, *test_path, *predict_path;
    lth_string_list target, features;
    const char *task, *delimiter, *normalise, *split;
    bool header;
    double val_fraction, test_fraction;
    int64_t split_seed;
    const lth_host *host;
    roles roles;
    frame first, val, test, predict;
    int64_t *rows; /* of `first`: those of training, of validation, of test */
    struct part train_part, val_part, test_part, predict_part;
};

static const lth_option options[] = {
    LTH_OPTION(struct csv, path, NULL, NULL, "the file, plain or gzip", .flags = LTH_OPTION_REQUIRED | LTH_OPTION_PATH),
    LTH_OPTION(struct csv, target, NULL, NULL, "the column to predict; for a regression also several", .flags = LTH_OPTION_REQUIRED),
    LTH_OPTION(struct csv, features, "", NULL, "the columns to predict from; empty: all others"),
    LTH_OPTION(struct csv, task, "classification", "classification|regression", "what the target holds: classes, or numbers"),
    LTH_OPTION(struct csv, header, "true", NULL, "the first row names the columns; else they are 1, 2, 3, ..."),
    LTH_OPTION(struct csv, delimiter, "comma", "comma|semicolon|tab|pipe", "what stands between two cells"),
    LTH_OPTION(struct csv, normalise, "none", "none|standard", "standard: features to mean 0 and deviation 1 over the rows trained on"),
    LTH_OPTION(struct csv, split, "random", "random|last", "which rows are held out"),
    LTH_OPTION(struct csv, val_fraction, "0.2", "[0..1)", "share of the rows held out for validation, unless val_path gives them"),
    LTH_OPTION(struct csv, test_fraction, "0", "[0..1)", "share held out for test, unless test_path; 0: those of validation"),
    LTH_OPTION(struct csv, split_seed, "-1", "-1..", "seed of the random split; -1: the run's"),
    LTH_OPTION(struct csv, val_path, "", NULL, "a file of validation rows", .flags = LTH_OPTION_PATH),
    LTH_OPTION(struct csv, test_path, "", NULL, "a file of test rows", .flags = LTH_OPTION_PATH),
    LTH_OPTION(struct csv, predict_path, "", NULL, "a file to predict, which needs no target; empty: the test rows", .flags = LTH_OPTION_PATH),
};

static char delimiter_of(const char *word)
{
    return strcmp(word, "tab") == 0 ? '\t' : strcmp(word, "semicolon") == 0 ? ';' : strcmp(word, "pipe") == 0 ? '|' : ',';
}

static bool copy_list(text_list *to, const lth_string_list *from)
{
    for (int64_t i = 0; i < from->count; i++)
        if (!text_list_add(to, from->at[i]))
            return false;
    return true;
}

static lth_status init(void *self, const lth_host *host)
{
    struct csv *c = self;
    c->host = host;
    c->roles.classify = strcmp(c->task, "classification") == 0;
    c->roles.header = c->header;
    c->roles.delimiter = delimiter_of(c->delimiter);
    if (c->target.count == 0 || (c->roles.classify && c->target.count > 1))
        return lth_fail(host, LTH_INVALID, "target names %lld columns; a classification has one, a regression one or more",
                        (long long)c->target.count);
    for (int64_t i = 0; i < c->features.count; i++)
        for (int64_t k = 0; k < c->target.count; k++)
            if (strcmp(c->features.at[i], c->target.at[k]) == 0)
                return lth_fail(host, LTH_INVALID, "column '%s' is both a feature and the target", c->features.at[i]);
    if ((*c->val_path ? 0 : c->val_fraction) + (*c->test_path ? 0 : c->test_fraction) >= 1)
        return lth_fail(host, LTH_INVALID, "val_fraction = %g and test_fraction = %g leave nothing to train on", c->val_fraction,
                        c->test_fraction);
    if (!copy_list(&c->roles.targets, &c->target) || !copy_list(&c->roles.features, &c->features))
        return lth_fail(host, LTH_NO_MEMORY, "no memory for the names of columns");
    return LTH_OK;
}

static void destroy(void *self)
{
    struct csv *c = self;
    frame *const frames[] = { &c->first, &c->val, &c->test, &c->predict };
    text_list *const lists[] = { &c->roles.features, &c->roles.targets, &c->roles.classes };
    for (size_t i = 0; i < sizeof frames / sizeof *frames; i++)
        frame_free(frames[i]);
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        text_list_free(lists[i]);
    free(c->rows);
}

/* ---- The split ---- */

static int by_number(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Fisher and Yates. */
static void shuffle(int64_t *rows, int64_t count, uint64_t seed)
{
    for (int64_t i = count - 1; i > 0; i--) {
        uint64_t word = lth_philox_at(seed, (uint32_t)i, 0, 0, LTH_STREAM_USER).word[0];
        int64_t j = (int64_t)(word * (uint64_t)(i + 1) >> 32), row = rows[i];
        rows[i] = rows[j];
        rows[j] = row;
    }
}

static struct part held(struct csv *c, int64_t start, int64_t count)
{
    struct part p = { c, &c->first, c->rows + start, count };
    qsort(c->rows + start, (size_t)count, sizeof *c->rows, by_number);
    return p;
}

static struct part whole(struct csv *c, const frame *f)
{
    struct part p = { c, f, NULL, f->rows };
    return p;
}

static lth_status split_rows(struct csv *c)
{
    int64_t count = c->first.rows;
    int64_t val = *c->val_path ? 0 : (int64_t)(c->val_fraction * (double)count);
    int64_t test = *c->test_path ? 0 : (int64_t)(c->test_fraction * (double)count), train = count - val - test;
    c->rows = malloc((size_t)count * sizeof *c->rows);
    if (!c->rows)
        return lth_fail(c->host, LTH_NO_MEMORY, "no memory for %lld rows", (long long)count);
    for (int64_t i = 0; i < count; i++)
        c->rows[i] = i;
    if (strcmp(c->split, "random") == 0)
        shuffle(c->rows, count, c->split_seed < 0 ? c->host->api->seed(c->host) : (uint64_t)c->split_seed);
    c->train_part = held(c, 0, train);
    c->val_part = *c->val_path ? whole(c, &c->val) : held(c, train, val);
    c->test_part = *c->test_path ? whole(c, &c->test) : test ? held(c, train + val, test) : c->val_part;
    c->predict_part = *c->predict_path ? whole(c, &c->predict) : c->test_part;
    return LTH_OK;
}

/* Features to mean 0 and standard deviation 1 over the rows trained on; one that is constant there becomes 0 there. */
static void normalise(struct csv *c)
{
    frame *const frames[] = { &c->first, &c->val, &c->test, &c->predict };
    const int64_t n = c->roles.features.count, count = c->train_part.count;
    for (int64_t k = 0; k < n; k++) {
        double mean = 0, square = 0;
        for (int64_t i = 0; i < count; i++)
            mean += c->first.x[c->train_part.rows[i] * n + k] / (double)count;
        for (int64_t i = 0; i < count; i++) {
            double d = c->first.x[c->train_part.rows[i] * n + k] - mean;
            square += d * d / (double)count;
        }
        double scale = square > 0 ? 1 / sqrt(square) : 1;
        for (size_t f = 0; f < sizeof frames / sizeof *frames; f++)
            for (int64_t i = 0; i < frames[f]->rows; i++)
                frames[f]->x[i * n + k] = (float)((frames[f]->x[i * n + k] - mean) * scale);
    }
}

static lth_status load_files(struct csv *c)
{
    char message[1024];
    const struct { const char *path; frame *frame; frame_kind kind; } files[] = {
        { c->path, &c->first, FRAME_FIRST },
        { c->val_path, &c->val, FRAME_OTHER },
        { c->test_path, &c->test, FRAME_OTHER },
        { c->predict_path, &c->predict, FRAME_UNLABELED },
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (*files[i].path && frame_read(files[i].frame, &c->roles, files[i].path, files[i].kind, message, sizeof message))
            return lth_fail(c->host, LTH_INVALID, "%s", message); /* not LTH_IO: nothing is prepared that could yet come */
    lth_status status = split_rows(c);
    if (!status && strcmp(c->normalise, "standard") == 0)
        normalise(c);
    return status;
}

/* ---- Samples ---- */

static lth_status fetch(void *context, const int64_t *indices, int64_t count, lth_batch *batch)
{
    const struct part *p = context;
    const roles *r = &p->data->roles;
    float *x = batch->api->field(batch, "x", NULL);
    void *y = batch->api->field(batch, "y", NULL);
    const size_t features = (size_t)r->features.count, targets = (size_t)r->targets.count;
    for (int64_t i = 0; i < count; i++) {
        size_t row = (size_t)(p->rows ? p->rows[indices[i]] : indices[i]);
        memcpy(x + (size_t)i * features, p->frame->x + row * features, features * sizeof *x);
        if (r->classify)
            ((int64_t *)y)[i] = p->frame->label[row];
        else
            memcpy((float *)y + (size_t)i * targets, p->frame->y + row * targets, targets * sizeof(float));
    }
    return LTH_OK;
}

static void offer(lth_data *data, lth_stage stage, struct part *p)
{
    lth_dataset dataset = { .struct_size = sizeof dataset, .flags = LTH_DATASET_CHEAP | LTH_DATASET_FILLS, .length = p->count, .fetch = fetch };
    if (p->count > 0)
        data->api->dataset(data, stage, &dataset, p);
}

static lth_status setup(void *self, lth_data *data)
{
    struct csv *c = self;
    lth_status status = c->rows ? LTH_OK : load_files(c);
    if (status)
        return status;
    lth_data_field(data, .name = "x", .shape = { LTH_F32, 1, { c->roles.features.count } });
    if (c->roles.classify)
        lth_data_field(data, .name = "y", .shape = { LTH_I64, 0, { 0 } }, .num_classes = c->roles.classes.count);
    else
        lth_data_field(data, .name = "y", .shape = { LTH_F32, 1, { c->roles.targets.count } });
    offer(data, LTH_STAGE_TRAIN, &c->train_part);
    offer(data, LTH_STAGE_VALIDATE, &c->val_part);
    offer(data, LTH_STAGE_TEST, &c->test_part);
    offer(data, LTH_STAGE_PREDICT, &c->predict_part);
    return LTH_OK;
}

LTH_DATAMODULE(csv, .summary = "any table: a delimited text file, its columns features or targets", .options = LTH_OPTIONS(options),
               .init = init, .destroy = destroy, .setup = setup);
LTH_PLUGIN(LTH_DATAMODULE_COMPONENT(csv));
