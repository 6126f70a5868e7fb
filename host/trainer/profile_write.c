/* SPDX-License-Identifier: Apache-2.0
 * trainer/profile_write.c: the facts of a profile for people and for programs. */
#include "trainer/profile_report.h"

#include <string.h>

enum { MOST_LAUNCHES = 12, MOST_CALLS = 16 };

static const char *const part_names[PROFILE_PARTS] = { "start-up",   "loop",    "data",         "logging",
                                                       "checkpoint", "closing", "other threads" };

/* What the host does by itself in a part. */
static const char *const part_words[PROFILE_PARTS] = {
    "(set-up)", "(loops, looking up and binding plans)", "(waiting for batches)", "(handing rows on)", "(writing)", "(the end)",
    ""
};

static double rate(double amount, uint64_t nanoseconds) { return nanoseconds ? amount / (double)nanoseconds : 0; }

static uint64_t steps_of(const profile_facts *f, const char *hook)
{
    for (size_t i = 0; i < f->plans.hook_count; i++)
        if (strcmp(f->plans.hooks[i].hook, hook) == 0)
            return f->plans.hooks[i].steps;
    return 0;
}

static const char *file_of(const engine_launch *l)
{
    const char *slash = strrchr(l->file, '/');
    return slash ? slash + 1 : l->file;
}

/* ---- For people ---- */

static void print_shares(const profile_facts *f)
{
    printf("\n%-34s %10s %7s\n", "where the time went", "ms", "%");
    for (int i = 0; i < SHARES; i++)
        printf("  %-32s %10.1f %7.1f\n", profile_share_names[i], 1e3 * f->seconds[i],
               f->total > 0 ? 100 * f->seconds[i] / f->total : 0);
}

static void print_ops(const profile_facts *f, const engine_hook_time *hook)
{
    double steps = (double)(hook->steps ? hook->steps : 1);
    printf("\n%s: %llu steps, %.4g ms each in the plan\n", hook->hook, (unsigned long long)hook->steps,
           1e-6 * (double)hook->nanoseconds / steps);
    printf("  %-48s %10s %9s %6s %9s %8s %8s\n", "op", "ms", "ms/step", "%", "calls", "GFLOP/s", "GB/s");
    for (size_t i = 0; i < f->op_count; i++) {
        const profile_op *o = &f->ops[i];
        if (strcmp(o->hook, hook->hook) == 0)
            printf("  %-48.48s %10.2f %9.4f %6.1f %9llu %8.4g %8.4g\n", o->ops, 1e-6 * (double)o->nanoseconds,
                   1e-6 * (double)o->nanoseconds / steps, 100 * rate((double)o->nanoseconds, hook->nanoseconds),
                   (unsigned long long)o->runs, rate(o->flops, o->nanoseconds), rate(o->bytes, o->nanoseconds));
    }
}

static void print_launches(const profile_facts *f)
{
    printf("\nthe heaviest launches\n  %10s %9s %8s %8s %7s  %s\n", "ms", "us/call", "GFLOP/s", "GB/s", "threads",
           "what, and for whom");
    for (size_t i = 0; i < f->plans.launch_count && i < MOST_LAUNCHES; i++) {
        const engine_launch *l = &f->launches[i];
        printf("  %10.2f %9.2f %8.4g %8.4g %7d  %s%s%s%s%s%s, %s%s:%u\n", 1e-6 * (double)l->nanoseconds,
               1e-3 * rate((double)l->nanoseconds, l->runs), rate(l->flops, l->nanoseconds), rate(l->bytes, l->nanoseconds),
               l->threads, l->ops, l->result[0] ? " -> " : "", l->result, l->how[0] ? " [" : "", l->how, l->how[0] ? "]" : "",
               l->gradient ? "gradient of " : "", file_of(l), l->line);
    }
}

static void print_calls(const session *s, const profile_facts *f)
{
    printf("\n%-60s %10s %9s %10s\n", "by plugin and hook", "ms", "calls", "us/call");
    size_t shown = 0;
    for (size_t i = 0; i < f->row_count && shown < MOST_CALLS; i++) {
        const profile_row *r = &f->rows[i];
        char name[200];
        if (r->hook && strcmp(r->section, s->accelerator->title) == 0)
            continue; /* the engine's: above, and in "trainer" */
        snprintf(name, sizeof name, "%s  [%s] %s", part_names[r->part], r->section ? r->section : "host",
                 r->hook ? r->hook : part_words[r->part]);
        printf("  %-58.58s %10.2f", name, 1e-6 * (double)r->nanoseconds);
        if (r->calls)
            printf(" %9llu %10.2f", (unsigned long long)r->calls, 1e-3 * (double)r->nanoseconds / (double)r->calls);
        printf("\n");
        shown++;
    }
}

void profile_print(const session *s, const profile_facts *f)
{
    printf("profile of %s: %.3f s\n", s->stage_name, f->total);
    for (size_t i = 0; i < f->plans.hook_count; i++)
        print_ops(f, &f->plans.hooks[i]);
    print_launches(f);
    print_calls(s, f);
    print_shares(f);
    printf("\nbottleneck: %s: %s\n", profile_share_names[f->bottleneck], f->advice);
    fflush(stdout);
}

/* ---- For programs ---- */

static json_t *numbers(uint64_t runs, uint64_t nanoseconds, double flops, double bytes)
{
    return json_pack("{s:I, s:o, s:o, s:o}", "calls", (json_int_t)runs, "seconds", json_from_f64(1e-9 * (double)nanoseconds),
                     "gflops", json_from_f64(rate(flops, nanoseconds)), "gbytes", json_from_f64(rate(bytes, nanoseconds)));
}

static json_t *ops_to_json(const profile_facts *f)
{
    json_t *list = json_array();
    for (size_t i = 0; i < f->op_count; i++) {
        const profile_op *o = &f->ops[i];
        json_t *row = json_pack("{s:s, s:s}", "hook", o->hook, "op", o->ops);
        json_object_update_new(row, numbers(o->runs, o->nanoseconds, o->flops, o->bytes));
        json_array_append_new(list, row);
    }
    return list;
}

static json_t *launches_to_json(const profile_facts *f)
{
    json_t *list = json_array();
    for (size_t i = 0; i < f->plans.launch_count; i++) {
        const engine_launch *l = &f->launches[i];
        json_t *row = json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:b, s:I, s:I}", "hook", l->hook, "op", l->ops, "result",
                                l->result, "how", l->how, "file", l->file, "line", (json_int_t)l->line, "gradient", l->gradient,
                                "nodes", (json_int_t)l->node_count, "threads", (json_int_t)l->threads);
        json_object_update_new(row, numbers(l->runs, l->nanoseconds, l->flops, l->bytes));
        json_array_append_new(list, row);
    }
    return list;
}

static json_t *hooks_to_json(const profile_facts *f)
{
    json_t *list = json_array();
    for (size_t i = 0; i < f->plans.hook_count; i++)
        json_array_append_new(list, json_pack("{s:s, s:I, s:o}", "hook", f->plans.hooks[i].hook, "steps",
                                              (json_int_t)steps_of(f, f->plans.hooks[i].hook), "seconds",
                                              json_from_f64(1e-9 * (double)f->plans.hooks[i].nanoseconds)));
    return list;
}

static json_t *calls_to_json(const profile_facts *f)
{
    json_t *list = json_array();
    for (size_t i = 0; i < f->row_count; i++) {
        const profile_row *r = &f->rows[i];
        json_array_append_new(list, json_pack("{s:s, s:s?, s:s?, s:I, s:o}", "part", part_names[r->part], "section", r->section,
                                              "hook", r->hook, "calls", (json_int_t)r->calls, "seconds",
                                              json_from_f64(1e-9 * (double)r->nanoseconds)));
    }
    return list;
}

json_t *profile_to_json(const session *s, const profile_facts *f)
{
    json_t *shares = json_object();
    for (int i = 0; i < SHARES; i++)
        json_object_set_new(shares, profile_share_names[i], json_from_f64(f->seconds[i]));
    return json_pack("{s:s, s:o, s:o, s:s, s:s, s:o, s:o, s:o, s:o}", "stage", s->stage_name, "seconds", json_from_f64(f->total),
                     "shares", shares, "bottleneck", profile_share_names[f->bottleneck], "advice", f->advice, "plans",
                     hooks_to_json(f), "ops", ops_to_json(f), "launches", launches_to_json(f), "calls", calls_to_json(f));
}
