/* SPDX-License-Identifier: Apache-2.0
 * Sections into structs, by tables. */
#include "config/option_show.h"
#include "config/schema.h"
#include "expect.h"
#include "tables.h"
#include <math.h>
#include <stdlib.h>

static arena memory;
static struct loader loader;
static struct table table;
static const schema_part parts[] = { { &loader_options, &loader }, { &table_options, &table } };

static lth_status fill(const char *text, diagnostics *d)
{
    config *c = config_load_text("/runs/run.ini", text, strlen(text), NULL, 0, d);
    memset(&loader, 0x5a, sizeof loader);
    memset(&table, 0x5a, sizeof table);
    lth_status s = schema_fill(c, config_find(c, "data"), "data", parts, 2, &memory, d);
    config_free(c); /* what was filled does not need it */
    return s;
}

static void forget(void) { arena_free(&memory); }
TestSuite(schema, .fini = forget);

Test(schema, fills_several_tables_from_one_section)
{
    diagnostics d = { 0 };
    lth_status s =
        fill("[data]\nuse = csv\nenabled = true\nfile = a b.csv\nbatch_size = 1e3\nshuffle = off\nscale = inf\ncolumns = 3, 1\n"
             "names = x, \"y, z\"\nnote = \"  hello \"\nsampler = weighted\nworkers=4\nsplit=\n",
             &d);
    EXPECT_MESSAGES(&d, "");
    cr_assert(s == LTH_OK);
    cr_assert(loader.batch_size == 1000 && loader.workers == 4 && !loader.shuffle && !strcmp(loader.sampler, "weighted"));
    cr_assert_str_eq(table.file, "/runs/a b.csv");
    cr_assert_str_eq(table.delimiter, ";");
    cr_assert_str_eq(table.note, "  hello ");
    cr_assert_str_eq(table.token, "");
    cr_assert(isinf(table.scale) && table.columns.count == 2 && table.columns.at[0] == 3 && table.columns.at[1] == 1);
    cr_assert(table.names.count == 2 && !strcmp(table.names.at[1], "y, z") && table.split.count == 0 && table.header);
    cr_assert(table.removed == 0x5a, "a removed option writes nothing");
}

Test(schema, gives_defaults_where_the_section_is_silent_or_absent)
{
    diagnostics d = { 0 };
    cr_assert(!fill("[data]\nfile = x\n", &d));
    EXPECT_MESSAGES(&d, "");
    cr_assert(loader.batch_size == 32 && loader.workers == 0 && loader.shuffle && !strcmp(loader.sampler, "random"));
    cr_assert(table.scale == 1e-3 && table.split.count == 2 && table.split.at[0] == 0.8 && !strcmp(table.delimiter, ";"));
    cr_assert(fill("[run]\n", &d) == LTH_INVALID);
    EXPECT_MESSAGES(&d, "/runs/run.ini: error: [data] needs 'file'; file: the table to read, required\n");
    cr_assert_str_eq(table.file, "");
    cr_assert(loader.batch_size == 32);
}

Test(schema, reports_all_mistakes_at_once_with_what_is_right)
{
    diagnostics d = { 0 };
    cr_assert(fill("[data]\nbatch_size = 0\nwokers = 2\nshuffle = perhaps\nsampler = weihgted\nscale = fast\nsplit = 0.5, 1\n"
                   "separator = x\nqqqq = 1\nnames = a,,b\nenabld = no\n",
                   &d) == LTH_INVALID);
    EXPECT_MESSAGES(
        &d,
        "/runs/run.ini:1: error: [data] needs 'file'; file: the table to read, required\n"
        "/runs/run.ini:2: error: [data] batch_size = '0' is out of range; batch_size: samples a batch, 1.., default 32\n"
        "/runs/run.ini:3: error: [data] has no option 'wokers' (did you mean 'workers'?)\n"
        "/runs/run.ini:4: error: [data] shuffle = 'perhaps' is neither true nor false; shuffle: a new order each epoch, default "
        "true\n"
        "/runs/run.ini:5: error: [data] sampler = 'weihgted' is none of its words; sampler: order of the samples, one of random, "
        "weighted, sequential, default random (did you mean 'weighted'?)\n"
        "/runs/run.ini:6: error: [data] scale = 'fast' is not a number; scale: factor of every value, 0.., default 1e-3\n"
        "/runs/run.ini:7: error: [data] split = '0.5, 1' is wrong in element 2: '1' is out of range; split: fractions for "
        "training and "
        "validation, (0..1), default 0.8, 0.2\n"
        "/runs/run.ini:8: error: [data] separator: use 'delimiter'\n"
        "/runs/run.ini:9: error: [data] has no option 'qqqq'\n"
        "/runs/run.ini:10: error: [data] names = 'a,,b' has nothing between two commas (write \"\" for an empty text); names: "
        "names of the "
        "columns\n"
        "/runs/run.ini:11: error: [data] has no option 'enabld' (did you mean 'enabled'?)\n");
    cr_assert(loader.batch_size == 32 && table.scale == 1e-3, "a wrong value leaves the default");
}

Test(schema, takes_an_old_name_with_a_warning)
{
    diagnostics d = { 0 };
    cr_assert(!fill("[data]\nfile = x\nnum_workers = 3\n", &d) && loader.workers == 3);
    EXPECT_MESSAGES(&d, "/runs/run.ini:3: warning: [data] 'num_workers' is now called 'workers'\n");
    cr_assert(fill("[data]\nfile = x\nnum_workers = 3\nworkers = 4\n", &d) == LTH_INVALID && loader.workers == 4);
    EXPECT_MESSAGES(
        &d, "/runs/run.ini:3: error: [data] 'num_workers' is the old name of 'workers', which is given too (/runs/run.ini:4)\n");
}

Test(schema, never_shows_a_secret)
{
    static const lth_option rows[] = { LTH_OPTION(struct table, columns, "", "0..9", "a secret list",
                                                  .flags = LTH_OPTION_SECRET) };
    static const lth_options options = LTH_OPTIONS(rows);
    const schema_part part = { &options, &table };
    static const char text[] = "[data]\ncolumns = 1, 4711\n";
    diagnostics d = { 0 };
    config *c = config_load_text("run.ini", text, strlen(text), NULL, 0, &d);
    cr_assert(schema_fill(c, config_find(c, "data"), "data", &part, 1, &memory, &d) == LTH_INVALID);
    config_free(c);
    EXPECT_MESSAGES(&d, "run.ini:2: error: [data] columns = '***' is not a right value; columns: a secret list, 0..9\n");
}

Test(schema, judges_a_broken_reference_once)
{
    unsetenv("LTHOST_NONE");
    diagnostics d = { 0 };
    cr_assert(!fill("[data]\nfile = x\nbatch_size = ${LTHOST_NONE}\n", &d), "that was told when the file was read");
    cr_assert(loader.batch_size == 32 && diagnostics_status(&d) == LTH_INVALID);
    EXPECT_MESSAGES(&d, "/runs/run.ini:3: error: batch_size: the environment has no 'LTHOST_NONE' (set it, or give a default: "
                        "${LTHOST_NONE:-text})\n");
}

Test(schema, shows_only_the_beginning_of_a_long_value)
{
    str text = { 0 };
    str_append(&text, "[data]\nfile = x\nscale = ");
    for (int i = 0; i < 100000; i++)
        str_append(&text, "\xc3\xa9");
    diagnostics d = { 0 };
    cr_assert(fill(text.at, &d) == LTH_INVALID);
    cr_assert(strlen(d.at[0].text) < 300 && strstr(d.at[0].text, "\xc3\xa9...' is not a number"));
    cr_assert(str_utf8_prefix(d.at[0].text, strlen(d.at[0].text)) == strlen(d.at[0].text));
    diagnostics_free(&d);
    str_free(&text);
}

Test(schema, may_only_check)
{
    static const schema_part only[] = { { &loader_options, NULL }, { &table_options, NULL } };
    static const char text[] = "[data]\nfile = x\nscale = -1\n";
    diagnostics d = { 0 };
    config *c = config_load_text("run.ini", text, strlen(text), NULL, 0, &d);
    cr_assert(schema_fill(c, config_find(c, "data"), "data", only, 2, &memory, &d) == LTH_INVALID);
    config_free(c);
    EXPECT_MENTION(&d, "run.ini:3: error: [data] scale = '-1' is out of range");
}

Test(schema, reads_rows_of_another_size)
{
    /* An older plugin's rows end before `old_name`; a newer one's are longer. */
    enum { OLD = offsetof(lth_option, old_name), NEW = sizeof(lth_option) + 16 };
    for (int k = 0; k < 2; k++) {
        size_t stride = k ? NEW : OLD;
        char rows[2 * NEW];
        memset(rows, 0x77, sizeof rows);
        memcpy(rows, &loader_rows[0], k ? sizeof(lth_option) : OLD);
        memcpy(rows + stride, &loader_rows[1], k ? sizeof(lth_option) : OLD);
        lth_options options = { (const lth_option *)(const void *)rows, 2, (uint32_t)stride };
        lth_option o = schema_option(&options, 1);
        cr_assert_str_eq(o.name, "workers");
        cr_assert(k ? !strcmp(o.old_name, "num_workers") : !o.old_name);
        const schema_part part = { &options, &loader };
        void *field;
        cr_assert(schema_find(&part, 1, "workers", &o, &field) && field == (void *)&loader.workers);
        cr_assert(!schema_find(&part, 1, "shuffle", &o, &field));
    }
}

Test(schema, finds_what_is_wrong_with_a_table)
{
    diagnostics d = { 0 };
    static const char *const taken[] = { "use", "enabled", "weights" };
    cr_assert(!schema_check_table(&loader_options, sizeof loader, "datamodule 'csv'", taken, 3, &d));
    cr_assert(!schema_check_table(&table_options, sizeof table, "datamodule 'csv'", taken, 3, &d));
    EXPECT_MESSAGES(&d, "");

    static const lth_option wrong[] = {
        { .name = "weights", .type = LTH_OPTION_INT, .initial = "1", .help = "x" },
        { .name = "Bad name", .type = LTH_OPTION_INT, .initial = "1", .help = "x" },
        { .name = "twice", .type = LTH_OPTION_INT, .initial = "1", .help = "x" },
        { .name = "twice", .type = LTH_OPTION_INT, .initial = "1", .help = "x" },
        { .name = "far", .type = LTH_OPTION_INT, .initial = "1", .help = "x", .offset = 8 },
        { .name = "crooked", .type = LTH_OPTION_INT, .initial = "1", .help = "x", .offset = 4 },
        { .name = "strange", .type = 77, .initial = "1", .help = "x" },
        { .name = "outside", .type = LTH_OPTION_INT, .initial = "0", .range = "1..", .help = "x" },
        { .name = "no_number", .type = LTH_OPTION_FLOAT, .initial = "nan", .help = "x" },
        { .name = "no_default", .type = LTH_OPTION_INT, .help = "x" },
        { .name = "both", .type = LTH_OPTION_INT, .initial = "1", .help = "x", .flags = LTH_OPTION_REQUIRED },
        { .name = "no_range", .type = LTH_OPTION_INT, .initial = "1", .range = "9..1", .help = "x" },
        { .name = "no_help", .type = LTH_OPTION_INT, .initial = "1" },
        { .name = "no_path", .type = LTH_OPTION_INT, .initial = "1", .help = "x", .flags = LTH_OPTION_PATH },
        { .type = LTH_OPTION_INT, .initial = "1", .help = "x" },
        { .name = "renamed", .type = LTH_OPTION_INT, .initial = "1", .help = "x", .old_name = "far" },
    };
    const lth_options options = LTH_OPTIONS(wrong);
    cr_assert(schema_check_table(&options, 12, "model 'm'", taken, 3, &d) == LTH_INVALID);
    EXPECT_MESSAGES(&d, "error: model 'm': the option's name 'weights' is the host's own\n"
                        "error: model 'm': the option's name 'Bad name' is not [a-z][a-z0-9_]* of at most 60 bytes\n"
                        "error: model 'm': two options are called 'twice'\n"
                        "error: model 'm': the option 'far' does not lie in the instance of 12 bytes\n"
                        "error: model 'm': the option 'crooked' does not lie in the instance of 12 bytes\n"
                        "error: model 'm': the option 'strange' has the unknown type 77\n"
                        "error: model 'm': the option 'outside': its default '0' is out of range\n"
                        "error: model 'm': the option 'no_number': its default 'nan' is not a number\n"
                        "error: model 'm': the option 'no_default' needs a default\n"
                        "error: model 'm': the option 'both' is required and has a default: it is one or the other\n"
                        "error: model 'm': the option 'no_range': the range '9..1' is empty: '9..1'\n"
                        "error: model 'm': the option 'no_help' needs one line of help\n"
                        "error: model 'm': the option 'no_path' has a flag that does not go with its type\n"
                        "error: model 'm': option 15 has no name\n"
                        "error: model 'm': two options are called 'far'\n");
    const lth_options short_rows = { wrong, 3, 8 };
    cr_assert(schema_check_table(&short_rows, 12, "model 'm'", NULL, 0, &d) == LTH_INVALID);
    diagnostics_free(&d);
}

Test(option_show, can_be_pasted_and_gives_the_defaults)
{
    str text = { 0 };
    option_show(&text, "data", "csv", &table_options);
    cr_assert_str_eq(str_text(&text), "[data]\nuse = csv\n"
                                      "\n; the table to read; required\nfile =\n"
                                      "\n; between two columns\ndelimiter = \";\"\n"
                                      "\n; to download with\ntoken =\n"
                                      "\n; for people\nnote =\n"
                                      "\n; factor of every value (0..)\nscale = 1e-3\n"
                                      "\n; columns to take; none: all (0..)\ncolumns =\n"
                                      "\n; fractions for training and validation ((0..1))\nsplit = 0.8, 0.2\n"
                                      "\n; names of the columns\nnames =\n"
                                      "\n; the first line has names\nheader = yes\n");
    str_clear(&text);
    option_show(&text, "data", "csv", &loader_options);
    diagnostics d = { 0 };
    config *c = config_load_text("pasted", text.at, text.length, NULL, 0, &d);
    const schema_part part = { &loader_options, &loader };
    cr_assert(!schema_fill(c, config_find(c, "data"), "data", &part, 1, &memory, &d));
    EXPECT_MESSAGES(&d, "");
    cr_assert(loader.batch_size == 32 && loader.shuffle);
    config_free(c);
    str_free(&text);
}

Test(schema, names_the_component_that_lacks_an_option)
{
    diagnostics d = { 0 };
    cr_assert(fill("[data]\nuse = \"csv\"\nfile = x\nqqqq = 1\n", &d) == LTH_INVALID);
    EXPECT_MESSAGES(&d, "/runs/run.ini:4: error: [data] csv has no option 'qqqq'\n");
}

Test(schema, a_later_layer_that_uses_another_component_leaves_the_keys_of_the_one_before)
{
    static const char text[] = "[data]\nuse = images\nwidth = 28\nbatch_size = 8\n";
    static const struct {
        const char *overrides[3], *says;
        int64_t batch_size;
    } cases[] = {
        { { "data.use=csv", "data.file=x" }, "", 8 },
        { { "data.batch_size=4", "data.use=csv", "data.file=x" }, "", 4 },
        { { "data.width=3", "data.use=csv", "data.file=x" }, "command line: error: [data] csv has no option 'width'\n", 8 },
        { { "data.use=images", "data.file=x" }, "run.ini:3: error: [data] images has no option 'width'\n", 8 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        diagnostics d = { 0 };
        config *c = config_load_text("run.ini", text, strlen(text), cases[i].overrides, cases[i].overrides[2] ? 3 : 2, &d);
        schema_fill(c, config_find(c, "data"), "data", parts, 2, &memory, &d);
        EXPECT_MESSAGES(&d, cases[i].says);
        cr_assert(loader.batch_size == cases[i].batch_size, "case %zu", i);
        config_free(c);
    }
}
