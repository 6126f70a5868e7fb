/* SPDX-License-Identifier: Apache-2.0
 * Schedulers against the recordings made with torch. */
#include "plugin_fixture.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <math.h>
#include <string.h>

/* A plugin is named after its component; another kind had the name `linear` first. */
static void open_scheduler(plugin *p, const char *id)
{
    plugin_open(p, strcmp(id, "linear") == 0 ? "linear_lr" : id, "scheduler/1", id);
}

static void set_option(plugin *p, const char *recorded, const json_t *value)
{
    char text[256] = "", key[64] = "";
    size_t i;
    json_t *item;
    for (i = 0; recorded[i] && i + 1 < sizeof key; i++)
        key[i] = (char)tolower(recorded[i]); /* T_max */
    if (json_is_string(value))
        snprintf(text, sizeof text, "%s", json_string_value(value));
    else if (json_is_boolean(value))
        snprintf(text, sizeof text, "%s", json_is_true(value) ? "true" : "false");
    else if (json_is_array(value))
        json_array_foreach((json_t *)value, i, item)
            snprintf(text + strlen(text), sizeof text - strlen(text), "%s%lld", i ? ", " : "", (long long)json_integer_value(item));
    else
        snprintf(text, sizeof text, "%.17g", golden_number(value));
    plugin_set(p, key, text);
}

static void open_case(plugin *p, const json_t *c)
{
    const char *recorded = json_string_value(json_object_get(c, "scheduler")), *key;
    const char *name = strcmp(recorded, "reduce_on_plateau") == 0 ? "plateau" : recorded;
    json_t *value;
    open_scheduler(p, name);
    json_object_foreach(json_object_get(c, "options"), key, value)
        set_option(p, key, value);
    plugin_must_begin(p);
}

static void expect_close(const char *name, const char *what, size_t t, double is, double expected)
{
    cr_assert(fabs(is - expected) <= 1e-12 * fabs(expected), "%s: at step %zu the %s is %.17g, torch's %.17g", name, t, what, is,
              expected);
}

/* Goes through the case as the host would; from `resume_at` on with a second instance that loads the first one's state. */
static void follow(const json_t *c, size_t resume_at)
{
    plugin p = { 0 }, second = { 0 };
    open_case(&p, c);
    plugin *now = &p;
    const lth_scheduler *s = p.table;
    const char *name = json_string_value(json_object_get(c, "name"));
    const json_t *rates = json_object_get(c, "lr"), *metric = json_object_get(c, "metric"), *momenta = json_object_get(c, "momentum");
    lth_schedule at = { .struct_size = sizeof at, .base = golden_number(json_object_get(c, "base_lr")), .total = -1, .metric = NAN };
    at.current = at.base;
    at.current = s->rate(now->self, &at);
    for (size_t t = 0; t < json_array_size(rates); t++) {
        expect_close(name, "rate", t, at.current, golden_number(json_array_get(rates, t)));
        const lth_schedule of_momentum = { .struct_size = sizeof at, .base = 0.9, .current = 0.9, .count = at.count, .total = -1, .metric = NAN };
        if (momenta)
            expect_close(name, "momentum", t, s->momentum(now->self, &of_momentum), golden_number(json_array_get(momenta, t)));
        else if (s->momentum)
            cr_assert(isnan(s->momentum(now->self, &of_momentum)), "%s moves the momentum", name);
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

/* A warm-up is the host's part: tests/integration. */
static bool is_warmed(const json_t *c) { return json_object_get(c, "warmup") != NULL; }

Test(schedulers, give_the_rates_of_torch)
{
    json_t *golden = golden_read("schedulers.json"), *c;
    size_t i;
    json_array_foreach(json_object_get(golden, "cases"), i, c)
        if (!is_warmed(c))
            follow(c, SIZE_MAX);
    cr_assert_gt(i, 20);
    json_decref(golden);
}

Test(schedulers, go_on_from_saved_state_as_if_never_stopped)
{
    json_t *golden = golden_read("schedulers.json"), *c;
    size_t i;
    json_array_foreach(json_object_get(golden, "cases"), i, c)
        for (size_t at = 0; at < json_array_size(json_object_get(c, "lr")) && json_object_get(c, "metric"); at += 3)
            follow(c, at);
    json_decref(golden);
}

static double rate_at(plugin *p, int64_t count, int64_t total, int64_t warmup)
{
    const lth_scheduler *s = p->table;
    return s->rate(p->self, &(lth_schedule){ .struct_size = sizeof(lth_schedule), .base = 0.1, .current = 0.1, .count = count,
                                             .total = total, .metric = NAN, .warmup = warmup });
}

Test(schedulers, take_the_whole_run_where_no_length_is_given)
{
    static const struct { const char *name, *option; double half; } cases[] = {
        { "cosine", "t_max", 0.05 }, { "linear", "total_iters", 0.05 }, { "polynomial", "total_iters", 0.05 },
        { "one_cycle", "total_steps", 0.0794 } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        plugin p;
        open_scheduler(&p, cases[i].name);
        plugin_must_begin(&p);
        cr_expect_float_eq(rate_at(&p, 50, 100, 0), cases[i].half, i == 3 ? 5e-3 : 1e-15, "%s", cases[i].name);
        cr_expect(rate_at(&p, 100, 100, 0) < 1e-6, "%s", cases[i].name);
        cr_expect(rate_at(&p, 1, 1, 0) < 1e-6, "%s", cases[i].name);
        cr_expect(isnan(rate_at(&p, 0, -1, 0)), "%s: a run without a length", cases[i].name);
        cr_expect_not_null(strstr(p.message, cases[i].option), "%s: %s", cases[i].name, p.message);
        plugin_close(&p);
    }
}

Test(schedulers, inverse_sqrt_is_as_long_as_the_warm_up)
{
    plugin p;
    open_scheduler(&p, "inverse_sqrt");
    plugin_must_begin(&p);
    cr_expect_float_eq(rate_at(&p, 300, -1, 100), 0.05, 1e-15); /* step 400 after a warm-up of 100: sqrt(100 / 400) */
    cr_expect_float_eq(rate_at(&p, 30000, -1, 0), 0.05, 1e-15);
    plugin_close(&p);
}

Test(schedulers, one_cycle_says_what_it_cannot_do)
{
    plugin p;
    open_scheduler(&p, "one_cycle");
    plugin_must_begin(&p);
    const lth_scheduler *s = p.table;
    const double without[] = { NAN, 0 };
    for (size_t i = 0; i < 2; i++) {
        lth_schedule at = { .struct_size = sizeof at, .base = without[i], .current = without[i], .total = 10, .metric = NAN };
        cr_expect(s->momentum(p.self, &at) < 0);
        cr_expect_not_null(strstr(p.message, "cycle_momentum = false"), "%s", p.message);
    }
    plugin_close(&p);
    open_scheduler(&p, "one_cycle");
    plugin_set(&p, "three_phase", "true");
    plugin_set(&p, "pct_start", "0.6");
    cr_expect_neq(plugin_begin(&p), LTH_OK);
    cr_expect_not_null(strstr(p.message, "pct_start can be 0.5 at most"), "%s", p.message);
    plugin_close(&p);
}

Test(schedulers, plateau_takes_a_metric_that_is_not_a_number_for_no_improvement)
{
    plugin p;
    open_scheduler(&p, "plateau");
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
