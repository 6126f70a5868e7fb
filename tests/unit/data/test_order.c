/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static data_options options_with(const char *sampler, const char *shuffle)
{
    data_options o = default_options();
    o.sampler = sampler;
    o.shuffle = shuffle;
    return o;
}

static bool ascends(const int64_t *at, int64_t n)
{
    for (int64_t i = 1; i < n; i++)
        if (at[i] < at[i - 1])
            return false;
    return true;
}

/* How often each sample of 0..n-1 comes. */
static void count_samples(const int64_t *at, int64_t count, int64_t *hits, int64_t n)
{
    memset(hits, 0, (size_t)n * sizeof *hits);
    for (int64_t i = 0; i < count; i++) {
        cr_assert(at[i] >= 0 && at[i] < n);
        hits[at[i]]++;
    }
}

Test(order, training_is_shuffled_anew_each_epoch_and_evaluation_is_not)
{
    fixture f = { .length = 100 };
    fixture_open(&f);
    data_loader *train = fixture_loader(&f, LTH_STAGE_TRAIN), *validate = fixture_loader(&f, LTH_STAGE_SANITY);
    int64_t first[200], second[200], again[200], hits[100];
    cr_assert_eq(epoch_samples(train, 0, 0, first, 200, NULL), 100);
    cr_assert_eq(epoch_samples(train, 1, 0, second, 200, NULL), 100);
    cr_assert_eq(epoch_samples(train, 0, 0, again, 200, NULL), 100);
    count_samples(first, 100, hits, 100);
    for (int i = 0; i < 100; i++)
        cr_assert_eq(hits[i], 1);
    cr_assert(!ascends(first, 100) && memcmp(first, second, sizeof first[0] * 100) != 0);
    cr_assert_arr_eq(first, again, sizeof first[0] * 100);
    cr_assert_eq(epoch_samples(validate, 0, 0, first, 200, NULL), 100);
    cr_assert(ascends(first, 100));
    data_loader_free(train);
    data_loader_free(validate);
    fixture_close(&f);
}

Test(order, a_last_short_batch_is_kept_or_dropped)
{
    for (int drop = 0; drop < 2; drop++) {
        fixture f = { .length = 20, .options = default_options() };
        f.options.drop_last = drop;
        fixture_open(&f);
        data_loader *train = fixture_loader(&f, LTH_STAGE_TRAIN), *test = fixture_loader(&f, LTH_STAGE_TEST);
        int64_t at[64], sizes[8];
        cr_assert_eq(epoch_samples(train, 0, 0, at, 64, sizes), drop ? 16 : 20);
        cr_assert_eq(data_loader_length(train), drop ? 2 : 3);
        cr_assert_eq(sizes[2], drop ? 0 : 4);
        cr_assert_eq(epoch_samples(test, 0, 0, at, 64, sizes), 20, "evaluation leaves nothing out");
        cr_assert_eq(data_loader_samples(test), 20);
        data_loader_free(train);
        data_loader_free(test);
        fixture_close(&f);
    }
}

Test(order, ranks_are_disjoint_and_complete)
{
    const char *const samplers[] = { "sequential", "random", "bucket" };
    for (int k = 0; k < 3; k++)
        for (int32_t world = 1; world <= 5; world++)
            for (int64_t n = 19; n <= 120; n += 101)
                for (int training = 0; training < 2; training++) {
                    int64_t hits[120] = { 0 }, least = 1000, most = 0, all = 0, length = -1;
                    for (int32_t rank = 0; rank < world; rank++) {
                        fixture f = { .length = n,
                                      .rank = rank,
                                      .world = world,
                                      .varies = true,
                                      .options = options_with(samplers[k], "auto") };
                        fixture_open(&f);
                        data_loader *l = fixture_loader(&f, training ? LTH_STAGE_TRAIN : LTH_STAGE_VALIDATE);
                        int64_t at[300], count = epoch_samples(l, 2, 0, at, 300, NULL);
                        for (int64_t i = 0; i < count; i++)
                            hits[at[i]]++;
                        least = count < least ? count : least;
                        most = count > most ? count : most;
                        all += count;
                        cr_assert(length < 0 || !training || length == data_loader_length(l),
                                  "ranks have as many training batches");
                        length = data_loader_length(l);
                        data_loader_free(l);
                        fixture_close(&f);
                    }
                    for (int64_t i = 0; i < n; i++)
                        cr_assert(training ? hits[i] == 1 || hits[i] == 2 : hits[i] == 1, "sample %lld came %lld times",
                                  (long long)i, (long long)hits[i]);
                    cr_assert_eq(all, training ? (n + world - 1) / world * world : n);
                    cr_assert_leq(most - least, training ? 0 : 1);
                }
}

static double weight_by_index(void *context, int64_t index)
{
    (void)context;
    return index % 10 == 0 ? 0 : (double)(index % 10);
}

Test(order, weighted_sampling_draws_in_proportion)
{
    fixture f = { .length = 10, .weight = weight_by_index, .options = options_with("weighted", "auto") };
    f.options.num_samples = 9000;
    f.options.batch_size = 500;
    fixture_open(&f);
    data_loader *l = fixture_loader(&f, LTH_STAGE_TRAIN);
    static int64_t at[9000], again[9000];
    int64_t hits[10];
    cr_assert_eq(epoch_samples(l, 0, 0, at, 9000, NULL), 9000);
    count_samples(at, 9000, hits, 10);
    cr_assert_eq(hits[0], 0, "a weight of 0 is never drawn");
    for (int i = 1; i < 10; i++)
        cr_assert(fabs((double)hits[i] - 200.0 * i) < 5 * sqrt(200.0 * i), "sample %d: %lld of %d", i, (long long)hits[i],
                  200 * i);
    epoch_samples(l, 0, 0, again, 9000, NULL);
    cr_assert_arr_eq(at, again, sizeof at);
    epoch_samples(l, 1, 0, again, 9000, NULL);
    cr_assert(memcmp(at, again, sizeof at) != 0);
    data_loader_free(l);
    fixture_close(&f);
}

Test(order, weighted_sampling_without_replacement_draws_each_at_most_once_and_the_heavy_first)
{
    fixture f = { .length = 1000, .weight = weight_by_index, .options = options_with("weighted", "auto") };
    f.options.replacement = false;
    f.options.num_samples = 300;
    fixture_open(&f);
    data_loader *l = fixture_loader(&f, LTH_STAGE_TRAIN);
    int64_t at[1000], hits[1000], light = 0, heavy = 0;
    for (int64_t epoch = 0; epoch < 4; epoch++) {
        cr_assert_eq(epoch_samples(l, epoch, 0, at, 1000, NULL), 300);
        count_samples(at, 300, hits, 1000);
        for (int i = 0; i < 1000; i++) {
            cr_assert_leq(hits[i], i % 10 ? 1 : 0);
            light += i % 10 == 1 ? hits[i] : 0;
            heavy += i % 10 == 9 ? hits[i] : 0;
        }
    }
    cr_assert_gt(heavy, 3 * light, "%lld of weight 9, %lld of weight 1", (long long)heavy, (long long)light);
    data_loader_free(l);
    fixture_close(&f);
}

Test(order, buckets_bring_samples_of_similar_length_together)
{
    for (int shuffle = 0; shuffle < 2; shuffle++) {
        fixture f = { .length = 1000, .varies = true, .options = options_with("bucket", shuffle ? "true" : "false") };
        fixture_open(&f);
        data_loader *l = fixture_loader(&f, LTH_STAGE_TRAIN);
        int64_t at[1000], other[1000], hits[1000], spread = 0;
        cr_assert_eq(epoch_samples(l, 0, 0, at, 1000, NULL), 1000);
        count_samples(at, 1000, hits, 1000);
        for (int i = 0; i < 1000; i++)
            cr_assert_eq(hits[i], 1);
        for (int b = 0; b < 125; b++) {
            int64_t least = 99, most = 0;
            for (int i = 0; i < 8; i++) {
                int64_t size = size_of(at[8 * b + i]);
                least = size < least ? size : least;
                most = size > most ? size : most;
            }
            spread += most - least;
        }
        cr_assert_leq(spread, 30, "in random order it would be near 800, it is %lld", (long long)spread);
        epoch_samples(l, 1, 0, other, 1000, NULL);
        cr_assert_eq(memcmp(at, other, sizeof at) != 0, shuffle);
        data_loader_free(l);
        fixture_close(&f);
    }
}

Test(order, limits_are_batches_or_a_fraction)
{
    const struct {
        double limit;
        bool fraction;
        int64_t batches;
    } cases[] = { { -1, false, 13 }, { 1, true, 13 },   { 0.5, true, 6 }, { 0.999, true, 12 }, { 3, false, 3 },
                  { 1, false, 1 },   { 13, false, 13 }, { 0, false, 0 },  { 99, false, 13 },   { 0, true, 0 } };
    fixture f = { .length = 100 };
    fixture_open(&f);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        error e = { 0 };
        int64_t at[200];
        data_loader_args args = { .stage = LTH_STAGE_TRAIN, .limit = cases[i].limit, .limit_is_fraction = cases[i].fraction };
        data_loader *l = data_loader_new(f.module, &args, &e);
        cr_assert(l, "%s", e.text);
        int64_t expected = cases[i].batches * 8 > 100 ? 100 : cases[i].batches * 8;
        cr_assert_eq(data_loader_length(l), cases[i].batches);
        cr_assert_eq(data_loader_samples(l), expected);
        cr_assert_eq(epoch_samples(l, 0, 0, at, 200, NULL), expected);
        data_loader_free(l);
    }
    error e = { 0 };
    data_loader_args none = { .stage = LTH_STAGE_TRAIN, .limit = 0.01, .limit_is_fraction = true };
    cr_assert_null(data_loader_new(f.module, &none, &e));
    cr_assert(strstr(e.text, "less than one batch"));
    fixture_close(&f);
}

Test(order, overfitting_takes_the_same_first_batches_each_epoch)
{
    fixture f = { .length = 100 };
    fixture_open(&f);
    error e = { 0 };
    data_loader_args args = { .stage = LTH_STAGE_TRAIN, .limit = 2, .no_shuffle = true };
    data_loader *l = data_loader_new(f.module, &args, &e);
    for (int64_t epoch = 0; epoch < 3; epoch++) {
        int64_t at[32];
        cr_assert_eq(epoch_samples(l, epoch, 0, at, 32, NULL), 16);
        for (int64_t i = 0; i < 16; i++)
            cr_assert_eq(at[i], i);
    }
    data_loader_free(l);
    fixture_close(&f);
}

static double negative_weight(void *context, int64_t index)
{
    (void)context;
    return index == 5 ? -1 : 1;
}

Test(order, keys_that_contradict_or_do_nothing_are_refused_by_name)
{
    static const int64_t lengths[] = { 4, 8 };
    const struct {
        const char *sampler, *shuffle;
        int64_t num_samples;
        bool once, buckets, stream, varies;
        double (*weight)(void *, int64_t);
        const char *says;
    } cases[] = {
        { "sequential", "true", 0, false, false, false, false, NULL, "contradicts" },
        { "random", "false", 0, false, false, false, false, NULL, "contradicts" },
        { "weighted", "auto", 0, false, false, false, false, NULL, "gives its samples no weights" },
        { "weighted", "auto", 0, false, false, false, false, negative_weight, "sample 5 has the weight -1" },
        { "weighted", "auto", 0, true, false, false, false, weight_by_index, "are to be drawn" },
        { "bucket", "auto", 0, false, false, false, false, NULL, "does not tell its samples' sizes" },
        { "auto", "true", 0, false, false, true, false, NULL, "shuffle = true" },
        { "weighted", "auto", 0, false, false, true, false, NULL, "sampler = weighted" },
        { "auto", "auto", 7, false, false, false, false, NULL, "num_samples" },
        { "auto", "auto", 0, true, false, false, false, NULL, "replacement" },
        { "auto", "auto", 0, false, true, false, false, NULL, "no field of this data has a varying length" },
        { "auto", "auto", 0, false, true, true, true, NULL, "forms its batches by itself" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fixture f = { .length = 100,
                      .stream = cases[i].stream,
                      .varies = cases[i].varies,
                      .weight = cases[i].weight,
                      .options = options_with(cases[i].sampler, cases[i].shuffle) };
        f.options.num_samples = cases[i].num_samples;
        f.options.replacement = !cases[i].once;
        if (cases[i].buckets)
            f.options.buckets = (lth_int_list) { lengths, 2 };
        fixture_open(&f);
        error e = { 0 };
        data_loader_args args = { .stage = LTH_STAGE_TRAIN, .limit = -1 };
        cr_assert_null(data_loader_new(f.module, &args, &e), "case %zu", i);
        cr_assert(strstr(e.text, cases[i].says), "case %zu: '%s'", i, e.text);
        fixture_close(&f);
    }
}
