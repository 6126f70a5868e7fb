/* SPDX-License-Identifier: Apache-2.0
 * cli/run_files.c */
#include "cli/run_files.h"
#include "util/path.h"

#include <stdlib.h>
#include <string.h>

/* section.key=value. A path may hold '=', too: checkpoints are called epoch=3-step=92, and each holds a run file. */
static bool is_override(const char *word)
{
    const char *sign = strchr(word, '='), *slash = strchr(word, '/');
    return sign && !(slash && slash < sign) && !path_exists(word);
}

int run_files_read(int argc, char **argv, cli_list *files, cli_list *overrides)
{
    for (int i = optind; i < argc; i++)
        cli_list_add(is_override(argv[i]) ? overrides : files, argv[i]);
    return files->count > 0 ? CLI_OK : cli_usage_error(argv[0], "needs a run file");
}

void run_files_set(run_args *args, const cli_list *files, const cli_list *overrides, const cli_list *plugin_dirs)
{
    args->files = files->at;
    args->file_count = files->count;
    args->overrides = overrides->at;
    args->override_count = overrides->count;
    args->plugin_dirs = plugin_dirs->at;
    args->plugin_dir_count = plugin_dirs->count;
}

void run_files_free(cli_list *files, cli_list *overrides, cli_list *plugin_dirs)
{
    free(files->at);
    free(overrides->at);
    free(plugin_dirs->at);
}

int run_files_command(int argc, char **argv, int (*body)(const run_args *args))
{
    static const struct option options[] = { { "plugin-dir", required_argument, NULL, 'p' }, { NULL, 0, NULL, 0 } };
    run_args args = { .stage = "fit" };
    cli_list files = { 0 }, overrides = { 0 }, plugin_dirs = { 0 };
    int status = CLI_OK;
    for (int c; status == CLI_OK && (c = cli_getopt(argc, argv, "", options)) != -1;) {
        if (c == 'p')
            cli_list_add(&plugin_dirs, optarg);
        else
            status = CLI_USAGE;
    }
    if (status == CLI_OK)
        status = run_files_read(argc, argv, &files, &overrides);
    if (status == CLI_OK) {
        run_files_set(&args, &files, &overrides, &plugin_dirs);
        status = body(&args);
    }
    run_files_free(&files, &overrides, &plugin_dirs);
    return status;
}
