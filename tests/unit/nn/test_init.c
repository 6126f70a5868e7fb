/* SPDX-License-Identifier: Apache-2.0
 * Initial values by the functions of nn/init.h and setup.h: the laws of torch.nn.init, by quantiles of its samples. */
#include "module_golden.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

/* The shape, and what torch takes for fan_in and fan_out of it: (out, in, kernel...). */
typedef struct weight {
    lth_shape shape;
    int64_t fan_in, fan_out, fan; /* fan: the one that the case's mode names */
} weight;

static weight weight_of(const module_trial *t)
{
    const json_t *dims = json_object_get(t->options, "shape");
    weight w = { .shape = { LTH_DTYPE_NONE, (int32_t)json_array_size(dims), { 0 } } };
    for (int32_t i = 0; i < w.shape.rank; i++)
        w.shape.dim[i] = json_integer_value(json_array_get(dims, (size_t)i));
    w.fan_in = lth_shape_count(&w.shape) / w.shape.dim[0];
    w.fan_out = lth_shape_count(&w.shape) / w.shape.dim[1];
    w.fan = strcmp(module_word(t, "mode", "fan_in"), "fan_out") == 0 ? w.fan_out : w.fan_in;
    return w;
}

#define INIT(name, init)                                    \
    static lth_status make_##name(void *self, lth_setup *s) \
    {                                                       \
        const module_trial *t = self;                       \
        const weight w = weight_of(t);                      \
        lth_enter(s, "m");                                  \
        lth_parameter_new(s, "weight", &w.shape, init);     \
        lth_leave(s);                                       \
        return lth_setup_status(s);                         \
    }

static double of(const module_trial *t, const char *name, double otherwise) { return module_option(t, name, otherwise); }

INIT(uniform, lth_init_uniform(of(t, "a", 0), of(t, "b", 1)))
INIT(normal, lth_init_normal(of(t, "mean", 0), of(t, "std", 1)))
INIT(trunc_normal, of(t, "b", 2) == 2 * of(t, "std", 1)
                       ? lth_init_truncated_normal(of(t, "mean", 0), of(t, "std", 1))
                       : lth_init_trunc_normal(of(t, "mean", 0), of(t, "std", 1), of(t, "a", -2), of(t, "b", 2)))
INIT(xavier_uniform, lth_init_xavier_uniform(w.fan_in, w.fan_out))
INIT(xavier_normal, lth_init_xavier_normal(w.fan_in, w.fan_out))
INIT(kaiming_uniform, w.shape.rank == 2 ? lth_init_kaiming_uniform(w.fan, 0) : lth_init_uniform_std(lth_kaiming_std(w.fan, 0)))
INIT(kaiming_normal, lth_init_kaiming_normal(w.fan, 0))
INIT(orthogonal, lth_init_orthogonal(of(t, "gain", 1)))
INIT(eye, lth_init_eye())
INIT(dirac, lth_init_dirac((int64_t)of(t, "groups", 1)))

Test(nn_init, functions_have_the_laws_of_torch)
{
    static const module_row rows[] = {
        { "uniform_", make_uniform, NULL },
        { "normal_", make_normal, NULL },
        { "trunc_normal_", make_trunc_normal, NULL },
        { "xavier_uniform_", make_xavier_uniform, NULL },
        { "xavier_normal_", make_xavier_normal, NULL },
        { "kaiming_uniform_", make_kaiming_uniform, NULL },
        { "kaiming_normal_", make_kaiming_normal, NULL },
        { "orthogonal_", make_orthogonal, NULL },
        { "eye_", make_eye, NULL },
        { "dirac_", make_dirac, NULL },
    };
    module_begins_as_torch_s(rows, sizeof rows / sizeof *rows);
}
