/* SPDX-License-Identifier: Apache-2.0
 * A plugin's manifest, which is written back and read again where this host knows all kinds in it. */
#include "target.h"

#include "registry/manifest.h"

static bool all_known(const manifest *m)
{
    for (uint32_t i = 0; i < m->component_count; i++)
        if (!m->components[i].kind)
            return false;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    arena memory = { 0 };
    diagnostics d = { 0 };
    manifest first, second;
    lth_status status = manifest_read(fuzz_file(0, data, size), &first, &memory, &d);
    FUZZ_CHECK((status == LTH_OK) == (d.error_count == 0));
    if (status == LTH_OK && all_known(&first)) {
        str text = { 0 };
        error e = { 0 };
        manifest_write(&text, &first);
        FUZZ_CHECK(manifest_read(fuzz_file(1, str_text(&text), text.length), &second, &memory, &d) == LTH_OK);
        FUZZ_CHECK(manifest_same(&first, &second, &e) == LTH_OK);
        status = manifest_check_api(first.id, first.version, first.api_major, first.api_min_minor, &e);
        FUZZ_CHECK((status == LTH_OK) == (e.text[0] == 0));
        str_free(&text);
    }
    diagnostics_free(&d);
    arena_free(&memory);
    return 0;
}
