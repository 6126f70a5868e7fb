/* SPDX-License-Identifier: Apache-2.0
 * Schedulers against the recordings made with torch. */
#include "plugin_fixture.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

/* How a recorded case is said in our options. */
static const struct { const char *recorded, *name; } names[] = {
    { "constant", "constant" }, { "step", "step" }, { "multi_step", "step" }, { "cosine", "cosine" },
    { "warmup_cosine", "cosine" }, { "reduce_on_plateau", "plateau" },
};

static const char *option_name(const char *recorded)
{
    return strcmp(recorded, "T_max") == 0 ? "t_max" : strcmp(recorded, "warmup_steps") == 0 ? "warmup" : recorded;
}

static void set_option(plugin *p, const char *key, const json_t *value)
{
    char text[256] = "";
    size_t i;
    json_t *item;
    if (json_is_string(value))
        snprintf(text, sizeof text, "%s", json_string_value(value));
    else if (json_is_array(value))
        json_array_foreach((json_t *)value, i, item)
            snprintf(text + strlen(text), sizeof text - strlen(text), "%s%lld", i ? ", " : "", (long long)json_integer_value(item));
    else
        snprintf(text, sizeof text, "%.17g", golden_number(value));
    plugin_set(p, option_name(key), text);
}

static void open_case(plugin *p, const json_t *c)
{
    const char *recorded = json_string_value(json_object_get(c, "scheduler")), *key;
    json_t *value;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i].recorded, recorded) == 0)
            plugin_open(p, names[i].name, "scheduler/1", names[i].name);
    cr_assert_not_null(p->table, "no scheduler for '%s'", recorded);
    json_object_foreach(json_object_get(c, "options"), key, value)
        if (strcmp(key, "total_steps") != 0)
            set_option(p, key, value);
    plugin_must_begin(p);
}

/* Goes through the case as the host would; from `resume_at` on with a second instance that loads the first one's state. */
static void follow(const json_t *c, size_t resume_at)
{
    plugin p = { 0 }, second = { 0 };
    open_case(&p, c);
    plugin *now = &p;
    const lth_scheduler *s = p.table;
    const char *name = json_string_value(json_object_get(c, "name"));
    const json_t *rates = json_object_get(c, "lr"), *metric = json_object_get(c, "metric");
    const json_t *total = json_object_get(json_object_get(c, "options"), "total_steps");
    lth_schedule at = { .struct_size = sizeof at, .base = golden_number(json_object_get(c, "base_lr")),
                        .total = total ? json_integer_value(total) : -1, .metric = NAN };
    at.current = s->rate(now->self, &(lth_schedule){ .struct_size = sizeof at, .base = at.base, .current = at.base, .total = at.total,
                                                     .metric = NAN });
    for (size_t t = 0; t < json_array_size(rates); t++) {
        double expected = golden_number(json_array_get(rates, t));
        cr_assert_float_eq(at.current, expected, 1e-13, "%s: step %zu has %.17g, torch %.17g", name, t, at.current, expected);
        if (t == resume_at && now->head->save) {
            open_case(&second, c);
            json_t *state = plugin_save(now);
            plugin_load(&second, state);
            json_decref(state);
            now = &second;
        }
        at.count++;
        if (metric)
            at.metric = golden_number(json_array_get(metric, t));
        if (s->advance)
            cr_assert_eq(s->advance(now->self, &at), LTH_OK);
        at.current = s->rate(now->self, &at);
    }
    plugin_close(&p);
    if (second.library)
        plugin_close(&second);
}

Test(schedulers, give_the_rates_of_torch)
{
    json_t *golden = golden_read("schedulers.json"), *c;
    size_t i;
    json_array_foreach(json_object_get(golden, "cases"), i, c)
        follow(c, SIZE_MAX);
    cr_assert_gt(i, 10);
    json_decref(golden);
}

Test(schedulers, go_on_from_saved_state_as_if_never_stopped)
{
    json_t *golden = golden_read("schedulers.json"), *c;
    size_t i;
    json_array_foreach(json_object_get(golden, "cases"), i, c)
        for (size_t at = 0; at < json_array_size(json_object_get(c, "lr")); at += 3)
            follow(c, at);
    json_decref(golden);
}

Test(schedulers, step_wants_a_size_or_milestones_but_not_both)
{
    const struct { const char *size, *milestones; bool good; } cases[] = {
        { "0", "", false }, { "3", "1, 2", false }, { "3", "", true }, { "0", "1, 2", true } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        plugin p;
        plugin_open(&p, "step", "scheduler/1", "step");
        plugin_set(&p, "step_size", cases[i].size);
        plugin_set(&p, "milestones", cases[i].milestones);
        cr_assert_eq(plugin_begin(&p) == LTH_OK, cases[i].good, "case %zu", i);
        plugin_close(&p);
    }
}

static double cosine_rate(plugin *p, int64_t count, int64_t total)
{
    const lth_scheduler *s = p->table;
    return s->rate(p->self, &(lth_schedule){ .struct_size = sizeof(lth_schedule), .base = 0.1, .current = 0.1, .count = count,
                                             .total = total, .metric = NAN });
}

Test(schedulers, cosine_falls_over_what_the_run_has_after_the_warm_up)
{
    plugin p;
    plugin_open(&p, "cosine", "scheduler/1", "cosine");
    plugin_set(&p, "warmup", "10");
    plugin_must_begin(&p);
    cr_assert_float_eq(cosine_rate(&p, 0, 110), 0.01, 1e-15);
    cr_assert_float_eq(cosine_rate(&p, 10, 110), 0.1, 1e-15);
    cr_assert_float_eq(cosine_rate(&p, 60, 110), 0.05, 1e-15);
    cr_assert_float_eq(cosine_rate(&p, 110, 110), 0, 1e-15);
    plugin_close(&p);
}

Test(schedulers, cosine_says_what_it_lacks_where_the_run_has_no_length)
{
    plugin p;
    plugin_open(&p, "cosine", "scheduler/1", "cosine");
    plugin_must_begin(&p);
    cr_assert(isnan(cosine_rate(&p, 0, -1)));
    cr_assert(strstr(p.message, "t_max"), "%s", p.message);
    plugin_close(&p);
    plugin_open(&p, "cosine", "scheduler/1", "cosine");
    plugin_set(&p, "warmup", "10");
    plugin_must_begin(&p);
    cr_assert(isnan(cosine_rate(&p, 10, 10)));
    cr_assert(strstr(p.message, "warm-up"), "%s", p.message);
    plugin_close(&p);
}

Test(schedulers, plateau_takes_a_metric_that_is_not_a_number_for_no_improvement)
{
    plugin p;
    plugin_open(&p, "plateau", "scheduler/1", "plateau");
    plugin_set(&p, "patience", "1");
    plugin_must_begin(&p);
    const lth_scheduler *s = p.table;
    double rate = 0.1;
    for (int64_t i = 1; i <= 3; i++) {
        lth_schedule at = { .struct_size = sizeof at, .base = 0.1, .current = rate, .count = i, .total = -1, .metric = i == 1 ? 1 : NAN };
        s->advance(p.self, &at);
        rate = s->rate(p.self, &at);
    }
    cr_assert_float_eq(rate, 0.01, 1e-15);
    plugin_close(&p);
}
