/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <criterion/criterion.h>
#include <string.h>

/* What is left of epoch 3 after `taken` batches, in the loader that took them. */
static int64_t rest_of_first(fixture *f, int64_t taken, memory_state *state, int64_t *rest, int64_t *sizes)
{
    error e = { 0 };
    const data_batch *b;
    fixture_open(f);
    data_loader *l = fixture_loader(f, LTH_STAGE_TRAIN);
    cr_assert_eq(data_loader_start(l, 3, 0, &e), LTH_OK);
    for (int64_t i = 0; i < taken; i++)
        cr_assert_eq(data_loader_next(l, &b, &e), LTH_OK);
    memory_state_begin(state);
    cr_assert_eq(data_loader_save(l, &state->writer, &e), LTH_OK);
    int64_t count = rest_samples(l, rest, 2000, sizes);
    data_loader_free(l);
    fixture_close(f);
    return count;
}

/* The same in a new loader that was given the state. */
static int64_t rest_of_second(fixture *f, memory_state *state, int64_t taken, int64_t *rest, int64_t *sizes)
{
    error e = { 0 };
    int64_t epoch, position;
    fixture_open(f);
    data_loader *l = fixture_loader(f, LTH_STAGE_TRAIN);
    cr_assert_eq(data_loader_load(l, &state->reader, &e), LTH_OK, "%s", e.text);
    memory_state again; /* a checkpoint that is taken before the first batch tells the same place */
    memory_state_begin(&again);
    cr_assert_eq(data_loader_save(l, &again.writer, &e), LTH_OK);
    cr_assert_eq(data_loader_load(l, &again.reader, &e), LTH_OK, "%s", e.text);
    data_loader_saved(l, &epoch, &position);
    cr_assert_eq(epoch, 3);
    cr_assert_eq(position, taken);
    int64_t count = epoch_samples(l, epoch, position, rest, 2000, sizes);
    data_loader_free(l);
    fixture_close(f);
    return count;
}

static double weight(void *context, int64_t index)
{
    (void)context;
    return 1 + (double)(index % 4);
}

Test(resume, gives_the_same_rest_of_the_epoch_from_every_position)
{
    const struct {
        const char *sampler;
        bool once, varies, drop;
        int64_t workers;
    } cases[] = { { "auto", false, false, false, 0 },      { "auto", false, false, true, 3 },
                  { "sequential", false, true, false, 1 }, { "bucket", false, true, false, 2 },
                  { "weighted", false, false, false, 2 },  { "weighted", true, false, false, 0 } };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++)
        for (int64_t taken = 0; taken <= 12; taken++) {
            int64_t first[2000], second[2000], sizes[300], other_sizes[300];
            fixture f = { .length = 100, .varies = cases[k].varies, .weight = weight, .options = default_options() };
            f.options.sampler = cases[k].sampler;
            f.options.replacement = !cases[k].once;
            f.options.drop_last = cases[k].drop;
            f.options.workers = cases[k].workers;
            memory_state state;
            int64_t count = rest_of_first(&f, taken, &state, first, sizes);
            f.options.workers = 2 - f.options.workers % 3;
            cr_assert_eq(rest_of_second(&f, &state, taken, second, other_sizes), count);
            cr_assert_eq(count, (cases[k].drop ? 96 : 100) - 8 * taken);
            cr_assert_arr_eq(first, second, (size_t)count * sizeof *first);
            for (int i = 0; i == 0 || sizes[i - 1]; i++)
                cr_assert_eq(sizes[i], other_sizes[i]);
        }
}

Test(resume, a_stream_goes_on_from_every_position_and_reads_little_again_where_it_can_save)
{
    const int64_t positions[] = { 0, 1, 2, 63, 64, 65, 66, 67, 100, 130, 131, 132, 133, 190, 200, 249, 250 };
    for (int can_save = 0; can_save < 2; can_save++)
        for (int64_t workers = 0; workers < 4; workers += 3)
            for (size_t k = 0; k < sizeof positions / sizeof *positions; k++) {
                int64_t first[2000], second[2000], taken = positions[k];
                fixture f = { .length = 1000, .stream = true, .can_save = can_save, .options = default_options() };
                f.options.batch_size = 4;
                f.options.workers = workers;
                memory_state state;
                int64_t count = rest_of_first(&f, taken, &state, first, NULL);
                atomic_store(&f.nexts, 0);
                cr_assert_eq(rest_of_second(&f, &state, taken, second, NULL), count);
                cr_assert_eq(count, 1000 - 4 * taken);
                cr_assert_arr_eq(first, second, (size_t)count * sizeof *first);
                long again = atomic_load(&f.nexts) - count;
                if (can_save)
                    cr_assert_leq(again, 3 * 64 * 4, "%ld references read again", again);
                else
                    cr_assert_eq(again, 4 * taken);
            }
}

Test(resume, a_resumed_stream_can_be_saved_again_at_once)
{
    int64_t first[2000], second[2000], third[2000];
    fixture f = { .length = 1000, .stream = true, .can_save = true, .options = default_options() };
    f.options.batch_size = 4;
    memory_state state, again;
    int64_t count = rest_of_first(&f, 200, &state, first, NULL);

    error e = { 0 };
    const data_batch *b;
    fixture_open(&f);
    data_loader *l = fixture_loader(&f, LTH_STAGE_TRAIN);
    cr_assert_eq(data_loader_load(l, &state.reader, &e), LTH_OK);
    data_loader_start(l, 3, 200, &e);
    for (int i = 0; i < 5; i++)
        cr_assert_eq(data_loader_next(l, &b, &e), LTH_OK);
    memory_state_begin(&again);
    cr_assert_eq(data_loader_save(l, &again.writer, &e), LTH_OK);
    cr_assert_eq(rest_samples(l, second, 2000, NULL), count - 20);
    cr_assert_arr_eq(first + 20, second, (size_t)(count - 20) * sizeof *first);
    data_loader_free(l);
    fixture_close(&f);

    atomic_store(&f.nexts, 0);
    cr_assert_eq(rest_of_second(&f, &again, 205, third, NULL), count - 20);
    cr_assert_arr_eq(second, third, (size_t)(count - 20) * sizeof *first);
    cr_assert_lt(atomic_load(&f.nexts), 1000 - 64 * 4, "the snapshot it began from was kept");
}

Test(resume, survives_another_batch_size_and_world_where_the_samples_so_far_are_whole_batches)
{
    int64_t first[2000], second[2000], all[200] = { 0 };
    fixture f = { .length = 128, .options = default_options() };
    memory_state state;
    int64_t count = rest_of_first(&f, 4, &state, first, NULL); /* 32 samples taken */
    f.options.batch_size = 16;
    cr_assert_eq(rest_of_second(&f, &state, 2, second, NULL), count);
    cr_assert_arr_eq(first, second, (size_t)count * sizeof *first);

    f.options.batch_size = 4;
    f.world = 2;
    for (f.rank = 0; f.rank < 2; f.rank++) {
        cr_assert_eq(rest_of_second(&f, &state, 4, second, NULL), count / 2);
        for (int64_t i = 0; i < count / 2; i++)
            all[second[i]]++;
    }
    for (int64_t i = 0; i < count; i++)
        cr_assert_eq(all[first[i]], 1);
}

Test(resume, is_refused_where_the_rest_would_be_another_one)
{
    const struct {
        int64_t length, batch_size;
        uint64_t seed;
        const char *shuffle, *says;
    } cases[] = { { 99, 8, 42, "auto", "the training data has changed: 100 samples when the checkpoint was written, 99 now" },
                  { 100, 7, 42, "auto", "no whole number of batches" },
                  { 100, 8, 43, "auto", "the seed is 43" },
                  { 100, 8, 42, "false", "shuffle or sampler" } };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        int64_t rest[2000];
        memory_state state;
        fixture f = { .length = 100, .options = default_options() };
        rest_of_first(&f, 3, &state, rest, NULL);
        f.length = cases[k].length;
        f.seed = cases[k].seed;
        f.options.batch_size = cases[k].batch_size;
        f.options.shuffle = cases[k].shuffle;
        error e = { 0 };
        fixture_open(&f);
        data_loader *l = fixture_loader(&f, LTH_STAGE_TRAIN);
        cr_assert_eq(data_loader_load(l, &state.reader, &e), LTH_INVALID);
        cr_assert(strstr(e.text, cases[k].says), "%s", e.text);
        data_loader_free(l);
        fixture_close(&f);
    }
    memory_state nothing;
    memory_state_begin(&nothing);
    fixture f = { .length = 100 };
    error e = { 0 };
    fixture_open(&f);
    data_loader *l = fixture_loader(&f, LTH_STAGE_TRAIN);
    cr_assert_eq(data_loader_load(l, &nothing.reader, &e), LTH_INVALID);
    data_loader_free(l);
    fixture_close(&f);
}
