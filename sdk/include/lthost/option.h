/* SPDX-License-Identifier: Apache-2.0
 * lthost/option.h: a component's options as one static table.
 *
 * The table is the single source of parsing, checking, help, completion and the manifest. The host writes each value
 * into the instance by `offset` before `init` is called, so that a plugin never parses text. */
#ifndef LTHOST_OPTION_H
#define LTHOST_OPTION_H

#include "base.h"

LTH_BEGIN_C

typedef uint32_t lth_option_type;
enum {
    LTH_OPTION_INT = 1,         /* int64_t */
    LTH_OPTION_FLOAT = 2,       /* double; always finite, except that `inf` is accepted where the range has no upper end */
    LTH_OPTION_BOOL = 3,        /* bool: true/false, yes/no, on/off, 1/0 */
    LTH_OPTION_STRING = 4,      /* const char *, never NULL, lives as long as the instance; with a range: one of its words */
    LTH_OPTION_INT_LIST = 5,    /* lth_int_list: `128, 64` */
    LTH_OPTION_FLOAT_LIST = 6,  /* lth_float_list */
    LTH_OPTION_STRING_LIST = 7  /* lth_string_list */
};

/* Lists are owned by the host and live as long as the instance. */
typedef struct lth_int_list { const int64_t *at; int64_t count; } lth_int_list;
typedef struct lth_float_list { const double *at; int64_t count; } lth_float_list;
typedef struct lth_string_list { const char *const *at; int64_t count; } lth_string_list;

enum {
    LTH_OPTION_HYPER = 1,    /* FLOAT or FLOAT_LIST of an optimizer: a run-time scalar of its plan, may be scheduled */
    LTH_OPTION_REQUIRED = 2, /* no default: the run file must give it */
    LTH_OPTION_PATH = 4,     /* STRING: a path; a relative one is taken from the run file's folder, `~` is expanded */
    LTH_OPTION_SECRET = 8,   /* never written into a resolved run file or a log */
    LTH_OPTION_REMOVED = 16  /* no longer accepted; `help` says what to use instead */
};

typedef struct lth_option {
    const char *name;
    lth_option_type type;
    uint32_t offset;     /* of the field, in the instance */
    const char *initial; /* the default as the user would write it; NULL with LTH_OPTION_REQUIRED */
    const char *range;   /* "1..65536", "0..", "(0..1)" (an open end), "min|max" (words); NULL: any. Lists: each element */
    const char *help;    /* one line, lower case, with the unit where there is one */
    const char *old_name LTH_ZERO; /* still accepted, with a warning; NULL: none */
    uint32_t flags LTH_ZERO;
    uint32_t reserved LTH_ZERO;
} lth_option;

typedef struct lth_options {
    const lth_option *at;
    uint32_t count, stride;
} lth_options;

#ifdef __cplusplus
LTH_END_C
template <class F> constexpr lth_option_type lth_option_type_()
{
    if constexpr (std::is_same_v<F, int64_t>) return LTH_OPTION_INT;
    else if constexpr (std::is_same_v<F, double>) return LTH_OPTION_FLOAT;
    else if constexpr (std::is_same_v<F, bool>) return LTH_OPTION_BOOL;
    else if constexpr (std::is_same_v<F, const char *>) return LTH_OPTION_STRING;
    else if constexpr (std::is_same_v<F, lth_int_list>) return LTH_OPTION_INT_LIST;
    else if constexpr (std::is_same_v<F, lth_float_list>) return LTH_OPTION_FLOAT_LIST;
    else {
        static_assert(std::is_same_v<F, lth_string_list>, "an option's field must have one of the types of lth_option_type");
        return LTH_OPTION_STRING_LIST;
    }
}
#define LTH_OPTION_TYPE_(S, f) lth_option_type_<decltype(S::f)>()
LTH_BEGIN_C
#else
#define LTH_OPTION_TYPE_(S, f)                                                                                           \
    _Generic(((S *)0)->f, int64_t: LTH_OPTION_INT, double: LTH_OPTION_FLOAT, bool: LTH_OPTION_BOOL,                      \
             const char *: LTH_OPTION_STRING, lth_int_list: LTH_OPTION_INT_LIST, lth_float_list: LTH_OPTION_FLOAT_LIST,  \
             lth_string_list: LTH_OPTION_STRING_LIST)
#endif

/* One row: LTH_OPTION(struct mlp, hidden, "128", "1..65536", "width of the hidden layer"). The option's name is the
 * field's; optional designators follow: .old_name = "width", .flags = LTH_OPTION_HYPER. */
#define LTH_OPTION(S, f, initial_, range_, ...)                                                                         \
    { .name = #f, .type = LTH_OPTION_TYPE_(S, f), .offset = (uint32_t)offsetof(S, f), .initial = initial_,               \
      .range = range_, .help = __VA_ARGS__ }
/* The same for a field whose name differs from the option's. */
#define LTH_OPTION_NAMED(S, f, name_, initial_, range_, ...)                                                            \
    { .name = name_, .type = LTH_OPTION_TYPE_(S, f), .offset = (uint32_t)offsetof(S, f), .initial = initial_,            \
      .range = range_, .help = __VA_ARGS__ }
#define LTH_OPTIONS(a) { a, (uint32_t)(sizeof(a) / sizeof *(a)), (uint32_t)sizeof *(a) }

LTH_END_C
#endif
