/* SPDX-License-Identifier: Apache-2.0
 * bench_data: samples from a formula that peers/batches.py has, too, bit for bit. Number i of a stream is SplitMix64's (Steele,
 * Lea and Flood 2014) for the state 2^40 stream + i; a float is its upper 24 bits as a number in [-2, 2).
 *
 * kind = images: x `shape`, y a class. tokens: x and y `shape` = T tokens of `classes`, y the one after each. diffusion: x and
 * noise `shape`, t a step of `classes`. The first `samples` samples come again and again; an epoch has 2^30. */
#include <lthost/datamodule.h>
#include <stdlib.h>
#include <string.h>

enum { STREAM_X, STREAM_Y, STREAM_NOISE, EPOCH = 1 << 30, CHEAP = 1024 /* bytes of a sample that are copied in no time */ };

struct bench_data {
    const char *kind;
    lth_int_list shape;
    int64_t classes, samples;
    const lth_host *host;
    bool tokens, diffusion;
    int64_t size; /* of x */
    float *x, *noise;
    int64_t *label, *text; /* of a sample: a number; size + 1 tokens */
};

static const lth_option options[] = {
    LTH_OPTION(struct bench_data, kind, "images", "images|tokens|diffusion", "which fields a sample has"),
    LTH_OPTION(struct bench_data, shape, "784", "1..", "of x"),
    LTH_OPTION(struct bench_data, classes, "10", "1..", "classes, tokens or steps of diffusion"),
    LTH_OPTION(struct bench_data, samples, "64", "1..", "samples that differ"),
};

static uint64_t word(uint64_t stream, uint64_t i)
{
    uint64_t z = ((stream << 40) + i + 1) * 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

static float *floats(uint64_t stream, int64_t count)
{
    float *at = malloc((size_t)count * sizeof *at);
    for (int64_t i = 0; at && i < count; i++)
        at[i] = ((float)(word(stream, (uint64_t)i) >> 40) - 8388608.0f) / 4194304.0f;
    return at;
}

static int64_t *whole(uint64_t stream, int64_t count, int64_t below)
{
    int64_t *at = malloc((size_t)count * sizeof *at);
    for (int64_t i = 0; at && i < count; i++)
        at[i] = (int64_t)(word(stream, (uint64_t)i) % (uint64_t)below);
    return at;
}

static lth_status init(void *self, const lth_host *host)
{
    struct bench_data *d = self;
    d->host = host;
    d->tokens = strcmp(d->kind, "tokens") == 0;
    d->diffusion = strcmp(d->kind, "diffusion") == 0;
    d->size = 1;
    for (int64_t i = 0; i < d->shape.count; i++)
        d->size *= d->shape.at[i];
    if (d->shape.count < 1 || d->shape.count > 3 || (d->tokens && d->shape.count != 1))
        return lth_fail(host, LTH_INVALID, "shape has 1 to 3 numbers; with kind = tokens, one");
    return LTH_OK;
}

static void destroy(void *self)
{
    struct bench_data *d = self;
    free(d->x);
    free(d->noise);
    free(d->label);
    free(d->text);
}

static lth_status bench_data_fetch(void *context, const int64_t *indices, int64_t count, lth_batch *batch)
{
    const struct bench_data *d = context;
    const size_t bytes = (size_t)d->size * (d->tokens ? sizeof(int64_t) : sizeof(float));
    char *x = batch->api->field(batch, "x", NULL), *noise = d->diffusion ? batch->api->field(batch, "noise", NULL) : NULL;
    int64_t *y = batch->api->field(batch, d->diffusion ? "t" : "y", NULL);
    for (int64_t i = 0; i < count; i++) {
        const int64_t k = indices[i] % d->samples, *text = d->tokens ? d->text + k * (d->size + 1) : NULL;
        memcpy(x + (size_t)i * bytes, d->tokens ? (const void *)text : (const void *)(d->x + k * d->size), bytes);
        if (d->diffusion)
            memcpy(noise + (size_t)i * bytes, d->noise + k * d->size, bytes);
        if (d->tokens)
            memcpy(y + i * d->size, text + 1, bytes);
        else
            y[i] = d->label[k];
    }
    return LTH_OK;
}

static lth_status setup(void *self, lth_data *data)
{
    struct bench_data *d = self;
    const int64_t all = d->samples * d->size;
    lth_shape x = { d->tokens ? LTH_I64 : LTH_F32, (int32_t)d->shape.count, { 0 } },
              y = { LTH_I64, d->tokens ? 1 : 0, { d->size } };
    memcpy(x.dim, d->shape.at, (size_t)d->shape.count * sizeof *x.dim);
    destroy(d);
    d->x = d->tokens ? NULL : floats(STREAM_X, all);
    d->noise = d->diffusion ? floats(STREAM_NOISE, all) : NULL;
    d->label = d->tokens ? NULL : whole(STREAM_Y, d->samples, d->classes);
    d->text = d->tokens ? whole(STREAM_X, all + d->samples, d->classes) : NULL;
    if (!(d->tokens ? (void *)d->text : (void *)d->x) || (d->diffusion && !d->noise) || (!d->tokens && !d->label))
        return lth_fail(d->host, LTH_NO_MEMORY, "no memory for the samples");
    lth_data_field(data, .name = "x", .shape = x, .num_classes = d->tokens ? d->classes : 0);
    if (d->diffusion)
        lth_data_field(data, .name = "noise", .shape = x);
    lth_data_field(data, .name = d->diffusion ? "t" : "y", .shape = y, .num_classes = d->classes);
    lth_dataset dataset = {
        .struct_size = sizeof dataset, .length = EPOCH, .fetch = bench_data_fetch, .flags = LTH_DATASET_FILLS | (d->size * 8 <= CHEAP ? LTH_DATASET_CHEAP : 0)
    };
    data->api->dataset(data, LTH_STAGE_TRAIN, &dataset, d);
    return LTH_OK;
}

LTH_DATAMODULE(bench_data, .summary = "samples from a formula", .options = LTH_OPTIONS(options), .init = init, .destroy = destroy,
               .setup = setup);
LTH_PLUGIN(LTH_DATAMODULE_COMPONENT(bench_data));
