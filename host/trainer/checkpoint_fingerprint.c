/* SPDX-License-Identifier: Apache-2.0
 * trainer/checkpoint_fingerprint.c: fingerprints, "cpu avx2 threads=2 onednn=2.6.3", compared word by word. */
#include "checkpoint.h"

#include <string.h>

typedef struct word {
    const char *at;
    size_t length, key; /* key: up to '='; of a bare word 0 */
    int place;          /* among the bare words */
} word;

/* The next word that is not empty. */
static bool next_word(const char **rest, int *place, word *w)
{
    while (str_split(rest, ' ', &w->at, &w->length)) {
        if (!w->length)
            continue;
        const char *equals = memchr(w->at, '=', w->length);
        w->key = equals ? (size_t)(equals - w->at) : 0;
        w->place = w->key ? -1 : (*place)++;
        return true;
    }
    return false;
}

/* The word of `text` that tells the same thing as w. */
static bool counterpart(const char *text, const word *w, word *out)
{
    int place = 0;
    while (next_word(&text, &place, out))
        if (out->place == w->place && out->key == w->key && memcmp(out->at, w->at, w->key) == 0)
            return true;
    return false;
}

/* w: the one of the two that there is. */
static void tell(str *out, const word *w, const word *then, const word *now)
{
    size_t skip = w->key ? w->key + 1 : 0;
    if (out->length)
        str_append(out, "; ");
    if (w->key)
        str_printf(out, "%.*s: ", (int)w->key, w->at);
    if (then)
        str_printf(out, "%.*s then, ", (int)(then->length - skip), then->at + skip);
    else
        str_append(out, "not known then, ");
    if (now)
        str_printf(out, "%.*s now", (int)(now->length - skip), now->at + skip);
    else
        str_append(out, "not known now");
}

void checkpoint_fingerprint_difference(const char *then, const char *now, str *out)
{
    word w, other;
    int place = 0;
    for (const char *rest = then; next_word(&rest, &place, &w);) {
        bool both = counterpart(now, &w, &other);
        if (!both || other.length != w.length || memcmp(other.at, w.at, w.length) != 0)
            tell(out, &w, &w, both ? &other : NULL);
    }
    place = 0;
    for (const char *rest = now; next_word(&rest, &place, &w);)
        if (!counterpart(then, &w, &other))
            tell(out, &w, NULL, &w);
}
