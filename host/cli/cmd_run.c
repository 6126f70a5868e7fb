/* SPDX-License-Identifier: Apache-2.0
 * lthost run, fit, validate, test, predict: a run file's stages, or one of them. */
#include "cli/cli.h"
#include "cli/run_files.h"

#include <stdlib.h>
#include <string.h>

enum { RESUME = 256, CKPT, EAGER, NO_FUSION, PLUGIN_DIR, JSON, PROFILE, VERBOSE };

static const struct option options[] = {
    { "resume", required_argument, NULL, RESUME },
    { "ckpt", required_argument, NULL, CKPT },
    { "eager", no_argument, NULL, EAGER },
    { "no-fusion", no_argument, NULL, NO_FUSION },
    { "plugin-dir", required_argument, NULL, PLUGIN_DIR },
    { "json", no_argument, NULL, JSON },
    { "profile", no_argument, NULL, PROFILE },
    { "verbose", no_argument, NULL, VERBOSE },
    { NULL, 0, NULL, 0 },
};

/* CLI_OK: go on; else the exit status. */
static int read_options(int argc, char **argv, run_args *args, cli_list *plugin_dirs)
{
    for (int c; (c = cli_getopt(argc, argv, "", options)) != -1;) {
        switch (c) {
        case RESUME:
            args->resume = optarg;
            break;
        case CKPT:
            args->ckpt = optarg;
            break;
        case EAGER:
            args->eager = true;
            break;
        case NO_FUSION:
            args->no_fusion = true;
            break;
        case PLUGIN_DIR:
            cli_list_add(plugin_dirs, optarg);
            break;
        case JSON:
            args->json = true;
            break;
        case VERBOSE:
            args->verbose = true;
            break;
        case PROFILE:
            args->profile = true;
            break;
        default:
            return CLI_USAGE;
        }
    }
    return CLI_OK;
}

int cmd_run(int argc, char **argv)
{
    run_args args = { .stage = strcmp(argv[0], "run") == 0 ? NULL : argv[0] };
    cli_list files = { 0 }, overrides = { 0 }, plugin_dirs = { 0 };
    int status = read_options(argc, argv, &args, &plugin_dirs);
    bool fits = !args.stage || strcmp(args.stage, "fit") == 0;
    if (status == CLI_OK && args.resume && !fits)
        status = cli_usage_error(argv[0], "--resume is for fit; --ckpt says which checkpoint to %s", argv[0]);
    else if (status == CLI_OK && args.ckpt && args.stage && fits)
        status = cli_usage_error(argv[0], "--ckpt is for validate, test and predict; --resume goes on with a fit");
    else if (status == CLI_OK)
        status = run_files_read(argc, argv, &files, &overrides);
    if (status == CLI_OK) {
        run_files_set(&args, &files, &overrides, &plugin_dirs);
        status = run_stages(&args);
    }
    run_files_free(&files, &overrides, &plugin_dirs);
    return status;
}
