/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin_fixture.h"

#include "config/schema.h"
#include "config/value.h"
#include "util/file.h"
#include "util/json.h"

#include <criterion/criterion.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

/* ---- The host ---- */

static plugin *owner(const lth_host *host) { return (plugin *)((char *)host - offsetof(plugin, host)); }

static lth_status host_fail(const lth_host *host, lth_status status, const char *file, uint32_t line, const char *message)
{
    (void)file;
    (void)line;
    snprintf(owner(host)->message, sizeof owner(host)->message, "%s", message);
    return status;
}

static void host_message(const lth_host *host, uint32_t level, const char *text)
{
    (void)level;
    snprintf(owner(host)->message, sizeof owner(host)->message, "%s", text);
}

static const void *host_interface(const lth_host *host, const char *id)
{
    (void)host;
    (void)id;
    return NULL;
}

static const char *host_section(const lth_host *host)
{
    (void)host;
    return "test";
}

static const char *host_run_dir(const lth_host *host) { return owner(host)->run_dir; }
static const char *host_plugin_dir(const lth_host *host) { return owner(host)->dir; }

static int32_t host_threads(const lth_host *host)
{
    (void)host;
    return 1;
}

static uint64_t host_seed(const lth_host *host) { return owner(host)->seed; }

static const lth_host_api host_api = { .struct_size = sizeof host_api, .api_major = LTH_API_MAJOR, .api_minor = LTH_API_MINOR,
                                       .fail = host_fail, .message = host_message, .get_interface = host_interface,
                                       .section = host_section, .run_dir = host_run_dir, .plugin_dir = host_plugin_dir,
                                       .threads = host_threads, .seed = host_seed };

/* ---- The component ---- */

void plugin_open(plugin *p, const char *name, const char *interface, const char *id)
{
    char path[1024];
    memset(p, 0, sizeof *p);
    p->host.api = &host_api;
    snprintf(p->dir, sizeof p->dir, "%s/%s", LTHOST_TEST_PLUGINS, name);
    snprintf(path, sizeof path, "%s/%s.so", p->dir, name);
    p->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    cr_assert_not_null(p->library, "%s", dlerror());
    const lth_plugin *(*entry)(void);
    *(void **)&entry = dlsym(p->library, "lth_plugin_entry_v1");
    cr_assert_not_null(entry, "%s has no entry", path);
    const lth_plugin *descriptor = entry();
    for (uint32_t i = 0; i < descriptor->component_count; i++) {
        const lth_component_head *head = descriptor->components[i].vtable;
        if (strcmp(descriptor->components[i].kind, interface) == 0 && strcmp(head->id, id) == 0)
            p->table = p->head = head;
    }
    cr_assert_not_null(p->table, "%s has no %s '%s'", path, interface, id);
    p->self = calloc(1, p->head->instance_size);
    for (uint32_t i = 0; i < p->head->options.count; i++) {
        lth_option option = schema_option(&p->head->options, i);
        if (option.initial)
            plugin_set(p, option.name, option.initial);
        else
            value_clear(&option, (char *)p->self + option.offset);
    }
}

void plugin_set(plugin *p, const char *name, const char *text)
{
    error e = { 0 };
    for (uint32_t i = 0; i < p->head->options.count; i++) {
        lth_option option = schema_option(&p->head->options, i);
        if (strcmp(option.name, name) != 0)
            continue;
        lth_status status = value_read(&option, text, NULL, (char *)p->self + option.offset, &p->memory, &e);
        cr_assert_eq(status, LTH_OK, "%s = '%s' %s", name, text, e.text);
        return;
    }
    cr_assert_fail("'%s' has no option '%s'", p->head->id, name);
}

lth_status plugin_begin(plugin *p)
{
    p->begun = true;
    return p->head->init ? p->head->init(p->self, &p->host) : LTH_OK;
}

void plugin_must_begin(plugin *p)
{
    cr_assert_eq(plugin_begin(p), LTH_OK, "%s: %s", p->head->id, p->message);
}

void plugin_close(plugin *p)
{
    if (p->begun && p->head->destroy)
        p->head->destroy(p->self);
    free(p->self);
    arena_free(&p->memory);
    dlclose(p->library);
}

/* ---- State ---- */

typedef struct writer { lth_writer head; json_t *to; } writer;
typedef struct reader { lth_reader head; json_t *from; } reader;

static void put_i64(lth_writer *w, const char *key, int64_t value) { json_object_set_new(((writer *)w)->to, key, json_integer(value)); }
static void put_f64(lth_writer *w, const char *key, double value) { json_object_set_new(((writer *)w)->to, key, json_from_f64(value)); }
static void put_string(lth_writer *w, const char *key, const char *value) { json_object_set_new(((writer *)w)->to, key, json_string(value)); }

static bool get_i64(lth_reader *r, const char *key, int64_t *value)
{
    json_t *v = json_object_get(((reader *)r)->from, key);
    if (json_is_integer(v))
        *value = json_integer_value(v);
    return json_is_integer(v);
}

static bool get_f64(lth_reader *r, const char *key, double *value)
{
    json_t *v = json_object_get(((reader *)r)->from, key);
    return v && json_to_f64(v, value);
}

static bool get_string(lth_reader *r, const char *key, const char **value)
{
    json_t *v = json_object_get(((reader *)r)->from, key);
    if (json_is_string(v))
        *value = json_string_value(v);
    return json_is_string(v);
}

json_t *plugin_save(plugin *p)
{
    static const lth_writer_api api = { .struct_size = sizeof api, .put_i64 = put_i64, .put_f64 = put_f64, .put_string = put_string };
    writer w = { { &api }, json_object() };
    cr_assert_eq(p->head->save(p->self, &w.head), LTH_OK);
    return w.to;
}

void plugin_load(plugin *p, json_t *state) { cr_assert_eq(plugin_try_load(p, state), LTH_OK, "%s", p->message); }

lth_status plugin_try_load(plugin *p, json_t *state)
{
    static const lth_reader_api api = { .struct_size = sizeof api, .get_i64 = get_i64, .get_f64 = get_f64, .get_string = get_string };
    reader r = { { &api }, state };
    return p->head->load(p->self, &r.head, p->head->state_version);
}

/* ---- Files ---- */

const char *plugin_make_dir(char out[512])
{
    const char *base = getenv("TMPDIR");
    snprintf(out, 512, "%s/lthost-test-XXXXXX", base ? base : "/tmp");
    cr_assert_not_null(mkdtemp(out));
    return out;
}

void plugin_remove_dir(const char *dir)
{
    error e = { 0 };
    cr_assert_eq(file_remove_tree(dir, &e), LTH_OK, "%s", e.text);
}

void plugin_write_file(const char *path, const char *text)
{
    error e = { 0 };
    cr_assert_eq(file_write_atomic(path, text, strlen(text), &e), LTH_OK, "%s", e.text);
}

char *plugin_read_file(const char *path)
{
    error e = { 0 };
    char *text;
    size_t size;
    cr_assert_eq(file_read(path, 0, &text, &size, &e), LTH_OK, "%s", e.text);
    return text;
}

json_t *golden_read(const char *name)
{
    char path[1024];
    error e = { 0 };
    json_t *document = NULL;
    snprintf(path, sizeof path, "%s/tests/golden/%s", LTHOST_TEST_SOURCE, name);
    cr_assert_eq(json_read(path, &document, &e), LTH_OK, "%s", e.text);
    return document;
}

double golden_number(const json_t *value)
{
    double number = 0;
    cr_assert(json_to_f64(value, &number), "not a number");
    return number;
}
