/* SPDX-License-Identifier: Apache-2.0
 * A template (each_float.h, each_integer.h): running sums and sorting along an axis. SUM: the type of a sum. */
static bool NAME(cumsum)(const plain_call *c)
{
    const lth_attr_cumulative *a = plain_attributes(c);
    plain_reduction r = plain_reduction_over(plain_in(c, 0), 1u << a->axis);
    for (int64_t o = 0; o < r.outer; o++) {
        int64_t line = plain_walk_at(&r.kept, o);
        const T *x = (const T *)c->in[0] + line;
        T *y = (T *)c->out[0] + line;
        SUM sum = 0;
        for (int64_t i = 0; i < r.inner; i++) {
            int64_t at = plain_walk_at(&r.reduced, a->reverse ? r.inner - 1 - i : i);
            SUM next = (SUM)(sum + (SUM)x[at]);
            y[at] = (T)(a->exclusive ? sum : next);
            sum = next;
        }
    }
    return true;
}

typedef struct NAME(sorted_line) {
    const T *x;
    int64_t stride;
    bool descending;
    int64_t *first; /* the result's: a heap, whose root is the last in order */
    int64_t step;
} NAME(sorted_line);

/* Whether element a comes before element b. No two are equal in this order, so whatever sorts by it is stable. */
static bool NAME(comes_before)(const NAME(sorted_line) * l, int64_t a, int64_t b)
{
    T p = l->x[a * l->stride], q = l->x[b * l->stride];
    bool less = IS_NAN(q) ? !IS_NAN(p) : p < q, more = IS_NAN(p) ? !IS_NAN(q) : p > q;
    if (less == more)
        return a < b;
    return l->descending ? more : less;
}

/* Lets the element at `root` sink to its place in a heap of n. */
static void NAME(sink)(const NAME(sorted_line) * l, int64_t root, int64_t n)
{
    int64_t *heap = l->first, step = l->step, moving = heap[root * step];
    for (int64_t child = 2 * root + 1; child < n; child = 2 * root + 1) {
        if (child + 1 < n && NAME(comes_before)(l, heap[child * step], heap[(child + 1) * step]))
            child++;
        if (!NAME(comes_before)(l, moving, heap[child * step]))
            break;
        heap[root * step] = heap[child * step];
        root = child;
    }
    heap[root * step] = moving;
}

/* The first k of n: a heap in the result takes in what comes before its last, and is sorted in place: O(n log k) whatever the
 * input, and no memory. */
static void NAME(sort_line)(const NAME(sorted_line) * l, int64_t n, int64_t k)
{
    int64_t *heap = l->first, step = l->step;
    for (int64_t i = 0; i < k; i++)
        heap[i * step] = i;
    for (int64_t i = k / 2; i-- > 0;)
        NAME(sink)(l, i, k);
    for (int64_t i = k; i < n; i++)
        if (NAME(comes_before)(l, i, heap[0])) {
            heap[0] = i;
            NAME(sink)(l, 0, k);
        }
    for (int64_t i = k; i-- > 1;) {
        int64_t last = heap[0];
        heap[0] = heap[i * step];
        heap[i * step] = last;
        NAME(sink)(l, 0, i);
    }
}

static bool NAME(argsort)(const plain_call *c)
{
    const lth_attr_sort *a = plain_attributes(c);
    plain_reduction from = plain_reduction_over(plain_in(c, 0), 1u << a->axis),
                    to = plain_reduction_over(plain_out(c, 0), 1u << a->axis);
    for (int64_t o = 0; to.inner > 0 && o < to.outer; o++) {
        NAME(sorted_line)
        l = { (const T *)c->in[0] + plain_walk_at(&from.kept, o), from.reduced.stride[0], a->descending != 0,
              (int64_t *)c->out[0] + plain_walk_at(&to.kept, o), to.reduced.stride[0] };
        NAME(sort_line)(&l, from.inner, to.inner);
    }
    return true;
}
