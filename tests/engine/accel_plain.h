/* SPDX-License-Identifier: Apache-2.0
 * The least accelerator on accel/: schedules run by the generic tile interpreter and the plain kernels. It fits into a bench in
 * place of a plugin, so that tests of sdk/accel need none. */
#ifndef TEST_ACCEL_PLAIN_H
#define TEST_ACCEL_PLAIN_H

#include "accel_fixture.h"

#include <lthost/accel/schedule.h>

void plain_bench_open(bench *b);
/* The schedule of the bench's plan. */
accel_schedule *plain_schedule(bench *b);
/* Fills the working memory with bytes that make NaNs, so that a value read before it is written shows. */
void plain_poison(bench *b);

#endif
