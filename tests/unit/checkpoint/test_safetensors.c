/* SPDX-License-Identifier: Apache-2.0 */
#include "help.h"

#include "util/str.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

TestSuite(safetensors, .init = make_folder, .fini = remove_folder);

static lth_status append(void *context, const void *data, size_t size, error *e)
{
    (void)e;
    str_append_bytes(context, data, size);
    return LTH_OK;
}

Test(safetensors, every_type_and_shape_comes_back)
{
    char values[512];
    for (size_t i = 0; i < sizeof values; i++)
        values[i] = (char)(i % 2); /* also right for BOOL */
    safetensors_tensor tensors[LTH_DTYPE_COUNT * 4];
    char names[LTH_DTYPE_COUNT * 4][32];
    const lth_shape shapes[] = {
        { 0, 0, { 0 } }, { 0, 2, { 3, 5 } }, { 0, 3, { 2, 0, 4 } }, { 0, 8, { 1, 1, 2, 1, 2, 1, 1, 2 } }
    };
    uint32_t count = 0;
    for (lth_dtype t = 1; t < LTH_DTYPE_COUNT; t++)
        for (int s = 0; s < 4; s++, count++) {
            snprintf(names[count], sizeof names[count], "%s.\"%d\"/\xc3\xa9", lth_dtype_name(t), s);
            tensors[count] = (safetensors_tensor) { names[count], shapes[s], values + count };
            tensors[count].shape.dtype = t;
        }
    str bytes = { 0 };
    error e = { 0 };
    const safetensors_note note = { "step", "12" };
    cr_assert_eq(safetensors_write(tensors, count, &note, 1, append, &bytes, &e), LTH_OK, "%s", e.text);
    write_bytes(in_folder("all.safetensors"), bytes.at, bytes.length);
    str_free(&bytes);

    safetensors_file *f;
    cr_assert_eq(safetensors_open(in_folder("all.safetensors"), &f, &e), LTH_OK, "%s", e.text);
    cr_assert_eq(safetensors_count(f), count);
    cr_assert_str_eq(safetensors_note_of(f, "format"), "pt");
    cr_assert_str_eq(safetensors_note_of(f, "step"), "12");
    cr_assert_null(safetensors_note_of(f, "no"));
    cr_assert_eq(safetensors_find(f, "no"), -1);
    for (uint32_t i = 0; i < count; i++) {
        char back[512];
        int64_t k = safetensors_find(f, names[i]);
        const safetensors_tensor *t = safetensors_at(f, (uint32_t)k);
        cr_assert(k >= 0 && !memcmp(&t->shape, &tensors[i].shape, sizeof t->shape), "%s", names[i]);
        cr_assert_eq(safetensors_read(f, (uint32_t)k, back, &e), LTH_OK);
        cr_assert_arr_eq(back, tensors[i].data, (size_t)(lth_shape_count(&t->shape) * lth_dtype_size(t->shape.dtype)));
    }
    safetensors_close(f);
}

Test(safetensors, larger_elements_come_first_then_names_and_all_are_aligned)
{
    const double values[4] = { 0 };
    const safetensors_tensor tensors[] = { { "b", { LTH_U8, 1, { 3 } }, values },
                                           { "z", { LTH_F32, 1, { 1 } }, values },
                                           { "c", { LTH_F64, 0, { 0 } }, values },
                                           { "a", { LTH_F32, 1, { 3 } }, values } };
    str bytes = { 0 };
    error e = { 0 };
    cr_assert_eq(safetensors_write(tensors, 4, NULL, 0, append, &bytes, &e), LTH_OK);
    const char *const order[] = { "{\"__metadata__\":{\"format\":\"pt\"},\"c\":", "\"a\":", "\"z\":", "\"b\":" };
    const char *at = bytes.at + 8;
    for (int i = 0; i < 4; i++)
        cr_assert(at = strstr(at, order[i]), "%s", order[i]);
    cr_assert_eq((unsigned char)bytes.at[0] % 8, 0, "the tensors begin at a multiple of 8");
    str_free(&bytes);
}

Test(safetensors, files_that_python_wrote_open)
{
    const char *const files[] = { "/tests/golden/mlp_init.safetensors", "/tests/golden/mlp_trained.safetensors" };
    for (int i = 0; i < 2; i++) {
        char path[512];
        safetensors_file *f;
        error e = { 0 };
        snprintf(path, sizeof path, "%s%s", LTHOST_TEST_SOURCE, files[i]);
        cr_assert_eq(safetensors_open(path, &f, &e), LTH_OK, "%s", e.text);
        int64_t k = safetensors_find(f, "fc1.weight");
        cr_assert(k >= 0 && safetensors_at(f, (uint32_t)k)->shape.dim[0] == 128);
        safetensors_close(f);
    }
}

/* A file of a header and so many zero bytes; length < 0: the header's own. */
static lth_status open_made(const char *header, int64_t length, size_t data, error *e)
{
    str bytes = { 0 };
    uint64_t n = length < 0 ? strlen(header) : (uint64_t)length;
    for (int i = 0; i < 8; i++)
        str_append_char(&bytes, (char)(n >> (8 * i)));
    str_append(&bytes, header);
    for (size_t i = 0; i < data; i++)
        str_append_char(&bytes, 0);
    write_bytes(in_folder("made.safetensors"), bytes.at, bytes.length);
    str_free(&bytes);
    safetensors_file *f;
    lth_status status = safetensors_open(in_folder("made.safetensors"), &f, e);
    safetensors_close(f);
    return status;
}

#define T(name, type, shape, from, to) \
    "\"" name "\":{\"dtype\":\"" type "\",\"shape\":" shape ",\"data_offsets\":[" from "," to "]}"

Test(safetensors, hostile_headers_are_refused_with_file_and_tensor)
{
    const struct {
        const char *header;
        int64_t length;
        size_t data;
        lth_status status;
        const char *says;
    } cases[] = {
        { "{" T("a", "F32", "[2]", "0", "8") "}", -1, 8, LTH_OK, "" },
        { "{}", -1, 0, LTH_OK, "" },
        { "{" T("a", "F32", "[2]", "0", "8") "}    ", -1, 8, LTH_OK, "" },
        { "{" T("a", "F32", "[2]", "0", "8") "," T("b", "F32", "[0]", "8", "8") "," T("c", "U8", "[1]", "8", "9") "}", -1, 9,
          LTH_OK, "" },
        { "", 0, 0, LTH_INVALID, "does not begin with '{'" },
        { "[1]", -1, 0, LTH_INVALID, "does not begin with '{'" },
        { " {}", -1, 0, LTH_INVALID, "does not begin with '{'" },
        { "{}", 3, 0, LTH_INVALID, "header would have 3 bytes" },
        { "{}", INT64_MAX, 0, LTH_INVALID, "header would have" },
        { "{}", 100000001, 0, LTH_INVALID, "header would have" },
        { "{\"a\":", -1, 0, LTH_INVALID, "not a safetensors file" },
        { "{}x", -1, 0, LTH_INVALID, "not a safetensors file" },
        { "{\"a\xff\":1}", -1, 0, LTH_INVALID, "not a safetensors file" },
        { "{}", -1, 1, LTH_INVALID, "has room for 1" },
        { "{" T("a", "F32", "[2]", "0", "8") "}", -1, 9, LTH_INVALID, "have 8 bytes, it has room for 9" },
        { "{" T("a", "F32", "[2]", "0", "8") "}", -1, 7, LTH_INVALID, "'a' lies at bytes 0 to 8 of a buffer of 7" },
        { "{" T("a", "F32", "[2]", "0", "4") "}", -1, 4, LTH_INVALID, "'a' has 4 bytes by its offsets and 8 by its shape" },
        { "{" T("a", "F32", "[1]", "4", "8") "}", -1, 8, LTH_INVALID, "'a' leaves a gap" },
        { "{" T("a", "F32", "[1]", "0", "4") "," T("b", "F32", "[1]", "0", "4") "}", -1, 4, LTH_INVALID,
          "'b' overlaps the one before" },
        { "{" T("a", "F32", "[2]", "0", "8") "," T("b", "F32", "[1]", "4", "8") "}", -1, 8, LTH_INVALID,
          "'b' overlaps the one before" },
        { "{" T("a", "F32", "[1]", "0", "4") "," T("a", "F32", "[1]", "4", "8") "}", -1, 8, LTH_INVALID, "duplicate" },
        { "{" T("a", "F32", "[1]", "-4", "0") "}", -1, 0, LTH_INVALID, "'a' lies at bytes -4" },
        { "{" T("a", "F32", "[-1]", "0", "0") "}", -1, 0, LTH_INVALID, "'a' has an axis" },
        { "{" T("a", "F32", "[1.0]", "0", "4") "}", -1, 4, LTH_INVALID, "'a' has an axis" },
        { "{" T("a", "F32", "[4611686018427387904,4]", "0", "0") "}", -1, 0, LTH_INVALID, "'a' is larger than 2^63" },
        { "{" T("a", "F32", "[99999999999999999999]", "0", "0") "}", -1, 0, LTH_INVALID, "not a safetensors file" },
        { "{" T("a", "F32", "[1]", "0", "4.0") "}", -1, 4, LTH_INVALID, "'a' is not described" },
        { "{" T("a", "F32", "1", "0", "4") "}", -1, 4, LTH_INVALID, "'a' has no shape" },
        { "{\"a\":{\"dtype\":4,\"shape\":[1],\"data_offsets\":[0,4]}}", -1, 4, LTH_INVALID, "'a' has no dtype" },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", -1, 4, LTH_INVALID, "'a' is not described" },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],\"more\":1}}", -1, 4, LTH_INVALID,
          "'a' is not described" },
        { "{\"a\":7}", -1, 0, LTH_INVALID, "'a' is not described" },
        { "{" T("a", "F8_E4M3", "[4]", "0", "4") "}", -1, 4, LTH_UNSUPPORTED, "'a' has the dtype 'F8_E4M3'; known are" },
        { "{" T("a", "U8", "[1,1,1,1,1,1,1,1,1]", "0", "1") "}", -1, 1, LTH_UNSUPPORTED, "'a' has 9 axes" },
        { "{\"__metadata__\":{\"a\":1}}", -1, 0, LTH_INVALID, "'a' in __metadata__ is not a string" },
        { "{\"__metadata__\":[]}", -1, 0, LTH_INVALID, "__metadata__ is not an object" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        error e = { 0 };
        lth_status status = open_made(cases[i].header, cases[i].length, cases[i].data, &e);
        cr_assert_eq(status, cases[i].status, "%s: %s", cases[i].header, e.text);
        cr_assert(!status || (strstr(e.text, cases[i].says) && strstr(e.text, "made.safetensors")), "%s: '%s'", cases[i].header,
                  e.text);
    }
}

Test(safetensors, what_is_no_file_is_told)
{
    safetensors_file *f;
    error e = { 0 };
    write_bytes(in_folder("short"), "1234567", 7);
    cr_assert_eq(safetensors_open(in_folder("short"), &f, &e), LTH_INVALID);
    cr_assert(strstr(e.text, "shorter than 8 bytes"), "%s", e.text);
    error_clear(&e);
    cr_assert_eq(safetensors_open(in_folder("absent"), &f, &e), LTH_IO);
    cr_assert(strstr(e.text, "absent': No such file"), "%s", e.text);
    error_clear(&e);
    cr_assert_eq(safetensors_open(folder, &f, &e), LTH_INVALID);
    cr_assert(strstr(e.text, "is not a file"), "%s", e.text);
}

Test(safetensors, names_that_cannot_be_written_are_refused)
{
    const float value = 1;
    const safetensors_tensor twice[] = { { "a", { LTH_F32, 0, { 0 } }, &value }, { "a", { LTH_F32, 0, { 0 } }, &value } };
    const safetensors_tensor bytes[] = { { "a\xff", { LTH_F32, 0, { 0 } }, &value } },
                             notes[] = { { "__metadata__", { LTH_F32, 0, { 0 } }, &value } };
    const safetensors_tensor shapeless[] = { { "a", { LTH_F32, 2, { 2, -1 } }, &value } },
                             typeless[] = { { "a", { 0, 0, { 0 } }, &value } };
    const struct {
        const safetensors_tensor *at;
        uint32_t count;
    } cases[] = { { twice, 2 }, { bytes, 1 }, { notes, 1 }, { shapeless, 1 }, { typeless, 1 } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        str out = { 0 };
        error e = { 0 };
        cr_assert_eq(safetensors_write(cases[i].at, cases[i].count, NULL, 0, append, &out, &e), LTH_INVALID, "case %zu", i);
        cr_assert_neq(e.text[0], 0);
        cr_assert_eq(out.length, 0, "nothing is written before all is checked");
        str_free(&out);
    }
}
