/* SPDX-License-Identifier: Apache-2.0
 * util/nearest.c */
#include "nearest.h"
#include <limits.h>
#include <string.h>

enum { LONGEST = 100 };

static int lower(char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; }

static int least(int a, int b) { return a < b ? a : b; }

/* Three rows of the usual table: row[0] is for i characters of a, row[1] for i-1, row[2] for i-2. */
static int distance(const char *a, int a_length, const char *b, int b_length)
{
    int rows[3][LONGEST + 1], *row[3] = { rows[0], rows[1], rows[2] };
    for (int j = 0; j <= b_length; j++)
        row[0][j] = j;
    for (int i = 1; i <= a_length; i++) {
        int *reused = row[2];
        row[2] = row[1];
        row[1] = row[0];
        row[0] = reused;
        row[0][0] = i;
        for (int j = 1; j <= b_length; j++) {
            int change = row[1][j - 1] + (lower(a[i - 1]) != lower(b[j - 1]));
            row[0][j] = least(change, least(row[1][j], row[0][j - 1]) + 1);
            if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1]))
                row[0][j] = least(row[0][j], row[2][j - 2] + 1);
        }
    }
    return row[0][b_length];
}

const char *nearest(const char *word, const char *const *choices, size_t count)
{
    size_t length = strlen(word);
    if (!length || length > LONGEST)
        return NULL;
    int best = INT_MAX;
    const char *found = NULL;
    for (size_t i = 0; i < count; i++) {
        size_t n = choices[i] ? strlen(choices[i]) : 0;
        if (!n || n > LONGEST)
            continue;
        int d = distance(word, (int)length, choices[i], (int)n);
        /* A third of the longer name, and never all of the shorter one. */
        if (d <= (int)((length > n ? length : n) + 1) / 3 && d < (int)(length < n ? length : n) && d < best) {
            best = d;
            found = choices[i];
        }
    }
    return found;
}
