/* SPDX-License-Identifier: Apache-2.0
 * Tables: the input's first byte chooses the options; then the file, one to validate with, one to predict. */
#include "datamodule.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const options[] = {
        "target = y\n",
        "target = y\ntask = regression\nnormalise = standard\n",
        "target = y, z\ntask = regression\nfeatures = a, b\n",
        "target = 1\nheader = false\ndelimiter = semicolon\nsplit = last\ntest_fraction = 0.25\n",
        "target = y\ndelimiter = tab\nval_fraction = 0\nnormalise = standard\n",
    };
    static const char *const files[] = { "path", "val_path", "predict_path", NULL };
    if (size > 0)
        fuzz_datamodule(options[data[0] % (sizeof options / sizeof *options)], files, data + 1, size - 1);
    return 0;
}
