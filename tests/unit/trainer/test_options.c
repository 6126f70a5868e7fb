/* SPDX-License-Identifier: Apache-2.0
 * [trainer]: the texts that mean more than one kind of number, and what keys mean for each other. */
#include "trainer/options.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

/* The options of a [trainer] section, resolved. `said`: all messages. */
typedef struct resolved {
    trainer_options o;
    trainer_limits limits;
    lth_status status;
    char said[2000];
} resolved;

static resolved resolve(const char *lines)
{
    static char text[1000];
    static arena memory;
    resolved r = { .status = LTH_OK };
    diagnostics d = { 0 };
    snprintf(text, sizeof text, "[trainer]\n%s", lines);
    config *c = config_load_text("run.ini", text, strlen(text), NULL, 0, &d);
    config_section *s = config_find(c, "trainer");
    const schema_part part = { &trainer_option_table, &r.o };
    schema_fill(c, s, "trainer", &part, 1, &memory, &d);
    trainer_options_resolve(&r.o, c, s, &r.limits, &d);
    r.status = diagnostics_status(&d);
    str said = { 0 };
    diagnostics_render(&d, &said);
    snprintf(r.said, sizeof r.said, "%s", str_text(&said));
    str_free(&said);
    diagnostics_free(&d);
    config_free(c);
    return r;
}

Test(options, durations_are_days_hours_minutes_and_seconds)
{
    static const struct {
        const char *text;
        double seconds;
    } cases[] = { { "00:00:00:01", 1 },
                  { "00:00:02:00", 120 },
                  { "00:03:00:00", 10800 },
                  { "2:00:00:00", 172800 },
                  { "1:2:3:4", 93784 },
                  { "00:00:01", -1 },
                  { "", -1 },
                  { "1:2:3:4:5", -1 },
                  { "1:2:3:x", -1 },
                  { "-1:0:0:0", -1 },
                  { "1.5:0:0:0", -1 },
                  { " 1:0:0:0", -1 } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double is = options_duration(cases[i].text);
        cr_expect(cases[i].seconds < 0 ? is < 0 : is == cases[i].seconds, "'%s' is %g", cases[i].text, is);
    }
}

Test(options, a_limit_is_a_fraction_with_a_point_and_a_count_without)
{
    static const struct {
        const char *text;
        double value;
        bool is_fraction, right;
    } cases[] = { { "1.0", 1, true, true },    { "1", 1, false, true },    { "0.25", 0.25, true, true },
                  { "10", 10, false, true },   { "0", 0, false, true },    { "1e-1", 0.1, true, true },
                  { "1.5", 0, true, false },   { "-1", 0, false, false },  { "all", 0, false, false },
                  { "0x10", 0, false, false }, { "inf", 0, false, false }, { "1 2", 0, false, false } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char lines[80];
        snprintf(lines, sizeof lines, "limit_train_batches = %s\nmax_epochs = 1\n", cases[i].text);
        resolved r = resolve(lines);
        cr_expect_eq(r.status == LTH_OK, cases[i].right, "'%s': %s", cases[i].text, r.said);
        if (cases[i].right) {
            cr_expect_eq(r.limits.train.value, cases[i].value, "%s", cases[i].text);
            cr_expect_eq(r.limits.train.is_fraction, cases[i].is_fraction, "%s", cases[i].text);
        } else {
            cr_expect_not_null(strstr(r.said, "run.ini:2: error: [trainer] limit_train_batches"), "%s", r.said);
        }
    }
}

Test(options, the_validation_interval_is_batches_a_fraction_or_a_time)
{
    static const struct {
        const char *text;
        interval_kind kind;
        double value;
    } cases[] = { { "1.0", INTERVAL_FRACTION, 1 },
                  { "0.25", INTERVAL_FRACTION, 0.25 },
                  { "100", INTERVAL_BATCHES, 100 },
                  { "00:00:10:00", INTERVAL_SECONDS, 600 } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char lines[80];
        snprintf(lines, sizeof lines, "val_check_interval = %s\nmax_epochs = 1\n", cases[i].text);
        resolved r = resolve(lines);
        cr_expect_eq(r.status, LTH_OK, "%s", r.said);
        cr_expect_eq(r.limits.val_interval_kind, cases[i].kind, "%s", cases[i].text);
        cr_expect_eq(r.limits.val_interval, cases[i].value, "%s", cases[i].text);
    }
    cr_expect_eq(resolve("val_check_interval = 0\nmax_epochs = 1\n").status, LTH_INVALID);
    cr_expect_eq(resolve("val_check_interval = 1:2\nmax_epochs = 1\n").status, LTH_INVALID);
    resolved r = resolve("check_val_every_n_epoch = 0\nmax_epochs = 1\n");
    cr_expect_eq(r.status, LTH_INVALID, "an interval across epochs is one of batches or of time");
    cr_expect_eq(resolve("check_val_every_n_epoch = 0\nval_check_interval = 100\nmax_epochs = 1\n").status, LTH_OK);
}

Test(options, a_bound_on_memory_is_a_number_with_a_unit)
{
    static const struct {
        const char *text;
        double bytes; /* 0: it is refused */
    } cases[] = { { "512M", 512.0 * (1 << 20) },
                  { "8G", 8.0 * (1 << 30) },
                  { "1.5G", 1.5 * (1 << 30) },
                  { "2T", 2048.0 * (1 << 30) },
                  { "2097152", 1 << 21 },
                  { "2048K", 1 << 21 },
                  { "8GB", 0 },
                  { "8 G", 0 },
                  { "-8G", 0 },
                  { "0", 0 },
                  { "12", 0 },
                  { "G", 0 },
                  { "1e30G", 0 },
                  { "nan", 0 },
                  { "999999999T", 0 } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char lines[80];
        snprintf(lines, sizeof lines, "max_memory = %s\nmax_epochs = 1\n", cases[i].text);
        resolved r = resolve(lines);
        cr_expect_eq(r.status, cases[i].bytes > 0 ? LTH_OK : LTH_INVALID, "%s: %s", cases[i].text, r.said);
        cr_expect(cases[i].bytes == 0 || (double)r.limits.max_memory == cases[i].bytes, "%s", cases[i].text);
    }
    cr_expect_eq(resolve("max_epochs = 1\n").limits.max_memory, 0);
}

Test(options, without_any_bound_a_run_has_1000_epochs)
{
    resolved r = resolve("");
    cr_expect_eq(r.o.max_epochs, 1000);
    cr_expect(r.limits.unbounded);
    static const char *const bounded[] = { "max_steps = 10\n", "max_time = 00:01:00:00\n" };
    for (size_t i = 0; i < 2; i++) {
        r = resolve(bounded[i]);
        cr_expect_eq(r.o.max_epochs, -1, "%s", bounded[i]);
        cr_expect_not(r.limits.unbounded);
    }
    r = resolve("max_epochs = 3\nmax_steps = 10\n");
    cr_expect_eq(r.o.max_epochs, 3);
    cr_expect_not(r.limits.unbounded);
}

Test(options, a_precision_says_what_is_computed_in_which_type)
{
    static const struct {
        const char *text, *name, *word;
        lth_dtype floating, lower;
    } cases[] = {
        { "32-true", "32-true", NULL, LTH_F32, LTH_DTYPE_NONE },
        { "32", "32-true", NULL, LTH_F32, LTH_DTYPE_NONE },
        { "64-true", "64-true", NULL, LTH_F64, LTH_DTYPE_NONE },
        { "64", "64-true", NULL, LTH_F64, LTH_DTYPE_NONE },
        { "bf16-mixed", "bf16-mixed", NULL, LTH_F32, LTH_BF16 },
        { "bf16", "bf16-mixed", NULL, LTH_F32, LTH_BF16 },
        { "16", "16-mixed", NULL, LTH_F32, LTH_F16 },
        { "16-mixed", "16-mixed", NULL, LTH_F32, LTH_F16 },
        { "16-true", NULL, "not there yet", 0, 0 },
        { "fp32", NULL, "no precision", 0, 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char lines[80];
        snprintf(lines, sizeof lines, "precision = %s\nmax_epochs = 1\n", cases[i].text);
        resolved r = resolve(lines);
        if (cases[i].word) {
            cr_expect_not_null(strstr(r.said, cases[i].word), "%s: %s", cases[i].text, r.said);
            continue;
        }
        cr_expect_str_eq(r.o.precision, cases[i].name, "%s", cases[i].text);
        cr_expect_eq(r.limits.floating, cases[i].floating, "%s", cases[i].text);
        cr_expect_eq(r.limits.lower, cases[i].lower, "%s", cases[i].text);
    }
}

Test(options, fast_dev_run_bounds_every_stage_and_keeps_nothing)
{
    resolved r = resolve("fast_dev_run = 3\nmax_epochs = 20\nnum_sanity_val_steps = 2\nval_check_interval = 7\n");
    cr_expect_eq(r.limits.fast_dev_batches, 3);
    cr_expect_eq(r.limits.test.value, 3);
    cr_expect_eq(r.o.max_epochs, 1);
    cr_expect_eq(r.o.max_steps, 3);
    cr_expect_eq(r.o.num_sanity_val_steps, 0);
    cr_expect_not(r.o.enable_checkpointing);
    cr_expect_eq(r.limits.val_interval_kind, INTERVAL_FRACTION);
    cr_expect_eq(resolve("fast_dev_run = true\n").limits.fast_dev_batches, 1);
    cr_expect_eq(resolve("fast_dev_run = no\nmax_epochs = 1\n").limits.fast_dev_batches, 0);
    cr_expect_eq(resolve("fast_dev_run = some\nmax_epochs = 1\n").status, LTH_INVALID);
}

Test(options, keys_of_lightning_that_mean_nothing_here_say_what_does)
{
    static const char *const keys[][2] = {
        { "logger", "[logger.csv]" }, { "callbacks", "[callback." }, { "profiler", "yet" }, { "default_root_dir", "[run]" }
    };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        char lines[80];
        snprintf(lines, sizeof lines, "%s = true\nmax_epochs = 1\n", keys[i][0]);
        resolved r = resolve(lines);
        cr_expect_eq(r.status, LTH_INVALID, "%s", keys[i][0]);
        cr_expect_not_null(strstr(r.said, keys[i][1]), "%s: %s", keys[i][0], r.said);
    }
}
