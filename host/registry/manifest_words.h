/* SPDX-License-Identifier: Apache-2.0
 * registry/manifest_words.h: the words for numbers in a manifest; each table ends with a NULL. */
#ifndef REGISTRY_MANIFEST_WORDS_H
#define REGISTRY_MANIFEST_WORDS_H

#include <stdint.h>

typedef struct manifest_word {
    const char *word;
    uint32_t value;
} manifest_word;

extern const manifest_word manifest_types[], manifest_option_flags[], manifest_component_flags[];

/* "int" for LTH_OPTION_INT; NULL for an unknown type. */
const char *manifest_type_word(uint32_t type);

#endif
