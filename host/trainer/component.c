/* SPDX-License-Identifier: Apache-2.0
 * trainer/component.c */
#include "trainer/component.h"

#include "config/resolved.h"
#include "util/memory.h"
#include "util/thread.h"

#include <lthost/threads.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- lth_host ---- */

static component *of(const lth_host *host) { return (component *)host; }

/* Whether the running call of this thread reported the fault, or a thread of the plugin's own. */
static bool is_of_this_call(const component *c)
{
    return !c->fault_of || (c->fault_of == &crash_crumb && c->fault_call == crash_crumb.entered);
}

static lth_status host_fail(const lth_host *host, lth_status status, const char *file, uint32_t line, const char *message)
{
    component *c = of(host);
    pthread_mutex_lock(&c->scope->fault_mutex);
    if (!is_of_this_call(c)) /* of a call that went on all the same */
        error_clear(&c->fault);
    c->fault_of = crash_crumb.hook ? &crash_crumb : NULL;
    c->fault_call = crash_crumb.entered;
    if (file)
        error_set(&c->fault, status, "%s (%s:%u)", message, file, (unsigned)line);
    else
        error_set(&c->fault, status, "%s", message);
    pthread_mutex_unlock(&c->scope->fault_mutex);
    return status;
}

static void host_message(const lth_host *host, uint32_t level, const char *text)
{
    component *c = of(host);
    if (level == LTH_LEVEL_DEBUG && !c->scope->debug)
        return;
    console_line(c->scope->console, "%s[%s] %s", level == LTH_LEVEL_WARNING ? "warning: " : "", c->title, text);
}

static void thread_begin(const lth_host *host, const char *name)
{
    (void)host;
    if (crash_is_main(&crash_crumb))
        return;
    thread_use_signal_stack();
    char shown[16];
    snprintf(shown, sizeof shown, "%s", name);
    pthread_setname_np(pthread_self(), shown);
}

static const lth_threads_api threads_api = { .struct_size = sizeof(lth_threads_api), .begin = thread_begin };

static const void *host_get_interface(const lth_host *host, const char *id)
{
    (void)host;
    return strcmp(id, LTH_THREADS) == 0 ? &threads_api : NULL;
}

static const char *host_section(const lth_host *host) { return of(host)->title; }
static const char *host_run_dir(const lth_host *host) { return of(host)->scope->run_dir; }
static const char *host_plugin_dir(const lth_host *host) { return of(host)->known->plugin->dir; }
static int32_t host_threads(const lth_host *host) { return of(host)->scope->threads; }
static uint64_t host_seed(const lth_host *host) { return of(host)->scope->seed; }

static const lth_host_api host_api = {
    .struct_size = sizeof(lth_host_api),
    .api_major = LTH_API_MAJOR,
    .api_minor = LTH_API_MINOR,
    .fail = host_fail,
    .message = host_message,
    .get_interface = host_get_interface,
    .section = host_section,
    .run_dir = host_run_dir,
    .plugin_dir = host_plugin_dir,
    .threads = host_threads,
    .seed = host_seed,
};

/* ---- Life ---- */

static size_t instance_bytes(uint32_t size) { return ((size_t)(size ? size : 1) + 63) & ~(size_t)63; }

lth_status component_new(component_scope *scope, const registry_component *known, const char *title, config_section *section,
                         const schema_part *host, component **out, error *e)
{
    const lth_component_head *table = NULL;
    if (registry_load(scope->registry, known, &table, e) != LTH_OK)
        return error_prefix(e, "[%s]: ", title);
    component *c = arena_alloc(scope->memory, sizeof *c);
    c->host.api = &host_api;
    c->scope = scope;
    c->known = known;
    c->title = arena_copy_text(scope->memory, title);
    c->section = section;
    c->table = table;
    c->self = aligned_alloc(64, instance_bytes(table->instance_size));
    if (!c->self)
        return error_set(e, LTH_NO_MEMORY, "[%s]: no memory for %u bytes", title, (unsigned)table->instance_size);
    memset(c->self, 0, instance_bytes(table->instance_size));
    const schema_part parts[2] = { { &table->options, c->self }, host ? *host : (schema_part) { NULL, NULL } };
    diagnostics d = { 0 };
    lth_status status = schema_fill(scope->config, section, title, parts, host ? 2 : 1, scope->memory, &d);
    if (status != LTH_OK) {
        str text = { 0 };
        diagnostics_render(&d, &text);
        error_set(e, status, "%s", str_text(&text));
        str_free(&text);
        free(c->self);
    }
    diagnostics_free(&d);
    *out = status == LTH_OK ? c : NULL;
    return status;
}

lth_status component_init(component *c, error *e)
{
    if (!c->table->init)
        return LTH_OK;
    c->begun = true;
    component_enter(c, "init");
    return component_result(c, "init", c->table->init(c->self, &c->host), e);
}

void component_free(component *c)
{
    if (!c || !c->self)
        return;
    if (c->table->destroy && (c->begun || !c->table->init)) {
        component_enter(c, "destroy");
        c->table->destroy(c->self);
        component_leave();
    }
    free(c->self);
    c->self = NULL;
}

/* ---- Calls ---- */

static const char *status_words(lth_status status)
{
    static const char *const words[] = { "no error",
                                         "an error",
                                         "something is wrong with its input",
                                         "not supported",
                                         "a file or the network failed",
                                         "no memory",
                                         "a check failed",
                                         "the end",
                                         "stopped" };
    return status >= 0 && status < (lth_status)(sizeof words / sizeof *words) ? words[status] : "an unknown status";
}

/* What this thread's running call reported; empty if it did not. */
static error take_fault(component *c)
{
    pthread_mutex_lock(&c->scope->fault_mutex);
    error fault = c->fault;
    if (!is_of_this_call(c))
        error_clear(&fault);
    error_clear(&c->fault);
    pthread_mutex_unlock(&c->scope->fault_mutex);
    return fault;
}

lth_status component_result(component *c, const char *hook, lth_status status, error *e)
{
    component_leave();
    if (status == LTH_OK)
        return LTH_OK;
    error fault = take_fault(c);
    if (fault.status != LTH_OK)
        return error_set(e, status, "[%s] %s: %s", c->title, hook, fault.text);
    return error_set(e, status, "[%s] %s failed and gave no reason (status %d: %s)", c->title, hook, (int)status,
                     status_words(status));
}

void component_add_fault(component *c, error *e)
{
    error fault = take_fault(c);
    if (fault.status == LTH_OK)
        return;
    if (str_ends(e->text, " failed")) /* that says no more than what the plugin reports */
        snprintf(e->text, sizeof e->text, "%s", fault.text);
    else
        error_prefix(e, "%s: ", fault.text);
}

lth_status component_save(component *c, lth_writer *w, error *e)
{
    if (!c->table->save)
        return LTH_OK;
    component_enter(c, "save");
    return component_result(c, "save", c->table->save(c->self, w), e);
}

lth_status component_load(component *c, lth_reader *r, uint32_t version, error *e)
{
    if (!c->table->load)
        return LTH_OK;
    component_enter(c, "load");
    return component_result(c, "load", c->table->load(c->self, r, version), e);
}

void component_resolve(const component *c, const schema_part *host, str *out)
{
    schema_part parts[2] = { { &c->table->options, c->self }, { NULL, NULL } };
    size_t count = 1;
    if (host) { /* the host's keys first */
        parts[0] = *host;
        parts[1] = (schema_part) { &c->table->options, c->self };
        count = 2;
    }
    resolved_section(out, c->title, c->known->id, c->section, parts, count);
}
