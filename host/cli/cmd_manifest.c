/* SPDX-License-Identifier: Apache-2.0
 * lthost manifest: what a build calls to write plugin.ini. It loads the library into this process, as a process of its
 * own is what shields the host from a library that nobody has looked at yet. */
#include "cli/cli.h"
#include "registry/descriptor.h"
#include "registry/library.h"
#include "util/file.h"
#include "util/path.h"
#include "util/sha256.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Fills everything of the arguments that comes from the file alone, then loads it. */
static lth_status load(const char *path, descriptor_args *args, char hash[SHA256_HEX_SIZE], error *e)
{
    if (library_arch(path, &args->arch, e) != LTH_OK || sha256_of_file(path, hash, e) != LTH_OK)
        return e->status;
    if (strcmp(args->arch, library_host_arch()) != 0)
        return error_set(e, LTH_INVALID, "'%s' is for %s, this machine is %s", path, args->arch, library_host_arch());
    args->library = path_base(path);
    args->sha256 = hash;
    return library_load(path, &args->descriptor, e);
}

static lth_status write_manifest(const manifest *m, const char *output, error *e)
{
    str text = { 0 };
    manifest_write(&text, m);
    if (output)
        file_write_atomic(output, str_text(&text), text.length, e);
    else
        fwrite(str_text(&text), 1, text.length, stdout); /* main looks at what became of it */
    str_free(&text);
    return e->status;
}

static int manifest_of(const char *library, const char *output)
{
    diagnostics d = { 0 };
    arena memory = { 0 };
    error e = { 0 };
    descriptor_args args = { .descriptor = NULL };
    char hash[SHA256_HEX_SIZE], *path = NULL;
    manifest m;
    cli_host_keys(&args.host_keys, &args.host_key_count);
    if (path_real(library, &path, &e) == LTH_OK && load(path, &args, hash, &e) == LTH_OK &&
        descriptor_read(&args, &m, &memory, &d) == LTH_OK)
        write_manifest(&m, output, &e);
    if (e.status != LTH_OK)
        diagnostics_add(&d, NULL, 0, &e);
    int status = diagnostics_status(&d) == LTH_OK ? CLI_OK : CLI_ERROR;
    diagnostics_print(&d, stderr);
    diagnostics_free(&d);
    arena_free(&memory);
    free(path);
    return status;
}

int cmd_manifest(int argc, char **argv)
{
    static const struct option options[] = { { "output", required_argument, NULL, 'o' }, { NULL, 0, NULL, 0 } };
    const char *output = NULL;
    for (int c; (c = cli_getopt(argc, argv, "o:", options)) != -1;) {
        if (c != 'o')
            return CLI_USAGE;
        output = optarg;
    }
    if (argc - optind != 1)
        return cli_usage_error("manifest", "needs one library");
    return manifest_of(argv[optind], output);
}
