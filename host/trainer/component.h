/* SPDX-License-Identifier: Apache-2.0
 * trainer/component.h: one instance of a plugin's component: made from its section, called, saved, destroyed. */
#ifndef TRAINER_COMPONENT_H
#define TRAINER_COMPONENT_H

#include "config/schema.h"
#include "registry/registry.h"
#include "trainer/console.h"
#include "trainer/crash.h"
#include "util/error.h"

#include <lthost/component.h>
#include <lthost/state.h>
#include <stdatomic.h>

/* What all instances of a run share. */
typedef struct component_scope {
    const config *config;
    registry *registry;
    arena *memory;
    console *console;
    pthread_mutex_t fault_mutex;
    char *run_dir; /* "" while there is none */
    int32_t threads;
    uint64_t seed;
    bool debug; /* messages of that level are shown */
} component_scope;

typedef struct component {
    lth_host host; /* first: what the plugin holds */
    component_scope *scope;
    const registry_component *known;
    const char *title;       /* "callback.best" */
    config_section *section; /* NULL: on by default */
    const lth_component_head *table;
    void *self;
    bool begun;            /* init was called */
    const crumb *fault_of; /* of the thread that reported `fault`; NULL: one that the host did not call */
    uint32_t fault_call;   /* its call */
    error fault;
} component;

/* Loads the component and fills a new instance from `section` (may be NULL). `title` names it; host: a second table of
 * options for the same section (may be NULL). The section was checked before. */
lth_status component_new(component_scope *scope, const registry_component *known, const char *title, config_section *section,
                         const schema_part *host, component **out, error *e);
/* Calls the plugin's init. */
lth_status component_init(component *c, error *e);
/* Calls destroy where init was called, and frees the instance. NULL is fine. */
void component_free(component *c);

/* Around a call into the plugin: who is running, for the crash handler. */
static inline void component_enter(const component *c, const char *hook) { crash_enter(c->title, c->known->id, hook); }
static inline void component_leave(void) { crash_leave(); }

/* After a call: an error that names section and hook, with what the plugin told by lth_fail. Also leaves. */
lth_status component_result(component *c, const char *hook, lth_status status, error *e);

/* Puts what this thread's running call reported, if anything, in front of an error that came by another way, or in the place of one that
 * tells no reason. */
void component_add_fault(component *c, error *e);

lth_status component_save(component *c, lth_writer *w, error *e);
lth_status component_load(component *c, lth_reader *r, uint32_t version, error *e);

/* Copies an instance's section's options into `out` as a run file has them. */
void component_resolve(const component *c, const schema_part *host, str *out);

#endif
