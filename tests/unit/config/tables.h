/* SPDX-License-Identifier: Apache-2.0
 * Two structs with tables of options, as a host's loader and a plugin's datamodule would have them. */
#ifndef TESTS_CONFIG_TABLES_H
#define TESTS_CONFIG_TABLES_H

#include <lthost/option.h>

struct loader {
    int64_t batch_size, workers;
    bool shuffle;
    const char *sampler;
};

static const lth_option loader_rows[] = {
    LTH_OPTION(struct loader, batch_size, "32", "1..", "samples a batch"),
    LTH_OPTION(struct loader, workers, "0", "0..256", "loader threads", .old_name = "num_workers"),
    LTH_OPTION(struct loader, shuffle, "true", NULL, "a new order each epoch"),
    LTH_OPTION(struct loader, sampler, "random", "random|weighted|sequential", "order of the samples"),
};
static const lth_options loader_options = LTH_OPTIONS(loader_rows);

struct table {
    const char *file, *delimiter, *token, *note;
    double scale;
    lth_int_list columns;
    lth_float_list split;
    lth_string_list names;
    bool header;
    char removed;
};

static const lth_option table_rows[] = {
    LTH_OPTION(struct table, file, NULL, NULL, "the table to read", .flags = LTH_OPTION_PATH | LTH_OPTION_REQUIRED),
    LTH_OPTION(struct table, delimiter, "\";\"", NULL, "between two columns"),
    LTH_OPTION(struct table, token, "", NULL, "to download with", .flags = LTH_OPTION_SECRET),
    LTH_OPTION(struct table, note, "", NULL, "for people"),
    LTH_OPTION(struct table, scale, "1e-3", "0..", "factor of every value"),
    LTH_OPTION(struct table, columns, "", "0..", "columns to take; none: all"),
    LTH_OPTION(struct table, split, "0.8, 0.2", "(0..1)", "fractions for training and validation"),
    LTH_OPTION(struct table, names, "", NULL, "names of the columns"),
    LTH_OPTION(struct table, header, "yes", NULL, "the first line has names"),
    { .name = "separator", .type = LTH_OPTION_STRING, .help = "use 'delimiter'", .flags = LTH_OPTION_REMOVED },
};
static const lth_options table_options = LTH_OPTIONS(table_rows);

#endif
