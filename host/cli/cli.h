/* SPDX-License-Identifier: Apache-2.0
 * cli/cli.h: the subcommands of `lthost`, and what they share.
 *
 * A subcommand is one function in cmd_<name>.c and one row in main.c. It gets its own name as argv[0] and returns the
 * process's exit status. Results go to stdout, everything else to stderr. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "registry/descriptor.h"
#include "registry/registry.h"

#include <getopt.h>

enum {
    CLI_OK = 0,
    CLI_ERROR = 1, /* it was asked rightly and failed; the message is on stderr */
    CLI_USAGE = 2  /* it was asked wrongly */
    /* 130 and 143: ended by SIGINT, SIGTERM, after what was to be saved was saved */
};

typedef struct cli_command {
    const char *name;
    const char *summary; /* one line for `lthost --help` */
    const char *usage;   /* what follows "usage: lthost "; then lines of options */
    int (*run)(int argc, char **argv);
} cli_command;

/* run, fit, validate, test and predict: argv[0] tells which. */
int cmd_run(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_plan(int argc, char **argv);
int cmd_plugins(int argc, char **argv);
int cmd_manifest(int argc, char **argv);

/* Says on stderr what is wrong with the command line, points to --help, and returns CLI_USAGE. */
int cli_usage_error(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* getopt_long that reports mistakes itself, with the nearest right option; '?' then: return CLI_USAGE. Options and other
 * arguments may be mixed. */
int cli_getopt(int argc, char **argv, const char *letters, const struct option *options);

/* A growing list of texts that belong to argv: --plugin-dir, given several times. */
typedef struct cli_list {
    const char **at;
    size_t count, capacity;
} cli_list;
void cli_list_add(cli_list *list, const char *text);

/* Keys of the run file's sections that belong to the host, by kind of component: no option may be named so. */
void cli_host_keys(const descriptor_host_keys **keys, size_t *count);

/* The same by section: what stands in it beside its component's options. */
typedef struct cli_host_section {
    const char *name, *title; /* "optimizer", "optimizer.group.NAME" */
    const lth_options *options;
} cli_host_section;
/* NULL: the host has no key in a section of that name. */
const cli_host_section *cli_host_section_of(const char *name, size_t index);

#endif
