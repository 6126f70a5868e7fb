/* SPDX-License-Identifier: Apache-2.0
 * trainer/signals.h: SIGINT and SIGTERM end a run at the next safe point; a second SIGINT at once. SIGPIPE
 * ends nothing. */
#ifndef TRAINER_SIGNALS_H
#define TRAINER_SIGNALS_H

#include <lthost/base.h>

/* From here on the first signal is only noted. [main] */
void signals_install(void);
void signals_restore(void);

/* The signal that came; 0: none. [any] */
int signals_pending(void);

#endif
