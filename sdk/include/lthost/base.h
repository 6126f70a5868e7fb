/* SPDX-License-Identifier: Apache-2.0
 * lthost/base.h: versions, statuses, element types, and the few macros that let every header be C11 and C++20 alike.
 *
 * Conventions of the whole ABI:
 *   - every table that crosses the boundary starts with `struct_size`, grows only at its end, and is a multiple of 8 bytes;
 *   - a table points to another table, it never embeds one that may grow;
 *   - zero means "the default" everywhere; three-way switches are 0 default, 1 on, -1 off;
 *   - strings are UTF-8, borrowed for the call unless a comment says longer; who allocates frees;
 *   - each function names its thread: [main], [loader], [logger] (the logger's own thread), [any]. */
#ifndef LTHOST_BASE_H
#define LTHOST_BASE_H

#include <stddef.h>
#include <stdint.h>

/* The ABI's version. A plugin loads when the major is equal and the minor it needs is at most the host's;
 * while the major is 0 the minor must be equal. */
#define LTH_API_MAJOR 0
#define LTH_API_MINOR 2

#ifdef __cplusplus
#include <type_traits>
#define LTH_ZERO = {}
#define LTH_REF(T, ...) lth_ref_(T{ __VA_ARGS__ })
#define LTH_VALUE(T, ...) (T{ __VA_ARGS__ })
template <class T> inline const T *lth_ref_(const T &x) { return &x; }
#define LTH_BEGIN_C extern "C" {
#define LTH_END_C }
#define LTH_STATIC_ASSERT(c, m) static_assert(c, m)
#else
#include <stdbool.h>
#define LTH_ZERO
#define LTH_REF(T, ...) (&(T){ __VA_ARGS__ })
#define LTH_VALUE(T, ...) ((T){ __VA_ARGS__ })
#define LTH_BEGIN_C
#define LTH_END_C
#define LTH_STATIC_ASSERT(c, m) _Static_assert(c, m)
#endif

#if defined(__GNUC__)
#define LTH_EXPORT __attribute__((visibility("default")))
#define LTH_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define LTH_UNUSED __attribute__((unused))
#else
#define LTH_EXPORT
#define LTH_PRINTF(f, a)
#define LTH_UNUSED
#endif

/* The place in the author's source that a message will name. */
#define LTH_HERE __FILE__, __LINE__

LTH_BEGIN_C

/* What a call that can fail returns. The message belongs to `lth_fail` (host.h) or, for tensors, to the trace. */
typedef int32_t lth_status;
enum {
    LTH_OK = 0,
    LTH_ERROR = 1,       /* failed; the message says why */
    LTH_INVALID = 2,     /* the caller's or the user's input is wrong */
    LTH_UNSUPPORTED = 3, /* a right request that this component does not serve */
    LTH_IO = 4,          /* a file or the network */
    LTH_NO_MEMORY = 5,
    LTH_CHECK = 6,  /* a check inside a plan failed: nothing was committed */
    LTH_END = 7,    /* no more items: an answer, not an error */
    LTH_STOPPED = 8 /* interrupted by the user or by a signal */
};

/* Element types. The numbers are stored in manifests of checkpoints and never change. */
typedef uint32_t lth_dtype;
enum {
    LTH_DTYPE_NONE = 0, /* the default of the place: usually the run's floating type */
    LTH_F32 = 1,
    LTH_F64 = 2,
    LTH_BF16 = 3,
    LTH_F16 = 4,
    LTH_I64 = 5,
    LTH_I32 = 6,
    LTH_U8 = 7,
    LTH_BOOL = 8, /* one byte, 0 or 1 */
    LTH_I8 = 9,
    LTH_DTYPE_COUNT = 10
};

/* Bytes of one element; 0 for an unknown type. [any] */
static inline int64_t lth_dtype_size(lth_dtype t)
{
    return t == LTH_F64 || t == LTH_I64 ? 8 : t == LTH_F32 || t == LTH_I32 ? 4 : t == LTH_BF16 || t == LTH_F16 ? 2
           : t == LTH_U8 || t == LTH_BOOL || t == LTH_I8                                                     ? 1
                                                                                                             : 0;
}

/* True for the floating types. [any] */
static inline bool lth_dtype_is_float(lth_dtype t) { return t >= LTH_F32 && t <= LTH_F16; }

/* The name used in run files and messages: "f32", "i64", ... [any] */
static inline const char *lth_dtype_name(lth_dtype t)
{
    static const char *const names[LTH_DTYPE_COUNT] = { "none", "f32", "f64", "bf16", "f16", "i64", "i32", "u8", "bool", "i8" };
    return t < LTH_DTYPE_COUNT ? names[t] : "unknown";
}

#define LTH_MAX_RANK 8

/* A dense row-major array's type: element type and dimensions. dim[rank..] are 0. */
typedef struct lth_shape {
    lth_dtype dtype;
    int32_t rank;
    int64_t dim[LTH_MAX_RANK];
} lth_shape;

/* Number of elements; 1 for a scalar (rank 0). [any] */
static inline int64_t lth_shape_count(const lth_shape *s)
{
    int64_t n = 1;
    for (int32_t i = 0; i < s->rank; i++)
        n *= s->dim[i];
    return n;
}

LTH_END_C
#endif
