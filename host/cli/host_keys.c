/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

void cli_host_keys(const descriptor_host_keys **keys, size_t *count)
{
    *keys = NULL;
    *count = 0;
}
