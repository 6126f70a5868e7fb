/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"
#include "util/memory.h"
#include "util/nearest.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int cli_usage_error(const char *command, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "lthost %s: ", command);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n`lthost %s --help` shows how it is used\n", command);
    va_end(arguments);
    return CLI_USAGE;
}

int cli_getopt(int argc, char **argv, const char *letters, const struct option *options)
{
    char silent[64];
    snprintf(silent, sizeof silent, ":%s", letters);
    opterr = 0;
    int c = getopt_long(argc, argv, silent, options, NULL);
    if (c == ':') {
        cli_usage_error(argv[0], "'%s' needs a value", argv[optind - 1]);
        return '?';
    }
    if (c != '?')
        return c;

    const char *wrong = argv[optind - 1];
    const char *names[32];
    size_t count = 0;
    for (const struct option *o = options; o->name && count < sizeof names / sizeof *names; o++)
        names[count++] = o->name;
    const char *close = wrong[0] == '-' && wrong[1] == '-' ? nearest(wrong + 2, names, count) : NULL;
    if (close)
        cli_usage_error(argv[0], "there is no option '%s' (did you mean '--%s'?)", wrong, close);
    else
        cli_usage_error(argv[0], "there is no option '%s'", wrong);
    return '?';
}

void cli_list_add(cli_list *list, const char *text)
{
    list->at = memory_grow(list->at, &list->capacity, list->count + 1, sizeof *list->at);
    list->at[list->count++] = text;
}
