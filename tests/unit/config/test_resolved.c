/* SPDX-License-Identifier: Apache-2.0
 * The resolved run file runs again and resolves to itself. */
#include "config/resolved.h"
#include "expect.h"
#include "tables.h"
#include <stdio.h>
#include <stdlib.h>

/* Reads a run file of one [data] section and resolves it. */
static char *resolve(const char *name, const char *text)
{
    struct loader loader;
    struct table table;
    const schema_part parts[] = { { &loader_options, &loader }, { &table_options, &table } };
    arena memory = { 0 };
    diagnostics d = { 0 };
    config *c = config_load_text(name, text, strlen(text), NULL, 0, &d);
    config_section *s = config_find(c, "data");
    schema_fill(c, s, "data", parts, 2, &memory, &d);
    for (size_t i = 0; i < d.count; i++)
        cr_assert(d.at[i].severity == DIAGNOSTIC_WARNING, "%s in\n%s", d.at[i].text, text);
    str out = { 0 };
    resolved_begin(&out);
    resolved_section(&out, "data", config_component(c, s), s, parts, 2);
    resolved_disabled(&out, "callback.progress", "progress");
    config_free(c);
    arena_free(&memory);
    diagnostics_free(&d);
    return str_take(&out);
}

Test(resolved, holds_every_option_and_no_secret)
{
    setenv("LTHOST_TOKEN", "sesame", 1);
    char *text = resolve("/runs/run.ini",
                         "[data]\nuse = csv\nfile = a.csv\ntoken = ${LTHOST_TOKEN}\nnum_workers = 2\nnote = ${LTHOST_TOKEN}\n");
    cr_assert_str_eq(
        text, "; Resolved by lthost: every option of this run, defaults too. It runs again as it is.\n"
              "\n[data]\nuse = csv\nbatch_size = 32\nworkers = 2\nshuffle = true\nsampler = random\nfile = /runs/a.csv\n"
              "delimiter = \";\"\ntoken = ${LTHOST_TOKEN}\nnote = sesame\nscale = 0.001\ncolumns =\nsplit = 0.8, 0.2\nnames =\n"
              "header = true\n"
              "\n[callback.progress]\nuse = progress\nenabled = false\n");
    free(text);
    static const char *const given[] = { "sesame", "x${LTHOST_TOKEN}", "${LTHOST_TOKEN:-sesame}" };
    for (int i = 0; i < 3; i++) {
        char run[200];
        snprintf(run, sizeof run, "[data]\nuse = csv\nfile = a.csv\ntoken = %s\n", given[i]);
        text = resolve("/runs/run.ini", run);
        cr_assert(!strstr(text, "sesame") &&
                      strstr(text, "\n; token is a secret and not written here; give it as token = ${NAME}\n"),
                  "%s", text);
        free(text);
    }
}

Test(resolved, resolves_to_itself_byte_for_byte)
{
    setenv("LTHOST_TOKEN", "sesame", 1);
    setenv("LTHOST_ODD", " \" ; ${x}, \n\t\x01 \xc3\xa9", 1);
    static const char *const samples[] = {
        "",
        "token = ${LTHOST_TOKEN}\n",
        "token = sesame\n",
        "scale = 0.1\n",
        "scale = 5e-324\n",
        "scale = inf\n",
        "scale = -0\n",
        "scale = 0.30000000000000004\n",
        "split = 0.1, 0.30000000000000004, 1e-300\n",
        "columns = 9223372036854775807, 1e3\n",
        "names = a, \"b, c\", \"\", \" d \", \";\", ${LTHOST_TOKEN}\n",
        "names = \"${LTHOST_ODD}\", x\n",
        "note = \"${LTHOST_ODD}\"\n",
        "note = $${HOME} $$${HOME} \\ \" # cut\n",
        "note = \"\\\"\\\\\\n\\t\\x01\\xff\"\n",
        "note = a, \"b\n",
        "delimiter = \"\\t\"\n",
        "delimiter = \" \"\n",
        "note = \"; x\"\n",
        "note = a;b#c\n",
        "num_workers = 7\nbatch_size = 5\nshuffle = no\nsampler = weighted\nheader = 0\n",
    };
    for (size_t i = 0; i <= sizeof samples / sizeof *samples; i++) {
        char run[1000], longer[600];
        snprintf(longer, sizeof longer, "note = %0500d\n", 7); /* than inih's line */
        snprintf(run, sizeof run, "[data]\nuse = \"my ; csv\"\nfile = ./a ${LTHOST_TOKEN}.csv\n%s",
                 i < sizeof samples / sizeof *samples ? samples[i] : longer);
        char *once = resolve("/runs/run.ini", run), *twice = resolve("/elsewhere/copy.ini", once);
        cr_assert(!strcmp(once, twice), "first\n%s\nthen\n%s", once, twice);
        free(once);
        free(twice);
    }
}

Test(resolved, keeps_any_text_that_a_plugin_could_have)
{
    /* Not only what a run file can say: all texts of up to three of the bytes that matter. */
    static const char bytes[] = " \t\n\";#,$\\{}a\x01\xc3";
    enum { N = sizeof bytes - 1 };
    static const lth_option rows[] = { LTH_OPTION(struct table, note, "", NULL, "x"),
                                       LTH_OPTION(struct table, names, "", NULL, "x") };
    static const lth_options options = LTH_OPTIONS(rows);
    arena memory = { 0 };
    str out = { 0 };
    for (int i = 0; i < N * N * N; i++) {
        const char text[4] = { bytes[i % N], bytes[i / N % N], bytes[i / N / N], 0 };
        const char *elements[] = { text, text + 1, text + 3 };
        struct table given = { .note = text, .names = { elements, 3 } }, back;
        const schema_part write = { &options, &given }, read = { &options, &back };
        diagnostics d = { 0 };
        str_clear(&out);
        resolved_section(&out, "data", NULL, NULL, &write, 1);
        config *c = config_load_text("run.ini", out.at, out.length, NULL, 0, &d);
        schema_fill(c, config_find(c, "data"), "data", &read, 1, &memory, &d);
        EXPECT_MESSAGES(&d, "");
        cr_assert(!strcmp(back.note, text) && back.names.count == 3, "%s", out.at);
        for (int k = 0; k < 3; k++)
            cr_assert(!strcmp(back.names.at[k], elements[k]), "%s", out.at);
        config_free(c);
        arena_reset(&memory);
    }
    str_free(&out);
    arena_free(&memory);
}
