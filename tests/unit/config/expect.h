/* SPDX-License-Identifier: Apache-2.0
 * What these tests share: messages compared as the text that a user sees. */
#ifndef TESTS_CONFIG_EXPECT_H
#define TESTS_CONFIG_EXPECT_H

#include "util/diagnostics.h"
#include <criterion/criterion.h>
#include <string.h>

/* All messages are these lines, exactly; forgets them. */
static inline void expect_messages(diagnostics *d, const char *expected, int line)
{
    str text = { 0 };
    diagnostics_render(d, &text);
    cr_assert(!strcmp(str_text(&text), expected), "line %d: expected\n%s\nand got\n%s", line, expected, str_text(&text));
    str_free(&text);
    diagnostics_free(d);
}
#define EXPECT_MESSAGES(d, expected) expect_messages(d, expected, __LINE__)

/* The messages contain the text; forgets them. */
static inline void expect_mention(diagnostics *d, const char *part, int line)
{
    str text = { 0 };
    diagnostics_render(d, &text);
    cr_assert(strstr(str_text(&text), part), "line %d: no '%s' in\n%s", line, part, str_text(&text));
    str_free(&text);
    diagnostics_free(d);
}
#define EXPECT_MENTION(d, part) expect_mention(d, part, __LINE__)

#endif
