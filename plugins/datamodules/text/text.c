/* SPDX-License-Identifier: Apache-2.0
 * text: a text file as a sequence of characters, or of bytes: windows of it, and what follows each of their tokens.
 *
 * A sample: x (T) i64, tokens; y (T) i64, the token after each of them. To predict: x is the prompt, and y is 0. */
#include "tokens.h"

#include <errno.h>
#include <lthost/datamodule.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct text;

/* The windows of a stage. */
struct part {
    const struct text *data;
    const uint32_t *at; /* `count` tokens */
    int64_t count, windows;
    bool random;
};

struct text {
    const char *path, *val_path, *test_path, *vocabulary, *windows, *prompt;
    int64_t context, epoch_windows, samples;
    double val_split;
    const lth_host *host;
    struct vocabulary known;
    tokens first, val, test, prompted;
    struct part train_part, val_part, test_part, prompt_part;
};

static const lth_option options[] = {
    LTH_OPTION(struct text, path, NULL, NULL, "the text, plain or gzip", .flags = LTH_OPTION_REQUIRED | LTH_OPTION_PATH),
    LTH_OPTION(struct text, vocabulary, "characters", "characters|bytes", "what a token is"),
    LTH_OPTION(struct text, context, "64", "1..16777216", "tokens a sample"),
    LTH_OPTION(struct text, windows, "random", "random|contiguous",
               "where training samples begin: anywhere, or one behind the other"),
    LTH_OPTION(struct text, epoch_windows, "0", "0..",
               "windows = random: samples an epoch; 0: as many as windows one behind the other"),
    LTH_OPTION(struct text, val_split, "0.1", "[0..1)",
               "share of the text, its end, that is held out, unless val_path gives another"),
    LTH_OPTION(struct text, val_path, "", NULL, "a text to validate with", .flags = LTH_OPTION_PATH),
    LTH_OPTION(struct text, test_path, "", NULL, "a text to test with; empty: that of validation", .flags = LTH_OPTION_PATH),
    LTH_OPTION(struct text, prompt, "\"\\n\"", NULL, "the text to go on from, for predict"),
    LTH_OPTION(struct text, samples, "1", "1..1000000", "for predict: how often to go on from the prompt"),
};

static lth_status init(void *self, const lth_host *host)
{
    struct text *d = self;
    d->host = host;
    d->known.bytes = strcmp(d->vocabulary, "bytes") == 0;
    if (d->epoch_windows && strcmp(d->windows, "random") != 0)
        return lth_fail(host, LTH_INVALID, "epoch_windows is for windows = random; contiguous ones are as many as there are");
    return LTH_OK;
}

static void destroy(void *self)
{
    struct text *d = self;
    tokens *const lists[] = { &d->first, &d->val, &d->test, &d->prompted };
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        tokens_free(lists[i]);
    vocabulary_free(&d->known);
}

/* ---- Files ---- */

/* The first file makes the vocabulary. */
static lth_status read_tokens(struct text *d, tokens *t, const char *path)
{
    char message[1024], *text;
    complaint c = { path, message, sizeof message };
    int64_t size;
    int wrong = text_read(path, &text, &size, &c);
    if (!wrong && !d->known.code)
        wrong = vocabulary_make(&d->known, text, size, &c);
    if (!wrong)
        wrong = tokens_make(t, &d->known, text, size, &c);
    free(text);
    return wrong ? lth_fail(d->host, LTH_INVALID, "%s", message)
                 : LTH_OK; /* not LTH_IO: nothing is prepared that could yet come */
}

static lth_status read_prompt(struct text *d)
{
    char message[1024];
    complaint c = { "prompt", message, sizeof message };
    if (tokens_make(&d->prompted, &d->known, d->prompt, (int64_t)strlen(d->prompt), &c))
        return lth_fail(d->host, LTH_INVALID, "%s", message);
    if (d->prompted.count == 0)
        return lth_fail(d->host, LTH_INVALID, "prompt is empty: there is nothing to go on from");
    d->prompt_part = (struct part) { d, d->prompted.at, d->prompted.count, d->samples, false };
    return LTH_OK;
}

/* A window needs the token behind it, too. */
static lth_status cut(struct text *d, struct part *p, const char *path, const uint32_t *at, int64_t count)
{
    *p = (struct part) { d, at, count, count > 0 ? (count - 1) / d->context : 0, false };
    if (count > 0 && p->windows == 0)
        return lth_fail(d->host, LTH_INVALID, "%s: %lld tokens are too few for a sample: context = %lld needs %lld", path,
                        (long long)count, (long long)d->context, (long long)d->context + 1);
    return LTH_OK;
}

static lth_status cut_all(struct text *d)
{
    int64_t train = *d->val_path ? d->first.count : (int64_t)((1 - d->val_split) * (double)d->first.count);
    if (train == 0)
        return lth_fail(d->host, LTH_INVALID, "%s: there is no text to train on", d->path);
    lth_status status = cut(d, &d->train_part, d->path, d->first.at, train);
    if (!status && *d->val_path)
        status = cut(d, &d->val_part, d->val_path, d->val.at, d->val.count);
    else if (!status)
        status = cut(d, &d->val_part, d->path, d->first.at + train, d->first.count - train);
    d->test_part = d->val_part;
    if (!status && *d->test_path)
        status = cut(d, &d->test_part, d->test_path, d->test.at, d->test.count);
    d->train_part.random = strcmp(d->windows, "random") == 0;
    if (d->epoch_windows)
        d->train_part.windows = d->epoch_windows;
    return status;
}

static lth_status load_files(struct text *d)
{
    lth_status status = read_tokens(d, &d->first, d->path);
    if (!status && *d->val_path)
        status = read_tokens(d, &d->val, d->val_path);
    if (!status && *d->test_path)
        status = read_tokens(d, &d->test, d->test_path);
    return status ? status : cut_all(d);
}

/* ---- Samples ---- */

/* Where a window begins. A random one is drawn, with replacement, by seed, epoch and sample, whatever thread fetches it. */
static int64_t begin_of(const struct part *p, int64_t index, lth_batch *batch)
{
    const int64_t places = p->count - p->data->context;
    if (!p->random)
        return index * p->data->context;
    lth_philox r = lth_philox_at(batch->api->seed(batch), (uint32_t)index, (uint32_t)(index >> 32),
                                 (uint32_t)batch->api->epoch(batch), LTH_STREAM_USER);
    uint64_t word = ((uint64_t)r.word[0] << 32 | r.word[1]) >> 11;
    return (int64_t)((double)word * 0x1p-53 * (double)places);
}

static lth_status fetch(void *context, const int64_t *indices, int64_t count, lth_batch *batch)
{
    const struct part *p = context;
    const int64_t length = p->data->context;
    int64_t *x = batch->api->field(batch, "x", NULL), *y = batch->api->field(batch, "y", NULL);
    for (int64_t i = 0; i < count; i++) {
        const uint32_t *window = p->at + begin_of(p, indices[i], batch);
        for (int64_t k = 0; k < length; k++) {
            x[i * length + k] = window[k];
            y[i * length + k] = window[k + 1];
        }
    }
    return LTH_OK;
}

static lth_status fetch_prompt(void *context, const int64_t *indices, int64_t count, lth_batch *batch)
{
    const struct part *p = context;
    int64_t *x = batch->api->field(batch, "x", NULL);
    (void)indices;
    for (int64_t i = 0; i < count * p->count; i++)
        x[i] = p->at[i % p->count];
    return LTH_OK;
}

static void offer(lth_data *data, lth_stage stage, struct part *p)
{
    bool prompt = stage == LTH_STAGE_PREDICT;
    lth_dataset dataset = {
        .struct_size = sizeof dataset, .flags = LTH_DATASET_CHEAP | LTH_DATASET_FILLS, .length = p->windows, .fetch = prompt ? fetch_prompt : fetch
    };
    if (p->windows > 0)
        data->api->dataset(data, stage, &dataset, p);
}

static lth_status setup(void *self, lth_data *data)
{
    struct text *d = self;
    bool predict = data->api->stage(data) == LTH_STAGE_PREDICT;
    lth_status status = d->first.at ? LTH_OK : load_files(d);
    if (!status && predict && !d->prompted.at)
        status = read_prompt(d);
    if (status)
        return status;
    const lth_shape shape = { LTH_I64, 1, { predict ? d->prompted.count : d->context } };
    lth_data_field(data, .name = "x", .shape = shape, .num_classes = d->known.count);
    lth_data_field(data, .name = "y", .shape = shape, .num_classes = d->known.count);
    if (predict) {
        offer(data, LTH_STAGE_PREDICT, &d->prompt_part);
        return LTH_OK;
    }
    offer(data, LTH_STAGE_TRAIN, &d->train_part);
    offer(data, LTH_STAGE_VALIDATE, &d->val_part);
    offer(data, LTH_STAGE_TEST, &d->test_part);
    return LTH_OK;
}

/* ---- Predictions ---- */

/* Tokens (samples, T) as text, a line between two samples, in the run's `name`.txt. */
static lth_status predicted(void *self, const char *name, const lth_shape *shape, const void *data)
{
    const struct text *d = self;
    char path[4096];
    if (shape->dtype != LTH_I64 || shape->rank != 2)
        return LTH_OK; /* logits, say */
    snprintf(path, sizeof path, "%s/%s.txt", d->host->api->run_dir(d->host), name);
    FILE *file = fopen(path, "wb");
    if (!file)
        return lth_fail(d->host, LTH_IO, "cannot write '%s': %s", path, strerror(errno));
    bool good = true;
    for (int64_t i = 0; i < shape->dim[0] && good; i++) {
        size_t size;
        char *text = tokens_text(&d->known, (const int64_t *)data + i * shape->dim[1], shape->dim[1], &size);
        good =
            text && fwrite(text, 1, size, file) == size && fputs(i + 1 < shape->dim[0] ? "\n---------------\n" : "\n", file) >= 0;
        free(text);
    }
    if (fclose(file) != 0 || !good)
        return lth_fail(d->host, LTH_IO, "cannot write '%s': %s", path, strerror(errno));
    lth_info(d->host, "%lld texts: %s", (long long)shape->dim[0], path);
    return LTH_OK;
}

/* ---- State: a model's classes are characters by this vocabulary alone ---- */

static lth_status save(void *self, lth_writer *writer)
{
    const struct text *d = self;
    size_t size;
    int64_t *all = malloc((size_t)d->known.count * sizeof *all);
    for (int64_t i = 0; all && i < d->known.count; i++)
        all[i] = i;
    char *text = all && !d->known.bytes ? tokens_text(&d->known, all, d->known.count, &size) : NULL;
    free(all);
    if (!d->known.bytes && !text)
        return lth_fail(d->host, LTH_NO_MEMORY, "no memory for the vocabulary");
    lth_put_string(writer, "vocabulary", text ? text : "");
    free(text);
    return LTH_OK;
}

static lth_status load(void *self, lth_reader *reader, uint32_t version)
{
    const struct text *d = self;
    char message[1024];
    complaint c = { d->path, message, sizeof message };
    struct vocabulary saved = { .bytes = d->known.bytes };
    const char *text = "";
    (void)version;
    if (!lth_get_string(reader, "vocabulary", &text))
        return lth_fail(d->host, LTH_INVALID, "the checkpoint has no vocabulary");
    if (d->known.bytes != !*text)
        return lth_fail(d->host, LTH_INVALID, "vocabulary = %s, but the checkpoint's model was trained on %s", d->vocabulary,
                        d->known.bytes ? "characters" : "bytes");
    if (vocabulary_make(&saved, text, (int64_t)strlen(text), &c))
        return lth_fail(d->host, LTH_INVALID, "%s", message);
    bool same = saved.count == d->known.count && memcmp(saved.code, d->known.code, (size_t)saved.count * sizeof *saved.code) == 0;
    vocabulary_free(&saved);
    return same ? LTH_OK
                : lth_fail(d->host, LTH_INVALID,
                           "%s has other characters than the text that the checkpoint's model was trained on", d->path);
}

LTH_DATAMODULE(text, .summary = "a text file as characters or bytes", .options = LTH_OPTIONS(options), .init = init,
               .destroy = destroy, .save = save, .load = load, .setup = setup, .predicted = predicted);
LTH_PLUGIN(LTH_DATAMODULE_COMPONENT(text));
