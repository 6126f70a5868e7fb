/* SPDX-License-Identifier: Apache-2.0
 * Texts: the input's first byte chooses the options; then the text, one to validate with, one to test with. */
#include "datamodule.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const options[] = {
        "context = 4\n",
        "context = 3\nvocabulary = bytes\nwindows = contiguous\nval_split = 0\n",
        "context = 2\nepoch_windows = 5\nprompt = a\nsamples = 3\n",
    };
    static const char *const files[] = { "path", "val_path", "test_path", NULL };
    if (size > 0)
        fuzz_datamodule(options[data[0] % 3], files, data + 1, size - 1);
    return 0;
}
