/* SPDX-License-Identifier: Apache-2.0
 * summary: before training, the model as a table of its modules, and what the run uses.
 *
 *       | name | type   | parameters
 *     0 | fc1  | Linear |      8.3 K
 *     1 | fc2  | Linear |      1.3 K
 *     9.6 K parameters, all trainable; 38.4 KB */
#include <lthost/callback.h>
#include <lthost/setup.h>
#include <stdio.h>
#include <stdlib.h>

struct summary {
    int64_t max_depth;
    const lth_host *host;
};

static const lth_option options[] = {
    LTH_OPTION(struct summary, max_depth, "1", "-1..", "levels of modules that get a row each; -1: all, 0: no table, totals alone"),
};

/* A row: all parameters below a module's name. */
struct row {
    const char *name, *type;
    int name_size; /* of `name` that is the row's */
    int64_t parameters;
};

static lth_status init(void *self, const lth_host *host)
{
    ((struct summary *)self)->host = host;
    return LTH_OK;
}

/* "8.3 K": three significant digits. */
static const char *short_count(char *out, size_t size, double count)
{
    static const char *const units[] = { "", " K", " M", " B", " T" };
    int unit = 0;
    for (; count >= 999.5 && unit < 4; unit++)
        count /= 1000;
    snprintf(out, size, "%.*f%s", unit == 0 || count >= 99.95 ? 0 : 1, count, units[unit]);
    return out;
}

static const char *short_bytes(char *out, size_t size, double bytes)
{
    static const char *const units[] = { "bytes", "KB", "MB", "GB", "TB" };
    int unit = 0;
    for (; bytes >= 999.5 && unit < 4; unit++)
        bytes /= 1000;
    snprintf(out, size, "%.*f %s", unit == 0 || bytes >= 99.95 ? 0 : 1, bytes, units[unit]);
    return out;
}

/* How much of a module's path the row at this depth covers: "h.0.attn" at depth 1 is "h". */
static int prefix_size(const char *module, int64_t depth)
{
    int size = 0;
    for (; module[size]; size++)
        if (module[size] == '.' && depth > 0 && --depth == 0)
            break;
    return size;
}

/* Rows in the order in which modules first appear. */
static uint32_t collect(const lth_parameter_info *p, uint32_t count, int64_t depth, struct row *rows)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (p[i].is_buffer)
            continue;
        int size = prefix_size(p[i].module, depth);
        uint32_t r = 0;
        while (r < n && (rows[r].name_size != size || strncmp(rows[r].name, p[i].module, (size_t)size) != 0))
            r++;
        if (r == n)
            rows[n++] = (struct row){ p[i].module, p[i].module[size] ? "" : p[i].type, size, 0 };
        rows[r].parameters += lth_shape_count(&p[i].shape);
    }
    return n;
}

static void print_table(lth_trainer *t, const struct row *rows, uint32_t count)
{
    int name = 4, type = 4;
    char line[512], number[32];
    for (uint32_t i = 0; i < count; i++) {
        name = rows[i].name_size > name ? rows[i].name_size : name;
        type = (int)strlen(rows[i].type) > type ? (int)strlen(rows[i].type) : type;
    }
    snprintf(line, sizeof line, "  %3s | %-*s | %-*s | parameters", "", name, "name", type, "type");
    t->api->print(t, line);
    for (uint32_t i = 0; i < count; i++) {
        bool own = rows[i].name_size == 0; /* made by the model itself, in no module */
        snprintf(line, sizeof line, "  %3u | %-*.*s | %-*s | %10s", (unsigned)i, name, own ? 4 : rows[i].name_size, own ? "self" : rows[i].name,
                 type, rows[i].type, short_count(number, sizeof number, (double)rows[i].parameters));
        t->api->print(t, line);
    }
}

static void print_totals(lth_trainer *t, const lth_parameter_info *p, uint32_t count)
{
    double trainable = 0, frozen = 0, bytes = 0;
    char line[256], a[32], b[32], c[32];
    for (uint32_t i = 0; i < count; i++) {
        double n = (double)lth_shape_count(&p[i].shape);
        bytes += n * (double)lth_dtype_size(p[i].shape.dtype);
        if (!p[i].is_buffer)
            *(p[i].flags & LTH_PARAMETER_FROZEN ? &frozen : &trainable) += n;
    }
    short_count(a, sizeof a, trainable + frozen);
    short_bytes(c, sizeof c, bytes);
    if (frozen > 0)
        snprintf(line, sizeof line, "  %s parameters, %s of them frozen; %s", a, short_count(b, sizeof b, frozen), c);
    else
        snprintf(line, sizeof line, "  %s parameters, all trainable; %s", a, c);
    t->api->print(t, line);
}

/* "cpu, single, 32-true": what the host tells of the run. */
static void print_setting(lth_trainer *t)
{
    static const char *const keys[] = { "accelerator", "strategy", "precision" };
    char line[256] = "  ";
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const char *value = t->api->describe(t, keys[i]);
        if (value && *value)
            snprintf(line + strlen(line), sizeof line - strlen(line), "%s%s %s", strlen(line) > 2 ? ", " : "", keys[i], value);
    }
    if (strlen(line) > 2)
        t->api->print(t, line);
}

static lth_status on_fit_start(void *self, lth_trainer *t)
{
    struct summary *s = self;
    const lth_parameter_info *p;
    if (strcmp(t->api->describe(t, "enable_model_summary"), "false") == 0)
        return LTH_OK;
    uint32_t count = t->api->parameters(t, &p);
    struct row *rows = calloc((size_t)count + 1, sizeof *rows);
    if (!rows)
        return lth_fail(s->host, LTH_NO_MEMORY, "no memory for a table of %u parameters", (unsigned)count);
    print_setting(t);
    if (s->max_depth != 0)
        print_table(t, rows, collect(p, count, s->max_depth, rows));
    print_totals(t, p, count);
    free(rows);
    return LTH_OK;
}

LTH_CALLBACK(summary, .summary = "the model as a table, before training", .options = LTH_OPTIONS(options), .flags = LTH_DEFAULT_ON,
             .init = init, .on_fit_start = on_fit_start);
LTH_PLUGIN(LTH_CALLBACK_COMPONENT(summary));
