/* SPDX-License-Identifier: Apache-2.0
 * data/order.c */
#include "order.h"

#include <math.h>
#include <stdlib.h>

const char *const order_names[] = { "sequential", "random", "weighted", "weighted_once", "bucket" };

/* Groups that are sorted by size together: more makes batches more alike, fewer keeps the epoch's order more random. */
enum { GROUPS_IN_WINDOW = 64 };

/* Uniform in (0, 1), 53 bits. */
static double draw(const order *o, int64_t i)
{
    lth_philox r = data_random(o->args.seed, o->epoch, DATA_DRAWS, (uint64_t)i);
    return ((double)((uint64_t)r.word[0] << 20 | r.word[1] >> 12) + 0.5) * 0x1p-52;
}

/* ---- Sorting in place, by key, then place: no two items are equal, so the result is one ---- */

static bool before(const order_item *a, const order_item *b) { return a->key != b->key ? a->key < b->key : a->place < b->place; }

static void sift(order_item *heap, int64_t root, int64_t count)
{
    order_item item = heap[root];
    for (int64_t child; (child = 2 * root + 1) < count; root = child) {
        if (child + 1 < count && before(&heap[child], &heap[child + 1]))
            child++;
        if (!before(&item, &heap[child]))
            break;
        heap[root] = heap[child];
    }
    heap[root] = item;
}

/* Heapsort: qsort would allocate for long lists. */
static void sort(order_item *items, int64_t count)
{
    for (int64_t root = count / 2 - 1; root >= 0; root--)
        sift(items, root, count);
    for (int64_t end = count - 1; end > 0; end--) {
        order_item largest = items[0];
        items[0] = items[end];
        items[end] = largest;
        sift(items, 0, end);
    }
}

/* ---- Weights ---- */

static lth_status read_weights(order *o, error *e)
{
    const lth_dataset *d = o->args.dataset;
    bool once = o->args.kind == ORDER_WEIGHTED_ONCE;
    double total = 0;
    int64_t positive = 0;
    if (!d->weight)
        return error_set(e, LTH_UNSUPPORTED, "[data] sampler = weighted: this dataset gives its samples no weights");
    for (int64_t i = 0; i < d->length; i++) {
        double w = d->weight(o->args.context, i);
        if (!(w >= 0) || isinf(w))
            return error_set(e, LTH_INVALID, "[data] sampler = weighted: sample %lld has the weight %g", (long long)i, w);
        total += w;
        o->weights[i] = once ? w : total;
        if (w > 0) {
            positive++;
            o->last_with_weight = i;
        }
    }
    if (!positive || isinf(total))
        return error_set(e, LTH_INVALID, "[data] sampler = weighted: the weights of %lld samples add up to %g",
                         (long long)d->length, total);
    if (once && o->count > positive)
        return error_set(
            e, LTH_INVALID,
            "[data] sampler = weighted, replacement = false: %lld samples are to be drawn, %lld have a weight above 0 "
            "(num_samples sets how many)",
            (long long)o->count, (long long)positive);
    return LTH_OK;
}

/* The first sample whose sum lies above u * total. */
static int64_t weighted_at(const order *o, int64_t place)
{
    double x = draw(o, place) * o->weights[o->last_with_weight];
    int64_t low = 0, high = o->last_with_weight;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (o->weights[middle] > x)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* The samples with the smallest -log(u) / weight come first. */
static void begin_weighted_once(order *o)
{
    int64_t n = o->args.dataset->length;
    for (int64_t i = 0; i < n; i++) {
        double w = o->weights[i];
        o->items[i] = (order_item) { w > 0 ? -log(draw(o, i)) / w : (double)INFINITY, i, i };
    }
    sort(o->items, n);
}

/* ---- Buckets ---- */

static lth_status read_sizes(order *o, error *e)
{
    const lth_dataset *d = o->args.dataset;
    if (!d->size)
        return error_set(e, LTH_UNSUPPORTED, "[data] sampler = bucket: this dataset does not tell its samples' sizes");
    for (int64_t i = 0; i < d->length; i++) {
        o->sizes[i] = d->size(o->args.context, i);
        if (o->sizes[i] < 0)
            return error_set(e, LTH_INVALID, "the dataset gives sample %lld the size %lld", (long long)i, (long long)o->sizes[i]);
    }
    return LTH_OK;
}

static void begin_buckets(order *o)
{
    int64_t window = o->args.group * GROUPS_IN_WINDOW;
    for (int64_t i = 0; i < o->count; i++) {
        int64_t sample = o->args.shuffle ? permutation_at(&o->samples, i) : i;
        o->items[i] = (order_item) { (double)o->sizes[sample], i, sample };
    }
    for (int64_t i = 0; i < o->count; i += window)
        sort(o->items + i, o->count - i < window ? o->count - i : window);
}

/* Full groups come in a random order; what is left over stays last. */
static int64_t bucket_at(const order *o, int64_t place)
{
    int64_t group = place / o->args.group;
    if (o->args.shuffle && group < o->groups.count)
        place += (permutation_at(&o->groups, group) - group) * o->args.group;
    return o->items[place].sample;
}

/* ---- All ---- */

lth_status order_init(order *o, const order_args *args, error *e)
{
    int64_t n = args->dataset->length;
    bool weighted = args->kind == ORDER_WEIGHTED || args->kind == ORDER_WEIGHTED_ONCE;
    *o = (order) { .args = *args, .count = weighted && args->draws ? args->draws : n };
    if (weighted)
        o->weights = calloc((size_t)n + 1, sizeof *o->weights);
    if (args->kind == ORDER_BUCKET)
        o->sizes = calloc((size_t)n + 1, sizeof *o->sizes);
    if (args->kind >= ORDER_WEIGHTED_ONCE)
        o->items = calloc((size_t)n + 1, sizeof *o->items);
    if ((weighted && !o->weights) || (args->kind == ORDER_BUCKET && !o->sizes) ||
        (args->kind >= ORDER_WEIGHTED_ONCE && !o->items))
        return error_set(e, LTH_NO_MEMORY, "no memory for the order of %lld samples", (long long)n);
    if (weighted)
        return read_weights(o, e);
    return args->kind == ORDER_BUCKET ? read_sizes(o, e) : LTH_OK;
}

void order_free(order *o)
{
    free(o->weights);
    free(o->sizes);
    free(o->items);
    *o = (order) { 0 };
}

void order_begin(order *o, int64_t epoch)
{
    o->epoch = epoch;
    permutation_begin(&o->samples, o->count, o->args.seed, epoch, DATA_ORDER);
    if (o->args.kind == ORDER_WEIGHTED_ONCE)
        begin_weighted_once(o);
    if (o->args.kind == ORDER_BUCKET) {
        permutation_begin(&o->groups, o->count / o->args.group, o->args.seed, epoch, DATA_BATCHES);
        begin_buckets(o);
    }
}

int64_t order_at(const order *o, int64_t place)
{
    switch (o->args.kind) {
    case ORDER_RANDOM:
        return permutation_at(&o->samples, place);
    case ORDER_WEIGHTED:
        return weighted_at(o, place);
    case ORDER_WEIGHTED_ONCE:
        return o->items[place].sample;
    case ORDER_BUCKET:
        return bucket_at(o, place);
    default:
        return place;
    }
}
