/* SPDX-License-Identifier: Apache-2.0 */
#include "help.h"

#include "util/file.h"
#include "util/path.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

char folder[64], warnings[4096];

const char *in_folder(const char *name)
{
    static char paths[8][512];
    static int next;
    next = (next + 1) % 8;
    snprintf(paths[next], sizeof paths[next], "%s/%s", folder, name);
    return paths[next];
}

void make_folder(void)
{
    snprintf(folder, sizeof folder, "/tmp/lthost-checkpoint-XXXXXX");
    cr_assert(mkdtemp(folder));
}

void remove_folder(void) { file_remove_tree(folder, NULL); }

char *read_bytes(const char *path, size_t *size)
{
    char *data;
    error e = { 0 };
    cr_assert_eq(file_read(path, 0, &data, size, &e), LTH_OK, "%s", e.text);
    return data;
}

void write_bytes(const char *path, const void *data, size_t size)
{
    FILE *f = fopen(path, "w");
    cr_assert(f && fwrite(data, 1, size, f) == size);
    fclose(f);
}

static void put(checkpoint_snapshot *s, checkpoint_part part, const char *name, lth_shape shape, double value)
{
    error e = { 0 };
    float *at = checkpoint_snapshot_tensor(s, part, name, &shape, &e);
    cr_assert(at, "%s", e.text);
    for (int64_t i = 0; i < lth_shape_count(&shape); i++)
        at[i] = (float)(value + (double)i);
}

void fill_snapshot(checkpoint_snapshot *s, int64_t step, bool weights_only)
{
    const checkpoint_plugin plugins[] = { { "mlp", "1.2.3", "00ff" }, { "digits", "0.1.0", "abcd" } };
    const checkpoint_facts facts = { .global_step = step,
                                     .epoch = step / 10,
                                     .weights_only = weights_only,
                                     .world = 1,
                                     .host_version = "0.1.0",
                                     .fingerprint = "cpu avx2 threads=2",
                                     .run_ini = "[model]\nuse = mlp\n",
                                     .plugins = plugins,
                                     .plugin_count = 2 };
    error e = { 0 };
    checkpoint_snapshot_begin(s, &facts);
    put(s, CHECKPOINT_MODEL, "fc1.weight", (lth_shape) { LTH_F32, 2, { 3, 2 } }, (double)step);
    put(s, CHECKPOINT_MODEL, "fc1.bias", (lth_shape) { LTH_F32, 1, { 3 } }, (double)step + 0.5);
    if (weights_only)
        return;
    put(s, CHECKPOINT_OPTIMIZER, "adamw/fc1.weight/exp_avg", (lth_shape) { LTH_F32, 2, { 3, 2 } }, (double)step + 0.25);
    json_object_set_new(checkpoint_snapshot_state(s), "loop", json_pack("{s:I}", "global_step", (json_int_t)step));
    lth_writer *w = checkpoint_snapshot_component(s, "callback.c", 7);
    const float shadow[2] = { (float)step, 1 };
    lth_put_i64(w, "step", step);
    lth_put_f64(w, "mean", 0.1 + (double)step);
    w->api->put_tensor(w, "shadow", &(lth_shape) { LTH_F32, 1, { 2 } }, shadow);
    cr_assert_eq(checkpoint_snapshot_component_end(s, &e), LTH_OK, "%s", e.text);
}

lth_status save_one(checkpoint_dir *d, const char *name, int64_t step, bool weights_only, error *e)
{
    checkpoint_snapshot *s = checkpoint_snapshot_new();
    fill_snapshot(s, step, weights_only);
    lth_status status = checkpoint_save(d, name, s, e);
    checkpoint_snapshot_free(s);
    return status;
}

checkpoint_dir *open_dir(void)
{
    checkpoint_dir *d;
    error e = { 0 };
    cr_assert_eq(checkpoint_dir_open(in_folder("checkpoints"), &d, &e), LTH_OK, "%s", e.text);
    return d;
}

static void check_tensor(safetensors_file *f, const char *name, double value)
{
    float values[8];
    error e = { 0 };
    int64_t i = safetensors_find(f, name);
    cr_assert_geq(i, 0, "no tensor '%s'", name);
    cr_assert_eq(safetensors_read(f, (uint32_t)i, values, &e), LTH_OK);
    for (int64_t k = 0; k < lth_shape_count(&safetensors_at(f, (uint32_t)i)->shape); k++)
        cr_assert_eq(values[k], (float)(value + (double)k));
}

int64_t check_whole(checkpoint *c)
{
    const checkpoint_facts *facts = checkpoint_facts_of(c);
    double step = (double)facts->global_step;
    cr_assert_eq(facts->epoch, facts->global_step / 10);
    cr_assert_str_eq(facts->run_ini, "[model]\nuse = mlp\n");
    cr_assert_str_eq(facts->fingerprint, "cpu avx2 threads=2");
    cr_assert_str_eq(facts->plugins[1].id, "digits");
    check_tensor(checkpoint_tensors(c, CHECKPOINT_MODEL), "fc1.weight", step);
    check_tensor(checkpoint_tensors(c, CHECKPOINT_MODEL), "fc1.bias", step + 0.5);
    if (facts->weights_only)
        return facts->global_step;
    check_tensor(checkpoint_tensors(c, CHECKPOINT_OPTIMIZER), "adamw/fc1.weight/exp_avg", step + 0.25);
    cr_assert_eq(json_integer_value(json_object_get(json_object_get(checkpoint_state(c), "loop"), "global_step")),
                 facts->global_step);
    state_reader r;
    uint32_t version;
    int64_t i = 0;
    double mean = 0;
    lth_shape shape;
    const void *shadow;
    error e = { 0 };
    cr_assert(checkpoint_read_component(c, "callback.c", &r, &version));
    cr_assert_eq(version, 7);
    cr_assert(lth_get_i64(&r.abi, "step", &i) && i == facts->global_step);
    cr_assert(lth_get_f64(&r.abi, "mean", &mean) && mean == 0.1 + step);
    cr_assert(r.abi.api->get_tensor(&r.abi, "shadow", &shape, &shadow));
    cr_assert(shape.rank == 1 && shape.dim[0] == 2 && ((const float *)shadow)[0] == (float)step);
    cr_assert_eq(state_reader_end(&r, &e), LTH_OK);
    return facts->global_step;
}

static void gather(void *context, const char *text)
{
    (void)context;
    size_t used = strlen(warnings);
    snprintf(warnings + used, sizeof warnings - used, "%s\n", text);
}

lth_status open_which(const char *which, bool resume, bool quarantine, checkpoint **out, error *e)
{
    warnings[0] = 0;
    const checkpoint_open_args args = {
        .dir = in_folder("checkpoints"), .which = which, .resume = resume, .quarantine = quarantine, .warn = gather
    };
    return checkpoint_open(&args, out, e);
}

/* ---- An engine ---- */

uint32_t engine_tensor_count(const engine *g) { return g->count; }

const engine_tensor *engine_tensor_at(const engine *g, uint32_t index) { return &g->at[index].tensor; }

static size_t bytes_of(const engine_tensor *t) { return (size_t)(lth_shape_count(&t->shape) * lth_dtype_size(t->shape.dtype)); }

lth_status engine_tensor_get(engine *g, uint32_t index, void *out, error *e)
{
    (void)e;
    memcpy(out, g->at[index].values, bytes_of(&g->at[index].tensor));
    return LTH_OK;
}

lth_status engine_tensor_set(engine *g, uint32_t index, const void *data, error *e)
{
    (void)e;
    memcpy(g->at[index].values, data, bytes_of(&g->at[index].tensor));
    return LTH_OK;
}
