/* SPDX-License-Identifier: Apache-2.0
 * A checkpoint's manifest, as it is and with its own hash put right; and a state.json, the input's second part, in a checkpoint
 * that is otherwise whole: a run goes on from it, or says why not. */
#include "target.h"

#include "trainer/checkpoint_parts.h"
#include "trainer/session.h"
#include "util/json.h"
#include "util/sha256.h"

#include <stdlib.h>
#include <string.h>

/* ---- The manifest ---- */

static void read_manifest(const void *text, size_t size)
{
    checkpoint_manifest m;
    error e = { 0 };
    fuzz_write(CHECKPOINT_MANIFEST_FILE, text, size);
    lth_status status = checkpoint_manifest_read(fuzz_folder(), &m, &e);
    FUZZ_CHECK((status == LTH_OK) == (e.text[0] == 0));
    if (status != LTH_OK)
        return;
    FUZZ_CHECK(m.facts.host_version && m.facts.fingerprint && m.file_count >= 2);
    for (uint32_t i = 0; i < m.facts.plugin_count; i++)
        FUZZ_CHECK(m.facts.plugins[i].id && m.facts.plugins[i].version && m.facts.plugins[i].sha256);
    status = checkpoint_manifest_verify(&m, fuzz_folder(), &e);
    FUZZ_CHECK((status == LTH_OK) == (e.text[0] == 0));
    checkpoint_manifest_free(&m);
}

static void read_signed(const uint8_t *text, size_t size)
{
    static const char tail[] = "  \"manifest_sha256\": \"";
    const uint8_t *end = size ? memmem(text, size, tail, sizeof tail - 1) : NULL;
    char hash[SHA256_HEX_SIZE];
    str whole = { 0 };
    str_append_bytes(&whole, text, end ? (size_t)(end - text) : size);
    sha256_of(str_text(&whole), whole.length, hash);
    str_printf(&whole, "%s%s\"\n}\n", tail, hash);
    read_manifest(str_text(&whole), whole.length);
    str_free(&whole);
}

/* ---- Something to resume ---- */

typedef struct sample {
    int64_t position;
} sample;

static lth_status fetch(void *context, const int64_t *indices, int64_t count, lth_batch *batch)
{
    (void)context, (void)indices, (void)count, (void)batch;
    return LTH_OK;
}

static lth_status next(void *context, lth_reference *r)
{
    sample *s = context;
    r->word[0] = (uint64_t)s->position;
    return s->position++ < 40 ? LTH_OK : LTH_END;
}

static lth_status rewind_stream(void *context, int64_t epoch)
{
    (void)epoch;
    ((sample *)context)->position = 0;
    return LTH_OK;
}

static lth_status decode(void *context, const lth_reference *references, int64_t count, lth_batch *batch)
{
    (void)context, (void)references, (void)count, (void)batch;
    return LTH_OK;
}

static lth_status save_stream(void *context, lth_writer *w)
{
    lth_put_i64(w, "position", ((sample *)context)->position);
    return LTH_OK;
}

static lth_status load_stream(void *context, lth_reader *r)
{
    sample *s = context;
    return lth_get_i64(r, "position", &s->position) && s->position >= 0 && s->position <= 40 ? LTH_OK : LTH_INVALID;
}

static bool streams;

static lth_status setup(void *self, lth_data *d)
{
    lth_data_field(d, .name = "x", .shape = { LTH_F32, 1, { 2 } });
    const lth_dataset rows = { .struct_size = sizeof rows, .length = 40, .flags = LTH_DATASET_CHEAP, .fetch = fetch };
    const lth_dataset stream = { .struct_size = sizeof stream,
                                 .length = 40,
                                 .flags = LTH_DATASET_CHEAP,
                                 .next = next,
                                 .rewind = rewind_stream,
                                 .decode = decode,
                                 .save = save_stream,
                                 .load = load_stream };
    d->api->dataset(d, LTH_STAGE_TRAIN, streams ? &stream : &rows, self);
    return LTH_OK;
}

static lth_status configure(void *self, lth_setup *setup)
{
    (void)self, (void)setup;
    return LTH_OK;
}

static double rate(void *self, const lth_schedule *at)
{
    (void)self;
    return at->base;
}

static void stop(lth_trainer *t, const char *reason)
{
    (void)t;
    FUZZ_CHECK(reason);
}

/* ---- A run that goes on ---- */

static lth_status put_tensor(void *context, const char *name, const lth_shape *shape, const void *data, error *e)
{
    (void)context, (void)e;
    FUZZ_CHECK(strlen(name) > strlen("again/") && shape->rank == 2 && !memcmp(data, "abcdefgh", 8));
    return LTH_OK;
}

/* Every value of a component by every type that it could be asked for; what is found can be written again. */
static void read_component(checkpoint *c, const char *section, const json_t *values)
{
    state_reader r;
    state_writer w;
    uint32_t version, keys = 0;
    error e = { 0 };
    if (!checkpoint_read_component(c, section, &r, &version))
        return;
    json_t *again = json_object();
    state_writer_begin(&w, again, "again", put_tensor, NULL);
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)values, key, value)
    {
        int64_t i;
        double d;
        const char *text;
        const void *bytes;
        uint64_t size;
        lth_shape shape;
        int found = 0;
        if (r.abi.api->get_i64(&r.abi, key, &i) && ++found)
            lth_put_i64(&w.abi, key, i);
        if (r.abi.api->get_f64(&r.abi, key, &d) && ++found)
            lth_put_f64(&w.abi, key, d);
        if (r.abi.api->get_string(&r.abi, key, &text) && ++found)
            lth_put_string(&w.abi, key, text);
        if (r.abi.api->get_bytes(&r.abi, key, &bytes, &size) && ++found)
            w.abi.api->put_bytes(&w.abi, key, bytes, size);
        if (r.abi.api->get_tensor(&r.abi, key, &shape, &bytes) && ++found)
            w.abi.api->put_tensor(&w.abi, key, &shape, bytes);
        FUZZ_CHECK(found <= 1);
        keys++;
    }
    FUZZ_CHECK(keys == json_object_size(values));
    bool has_empty_key = json_object_get(values, "") != NULL;
    FUZZ_CHECK((state_writer_end(&w, &e) == LTH_OK) || has_empty_key);
    state_reader_end(&r, &e);
    json_decref(again);
}

/* What was taken from one checkpoint goes into the next one, and out of that again. */
static void save_again(session *s)
{
    state_writer w;
    state_reader r;
    error e = { 0 };
    json_t *metrics = metrics_to_json(&s->metrics), *position = json_object();
    FUZZ_CHECK(metrics && metrics_from_json(&s->metrics, metrics, &e) == LTH_OK);
    json_t *second = metrics_to_json(&s->metrics);
    char *a = json_render(metrics, NULL), *b = json_render(second, NULL);
    FUZZ_CHECK(a && b && !strcmp(a, b));
    state_writer_begin(&w, position, "loader", NULL, NULL);
    FUZZ_CHECK(data_loader_save(s->loaders.train, &w.abi, &e) == LTH_OK && state_writer_end(&w, &e) == LTH_OK);
    state_reader_begin(&r, position, NULL);
    FUZZ_CHECK(data_loader_load(s->loaders.train, &r.abi, &e) == LTH_OK && state_reader_end(&r, &e) == LTH_OK);
    json_decref(metrics);
    json_decref(second);
    json_decref(position);
    free(a);
    free(b);
}

/* A session that is no more than what a checkpoint is loaded into: no tensors, an optimizer with a schedule, a loader. */
static void resume(checkpoint *c)
{
    static engine *g;
    static sample position;
    static const lth_datamodule module = { .struct_size = sizeof module, .id = "rows", .setup = setup };
    static const lth_scheduler scheduler = { .struct_size = sizeof scheduler, .rate = rate };
    static const lth_trainer_api api = { .struct_size = sizeof api, .stop = stop };
    const engine_options engine_as = { .floating = LTH_F32 };
    const data_options data_as = { .batch_size = 4, .shuffle = "auto", .sampler = "auto", .replacement = true };
    const data_args args = { .module = &module, .self = &position, .options = &data_as, .seed = 7, .world = 1 };
    double lr = 0.1;
    optimizer_group group = { .lr = &lr, .base_lr = 0.1 };
    optimizer one = { .id = "sgd", .groups = &group, .group_count = 1 };
    const registry_component known = { .id = "constant" };
    component who = { .known = &known, .title = "scheduler", .table = (const lth_component_head *)&scheduler };
    schedule moves = { .who = &who, .table = &scheduler, .options = { .interval = "step", .frequency = 1 } };
    session *s = calloc(1, sizeof *s);
    error e = { 0 };
    FUZZ_CHECK(s);
    if (!g)
        FUZZ_CHECK((g = engine_new(&engine_as, &e)) && engine_configure(g, NULL, 0, configure, NULL, &e) == LTH_OK &&
                   engine_allocate(g, false, &e) == LTH_OK);
    metrics_init(&s->metrics);
    console_init(&s->console);
    s->trainer.api = &api;
    s->engine = g;
    s->optimizers.at = &one;
    s->optimizers.count = 1;
    s->optimizers.schedules = &moves;
    s->optimizers.schedule_count = 1;
    s->lock.fd = -1;
    const data_loader_args loader_as = { .stage = LTH_STAGE_TRAIN, .limit = -1 };
    FUZZ_CHECK((s->datamodule = data_open(&args, &e)) && data_setup(s->datamodule, LTH_STAGE_TRAIN, &e) == LTH_OK &&
               (s->loaders.train = data_loader_new(s->datamodule, &loader_as, &e)));
    lth_status status = resume_loops(s, c, &e);
    FUZZ_CHECK((status == LTH_OK) == (e.text[0] == 0));
    if (status == LTH_OK)
        save_again(s);
    data_loader_free(s->loaders.train);
    data_close(s->datamodule);
    metrics_free(&s->metrics);
    console_free(&s->console);
    arena_free(&s->memory);
    str_free(&s->run_ini);
    free(s->best.name);
    free(s->best.monitor);
    free(s->last_checkpoint);
    free(s->own_checkpoint);
    free(s);
}

/* A folder as checkpoint_save leaves it, around the state. */
static void write_checkpoint(const void *state, size_t size)
{
    static const char empty[] = "\2\0\0\0\0\0\0\0{}", run[] = "[model]\nuse = mlp\n";
    static const char tensors[] = "\x63\0\0\0\0\0\0\0{\"components/callback.c/shadow\": {\"dtype\": \"F32\", \"shape\": [1, 2], "
                                  "\"data_offsets\": [0, 8]}}        abcdefgh";
    const struct {
        const char *name;
        const void *data;
        size_t size;
    } files[] = { { CHECKPOINT_MODEL_FILE, empty, sizeof empty - 1 },
                  { CHECKPOINT_OPTIMIZER_FILE, tensors, sizeof tensors - 1 },
                  { CHECKPOINT_RUN_FILE, run, sizeof run - 1 },
                  { CHECKPOINT_STATE_FILE, state, size } };
    checkpoint_manifest m = { .facts = { .world = 1, .host_version = "0.1.0", .fingerprint = "" }, .sequence = 1 };
    char *text;
    error e = { 0 };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        fuzz_write(files[i].name, files[i].data, files[i].size);
        m.files[i] = (checkpoint_file) { .name = files[i].name, .size = (int64_t)files[i].size };
        sha256_of(files[i].data, files[i].size, m.files[i].sha256);
        m.file_count++;
    }
    FUZZ_CHECK(checkpoint_manifest_render(&m, &text, &size, &e) == LTH_OK);
    fuzz_write(CHECKPOINT_MANIFEST_FILE, text, size);
    free(text);
}

static void open_state(const uint8_t *state, size_t size)
{
    const checkpoint_open_args args = { .dir = fuzz_folder(), .which = fuzz_folder(), .resume = true };
    checkpoint *c;
    error e = { 0 };
    write_checkpoint(state, size);
    lth_status status = checkpoint_open(&args, &c, &e);
    FUZZ_CHECK((status == LTH_OK) == (c != NULL) && (status == LTH_OK) == (e.text[0] == 0));
    if (status != LTH_OK)
        return;
    const char *section;
    json_t *entry;
    json_object_foreach(json_object_get(checkpoint_state(c), "components"), section, entry)
    {
        read_component(c, section, json_object_get(entry, "values"));
    }
    resume(c);
    streams = !streams;
    resume(c);
    streams = !streams;
    checkpoint_close(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_parts rest = { data, size, 0 };
    const uint8_t *part;
    size_t part_size;
    fuzz_next(&rest, &part, &part_size);
    read_manifest(part_size ? (const void *)part : "", part_size);
    read_signed(part, part_size);
    if (fuzz_next(&rest, &part, &part_size))
        open_state(part, part_size);
    return 0;
}
