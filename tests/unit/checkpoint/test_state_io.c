/* SPDX-License-Identifier: Apache-2.0 */
#include "help.h"

#include "util/json.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static double from_bits(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Through text and back, as a checkpoint does. */
static json_t *through_text(json_t *object)
{
    size_t size;
    json_t *back;
    error e = { 0 };
    char *text = json_render(object, &size);
    cr_assert(text);
    cr_assert_eq(json_read_text(text, size, "state", &back, &e), LTH_OK, "%s", e.text);
    free(text);
    json_decref(object);
    return back;
}

Test(state_io, values_keep_every_bit)
{
    const int64_t whole[] = { 0, -1, INT64_MIN, INT64_MAX, (1LL << 53) + 1 };
    const double real[] = { 0.0,
                            -0.0,
                            1.0,
                            0.1,
                            -1e308,
                            5e-324,
                            2.2250738585072011e-308,
                            INFINITY,
                            -INFINITY,
                            NAN,
                            from_bits(0x7ff8000000000123),
                            from_bits(0xfff0000000000001) };
    const char *const texts[] = { "", "nan", "a\nb\"c\\", "\xc3\xa9\xf0\x9f\x98\x80" };
    unsigned char bytes[300];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(i * 7);
    state_writer w;
    error e = { 0 };
    json_t *object = json_object();
    state_writer_begin(&w, object, "callback.x", NULL, NULL);
    for (int i = 0; i < 12; i++) {
        char name[40];
        snprintf(name, sizeof name, "i%d", i);
        if (i < 5)
            lth_put_i64(&w.abi, name, whole[i]);
        snprintf(name, sizeof name, "f%d", i);
        lth_put_f64(&w.abi, name, real[i]);
        snprintf(name, sizeof name, "s%d", i);
        if (i < 4)
            lth_put_string(&w.abi, name, texts[i]);
        snprintf(name, sizeof name, "b%d", i);
        w.abi.api->put_bytes(&w.abi, name, bytes, (uint64_t)i * 25);
    }
    cr_assert_eq(state_writer_end(&w, &e), LTH_OK, "%s", e.text);
    object = through_text(object);
    state_reader r;
    state_reader_begin(&r, object, NULL);
    for (int i = 0; i < 12; i++) {
        char name[40];
        int64_t n;
        double x;
        const char *text;
        const void *data;
        uint64_t size;
        snprintf(name, sizeof name, "i%d", i);
        cr_assert(i >= 5 || (lth_get_i64(&r.abi, name, &n) && n == whole[i]));
        snprintf(name, sizeof name, "f%d", i);
        cr_assert(lth_get_f64(&r.abi, name, &x) && !memcmp(&x, &real[i], sizeof x), "%g", real[i]);
        snprintf(name, sizeof name, "s%d", i);
        cr_assert(i >= 4 || (lth_get_string(&r.abi, name, &text) && !strcmp(text, texts[i])));
        snprintf(name, sizeof name, "b%d", i);
        cr_assert(r.abi.api->get_bytes(&r.abi, name, &data, &size) && size == (uint64_t)i * 25 && !memcmp(data, bytes, size));
    }
    cr_assert_eq(state_reader_end(&r, &e), LTH_OK);
    json_decref(object);
}

Test(state_io, another_type_or_a_missing_key_answers_false_and_changes_nothing)
{
    state_writer w;
    error e = { 0 };
    json_t *object = json_object();
    state_writer_begin(&w, object, "x", NULL, NULL);
    lth_put_i64(&w.abi, "i64", 3);
    lth_put_f64(&w.abi, "f64", 3);
    lth_put_f64(&w.abi, "nan", NAN);
    lth_put_string(&w.abi, "string", "nan");
    w.abi.api->put_bytes(&w.abi, "bytes", "abc", 3);
    cr_assert_eq(state_writer_end(&w, &e), LTH_OK);
    object = through_text(object);
    state_reader r;
    const char *const keys[] = { "i64", "f64", "nan", "string", "bytes", "absent", NULL };
    const char *const right[] = { "i64", "f64 nan", "string", "bytes", "" };
    state_reader_begin(&r, object, NULL);
    for (int k = 0; k < 7; k++)
        for (int type = 0; type < 5; type++) {
            int64_t n = 77;
            double x = 77;
            const char *text = "77";
            const void *data = text;
            uint64_t size = 77;
            lth_shape shape = { .rank = 77 };
            bool got = type == 0   ? r.abi.api->get_i64(&r.abi, keys[k], &n)
                       : type == 1 ? r.abi.api->get_f64(&r.abi, keys[k], &x)
                       : type == 2 ? r.abi.api->get_string(&r.abi, keys[k], &text)
                       : type == 3 ? r.abi.api->get_bytes(&r.abi, keys[k], &data, &size)
                                   : r.abi.api->get_tensor(&r.abi, keys[k], &shape, &data);
            cr_assert_eq(got, keys[k] && strstr(right[type], keys[k]) != NULL, "%s as type %d", keys[k] ? keys[k] : "NULL", type);
            cr_assert(got ||
                      (n == 77 && x == 77 && size == 77 && shape.rank == 77 && !strcmp(text, "77") && !strcmp(data, "77")));
        }
    cr_assert_eq(state_reader_end(&r, &e), LTH_OK);
    json_decref(object);
}

static lth_status refuse(void *context, const char *name, const lth_shape *shape, const void *data, error *e)
{
    (void)context, (void)shape, (void)data;
    return error_set(e, LTH_NO_MEMORY, "no memory for %s", name);
}

Test(state_io, mistakes_are_kept_until_the_end)
{
    const lth_shape good = { LTH_F32, 0, { 0 } }, wrong = { LTH_F32, 1, { -2 } };
    const float value = 1;
    for (int i = 0; i < 6; i++) {
        state_writer w;
        error e = { 0 };
        json_t *object = json_object();
        state_writer_begin(&w, object, "model", i == 4 ? refuse : NULL, NULL);
        switch (i) {
        case 0:
            lth_put_i64(&w.abi, "a", 1), lth_put_i64(&w.abi, "a", 1);
            break;
        case 1:
            lth_put_string(&w.abi, "a", "\xff");
            break;
        case 2:
            lth_put_i64(&w.abi, "\xff", 1);
            break;
        case 3:
            w.abi.api->put_tensor(&w.abi, "a", &good, &value);
            break;
        case 4:
            w.abi.api->put_tensor(&w.abi, "a", &good, &value);
            break;
        case 5:
            w.abi.api->put_tensor(&w.abi, "a", &wrong, &value);
            break;
        }
        lth_put_i64(&w.abi, "later", 1);
        const char *const says[] = { "'a' is written twice",  "not UTF-8", "not UTF-8", "cannot be kept here",
                                     "no memory for model/a", "no shape" };
        cr_assert_neq(state_writer_end(&w, &e), LTH_OK);
        cr_assert(strstr(e.text, says[i]), "%s", e.text);
        json_decref(object);
    }
}
