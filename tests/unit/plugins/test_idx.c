/* SPDX-License-Identifier: Apache-2.0
 * Images in IDX format: what a file says, how it is split and changed, and what is wrong with one. */
#include "data_fixture.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

static plugin p;
static offer o;
static char dir[512], images[600], labels[600];

static void open_idx(void)
{
    plugin_open(&p, "idx", "datamodule/1", "idx");
    plugin_set(&p, "images", images);
    plugin_set(&p, "labels", labels);
    plugin_set(&p, "split", "last");
    plugin_set(&p, "val_split", "0");
}

static void setup(void)
{
    plugin_make_dir(dir);
    snprintf(images, sizeof images, "%s/images", dir);
    snprintf(labels, sizeof labels, "%s/labels", dir);
    open_idx();
}

static void teardown(void)
{
    plugin_close(&p);
    plugin_remove_dir(dir);
}

TestSuite(idx_data, .init = setup, .fini = teardown);

static void write_bytes(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    cr_assert_eq(fwrite(bytes, 1, size, file), size);
    fclose(file);
}

/* Five images of 2 x 3: image i has the pixels 10 i, 10 i + 1, ...; their classes are 2, 0, 1, 2, 1. */
static const unsigned char five_images[] = {
    0, 0, 8, 3, 0, 0, 0, 5, 0, 0, 0, 2, 0, 0, 0, 3, 0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15, 20, 21, 22, 23, 24, 25, 30, 31, 32,
    33, 34, 35, 40, 41, 42, 43, 44, 45,
};
static const unsigned char five_labels[] = { 0, 0, 8, 1, 0, 0, 0, 5, 2, 0, 1, 2, 1 };

static void write_five(void)
{
    write_bytes(images, five_images, sizeof five_images);
    write_bytes(labels, five_labels, sizeof five_labels);
}

static lth_status take(void)
{
    lth_status status = plugin_begin(&p);
    return status ? status : offer_take(&o, &p);
}

static void must_take(void) { cr_assert_eq(take(), LTH_OK, "%s", p.message); }

Test(idx_data, greyscale_images_have_one_channel_and_bytes_become_0_to_1)
{
    write_five();
    plugin_set(&p, "val_split", "2");
    must_take();
    const lth_shape *x = &offer_field(&o, "x")->shape;
    cr_assert(x->dtype == LTH_F32 && x->rank == 3 && x->dim[0] == 1 && x->dim[1] == 2 && x->dim[2] == 3);
    cr_assert_eq(offer_field(&o, "y")->num_classes, 3);
    cr_assert_eq(o.datasets[LTH_STAGE_TRAIN].length, 3);
    cr_assert_eq(o.datasets[LTH_STAGE_VALIDATE].length, 2, "the last two");
    cr_assert_eq(o.datasets[LTH_STAGE_TEST].length, 2, "those of validation");
    rows r = offer_fetch(&o, LTH_STAGE_TRAIN, 1, 2), v = offer_fetch(&o, LTH_STAGE_VALIDATE, 0, 2);
    cr_assert_eq(r.x[0], 10 / 255.f);
    cr_assert_eq(r.x[11], 25 / 255.f);
    cr_assert_eq(((int64_t *)r.y)[1], 1);
    cr_assert_eq(v.x[0], 30 / 255.f);
    cr_assert_eq(((int64_t *)v.y)[0], 2);
    rows_free(&r);
    rows_free(&v);
}

Test(idx_data, a_share_is_held_out_at_random_by_the_seed)
{
    write_five();
    plugin_set(&p, "val_split", "0.4");
    plugin_set(&p, "split", "random");
    plugin_set(&p, "scale", "false");
    must_take();
    cr_assert_eq(o.datasets[LTH_STAGE_TRAIN].length, 3);
    rows r = offer_fetch(&o, LTH_STAGE_TRAIN, 0, 3), v = offer_fetch(&o, LTH_STAGE_VALIDATE, 0, 2);
    int seen[5] = { 0 };
    for (int i = 0; i < 3; i++)
        seen[(int)r.x[6 * i] / 10]++;
    for (int i = 0; i < 2; i++)
        seen[(int)v.x[6 * i] / 10]++;
    for (int i = 0; i < 5; i++)
        cr_assert_eq(seen[i], 1, "each image is in one part");
    rows_free(&r);
    rows_free(&v);
}

Test(idx_data, standard_gives_what_is_trained_on_mean_0_and_deviation_1)
{
    write_five();
    plugin_set(&p, "val_split", "1");
    plugin_set(&p, "normalise", "standard");
    must_take();
    rows r = offer_fetch(&o, LTH_STAGE_TRAIN, 0, 4);
    double sum = 0, square = 0;
    for (int i = 0; i < 24; i++) {
        sum += r.x[i];
        square += (double)r.x[i] * r.x[i];
    }
    cr_assert_float_eq(sum / 24, 0, 1e-6);
    cr_assert_float_eq(square / 24, 1, 1e-5);
    rows_free(&r);
}

Test(idx_data, mean_and_std_are_applied_once_scaled)
{
    write_five();
    plugin_set(&p, "mean", "0.5");
    plugin_set(&p, "std", "0.25");
    must_take();
    rows r = offer_fetch(&o, LTH_STAGE_TRAIN, 4, 1);
    cr_assert_float_eq(r.x[5], (45 / 255.0 - 0.5) / 0.25, 1e-6);
    rows_free(&r);
}

Test(idx_data, gzip_and_every_type_of_element_are_read)
{
    static const struct { const char *bytes; size_t size; float first; } cases[] = {
        { "\0\0\x09\2\0\0\0\1\0\0\0\1\xff", 13, -1 },
        { "\0\0\x0B\2\0\0\0\1\0\0\0\1\xff\xfe", 14, -2 },
        { "\0\0\x0C\2\0\0\0\1\0\0\0\1\0\1\0\0", 16, 65536 },
        { "\0\0\x0D\2\0\0\0\1\0\0\0\1\x3f\xc0\0\0", 16, 1.5f },
        { "\0\0\x0E\2\0\0\0\1\0\0\0\1\xc0\4\0\0\0\0\0\0", 20, -2.5f },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        plugin_close(&p);
        open_idx();
        plugin_set(&p, "scale", "false");
        gzFile file = gzopen(images, "wb");
        gzwrite(file, cases[i].bytes, (unsigned)cases[i].size);
        gzclose(file);
        write_bytes(labels, "\0\0\x0C\1\0\0\0\1\0\0\0\7", 12);
        must_take();
        cr_assert_eq(offer_field(&o, "x")->shape.rank, 1);
        cr_assert_eq(offer_field(&o, "y")->num_classes, 8);
        rows r = offer_fetch(&o, LTH_STAGE_TRAIN, 0, 1);
        cr_assert_eq(r.x[0], cases[i].first);
        rows_free(&r);
    }
}

Test(idx_data, files_to_test_with_are_of_the_same_size_and_classes)
{
    char other[700], their[700];
    snprintf(other, sizeof other, "%s/other", dir);
    snprintf(their, sizeof their, "%s/their", dir);
    write_five();
    write_bytes(other, "\0\0\x08\3\0\0\0\1\0\0\0\2\0\0\0\3\1\2\3\4\5\6", 22);
    write_bytes(their, "\0\0\x08\1\0\0\0\1\2", 9);
    plugin_set(&p, "test_images", other);
    plugin_set(&p, "test_labels", their);
    must_take();
    rows r = offer_fetch(&o, LTH_STAGE_TEST, 0, 1);
    cr_assert_eq(r.x[0], 1 / 255.f);
    cr_assert_eq(((int64_t *)r.y)[0], 2);
    rows_free(&r);

    static const struct { const char *images, *label, *says; size_t size; } wrong[] = {
        { "\0\0\x08\3\0\0\0\1\0\0\0\3\0\0\0\2\1\2\3\4\5\6", "\2", "are not of the size of those of", 22 },
        { "\0\0\x08\3\0\0\0\1\0\0\0\2\0\0\0\3\1\2\3\4\5\6", "\3", "their: offset 8: label 0 is 3, where a whole number of 0 to 2 is wanted", 22 },
    };
    for (size_t i = 0; i < 2; i++) {
        char label[9] = "\0\0\x08\1\0\0\0\1";
        label[8] = wrong[i].label[0];
        plugin_close(&p);
        open_idx();
        plugin_set(&p, "test_images", other);
        plugin_set(&p, "test_labels", their);
        write_bytes(other, wrong[i].images, wrong[i].size);
        write_bytes(their, label, 9);
        cr_assert_eq(take(), LTH_INVALID);
        cr_assert(strstr(p.message, wrong[i].says), "%s", p.message);
    }
}

Test(idx_data, what_is_wrong_with_a_file_is_told_with_its_offset)
{
    static const struct { const char *bytes; size_t size; const char *says; } cases[] = {
        { "", 0, "images: ends at offset 0, within the header" },
        { "\1\0\x08\3", 4, "images: offset 0: an IDX file begins with two bytes 0, this one with 01 00" },
        { "\0\0\x0A\3", 4, "images: offset 2: there is no type 0a" },
        { "\0\0\x08\1\0\0\0\5", 8, "images: offset 3: it has 1 dimensions, where 2 to 7 are wanted" },
        { "\0\0\x08\x09", 4, "images: offset 3: it has 9 dimensions" },
        { "\0\0\x08\3\0\0\0\5\0\0", 10, "images: ends at offset 10, within the header" },
        { "\0\0\x08\2\0\0\0\5\0\0\0\0", 12, "images: offset 8: dimension 1 is 0" },
        { "\0\0\x08\3\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 16, "images: offset 8: dimension 1 is 4294967295, which no memory holds" },
        { "\0\0\x08\2\0\0\0\5\0\0\0\1\1\2\3", 15, "images: ends at offset 15, where its header tells of 17 bytes" },
        { "\0\0\x08\3\x7f\xff\xff\xff\0\1\0\0\0\0\0\4\1", 17, "images: ends at offset 17" },
        { "\0\0\x08\2\0\0\0\5\0\0\0\1\1\2\3\4\5\6", 18, "images: goes on at offset 17" },
        { "\0\0\x08\2\0\0\0\4\0\0\0\1\1\2\3\4", 16, "has 4 images" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        plugin_close(&p);
        open_idx();
        write_bytes(images, cases[i].bytes, cases[i].size);
        write_bytes(labels, five_labels, sizeof five_labels);
        cr_assert_eq(take(), LTH_INVALID, "%s", cases[i].says);
        cr_assert(strstr(p.message, cases[i].says), "'%s' is said instead of '%s'", p.message, cases[i].says);
    }
}

Test(idx_data, a_gzip_file_that_was_cut_off_is_refused)
{
    write_five();
    gzFile file = gzopen(images, "wb");
    gzwrite(file, five_images, sizeof five_images);
    gzclose(file);
    cr_assert_eq(truncate(images, 40), 0);
    cr_assert_eq(take(), LTH_INVALID);
    cr_assert(strstr(p.message, "images: ") && strstr(p.message, "offset"), "%s", p.message);
}

Test(idx_data, options_that_contradict_each_other_are_refused)
{
    static const struct { const char *option[2], *value[2], *says; } cases[] = {
        { { "val_split" }, { "1.5" }, "val_split = 1.5: below 1 it is a share" },
        { { "val_split" }, { "5" }, "val_split = 5 leaves nothing of 5 images to train on" },
        { { "test_images" }, { "x" }, "test_images is given without test_labels" },
        { { "normalise", "mean" }, { "standard", "1" }, "normalise = standard finds mean and std itself" },
        { { "num_classes" }, { "2" }, "labels: offset 8: label 0 is 2, where a whole number of 0 to 1 is wanted" },
    };
    write_five();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        plugin_close(&p);
        open_idx();
        for (int k = 0; k < 2 && cases[i].option[k]; k++)
            plugin_set(&p, cases[i].option[k], cases[i].value[k]);
        cr_assert_eq(take(), LTH_INVALID, "%s", cases[i].says);
        cr_assert(strstr(p.message, cases[i].says), "'%s' is said instead of '%s'", p.message, cases[i].says);
    }
}

Test(idx_data, training_images_move_and_turn_by_seed_epoch_and_sample_alone)
{
    write_five();
    plugin_set(&p, "scale", "false");
    plugin_set(&p, "shift", "1");
    plugin_set(&p, "flip", "0.5");
    must_take();
    rows all = offer_fetch_keyed(&o, LTH_STAGE_TRAIN, 0, 5, 7, 3), same = offer_fetch_keyed(&o, LTH_STAGE_TRAIN, 2, 3, 7, 3);
    cr_assert_eq(memcmp(all.x + 12, same.x, 18 * sizeof(float)), 0, "by sample, not by place in the batch");
    rows_free(&same);
    int differ = 0;
    for (int64_t epoch = 4; epoch < 8; epoch++) {
        rows other = offer_fetch_keyed(&o, LTH_STAGE_TRAIN, 0, 5, 7, epoch);
        differ += memcmp(all.x, other.x, 30 * sizeof(float)) != 0;
        rows_free(&other);
    }
    cr_assert_gt(differ, 0, "another epoch moves them otherwise");
    rows_free(&all);
}

Test(idx_data, a_moved_image_keeps_its_pixels_and_takes_0_from_outside)
{
    write_five();
    plugin_set(&p, "scale", "false");
    plugin_set(&p, "shift", "1");
    plugin_set(&p, "flip", "0.5");
    must_take();
    bool seen[3][3][2] = { { { false } } };
    for (int64_t epoch = 0; epoch < 200; epoch++) {
        rows r = offer_fetch_keyed(&o, LTH_STAGE_TRAIN, 4, 1, 1, epoch);
        int matches = 0;
        for (int down = -1; down <= 1; down++)
            for (int right = -1; right <= 1; right++)
                for (int flip = 0; flip <= 1; flip++) {
                    bool equal = true;
                    for (int i = 0; i < 6; i++) {
                        int line = i / 3 - down, column = (flip ? 2 - i % 3 : i % 3) - right;
                        bool inside = line >= 0 && line < 2 && column >= 0 && column < 3;
                        equal = equal && r.x[i] == (float)(inside ? 40 + 3 * line + column : 0);
                    }
                    matches += equal;
                    seen[down + 1][right + 1][flip] |= equal;
                }
        cr_assert_gt(matches, 0, "epoch %d: no shift and flip of the image", (int)epoch);
        rows_free(&r);
    }
    for (int i = 0; i < 18; i++)
        cr_assert((&seen[0][0][0])[i], "every change occurs");
}

Test(idx_data, mnist_is_read_where_it_is)
{
    const char *folder = LTHOST_TEST_SOURCE "/../shared/data/mnist-10k";
    if (access(folder, R_OK) != 0)
        cr_skip_test("%s is not here", folder);
    char path[700];
    snprintf(path, sizeof path, "%s/t10k-images-idx3-ubyte.gz", folder);
    plugin_set(&p, "images", path);
    snprintf(path, sizeof path, "%s/t10k-labels-idx1-ubyte.gz", folder);
    plugin_set(&p, "labels", path);
    plugin_set(&p, "val_split", "1500");
    must_take();
    cr_assert_eq(o.datasets[LTH_STAGE_TRAIN].length, 8500);
    cr_assert_eq(offer_field(&o, "y")->num_classes, 10);
    rows r = offer_fetch(&o, LTH_STAGE_TRAIN, 0, 4);
    const int64_t first[] = { 7, 2, 1, 0 };
    cr_assert_eq(memcmp(r.y, first, sizeof first), 0);
    rows_free(&r);
}
