/* SPDX-License-Identifier: Apache-2.0
 * trainer/profile_report.c: from times to facts. */
#include "trainer/profile_report.h"

#include "util/memory.h"
#include "util/path.h"

#include <stdlib.h>
#include <string.h>

const char *const profile_share_names[SHARES] = { "compute", "data",      "logging",  "checkpoint", "hooks",
                                                  "trainer", "compiling", "start-up", "closing" };

/* ---- Sorting ---- */

static int heavier(uint64_t a, uint64_t b) { return a < b ? 1 : a > b ? -1 : 0; }

static int by_launch(const void *a, const void *b)
{
    return heavier(((const engine_launch *)a)->nanoseconds, ((const engine_launch *)b)->nanoseconds);
}

static int by_op(const void *a, const void *b)
{
    const profile_op *x = a, *y = b;
    int hooks = strcmp(x->hook, y->hook);
    return hooks ? hooks : heavier(x->nanoseconds, y->nanoseconds);
}

static int by_row(const void *a, const void *b)
{
    return heavier((uint64_t)((const profile_row *)a)->nanoseconds, (uint64_t)((const profile_row *)b)->nanoseconds);
}

/* ---- Gathering ---- */

static void gather_launches(profile_facts *f)
{
    size_t count = f->plans.launch_count;
    f->launches = memory_new((count + 1) * sizeof *f->launches);
    f->ops = memory_new((count + 1) * sizeof *f->ops);
    for (size_t i = 0; i < count; i++) {
        const engine_launch *l = &f->plans.launches[i];
        size_t k = 0;
        while (k < f->op_count && (strcmp(f->ops[k].hook, l->hook) != 0 || strcmp(f->ops[k].ops, l->ops) != 0))
            k++;
        if (k == f->op_count)
            f->ops[f->op_count++] = (profile_op) { .hook = l->hook, .ops = l->ops };
        f->ops[k].runs += l->runs;
        f->ops[k].nanoseconds += l->nanoseconds;
        f->ops[k].flops += l->flops;
        f->ops[k].bytes += l->bytes;
        f->launches[i] = *l;
    }
    qsort(f->launches, count, sizeof *f->launches, by_launch);
    qsort(f->ops, f->op_count, sizeof *f->ops, by_op);
}

static profile_share share_of(const session *s, const profile_row *r)
{
    switch (r->part) {
    case PROFILE_START_UP:
        return SHARE_START_UP;
    case PROFILE_DATA:
        return SHARE_DATA;
    case PROFILE_LOGGING:
        return SHARE_LOGGING;
    case PROFILE_CHECKPOINT:
        return SHARE_CHECKPOINT;
    case PROFILE_CLOSING:
        return SHARE_CLOSING;
    default:
        return r->hook && strcmp(r->section, s->accelerator->title) != 0 ? SHARE_HOOKS : SHARE_TRAINER;
    }
}

/* The engine runs in the accelerator's name, and where a value is read in the middle of a step in the model's: what it did there
 * is known better. */
static void gather_shares(session *s, profile_facts *f)
{
    engine_stats stats;
    double run = 0, reading = 0;
    engine_get_stats(s->engine, &stats);
    for (size_t i = 0; i < f->row_count; i++)
        if (f->rows[i].part != PROFILE_OTHER_THREADS)
            f->seconds[share_of(s, &f->rows[i])] += (double)f->rows[i].nanoseconds * 1e-9;
    for (size_t i = 0; i < f->plans.hook_count; i++) {
        run += (double)f->plans.hooks[i].nanoseconds * 1e-9;
        reading += (double)f->plans.hooks[i].reading * 1e-9;
    }
    f->seconds[SHARE_COMPUTE] = run;
    f->seconds[SHARE_COMPILING] = stats.compile_seconds;
    f->seconds[SHARE_HOOKS] -= reading;
    f->seconds[SHARE_TRAINER] -= run - reading + stats.compile_seconds;
    for (int i = 0; i < SHARES; i++) {
        f->seconds[i] = f->seconds[i] > 0 ? f->seconds[i] : 0;
        f->total += f->seconds[i];
        f->loop += i <= SHARE_COMPILING ? f->seconds[i] : 0;
    }
}

/* ---- The whole ---- */

static void write_file(session *s, const json_t *root)
{
    error e = { 0 };
    char *name = str_format(s->in_fit ? "profile.json" : "profile-%s.json", s->stage_name), *path = path_join(s->run_dir, name);
    if (json_write(path, root, &e) != LTH_OK)
        session_warn(s, e.text);
    free(path);
    free(name);
}

void profile_report(session *s)
{
    if (!s->profile || !s->engine)
        return;
    profile_facts f = { .total = 0 };
    engine_get_profile(s->engine, &f.plans);
    f.rows = profile_rows(s->profile, &f.row_count);
    qsort(f.rows, f.row_count, sizeof *f.rows, by_row);
    gather_launches(&f);
    gather_shares(s, &f);
    profile_advise(s, &f);
    console_status(&s->console, "");
    if (!s->args->json)
        profile_print(s, &f);
    json_t *root = profile_to_json(s, &f);
    write_file(s, root);
    json_decref(root);
    free(f.launches);
    free(f.ops);
    free(f.rows);
}
