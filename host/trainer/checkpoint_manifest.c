/* SPDX-License-Identifier: Apache-2.0
 * trainer/checkpoint_manifest.c: manifest.json, which vouches for the other files and for itself. */
#include "checkpoint_parts.h"

#include "util/clock.h"
#include "util/file.h"
#include "util/json.h"
#include "util/memory.h"
#include "util/path.h"
#include "util/sha256.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* The last two lines: after them nothing comes, before them lies what the hash is of. */
static const char tail_begin[] = "  \"manifest_sha256\": \"", tail_end[] = "\"\n}\n";
enum { TAIL_SIZE = sizeof tail_begin - 1 + 64 + sizeof tail_end - 1, MANIFEST_LIMIT = 1 << 24 };

/* ---- Writing ---- */

static json_t *plugins_tree(const checkpoint_facts *f)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < f->plugin_count; i++)
        json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "id", f->plugins[i].id, "version", f->plugins[i].version,
                                              "sha256", f->plugins[i].sha256));
    return list;
}

static json_t *files_tree(const checkpoint_manifest *m)
{
    json_t *files = json_object();
    for (uint32_t i = 0; i < m->file_count; i++)
        json_object_set_new(files, m->files[i].name,
                            json_pack("{s:I, s:s}", "size", (json_int_t)m->files[i].size, "sha256", m->files[i].sha256));
    return files;
}

lth_status checkpoint_manifest_render(const checkpoint_manifest *m, char **text, size_t *size, error *e)
{
    const checkpoint_facts *f = &m->facts;
    char created[CLOCK_TEXT_SIZE], hash[SHA256_HEX_SIZE];
    json_t *tree =
        json_pack("{s:i, s:s, s:s, s:I, s:I, s:I, s:b, s:i, s:s, s:o, s:o}", "schema", CHECKPOINT_SCHEMA, "lthost",
                  f->host_version, "created", clock_iso(created), "sequence", (json_int_t)m->sequence, "global_step",
                  (json_int_t)f->global_step, "epoch", (json_int_t)f->epoch, "weights_only", (int)f->weights_only, "world",
                  (int)f->world, "fingerprint", f->fingerprint, "plugins", plugins_tree(f), "files", files_tree(m));
    size_t length = 0;
    char *bare = tree ? json_render(tree, &length) : NULL;
    json_decref(tree);
    if (!bare)
        return error_set(e, LTH_INVALID, "a text of the checkpoint's manifest is not UTF-8");
    str out = { 0 };
    str_append_bytes(&out, bare, length - 3); /* all but "\n}\n" */
    str_append(&out, ",\n");
    free(bare);
    sha256_of(str_text(&out), out.length, hash);
    str_printf(&out, "%s%s%s", tail_begin, hash, tail_end);
    *size = out.length;
    *text = str_take(&out);
    return LTH_OK;
}

/* ---- Reading ---- */

static bool own_hash_fits(const char *text, size_t size)
{
    char expected[TAIL_SIZE + 1], hash[SHA256_HEX_SIZE];
    if (size < TAIL_SIZE)
        return false;
    sha256_of(text, size - TAIL_SIZE, hash);
    snprintf(expected, sizeof expected, "%s%s%s", tail_begin, hash, tail_end);
    return memcmp(text + size - TAIL_SIZE, expected, TAIL_SIZE) == 0;
}

static bool read_files(checkpoint_manifest *m, const json_t *files)
{
    const char *name, *hash;
    json_t *entry;
    json_object_foreach((json_t *)files, name, entry)
    {
        json_int_t size;
        if (m->file_count == sizeof m->files / sizeof *m->files || strchr(name, '/') ||
            json_unpack(entry, "{s:I, s:s}", "size", &size, "sha256", &hash) || strlen(hash) != 64)
            return false;
        checkpoint_file *f = &m->files[m->file_count++];
        f->name = name;
        f->size = size;
        memcpy(f->sha256, hash, 65);
    }
    return true;
}

static bool read_plugins(checkpoint_manifest *m, const json_t *list)
{
    size_t i;
    json_t *entry;
    m->plugins = memory_new((json_array_size(list) + 1) * sizeof *m->plugins);
    json_array_foreach(list, i, entry)
    {
        checkpoint_plugin *p = &m->plugins[i];
        if (json_unpack(entry, "{s:s, s:s, s:s}", "id", &p->id, "version", &p->version, "sha256", &p->sha256))
            return false;
    }
    m->facts.plugins = m->plugins;
    m->facts.plugin_count = (uint32_t)json_array_size(list);
    return true;
}

static bool has_file(const checkpoint_manifest *m, const char *name)
{
    for (uint32_t i = 0; i < m->file_count; i++)
        if (strcmp(m->files[i].name, name) == 0)
            return true;
    return false;
}

static bool read_tree(checkpoint_manifest *m)
{
    json_int_t sequence, step, epoch;
    json_t *plugins, *files;
    int weights_only, world;
    if (json_unpack(m->tree, "{s:s, s:I, s:I, s:I, s:b, s:i, s:s, s:o, s:o}", "lthost", &m->facts.host_version, "sequence",
                    &sequence, "global_step", &step, "epoch", &epoch, "weights_only", &weights_only, "world", &world,
                    "fingerprint", &m->facts.fingerprint, "plugins", &plugins, "files", &files))
        return false;
    m->sequence = sequence;
    m->facts.global_step = step;
    m->facts.epoch = epoch;
    m->facts.weights_only = weights_only;
    m->facts.world = world;
    return read_files(m, files) && read_plugins(m, plugins) && has_file(m, CHECKPOINT_MODEL_FILE) &&
           has_file(m, CHECKPOINT_RUN_FILE) &&
           (weights_only || (has_file(m, CHECKPOINT_OPTIMIZER_FILE) && has_file(m, CHECKPOINT_STATE_FILE)));
}

static lth_status read_checked(checkpoint_manifest *m, const char *path, const char *text, size_t size, error *e)
{
    int schema = -1;
    const char *wrote = "";
    if (!own_hash_fits(text, size))
        return error_set(e, LTH_INVALID, "'%s' is damaged: its own SHA-256 does not fit", path);
    lth_status status = json_read_text(text, size, path, &m->tree, e);
    if (status)
        return status;
    json_unpack(m->tree, "{s:i}", "schema", &schema);
    if (schema > CHECKPOINT_SCHEMA)
        return error_set(e, LTH_UNSUPPORTED, "'%s' has schema %d; this lthost knows schemas up to %d: use a newer one", path,
                         schema, CHECKPOINT_SCHEMA);
    json_unpack(m->tree, "{s:s}", "lthost", &wrote);
    if (schema >= 0 && schema < CHECKPOINT_SCHEMA)
        return error_set(e, LTH_UNSUPPORTED, "'%s' has schema %d; this lthost reads schema %d: use the one that wrote it (%s)",
                         path, schema, CHECKPOINT_SCHEMA, wrote);
    return schema == CHECKPOINT_SCHEMA && read_tree(m) ? LTH_OK
                                                       : error_set(e, LTH_INVALID, "'%s' is not a checkpoint's manifest", path);
}

lth_status checkpoint_manifest_read(const char *folder, checkpoint_manifest *out, error *e)
{
    *out = (checkpoint_manifest) { 0 };
    char *path = path_join(folder, CHECKPOINT_MANIFEST_FILE), *text = NULL;
    size_t size = 0;
    struct stat st;
    lth_status status;
    if (stat(path, &st) && (errno == ENOENT || errno == ENOTDIR))
        status = error_set(e, LTH_INVALID, "'%s' is missing", path);
    else
        status = file_read(path, MANIFEST_LIMIT, &text, &size, e);
    if (!status)
        status = read_checked(out, path, text, size, e);
    if (status)
        checkpoint_manifest_free(out);
    free(text);
    free(path);
    return status;
}

void checkpoint_manifest_free(checkpoint_manifest *m)
{
    json_decref(m->tree);
    free(m->plugins);
    *m = (checkpoint_manifest) { 0 };
}

static lth_status verify_file(const checkpoint_file *f, const char *path, error *e)
{
    struct stat st;
    char hash[SHA256_HEX_SIZE];
    if (stat(path, &st))
        return error_set(e, errno == ENOENT ? LTH_INVALID : LTH_IO, "'%s': %s", path,
                         errno == ENOENT ? "the file is missing" : strerror(errno));
    if (!S_ISREG(st.st_mode) || st.st_size != f->size)
        return error_set(e, LTH_INVALID, "'%s' has %lld bytes; the manifest says %lld", path, (long long)st.st_size,
                         (long long)f->size);
    lth_status status = sha256_of_file(path, hash, e);
    if (!status && strcmp(hash, f->sha256) != 0)
        status = error_set(e, LTH_INVALID, "'%s' is damaged: its SHA-256 is %s; the manifest says %s", path, hash, f->sha256);
    return status;
}

lth_status checkpoint_manifest_verify(const checkpoint_manifest *m, const char *folder, error *e)
{
    lth_status status = LTH_OK;
    for (uint32_t i = 0; i < m->file_count && !status; i++) {
        char *path = path_join(folder, m->files[i].name);
        status = verify_file(&m->files[i], path, e);
        free(path);
    }
    return status;
}
