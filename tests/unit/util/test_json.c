/* SPDX-License-Identifier: Apache-2.0 */
#include "util/json.h"
#include "util/str.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static double of_bits(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

Test(json, keeps_every_bit_of_a_double)
{
    static const uint64_t fixed[] = {
        0x7ff8000000000000,
        0xfff8000000000000,
        0x7ff8000000000001,
        0x7ff0000000000001, /* NaNs, one of them signalling */
        0x7ff0000000000000,
        0xfff0000000000000,
        0x8000000000000000,
        0,
        1,
        0x3fb999999999999a,
        0x7fefffffffffffff,
        0x4340000000000001,
    };
    uint64_t random = 99;
    for (int i = 0; i < 3000; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        uint64_t bits = (size_t)i < sizeof fixed / sizeof *fixed ? fixed[i] : random, got;
        json_t *value = json_from_f64(of_bits(bits)), *back;
        size_t size;
        char *text = json_render(value, &size);
        error e = { 0 };
        cr_assert(!json_read_text(text, size, "text", &back, &e), "%s", e.text);
        double read;
        cr_assert(json_to_f64(back, &read), "%s", text);
        memcpy(&got, &read, sizeof got);
        cr_assert(got == bits, "%016lx became %016lx by %s", (unsigned long)bits, (unsigned long)got, text);
        json_decref(value);
        json_decref(back);
        free(text);
    }
}

Test(json, takes_no_other_text_for_a_number)
{
    static const char *const words[] = { "1",
                                         "NaN",
                                         "Infinity",
                                         "nan:",
                                         "nan:0x0000000000000000",
                                         "nan:0x7ff0000000000000",
                                         "nan:0x7ff800000000000",
                                         "nan:0x7ff80000000000000",
                                         "nan:0xzzzzzzzzzzzzzzzz",
                                         "" };
    double out = 5;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        json_t *text = json_string(words[i]);
        cr_assert(!json_to_f64(text, &out) && out == 5, "%s", words[i]);
        json_decref(text);
    }
    cr_assert(!json_to_f64(NULL, &out) && !json_to_f64(json_true(), &out));
    json_t *whole = json_integer(3);
    cr_assert(json_to_f64(whole, &out) && out == 3);
    json_decref(whole);
}

Test(json, names_the_line_of_a_mistake)
{
    static const struct {
        const char *text, *place;
    } samples[] = { { "{\n \"a\": 1,\n \"b\": }", "s.json:3:" },
                    { "", "s.json:1:" },
                    { "{\"a\":1,\"a\":2}", "s.json:1: duplicate" },
                    { "[1] 2", "s.json:1:" },
                    { "\"\xff\"", "s.json:1:" } };
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        json_t *out;
        error e = { 0 };
        cr_assert(json_read_text(samples[i].text, strlen(samples[i].text), "s.json", &out, &e) == LTH_INVALID && !out);
        cr_assert(str_starts(e.text, samples[i].place), "%s", e.text);
    }
    json_t *out;
    error e = { 0 };
    cr_assert(json_read("/nonexistent/state.json", &out, &e) == LTH_IO && !out);
    cr_assert(strstr(e.text, "/nonexistent/state.json") && strstr(e.text, "No such file"), "%s", e.text);
}

Test(json, renders_equal_values_to_equal_bytes)
{
    char *texts[2];
    for (int i = 0; i < 2; i++) {
        json_t *value = json_pack("{s:i, s:[f, b], s:s}", "step", 3, "list", 0.1, 1, "name", "\xc3\xa9");
        texts[i] = json_render(value, NULL);
        json_decref(value);
    }
    cr_assert_str_eq(texts[0],
                     "{\n  \"step\": 3,\n  \"list\": [\n    0.10000000000000001,\n    true\n  ],\n  \"name\": \"\xc3\xa9\"\n}\n");
    cr_assert_str_eq(texts[0], texts[1]);
    free(texts[0]);
    free(texts[1]);
}
