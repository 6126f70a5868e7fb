/* SPDX-License-Identifier: Apache-2.0 */
#include "nn_fixture.h"

#include "util/json.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

const lab_precision lab_exact = { "64-true", "reference", LTH_F64, LTH_DTYPE_NONE, LTH_DTYPE_NONE };

static lth_status nothing(void *self, lth_setup *s)
{
    (void)self;
    return lth_setup_status(s);
}

static void open_engine(lab *l, const lab_precision *p, lth_dtype floating, lth_status (*configure)(void *self, lth_setup *s), void *self)
{
    memset(l, 0, sizeof *l);
    l->precision = p;
    bench_open(&l->bench, p->accelerator);
    engine_options options = { .accelerator = l->bench.accelerator, .accelerator_self = l->bench.self, .floating = floating,
                               .lower = p->lower, .stored = p->stored, .seed = 3 };
    l->g = engine_new(&options, &l->e);
    cr_assert_not_null(l->g, "%s", l->e.text);
    cr_assert_eq(engine_configure(l->g, NULL, 0, configure ? configure : nothing, self, &l->e), LTH_OK, "%s", l->e.text);
    cr_assert_eq(engine_allocate(l->g, false, &l->e), LTH_OK, "%s", l->e.text);
}

void lab_open(lab *l, lth_dtype floating, lth_status (*configure)(void *self, lth_setup *s), void *self)
{
    open_engine(l, &lab_exact, floating, configure, self);
}

void lab_open_in(lab *l, const lab_precision *precision, lth_status (*configure)(void *self, lth_setup *s), void *self)
{
    open_engine(l, precision, precision->floating, configure, self);
}

void lab_close(lab *l)
{
    engine_free(l->g);
    lab_clear_fields(l);
    bench_close(&l->bench);
}

/* ---- Fields ---- */

static lth_dtype dtype_of(const lab *l, const json_t *value)
{
    while (json_is_array(value))
        value = json_array_get(value, 0);
    return json_is_boolean(value) ? LTH_BOOL : json_is_integer(value) ? LTH_I64 : l->precision->floating;
}

int64_t json_flatten(const json_t *value, double *out, int64_t room)
{
    int64_t n = 0;
    size_t i;
    json_t *item;
    if (json_is_array(value)) {
        json_array_foreach((json_t *)value, i, item)
            n += json_flatten(item, out + n, room - n);
        return n;
    }
    cr_assert_gt(room, 0);
    *out = json_is_true(value);
    cr_assert(json_is_boolean(value) || json_to_f64(value, out));
    return 1;
}

void lab_field(lab *l, const char *name, const json_t *value)
{
    if (!value)
        return;
    static double numbers[4096];
    int64_t count = json_flatten(value, numbers, 4096);
    cr_assert_lt(l->field_count, LAB_FIELDS);
    engine_field *f = &l->fields[l->field_count++];
    *f = (engine_field){ .name = name, .shape = { dtype_of(l, value), 0, { 0 } } };
    for (const json_t *v = value; json_is_array(v); v = json_array_get(v, 0))
        f->shape.dim[f->shape.rank++] = (int64_t)json_array_size(v);
    void *data = aligned_alloc(64, (size_t)(count * 8 + 63) / 64 * 64);
    for (int64_t i = 0; i < count; i++)
        bench_fill(f->shape.dtype, data, i, numbers[i]);
    f->data = data;
}

void lab_field_text(lab *l, const char *name, const char *text)
{
    json_t *value;
    cr_assert_eq(json_read_text(text, strlen(text), name, &value, &l->e), LTH_OK, "%s", l->e.text);
    lab_field(l, name, value);
    json_decref(value);
}

void lab_clear_fields(lab *l)
{
    for (uint32_t i = 0; i < l->field_count; i++)
        free((void *)l->fields[i].data);
    l->field_count = 0;
}

/* ---- Steps ---- */

void lab_begin(lab *l, bool training)
{
    engine_step_args args = { .hook = "training_step", .fields = l->fields, .field_count = l->field_count, .training = training };
    cr_assert_not_null(engine_begin(l->g, &args));
}

lth_tensor lab_input(lab *l, const char *name)
{
    for (uint32_t i = 0; i < l->field_count; i++)
        if (strcmp(l->fields[i].name, name) == 0)
            return engine_input(l->g, name, LTH_HERE);
    return lth_none();
}

lth_status lab_try_end(lab *l)
{
    error_clear(&l->e);
    return engine_end(l->g, &l->ticket, &l->e);
}

void lab_end(lab *l) { cr_assert_eq(lab_try_end(l), LTH_OK, "%s", l->e.text); }

double lab_value(lab *l, uint32_t slot, int64_t i)
{
    lth_shape s;
    const void *data = engine_output_data(l->g, l->ticket, slot, &s);
    cr_assert_not_null(data);
    return bench_element(s.dtype, data, i);
}

const lth_shape *lab_output_shape(lab *l, uint32_t slot)
{
    static lth_shape s;
    engine_output_data(l->g, l->ticket, slot, &s);
    return &s;
}

/* ---- Refusals ---- */

static void expect_message(const char *text, const char *message, const char *place)
{
    cr_assert(strstr(text, place) && strstr(text, message), "'%s', not '%s' at %s", text, message, place);
}

static const char *base_name(const char *file) { return strrchr(file, '/') ? strrchr(file, '/') + 1 : file; }

void lab_refuses_to_make(lth_status (*configure)(void *self, lth_setup *s), void *self, const char *message, const char *file)
{
    bench b;
    error e = { 0 };
    bench_open(&b, "reference");
    engine_options options = { .accelerator = b.accelerator, .accelerator_self = b.self, .floating = LTH_F64 };
    engine *g = engine_new(&options, &e);
    cr_assert_not_null(g, "%s", e.text);
    cr_assert_neq(engine_configure(g, NULL, 0, configure, self, &e), LTH_OK, "%s", message);
    expect_message(e.text, message, base_name(file));
    engine_free(g);
    bench_close(&b);
}

void lab_refuses(lab *l, const char *message, const char *file, int line)
{
    char place[96];
    snprintf(place, sizeof place, "%s:%d", base_name(file), line);
    cr_assert_neq(lab_try_end(l), LTH_OK, "%s", message);
    expect_message(l->e.text, message, place);
}
