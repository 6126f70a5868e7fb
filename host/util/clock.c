/* SPDX-License-Identifier: Apache-2.0
 * util/clock.c */
#include "clock.h"
#include <math.h>
#include <stdio.h>
#include <time.h>

int64_t clock_nanoseconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

double clock_seconds(void) { return (double)clock_nanoseconds() * 1e-9; }

static const char *format_now(const char *format, char out[CLOCK_TEXT_SIZE])
{
    time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(out, CLOCK_TEXT_SIZE, format, &utc);
    return out;
}

const char *clock_iso(char out[CLOCK_TEXT_SIZE]) { return format_now("%Y-%m-%dT%H:%M:%SZ", out); }

const char *clock_stamp(char out[CLOCK_TEXT_SIZE]) { return format_now("%Y%m%d-%H%M%S", out); }

const char *clock_duration(double seconds, char out[CLOCK_TEXT_SIZE])
{
    if (!(seconds >= 0)) /* also a NaN */
        seconds = 0;
    if (seconds < 10)
        snprintf(out, CLOCK_TEXT_SIZE, "%.2f s", seconds);
    else if (seconds < 59.95)
        snprintf(out, CLOCK_TEXT_SIZE, "%.1f s", seconds);
    else if (seconds < 3599.5)
        snprintf(out, CLOCK_TEXT_SIZE, "%d min %02d s", (int)(seconds + 0.5) / 60, (int)(seconds + 0.5) % 60);
    else
        snprintf(out, CLOCK_TEXT_SIZE, "%.0f h %02d min", floor((seconds + 30) / 3600), (int)fmod((seconds + 30) / 60, 60));
    return out;
}
