/* SPDX-License-Identifier: Apache-2.0
 * trainer/session.c: reads and checks all that a run file says, before anything is loaded. */
#include "trainer/optimizers.h"

#include "util/clock.h"
#include "util/nearest.h"
#include "util/path.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- Checks of sections, from manifests alone ---- */

static void check_part(session *s, config_section *section, const schema_part *parts, size_t count)
{
    schema_fill(s->config, section, section->title, parts, count, &s->memory, &s->diagnostics);
}

/* The section's component and its options, beside the host's own table for that section. */
static void check_component(session *s, config_section *section, const kind *k, const lth_options *host)
{
    const char *id = config_component(s->config, section);
    const config_entry *use = config_take(section, "use");
    const registry_component *known = registry_require(s->registry, k->name, id, use ? use->file : section->file,
                                                       use ? use->line : section->line, &s->diagnostics);
    const schema_part parts[2] = { { known ? &known->options : NULL, NULL }, { host, NULL } };
    if (known)
        check_part(s, section, parts, host ? 2 : 1);
}

/* A section that is needed and absent, or has no name of a component. */
static config_section *need(session *s, const kind *k, const char *title, const char *what)
{
    config_section *section = config_find(s->config, title);
    if (section && section->enabled && config_component(s->config, section)[0])
        return section;
    diagnostics_error(&s->diagnostics, config_section_file(s->config, section), config_section_line(section),
                      section && section->enabled ? "[%s] does not say what to use" : "there is no section [%s]: %s", title,
                      what);
    str names = { 0 };
    const registry_component *c = NULL;
    while ((c = registry_next(s->registry, k->name, c)))
        str_printf(&names, "%s%s", names.length ? ", " : "", c->id);
    diagnostics_hint(&s->diagnostics, "use = NAME; there are: %s", names.length ? str_text(&names) : "none");
    str_free(&names);
    return NULL;
}

static const lth_options *host_table(const kind *k, const config_section *section)
{
    if (strcmp(k->name, "model") == 0)
        return &model_option_table;
    if (strcmp(k->name, "datamodule") == 0)
        return &data_option_table;
    if (strcmp(k->name, "optimizer") == 0)
        return &optimizer_option_table;
    if (strcmp(k->name, "scheduler") == 0)
        return &scheduler_option_table;
    (void)section;
    return NULL;
}

/* [optimizer.group.bias] has options of [optimizer]'s component, and the host's; `use` only where the model has several. */
static void check_group(session *s, config_section *section, const char *owner)
{
    config_section *base = config_find(s->config, owner);
    const char *id = config_component(s->config, base ? base : section);
    if (!base && strcmp(id, section->name) == 0)
        return; /* the model says which optimizer it belongs to: checked then */
    const kind *k = kind_by_name("optimizer");
    const registry_component *known = registry_find(s->registry, k->name, id);
    const schema_part parts[2] = { { known ? &known->options : NULL, NULL }, { &group_option_table, NULL } };
    if (known)
        check_part(s, section, parts, 2);
}

static void check_sections(session *s)
{
    static const char *const own[] = { "run", "trainer" };
    const char *names[32];
    size_t count = 0;
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        names[count++] = own[i];
    for (size_t i = 0; i < kind_count && count < 32; i++)
        names[count++] = kinds[i].section;
    config_check_kinds(s->config, names, count, &s->diagnostics);
    for (size_t i = 0; i < s->config->count; i++) {
        config_section *section = s->config->sections[i];
        const kind *k = NULL;
        for (size_t j = 0; j < kind_count; j++)
            if (strcmp(kinds[j].section, section->kind) == 0)
                k = &kinds[j];
        bool alone = k && !k->many && strcmp(k->name, "optimizer") != 0 && strcmp(k->name, "scheduler") != 0;
        if ((alone || strcmp(section->kind, "run") == 0 || strcmp(section->kind, "trainer") == 0) && section->name[0])
            diagnostics_error(&s->diagnostics, section->file, section->line, "there is one section [%s]: [%s] means nothing",
                              section->kind, section->title);
        else if (k && section->enabled && strcmp(k->name, "optimizer") == 0 && optimizers_group_owner(s, section))
            check_group(s, section, optimizers_group_owner(s, section));
        else if (k && section->enabled && (config_component(s->config, section)[0] || k->many))
            check_component(s, section, k, host_table(k, section));
    }
}

/* ---- The host's own sections ---- */

static int32_t processors(void)
{
    cpu_set_t set;
    int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : (int)sysconf(_SC_NPROCESSORS_ONLN);
    return count > 0 ? count : 1;
}

/* The run file's name without folder and ".ini". */
static const char *default_name(session *s)
{
    char *name = arena_copy_text(&s->memory, path_base(s->config->file));
    if (strcmp(s->config->file, CONFIG_COMMAND_LINE) == 0)
        return "run";
    if (str_ends(name, ".ini") && strlen(name) > 4)
        name[strlen(name) - 4] = '\0';
    return name;
}

static void read_run(session *s)
{
    config_section *section = config_find(s->config, "run");
    const schema_part part = { &run_option_table, &s->run };
    schema_fill(s->config, section, "run", &part, 1, &s->memory, &s->diagnostics);
    if (!s->run.name[0])
        s->run.name = default_name(s);
    if (strchr(s->run.name, '/') || s->run.name[0] == '.') {
        const config_entry *entry = config_take(section, "name");
        diagnostics_error(&s->diagnostics, entry ? entry->file : s->config->file, entry ? entry->line : 0,
                          "[run] name = %s cannot be the name of a folder", s->run.name);
    }
    char *here = path_current(), *dir = path_expand(s->run.dir, here);
    s->run.dir = arena_copy_text(&s->memory, dir);
    free(here);
    free(dir);
    s->scope.threads = s->run.threads > 0 ? (int32_t)s->run.threads : processors();
    s->scope.seed = (uint64_t)s->run.seed;
}

/* plugin_path becomes all folders that this run was given, so that the resolved run file finds its plugins without the command
 * line and the environment. */
static void keep_plugin_path(session *s)
{
    static const char *const given[] = { "--plugin-dir", "plugin_path", "LTHOST_PLUGIN_PATH" };
    size_t count;
    const registry_place *const *places = registry_places(s->registry, &count);
    const char **dirs = arena_array(&s->memory, count + 1, sizeof *dirs);
    int64_t kept = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < sizeof given / sizeof *given && !places[i]->problem; k++)
            if (strcmp(places[i]->origin, given[k]) == 0)
                dirs[kept++] = places[i]->dir;
    s->run.plugin_path = (lth_string_list) { dirs, kept };
}

static void open_registry(session *s)
{
    const config_entry *entry = config_take(config_find(s->config, "run"), "plugin_path");
    const registry_paths paths = { s->args->plugin_dirs,       s->args->plugin_dir_count,
                                   s->run.plugin_path.at,      (size_t)s->run.plugin_path.count,
                                   entry ? entry->file : NULL, entry ? entry->line : 0 };
    s->registry = registry_open(&paths, &s->diagnostics);
    s->scope.registry = s->registry;
    keep_plugin_path(s);
}

static void read_trainer(session *s)
{
    config_section *section = config_find(s->config, "trainer");
    const schema_part part = { &trainer_option_table, &s->options };
    schema_fill(s->config, section, "trainer", &part, 1, &s->memory, &s->diagnostics);
    trainer_options_resolve(&s->options, s->config, section, &s->limits,
                            &s->diagnostics); /* a wrong value was replaced by its default */
    if (s->limits.unbounded && (!s->args->stage || strcmp(s->args->stage, "fit") == 0))
        diagnostics_warning(&s->diagnostics, config_section_file(s->config, section), config_section_line(section),
                            "nothing bounds the training: it ends after max_epochs = %lld", (long long)s->options.max_epochs);
}

lth_status session_open(session *s, const run_args *args)
{
    *s = (session) {
        .args = args, .trainer = { &trainer_api }, .last_checkpoint_batches = -1, .train_batches = -1, .lock = { .fd = -1 }
    };
    console_init(&s->console);
    metrics_init(&s->metrics);
    s->main_thread = pthread_self();
    pthread_mutex_init(&s->scope.fault_mutex, NULL);
    s->began = clock_seconds();
    s->config = config_load(args->files, args->file_count, args->overrides, args->override_count, &s->diagnostics);
    s->scope.config = s->config;
    s->scope.memory = &s->memory;
    s->scope.console = &s->console;
    s->scope.run_dir = "";
    s->scope.debug = args->verbose;
    if (s->config->count == 0 && diagnostics_status(&s->diagnostics) != LTH_OK)
        return LTH_INVALID; /* there is nothing in it that could be looked at */
    read_run(s);
    open_registry(s);
    read_trainer(s);
    check_sections(s);
    need(s, kind_by_name("model"), "model", "it says what to train");
    need(s, kind_by_name("datamodule"), "data", "it says what to train on");
    return diagnostics_status(&s->diagnostics);
}

int session_report(session *s)
{
    diagnostics_print(&s->diagnostics, stderr);
    int status = diagnostics_status(&s->diagnostics) == LTH_OK ? RUN_OK : RUN_USAGE;
    diagnostics_free(&s->diagnostics);
    s->diagnostics = (diagnostics) { 0 };
    return status;
}

/* ---- The end ---- */

static void free_loaders(session *s)
{
    data_loader_free(s->loaders.train);
    for (uint32_t i = 0; i < s->loaders.validate_count; i++)
        data_loader_free(s->loaders.validate[i]);
    for (uint32_t i = 0; i < s->loaders.evaluate_count; i++)
        data_loader_free(s->loaders.evaluate[i]);
    free(s->loaders.validate);
    free(s->loaders.evaluate);
    s->loaders = (session_loaders) { 0 };
}

static void free_components(session *s)
{
    for (uint32_t i = s->callback_count; i-- > 0;)
        component_free(s->callbacks[i]);
    for (uint32_t i = s->logger_count; i-- > 0;)
        component_free(s->loggers[i]);
    component_free(s->data);
    component_free(s->model);
    component_free(s->strategy);
    component_free(s->accelerator);
    free(s->callbacks);
    free(s->loggers);
    free(s->targets);
}

lth_status session_watch(session *s, error *e)
{
    const watch_args bounds = { s->options.hook_timeout, s->limits.max_memory };
    return watch_start(&bounds, &s->watch, e);
}

void session_close(session *s)
{
    free_loaders(s);
    if (s->datamodule)
        data_close(s->datamodule);
    if (s->engine)
        engine_free(s->engine);
    optimizers_free(s);
    free_components(s);
    watch_stop(s->watch);
    profile_free(s->profile);
    run_dir_close(s, false);
    metrics_free(&s->metrics);
    registry_free(s->registry);
    config_free(s->config);
    diagnostics_free(&s->diagnostics);
    str_free(&s->run_ini);
    free(s->fields);
    free(s->zero_gradients);
    free(s->hyperparameters);
    free(s->parameters_shown);
    free(s->optimizers_shown);
    checkpoint_snapshot_free(s->snapshot);
    free(s->last_checkpoint);
    free(s->own_checkpoint);
    free(s->stop_reason);
    free(s->best.name);
    free(s->best.monitor);
    pthread_mutex_destroy(&s->scope.fault_mutex);
    console_free(&s->console);
    arena_free(&s->memory);
}

double session_wall_time(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

const char *session_short_path(session *s, const char *path)
{
    char *here = path_current();
    size_t length = strlen(here);
    const char *shorter = strncmp(path, here, length) == 0 && path[length] == '/' ? path + length + 1 : path;
    free(here);
    return arena_copy_text(&s->memory, shorter);
}

void session_warn(void *context, const char *text)
{
    session *s = context;
    console_line(&s->console, "warning: %s", text);
}
