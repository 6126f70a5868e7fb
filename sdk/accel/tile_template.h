/* SPDX-License-Identifier: Apache-2.0
 * accel/tile_template.h: the interpreter of tile programs, compiled once an instruction set:
 *
 *     #define TILE(name) name##_avx2
 *     #include <lthost/accel/tile_template.h>
 *
 * in a file built with -O3 -mavx2 -mfma -fno-math-errno -fno-trapping-math defines accel_tile_avx2 (an accel_tile_function;
 * declare it yourself). Loops are plain; the compiler vectorises them for the file's target. In-place instructions read element i
 * before they write it and no other, hence the promise to the compiler that iterations do not depend on each other. */
#include "tile.h"
#include "tile_math.h"

#define CASE1(code, expression)           \
    case LTH_OP_##code: {                 \
        const T *as = in[0];              \
        T *y = out;                       \
        TILE_LOOP                         \
        for (int64_t i = 0; i < n; i++) { \
            T a = as[i];                  \
            y[i] = (expression);          \
        }                                 \
        return;                           \
    }
#define CASE2(code, result, expression)   \
    case LTH_OP_##code: {                 \
        const T *as = in[0], *bs = in[1]; \
        result *y = out;                  \
        TILE_LOOP                         \
        for (int64_t i = 0; i < n; i++) { \
            T a = as[i], b = bs[i];       \
            y[i] = (expression);          \
        }                                 \
        return;                           \
    }
#define TILE_CAST(code, type, expression) \
    case code: {                          \
        type *y = out;                    \
        TILE_LOOP                         \
        for (int64_t i = 0; i < n; i++)   \
            y[i] = (expression);          \
        return;                           \
    }

#include "tile_philox.h"

#define TILE_IS_NAN(x) ((x) != (x))
#define T float
#define U float
#define TILE_T(name) TILE(name##_f32)
#define TILE_BUILTIN(name) __builtin_##name##f
#define F(name) tile_##name##_f32
#include "tile_loops_float.h"
#undef T
#undef U
#undef TILE_T
#undef TILE_BUILTIN
#undef F

#define T double
#define U double
#define TILE_T(name) TILE(name##_f64)
#define TILE_BUILTIN(name) __builtin_##name
#define F(name) tile_##name##_f64
#include "tile_loops_float.h"
#undef T
#undef U
#undef TILE_T
#undef TILE_BUILTIN
#undef F
#undef TILE_IS_NAN

#define TILE_IS_NAN(x) 0
#define T int64_t
#define U uint64_t
#define TILE_T(name) TILE(name##_i64)
#include "tile_loops_integer.h"
#undef T
#undef U
#undef TILE_T

#define T int32_t
#define U uint32_t
#define TILE_T(name) TILE(name##_i32)
#include "tile_loops_integer.h"
#undef T
#undef U
#undef TILE_T

#define T int8_t
#define U uint8_t
#define TILE_T(name) TILE(name##_i8)
#include "tile_loops_integer.h"
#undef T
#undef U
#undef TILE_T

#define T uint8_t
#define U uint8_t
#define TILE_T(name) TILE(name##_u8)
#include "tile_loops_integer.h"
#undef T
#undef U
#undef TILE_T
#undef TILE_IS_NAN

/* bf16 and f16 are carried and cast, not computed with: programs compute bf16 in f32. */
static void TILE(step_half)(const accel_instruction *ins, const void *const *in, void *out, int64_t n)
{
    const uint16_t *x = in[0];
    float wide[ACCEL_TILE_MOST];
    if (ins->op == LTH_OP_WHERE) {
        const uint8_t *c = in[0];
        const uint16_t *a = in[1], *b = in[2];
        for (int64_t i = 0; i < n; i++)
            ((uint16_t *)out)[i] = c[i] ? a[i] : b[i];
    } else if (ins->op == LTH_OP_STOP_GRADIENT) {
        memmove(out, x, (size_t)n * sizeof *x);
    } else if (ins->op == LTH_OP_CAST) {
        if (ins->dtype == LTH_BF16)
            for (int64_t i = 0; i < n; i++)
                wide[i] = tile_of_bf16(x[i]);
        else
            for (int64_t i = 0; i < n; i++)
                wide[i] = tile_of_f16(x[i]);
        TILE(cast_f32)(ins->to, wide, out, n);
    }
}

/* ---- Moving elements through views ---- */

/* Elements by their size alone. */
typedef uint8_t __attribute__((may_alias)) TILE(size1);
typedef uint16_t __attribute__((may_alias)) TILE(size2);
typedef uint32_t __attribute__((may_alias)) TILE(size4);
typedef uint64_t __attribute__((may_alias)) TILE(size8);

#define MOVE(name, type)                                                                                   \
    static void TILE(name)(type * to, int64_t to_stride, const type *from, int64_t from_stride, int64_t n) \
    {                                                                                                      \
        if (to_stride == 1 && from_stride == 0) {                                                          \
            type x = *from;                                                                                \
            TILE_LOOP                                                                                      \
            for (int64_t i = 0; i < n; i++)                                                                \
                to[i] = x;                                                                                 \
            return;                                                                                        \
        }                                                                                                  \
        for (int64_t i = 0; i < n; i++)                                                                    \
            to[i * to_stride] = from[i * from_stride];                                                     \
    }
MOVE(move1, TILE(size1))
MOVE(move2, TILE(size2))
MOVE(move4, TILE(size4))
MOVE(move8, TILE(size8))
#undef MOVE

/* Moves n elements between places that lie the strides apart. */
static void TILE(move)(void *to, int64_t to_stride, const void *from, int64_t from_stride, int64_t n, int64_t size)
{
    if (to_stride == 1 && from_stride == 1) {
        memcpy(to, from, (size_t)(n * size));
        return;
    }
    switch (size) {
    case 1:
        TILE(move1)(to, to_stride, from, from_stride, n);
        break;
    case 2:
        TILE(move2)(to, to_stride, from, from_stride, n);
        break;
    case 4:
        TILE(move4)(to, to_stride, from, from_stride, n);
        break;
    default:
        TILE(move8)(to, to_stride, from, from_stride, n);
        break;
    }
}

/* Elements start..start+n-1 of a view, row by row: into `dense`, or out of it. */
static void TILE(through_view)(const accel_view *v, char *base, char *dense, int64_t start, int64_t n, int64_t size, bool store)
{
    int64_t index[LTH_MAX_RANK] = { 0 }, at = v->offset, rest = start, inner = v->rank ? v->dim[v->rank - 1] : 1;
    int64_t stride = v->rank ? v->stride[v->rank - 1] : 1;
    for (int32_t a = v->rank - 1; a >= 0; a--) {
        index[a] = a ? rest % v->dim[a] : rest;
        rest /= v->dim[a];
        at += index[a] * v->stride[a];
    }
    for (int32_t last = v->rank - 1; n > 0;) {
        int64_t here = last >= 0 && inner - index[last] < n ? inner - index[last] : n;
        if (store)
            TILE(move)(base + at * size, stride, dense, 1, here, size);
        else
            TILE(move)(dense, 1, base + at * size, stride, here, size);
        dense += here * size;
        n -= here;
        if (n == 0)
            return;
        at -= index[last] * stride; /* to the next row's first element */
        index[last] = 0;
        for (int32_t a = last - 1; a >= 0; a--) {
            at += v->stride[a];
            if (++index[a] < v->dim[a])
                break;
            at -= index[a] * v->stride[a];
            index[a] = 0;
        }
    }
}

#include "tile_adam.h"

/* ---- The interpreter ---- */

static void TILE(instruction)(const accel_program *p, const accel_instruction *ins, const accel_tile_run *run, void *const *slots,
                              int64_t start, int64_t n)
{
    const void *in[3] = { slots[ins->in[0]], slots[ins->in[1]], slots[ins->in[2]] };
    void *out = slots[ins->out];
    double *partial = NULL;
    if (ins->op >= ACCEL_TILE_LOAD) {
        int64_t size = lth_dtype_size(ins->dtype);
        switch (ins->op) {
        case ACCEL_TILE_LOAD:
            TILE(through_view)(&p->views[ins->view], run->pointers[ins->pointer], out, start, n, size, false);
            return;
        case ACCEL_TILE_STORE:
            TILE(through_view)(&p->views[ins->view], run->pointers[ins->pointer], slots[ins->in[0]], start, n, size, true);
            return;
        default:
            partial = (double *)run->pointers[ins->pointer] + start / p->tile;
            if (ins->op == ACCEL_TILE_SUM)
                *partial = ins->dtype == LTH_F32 ? TILE(sum_f32)(in[0], n) : TILE(sum_f64)(in[0], n);
            else
                *partial = ins->dtype == LTH_F32 ? TILE(all_finite_f32)(in[0], n) : TILE(all_finite_f64)(in[0], n);
            return;
        }
    }
    switch (ins->dtype) {
    case LTH_F32:
        TILE(step_f32)(ins, run, in, out, start, n);
        return;
    case LTH_F64:
        TILE(step_f64)(ins, run, in, out, start, n);
        return;
    case LTH_I64:
        TILE(step_i64)(ins, in, out, start, n);
        return;
    case LTH_I32:
        TILE(step_i32)(ins, in, out, start, n);
        return;
    case LTH_I8:
        TILE(step_i8)(ins, in, out, start, n);
        return;
    case LTH_U8:
    case LTH_BOOL:
        TILE(step_u8)(ins, in, out, start, n);
        return;
    default:
        TILE(step_half)(ins, in, out, n);
        return;
    }
}

/* A scalar in its slot's type, repeated over a tile. */
static void TILE(fill)(const accel_slot *s, const accel_tile_run *run, char *to, int64_t n)
{
    int64_t size = lth_dtype_size(s->dtype);
    double one[2] = { 0 };
    if (s->kind == ACCEL_SLOT_ONE)
        memcpy(one, (const char *)run->pointers[s->pointer] + s->at * size, (size_t)size);
    else if (s->kind == ACCEL_SLOT_SCALAR)
        TILE(cast_f64)(s->dtype, &run->scalars[s->at], one, 1);
    else
        TILE(step_i64)(&(accel_instruction) { .op = LTH_OP_CAST, .to = s->dtype }, (const void *[]) { &s->at }, one, 0, 1);
    TILE(move)(to, 1, one, 0, n, size);
}

/* Brings the next tile's operands nearer while this one is computed: they lie in several places, one short stretch each, too
 * short for the processor to foresee them. */
static void TILE(fetch)(const accel_program *p, void *const *slots, int64_t n)
{
    for (uint32_t s = 0; s < p->slot_count; s++)
        if (p->slots[s].kind == ACCEL_SLOT_MEMORY) {
            int64_t size = lth_dtype_size(p->slots[s].dtype);
            const char *next = (const char *)slots[s] + p->tile * size;
            for (int64_t at = 0; at < n * size; at += 64)
                __builtin_prefetch(next + at, 0, 2);
        }
}

void TILE(accel_tile)(const accel_program *p, const accel_tile_run *run, int64_t first, int64_t last, void *scratch)
{
    void *slots[ACCEL_TILE_SLOTS];
    for (uint32_t s = 0; s < p->slot_count; s++) {
        slots[s] = (char *)scratch + p->slots[s].scratch;
        if (p->slots[s].kind > ACCEL_SLOT_MEMORY)
            TILE(fill)(&p->slots[s], run, slots[s], p->tile < p->count ? p->tile : p->count);
    }
    for (int64_t t = first; t < last; t++) {
        int64_t start = t * p->tile, n = p->count - start < p->tile ? p->count - start : p->tile;
        for (uint32_t s = 0; s < p->slot_count; s++)
            if (p->slots[s].kind == ACCEL_SLOT_MEMORY)
                slots[s] =
                    (char *)run->pointers[p->slots[s].pointer] + (p->slots[s].at + start) * lth_dtype_size(p->slots[s].dtype);
        if (t + 1 < last)
            TILE(fetch)(p, slots, p->count - start - n < p->tile ? p->count - start - n : p->tile);
        for (uint32_t i = 0, next; i < p->instruction_count; i = next) {
            const accel_instruction *ins = &p->instructions[i];
            next = i + (ins->adam ? ins->adam : 1);
            if (ins->adam)
                TILE(adam)(ins, slots, n);
            else
                TILE(instruction)(p, ins, run, slots, start, n);
        }
    }
}
