/* SPDX-License-Identifier: Apache-2.0
 * Descriptors as strangers may send them: each case spoils one thing of a right plugin. */
#include "registry/descriptor.h"

#include <criterion/criterion.h>
#include <string.h>

struct probe { int64_t count; double rate; };

static lth_status hook(void *self, lth_trainer *t)
{
    (void)self, (void)t;
    return LTH_OK;
}
static lth_status open_(void *self, const lth_run_info *run)
{
    (void)self, (void)run;
    return LTH_OK;
}
static lth_status log_metrics(void *self, const lth_metrics_row *row)
{
    (void)self, (void)row;
    return LTH_OK;
}

/* What a case may spoil. */
typedef struct victim {
    lth_plugin plugin;
    lth_component components[2];
    lth_callback callback;
    lth_logger logger;
    lth_option options[2];
} victim;

static void make(victim *v)
{
    const lth_option options[] = { LTH_OPTION(struct probe, count, "3", "1..9", "how often"),
                                   LTH_OPTION(struct probe, rate, "0.5", "0..1", "share") };
    memset(v, 0, sizeof *v);
    memcpy(v->options, options, sizeof options);
    v->callback = (lth_callback) { .struct_size = sizeof v->callback, .instance_size = sizeof(struct probe), .id = "probe",
                                   .summary = "counts", .options = { v->options, 2, sizeof(lth_option) }, .on_fit_start = hook };
    v->logger = (lth_logger) { .struct_size = sizeof v->logger, .instance_size = sizeof(struct probe), .id = "rows",
                               .open = open_, .log_metrics = log_metrics };
    v->components[0] = (lth_component) { "callback/1", &v->callback };
    v->components[1] = (lth_component) { "logger/1", &v->logger };
    v->plugin = (lth_plugin) { sizeof v->plugin, LTH_API_MAJOR, LTH_API_MINOR, "probe", "1.0.0", "MIT", v->components, 2,
                               sizeof(lth_component) };
}

static lth_status check(const victim *v, manifest *m, arena *memory, diagnostics *d)
{
    static const lth_option own[] = { { .name = "workers", .type = LTH_OPTION_INT, .initial = "0" } };
    static const lth_options table = LTH_OPTIONS(own);
    static const descriptor_host_keys keys = { "callback", &table };
    const descriptor_args args = { &v->plugin, "probe.so", "x86_64", "", &keys, 1 };
    return descriptor_read(&args, m, memory, d);
}

static void plugin_size(victim *v) { v->plugin.struct_size = 16; }
static void plugin_id(victim *v) { v->plugin.id = "../probe"; }
static void plugin_version(victim *v) { v->plugin.version = "new"; }
static void plugin_minor(victim *v) { v->plugin.api_min_minor = 77; }
static void no_components(victim *v) { v->plugin.component_count = 0; }
static void components_null(victim *v) { v->plugin.components = NULL; }
static void stride(victim *v) { v->plugin.component_stride = 4; }
static void kind_unknown(victim *v) { v->components[0].kind = "callback/2"; }
static void kind_null(victim *v) { v->components[0].kind = NULL; }
static void table_null(victim *v) { v->components[0].vtable = NULL; }
static void id_null(victim *v) { v->callback.id = NULL; }
static void id_wrong(victim *v) { v->callback.id = "Probe"; }
static void id_long(victim *v) { v->callback.id = "a2345678901234567890123456789012345678901"; }
static void twice(victim *v) { v->components[1] = v->components[0]; }
static void table_size(victim *v) { v->callback.struct_size = 40; }
static void table_odd(victim *v) { v->callback.struct_size = sizeof v->callback - 4; }
static void slot(victim *v) { v->logger.log_metrics = NULL; }
static void slot_behind(victim *v) { v->logger.struct_size = offsetof(lth_logger, log_metrics); }
static void summary(victim *v) { v->callback.summary = "two\nlines"; }
static void utf8(victim *v) { v->callback.summary = "\xff\xfe"; }
static void flags(victim *v) { v->callback.flags = 1u << 20; }
static void options_stride(victim *v) { v->callback.options.stride = 8; }
static void options_null(victim *v) { v->callback.options.at = NULL; }
static void option_name(victim *v) { v->options[0].name = "Count"; }
static void option_twice(victim *v) { v->options[1].name = "count"; }
static void option_taken(victim *v) { v->options[0].name = "use"; }
static void option_host(victim *v) { v->options[0].name = "workers"; }
static void option_offset(victim *v) { v->options[0].offset = sizeof(struct probe); }
static void option_default(victim *v) { v->options[0].initial = "many"; }
static void option_range(victim *v) { v->options[0].initial = "10"; }

Test(descriptor, each_fault_is_refused_and_named)
{
    static const struct {
        void (*spoil)(victim *);
        const char *message;
    } cases[] = {
        { plugin_size, "descriptor's struct_size" },
        { plugin_id, "the id is not of the form" },
        { plugin_version, "not of the form 1.2.3" },
        { plugin_minor, "was built for plugin API" },
        { no_components, "no component" },
        { components_null, "wrong count or stride" },
        { stride, "wrong count or stride" },
        { kind_unknown, "of the kind 'callback/2', which this lthost does not know" },
        { kind_null, "of the kind '(none)'" },
        { table_null, "a callback has no table" },
        { id_null, "a callback has no table, or an id" },
        { id_wrong, "an id not of the form" },
        { id_long, "an id not of the form" },
        { twice, "callback 'probe': it is there twice" },
        { table_size, "callback 'probe': its struct_size" },
        { table_odd, "callback 'probe': its struct_size" },
        { slot, "logger 'rows': the required slot 'log_metrics' is NULL" },
        { slot_behind, "logger 'rows': the required slot 'log_metrics' is NULL" },
        { summary, "its summary is not one line" },
        { utf8, "its summary is not one line of UTF-8" },
        { flags, "flags that this lthost does not know" },
        { options_stride, "table of options has a wrong count or stride" },
        { options_null, "table of options has a wrong count or stride" },
        { option_name, "Count" },
        { option_twice, "count" },
        { option_taken, "use" },
        { option_host, "workers" },
        { option_offset, "count" },
        { option_default, "many" },
        { option_range, "10" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        arena memory = { 0 };
        diagnostics d = { 0 };
        manifest m;
        victim v;
        make(&v);
        cases[i].spoil(&v);
        cr_assert_eq(check(&v, &m, &memory, &d), LTH_INVALID, "case %zu: %s", i, cases[i].message);
        cr_assert_not_null(strstr(d.at[0].text, cases[i].message), "case %zu: %s", i, d.at[0].text);
        diagnostics_free(&d);
        arena_free(&memory);
    }
}

Test(descriptor, a_right_one_is_told_as_it_is)
{
    arena memory = { 0 };
    diagnostics d = { 0 };
    manifest m;
    victim v;
    make(&v);
    v.plugin.id = NULL; /* then the file's name */
    cr_assert_eq(check(&v, &m, &memory, &d), LTH_OK, "%s", d.count ? d.at[0].text : "");
    cr_assert_str_eq(m.id, "probe");
    cr_assert_eq(m.component_count, 2);
    cr_assert_str_eq(m.components[0].interface, "callback/1");
    cr_assert_str_eq(m.components[1].summary, "");
    cr_assert_eq(m.components[0].options.count, 2);
    cr_assert_str_eq(m.components[0].options.at[1].name, "rate");
    cr_assert_null(descriptor_find(&v.plugin, "callback/1", "rows"));
    cr_assert_eq((const void *)descriptor_find(&v.plugin, "logger/1", "rows"), (const void *)&v.logger);
    diagnostics_free(&d);
    arena_free(&memory);
}

Test(descriptor, a_copied_table_has_this_hosts_size_and_zeros_behind_the_plugins_end)
{
    arena memory = { 0 };
    victim v;
    make(&v);
    v.callback.struct_size = offsetof(lth_callback, on_train_start);
    v.callback.on_train_start = hook; /* behind the end: garbage to the host */
    const lth_callback *c = (const lth_callback *)descriptor_copy_table((const lth_component_head *)&v.callback,
                                                                        kind_by_name("callback"), &memory);
    cr_assert_eq(c->struct_size, sizeof *c);
    cr_assert_eq(c->on_fit_start, hook);
    cr_assert_null(c->on_train_start);
    cr_assert_null(c->teardown);

    /* A later plugin's table is longer. */
    struct { lth_callback known; void *unknown[4]; } longer = { .known = v.callback };
    longer.known.struct_size = sizeof longer;
    c = (const lth_callback *)descriptor_copy_table((const lth_component_head *)&longer, kind_by_name("callback"), &memory);
    cr_assert_eq(c->struct_size, sizeof *c);
    cr_assert_eq(c->on_train_start, hook);

    /* A model's hooks are a table of their own. */
    const lth_hooks hooks = { .struct_size = offsetof(lth_hooks, on_fit_start), .setup = hook, .on_fit_start = hook };
    const lth_model model = { .struct_size = sizeof model, .id = "m", .hooks = &hooks };
    const lth_model *copy = (const lth_model *)descriptor_copy_table((const lth_component_head *)&model, kind_by_name("model"), &memory);
    cr_assert_neq(copy->hooks, &hooks);
    cr_assert_eq(copy->hooks->setup, hook);
    cr_assert_null(copy->hooks->on_fit_start);
    arena_free(&memory);
}
