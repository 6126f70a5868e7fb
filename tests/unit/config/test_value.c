/* SPDX-License-Identifier: Apache-2.0
 * Values: every type read, refused and written back. */
#include "config/number.h"
#include "config/quote.h"
#include "config/value.h"
#include "expect.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

typedef union any {
    int64_t i;
    double f;
    bool b;
    const char *s;
    lth_int_list ints;
    lth_float_list floats;
    lth_string_list strings;
} any;

/* Reads the text as the type and writes what was read; "! why" where it is refused. */
static const char *turn(lth_option_type type, const char *range, const char *text, uint32_t flags, arena *memory)
{
    lth_option o = { .name = "x", .type = type, .range = range, .flags = flags };
    any value;
    memset(&value, 0x5a, sizeof value);
    any before = value;
    error e = { 0 };
    if (value_read(&o, text, "/base", &value, memory, &e)) {
        cr_assert(!memcmp(&before, &value, sizeof value), "a refused value leaves the field as it was");
        return arena_format(memory, "! %s", e.text);
    }
    str out = { 0 };
    value_write(&out, &o, &value);
    const char *kept = arena_copy_text(memory, str_text(&out));
    str_free(&out);
    return kept;
}

typedef struct sample {
    lth_option_type type;
    const char *range, *text, *result;
} sample;

static void check(const sample *samples, size_t count)
{
    arena memory = { 0 };
    for (size_t i = 0; i < count; i++) {
        const char *result = turn(samples[i].type, samples[i].range, samples[i].text, 0, &memory);
        cr_assert(!strcmp(result, samples[i].result), "'%s' in '%s': expected '%s' and got '%s'", samples[i].text,
                  samples[i].range ? samples[i].range : "any", samples[i].result, result);
    }
    arena_free(&memory);
}
#define CHECK(samples) check(samples, sizeof samples / sizeof *samples)

enum {
    I = LTH_OPTION_INT,
    F = LTH_OPTION_FLOAT,
    B = LTH_OPTION_BOOL,
    S = LTH_OPTION_STRING,
    IL = LTH_OPTION_INT_LIST,
    FL = LTH_OPTION_FLOAT_LIST,
    SL = LTH_OPTION_STRING_LIST
};

Test(value, whole_numbers_are_exact)
{
    static const sample samples[] = {
        { I, NULL, "128", "128" },
        { I, NULL, " -1 ", "-1" },
        { I, NULL, "+5", "5" },
        { I, NULL, "007", "7" },
        { I, NULL, "1e3", "1000" },
        { I, NULL, "1.5e3", "1500" },
        { I, NULL, "1500e-2", "15" },
        { I, NULL, "1.50E1", "15" },
        { I, NULL, "0e-9", "0" },
        { I, NULL, "-0", "0" },
        { I, NULL, "9223372036854775807", "9223372036854775807" },
        { I, NULL, "-9223372036854775808", "-9223372036854775808" },
        { I, NULL, "9007199254740993e0", "9007199254740993" },
        { I, NULL, "922337203685477580.7e1", "9223372036854775807" },
        { I, NULL, "9223372036854775808", "! does not fit into 64 bits" },
        { I, NULL, "-9223372036854775809", "! does not fit into 64 bits" },
        { I, NULL, "1e19", "! does not fit into 64 bits" },
        { I, NULL, "1e99999999999999999999", "! does not fit into 64 bits" },
        { I, NULL, "0e99999999999999999999", "0" },
        { I, NULL, "1e-99999999999999999999", "! is not a whole number" },
        { I, NULL, "1e-1", "! is not a whole number" },
        { I, NULL, "1.23e1", "! is not a whole number" },
        { I, NULL, "1.0", "! is not a whole number" },
        { I, NULL, "1_000", "! is not a whole number" },
        { I, NULL, "0x10", "! is not a whole number" },
        { I, NULL, "", "! has no value" },
        { I, NULL, "-", "! is not a whole number" },
        { I, NULL, "e3", "! is not a whole number" },
        { I, NULL, "1e", "! is not a whole number" },
        { I, NULL, "1e+", "! is not a whole number" },
        { I, NULL, "1 2", "! is not a whole number" },
        { I, NULL, "inf", "! is not a whole number" },
        { I, NULL, "\"1\"", "! is not a whole number" },
        { I, NULL, ".", "! is not a whole number" },
        { I, NULL, "--1", "! is not a whole number" },
    };
    CHECK(samples);
}

Test(value, numbers_keep_their_bits_and_are_never_nan)
{
    static const sample samples[] = {
        { F, NULL, "0.1", "0.1" },
        { F, NULL, "1e-3", "0.001" },
        { F, NULL, "-0", "-0" },
        { F, NULL, ".5", "0.5" },
        { F, NULL, "5.", "5" },
        { F, NULL, "5e-324", "5e-324" },
        { F, NULL, "1.7976931348623157e308", "1.7976931348623157e+308" },
        { F, NULL, "inf", "inf" },
        { F, NULL, "-inf", "-inf" },
        { F, "0..", "inf", "inf" },
        { F, "0..", "+inf", "inf" },
        { F, "0..1", "inf", "! is out of range" },
        { F, "0..", "-inf", "! is out of range" },
        { F, NULL, "nan", "! is not a number" },
        { F, NULL, "NaN", "! is not a number" },
        { F, NULL, "infinity", "! is not a number" },
        { F, NULL, "0x1p3", "! is not a number" },
        { F, NULL, "1,5", "! is not a number" },
        { F, NULL, "1e999", "! is too large for a number of 64 bits" },
        { F, NULL, "1e-999", "! is too small for a number of 64 bits" },
        { F, NULL, "fast", "! is not a number" },
        { F, NULL, "", "! has no value" },
        { F, NULL, "1e", "! is not a number" },
        { F, NULL, "1_0", "! is not a number" },
    };
    CHECK(samples);
}

Test(value, lies_in_its_range)
{
    static const sample samples[] = {
        { I, "1..65536", "1", "1" },
        { I, "1..65536", "65536", "65536" },
        { I, "1..65536", "0", "! is out of range" },
        { I, "1..65536", "65537", "! is out of range" },
        { I, "0..", "9223372036854775807", "9223372036854775807" },
        { I, "..0", "1", "! is out of range" },
        { I, "..", "-7", "-7" },
        { I, "(0..", "0", "! is out of range" },
        { I, "(0..", "1", "1" },
        { I, "9007199254740993..9007199254740993", "9007199254740992", "! is out of range" },
        { I, "-1|1..", "-1", "-1" },
        { I, "-1|1..", "0", "! is out of range" },
        { I, "-1|1..", "5", "5" },
        { I, "16|32|64", "32", "32" },
        { I, "16|32|64", "33", "! is out of range" },
        { F, "(0..1)", "0", "! is out of range" },
        { F, "(0..1)", "1", "! is out of range" },
        { F, "(0..1)", "1e-300", "1e-300" },
        { F, "[0..1)", "0", "0" },
        { F, "[0..1)", "1", "! is out of range" },
        { F, "(0..1]", "1", "1" },
        { F, "0..1", "1.0000000000000002", "! is out of range" },
        { F, "0.25..0.5", "0.25", "0.25" },
        { F, " 0 .. 1 ", "0.5", "0.5" },
        { F, "-1|0..1", "-1", "-1" },
        { F, "-1|0..1", "-0.5", "! is out of range" },
    };
    CHECK(samples);
}

Test(value, truths_and_words)
{
    static const sample samples[] = {
        { B, NULL, "true", "true" },
        { B, NULL, "False", "false" },
        { B, NULL, "YES", "true" },
        { B, NULL, "no", "false" },
        { B, NULL, "on", "true" },
        { B, NULL, "off", "false" },
        { B, NULL, "1", "true" },
        { B, NULL, "0", "false" },
        { B, NULL, "2", "! is neither true nor false" },
        { B, NULL, "", "! has no value" },
        { S, "min|max", "min", "min" },
        { S, "min|max", "\"max\"", "max" },
        { S, "min|max", "Min", "! is none of its words" },
        { S, "min|max", "", "! is none of its words" },
        { S, "min|max", "min|max", "! is none of its words" },
        { S, "min|max", "mi", "! is none of its words" },
        { 0, NULL, "x", "! has a type that this host does not know (0)" },
        { 99, NULL, "x", "! has a type that this host does not know (99)" },
    };
    CHECK(samples);
}

Test(value, texts_are_quoted_where_they_must_be)
{
    static const sample samples[] = {
        { S, NULL, "plain", "plain" },
        { S, NULL, "two words, \"three\"", "two words, \"three\"" },
        { S, NULL, "", "" },
        { S, NULL, "\"\"", "" },
        { S, NULL, "\" \"", "\" \"" },
        { S, NULL, "\";\"", "\";\"" },
        { S, NULL, "a;b", "a;b" },
        { S, NULL, "\"a ; b\"", "\"a ; b\"" },
        { S, NULL, "\"needless\"", "needless" },
        { S, NULL, "\"\\\"x\\\"\"", "\"\\\"x\\\"\"" },
        { S, NULL, "\"a\\nb\\t\\r\\\\\"", "\"a\\nb\\t\\r\\\\\"" },
        { S, NULL, "\"\\x01\\xFF\"", "\"\\x01\\xff\"" },
        { S, NULL, "\xc3\xa9", "\xc3\xa9" },
        { S, NULL, "${x}", "$${x}" },
        { S, NULL, "\" $${\"", "\" $$${\"" },
        { S, NULL, "\"open", "! has a quote that is not closed" },
        { S, NULL, "\"a\" b", "! goes on after the closing quote" },
        { S, NULL, "\"\\q\"", "! has an unknown escape; there are \\\" \\\\ \\n \\r \\t \\xHH" },
        { S, NULL, "\"\\x00\"", "! has an unknown escape; there are \\\" \\\\ \\n \\r \\t \\xHH" },
        { S, NULL, "\"\\x1\"", "! has an unknown escape; there are \\\" \\\\ \\n \\r \\t \\xHH" },
        { S, NULL, "\"\\\"", "! has a quote that is not closed" },
    };
    CHECK(samples);
}

Test(value, lists_are_separated_by_commas)
{
    static const sample samples[] = {
        { IL, NULL, "", "" },
        { IL, NULL, "128", "128" },
        { IL, NULL, "128, 64 ,32", "128, 64, 32" },
        { FL, NULL, "0.9,0.999", "0.9, 0.999" },
        { SL, NULL, "a, b c,d", "a, b c, d" },
        { SL, NULL, "\"a, b\", \"\", c", "\"a, b\", \"\", c" },
        { SL, NULL, "\"\"", "\"\"" },
        { IL, "1..", "1, 0", "! is wrong in element 2: '0' is out of range" },
        { FL, NULL, "1, x", "! is wrong in element 2: 'x' is not a number" },
        { SL, "fit|test", "fit, tset", "! is wrong in element 2: 'tset' is none of its words" },
        { SL, NULL, "a, \"b", "! is wrong in element 2: '\"b' has a quote that is not closed" },
        { SL, NULL, "a,,b", "! has nothing between two commas (write \"\" for an empty text)" },
        { IL, NULL, "1,", "! has nothing between two commas (write \"\" for an empty text)" },
        { SL, NULL, ",", "! has nothing between two commas (write \"\" for an empty text)" },
    };
    CHECK(samples);
}

Test(value, paths_begin_where_the_file_lies)
{
    arena memory = { 0 };
    setenv("HOME", "/home/me", 1);
    cr_assert_str_eq(turn(S, NULL, "data", LTH_OPTION_PATH, &memory), "/base/data");
    cr_assert_str_eq(turn(S, NULL, "/data", LTH_OPTION_PATH, &memory), "/data");
    cr_assert_str_eq(turn(S, NULL, "~/data", LTH_OPTION_PATH, &memory), "/home/me/data");
    cr_assert_str_eq(turn(S, NULL, "", LTH_OPTION_PATH, &memory), "");
    cr_assert_str_eq(turn(SL, NULL, "a, /b, ~", LTH_OPTION_PATH, &memory), "/base/a, /b, /home/me");
    lth_option o = { .name = "x", .type = S, .flags = LTH_OPTION_PATH };
    const char *as_is;
    cr_assert(!value_read(&o, "data", NULL, &as_is, &memory, NULL));
    cr_assert_str_eq(as_is, "data");
    arena_free(&memory);
}

Test(value, written_is_read_back_to_the_same_bits)
{
    arena memory = { 0 };
    uint64_t bits = 7;
    for (int i = 0; i < 20000; i++) {
        bits = bits * 6364136223846793005u + 1442695040888963407u;
        lth_option number = { .type = F }, whole = { .type = I };
        any value = { 0 }, back = { 0 };
        str out = { 0 };
        memcpy(&value.f, &bits, sizeof bits);
        if (!isnan(value.f)) {
            value_write(&out, &number, &value);
            cr_assert(!value_read(&number, str_text(&out), NULL, &back, &memory, NULL), "%s", str_text(&out));
            cr_assert(!memcmp(&value.f, &back.f, sizeof value.f), "%s", str_text(&out));
        }
        str_clear(&out);
        value.i = (int64_t)bits;
        value_write(&out, &whole, &value);
        cr_assert(!value_read(&whole, str_text(&out), NULL, &back, &memory, NULL) && back.i == value.i, "%s", str_text(&out));
        str_free(&out);
    }
    arena_free(&memory);
}

Test(value, ranges_are_checked_themselves)
{
    static const struct {
        lth_option_type type;
        const char *range;
        bool right;
    } samples[] = {
        { I, "1..2", true },    { I, "0..", true },      { I, "..", true },      { I, "-1|1..", true }, { I, "5", true },
        { F, "(0..1)", true },  { F, "0..inf", true },   { S, "min|max", true }, { S, "auto", true },   { FL, "[0..1)", true },
        { I, NULL, true },      { I, "2..1", false },    { I, "a..b", false },   { I, "", false },      { I, "1|", false },
        { I, "0.5..1", false }, { F, "0..1..2", false }, { F, "(0..1", true },   { B, "0..1", false },  { S, "", false },
        { S, "a||b", false },   { S, "a | b", false },   { F, "0..x", false },
    };
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        lth_option o = { .name = "x", .type = samples[i].type, .range = samples[i].range };
        error e = { 0 };
        cr_assert(!value_check_range(&o, &e) == samples[i].right, "'%s' %s", samples[i].range ? samples[i].range : "any", e.text);
        cr_assert(samples[i].right || *e.text);
    }
}

Test(value, is_empty_before_anything_was_read)
{
    for (lth_option_type type = 0; type <= 9; type++) {
        any value;
        memset(&value, 0x5a, sizeof value);
        value_clear(&(lth_option) { .type = type }, &value);
        cr_assert(type != I || value.i == 0);
        cr_assert(type != B || !value.b);
        cr_assert(type != S || !*value.s);
        cr_assert(type < IL || type > SL || (!value.ints.at && !value.ints.count));
    }
}

Test(value, of_words_has_a_nearest_one)
{
    arena memory = { 0 };
    lth_option o = { .type = S, .range = "linear|cosine|constant" };
    cr_assert_str_eq(value_nearest_word(&o, "cosin", &memory), "cosine");
    cr_assert(!value_nearest_word(&o, "xyz", &memory));
    o.range = NULL;
    cr_assert(!value_nearest_word(&o, "cosin", &memory));
    arena_free(&memory);
}
