/* SPDX-License-Identifier: Apache-2.0
 * trainer/signals.h: SIGINT, SIGTERM and SIGHUP end a run at the next safe point, a second one of them at once. SIGPIPE
 * ends nothing, nor does a SIGHUP that the run was started to ignore (nohup). */
#ifndef TRAINER_SIGNALS_H
#define TRAINER_SIGNALS_H

#include <lthost/base.h>

/* From here on the first signal is only noted. [main] */
void signals_install(void);
void signals_restore(void);

/* The signal that came; 0: none. [any] */
int signals_pending(void);

#endif
