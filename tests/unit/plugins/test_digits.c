/* SPDX-License-Identifier: Apache-2.0
 * The digits: what comes with the plugin, and how it is split. */
#include "data_fixture.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static plugin p;
static offer o;

static void open_digits(const char *split, const char *val, const char *test, uint64_t seed)
{
    plugin_open(&p, "digits", "datamodule/1", "digits");
    plugin_set(&p, "split", split);
    plugin_set(&p, "val_fraction", val);
    plugin_set(&p, "test_fraction", test);
    p.seed = seed;
    plugin_must_begin(&p);
    cr_assert_eq(offer_take(&o, &p), LTH_OK, "%s", p.message);
}

Test(digits, are_1797_images_of_64_pixels_and_ten_classes)
{
    open_digits("last", "0", "0", 0);
    cr_assert_eq(o.datasets[LTH_STAGE_TRAIN].length, 1797);
    cr_assert_eq(offer_field(&o, "x")->shape.dtype, LTH_F32);
    cr_assert_eq(offer_field(&o, "x")->shape.dim[0], 64);
    cr_assert_eq(offer_field(&o, "y")->num_classes, 10);
    cr_assert_null(o.datasets[LTH_STAGE_VALIDATE].fetch, "nothing is held out");
    rows r = offer_fetch(&o, LTH_STAGE_TRAIN, 0, 1797);
    int64_t seen[10] = { 0 };
    for (int64_t i = 0; i < 1797; i++)
        seen[((int64_t *)r.y)[i]]++;
    for (int64_t i = 0; i < 10; i++)
        cr_assert_gt(seen[i], 150);
    for (int64_t i = 0; i < 1797 * 64; i++)
        cr_assert(r.x[i] >= 0 && r.x[i] <= 1);
    rows_free(&r);
    plugin_close(&p);
}

Test(digits, are_rows_or_images_where_a_model_wants_them)
{
    static const struct { const char *layout; int32_t rank; int64_t first; } cases[] = { { "flat", 1, 64 }, { "rows", 2, 8 }, { "image", 3, 1 } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        plugin_open(&p, "digits", "datamodule/1", "digits");
        plugin_set(&p, "layout", cases[i].layout);
        plugin_must_begin(&p);
        cr_assert_eq(offer_take(&o, &p), LTH_OK, "%s", p.message);
        cr_assert_eq(offer_field(&o, "x")->shape.rank, cases[i].rank);
        cr_assert_eq(offer_field(&o, "x")->shape.dim[0], cases[i].first);
        cr_assert_eq(lth_shape_count(&offer_field(&o, "x")->shape), 64);
        plugin_close(&p);
    }
}

Test(digits, are_64_numbers_of_0_to_16_as_tokens)
{
    plugin_open(&p, "digits", "datamodule/1", "digits");
    plugin_set(&p, "layout", "tokens");
    plugin_set(&p, "split", "last");
    plugin_must_begin(&p);
    cr_assert_eq(offer_take(&o, &p), LTH_OK, "%s", p.message);
    cr_assert_eq(offer_field(&o, "x")->shape.dtype, LTH_I64);
    cr_assert_eq(offer_field(&o, "x")->num_classes, 17);
    rows r = offer_fetch(&o, LTH_STAGE_TRAIN, 0, 1);
    const int64_t first[] = { 0, 0, 5, 13, 9, 1, 0, 0 }; /* the file's first line */
    cr_assert_eq(memcmp(r.x, first, sizeof first), 0);
    rows_free(&r);
    plugin_close(&p);
}

Test(digits, last_keeps_the_order_of_the_file)
{
    open_digits("last", "0.2", "0.1", 3);
    cr_assert_eq(o.datasets[LTH_STAGE_VALIDATE].length, 359);
    cr_assert_eq(o.datasets[LTH_STAGE_TEST].length, 179);
    cr_assert_eq(o.datasets[LTH_STAGE_PREDICT].length, 179);
    cr_assert_eq(o.datasets[LTH_STAGE_TRAIN].length, 1797 - 359 - 179);
    rows r = offer_fetch(&o, LTH_STAGE_TRAIN, 0, 5);
    for (int64_t i = 0; i < 5; i++)
        cr_assert_eq(((int64_t *)r.y)[i], i, "the file begins with 0, 1, 2, ...");
    rows_free(&r);
    plugin_close(&p);
}

/* The labels of training and validation as one list. */
static int64_t *split_labels(const char *split, uint64_t seed, int64_t *train)
{
    open_digits(split, "0.2", "0", seed);
    *train = o.datasets[LTH_STAGE_TRAIN].length;
    int64_t val = o.datasets[LTH_STAGE_VALIDATE].length, *labels = malloc(1797 * sizeof *labels);
    cr_assert_eq(*train + val, 1797);
    rows a = offer_fetch(&o, LTH_STAGE_TRAIN, 0, *train), b = offer_fetch(&o, LTH_STAGE_VALIDATE, 0, val);
    memcpy(labels, a.y, (size_t)*train * sizeof *labels);
    memcpy(labels + *train, b.y, (size_t)val * sizeof *labels);
    rows_free(&a);
    rows_free(&b);
    plugin_close(&p);
    return labels;
}

Test(digits, a_random_split_depends_on_the_seed_alone_and_leaves_no_row_out)
{
    int64_t train, counts[3][10] = { { 0 } }, *labels[3];
    labels[0] = split_labels("random", 1, &train);
    labels[1] = split_labels("random", 1, &train);
    labels[2] = split_labels("random", 2, &train);
    cr_assert_eq(memcmp(labels[0], labels[1], 1797 * sizeof(int64_t)), 0);
    cr_assert_neq(memcmp(labels[0], labels[2], 1797 * sizeof(int64_t)), 0);
    for (int k = 0; k < 3; k++)
        for (int i = 0; i < 1797; i++)
            counts[k][labels[k][i]]++;
    cr_assert_eq(memcmp(counts[0], counts[2], sizeof counts[0]), 0);
    for (int k = 0; k < 3; k++)
        free(labels[k]);
}

Test(digits, fractions_that_leave_nothing_to_train_on_are_refused)
{
    plugin_open(&p, "digits", "datamodule/1", "digits");
    plugin_set(&p, "val_fraction", "0.5");
    plugin_set(&p, "test_fraction", "0.5");
    cr_assert_eq(plugin_begin(&p), LTH_INVALID);
    cr_assert(strstr(p.message, "nothing to train on"));
    plugin_close(&p);
}

Test(digits, a_file_that_is_gone_is_named)
{
    plugin_open(&p, "digits", "datamodule/1", "digits");
    strcpy(p.dir, "/nowhere");
    plugin_must_begin(&p);
    cr_assert_eq(offer_take(&o, &p), LTH_ERROR);
    cr_assert(strstr(p.message, "/nowhere/digits.csv.gz"), "%s", p.message);
    plugin_close(&p);
}
