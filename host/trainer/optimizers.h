/* SPDX-License-Identifier: Apache-2.0
 * trainer/optimizers.h: what the files that configure optimizers share.
 *
 * A model's configure_optimizers says itself who owns which parameters (optimizers.c); without one the run file does
 * (optimizers_run_file.c): [optimizer], or several [optimizer.NAME], each with groups of options of their own. */
#ifndef TRAINER_OPTIMIZERS_H
#define TRAINER_OPTIMIZERS_H

#include "trainer/session.h"

/* Keeps the first error, with its place in front where there is a file. LTH_INVALID. */
LTH_PRINTF(4, 5)
lth_status optimizers_fail(optimizer_set *set, const char *file, uint32_t line, const char *format, ...);

/* An optimizer of the section; its index, or -1 after an error. */
int32_t optimizers_add(session *s, const char *title, const char *file, uint32_t line);
/* A schedule of the section for that optimizer. */
lth_status optimizers_add_schedule(session *s, uint32_t index, const char *title, const char *file, uint32_t line);

/* A group's instance. group: its own section; NULL: the optimizer's options as they are. */
lth_status optimizers_new_group(session *s, optimizer *o, config_section *group, optimizer_group **out, error *e);
/* Puts a parameter into the group; NULL: freezes it. */
void optimizers_take(session *s, optimizer_group *g, uint32_t index);

/* "optimizer.generator" of [optimizer.generator.group.bias], "optimizer" of [optimizer.group.bias]; NULL: it is no group's. */
const char *optimizers_group_owner(session *s, const config_section *section);
/* The host's keys of a group's section; of one that is frozen no other means anything: an error. */
lth_status optimizers_group_options(session *s, const optimizer *o, config_section *section, group_options *out);

/* Appends which parameter, module or end of a name `pattern` was probably meant to be, or which parameters there are. */
void optimizers_suggest(session *s, const char *pattern, str *out);

lth_status optimizers_from_run_file(session *s);

#endif
