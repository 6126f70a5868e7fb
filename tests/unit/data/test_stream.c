/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <criterion/criterion.h>
#include <string.h>

static fixture streaming(int64_t length, int64_t workers)
{
    fixture f = { .length = length, .stream = true, .unknown_length = true, .options = default_options() };
    f.options.workers = workers;
    return f;
}

Test(stream, comes_in_its_own_order_for_any_number_of_threads)
{
    const int64_t workers[] = { 0, 1, 4 };
    for (int k = 0; k < 3; k++)
        for (int known = 0; known < 2; known++) {
            fixture f = streaming(100, workers[k]);
            f.unknown_length = !known;
            f.delay = 30;
            fixture_open(&f);
            data_loader *l = fixture_loader(&f, LTH_STAGE_TRAIN);
            cr_assert_eq(data_loader_length(l), known ? 13 : -1);
            cr_assert_eq(data_loader_samples(l), known ? 100 : -1);
            for (int64_t epoch = 0; epoch < 3; epoch++) {
                int64_t at[120], sizes[16];
                cr_assert_eq(epoch_samples(l, epoch, 0, at, 120, sizes), 100);
                cr_assert_eq(sizes[12], 4);
                for (int64_t i = 0; i < 100; i++)
                    cr_assert_eq(at[i], epoch * 1000 + i);
            }
            data_loader_free(l);
            fixture_close(&f);
        }
}

Test(stream, knows_its_last_batch_without_knowing_its_length)
{
    for (int64_t length = 0; length < 40; length++)
        for (int drop = 0; drop < 2; drop++)
            for (int64_t workers = 0; workers < 3; workers += 2) {
                fixture f = streaming(length, workers);
                f.options.drop_last = drop;
                fixture_open(&f);
                data_loader *l = fixture_loader(&f, LTH_STAGE_TRAIN);
                error e = { 0 };
                const data_batch *b;
                int64_t batches = 0, expected = drop ? length / 8 : (length + 7) / 8;
                data_loader_start(l, 0, 0, &e);
                for (; !data_loader_next(l, &b, &e); batches++)
                    cr_assert_eq(b->last, batches == expected - 1, "length %lld, batch %lld", (long long)length,
                                 (long long)batches);
                cr_assert_eq(batches, expected, "length %lld", (long long)length);
                data_loader_free(l);
                fixture_close(&f);
            }
}

Test(stream, ranks_share_it)
{
    for (int32_t world = 1; world < 5; world++)
        for (int training = 0; training < 2; training++) {
            int64_t hits[50] = { 0 };
            for (int32_t rank = 0; rank < world; rank++) {
                fixture f = streaming(50, 2);
                f.rank = rank;
                f.world = world;
                fixture_open(&f);
                data_loader *l = fixture_loader(&f, training ? LTH_STAGE_TRAIN : LTH_STAGE_TEST);
                int64_t at[64], count = epoch_samples(l, 0, 0, at, 64, NULL);
                cr_assert_eq(count, training ? 50 / world : (50 - rank + world - 1) / world);
                for (int64_t i = 0; i < count; i++)
                    hits[at[i]]++;
                data_loader_free(l);
                fixture_close(&f);
            }
            for (int64_t i = 0; i < 50; i++)
                cr_assert_eq(hits[i], !training || i < 50 / world * world ? 1 : 0);
        }
}

Test(stream, a_limit_in_batches_holds_and_a_fraction_of_an_unknown_length_is_refused)
{
    fixture f = streaming(100, 2);
    fixture_open(&f);
    error e = { 0 };
    data_loader_args args = { .stage = LTH_STAGE_TRAIN, .limit = 3 };
    data_loader *l = data_loader_new(f.module, &args, &e);
    int64_t at[100];
    for (int64_t epoch = 0; epoch < 2; epoch++)
        cr_assert_eq(epoch_samples(l, epoch, 0, at, 100, NULL), 24);
    data_loader_free(l);
    args.limit = 0.5;
    args.limit_is_fraction = true;
    cr_assert_null(data_loader_new(f.module, &args, &e));
    cr_assert(strstr(e.text, "give a number of batches"), "%s", e.text);
    fixture_close(&f);
}

Test(stream, an_error_in_decode_comes_out_as_itself)
{
    for (int64_t workers = 0; workers < 3; workers++) {
        fixture f = streaming(100, workers);
        f.fails_at = 20;
        fixture_open(&f);
        data_loader *l = fixture_loader(&f, LTH_STAGE_TRAIN);
        error e = { 0 };
        const data_batch *b;
        data_loader_start(l, 0, 0, &e);
        cr_assert_eq(data_loader_next(l, &b, &e), LTH_OK);
        cr_assert_eq(data_loader_next(l, &b, &e), LTH_OK);
        cr_assert_eq(data_loader_next(l, &b, &e), LTH_IO);
        cr_assert_str_eq(e.text, "cannot read 'scan-0042.png': it is cut short");
        data_loader_free(l);
        fixture_close(&f);
    }
}
