/* SPDX-License-Identifier: Apache-2.0
 * vector_float.h: vectors of the type T. BITS is the integer of T's size. */
#define V NAME(vec)

typedef T V __attribute__((vector_size(VECTOR)));
typedef T NAME(vector_anywhere) __attribute__((vector_size(VECTOR), aligned(sizeof(T)), may_alias));
typedef BITS NAME(mask) __attribute__((vector_size(VECTOR))); /* all ones where a comparison holds */
enum { NAME(VL) = VECTOR / sizeof(T) };

static inline V NAME(load)(const T *x) { return *(const NAME(vector_anywhere) *)x; }
static inline void NAME(store)(T *x, V v) { *(NAME(vector_anywhere) *)x = v; }
static inline V NAME(splat)(T x) { return x - (V) { 0 }; }
static inline V NAME(choose)(NAME(mask) m, V yes, V no) { return (V)((m & (NAME(mask))yes) | (~m & (NAME(mask))no)); }

#undef V
