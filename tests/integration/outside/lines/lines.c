/* SPDX-License-Identifier: Apache-2.0
 * A logger: one line of text a value, "step name value". */
#include <lthost/logger.h>

#include <stdio.h>

struct lines { const lth_host *host; FILE *file; };

static lth_status init(void *self, const lth_host *host)
{
    ((struct lines *)self)->host = host;
    return LTH_OK;
}

static lth_status open_file(void *self, const lth_run_info *run)
{
    struct lines *l = self;
    char path[4096];
    snprintf(path, sizeof path, "%s/lines.txt", run->run_dir);
    l->file = fopen(path, "w");
    return l->file ? LTH_OK : lth_fail(l->host, LTH_IO, "cannot open %s", path);
}

static lth_status log_metrics(void *self, const lth_metrics_row *row)
{
    struct lines *l = self;
    for (uint32_t i = 0; i < row->count; i++)
        fprintf(l->file, "%lld %s %.9g\n", (long long)row->step, row->names[i], row->values[i]);
    return ferror(l->file) ? lth_fail(l->host, LTH_IO, "cannot write lines.txt") : LTH_OK;
}

static lth_status close_file(void *self, lth_run_status status)
{
    struct lines *l = self;
    FILE *file = l->file;
    (void)status;
    l->file = NULL;
    return !file || fclose(file) == 0 ? LTH_OK : lth_fail(l->host, LTH_IO, "cannot write lines.txt");
}

LTH_LOGGER(lines, .summary = "a line of text a value", .init = init, .open = open_file, .log_metrics = log_metrics,
           .close = close_file);
LTH_PLUGIN(LTH_LOGGER_COMPONENT(lines));
