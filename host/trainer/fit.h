/* SPDX-License-Identifier: Apache-2.0
 * trainer/fit.h: what fit.c, fit_epoch.c and evaluate.c share. */
#ifndef TRAINER_FIT_H
#define TRAINER_FIT_H

#include "trainer/session.h"

/* From where the run stands to the end of the epoch; all batches but for limits, stops and signals. LTH_STOPPED: a signal;
 * the loop's state is then that of a resume point. */
lth_status fit_epoch(session *s, error *e);

/* A stop was asked for, and min_epochs and min_steps allow it. */
bool fit_may_stop(const session *s);
bool fit_steps_reached(const session *s);
/* Asks for a stop when max_time has passed. */
void fit_check_time(session *s);
/* LTH_STOPPED, with the reason, once SIGINT or SIGTERM has come; the error of a call on the wrong thread, once there was one. */
lth_status fit_interrupted(session *s, error *e);

#endif
