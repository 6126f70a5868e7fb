/* SPDX-License-Identifier: Apache-2.0
 * The ABI held against its record, layout.h, layout_kinds.h and values.h, when this is compiled: by C11 and by C++20. */
#include <lthost/lthost.h>

#ifdef __cplusplus
#define SAME_TYPE(T, f, ...) std::is_same_v<decltype(T::f), __VA_ARGS__>
#else
#define SAME_TYPE(T, f, ...) __builtin_types_compatible_p(__typeof__(((T *)0)->f), __VA_ARGS__)
#endif

#define OWN(name)
#define TABLE(T, size) LTH_STATIC_ASSERT(sizeof(T) == (size) && sizeof(T) % 8 == 0, #T " has another size");
#define HEAD(T)                                                                                                         \
    LTH_STATIC_ASSERT(offsetof(T, struct_size) == offsetof(lth_component_head, struct_size) &&                           \
                          offsetof(T, options) == offsetof(lth_component_head, options) &&                               \
                          offsetof(T, load) == offsetof(lth_component_head, load) && sizeof(T) % 8 == 0,                 \
                      #T " does not begin with the component's head");
#define SLOT(T, f, offset, ...)                                                                                         \
    LTH_STATIC_ASSERT(offsetof(T, f) == (offset), #T "." #f " lies elsewhere");                                          \
    LTH_STATIC_ASSERT(SAME_TYPE(T, f, __VA_ARGS__), #T "." #f " has another type");
#define VALUE(name, value) LTH_STATIC_ASSERT((long long)(name) == (value), #name " has another value");

#include "layout.h"
#include "layout_kinds.h"
#include "values.h"
