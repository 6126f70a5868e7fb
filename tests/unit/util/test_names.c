/* SPDX-License-Identifier: Apache-2.0
 * Hash, map and the nearest name. */
#include "util/hash.h"
#include "util/map.h"
#include "util/nearest.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

Test(hash, depends_on_the_bytes_and_not_on_how_they_were_cut)
{
    unsigned char data[100];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (unsigned char)(i * 7);
    for (size_t size = 0; size <= sizeof data; size++) {
        uint64_t whole = hash_of(data, size);
        for (size_t cut = 0; cut <= size; cut++) {
            hash h;
            hash_start(&h, 0);
            hash_bytes(&h, data, cut);
            (void)hash_value(&h); /* asking changes nothing */
            hash_bytes(&h, data + cut, size - cut);
            cr_assert(hash_value(&h) == whole, "%zu cut at %zu", size, cut);
        }
    }
}

Test(hash, is_the_same_in_every_run)
{
    /* Stored hashes rest on these. */
    cr_assert(hash_of("", 0) == UINT64_C(0x7888d90d387666e3));
    cr_assert(hash_of("abc", 3) == UINT64_C(0xd1fe703ec182ee90));
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

Test(hash, tells_apart_what_differs_little)
{
    enum { COUNT = 60000 };
    uint64_t *seen = malloc(COUNT * sizeof *seen);
    unsigned char zeros[4096] = { 0 };
    for (size_t i = 0; i < COUNT; i++) {
        hash h;
        if (i < 4096) {
            seen[i] = hash_of(zeros, i); /* lengths */
        } else if (i < 4096 + 8 * 4096) {
            size_t bit = i - 4096;
            zeros[bit / 8] ^= (unsigned char)(1u << bit % 8);
            seen[i] = hash_of(zeros, sizeof zeros); /* single bits */
            zeros[bit / 8] = 0;
        } else {
            hash_start(&h, i); /* seeds and counters */
            hash_u64(&h, i);
            seen[i] = hash_value(&h);
        }
    }
    qsort(seen, COUNT, sizeof *seen, by_value);
    for (size_t i = 1; i < COUNT; i++)
        cr_assert(seen[i] != seen[i - 1], "two of %d are equal", COUNT);
    free(seen);
}

Test(hash, keeps_texts_apart_from_each_other)
{
    uint64_t value[4];
    const char *const pairs[4][2] = { { "ab", "c" }, { "a", "bc" }, { "", "abc" }, { NULL, "abc" } };
    for (int i = 0; i < 4; i++) {
        hash h;
        hash_start(&h, 0);
        hash_text(&h, pairs[i][0]);
        hash_text(&h, pairs[i][1]);
        value[i] = hash_value(&h);
        for (int k = 0; k < i; k++)
            cr_assert(value[i] != value[k]);
    }
}

Test(map, holds_what_was_put_and_walks_in_that_order)
{
    map m = { 0 };
    char key[32];
    cr_assert(!map_get(&m, "x") && !map_has(&m, "x") && !map_remove(&m, "x"));
    for (intptr_t i = 1; i <= 5000; i++) {
        snprintf(key, sizeof key, "key %ld", (long)i);
        cr_assert(!map_put(&m, key, (void *)i));
    }
    cr_assert(m.count == 5000);
    cr_assert(map_put(&m, "key 7", NULL) == (void *)7 && map_has(&m, "key 7") && !map_get(&m, "key 7"));
    map_put(&m, "key 7", (void *)7);
    size_t cursor = 0;
    const char *name;
    void *value;
    intptr_t next = 1;
    while (map_next(&m, &cursor, &name, &value)) {
        snprintf(key, sizeof key, "key %ld", (long)next);
        cr_assert_str_eq(name, key);
        cr_assert(value == (void *)next++);
    }
    cr_assert(next == 5001);
    map_free(&m);
}

Test(map, forgets_what_is_removed_and_stays_small)
{
    map m = { 0 };
    char key[32];
    for (intptr_t i = 1; i <= 20000; i++) {
        snprintf(key, sizeof key, "%ld", (long)i);
        map_put(&m, key, (void *)i);
        if (i > 10) {
            snprintf(key, sizeof key, "%ld", (long)(i - 10));
            cr_assert(map_remove(&m, key) == (void *)(i - 10));
            cr_assert(!map_has(&m, key));
        }
    }
    cr_assert(m.count == 10 && m.slot_count <= 64);
    for (intptr_t i = 19991; i <= 20000; i++) {
        snprintf(key, sizeof key, "%ld", (long)i);
        cr_assert(map_get(&m, key) == (void *)i);
    }
    map_free(&m);
}

Test(nearest, finds_what_was_meant_or_nothing)
{
    static const char *const names[] = { "hidden", "dropout", "lr", "weight_decay", NULL, "", "momentum", "patience", "use" };
    static const struct {
        const char *word, *meant;
    } samples[] = {
        { "hiden", "hidden" },
        { "hdiden", "hidden" },
        { "Hidden", "hidden" },
        { "droput", "dropout" },
        { "weight-decay", "weight_decay" },
        { "weigth_dacay", "weight_decay" },
        { "lt", "lr" },
        { "rl", "lr" },
        { "momentun", "momentum" },
        { "xyzzy", NULL },
        { "", NULL },
        { "ab", NULL },
        { "epochs", NULL },
        { "patienec", "patience" },
        { "uses", "use" },
    };
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        const char *found = nearest(samples[i].word, names, sizeof names / sizeof *names);
        if (samples[i].meant)
            cr_assert(found && !strcmp(found, samples[i].meant), "%s: %s", samples[i].word, found ? found : "nothing");
        else
            cr_assert(!found, "%s: %s", samples[i].word, found);
    }
}

Test(nearest, survives_names_of_any_length)
{
    static char word[5000], name[5000];
    for (size_t n = 90; n < sizeof word - 1; n = n < 120 ? n + 1 : n * 2) {
        memset(word, 'a', n);
        memset(name, 'a', n);
        word[n] = name[n] = 0;
        name[n / 2] = 'b';
        const char *const names[] = { name };
        cr_assert((nearest(word, names, 1) != NULL) == (n <= 100));
    }
}
