/* SPDX-License-Identifier: Apache-2.0
 * A template (each_float.h, each_integer.h): sums into indexed places, in the order of the index. */
static bool NAME(scatter_add)(const plain_call *c)
{
    const lth_shape *index = plain_in(c, 1), *y = plain_out(c, 0);
    const T *rows = c->in[0];
    T *table = c->out[0];
    int64_t count = lth_shape_count(index), rest = 1;
    for (int32_t d = 1; d < y->rank; d++)
        rest *= y->dim[d];
    if (!plain_index_check(c, "index", y->dim[0]))
        return false;
    for (int64_t i = 0, n = plain_count(c); i < n; i++)
        table[i] = 0;
    for (int64_t i = 0; i < count; i++) {
        T *row = table + plain_index(index->dtype, c->in[1], i) * rest;
        for (int64_t r = 0; r < rest; r++)
            row[r] = (T)((U)row[r] + (U)rows[i * rest + r]);
    }
    return true;
}

static bool NAME(scatter_along)(const plain_call *c)
{
    const lth_attr_scatter *a = plain_attributes(c);
    const lth_shape *index = plain_in(c, 1);
    const T *values = c->in[0];
    T *y = c->out[0];
    along from = along_axis(plain_in(c, 0), index, -1), to = along_axis(plain_out(c, 0), index, a->axis);
    if (!plain_index_check(c, "index", a->length))
        return false;
    for (int64_t i = 0, n = plain_count(c); i < n; i++)
        y[i] = 0;
    for (int64_t i = 0, n = lth_shape_count(index); i < n; i++) {
        T *at = y + plain_walk_at(&to.walk, i) + plain_index(index->dtype, c->in[1], i) * to.stride;
        *at = (T)((U)*at + (U)values[plain_walk_at(&from.walk, i)]);
    }
    return true;
}
