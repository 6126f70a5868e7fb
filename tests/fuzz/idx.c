/* SPDX-License-Identifier: Apache-2.0
 * Images and labels in IDX format: the input's first byte chooses the options, and whether there are two files or four. */
#include "datamodule.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const options[] = {
        "",
        "scale = false\nval_split = 0\n",
        "normalise = standard\nsplit = last\nval_split = 2\nshift = 2\nflip = 0.5\n",
        "scale = false\nmean = 1\nstd = 2\nnum_classes = 3\n",
    };
    static const char *const files[] = { "images", "labels", "test_images", "test_labels", NULL };
    static const char *const one[] = { "images", "labels", NULL };
    if (size > 0)
        fuzz_datamodule(options[data[0] % 4], data[0] & 4 ? files : one, data + 1, size - 1);
    return 0;
}
