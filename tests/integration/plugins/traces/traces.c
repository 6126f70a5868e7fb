/* SPDX-License-Identifier: Apache-2.0
 * traces: samples that are a formula of their index and place, those of tests/golden/traces.py. */
#include <lthost/lthost.h>

#include <string.h>

struct traces {
    lth_int_list shape;
    int64_t vocabulary, classes, noise, samples;
    bool padded, next;
};

static const lth_option options[] = {
    LTH_OPTION(struct traces, shape, NULL, "1..", "of x", .flags = LTH_OPTION_REQUIRED),
    LTH_OPTION(struct traces, vocabulary, "0", "0..97", "x is tokens of so many; 0: numbers in -1..1"),
    LTH_OPTION(struct traces, padded, "false", NULL, "the last i % 4 tokens of sample i are 0, and no other"),
    LTH_OPTION(struct traces, next, "false", NULL, "y is the token after each of x"),
    LTH_OPTION(struct traces, classes, "0", "0..", "y is a class of so many; 0: no class"),
    LTH_OPTION(struct traces, noise, "0", "0..", "there is a field z of so many numbers; 0: none"),
    LTH_OPTION(struct traces, samples, "28", "1..", "samples, of every stage"),
};

static int64_t mixed(int64_t i, int64_t k) { return (31 * i * i + 17 * k + 7 * i * k + 5 * k * k) % 97; }

static float number(int64_t i, int64_t k) { return (float)((double)mixed(i, k) / 48 - 1); }

static int64_t token(const struct traces *d, int64_t i, int64_t k, int64_t length)
{
    if (!d->padded)
        return mixed(i, k) % d->vocabulary;
    return k < length - i % 4 ? 1 + mixed(i, k) % (d->vocabulary - 1) : 0;
}

static int64_t elements(const struct traces *d)
{
    int64_t count = 1;
    for (int64_t i = 0; i < d->shape.count; i++)
        count *= d->shape.at[i];
    return count;
}

static lth_status fetch(void *context, const int64_t *indices, int64_t count, lth_batch *batch)
{
    const struct traces *d = context;
    const int64_t length = elements(d);
    void *x = batch->api->field(batch, "x", NULL);
    float *z = batch->api->field(batch, "z", NULL);
    int64_t *y = batch->api->field(batch, "y", NULL);
    for (int64_t row = 0; row < count; row++) {
        const int64_t i = indices[row];
        for (int64_t k = 0; k < length; k++) {
            if (d->vocabulary)
                ((int64_t *)x)[row * length + k] = token(d, i, k, length);
            else
                ((float *)x)[row * length + k] = number(i, k);
            if (d->next)
                y[row * length + k] = token(d, i, k + 1, length);
        }
        if (d->classes)
            y[row] = (7 * i + 3) % d->classes;
        for (int64_t k = 0; k < d->noise; k++)
            z[row * d->noise + k] = number(i, 100 + k);
    }
    return LTH_OK;
}

static lth_status setup(void *self, lth_data *data)
{
    const struct traces *d = self;
    lth_shape shape = { d->vocabulary ? LTH_I64 : LTH_F32, (int32_t)d->shape.count, { 0 } };
    memcpy(shape.dim, d->shape.at, (size_t)d->shape.count * sizeof *shape.dim);
    lth_data_field(data, .name = "x", .shape = shape, .num_classes = d->vocabulary);
    if (d->next)
        lth_data_field(data, .name = "y", .shape = shape, .num_classes = d->vocabulary);
    if (d->classes)
        lth_data_field(data, .name = "y", .shape = { LTH_I64, 0, { 0 } }, .num_classes = d->classes);
    if (d->noise)
        lth_data_field(data, .name = "z", .shape = { LTH_F32, 1, { d->noise } });
    const lth_dataset set = { .struct_size = sizeof set, .flags = LTH_DATASET_CHEAP, .length = d->samples, .fetch = fetch };
    for (lth_stage stage = LTH_STAGE_TRAIN; stage <= LTH_STAGE_PREDICT; stage++)
        data->api->dataset(data, stage, &set, self);
    return LTH_OK;
}

LTH_DATAMODULE(traces, .summary = "a formula's samples", .options = LTH_OPTIONS(options), .setup = setup);
LTH_PLUGIN(LTH_DATAMODULE_COMPONENT(traces));
