/* SPDX-License-Identifier: Apache-2.0
 * csv: metrics.csv in the run's folder: a column a metric, beside `epoch` and `step`. */
#include "table.h"

#include <errno.h>
#include <lthost/logger.h>
#include <stdlib.h>
#include <string.h>

struct csv {
    const lth_host *host;
    table table;
    const char **names; /* the row with epoch and step, sorted */
    double *values;
    size_t capacity;
    int64_t resumed_rows;
};

static lth_status init(void *self, const lth_host *host)
{
    ((struct csv *)self)->host = host;
    return LTH_OK;
}

static void destroy(void *self)
{
    struct csv *c = self;
    table_close(&c->table);
    free(c->names);
    free(c->values);
}

static lth_status io(struct csv *c, int failed)
{
    if (!failed)
        return LTH_OK;
    return lth_fail(c->host, LTH_IO, "cannot write %s: %s", c->table.path ? c->table.path : "metrics.csv", strerror(errno));
}

static lth_status open_run(void *self, const lth_run_info *run)
{
    struct csv *c = self;
    c->resumed_rows = run->resumed_rows;
    return io(c, table_open(&c->table, run->run_dir, run->resumed_step >= 0));
}

static bool reserve(struct csv *c, size_t count)
{
    if (count <= c->capacity)
        return true;
    const char **names = realloc(c->names, count * sizeof *names);
    double *values = realloc(c->values, count * sizeof *values);
    c->names = names ? names : c->names;
    c->values = values ? values : c->values;
    if (!names || !values)
        return false;
    c->capacity = count;
    return true;
}

/* Puts a number of the host's into the sorted row; a metric that the author named so stands in its place. */
static void insert(struct csv *c, size_t *count, const char *name, double value)
{
    size_t at = 0;
    while (at < *count && strcmp(c->names[at], name) < 0)
        at++;
    if (at < *count && strcmp(c->names[at], name) == 0)
        return;
    memmove(c->names + at + 1, c->names + at, (*count - at) * sizeof *c->names);
    memmove(c->values + at + 1, c->values + at, (*count - at) * sizeof *c->values);
    c->names[at] = name;
    c->values[at] = value;
    ++*count;
}

static lth_status log_metrics(void *self, const lth_metrics_row *row)
{
    struct csv *c = self;
    size_t count = row->count;
    if (!reserve(c, count + 2))
        return lth_fail(c->host, LTH_NO_MEMORY, "no memory for a row of %zu metrics", count);
    for (size_t i = 0; i < count; i++) {
        c->names[i] = row->names[i];
        c->values[i] = row->values[i];
    }
    if (row->epoch >= 0)
        insert(c, &count, "epoch", (double)row->epoch);
    insert(c, &count, "step", (double)row->step);
    return io(c, table_append(&c->table, c->names, c->values, count));
}

static lth_status rewind_to(void *self, int64_t step)
{
    struct csv *c = self;
    return io(c, c->resumed_rows > 0 ? table_keep_rows(&c->table, c->resumed_rows) : table_drop_above(&c->table, "step", (double)step));
}

static lth_status flush(void *self)
{
    struct csv *c = self;
    return io(c, table_sync(&c->table));
}

static lth_status close_run(void *self, lth_run_status status)
{
    (void)status;
    return flush(self);
}

LTH_LOGGER(csv, .summary = "metrics.csv in the run's folder: a column a metric", .flags = LTH_DEFAULT_ON, .init = init, .destroy = destroy,
           .open = open_run, .log_metrics = log_metrics, .rewind = rewind_to, .flush = flush, .close = close_run);
LTH_PLUGIN(LTH_LOGGER_COMPONENT(csv));
