/* SPDX-License-Identifier: Apache-2.0 */
#include "datamodule.h"

#include "config/schema.h"
#include "trainer/state_io.h"

#include <lthost/lthost.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIELDS = 4, SAMPLES = 8 /* taken at once */, MOST = 1 << 16 /* elements of a field of a batch */ };

/* ---- The host ---- */

static int failures;
static char message[1100];

static lth_status fail(const lth_host *host, lth_status status, const char *file, uint32_t line, const char *text)
{
    (void)host, (void)file, (void)line;
    failures++;
    snprintf(message, sizeof message, "%s", text);
    return status;
}

static void tell(const lth_host *host, uint32_t level, const char *text) { (void)host, (void)level, (void)text; }

static const char *folder(const lth_host *host)
{
    (void)host;
    return fuzz_folder();
}

static uint64_t seed(const lth_host *host)
{
    (void)host;
    return 7;
}

static const lth_host_api host_api = { .struct_size = sizeof host_api,
                                       .api_major = LTH_API_MAJOR,
                                       .api_minor = LTH_API_MINOR,
                                       .fail = fail,
                                       .message = tell,
                                       .run_dir = folder,
                                       .plugin_dir = folder,
                                       .seed = seed };
static const lth_host host = { &host_api };

/* ---- What setup declares ---- */

typedef struct offer {
    lth_data data;
    lth_stage stage;
    lth_field fields[FIELDS];
    uint32_t field_count;
    lth_dataset sets[LTH_STAGE_SANITY];
    void *contexts[LTH_STAGE_SANITY];
} offer;

static void take_field(lth_data *d, const lth_field *field)
{
    offer *o = (offer *)d;
    FUZZ_CHECK(o->field_count < FIELDS && field->shape.rank >= 0 && field->shape.rank < LTH_MAX_RANK);
    o->fields[o->field_count++] = *field;
}

static void take_dataset(lth_data *d, lth_stage stage, const lth_dataset *set, void *context)
{
    offer *o = (offer *)d;
    FUZZ_CHECK(stage < LTH_STAGE_SANITY && set->length > 0 && set->fetch);
    o->sets[stage] = *set;
    o->contexts[stage] = context;
}

static lth_stage stage_of(lth_data *d) { return ((offer *)d)->stage; }

static lth_status data_fail(lth_data *d, lth_status status, const char *text)
{
    (void)d;
    return fail(NULL, status, NULL, 0, text);
}

/* ---- Samples ---- */

typedef struct batch {
    lth_batch head;
    const offer *o;
    int64_t count;
    void *at[FIELDS];
} batch;

static void *batch_field(lth_batch *b, const char *name, lth_shape *shape)
{
    (void)shape;
    batch *own = (batch *)b;
    for (uint32_t i = 0; i < own->o->field_count; i++)
        if (strcmp(own->o->fields[i].name, name) == 0)
            return own->at[i];
    return NULL;
}

static int64_t batch_epoch(lth_batch *b)
{
    (void)b;
    return 3;
}

static uint64_t batch_seed(lth_batch *b)
{
    (void)b;
    return 11;
}

static void check_classes(const lth_field *f, const void *at, int64_t elements)
{
    for (int64_t i = 0; f->num_classes && f->shape.dtype == LTH_I64 && i < elements; i++) {
        int64_t class = ((const int64_t *)at)[i];
        FUZZ_CHECK(class >= 0 && class < f->num_classes);
    }
}

static void take_samples(const offer *o, lth_stage stage, int64_t first, int64_t count)
{
    static const lth_batch_api api = {
        .struct_size = sizeof api, .field = batch_field, .epoch = batch_epoch, .seed = batch_seed
    };
    batch b = { .head = { &api }, .o = o, .count = count };
    int64_t indices[SAMPLES], elements[FIELDS];
    for (int64_t i = 0; i < count; i++)
        indices[i] = first + i;
    for (uint32_t i = 0; i < o->field_count; i++) {
        elements[i] = count * lth_shape_count(&o->fields[i].shape);
        b.at[i] = elements[i] <= MOST
                      ? calloc((size_t)elements[i] + !elements[i], (size_t)lth_dtype_size(o->fields[i].shape.dtype))
                      : NULL;
    }
    bool small = true;
    for (uint32_t i = 0; i < o->field_count; i++)
        small = small && b.at[i];
    if (small && o->sets[stage].fetch(o->contexts[stage], indices, count, &b.head) == LTH_OK && stage != LTH_STAGE_PREDICT)
        for (uint32_t i = 0; i < o->field_count; i++)
            check_classes(&o->fields[i], b.at[i], elements[i]);
    for (uint32_t i = 0; i < o->field_count; i++)
        free(b.at[i]);
}

static void use(const lth_datamodule *table, void *self, lth_stage stage)
{
    static const lth_data_api api = {
        .struct_size = sizeof api, .field = take_field, .dataset = take_dataset, .stage = stage_of, .fail = data_fail
    };
    offer o = { .data = { &api }, .stage = stage };
    failures = 0;
    lth_status status = table->setup(self, &o.data);
    FUZZ_CHECK((status != LTH_OK) == (failures > 0) && failures <= 1);
    for (lth_stage s = 0; s < LTH_STAGE_SANITY && status == LTH_OK; s++) {
        int64_t length = o.sets[s].length;
        if (length > 0) {
            take_samples(&o, s, 0, length < SAMPLES ? length : SAMPLES);
            take_samples(&o, s, length - 1, 1);
        }
    }
}

/* ---- State, and predictions ---- */

static void save_and_load(const lth_datamodule *table, void *self)
{
    state_writer w;
    state_reader r;
    error e = { 0 };
    json_t *state = json_object();
    if (!table->save || !table->load) {
        json_decref(state);
        return;
    }
    state_writer_begin(&w, state, "data", NULL, NULL);
    FUZZ_CHECK(table->save(self, &w.abi) == LTH_OK && state_writer_end(&w, &e) == LTH_OK);
    state_reader_begin(&r, state, NULL);
    FUZZ_CHECK(table->load(self, &r.abi, table->state_version) == LTH_OK && state_reader_end(&r, &e) == LTH_OK);
    json_object_clear(state); /* of another run */
    failures = 0;
    state_reader_begin(&r, state, NULL);
    FUZZ_CHECK(table->load(self, &r.abi, table->state_version) != LTH_OK && failures == 1);
    state_reader_end(&r, &e);
    json_decref(state);
}

static void predict(const lth_datamodule *table, void *self)
{
    static const int64_t tokens[] = { 0, 1, 2, 300, -1, INT64_MIN };
    const lth_shape shape = { LTH_I64, 2, { 2, 3 } }, logits = { LTH_F32, 3, { 1, 1, 1 } };
    if (!table->predicted)
        return;
    FUZZ_CHECK(table->predicted(self, "tokens", &shape, tokens) == LTH_OK);
    FUZZ_CHECK(table->predicted(self, "logits", &logits, tokens) == LTH_OK);
}

/* ---- The instance ---- */

static void fill(const lth_datamodule *table, void *self, const str *section, arena *memory)
{
    diagnostics d = { 0 };
    const schema_part part = { &table->options, self };
    config *c = config_load_text("options", str_text(section), section->length, NULL, 0, &d);
    schema_fill(c, config_find(c, "data"), "data", &part, 1, memory, &d);
    FUZZ_CHECK(d.error_count == 0); /* the options are the target's own */
    diagnostics_free(&d);
    config_free(c);
}

static bool is_required(const lth_options *options, const char *name)
{
    const schema_part part = { options, NULL };
    lth_option o;
    return schema_find(&part, 1, name, &o, NULL) && o.flags & LTH_OPTION_REQUIRED;
}

void fuzz_datamodule(const char *options, const char *const *files, const uint8_t *data, size_t size)
{
    const lth_datamodule *table = lth_plugin_entry_v1()->components[0].vtable;
    fuzz_parts rest = { data, size, 0 };
    const uint8_t *part;
    size_t part_size;
    arena memory = { 0 };
    str section = { 0 };
    str_printf(&section, "[data]\n%s", options);
    for (int i = 0; files[i]; i++)
        if (fuzz_next(&rest, &part, &part_size))
            str_printf(&section, "%s = %s\n", files[i], fuzz_file(i, part, part_size));
        else if (is_required(&table->options, files[i]))
            str_printf(&section, "%s = %s\n", files[i], fuzz_file(i, "", 0));
    void *self = calloc(1, table->instance_size);
    FUZZ_CHECK(self);
    fill(table, self, &section, &memory);
    if (!table->init || table->init(self, &host) == LTH_OK) {
        use(table, self, LTH_STAGE_TRAIN);
        if (!failures) {
            use(table, self, LTH_STAGE_PREDICT);
            predict(table, self);
            save_and_load(table, self);
        }
    }
    if (table->destroy)
        table->destroy(self);
    free(self);
    str_free(&section);
    arena_free(&memory);
}
