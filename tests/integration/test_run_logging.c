/* SPDX-License-Identifier: Apache-2.0
 * What is logged, compared with Lightning's CSV rows and callback_metrics in tests/golden/logging.json.
 *
 * Rows come in the same order with the same columns and values. `step` differs by definition: here it is the number of
 * optimizer steps taken, in every row; Lightning counts from 0, and a row of a validation step by batches. */
#include "integration/run_lthost.h"
#include "util/json.h"
#include "util/str.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- What the plugins `rows` and `shown` wrote: lines of words ---- */

typedef struct lines {
    char *text;
    char *at[400];
    size_t count;
} lines;

static lines read_lines(const char *kind)
{
    lines l = { .text = run_read("record") };
    for (char *save = NULL, *line = strtok_r(l.text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
        if (str_starts(line, kind) && l.count < 400)
            l.at[l.count++] = line + strlen(kind);
    return l;
}

/* The value of " name=" in a line; NaN where there is none. */
static double value_in(const char *line, const char *name)
{
    char key[100];
    snprintf(key, sizeof key, " %s=", name);
    const char *at = strstr(line, key);
    return at ? strtod(at + strlen(key), NULL) : NAN;
}

static size_t values_in(const char *line)
{
    size_t count = 0;
    for (; *line; line++)
        count += *line == '=';
    return count;
}

static bool close_to(double a, double b) { return fabs(a - b) <= 1e-6 * fmax(1, fabs(b)); }

/* ---- A case ---- */

static void write_ini(const json_t *settings)
{
    const char *key;
    json_t *value;
    str ini = { 0 };
    str_append(&ini, "[trainer]\naccelerator = reference\nenable_checkpointing = false\n");
    json_object_foreach(json_object_get(settings, "trainer"), key, value)
    {
        char *text = json_dumps(value, JSON_ENCODE_ANY);
        str_printf(&ini, "%s = %s\n", key, text);
        free(text);
    }
    str_printf(
        &ini,
        "[model]\nuse = numbers\n[data]\nuse = numbers_data\nshuffle = false\nbatch_size = %lld\ntrain = %lld\nval = %lld\n",
        (long long)json_integer_value(json_object_get(settings, "batch_size")),
        (long long)json_integer_value(json_object_get(settings, "train_rows")),
        (long long)json_integer_value(json_object_get(settings, "val_rows")));
    str_append(&ini, "[optimizer]\nuse = sgd\nlr = 0.1\n[logger.rows]\n[logger.csv]\nenabled = false\n[callback.shown]\n");
    run_write("run.ini", str_text(&ini));
    str_free(&ini);
}

static void compare_row(const char *name, size_t number, const json_t *golden, const char *ours, bool fit)
{
    const char *key;
    json_t *value;
    const json_t *epoch = json_object_get(golden, "epoch");
    size_t columns = 0;
    long long step = -1, ours_epoch = -1;
    sscanf(ours, "%lld %lld", &step, &ours_epoch);
    if (epoch) {
        cr_expect_eq(step, json_integer_value(json_object_get(golden, "step")) + fit, "%s: step of row %zu: %s", name, number,
                     ours);
        cr_expect_eq(ours_epoch, json_integer_value(epoch), "%s: epoch of row %zu: %s", name, number, ours);
    }
    json_object_foreach((json_t *)golden, key, value)
    {
        if (strcmp(key, "epoch") == 0 || strcmp(key, "step") == 0)
            continue;
        columns++;
        cr_expect(close_to(value_in(ours, key), json_number_value(value)), "%s: row %zu: %s is %g in '%s'", name, number, key,
                  json_number_value(value), ours);
    }
    cr_expect_eq(values_in(ours), columns, "%s: columns of row %zu: %s", name, number, ours);
}

static void compare_metrics(const char *name, const json_t *golden, unsigned flag)
{
    lines shown = read_lines("metric");
    const char *key;
    json_t *value;
    size_t count = 0;
    for (size_t i = 0; i < shown.count; i++)
        count += !flag || strtoul(strrchr(shown.at[i], ' '), NULL, 10) & flag;
    cr_expect_eq(count, json_object_size(golden), "%s: %zu metrics, flag %u", name, count, flag);
    json_object_foreach((json_t *)golden, key, value)
    {
        double is = NAN;
        for (size_t i = 0; i < shown.count && isnan(is); i++)
            is = value_in(shown.at[i], key);
        cr_expect(close_to(is, json_number_value(value)), "%s: %s is %g, not %g", name, key, is, json_number_value(value));
    }
    free(shown.text);
}

static void compare(const json_t *item)
{
    const char *name = json_string_value(json_object_get(item, "name"));
    const json_t *settings = json_object_get(item, "settings"), *rows = json_object_get(item, "rows");
    const char *stage = json_string_value(json_object_get(settings, "stage"));
    write_ini(settings);
    unlink("record");
    outcome o = RUN(stage, "run.ini");
    cr_assert_eq(o.status, 0, "%s: %s", name, o.err);
    outcome_free(&o);
    lines ours = read_lines("row ");
    cr_expect_eq(ours.count, json_array_size(rows), "%s: %zu rows, not %zu", name, ours.count, json_array_size(rows));
    for (size_t i = 0; i < ours.count && i < json_array_size(rows); i++)
        compare_row(name, i, json_array_get(rows, i), ours.at[i], strcmp(stage, "fit") == 0);
    free(ours.text);
    compare_metrics(name, json_object_get(item, "callback_metrics"), 0);
    compare_metrics(name, json_object_get(item, "progress_bar_metrics"), 1);
}

static void begin(void)
{
    char here[300];
    run_begin();
    cr_assert_not_null(getcwd(here, sizeof here - 10));
    strcat(here, "/record");
    setenv("LTHOST_TEST_RECORD", here, 1);
}

TestSuite(logging, .init = begin, .fini = run_end);

Test(logging, rows_and_metrics_are_those_of_lightning)
{
    json_t *root, *item;
    size_t i;
    error e = { 0 };
    cr_assert_eq(json_read(LTHOST_TEST_SOURCE "/tests/golden/logging.json", &root, &e), LTH_OK, "%s", e.text);
    json_array_foreach(json_object_get(root, "cases"), i, item) compare(item);
    json_decref(root);
}

#define NUMBERS                                                                                                 \
    "[trainer]\naccelerator = reference\nmax_epochs = 1\nlog_every_n_steps = 1\nenable_checkpointing = false\n" \
    "[data]\nuse = numbers_data\nbatch_size = 4\n[optimizer]\nuse = sgd\nlr = 0.1\n[logger.rows]\n[model]\nuse = numbers\n"

Test(logging, one_name_with_other_switches_is_an_error_with_both_places)
{
    run_write("run.ini", NUMBERS "twice = true\n");
    outcome o = RUN("fit", "run.ini");
    cr_assert_eq(o.status, 1);
    const char *first = strstr(o.err, "'t_default' is logged twice with other switches");
    cr_assert_not_null(first, "%s", o.err);
    const char *place = strstr(first, "numbers.c:");
    cr_assert_not_null(place);
    cr_assert_not_null(strstr(place + 1, "numbers.c:"), "the second place: %s", o.err);
    outcome_free(&o);
}

Test(logging, a_logger_that_fails_is_reported_once_and_the_run_goes_on)
{
    run_write("run.ini", NUMBERS "[logger.second]\nuse = rows\nfail_at = 2\n");
    outcome o = RUN("fit", "run.ini");
    cr_assert_eq(o.status, 0, "%s", o.err);
    const char *said = strstr(o.err, "[logger.second] log_metrics: the disk is full of rows");
    cr_assert_not_null(said, "%s", o.err);
    cr_assert_null(strstr(said + strlen("[logger.second] log_metrics: the"), "the disk is full of rows"), "%s", o.err);
    cr_assert_not_null(strstr(o.err, "[logger.second] stopped before the end"), "%s", o.err);
    outcome_free(&o);
    lines rows = read_lines("row ");
    cr_assert_eq(rows.count, 5 + 3 + 2 + 2, "%zu rows: all of the first logger, two of the second", rows.count);
    free(rows.text);
}

Test(logging, several_validation_sets_log_under_names_of_their_own)
{
    run_write("run.ini", NUMBERS "[callback.shown]\n");
    outcome o = RUN("fit", "run.ini", "data.val_sets=2");
    cr_assert_eq(o.status, 0, "%s", o.err);
    outcome_free(&o);
    lines shown = read_lines("metric");
    size_t found = 0;
    for (size_t i = 0; i < shown.count; i++)
        for (int set = 0; set < 2; set++) {
            char name[60];
            snprintf(name, sizeof name, "v_default/dataloader_idx_%d", set);
            found += !isnan(value_in(shown.at[i], name));
            cr_expect(isnan(value_in(shown.at[i], "v_default")));
        }
    cr_expect_eq(found, 2);
    free(shown.text);
}
