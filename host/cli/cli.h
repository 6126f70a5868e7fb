/* SPDX-License-Identifier: Apache-2.0
 * cli/cli.h: the subcommands of `lthost`.
 *
 * A subcommand is one function in cmd_<name>.c and one row in main.c. It gets its own name as argv[0] and returns the
 * process's exit status. Results go to stdout, everything else to stderr. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

enum {
    CLI_OK = 0,
    CLI_ERROR = 1, /* it was asked rightly and failed; the message is on stderr */
    CLI_USAGE = 2  /* it was asked wrongly */
    /* 130 and 143: ended by SIGINT, SIGTERM, after what was to be saved was saved */
};

typedef struct cli_command {
    const char *name;
    const char *summary; /* one line for `lthost --help` */
    const char *usage;   /* what follows "lthost ", lines of options after it */
    int (*run)(int argc, char **argv);
} cli_command;

int cmd_plugins(int argc, char **argv);
int cmd_manifest(int argc, char **argv);

/* Says on stderr what is wrong with the command line, points to --help, and returns CLI_USAGE. */
int cli_usage_error(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
