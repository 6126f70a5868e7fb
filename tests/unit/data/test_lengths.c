/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <criterion/criterion.h>
#include <string.h>

/* Each row of "t" holds its sample's index as often as the sample is long, then -7. Returns the padded length. */
static int64_t check_rows(const data_batch *b, int64_t *longest)
{
    lth_shape shape;
    const int64_t *index = field_of(b, "index", NULL), *length = field_of(b, "t_length", NULL);
    const int32_t *t = field_of(b, "t", &shape);
    *longest = 0;
    for (int64_t i = 0; i < b->size; i++) {
        cr_assert_eq(length[i], size_of(index[i]));
        *longest = length[i] > *longest ? length[i] : *longest;
        for (int64_t k = 0; k < shape.dim[1]; k++)
            cr_assert_eq(t[i * shape.dim[1] + k], k < length[i] ? index[i] : -7);
    }
    return shape.dim[1];
}

/* Runs two epochs and compares each batch's padded length with what `expected` makes of its longest sample. */
static void check_epochs(fixture *f, int64_t (*expected)(int64_t longest))
{
    fixture_open(f);
    data_loader *l = fixture_loader(f, LTH_STAGE_TRAIN);
    for (int64_t epoch = 0; epoch < 2; epoch++) {
        error e = { 0 };
        const data_batch *b;
        int64_t batches = 0, longest;
        data_loader_start(l, epoch, 0, &e);
        for (; !data_loader_next(l, &b, &e); batches++) {
            int64_t length = check_rows(b, &longest);
            cr_assert_eq(length, expected(longest));
        }
        cr_assert_eq(e.status, LTH_OK, "%s", e.text);
        cr_assert_eq(batches, 34);
    }
    data_loader_stats first, second;
    int64_t at[200];
    data_loader_get_stats(l, &first);
    epoch_samples(l, 0, 0, at, 100, NULL);
    data_loader_get_stats(l, &second);
    cr_assert_leq(second.allocations - first.allocations, 2 * 9, "batches' memory is used again");
    data_loader_free(l);
    fixture_close(f);
}

static int64_t itself(int64_t longest) { return longest; }

static int64_t bucket(int64_t longest) { return longest <= 3 ? 3 : longest <= 7 ? 7 : 12; }

static const int64_t buckets[] = { 3, 7, 12 };

static fixture varying(int64_t workers)
{
    fixture f = { .length = 100, .varies = true, .options = default_options() };
    f.options.batch_size = 3;
    f.options.workers = workers;
    return f;
}

Test(lengths, a_batch_is_padded_to_its_longest_sample)
{
    for (int64_t workers = 0; workers < 3; workers++) {
        fixture f = varying(workers);
        check_epochs(&f, itself);
    }
}

Test(lengths, or_to_the_next_bucket)
{
    fixture f = varying(2);
    f.options.buckets = (lth_int_list) { buckets, 3 };
    check_epochs(&f, bucket);
}

Test(lengths, a_dataset_may_collate_by_itself)
{
    for (int64_t workers = 0; workers < 3; workers++) {
        fixture f = varying(workers);
        f.collates = true;
        check_epochs(&f, itself);
        f = varying(workers);
        f.collates = f.stream = true;
        check_epochs(&f, itself);
    }
}

static lth_status first_batch(fixture *f, error *e)
{
    const data_batch *b;
    fixture_open(f);
    data_loader *l = fixture_loader(f, LTH_STAGE_TRAIN);
    cr_assert_eq(data_loader_start(l, 0, 0, e), LTH_OK);
    lth_status status = data_loader_next(l, &b, e);
    data_loader_free(l);
    fixture_close(f);
    return status;
}

Test(lengths, a_sample_longer_than_the_largest_bucket_is_named)
{
    fixture f = varying(0);
    f.options.shuffle = "false";
    f.options.buckets = (lth_int_list) { buckets, 1 };
    error e = { 0 };
    cr_assert_eq(first_batch(&f, &e), LTH_INVALID);
    cr_assert_str_eq(e.text, "sample 1 has length 6; the largest of [data] buckets is 3");
}

Test(lengths, buckets_must_ascend)
{
    static const int64_t wrong[] = { 8, 8 };
    lth_datamodule module = { .struct_size = sizeof module };
    data_options options = default_options();
    options.buckets = (lth_int_list) { wrong, 2 };
    data_args args = { .module = &module, .options = &options };
    error e = { 0 };
    cr_assert_null(data_open(&args, &e));
    cr_assert_str_eq(e.text, "[data] buckets must ascend: 8 stands after 8");
}
