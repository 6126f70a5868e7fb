/* SPDX-License-Identifier: Apache-2.0 */
#include "help.h"

#include "trainer/weights.h"
#include "util/str.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

TestSuite(weights, .init = make_folder, .fini = remove_folder);

static lth_status append(void *context, const void *data, size_t size, error *e)
{
    (void)e;
    str_append_bytes(context, data, size);
    return LTH_OK;
}

static const char *write_file(const safetensors_tensor *tensors, uint32_t count)
{
    str bytes = { 0 };
    error e = { 0 };
    cr_assert_eq(safetensors_write(tensors, count, NULL, 0, append, &bytes, &e), LTH_OK, "%s", e.text);
    const char *path = in_folder("weights.safetensors");
    write_bytes(path, bytes.at, bytes.length);
    str_free(&bytes);
    return path;
}

static engine small_engine(void)
{
    engine g = { .count = 7,
                 .at = { { .tensor = { "fc.weight", ENGINE_PARAMETER, 0, { LTH_F32, 2, { 1, 2 } } } },
                         { .tensor = { "fc.bias", ENGINE_PARAMETER, LTH_PARAMETER_FROZEN, { LTH_F64, 1, { 1 } } } },
                         { .tensor = { "bn.mean", ENGINE_BUFFER, 0, { LTH_F32, 1, { 1 } } } },
                         { .tensor = { "mask", ENGINE_BUFFER, LTH_BUFFER_TRANSIENT, { LTH_F32, 1, { 1 } } } },
                         { .tensor = { "sgd/fc.weight/momentum", ENGINE_OPTIMIZER_STATE, 0, { LTH_F32, 2, { 1, 2 } } } },
                         { .tensor = { "sgd/fc.weight/accumulated", ENGINE_ACCUMULATOR, 0, { LTH_F32, 2, { 1, 2 } } } },
                         { .tensor = { "val_f1.state", ENGINE_BUFFER, LTH_BUFFER_OF_RUN, { LTH_F32, 1, { 1 } } } } } };
    for (uint32_t i = 0; i < g.count; i++)
        memset(g.at[i].values, (int)(0x11 * (i + 1)), sizeof g.at[i].values);
    return g;
}

static const float pair[2] = { 1.5F, -2.25F };

static void remember(void *context, const char *text) { str_append(context, text); }

Test(weights, of_any_floating_type_become_the_parameters)
{
    const uint16_t half[2] = { 0x3e00, 0xc080 }, brain[2] = { 0x3fc0, 0xc010 };
    const double wide[2] = { 1.5, -2.25 };
    const struct {
        lth_dtype type;
        const void *data;
    } cases[] = { { LTH_F32, pair }, { LTH_F16, half }, { LTH_BF16, brain }, { LTH_F64, wide } };
    for (int i = 0; i < 4; i++) {
        engine g = small_engine();
        error e = { 0 };
        const safetensors_tensor tensors[] = { { "fc.weight", { cases[i].type, 2, { 1, 2 } }, cases[i].data },
                                               { "fc.bias", { cases[i].type, 1, { 1 } }, cases[i].data },
                                               { "bn.mean", { cases[i].type, 1, { 1 } }, cases[i].data } };
        cr_assert_eq(weights_load(&g, write_file(tensors, 3), true, NULL, NULL, &e), LTH_OK, "%s", e.text);
        cr_assert_arr_eq(g.at[0].values, pair, sizeof pair);
        cr_assert_eq(g.at[1].values[0], 1.5, "a frozen parameter too, and in its own type");
        cr_assert_arr_eq(g.at[2].values, pair, sizeof *pair);
        cr_assert_eq(((unsigned char *)g.at[3].values)[0], 0x44, "transient buffers are the run's own");
    }
}

Test(weights, every_kind_of_half_is_read_right)
{
    const struct {
        lth_dtype type;
        uint16_t bits;
        float value;
    } cases[] = { { LTH_F16, 0x0000, 0 },          { LTH_F16, 0x8000, -0.0F },     { LTH_F16, 0x0001, 0x1p-24F },
                  { LTH_F16, 0x03ff, 0x3ffp-24F }, { LTH_F16, 0x0400, 0x1p-14F },  { LTH_F16, 0x7bff, 65504 },
                  { LTH_F16, 0x7c00, INFINITY },   { LTH_F16, 0xfc00, -INFINITY }, { LTH_BF16, 0x0001, 0x1p-133F },
                  { LTH_BF16, 0x7f80, INFINITY },  { LTH_BF16, 0x4049, 3.140625F } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const safetensors_tensor t = { "x", { cases[i].type, 1, { 1 } }, &cases[i].bits };
        const lth_shape shape = { LTH_F32, 1, { 1 } };
        safetensors_file *f;
        float got;
        error e = { 0 };
        cr_assert_eq(safetensors_open(write_file(&t, 1), &f, &e), LTH_OK);
        cr_assert_eq(weights_read(f, 0, &shape, &got, &e), LTH_OK);
        cr_assert_arr_eq(&got, &cases[i].value, sizeof got, "%#x is %g", cases[i].bits, got);
        safetensors_close(f);
    }
}

Test(weights, into_bf16_they_are_rounded_to_nearest_even_and_must_stay_finite)
{
    static const float values[] = { 3.14159265F, 1 + 0x1p-8F, 1 + 0x3p-8F, -0x1p-133F, 0 }, huge = 3.4e38F;
    static const uint16_t bits[] = { 0x4049, 0x3f80, 0x3f82, 0x8001, 0 };
    const safetensors_tensor t = { "x", { LTH_F32, 1, { 5 } }, values }, too_large = { "x", { LTH_F32, 1, { 1 } }, &huge };
    const lth_shape shape = { LTH_BF16, 1, { 5 } }, one = { LTH_BF16, 1, { 1 } };
    safetensors_file *f;
    uint16_t got[5];
    error e = { 0 };
    cr_assert_eq(safetensors_open(write_file(&t, 1), &f, &e), LTH_OK);
    cr_assert_eq(weights_read(f, 0, &shape, got, &e), LTH_OK, "%s", e.text);
    cr_assert_arr_eq(got, bits, sizeof bits);
    safetensors_close(f);
    cr_assert_eq(safetensors_open(write_file(&too_large, 1), &f, &e), LTH_OK);
    cr_assert_neq(weights_read(f, 0, &one, got, &e), LTH_OK);
    safetensors_close(f);
}

Test(weights, everything_that_does_not_fit_is_listed_at_once)
{
    engine g = small_engine(), before = g;
    error e = { 0 };
    const safetensors_tensor tensors[] = { { "fc.weight", { LTH_F32, 2, { 2, 1 } }, pair },
                                           { "bn.mean", { LTH_I64, 1, { 1 } }, pair },
                                           { "head.weight", { LTH_F32, 1, { 1 } }, pair },
                                           { "head.bias", { LTH_F32, 1, { 1 } }, pair } };
    cr_assert_eq(weights_load(&g, write_file(tensors, 4), true, NULL, NULL, &e), LTH_INVALID);
    const char *const says[] = {
        "weights.safetensors' does not fit the run",
        "of another shape or type (2): fc.weight is f32 (2, 1) in the file, f32 (1, 2) in the run, bn.mean is i64 (1)",
        "missing in the file (1): fc.bias", "unexpected in the file (2): head.bias, head.weight"
    };
    for (int i = 0; i < 4; i++)
        cr_assert(strstr(e.text, says[i]), "'%s' is not in\n%s", says[i], e.text);
    cr_assert_arr_eq(&g.at[0].values, &before.at[0].values, sizeof before.at[0].values, "nothing was set");
}

Test(weights, not_strict_takes_what_there_is_and_warns)
{
    engine g = small_engine();
    error e = { 0 };
    str told = { 0 };
    const safetensors_tensor tensors[] = { { "fc.weight", { LTH_F32, 2, { 1, 2 } }, pair },
                                           { "head.bias", { LTH_F32, 1, { 1 } }, pair } };
    cr_assert_eq(weights_load(&g, write_file(tensors, 2), true, NULL, NULL, &e), LTH_INVALID);
    cr_assert(strstr(e.text, "weights_strict = false takes what both have"), "%s", e.text);
    error_clear(&e);
    cr_assert_eq(weights_load(&g, write_file(tensors, 2), false, remember, &told, &e), LTH_OK, "%s", e.text);
    cr_assert_arr_eq(g.at[0].values, pair, sizeof pair);
    cr_assert(strstr(str_text(&told), "missing in the file (2): fc.bias, bn.mean"), "%s", str_text(&told));
    cr_assert(strstr(str_text(&told), "unexpected in the file (1): head.bias"), "%s", str_text(&told));
    str_free(&told);
    const safetensors_tensor wrong = { "fc.weight", { LTH_F32, 2, { 2, 1 } }, pair };
    cr_assert_eq(weights_load(&g, write_file(&wrong, 1), false, NULL, NULL, &e), LTH_INVALID, "a wrong shape stays an error");
}

Test(weights, a_list_longer_than_an_error_is_told_whole)
{
    static char names[400][32];
    static safetensors_tensor tensors[400];
    for (int i = 0; i < 400; i++) {
        snprintf(names[i], sizeof names[i], "blocks.%03d.weight", i);
        tensors[i] = (safetensors_tensor) { names[i], { LTH_F32, 1, { 1 } }, pair };
    }
    engine g = small_engine();
    error e = { 0 };
    str told = { 0 };
    cr_assert_eq(weights_load(&g, write_file(tensors, 400), true, remember, &told, &e), LTH_INVALID);
    cr_assert(strstr(e.text, "blocks.000.weight") && !strstr(e.text, "blocks.399.weight"));
    for (int i = 0; i < 400; i++)
        cr_assert(strstr(str_text(&told), names[i]));
    str_free(&told);
}

Test(weights, a_finite_value_does_not_become_infinite_unseen)
{
    static double wide[70000];
    engine g = { .count = 1, .at = { { .tensor = { "x", ENGINE_PARAMETER, 0, { LTH_F32, 1, { 2 } } } } } };
    error e = { 0 };
    wide[0] = INFINITY;
    wide[1] = 1e39;
    safetensors_tensor t = { "x", { LTH_F64, 1, { 2 } }, wide };
    cr_assert_eq(weights_load(&g, write_file(&t, 1), true, NULL, NULL, &e), LTH_INVALID);
    cr_assert(strstr(e.text, "element 1 of tensor 'x' is too large for f32"), "%s", e.text);
}

Test(weights, a_checkpoint_folder_is_taken_as_well)
{
    engine g = { .count = 2,
                 .at = { { .tensor = { "fc1.weight", ENGINE_PARAMETER, 0, { LTH_F64, 2, { 3, 2 } } } },
                         { .tensor = { "fc1.bias", ENGINE_PARAMETER, 0, { LTH_F64, 1, { 3 } } } } } };
    error e = { 0 };
    checkpoint_dir *d = open_dir();
    save_one(d, "a", 10, false, &e);
    checkpoint_dir_close(d);
    cr_assert_eq(weights_load(&g, in_folder("checkpoints/a"), true, NULL, NULL, &e), LTH_OK, "%s", e.text);
    cr_assert(g.at[0].values[5] == 15 && g.at[1].values[0] == 10.5);
    cr_assert_eq(weights_load(&g, in_folder("no"), true, NULL, NULL, &e), LTH_IO);
    cr_assert(strstr(e.text, "cannot open '"), "%s", e.text);
}

/* ---- The engine's whole state, through a checkpoint ---- */

static void save_engine(engine *g, bool weights_only)
{
    error e = { 0 };
    checkpoint_dir *d = open_dir();
    checkpoint_snapshot *s = checkpoint_snapshot_new();
    const checkpoint_facts facts = { .weights_only = weights_only };
    checkpoint_snapshot_begin(s, &facts);
    cr_assert_eq(checkpoint_snapshot_engine(s, g, &e), LTH_OK);
    cr_assert_eq(checkpoint_save(d, weights_only ? "weights" : "all", s, &e), LTH_OK, "%s", e.text);
    checkpoint_snapshot_free(s);
    checkpoint_dir_close(d);
}

static lth_status restore(const char *name, engine *g, bool all, error *e)
{
    checkpoint *c;
    cr_assert_eq(open_which(in_folder(name), false, false, &c, e), LTH_OK, "%s", e->text);
    lth_status status = checkpoint_restore_engine(c, g, all, e);
    checkpoint_close(c);
    return status;
}

Test(weights, an_engine_comes_back_from_a_checkpoint_but_for_transient_buffers)
{
    engine g = small_engine(), back = small_engine();
    error e = { 0 };
    save_engine(&g, false);
    save_engine(&g, true);
    for (uint32_t i = 0; i < back.count; i++)
        memset(back.at[i].values, 0, sizeof back.at[i].values);
    cr_assert_eq(restore("checkpoints/all", &back, true, &e), LTH_OK, "%s", e.text);
    for (uint32_t i = 0; i < back.count; i++)
        cr_assert_eq(((unsigned char *)back.at[i].values)[0], i == 3 ? 0 : ((unsigned char *)g.at[i].values)[0], "%s",
                     g.at[i].tensor.name);
    memset(&back.at[4].values, 0, sizeof back.at[4].values);
    cr_assert_eq(restore("checkpoints/weights", &back, false, &e), LTH_OK, "%s", e.text);
    cr_assert_eq(back.at[4].values[0], 0, "only the model's tensors");
    cr_assert_eq(restore("checkpoints/weights", &back, true, &e), LTH_INVALID);
    cr_assert(strstr(e.text, "weights only"), "%s", e.text);
}

Test(weights, another_optimizer_does_not_take_up_a_checkpoint)
{
    engine g = small_engine(), other = small_engine();
    error e = { 0 };
    save_engine(&g, false);
    other.at[4].tensor.name = "adamw/fc.weight/exp_avg";
    cr_assert_eq(restore("checkpoints/all", &other, true, &e), LTH_INVALID);
    cr_assert(strstr(e.text, "missing in the file (1): adamw/fc.weight/exp_avg") &&
                  strstr(e.text, "unexpected in the file (1): sgd/fc.weight/momentum"),
              "%s", e.text);
    cr_assert_eq(restore("checkpoints/all", &other, false, &e), LTH_OK, "its weights fit");
}
