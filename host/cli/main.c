/* SPDX-License-Identifier: Apache-2.0
 * cli/main.c: from the command line to a subcommand. */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        puts("lthost " LTHOST_VERSION);
        return CLI_OK;
    }
    return CLI_USAGE;
}
