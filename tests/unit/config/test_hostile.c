/* SPDX-License-Identifier: Apache-2.0
 * Whatever a run file holds, the answer is a message or a value, and the same one every time. */
#include "config/resolved.h"
#include "config/schema.h"
#include "expect.h"
#include "tables.h"
#include <stdlib.h>

static uint32_t random_state = 1;

static uint32_t roll(uint32_t below)
{
    random_state = random_state * 1664525u + 1013904223u;
    return (random_state >> 8) % below;
}

/* Mostly pieces that mean something, sometimes any byte. */
static void write_nonsense(str *text)
{
    static const char *const pieces[] = {
        "[data]",
        "[",
        "]",
        "\n",
        "\n",
        "\n",
        "=",
        " = ",
        "\"",
        "\\",
        ",",
        ";",
        "#",
        " ",
        "\t",
        "  ",
        "file",
        "batch_size = ",
        "scale = ",
        "names = ",
        "note",
        "split = ",
        "columns",
        "shuffle",
        "num_workers",
        "workers",
        "separator",
        "enabled",
        "use",
        "true",
        "1e3",
        "-1",
        "0.5",
        "1e999",
        "99999999999999999999",
        "${HOME}",
        "${",
        "}",
        "$${",
        "${LTHOST_NONE:-1}",
        "\xc3\xa9",
        "[data.x]",
        "[callback.best]",
        "\r\n",
        "\xef\xbb\xbf",
        "a_very_long_piece_that_fills_the_line_of_the_parser_a_very_long_piece_that_fills_the_line_of_the_parser",
    };
    str_clear(text);
    for (uint32_t n = roll(40); n; n--)
        if (roll(200))
            str_append(text, pieces[roll(sizeof pieces / sizeof *pieces)]);
        else
            str_append_char(text, (char)roll(256));
}

/* Reads the text to the end of all checks; the messages go to `said`, what was resolved to `out`. */
static bool resolve(const str *text, str *said, str *out)
{
    struct loader loader;
    struct table table;
    const schema_part parts[] = { { &loader_options, &loader }, { &table_options, &table } };
    static const char *const kinds[] = { "data", "callback" };
    arena memory = { 0 };
    diagnostics d = { 0 };
    config *c = config_load_text("run.ini", str_text(text), text->length, NULL, 0, &d);
    config_section *s = config_find(c, "data");
    config_check_kinds(c, kinds, 2, &d);
    schema_fill(c, s, "data", parts, 2, &memory, &d);
    config_check_used(c, kinds, 2, &d);
    str_clear(said);
    str_clear(out);
    diagnostics_render(&d, said);
    bool right = !d.error_count;
    resolved_section(out, "data", s ? config_component(c, s) : NULL, s, parts, 2);
    config_free(c);
    arena_free(&memory);
    diagnostics_free(&d);
    return right;
}

Test(hostile, run_files_never_crash_and_right_ones_resolve_to_themselves)
{
    setenv("HOME", "/home/me", 1);
    str text = { 0 }, said = { 0 }, again = { 0 }, out = { 0 }, second = { 0 };
    int right = 0;
    for (int i = 0; i < 30000; i++) {
        write_nonsense(&text);
        if (i % 2) { /* a right beginning gets further */
            char *tail = str_take(&text);
            str_printf(&text, "[data]\nfile = x\n%s", tail);
            free(tail);
        }
        bool good = resolve(&text, &said, &out);
        cr_assert(good == (strstr(str_text(&said), ": error: ") == NULL && strncmp(str_text(&said), "error", 5) != 0));
        cr_assert(str_utf8_prefix(str_text(&said), said.length) == said.length, "messages are UTF-8");
        resolve(&text, &again, &second);
        cr_assert(!strcmp(str_text(&said), str_text(&again)) && !strcmp(str_text(&out), str_text(&second)));
        if (!good)
            continue;
        right++;
        cr_assert(resolve(&out, &again, &second), "%s\n%s", out.at, again.at);
        cr_assert(!strcmp(str_text(&out), str_text(&second)), "%s\n%s", out.at, second.at);
    }
    cr_assert(right > 100, "only %d of them were right: the nonsense is too wild to test anything", right);
    str_free(&text);
    str_free(&said);
    str_free(&again);
    str_free(&out);
    str_free(&second);
}

Test(hostile, bytes_of_any_kind_are_only_refused)
{
    str text = { 0 }, said = { 0 }, out = { 0 };
    for (int i = 0; i < 3000; i++) {
        str_clear(&text);
        for (uint32_t n = roll(300); n; n--)
            str_append_char(&text, (char)roll(256));
        cr_assert(!resolve(&text, &said, &out) && said.length > 0); /* `file` is required: never right */
    }
    str_free(&text);
    str_free(&said);
    str_free(&out);
}

Test(hostile, sizes_are_no_problem)
{
    str text = { 0 }, said = { 0 }, out = { 0 };
    str_append(&text, "[data]\nfile = x\nnames = a");
    for (int i = 0; i < 100000; i++)
        str_append(&text, i % 10 ? ",b" : ",\n  b");
    str_append(&text, "\ncolumns = ");
    for (int i = 0; i < 200000; i++)
        str_append(&text, "1,");
    str_append(&text, "1\n");
    cr_assert(resolve(&text, &said, &out), "%s", said.at);
    cr_assert(out.length > 900000);
    str_clear(&text);
    str_append(&text, "[data]\nfile = x\n");
    for (int i = 0; i < 3000; i++)
        str_printf(&text, "key_%d = 1\n", i);
    cr_assert(!resolve(&text, &said, &out) && strstr(said.at, "run.ini:3002: error: [data] has no option 'key_2999'"));
    str_free(&text);
    str_free(&said);
    str_free(&out);
}
