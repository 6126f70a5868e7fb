/* SPDX-License-Identifier: Apache-2.0
 * Drives loaders with threads under the thread sanitizer: epochs read whole, left early, saved meanwhile, failing. */
#include "data/data.h"

#include <stdio.h>
#include <string.h>

typedef struct source {
    int64_t length, position, fails_at;
    bool stream;
} source;

static lth_status fill(source *s, const int64_t *samples, int64_t count, lth_batch *b)
{
    int64_t *x = b->api->field(b, "x", NULL);
    for (int64_t i = 0; i < count; i++) {
        if (samples[i] == s->fails_at)
            return b->api->fail(b, LTH_IO, "unreadable");
        x[i] = samples[i];
    }
    return LTH_OK;
}

static lth_status fetch(void *context, const int64_t *indices, int64_t count, lth_batch *b)
{
    return fill(context, indices, count, b);
}

static lth_status next(void *context, lth_reference *r)
{
    source *s = context;
    if (s->position == s->length)
        return LTH_END;
    r->word[0] = (uint64_t)s->position++;
    return LTH_OK;
}

static lth_status decode(void *context, const lth_reference *references, int64_t count, lth_batch *b)
{
    int64_t samples[4];
    for (int64_t i = 0; i < count; i++)
        samples[i] = (int64_t)references[i].word[0];
    return fill(context, samples, count, b);
}

static lth_status rewind_stream(void *context, int64_t epoch)
{
    (void)epoch;
    ((source *)context)->position = 0;
    return LTH_OK;
}

static lth_status save(void *context, lth_writer *w)
{
    lth_put_i64(w, "position", ((source *)context)->position);
    return LTH_OK;
}

static lth_status load(void *context, lth_reader *r)
{
    return lth_get_i64(r, "position", &((source *)context)->position) ? LTH_OK : LTH_ERROR;
}

static lth_status setup(void *self, lth_data *d)
{
    source *s = self;
    lth_dataset set = { .struct_size = sizeof set, .length = s->length, .fetch = fetch };
    if (s->stream)
        set = (lth_dataset) { .struct_size = sizeof set,
                              .length = -1,
                              .next = next,
                              .decode = decode,
                              .rewind = rewind_stream,
                              .save = save,
                              .load = load };
    lth_data_field(d, .name = "x", .shape = { LTH_I64, 0, { 0 } });
    d->api->dataset(d, LTH_STAGE_TRAIN, &set, s);
    return LTH_OK;
}

static void ignore_i64(lth_writer *w, const char *key, int64_t value) { (void)w, (void)key, (void)value; }

static void ignore_string(lth_writer *w, const char *key, const char *value) { (void)w, (void)key, (void)value; }

static int64_t run_epoch(data_loader *l, int64_t epoch, int64_t leave_after)
{
    static const lth_writer_api nowhere = { .struct_size = sizeof nowhere, .put_i64 = ignore_i64, .put_string = ignore_string };
    lth_writer writer = { &nowhere };
    error e = { 0 };
    const data_batch *b;
    int64_t sum = 0;
    if (data_loader_start(l, epoch, 0, &e))
        return -1;
    for (int64_t i = 0; i != leave_after && !data_loader_next(l, &b, &e); i++) {
        for (int64_t k = 0; k < b->size; k++)
            sum += ((const int64_t *)b->data[0])[k];
        if (i % 3 == 0)
            data_loader_save(l, &writer, &e);
    }
    return sum;
}

int main(void)
{
    static const lth_datamodule module = { .struct_size = sizeof module, .id = "races", .setup = setup };
    data_options options = {
        .batch_size = 4, .shuffle = "auto", .workers = 4, .prefetch = 2, .sampler = "auto", .replacement = true
    };
    for (int k = 0; k < 4; k++) {
        source s = { .length = 1200, .fails_at = k / 2 ? 1000 : -1, .stream = k % 2 };
        error e = { 0 };
        data_args args = { .module = &module, .self = &s, .options = &options, .seed = 1, .world = 1 };
        data_loader_args loader = { .stage = LTH_STAGE_TRAIN, .limit = -1 };
        data_module *m = data_open(&args, &e);
        data_loader *l = !m || data_setup(m, LTH_STAGE_TRAIN, &e) ? NULL : data_loader_new(m, &loader, &e);
        if (!l)
            return printf("%s\n", e.text), 1;
        for (int64_t epoch = 0; epoch < 10; epoch++) {
            int64_t sum = run_epoch(l, epoch, epoch % 3 == 2 ? epoch * 5 : -1);
            if (k < 2 && epoch % 3 != 2 && sum != 1200 * 1199 / 2)
                return printf("an epoch's samples add up to %lld\n", (long long)sum), 1;
        }
        run_epoch(l, 10, 7);
        data_loader_free(l);
        data_close(m);
    }
    return 0;
}
