/* SPDX-License-Identifier: Apache-2.0
 * A text as tokens: its vocabulary, its windows, the prompt, and what a checkpoint keeps. */
#include "data_fixture.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static plugin p;
static offer o;
static char dir[512], path[600];

static void open_text(void)
{
    plugin_open(&p, "text", "datamodule/1", "text");
    plugin_set(&p, "path", path);
    plugin_set(&p, "context", "4");
    plugin_set(&p, "windows", "contiguous");
}

static void setup(void)
{
    plugin_make_dir(dir);
    snprintf(path, sizeof path, "%s/text.txt", dir);
    open_text();
}

static void teardown(void)
{
    plugin_close(&p);
    plugin_remove_dir(dir);
}

TestSuite(text_data, .init = setup, .fini = teardown);

static lth_status take(const char *text, lth_stage stage)
{
    plugin_write_file(path, text);
    lth_status status = plugin_begin(&p);
    return status ? status : offer_take_stage(&o, &p, stage);
}

static void must_take(const char *text, lth_stage stage) { cr_assert_eq(take(text, stage), LTH_OK, "%s", p.message); }

static void must_refuse(const char *text, lth_stage stage, const char *says)
{
    cr_assert_eq(take(text, stage), LTH_INVALID, "%s", says);
    cr_assert(strstr(p.message, says), "'%s' is said instead of '%s'", p.message, says);
}

/* 40 tokens: 36 to train, 4 held out; with context 3 that is one window. */
static const char forty[] = "abcdefghijabcdefghijabcdefghijabcdefghij";

Test(text_data, characters_are_numbered_by_code_point_and_y_is_what_follows)
{
    plugin_set(&p, "val_split", "0");
    must_take("b\xc3\xa9z\n\xf0\x9f\x98\x80 ba", LTH_STAGE_TRAIN); /* b e-acute z newline smiley blank b a */
    cr_assert_eq(offer_field(&o, "x")->num_classes, 7);
    cr_assert_eq(offer_field(&o, "y")->num_classes, 7);
    cr_assert_eq(offer_field(&o, "x")->shape.dim[0], 4);
    cr_assert_eq(o.datasets[LTH_STAGE_TRAIN].length, 1, "eight tokens are one window of four and the token after it");
    rows r = offer_fetch(&o, LTH_STAGE_TRAIN, 0, 1);
    const int64_t x[] = { 3, 5, 4, 0 }, y[] = { 5, 4, 0, 6 };
    cr_assert_eq(memcmp(r.x, x, sizeof x), 0);
    cr_assert_eq(memcmp(r.y, y, sizeof y), 0);
    rows_free(&r);
}

Test(text_data, bytes_take_any_file)
{
    plugin_set(&p, "val_split", "0");
    plugin_set(&p, "vocabulary", "bytes");
    must_take("\xff\xfe\x01z\n", LTH_STAGE_TRAIN);
    cr_assert_eq(offer_field(&o, "x")->num_classes, 256);
    rows r = offer_fetch(&o, LTH_STAGE_TRAIN, 0, 1);
    const int64_t x[] = { 255, 254, 1, 'z' };
    cr_assert_eq(memcmp(r.x, x, sizeof x), 0);
    rows_free(&r);
}

Test(text_data, the_end_of_the_text_is_held_out_as_nanogpt_does)
{
    plugin_set(&p, "context", "3");
    must_take(forty, LTH_STAGE_TRAIN);
    cr_assert_eq(o.datasets[LTH_STAGE_TRAIN].length, 11, "(36 - 1) / 3");
    cr_assert_eq(o.datasets[LTH_STAGE_VALIDATE].length, 1);
    rows r = offer_fetch(&o, LTH_STAGE_TRAIN, 10, 1), v = offer_fetch(&o, LTH_STAGE_VALIDATE, 0, 1);
    cr_assert_eq(((int64_t *)(void *)r.x)[0], 0, "token 30");
    cr_assert_eq(((int64_t *)(void *)v.x)[0], 6, "token 36");
    cr_assert_eq(((int64_t *)v.y)[2], 9);
    rows_free(&r);
    rows_free(&v);
}

Test(text_data, random_windows_depend_on_seed_epoch_and_sample_alone_and_lie_in_the_text)
{
    plugin_set(&p, "windows", "random");
    plugin_set(&p, "epoch_windows", "500");
    plugin_set(&p, "context", "3");
    must_take(forty, LTH_STAGE_TRAIN);
    cr_assert_eq(o.datasets[LTH_STAGE_TRAIN].length, 500);
    rows all = offer_fetch_keyed(&o, LTH_STAGE_TRAIN, 0, 500, 5, 2), part = offer_fetch_keyed(&o, LTH_STAGE_TRAIN, 300, 10, 5, 2),
         next = offer_fetch_keyed(&o, LTH_STAGE_TRAIN, 0, 500, 5, 3), other = offer_fetch_keyed(&o, LTH_STAGE_TRAIN, 0, 500, 6, 2);
    const int64_t *x = (void *)all.x, *y = all.y;
    cr_assert_eq(memcmp(x + 900, part.x, 30 * sizeof *x), 0);
    cr_assert_neq(memcmp(x, next.x, 1500 * sizeof *x), 0);
    cr_assert_neq(memcmp(x, other.x, 1500 * sizeof *x), 0);
    int begins[10] = { 0 };
    for (int i = 0; i < 500; i++) {
        begins[x[3 * i]]++;
        for (int k = 0; k < 3; k++)
            cr_assert_eq(y[3 * i + k], (x[3 * i] + k + 1) % 10);
    }
    for (int i = 0; i < 10; i++)
        cr_assert(begins[i] > 20 && begins[i] < 90, "%d windows of 500 begin with token %d", begins[i], i);
    rows_free(&all);
    rows_free(&part);
    rows_free(&next);
    rows_free(&other);
}

Test(text_data, texts_of_their_own_serve_validation_and_test)
{
    char other[700];
    snprintf(other, sizeof other, "%s/other.txt", dir);
    plugin_write_file(other, "jihgf");
    plugin_set(&p, "val_path", other);
    must_take(forty, LTH_STAGE_TRAIN);
    cr_assert_eq(o.datasets[LTH_STAGE_TRAIN].length, 9, "all of the 40 tokens");
    rows v = offer_fetch(&o, LTH_STAGE_TEST, 0, 1);
    cr_assert_eq(((int64_t *)(void *)v.x)[0], 9);
    rows_free(&v);
}

Test(text_data, the_prompt_is_what_is_predicted_from)
{
    plugin_set(&p, "val_split", "0");
    plugin_set(&p, "prompt", "cab");
    plugin_set(&p, "samples", "2");
    must_take(forty, LTH_STAGE_PREDICT);
    cr_assert_eq(offer_field(&o, "x")->shape.dim[0], 3);
    cr_assert_eq(offer_field(&o, "x")->num_classes, 10);
    cr_assert_eq(o.datasets[LTH_STAGE_PREDICT].length, 2);
    rows r = offer_fetch(&o, LTH_STAGE_PREDICT, 0, 2);
    const int64_t x[] = { 2, 0, 1, 2, 0, 1 };
    cr_assert_eq(memcmp(r.x, x, sizeof x), 0);
    rows_free(&r);
}

Test(text_data, tokens_that_were_predicted_become_a_text_in_the_runs_folder)
{
    static const int64_t tokens[] = { 0, 2, 1, 6, 99, 3 };
    const lth_datamodule *table = p.table;
    char written[600];
    plugin_set(&p, "val_split", "0");
    must_take("b\xc3\xa9z\n\xf0\x9f\x98\x80 ba", LTH_STAGE_TRAIN);
    snprintf(p.run_dir, sizeof p.run_dir, "%s", dir);
    cr_assert_eq(table->predicted(p.self, "predictions", &(lth_shape) { LTH_I64, 2, { 2, 3 } }, tokens), LTH_OK, "%s", p.message);
    snprintf(written, sizeof written, "%s/predictions.txt", dir);
    char *text = plugin_read_file(written);
    cr_assert_str_eq(text, "\na \n---------------\n\xf0\x9f\x98\x80\xef\xbf\xbd" "b\n", "%s", text);
    cr_assert(strstr(p.message, written), "the user is told where");
    free(text);
    cr_assert_eq(table->predicted(p.self, "logits", &(lth_shape) { LTH_F32, 2, { 2, 3 } }, tokens), LTH_OK, "what is no token is left alone");
}

Test(text_data, what_is_wrong_is_told_with_its_place)
{
    char other[700];
    snprintf(other, sizeof other, "%s/other.txt", dir);
    plugin_write_file(other, "abc!");
    const struct { const char *option, *value, *text; lth_stage stage; const char *says; } cases[] = {
        { NULL, NULL, "abc\nd\xff", LTH_STAGE_TRAIN, "text.txt: line 2: byte ff at offset 5 is no UTF-8 text" },
        { NULL, NULL, "a\xc0\x80", LTH_STAGE_TRAIN, "byte c0 at offset 1" },
        { NULL, NULL, "a\xed\xa0\x80", LTH_STAGE_TRAIN, "byte ed at offset 1" },
        { NULL, NULL, "a\xe2\x82", LTH_STAGE_TRAIN, "byte e2 at offset 1" },
        { NULL, NULL, "", LTH_STAGE_TRAIN, "text.txt: there is no text to train on" },
        { "context", "36", forty, LTH_STAGE_TRAIN, "text.txt: 36 tokens are too few for a sample: context = 36 needs 37" },
        { NULL, NULL, forty, LTH_STAGE_TRAIN, "text.txt: 4 tokens are too few for a sample: context = 4 needs 5" },
        { "epoch_windows", "5", forty, LTH_STAGE_TRAIN, "epoch_windows is for windows = random" },
        { "prompt", "a!", "abcdeabcdeabcdeabcdeabcdeabcdeabcdeabcdeabcdeabcde", LTH_STAGE_PREDICT,
          "prompt: offset 1: the character '!' (U+0021) is not in the vocabulary" },
        { "prompt", "", "abcdeabcdeabcdeabcdeabcdeabcdeabcdeabcdeabcdeabcde", LTH_STAGE_PREDICT, "prompt is empty" },
        { "val_path", other, forty, LTH_STAGE_TRAIN, "other.txt: offset 3: the character '!' (U+0021) is not in the vocabulary" },
        { "val_path", "/nowhere", forty, LTH_STAGE_TRAIN, "/nowhere: cannot be opened: No such file" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        plugin_close(&p);
        open_text();
        if (cases[i].option)
            plugin_set(&p, cases[i].option, cases[i].value);
        must_refuse(cases[i].text, cases[i].stage, cases[i].says);
    }
}

Test(text_data, a_checkpoint_knows_the_vocabulary)
{
    plugin_set(&p, "val_split", "0");
    must_take(forty, LTH_STAGE_TRAIN);
    json_t *state = plugin_save(&p);
    cr_assert_str_eq(json_string_value(json_object_get(state, "vocabulary")), "abcdefghij");
    plugin_load(&p, state);

    static const struct { const char *vocabulary, *text, *says; } cases[] = {
        { "characters", "abcdefghik", "has other characters than the text that the checkpoint's model was trained on" },
        { "bytes", forty, "vocabulary = bytes, but the checkpoint's model was trained on characters" },
    };
    for (size_t i = 0; i < 2; i++) {
        plugin_close(&p);
        open_text();
        plugin_set(&p, "val_split", "0");
        plugin_set(&p, "vocabulary", cases[i].vocabulary);
        must_take(cases[i].text, LTH_STAGE_TRAIN);
        cr_assert_eq(plugin_try_load(&p, state), LTH_INVALID);
        cr_assert(strstr(p.message, cases[i].says), "%s", p.message);
    }
    json_decref(state);
}

Test(text_data, tinyshakespeare_is_read_where_it_is)
{
    const char *file = LTHOST_TEST_SOURCE "/../shared/data/tinyshakespeare.txt";
    if (access(file, R_OK) != 0)
        cr_skip_test("%s is not here", file);
    plugin_set(&p, "path", file);
    plugin_set(&p, "context", "64");
    plugin_must_begin(&p);
    cr_assert_eq(offer_take(&o, &p), LTH_OK, "%s", p.message);
    cr_assert_eq(offer_field(&o, "x")->num_classes, 65);
    cr_assert_eq(o.datasets[LTH_STAGE_TRAIN].length, (1003854 - 1) / 64);
    cr_assert_eq(o.datasets[LTH_STAGE_VALIDATE].length, (111540 - 1) / 64);
    rows r = offer_fetch(&o, LTH_STAGE_TRAIN, 0, 1);
    const int64_t first[] = { 18, 47, 56, 57, 58 }; /* "First", as nanoGPT encodes it */
    cr_assert_eq(memcmp(r.x, first, sizeof first), 0);
    rows_free(&r);
}
