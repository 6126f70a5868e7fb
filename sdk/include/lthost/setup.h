/* SPDX-License-Identifier: Apache-2.0
 * lthost/setup.h: what a model sees in `configure`: the data's shapes, and the making of parameters and buffers.
 *
 * Errors are sticky: the first one is kept with its place, later calls are harmless, and `lth_setup_status` returns it.
 * All calls: [main], in `configure` alone. */
#ifndef LTHOST_SETUP_H
#define LTHOST_SETUP_H

#include "base.h"
#include "tensor.h"

LTH_BEGIN_C

typedef struct lth_setup lth_setup;

/* A field of the batch, as the datamodule declared it. shape is that of one sample (no batch axis); a dimension of -1
 * varies from batch to batch. */
typedef struct lth_field_info {
    uint32_t struct_size, reserved;
    const char *name;
    lth_shape shape;
    int64_t num_classes; /* of an integer label; 0: not a label */
} lth_field_info;

/* Initial values are drawn with Philox from the seed and the name, so that they depend on nothing else. */
typedef uint32_t lth_init_kind;
enum {
    LTH_INIT_CONSTANT = 0, /* a */
    LTH_INIT_UNIFORM = 1,  /* in [a, b) */
    LTH_INIT_NORMAL = 2,   /* mean a, standard deviation b */
    LTH_INIT_TRUNCATED_NORMAL = 3, /* the same, redrawn beyond 2 standard deviations */
    LTH_INIT_VALUES = 4,   /* `values`: dense f64, as many as the shape has, copied at the call */
    /* a times a matrix (axis 0, all others) whose rows are orthonormal, or its columns where there are more rows; drawn evenly
     * among all such (Saxe et al. 2013, "Exact solutions to the nonlinear dynamics of learning"). */
    LTH_INIT_ORTHOGONAL = 5,
    LTH_INIT_TRUNCATED = 6, /* normal, mean a, deviation b, redrawn outside values[0] to values[1] (64 times; then the nearer end) */
    LTH_INIT_IDENTITY = 7   /* a on the diagonal, elsewhere 0; with more than two axes in the middle of the others (Dirac's delta),
                             * in each of b groups along axis 0 */
};
typedef struct lth_init {
    lth_init_kind kind;
    uint32_t zero_row; /* 1 + the row (index on axis 0) that is zero whatever the kind, as an embedding's padding; 0: none */
    double a, b;
    const double *values;
} lth_init;

enum {
    LTH_PARAMETER_FROZEN = 1,   /* no gradient, no optimizer */
    LTH_BUFFER_TRANSIENT = 2,   /* a buffer that checkpoints leave out */
    LTH_BUFFER_OF_RUN = 4       /* a buffer that a resume restores, but that is no part of the model: model.safetensors is without it */
};

typedef struct lth_setup_api {
    uint32_t struct_size, reserved;
    /* Info on a field of the batch; NULL (and a sticky error that lists the fields there are) if there is none. */
    const lth_field_info *(*field)(lth_setup *s, const char *name, const char *file, uint32_t line);
    /* A parameter under the current scope: scope "h.0.attn" and name "weight" make "h.0.attn.weight". Names are unique.
     * shape->dtype NONE: the run's floating type. */
    lth_parameter (*parameter)(lth_setup *s, const char *name, const lth_shape *shape, const lth_init *init, uint32_t flags,
                               const char *file, uint32_t line);
    lth_buffer (*buffer)(lth_setup *s, const char *name, const lth_shape *shape, const lth_init *init, uint32_t flags,
                         const char *file, uint32_t line);
    /* Names made until the matching `leave` stand below `name`. */
    void (*enter)(lth_setup *s, const char *name);
    void (*leave)(lth_setup *s);
    lth_status (*fail)(lth_setup *s, const char *file, uint32_t line, const char *message);
    lth_status (*status)(lth_setup *s);
    /* Records what a module is, for the summary: type "Linear" of the module at the current scope + name. */
    void (*module)(lth_setup *s, const char *name, const char *type);
} lth_setup_api;
struct lth_setup { const lth_setup_api *api; };

static inline lth_status lth_setup_status(lth_setup *s) { return s->api->status(s); }
static inline void lth_enter(lth_setup *s, const char *name) { s->api->enter(s, name); }
static inline void lth_leave(lth_setup *s) { s->api->leave(s); }

static inline int64_t lth_input_dim_(lth_setup *s, const char *name, int32_t axis, const char *file, uint32_t line)
{
    const lth_field_info *f = s->api->field(s, name, file, line);
    if (!f) return 1;
    if (axis < 1 || axis > f->shape.rank) {
        char text[160];
        snprintf(text, sizeof text, "field '%s' has %d axes besides the batch's; axis %d was asked for", name, (int)f->shape.rank, (int)axis);
        s->api->fail(s, file, line, text);
        return 1;
    }
    return f->shape.dim[axis - 1];
}
/* Dimension `axis` of a field, counted as in the batch: axis 0 is the batch, so the first is 1. */
#define lth_input_dim(s, name, axis) lth_input_dim_((s), (name), (axis), LTH_HERE)

static inline int64_t lth_input_size_(lth_setup *s, const char *name, const char *file, uint32_t line)
{
    const lth_field_info *f = s->api->field(s, name, file, line);
    return f ? lth_shape_count(&f->shape) : 1;
}
/* Elements of one sample of a field: what lth_flatten(x, 1) leaves. */
#define lth_input_size(s, name) lth_input_size_((s), (name), LTH_HERE)

static inline int64_t lth_num_classes_(lth_setup *s, const char *name, const char *file, uint32_t line)
{
    const lth_field_info *f = s->api->field(s, name, file, line);
    if (f && f->num_classes < 1) {
        char text[160];
        snprintf(text, sizeof text, "field '%s' is no class label (the datamodule declares no number of classes for it)", name);
        s->api->fail(s, file, line, text);
    }
    return f && f->num_classes > 0 ? f->num_classes : 1;
}
#define lth_num_classes(s, name) lth_num_classes_((s), (name), LTH_HERE)

/* lth_parameter_new(s, "weight", LTH_SHAPE(out, in), lth_init_uniform(-k, k)) */
#define lth_parameter_new(s, name, shape, init) (s)->api->parameter((s), (name), (shape), (init), 0, LTH_HERE)
#define lth_buffer_new(s, name, shape, init) (s)->api->buffer((s), (name), (shape), (init), 0, LTH_HERE)
static inline lth_shape lth_shape_make_(const int64_t *dim, uint64_t rank)
{
    lth_shape s = { LTH_DTYPE_NONE, rank > LTH_MAX_RANK ? -1 : (int32_t)rank, { 0 } }; /* -1: refused by whoever gets it */
    for (int32_t i = 0; i < s.rank; i++)
        s.dim[i] = dim[i];
    return s;
}
#ifdef __cplusplus
LTH_END_C
struct lth_shape_list_ {
    lth_shape shape;
    template <class... D> explicit lth_shape_list_(D... d)
    {
        const int64_t dim[] = { static_cast<int64_t>(d)..., 0 };
        shape = lth_shape_make_(dim, sizeof...(d));
    }
};
#define LTH_SHAPE(...) (&static_cast<const lth_shape &>(lth_shape_list_(__VA_ARGS__).shape))
LTH_BEGIN_C
#else
#define LTH_SHAPE(...)                                                                                                   \
    (&(const lth_shape[]){ lth_shape_make_((const int64_t[]){ __VA_ARGS__ }, sizeof((const int64_t[]){ __VA_ARGS__ }) / 8) }[0])
#endif
#define lth_init_constant(a) LTH_REF(lth_init, LTH_INIT_CONSTANT, 0, (a), 0, NULL)
#define lth_init_uniform(a, b) LTH_REF(lth_init, LTH_INIT_UNIFORM, 0, (a), (b), NULL)
#define lth_init_normal(mean, std) LTH_REF(lth_init, LTH_INIT_NORMAL, 0, (mean), (std), NULL)

LTH_END_C
#endif
