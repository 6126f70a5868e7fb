/* SPDX-License-Identifier: Apache-2.0
 * From a manifest to a table of functions. */
#include "registry/descriptor.h"
#include "registry/library.h"
#include "registry/registry_private.h"
#include "util/path.h"
#include "util/sha256.h"

#include <stdlib.h>
#include <string.h>

/* What the file itself says, before its constructors run. */
static lth_status check_file(const registry_plugin *p, const char *path, error *e)
{
    const char *arch;
    char hash[SHA256_HEX_SIZE];
    if (library_check_trust(path, e) != LTH_OK || library_arch(path, &arch, e) != LTH_OK)
        return e->status;
    if (strcmp(arch, library_host_arch()) != 0)
        return error_set(e, LTH_INVALID, "'%s' is for %s, this machine is %s", path, arch, library_host_arch());
    if (sha256_of_file(path, hash, e) != LTH_OK)
        return e->status;
    if (strcmp(hash, p->manifest.sha256) != 0)
        return error_set(e, LTH_INVALID,
                         "'%s' is not the library that its manifest was written for (the SHA-256 differs): if you built it "
                         "again, write the manifest again: lthost manifest '%s' --output '%s/" MANIFEST_FILE "'",
                         path, path, p->dir);
    return LTH_OK;
}

/* What the library says of itself must be what the manifest says of it. */
static lth_status check_descriptor(const registry_plugin *p, const lth_plugin *descriptor, const char *path, error *e)
{
    arena memory = { 0 };
    diagnostics d = { 0 };
    manifest m;
    const descriptor_args args = { .descriptor = descriptor, .library = p->manifest.library, .arch = p->manifest.arch,
                                   .sha256 = p->manifest.sha256 };
    if (descriptor_read(&args, &m, &memory, &d) != LTH_OK)
        error_set(e, LTH_INVALID, "'%s': %s", path, d.at[0].text);
    else if (manifest_same(&p->manifest, &m, e) != LTH_OK)
        error_prefix(e, "'%s/" MANIFEST_FILE "' does not describe its library: ", p->dir);
    diagnostics_free(&d);
    arena_free(&memory);
    return e->status;
}

static lth_status load_plugin(struct own_plugin *own, error *e)
{
    const registry_plugin *p = &own->plugin;
    if (own->descriptor)
        return LTH_OK;
    if (p->problem)
        return error_set(e, LTH_INVALID, "%s", p->problem);
    char *joined = path_join(p->dir, p->manifest.library), *path = NULL;
    const lth_plugin *descriptor = NULL;
    if (path_real(joined, &path, e) == LTH_OK && check_file(p, path, e) == LTH_OK &&
        library_load(path, &descriptor, e) == LTH_OK && check_descriptor(p, descriptor, path, e) == LTH_OK)
        own->descriptor = descriptor;
    free(joined);
    free(path);
    return own->descriptor ? LTH_OK : e->status;
}

lth_status registry_load(registry *r, const registry_component *c, const lth_component_head **table, error *e)
{
    struct own_component *own = (struct own_component *)r->components[((const struct own_component *)c)->index];
    struct own_plugin *plugin = (struct own_plugin *)(registry_plugin *)c->plugin;
    *table = NULL;
    if (!own->table) {
        error local = { 0 };
        if (load_plugin(plugin, &local) != LTH_OK)
            return error_set(e, local.status, "cannot load the %s '%s': %s", c->kind->name, c->id, local.text);
        own->table = descriptor_copy_table(descriptor_find(plugin->descriptor, c->kind->interface, c->id), c->kind, &r->memory);
    }
    *table = own->table;
    return LTH_OK;
}
