/* SPDX-License-Identifier: Apache-2.0
 * The file that comes with the plugin digits; the input's first byte chooses the options. */
#include "datamodule.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const options[] = { "", "layout = tokens\nsplit = last\ntest_fraction = 0.25\n", "layout = image\n" };
    static const char *const files[] = { NULL };
    if (size == 0)
        return 0;
    fuzz_write("digits.csv.gz", data + 1, size - 1);
    fuzz_datamodule(options[data[0] % 3], files, NULL, 0);
    return 0;
}
