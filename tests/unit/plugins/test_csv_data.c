/* SPDX-License-Identifier: Apache-2.0
 * Tables from files: roles of columns, classes, splits, and what is wrong with a cell. */
#include "data_fixture.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

static plugin p;
static offer o;
static char dir[512], path[600];

static void setup(void)
{
    plugin_make_dir(dir);
    snprintf(path, sizeof path, "%s/table.csv", dir);
    plugin_open(&p, "csv_data", "datamodule/1", "csv");
    plugin_set(&p, "path", path);
    plugin_set(&p, "split", "last");
}

static void teardown(void)
{
    plugin_close(&p);
    plugin_remove_dir(dir);
}

TestSuite(csv_data, .init = setup, .fini = teardown);

static lth_status take(const char *text)
{
    plugin_write_file(path, text);
    lth_status status = plugin_begin(&p);
    return status ? status : offer_take(&o, &p);
}

static void must_take(const char *text) { cr_assert_eq(take(text), LTH_OK, "%s", p.message); }

static const char flowers[] = "length,width,species\n1,2,rose\n3,4,iris\n5,6,rose\n7,8,lily\n9,10,iris\n";

Test(csv_data, a_classification_numbers_its_classes_in_sorted_order)
{
    plugin_set(&p, "target", "species");
    must_take(flowers);
    cr_assert_eq(offer_field(&o, "x")->shape.dim[0], 2);
    cr_assert_eq(offer_field(&o, "y")->num_classes, 3);
    cr_assert_eq(o.datasets[LTH_STAGE_TRAIN].length, 4);
    cr_assert_eq(o.datasets[LTH_STAGE_VALIDATE].length, 1);
    rows r = offer_fetch(&o, LTH_STAGE_TRAIN, 0, 4);
    const int64_t labels[] = { 2, 0, 2, 1 };
    for (int i = 0; i < 4; i++) {
        cr_assert_eq(((int64_t *)r.y)[i], labels[i]);
        cr_assert_eq(r.x[2 * i], 2 * i + 1);
    }
    rows_free(&r);
}

Test(csv_data, classes_that_are_numbers_are_sorted_as_numbers)
{
    plugin_set(&p, "target", "y");
    plugin_set(&p, "val_fraction", "0");
    must_take("x,y\n1,10\n2,9\n3,10\n");
    rows r = offer_fetch(&o, LTH_STAGE_TRAIN, 0, 3);
    cr_assert_eq(((int64_t *)r.y)[0], 1);
    cr_assert_eq(((int64_t *)r.y)[1], 0);
    rows_free(&r);
}

Test(csv_data, a_thousand_classes_and_columns_are_as_good_as_three)
{
    static char text[40000];
    int used = 0;
    for (int i = 0; i < 1000; i++)
        used += snprintf(text + used, sizeof text - (size_t)used, "c%d,", i);
    used += snprintf(text + used, sizeof text - (size_t)used, "y\n");
    for (int row = 0; row < 5; row++) {
        for (int i = 0; i < 1000; i++)
            used += snprintf(text + used, sizeof text - (size_t)used, "%d,", row == 4 ? i : 0);
        used += snprintf(text + used, sizeof text - (size_t)used, "k%d\n", 9 - row);
    }
    plugin_set(&p, "target", "y");
    plugin_set(&p, "val_fraction", "0");
    must_take(text);
    cr_assert_eq(offer_field(&o, "x")->shape.dim[0], 1000);
    rows r = offer_fetch(&o, LTH_STAGE_TRAIN, 4, 1);
    cr_assert_eq(r.x[999], 999);
    cr_assert_eq(((int64_t *)r.y)[0], 0, "k5 is the first of k5 to k9");
    rows_free(&r);
    used = snprintf(text, sizeof text, "x,y\n");
    for (int i = 0; i < 1000; i++)
        used += snprintf(text + used, sizeof text - (size_t)used, "1,%d\n", 2 * (999 - i));
    plugin_close(&p);
    plugin_open(&p, "csv_data", "datamodule/1", "csv");
    plugin_set(&p, "path", path);
    plugin_set(&p, "target", "y");
    plugin_set(&p, "val_fraction", "0");
    plugin_set(&p, "split", "last");
    must_take(text);
    cr_assert_eq(offer_field(&o, "y")->num_classes, 1000);
    r = offer_fetch(&o, LTH_STAGE_TRAIN, 0, 1000);
    for (int i = 0; i < 1000; i++)
        cr_assert_eq(((int64_t *)r.y)[i], 999 - i);
    rows_free(&r);
}

Test(csv_data, a_regression_has_as_many_targets_as_are_named)
{
    plugin_set(&p, "target", "c, a");
    plugin_set(&p, "task", "regression");
    plugin_set(&p, "val_fraction", "0");
    must_take("a,b,c\n1,2,3\n4,5,6\n");
    cr_assert_eq(offer_field(&o, "y")->shape.dtype, LTH_F32);
    cr_assert_eq(offer_field(&o, "y")->shape.dim[0], 2);
    rows r = offer_fetch(&o, LTH_STAGE_TRAIN, 0, 2);
    const float y[] = { 3, 1, 6, 4 };
    cr_assert_eq(memcmp(r.y, y, sizeof y), 0);
    cr_assert_eq(r.x[1], 5);
    rows_free(&r);
}

Test(csv_data, quotes_blanks_line_ends_and_marks_are_those_of_spreadsheets)
{
    plugin_set(&p, "features", "x");
    plugin_set(&p, "val_fraction", "0");
    plugin_set(&p, "target", "\"kind, of thing\"");
    must_take("\xef\xbb\xbf\"kind, of thing\", x ,\"a \"\"b\"\"\"\r\n\r\n\"one\r\nline\", 1 ,9\r\ntwo,\"2\",\r\n\"one\r\nline\",3.5e0,9");
    cr_assert_eq(offer_field(&o, "y")->num_classes, 2);
    rows r = offer_fetch(&o, LTH_STAGE_TRAIN, 0, 3);
    cr_assert_eq(r.x[0], 1);
    cr_assert_eq(r.x[1], 2);
    cr_assert_eq(r.x[2], 3.5f);
    cr_assert_eq(((int64_t *)r.y)[2], ((int64_t *)r.y)[0]);
    rows_free(&r);
}

Test(csv_data, without_a_header_columns_are_called_by_number)
{
    plugin_set(&p, "target", "3");
    plugin_set(&p, "header", "false");
    plugin_set(&p, "delimiter", "semicolon");
    plugin_set(&p, "val_fraction", "0");
    must_take("1;2;a\n3;4;b\n");
    cr_assert_eq(o.datasets[LTH_STAGE_TRAIN].length, 2);
    rows r = offer_fetch(&o, LTH_STAGE_TRAIN, 0, 2);
    cr_assert_eq(r.x[3], 4);
    rows_free(&r);
}

Test(csv_data, standard_normalises_by_the_rows_that_are_trained_on)
{
    plugin_set(&p, "target", "y");
    plugin_set(&p, "normalise", "standard");
    must_take("a,b,y\n1,7,0\n3,7,1\n1,7,0\n3,7,1\n5,8,0\n");
    rows r = offer_fetch(&o, LTH_STAGE_TRAIN, 0, 4), v = offer_fetch(&o, LTH_STAGE_VALIDATE, 0, 1);
    cr_assert_float_eq(r.x[0], -1, 1e-6);
    cr_assert_float_eq(r.x[2], 1, 1e-6);
    cr_assert_eq(r.x[1], 0, "a constant feature becomes 0");
    cr_assert_float_eq(v.x[0], 3, 1e-6);
    cr_assert_float_eq(v.x[1], 1, 1e-6);
    rows_free(&r);
    rows_free(&v);
}

Test(csv_data, gzip_is_read_as_it_is)
{
    plugin_set(&p, "target", "species");
    gzFile file = gzopen(path, "wb");
    gzputs(file, flowers);
    gzclose(file);
    plugin_must_begin(&p);
    cr_assert_eq(offer_take(&o, &p), LTH_OK, "%s", p.message);
    cr_assert_eq(o.datasets[LTH_STAGE_TRAIN].length, 4);
}

Test(csv_data, a_gzip_file_that_was_cut_off_is_refused)
{
    plugin_set(&p, "target", "species");
    gzFile file = gzopen(path, "wb");
    gzputs(file, flowers);
    gzclose(file);
    cr_assert_eq(truncate(path, 40), 0);
    plugin_must_begin(&p);
    cr_assert_eq(offer_take(&o, &p), LTH_INVALID);
    cr_assert(strstr(p.message, path), "%s", p.message);
}

Test(csv_data, files_of_their_own_serve_validation_test_and_prediction)
{
    char other[700], bare[700];
    snprintf(other, sizeof other, "%s/other.csv", dir);
    snprintf(bare, sizeof bare, "%s/bare.csv", dir);
    plugin_write_file(other, "species,width,length\niris,20,10\n");
    plugin_write_file(bare, "width,length\n21,11\n22,12\n");
    plugin_set(&p, "target", "species");
    plugin_set(&p, "val_path", other);
    plugin_set(&p, "predict_path", bare);
    must_take(flowers);
    cr_assert_eq(o.datasets[LTH_STAGE_TRAIN].length, 5, "nothing is held out");
    rows v = offer_fetch(&o, LTH_STAGE_VALIDATE, 0, 1), q = offer_fetch(&o, LTH_STAGE_PREDICT, 0, 2);
    cr_assert_eq(v.x[0], 10, "columns go by name");
    cr_assert_eq(((int64_t *)v.y)[0], 0);
    cr_assert_eq(q.x[2], 12);
    rows_free(&v);
    rows_free(&q);
}

Test(csv_data, what_is_wrong_is_told_with_its_place)
{
    static const struct { const char *target, *text, *says; } cases[] = {
        { "y", "x,y\n1,a\nfast,b\n", "table.csv:3:1: column 'x': 'fast' is not a number" },
        { "y", "x,y\n1,a\n,b\n", "table.csv:3:1: column 'x': '' is not a number" },
        { "y", "x,y\n1,a\nnan,b\n", "table.csv:3:1: column 'x': 'nan' is not a number" },
        { "y", "x,y\n1e60,a\n", "table.csv:2:1: column 'x': '1e60' is too large for a number of 32 bits" },
        { "y", "x,y\n0x10,a\n", "table.csv:2:1: column 'x': '0x10' is not a number" },
        { "y", "x,y,z,x\n1,a,2,3\n", "table.csv: columns 1 and 4 are both called 'x'" },
        { "y", "x,y,z,y\n1,a,2,b\n", "table.csv: columns 2 and 4 are both called 'y'" },
        { "y", "x,y\n1,a\n2,\n", "table.csv:3:2: column 'y': '' is no class" },
        { "y", "x,y\n1,a\n2\n", "table.csv:3: 1 cells, where the header has 2" },
        { "z", "x,y\n1,a\n", "there is no column 'z'; there are: x, y" },
        { "y", "x,y\n\"1,a\n", "table.csv:2:1: a cell that begins with a quote does not end with one" },
        { "y", "x,y\n", "there are no rows" },
        { "y", "", "the file is empty" },
        { "y", "y\na\n", "there is no column beside the target" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        plugin_close(&p);
        plugin_open(&p, "csv_data", "datamodule/1", "csv");
        plugin_set(&p, "path", path);
        plugin_set(&p, "target", cases[i].target);
        cr_assert_eq(take(cases[i].text), LTH_INVALID, "%s", cases[i].says);
        cr_assert(strstr(p.message, cases[i].says), "'%s' is said instead of '%s'", p.message, cases[i].says);
    }
}

Test(csv_data, columns_that_nobody_uses_may_share_a_name)
{
    plugin_set(&p, "target", "y");
    plugin_set(&p, "features", "x");
    must_take("note,x,note,y\n?,1,?,a\n?,2,?,b\n");
    cr_assert_eq(offer_field(&o, "x")->shape.dim[0], 1);
}

Test(csv_data, a_missing_file_is_named)
{
    plugin_set(&p, "target", "y");
    plugin_must_begin(&p);
    cr_assert_eq(offer_take(&o, &p), LTH_INVALID);
    cr_assert(strstr(p.message, path) && strstr(p.message, "No such file"), "%s", p.message);
}
