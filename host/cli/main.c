/* SPDX-License-Identifier: Apache-2.0
 * cli/main.c: from the command line to a subcommand. */
#include "cli/cli.h"
#include "util/nearest.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RUN_FILES "RUN.INI [MORE.INI...] [SECTION.KEY=VALUE...]"
#define RUN_OPTIONS                                                                                                      \
    "  --plugin-dir DIR     search DIR first for plugins (may be given several times)\n"                                \
    "  --eager              run op by op, each a plan of its own\n"                                                      \
    "  --no-fusion          one kernel an op\n"                                                                          \
    "  --profile            tell at the end what took the time, also in profile.json in the run's folder\n"              \
    "  --json               the result, for programs\n"                                                                 \
    "  --verbose            more words\n"
#define CKPT_OPTION "  --ckpt WHICH         last, best or a checkpoint's path; otherwise the newest run's best\n"
#define RESUME_OPTION "  --resume WHICH       go on from: auto, last, best or a checkpoint's path\n"

static const cli_command commands[] = {
    { "run", "do the stages that a run file names: train by default",
      "run " RUN_FILES "\n\n" RESUME_OPTION CKPT_OPTION RUN_OPTIONS, cmd_run },
    { "fit", "train", "fit " RUN_FILES "\n\n" RESUME_OPTION RUN_OPTIONS, cmd_run },
    { "validate", "validate a checkpoint", "validate " RUN_FILES "\n\n" CKPT_OPTION RUN_OPTIONS, cmd_run },
    { "test", "test a checkpoint", "test " RUN_FILES "\n\n" CKPT_OPTION RUN_OPTIONS, cmd_run },
    { "predict", "write a checkpoint's predictions", "predict " RUN_FILES "\n\n" CKPT_OPTION RUN_OPTIONS, cmd_run },
    { "check", "find a run file's mistakes, and the model's, without computing",
      "check " RUN_FILES "\n\n"
      "  --plugin-dir DIR     search DIR first for plugins (may be given several times)\n",
      cmd_check },
    { "plan", "show what a run's steps are compiled to",
      "plan " RUN_FILES "\n\n"
      "  --plugin-dir DIR     search DIR first for plugins (may be given several times)\n",
      cmd_plan },
    { "plugins", "list the plugins, show one's options, tell where one comes from",
      "plugins [show NAME | why NAME] [--json] [--plugin-dir DIR]\n\n"
      "  plugins              every component: kind, name, version, API, status, place\n"
      "  plugins show NAME    its options as a section of a run file, ready to paste\n"
      "                       NAME may be run, trainer, model, data, optimizer or scheduler: the host's own keys there\n"
      "  plugins why NAME     every place that was searched for it, and what won\n\n"
      "  --plugin-dir DIR     search DIR first (may be given several times)\n"
      "  --json               for programs\n",
      cmd_plugins },
    { "manifest", "write a plugin's manifest from its library",
      "manifest LIBRARY.so [--output FILE]\n\n"
      "  --output FILE        where to write it; otherwise to the standard output\n",
      cmd_manifest },
};
enum { COMMAND_COUNT = sizeof commands / sizeof *commands };

static void print_help(void)
{
    puts("usage: lthost COMMAND [ARGUMENTS]\n");
    for (int i = 0; i < COMMAND_COUNT; i++)
        printf("  %-10s %s\n", commands[i].name, commands[i].summary);
    puts("\n`lthost COMMAND --help` tells more. `lthost --version` tells the version.");
}

static bool is_help(const char *word) { return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0; }

static int unknown(const char *word)
{
    const char *names[COMMAND_COUNT];
    for (int i = 0; i < COMMAND_COUNT; i++)
        names[i] = commands[i].name;
    const char *close = nearest(word, names, COMMAND_COUNT);
    fprintf(stderr, "lthost: there is no command '%s'", word);
    if (close)
        fprintf(stderr, " (did you mean '%s'?)", close);
    fputs("\n`lthost --help` lists the commands\n", stderr);
    return CLI_USAGE;
}

static int command(int argc, char **argv)
{
    if (argc < 2) {
        fputs("lthost: which command? `lthost --help` lists them\n", stderr);
        return CLI_USAGE;
    }
    const char *word = argv[1];
    if (is_help(word) || (strcmp(word, "help") == 0 && argc == 2)) {
        print_help();
        return CLI_OK;
    }
    if (strcmp(word, "--version") == 0) {
        printf("lthost %s (plugin API %d.%d)\n", LTHOST_VERSION, LTH_API_MAJOR, LTH_API_MINOR);
        return CLI_OK;
    }
    bool wants_help = strcmp(word, "help") == 0;
    if (wants_help)
        word = argv[2];
    for (int i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(word, commands[i].name) != 0)
            continue;
        for (int k = 2; k < argc && strcmp(argv[k], "--") != 0; k++)
            wants_help = wants_help || is_help(argv[k]);
        if (wants_help)
            return printf("usage: lthost %s", commands[i].usage) < 0 ? CLI_ERROR : CLI_OK;
        return commands[i].run(argc - 1, argv + 1);
    }
    return unknown(word);
}

/* A file opened on a closed 0, 1 or 2 would get what is printed. */
static bool open_standard_files(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
            return false;
    return true;
}

int main(int argc, char **argv)
{
    /* The pool of compute threads reads this when a plugin brings it in. Left alone it spins for milliseconds between two
     * pieces of work: where others compute too, a step then takes many times as long. */
    if (!getenv("OMP_WAIT_POLICY"))
        setenv("GOMP_SPINCOUNT", "10000", 0);
    if (!open_standard_files())
        return CLI_ERROR;
    int status = command(argc, argv);
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    fputs("lthost: cannot write to the standard output\n", stderr);
    return status == CLI_OK ? CLI_ERROR : status;
}
