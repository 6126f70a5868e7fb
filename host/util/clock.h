/* SPDX-License-Identifier: Apache-2.0
 * util/clock.h: time. [any] */
#ifndef UTIL_CLOCK_H
#define UTIL_CLOCK_H

#include <stdint.h>

/* Since an unknown moment; never goes back. For durations. */
int64_t clock_nanoseconds(void);
double clock_seconds(void);

/* Wall-clock time, UTC: "2031-05-01T12:00:00Z", and the same for names of files: "20310501-120000". */
enum { CLOCK_TEXT_SIZE = 32 };
const char *clock_iso(char out[CLOCK_TEXT_SIZE]);
const char *clock_stamp(char out[CLOCK_TEXT_SIZE]);

/* A duration as people read it: "0.35 s", "12.4 s", "3 min 05 s", "2 h 07 min". */
const char *clock_duration(double seconds, char out[CLOCK_TEXT_SIZE]);

#endif
