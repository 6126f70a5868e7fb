/* SPDX-License-Identifier: Apache-2.0
 * Part of kernel_rows.c for the type T, whose kernels are cpu_kernels()->KERNELS. */
#define IN(i, at) ((const T *)r->call->in[i] + (at))
#define OUT(i, at) ((T *)r->call->out[i] + (at))

static void NAME(softmax)(const rows_call *r, int64_t first, int64_t n)
{
    cpu_kernels()->KERNELS.softmax(IN(0, first * r->C), OUT(0, first * r->C), n, r->C);
}

static void NAME(log_softmax)(const rows_call *r, int64_t first, int64_t n)
{
    cpu_kernels()->KERNELS.log_softmax(IN(0, first * r->C), OUT(0, first * r->C), n, r->C);
}

static void NAME(logsumexp)(const rows_call *r, int64_t first, int64_t n)
{
    cpu_kernels()->KERNELS.logsumexp(IN(0, first * r->C), OUT(0, first), n, r->C);
}

static void NAME(cross_entropy)(const rows_call *r, int64_t first, int64_t n)
{
    cpu_kernels()->KERNELS.cross_entropy(IN(0, first * r->C), r->target + first, OUT(0, first), OUT(1, first), n, r->C);
}

static void NAME(cross_entropy_grad)(const rows_call *r, int64_t first, int64_t n)
{
    cpu_kernels()->KERNELS.cross_entropy_grad(IN(0, first * r->C), r->target + first, IN(2, first), IN(3, first),
                                              OUT(0, first * r->C), n, r->C);
}

static void NAME(layer_norm)(const rows_call *r, int64_t first, int64_t n)
{
    cpu_kernels()->KERNELS.layer_norm(IN(0, first * r->C), *IN(1, 0), OUT(0, first * r->C), OUT(1, first), n, r->C);
}

static void NAME(rms_norm)(const rows_call *r, int64_t first, int64_t n)
{
    cpu_kernels()->KERNELS.rms_norm(IN(0, first * r->C), *IN(1, 0), OUT(0, first * r->C), OUT(1, first), n, r->C);
}

#undef IN
#undef OUT
