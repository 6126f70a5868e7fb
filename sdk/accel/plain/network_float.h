/* SPDX-License-Identifier: Apache-2.0
 * A template (each_float.h): linear algebra and the ops of neural networks. */

/* (..., M, K) (..., K, N) -> (..., M, N). Products are summed in double, so that f32 has one rounding. */
static bool NAME(matmul)(const plain_call *c)
{
    const lth_attr_matmul *t = plain_attributes(c);
    const lth_shape *a = plain_in(c, 0), *y = plain_out(c, 0);
    int64_t M = y->dim[y->rank - 2], N = y->dim[y->rank - 1], K = a->dim[a->rank - (t->transpose_a ? 2 : 1)];
    int64_t a_m = t->transpose_a ? 1 : K, a_k = t->transpose_a ? M : 1;
    int64_t b_k = t->transpose_b ? 1 : N, b_n = t->transpose_b ? K : 1;
    int64_t batches = M && N ? lth_shape_count(y) / (M * N) : 0;
    for (int64_t batch = 0; batch < batches; batch++) {
        const T *A = (const T *)c->in[0] + batch * M * K, *B = (const T *)c->in[1] + batch * K * N;
        T *Y = (T *)c->out[0] + batch * M * N;
        for (int64_t m = 0; m < M; m++)
            for (int64_t n = 0; n < N; n++) {
                double sum = 0;
                for (int64_t k = 0; k < K; k++)
                    sum += (double)A[m * a_m + k * a_k] * (double)B[k * b_k + n * b_n];
                Y[m * N + n] = (T)sum;
            }
    }
    return true;
}

/* The sum of exp(x - shift) over C elements, `stride` apart; the shift is the greatest of them, so nothing overflows. */
static T NAME(row_sum)(const T *x, int64_t C, int64_t stride, T *shift)
{
    NAME(pairwise) s;
    s.count = 0;
    *shift = C ? x[0] : 0;
    for (int64_t i = 1; i < C; i++)
        if (x[i * stride] > *shift || IS_NAN(x[i * stride]))
            *shift = x[i * stride];
    for (int64_t i = 0; i < C; i++)
        NAME(add_term)(&s, M(exp)(x[i * stride] - *shift));
    return NAME(total)(&s);
}

/* exp(x) / sum(exp(x)), or its logarithm. */
static bool NAME(softmax_rows)(const plain_call *c, bool logarithm)
{
    plain_reduction r = plain_reduction_of_axis(c);
    int64_t stride = r.reduced.rank ? r.reduced.stride[0] : 1;
    for (int64_t o = 0; o < r.outer; o++) {
        const T *x = (const T *)c->in[0] + plain_walk_at(&r.kept, o);
        T *y = (T *)c->out[0] + plain_walk_at(&r.kept, o), shift;
        T sum = NAME(row_sum)(x, r.inner, stride, &shift), log_sum = M(log)(sum);
        for (int64_t i = 0; i < r.inner * stride; i += stride)
            y[i] = logarithm ? x[i] - shift - log_sum : M(exp)(x[i] - shift) / sum;
    }
    return true;
}

static bool NAME(softmax)(const plain_call *c) { return NAME(softmax_rows)(c, false); }
static bool NAME(log_softmax)(const plain_call *c) { return NAME(softmax_rows)(c, true); }

/* (logits (N, C), target (N)) -> loss (N), log-sum-exp (N) */
static bool NAME(cross_entropy)(const plain_call *c)
{
    const lth_shape *x = plain_in(c, 0), *target = plain_in(c, 1);
    T *loss = c->out[0], *lse = c->out[1], shift;
    int64_t N = x->dim[0], C = x->dim[1];
    if (!plain_index_check(c, "target", C))
        return false;
    for (int64_t n = 0; n < N; n++) {
        const T *row = (const T *)c->in[0] + n * C;
        lse[n] = M(log)(NAME(row_sum)(row, C, 1, &shift)) + shift;
        loss[n] = lse[n] - row[plain_index(target->dtype, c->in[1], n)];
    }
    return true;
}

/* (logits (N, C), target (N), log-sum-exp (N), d loss (N)) -> (softmax - one hot) d loss */
static bool NAME(cross_entropy_grad)(const plain_call *c)
{
    const lth_shape *x = plain_in(c, 0), *target = plain_in(c, 1);
    const T *lse = c->in[2], *d_loss = c->in[3];
    int64_t N = x->dim[0], C = x->dim[1];
    if (!plain_index_check(c, "target", C))
        return false;
    for (int64_t n = 0; n < N; n++) {
        const T *row = (const T *)c->in[0] + n * C;
        T *y = (T *)c->out[0] + n * C;
        int64_t right = plain_index(target->dtype, c->in[1], n);
        for (int64_t i = 0; i < C; i++)
            y[i] = (M(exp)(row[i] - lse[n]) - (i == right)) * d_loss[n];
    }
    return true;
}
