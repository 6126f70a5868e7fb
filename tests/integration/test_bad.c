/* SPDX-License-Identifier: Apache-2.0
 * The catalogue of bad input: bad/<subject>.txt. Each case gives its one message, ends with its exit status, and leaves nothing
 * behind. */
#include "integration/bad_case.h"

#include <criterion/criterion.h>

/* least: so many cases there are, that none is lost unseen. */
static void run_all(const char *subject, size_t least)
{
    bad_file f;
    bad_file_read(&f, subject);
    cr_assert_geq(f.count, least, "%s: %zu cases", f.path, f.count);
    for (size_t i = 0; i < f.count; i++)
        bad_case_run(&f, &f.cases[i]);
    bad_file_free(&f);
}

Test(bad, command_lines) { run_all("command_lines", 18); }
Test(bad, run_files) { run_all("run_files", 47); }
Test(bad, manifests) { run_all("manifests", 22); }
Test(bad, plugins) { run_all("plugins", 12); }
Test(bad, checkpoints) { run_all("checkpoints", 21); }
Test(bad, safetensors) { run_all("safetensors", 17); }
Test(bad, weights) { run_all("weights", 6); }
Test(bad, csv) { run_all("csv", 25); }
Test(bad, idx) { run_all("idx", 19); }
Test(bad, text) { run_all("text", 8); }
Test(bad, digits) { run_all("digits", 6); }
