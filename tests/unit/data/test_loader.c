/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

static fixture threaded(int64_t length, int64_t workers)
{
    fixture f = { .length = length, .options = default_options() };
    f.options.workers = workers;
    return f;
}

Test(loader, the_order_is_the_same_for_any_number_of_threads)
{
    int64_t expected[2][100];
    const int64_t workers[] = { 0, 1, 2, 4, 7 };
    for (size_t k = 0; k < sizeof workers / sizeof *workers; k++) {
        fixture f = threaded(100, workers[k]);
        f.delay = 50;
        fixture_open(&f);
        data_loader *l = fixture_loader(&f, LTH_STAGE_TRAIN);
        for (int64_t epoch = 0; epoch < 2; epoch++) {
            int64_t at[100], sizes[16];
            cr_assert_eq(epoch_samples(l, epoch, 0, at, 100, sizes), 100);
            cr_assert_eq(sizes[12], 4);
            if (k == 0)
                memcpy(expected[epoch], at, sizeof at);
            cr_assert_arr_eq(at, expected[epoch], sizeof at);
        }
        data_loader_free(l); /* joins them: one that the machine left waiting has begun by now */
        cr_assert_eq(atomic_load(&f.started), workers[k], "threads live over epochs");
        fixture_close(&f);
    }
}

Test(loader, batches_tell_their_place_and_the_last_one)
{
    for (int64_t workers = 0; workers < 3; workers++) {
        fixture f = threaded(20, workers);
        fixture_open(&f);
        data_loader *l = fixture_loader(&f, LTH_STAGE_TRAIN);
        error e = { 0 };
        const data_batch *b;
        cr_assert_eq(data_loader_next(l, &b, &e), LTH_ERROR, "not started");
        error_clear(&e);
        data_loader_start(l, 0, 0, &e);
        for (int64_t i = 0; i < 3; i++) {
            cr_assert_eq(data_loader_next(l, &b, &e), LTH_OK);
            cr_assert_eq(b->index, i);
            cr_assert_eq(b->last, i == 2);
            for (uint32_t k = 0; k < b->field_count; k++)
                cr_assert_eq((uintptr_t)b->data[k] % 64, 0);
        }
        for (int i = 0; i < 3; i++)
            cr_assert_eq(data_loader_next(l, &b, &e), LTH_END, "the end stays the end");
        cr_assert_eq(e.status, LTH_OK, "and is no error");
        data_loader_free(l);
        fixture_close(&f);
    }
}

Test(loader, a_batch_stays_as_it_is_until_the_next_is_asked_for)
{
    fixture f = threaded(400, 3);
    fixture_open(&f);
    data_loader *l = fixture_loader(&f, LTH_STAGE_TRAIN);
    error e = { 0 };
    const data_batch *b;
    data_loader_start(l, 0, 0, &e);
    while (!data_loader_next(l, &b, &e)) {
        int64_t before[8];
        const int64_t *index = field_of(b, "index", NULL);
        memcpy(before, index, sizeof before);
        usleep(200);
        cr_assert_arr_eq(before, index, sizeof before);
    }
    data_loader_free(l);
    fixture_close(&f);
}

Test(loader, an_error_in_any_thread_comes_out_as_itself_after_the_batches_before_it)
{
    for (int64_t workers = 0; workers < 5; workers++) {
        fixture f = threaded(200, workers);
        f.options.shuffle = "false";
        f.fails_at = 83;
        fixture_open(&f);
        data_loader *l = fixture_loader(&f, LTH_STAGE_TRAIN);
        for (int64_t epoch = 0; epoch < 2; epoch++) {
            error e = { 0 };
            const data_batch *b;
            cr_assert_eq(data_loader_start(l, epoch, 0, &e), LTH_OK);
            for (int64_t i = 0; i < 10; i++)
                cr_assert_eq(data_loader_next(l, &b, &e), LTH_OK, "batch %lld: %s", (long long)i, e.text);
            for (int i = 0; i < 2; i++) {
                error_clear(&e);
                cr_assert_eq(data_loader_next(l, &b, &e), LTH_IO);
                cr_assert_str_eq(e.text, "cannot read 'scan-0042.png': it is cut short");
                cr_assert_null(b);
            }
        }
        data_loader_free(l);
        fixture_close(&f);
    }
}

Test(loader, can_be_left_at_any_moment)
{
    for (int64_t taken = 0; taken < 14; taken++)
        for (int64_t workers = 0; workers < 5; workers += 2) {
            fixture f = threaded(100, workers);
            f.delay = 20;
            fixture_open(&f);
            data_loader *l = fixture_loader(&f, LTH_STAGE_TRAIN);
            error e = { 0 };
            const data_batch *b;
            for (int64_t epoch = 0; epoch < 2; epoch++) {
                data_loader_start(l, epoch, 0, &e);
                for (int64_t i = 0; i < taken; i++)
                    data_loader_next(l, &b, &e);
            }
            int64_t at[100], whole[100];
            cr_assert_eq(epoch_samples(l, 0, 0, whole, 100, NULL), 100, "a left epoch leaves nothing behind");
            data_loader_start(l, 0, 0, &e);
            cr_assert_eq(rest_samples(l, at, 100, NULL), 100);
            cr_assert_arr_eq(at, whole, sizeof at);
            data_loader_free(l);
            fixture_close(&f);
        }
    fixture f = threaded(100, 2); /* never started at all */
    fixture_open(&f);
    data_loader_free(fixture_loader(&f, LTH_STAGE_TRAIN));
    data_loader_free(NULL);
    fixture_close(&f);
}

Test(loader, a_cheap_dataset_is_fetched_inline_whatever_workers_says)
{
    const int64_t workers[] = { -1, 0, 3 };
    for (int cheap = 0; cheap < 2; cheap++)
        for (int k = 0; k < 3; k++) {
            fixture f = threaded(40, workers[k]);
            f.cheap = cheap;
            fixture_open(&f);
            data_loader *l = fixture_loader(&f, LTH_STAGE_TRAIN);
            int64_t at[40];
            data_loader_stats stats;
            epoch_samples(l, 0, 0, at, 40, NULL);
            data_loader_get_stats(l, &stats);
            cr_assert_eq(stats.threads, cheap ? 0 : workers[k] < 0 ? 2 : workers[k]);
            cr_assert_eq(stats.samples, 40);
            cr_assert_eq(stats.fetches, 5);
            data_loader_free(l);
            fixture_close(&f);
        }
}

Test(loader, allocates_nothing_once_it_is_made)
{
    for (int64_t workers = 0; workers < 3; workers++) {
        fixture f = threaded(100, workers);
        fixture_open(&f);
        data_loader *l = fixture_loader(&f, LTH_STAGE_TRAIN);
        int64_t at[100];
        data_loader_stats stats;
        for (int64_t epoch = 0; epoch < 3; epoch++)
            epoch_samples(l, epoch, 0, at, 100, NULL);
        data_loader_get_stats(l, &stats);
        cr_assert_eq(stats.allocations, 0);
        data_loader_free(l);
        fixture_close(&f);
    }
}

Test(loader, a_fetch_that_writes_beyond_its_field_is_caught)
{
    fixture f = threaded(16, 0);
    f.overruns = true;
    fixture_open(&f);
    data_loader *l = fixture_loader(&f, LTH_STAGE_TRAIN);
    error e = { 0 };
    const data_batch *b;
    data_loader_start(l, 0, 0, &e);
    cr_assert_eq(data_loader_next(l, &b, &e), LTH_ERROR);
    cr_assert(strstr(e.text, "beyond the end of the field 'x'"), "%s", e.text);
    data_loader_free(l);
    fixture_close(&f);
}

Test(loader, an_empty_dataset_has_an_epoch_without_batches)
{
    for (int64_t workers = 0; workers < 2; workers++) {
        fixture f = threaded(0, workers);
        fixture_open(&f);
        data_loader *l = fixture_loader(&f, LTH_STAGE_TRAIN);
        int64_t at[1];
        cr_assert_eq(data_loader_length(l), 0);
        cr_assert_eq(epoch_samples(l, 0, 0, at, 1, NULL), 0);
        data_loader_free(l);
        fixture_close(&f);
    }
}

Test(loader, a_probe_has_shapes_and_no_data)
{
    static const int64_t lengths[] = { 4, 16 };
    for (int with_buckets = 0; with_buckets < 2; with_buckets++) {
        fixture f = { .length = 3, .varies = true, .options = default_options() };
        if (with_buckets)
            f.options.buckets = (lth_int_list) { lengths, 2 };
        fixture_open(&f);
        data_loader *l = fixture_loader(&f, LTH_STAGE_VALIDATE);
        error e = { 0 };
        const data_batch *b;
        lth_shape shape;
        cr_assert_eq(data_loader_probe(l, &b, &e), LTH_OK);
        cr_assert_eq(b->size, 8);
        cr_assert_null(field_of(b, "x", &shape));
        cr_assert(shape.rank == 2 && shape.dim[0] == 8 && shape.dim[1] == 3);
        cr_assert_null(field_of(b, "t", &shape));
        cr_assert(shape.rank == 2 && shape.dim[1] == (with_buckets ? 16 : 8));
        cr_assert_null(field_of(b, "t_length", &shape));
        cr_assert(shape.rank == 1 && shape.dtype == LTH_I64);
        cr_assert_eq(atomic_load(&f.fetched), 0);
        data_loader_free(l);
        fixture_close(&f);
    }
}

/* The last element of the second batch's "x", that the fetch leaves alone. */
static float left_alone(bool fills)
{
    fixture f = threaded(16, 0);
    f.options.shuffle = "false";
    f.fills = fills;
    f.skips = 8;
    fixture_open(&f);
    data_loader *l = fixture_loader(&f, LTH_STAGE_TRAIN);
    error e = { 0 };
    const data_batch *b = NULL;
    cr_assert_eq(data_loader_start(l, 0, 0, &e), LTH_OK);
    for (int i = 0; i < 2; i++)
        cr_assert_eq(data_loader_next(l, &b, &e), LTH_OK);
    float x = ((const float *)field_of(b, "x", NULL))[23];
    data_loader_free(l);
    fixture_close(&f);
    return x;
}

Test(loader, fields_are_zeroed_but_where_the_dataset_fills_them)
{
    cr_assert_eq(left_alone(false), 0);
    cr_assert_eq(left_alone(true), 7, "what the batch before held");
}
