/* SPDX-License-Identifier: Apache-2.0
 * config/expand.h: ${NAME} in values. The forms are in config.h. */
#ifndef CONFIG_EXPAND_H
#define CONFIG_EXPAND_H

#include "config.h"

/* Sets entry->value from entry->written, in `memory`; a variable that is missing or a reference that is wrong is
 * reported, and marks the entry as broken. [main] */
void expand_entry(config_entry *entry, arena *memory, diagnostics *d);

/* Is the text one ${NAME} and nothing else, without a default? */
bool expand_is_reference(const char *written);

#endif
