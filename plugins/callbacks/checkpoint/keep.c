/* SPDX-License-Identifier: Apache-2.0 */
#include "keep.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double rank(const keep *k, double score) { return isnan(score) ? (k->greater ? -INFINITY : INFINITY) : score; }

static bool is_better(const keep *k, double a, double b) { return k->greater ? rank(k, a) > rank(k, b) : rank(k, a) < rank(k, b); }

/* Index of the worst (the best); of equal ones the first. Unranked, the oldest is worst and the newest is best. */
static int64_t extreme(const keep *k, bool best)
{
    int64_t at = 0;
    if (!k->ranked)
        return best ? k->count - 1 : 0;
    for (int64_t i = 1; i < k->count; i++)
        if (best ? is_better(k, k->best[i].score, k->best[at].score) : is_better(k, k->best[at].score, k->best[i].score))
            at = i;
    return at;
}

static bool is_best(const keep *k, const char *name)
{
    for (int64_t i = 0; i < k->count; i++)
        if (strcmp(k->best[i].name, name) == 0)
            return true;
    return false;
}

static void copy_name(char to[KEEP_NAME_SIZE], const char *name) { snprintf(to, KEEP_NAME_SIZE, "%s", name); }

static void doom(keep *k, const char *name)
{
    for (int i = 0; i < KEEP_DOOMED; i++)
        if (!k->doomed[i][0] || strcmp(k->doomed[i], name) == 0) {
            copy_name(k->doomed[i], name);
            return;
        }
}

bool keep_copy(keep *to, const keep *from)
{
    *to = *from;
    to->best = malloc((size_t)(from->capacity + 1) * sizeof *to->best);
    if (to->best && from->count)
        memcpy(to->best, from->best, (size_t)from->count * sizeof *to->best);
    return to->best != NULL;
}

void keep_free(keep *k)
{
    free(k->best);
    k->best = NULL;
    k->count = k->capacity = 0;
}

bool keep_wants(const keep *k, double score)
{
    if (k->limit < 0 || k->count < k->limit)
        return true;
    return k->limit > 0 && (!k->ranked || is_better(k, score, k->best[extreme(k, false)].score));
}

bool keep_add(keep *k, const char *name, double score)
{
    if (k->count == k->capacity) {
        int64_t capacity = k->capacity ? 2 * k->capacity : 4;
        kept *more = realloc(k->best, (size_t)capacity * sizeof *more);
        if (!more)
            return false;
        k->best = more;
        k->capacity = capacity;
    }
    if (k->limit > 0 && k->count == k->limit) {
        int64_t worst = extreme(k, false);
        if (strcmp(k->best[worst].name, k->newest) != 0)
            doom(k, k->best[worst].name);
        k->count--;
        memmove(k->best + worst, k->best + worst + 1, (size_t)(k->count - worst) * sizeof *k->best);
    }
    copy_name(k->best[k->count].name, name);
    k->best[k->count++].score = score;
    return true;
}

void keep_set_newest(keep *k, const char *name)
{
    if (k->newest[0] && strcmp(k->newest, name) != 0 && !is_best(k, k->newest))
        doom(k, k->newest);
    copy_name(k->newest, name);
}

const kept *keep_best(const keep *k) { return k->count ? &k->best[extreme(k, true)] : NULL; }

void keep_save(const keep *k, lth_writer *w)
{
    char key[32];
    lth_put_i64(w, "count", k->count);
    for (int64_t i = 0; i < k->count; i++) {
        snprintf(key, sizeof key, "name%lld", (long long)i);
        lth_put_string(w, key, k->best[i].name);
        snprintf(key, sizeof key, "score%lld", (long long)i);
        lth_put_f64(w, key, k->best[i].score);
    }
    lth_put_string(w, "newest", k->newest);
    for (int i = 0; i < KEEP_DOOMED; i++) {
        snprintf(key, sizeof key, "doomed%d", i);
        lth_put_string(w, key, k->doomed[i]);
    }
}

bool keep_load(keep *k, lth_reader *r)
{
    char key[32];
    const char *name;
    double score = 0;
    int64_t count = 0;
    bool good = true;
    lth_get_i64(r, "count", &count);
    for (int64_t i = 0; good && i < count; i++) {
        snprintf(key, sizeof key, "name%lld", (long long)i);
        bool named = lth_get_string(r, key, &name);
        snprintf(key, sizeof key, "score%lld", (long long)i);
        if (named && lth_get_f64(r, key, &score))
            good = keep_add(k, name, score);
    }
    if (lth_get_string(r, "newest", &name))
        copy_name(k->newest, name);
    for (int i = 0; i < KEEP_DOOMED; i++) {
        snprintf(key, sizeof key, "doomed%d", i);
        if (lth_get_string(r, key, &name))
            copy_name(k->doomed[i], name);
    }
    return good;
}
