/* SPDX-License-Identifier: Apache-2.0
 * A component of a built plugin, loaded as the host would, with a host of the test's own. */
#ifndef TEST_PLUGIN_FIXTURE_H
#define TEST_PLUGIN_FIXTURE_H

#include "util/arena.h"

#include <jansson.h>
#include <lthost/lthost.h>

typedef struct plugin {
    const void *table; /* the kind's */
    const lth_component_head *head;
    void *self;
    lth_host host; /* what the instance gets */
    void *library;
    arena memory;
    char dir[512];
    char run_dir[512];
    char message[1024]; /* the last failure or warning */
    uint64_t seed;
    bool begun; /* init was called */
} plugin;

/* Loads LTHOST_TEST_PLUGINS/NAME/NAME.so and its component; options have their defaults. Fails the test where it cannot. */
void plugin_open(plugin *p, const char *name, const char *interface, const char *id);
/* An option, as text of a run file; a relative path is left as it is. */
void plugin_set(plugin *p, const char *option, const char *text);
/* Calls init, where there is one; the message is in p->message. */
lth_status plugin_begin(plugin *p);
void plugin_must_begin(plugin *p);
void plugin_close(plugin *p);

/* State as a checkpoint keeps it. */
json_t *plugin_save(plugin *p);
void plugin_load(plugin *p, json_t *state);
lth_status plugin_try_load(plugin *p, json_t *state);

/* A fresh folder for this test; removed with it by plugin_remove_dir. */
const char *plugin_make_dir(char out[512]);
void plugin_remove_dir(const char *dir);
void plugin_write_file(const char *path, const char *text);
/* The caller frees. */
char *plugin_read_file(const char *path);

/* A golden file; the caller releases it. */
json_t *golden_read(const char *name);
double golden_number(const json_t *value);

#endif
