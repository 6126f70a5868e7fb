/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int64_t size_of(int64_t index) { return 1 + index * 5 % 9; }

/* ---- The dataset ---- */

static void fill_row(fixture *f, lth_batch *b, int64_t row, int64_t sample)
{
    lth_shape shape;
    int64_t *index = b->api->field(b, "index", NULL);
    float *x = b->api->field(b, "x", &shape);
    index[row] = sample;
    for (int64_t k = 0; k < shape.dim[1] && !(f->skips && sample >= f->skips); k++)
        x[row * shape.dim[1] + k] = (float)sample;
    if (f->overruns)
        ((char *)x)[shape.dim[0] * shape.dim[1] * 4] = 1;
    if (f->varies) {
        int32_t *t = b->api->field(b, "t", &shape);
        for (int64_t k = 0; k < size_of(sample); k++)
            t[row * shape.dim[1] + k] = (int32_t)sample;
    }
}

static lth_status collate(fixture *f, lth_batch *b, const int64_t *samples, int64_t count)
{
    if (f->collates) {
        int64_t longest = 0;
        for (int64_t i = 0; i < count; i++)
            longest = size_of(samples[i]) > longest ? size_of(samples[i]) : longest;
        lth_shape shape = { LTH_I32, 2, { count, longest } };
        if (!b->api->reshape(b, "t", &shape))
            return LTH_ERROR;
        int64_t *length = b->api->field(b, "t_length", NULL);
        for (int64_t i = 0; i < count; i++)
            length[i] = size_of(samples[i]);
    }
    for (int64_t i = 0; i < count; i++) {
        if (f->delay)
            usleep((useconds_t)(f->delay * (samples[i] % 3)));
        if (f->fails_at && samples[i] == f->fails_at)
            return b->api->fail(b, LTH_IO, "cannot read 'scan-0042.png': it is cut short");
        fill_row(f, b, i, samples[i]);
    }
    atomic_fetch_add(&f->fetched, count);
    return LTH_OK;
}

static lth_status fetch(void *context, const int64_t *indices, int64_t count, lth_batch *b)
{
    return collate(context, b, indices, count);
}

static int64_t sample_size(void *context, int64_t index)
{
    (void)context;
    return size_of(index);
}

static lth_status next(void *context, lth_reference *r)
{
    fixture *f = context;
    if (f->position == f->length)
        return LTH_END;
    atomic_fetch_add(&f->nexts, 1);
    r->word[0] = (uint64_t)(f->stream_epoch * 1000 + f->position++);
    return LTH_OK;
}

static lth_status rewind_stream(void *context, int64_t epoch)
{
    fixture *f = context;
    f->position = 0;
    f->stream_epoch = epoch;
    return LTH_OK;
}

static lth_status decode(void *context, const lth_reference *references, int64_t count, lth_batch *b)
{
    int64_t samples[64];
    for (int64_t i = 0; i < count; i++)
        samples[i] = (int64_t)references[i].word[0];
    return collate(context, b, samples, count);
}

static lth_status save_stream(void *context, lth_writer *w)
{
    fixture *f = context;
    lth_put_i64(w, "position", f->position);
    return LTH_OK;
}

static lth_status load_stream(void *context, lth_reader *r)
{
    fixture *f = context;
    return lth_get_i64(r, "position", &f->position) ? LTH_OK : LTH_INVALID;
}

static lth_status setup(void *self, lth_data *d)
{
    fixture *f = *(fixture **)self;
    lth_data_field(d, .name = "index", .shape = { LTH_I64, 0, { 0 } });
    lth_data_field(d, .name = "x", .shape = { LTH_F32, 1, { 3 } });
    if (f->varies)
        lth_data_field(d, .name = "t", .shape = { LTH_I32, 1, { -1 } }, .pad = -7);
    lth_dataset set = {
        .struct_size = sizeof set, .flags = (f->cheap ? LTH_DATASET_CHEAP : 0) | (f->fills ? LTH_DATASET_FILLS : 0), .length = f->length, .weight = f->weight
    };
    if (f->stream) {
        set.next = next;
        set.rewind = rewind_stream;
        set.decode = decode;
        set.length = f->unknown_length ? -1 : f->length;
        set.save = f->can_save ? save_stream : NULL;
        set.load = f->can_save ? load_stream : NULL;
    } else {
        set.fetch = fetch;
        set.size = f->varies && !f->collates ? sample_size : NULL;
    }
    for (lth_stage s = LTH_STAGE_TRAIN; s <= LTH_STAGE_PREDICT; s++)
        d->api->dataset(d, s, &set, f);
    return LTH_OK;
}

static const lth_datamodule module = { .struct_size = sizeof module, .id = "counting", .setup = setup };

static void started(void *context)
{
    fixture *f = context;
    atomic_fetch_add(&f->started, 1);
}

/* ---- Opening ---- */

data_options default_options(void)
{
    return (
        data_options) { .batch_size = 8, .shuffle = "auto", .workers = 0, .prefetch = 2, .sampler = "auto", .replacement = true };
}

void fixture_open(fixture *f)
{
    error e = { 0 };
    static fixture *self;
    self = f;
    if (!f->options.batch_size)
        f->options = default_options();
    data_args args = { .module = &module,
                       .self = &self,
                       .options = &f->options,
                       .seed = f->seed ? f->seed : 42,
                       .rank = f->rank,
                       .world = f->world ? f->world : 1,
                       .thread_started = started,
                       .thread_context = f };
    f->module = data_open(&args, &e);
    cr_assert(f->module, "%s", e.text);
    cr_assert_eq(data_setup(f->module, LTH_STAGE_TRAIN, &e), LTH_OK, "%s", e.text);
}

void fixture_close(fixture *f) { data_close(f->module); }

data_loader *fixture_loader(fixture *f, lth_stage stage)
{
    error e = { 0 };
    data_loader_args args = { .stage = stage, .limit = -1 };
    data_loader *l = data_loader_new(f->module, &args, &e);
    cr_assert(l, "%s", e.text);
    return l;
}

/* ---- Reading ---- */

const void *field_of(const data_batch *b, const char *name, lth_shape *shape)
{
    for (uint32_t i = 0; i < b->field_count; i++)
        if (strcmp(b->names[i], name) == 0) {
            if (shape)
                *shape = b->shapes[i];
            return b->data[i];
        }
    cr_assert(false, "no field %s", name);
    return NULL;
}

int64_t rest_samples(data_loader *l, int64_t *out, int64_t room, int64_t *sizes)
{
    error e = { 0 };
    const data_batch *b;
    int64_t count = 0;
    lth_status status;
    while (!(status = data_loader_next(l, &b, &e))) {
        lth_shape shape;
        const int64_t *index = field_of(b, "index", &shape);
        const float *x = field_of(b, "x", NULL);
        cr_assert_eq(shape.dim[0], b->size);
        for (int64_t i = 0; i < b->size && count < room; i++) {
            cr_assert_eq((int64_t)x[3 * i + 2], index[i]);
            out[count++] = index[i];
        }
        if (sizes)
            *sizes++ = b->size;
    }
    cr_assert_eq(status, LTH_END, "%s", e.text);
    if (sizes)
        *sizes = 0;
    return count;
}

int64_t epoch_samples(data_loader *l, int64_t epoch, int64_t position, int64_t *out, int64_t room, int64_t *sizes)
{
    error e = { 0 };
    cr_assert_eq(data_loader_start(l, epoch, position, &e), LTH_OK, "%s", e.text);
    return rest_samples(l, out, room, sizes);
}

/* ---- State ---- */

static memory_state *of_writer(lth_writer *w) { return (memory_state *)w; }

static memory_state *of_reader(lth_reader *r) { return (memory_state *)((char *)r - offsetof(memory_state, reader)); }

static void put_i64(lth_writer *w, const char *key, int64_t value)
{
    memory_state *m = of_writer(w);
    snprintf(m->at[m->count].key, sizeof m->at[0].key, "%s", key);
    m->at[m->count++].value = value;
}

static void put_string(lth_writer *w, const char *key, const char *value)
{
    put_i64(w, key, 0);
    snprintf(of_writer(w)->at[of_writer(w)->count - 1].text, sizeof of_writer(w)->at[0].text, "%s", value);
}

static bool get_i64(lth_reader *r, const char *key, int64_t *value)
{
    memory_state *m = of_reader(r);
    for (int i = 0; i < m->count; i++)
        if (strcmp(m->at[i].key, key) == 0)
            return *value = m->at[i].value, true;
    return false;
}

static bool get_string(lth_reader *r, const char *key, const char **value)
{
    memory_state *m = of_reader(r);
    for (int i = 0; i < m->count; i++)
        if (strcmp(m->at[i].key, key) == 0)
            return *value = m->at[i].text, true;
    return false;
}

void memory_state_begin(memory_state *m)
{
    static const lth_writer_api writer = { .struct_size = sizeof writer, .put_i64 = put_i64, .put_string = put_string };
    static const lth_reader_api reader = { .struct_size = sizeof reader, .get_i64 = get_i64, .get_string = get_string };
    *m = (memory_state) { .writer = { &writer }, .reader = { &reader } };
}
