/* SPDX-License-Identifier: Apache-2.0
 * util/sha256_blocks.h: whole blocks of SHA-256 by the processor's own instructions, where it has them. [any] */
#ifndef UTIL_SHA256_BLOCKS_H
#define UTIL_SHA256_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool sha256_blocks_usable(void);
/* Takes `count` blocks of 64 bytes into the state, eight words in the machine's order. Only where it is usable. */
void sha256_blocks(uint32_t state[8], const unsigned char *data, size_t count);

#endif
