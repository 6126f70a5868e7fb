/* SPDX-License-Identifier: Apache-2.0
 * lthost/component.h: the head that every component's table starts with, and the one symbol that a plugin exports.
 *
 * Life of an instance: the host allocates `instance_size` zeroed bytes, fills the options, calls `init`, then the kind's
 * own functions, `save` / `load` around checkpoints, and `destroy` last (also after a failed `init`). All on [main]. */
#ifndef LTHOST_COMPONENT_H
#define LTHOST_COMPONENT_H

#include "base.h"
#include "host.h"
#include "option.h"
#include "state.h"

LTH_BEGIN_C

enum {
    LTH_DEFAULT_ON = 1 /* in every run, unless its section says `enabled = false` */
};

/* The head's layout is frozen for ever; each kind's own slots follow it and may grow at their end. */
#define LTH_COMPONENT_HEAD_                                                                                             \
    uint32_t struct_size LTH_ZERO;   /* of the whole table */                                                            \
    uint32_t instance_size LTH_ZERO;                                                                                     \
    const char *id LTH_ZERO;         /* [a-z][a-z0-9_]*, at most 40 bytes */                                             \
    const char *summary LTH_ZERO;    /* one line for `lthost plugins` */                                                 \
    lth_options options LTH_ZERO;                                                                                        \
    uint32_t flags LTH_ZERO;                                                                                             \
    uint32_t state_version LTH_ZERO; /* given back to `load`; raise it when what `save` writes changes */                \
    lth_status (*init)(void *self, const lth_host *host) LTH_ZERO;                                                       \
    void (*destroy)(void *self) LTH_ZERO;                                                                                \
    lth_status (*save)(void *self, lth_writer *writer) LTH_ZERO;                                                         \
    lth_status (*load)(void *self, lth_reader *reader, uint32_t version) LTH_ZERO;

typedef struct lth_component_head { LTH_COMPONENT_HEAD_ } lth_component_head;
LTH_STATIC_ASSERT(sizeof(lth_component_head) == 80, "the head is frozen");

typedef struct lth_component {
    const char *kind;   /* "model/1", "callback/1", ... */
    const void *vtable; /* the kind's table */
} lth_component;

typedef struct lth_plugin {
    uint32_t struct_size;
    uint16_t api_major, api_min_minor; /* what it was built against, and the least host minor that it needs */
    const char *id;                    /* NULL: the library's file name */
    const char *version;               /* "1.2.3" */
    const char *license;               /* SPDX */
    const lth_component *components;
    uint32_t component_count, component_stride;
} lth_plugin;

/* The only symbol that a plugin exports: pure, returns a static descriptor. [any] */
LTH_EXPORT const lth_plugin *lth_plugin_entry_v1(void);

#ifndef LTH_PLUGIN_ID /* lth_add_plugin() defines these; a hand-made build may, too */
#define LTH_PLUGIN_ID NULL
#endif
#ifndef LTH_PLUGIN_VERSION
#define LTH_PLUGIN_VERSION "0.0.0"
#endif
#ifndef LTH_PLUGIN_LICENSE
#define LTH_PLUGIN_LICENSE ""
#endif

/* Once a plugin: LTH_PLUGIN(LTH_MODEL_COMPONENT(mlp), LTH_CALLBACK_COMPONENT(probe)); */
#define LTH_PLUGIN(...)                                                                                                 \
    static const lth_component lth_components_[] = { __VA_ARGS__ };                                                     \
    const lth_plugin *lth_plugin_entry_v1(void)                                                                         \
    {                                                                                                                   \
        static const lth_plugin lth_plugin_ = { sizeof(lth_plugin), LTH_API_MAJOR, LTH_API_MINOR, LTH_PLUGIN_ID,        \
                                                LTH_PLUGIN_VERSION, LTH_PLUGIN_LICENSE, lth_components_,                \
                                                sizeof lth_components_ / sizeof *lth_components_,                       \
                                                sizeof *lth_components_ };                                              \
        return &lth_plugin_;                                                                                            \
    }                                                                                                                   \
    typedef int lth_plugin_end_

LTH_END_C
#endif
