/* SPDX-License-Identifier: Apache-2.0 */
#include "help.h"

#include "util/file.h"
#include "util/path.h"
#include "util/sha256.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(checkpoint, .init = make_folder, .fini = remove_folder);

static const char *const files[] = { "model.safetensors", "optimizer.safetensors", "state.json", "run.ini", "manifest.json" };

static const char *file_of(const char *name, const char *file)
{
    char part[256];
    snprintf(part, sizeof part, "checkpoints/%s/%s", name, file);
    return in_folder(part);
}

static const char *path_of(const char *name)
{
    char part[256];
    snprintf(part, sizeof part, "checkpoints/%s", name);
    return in_folder(part);
}

/* Saves "step=10", "step=20", ... */
static checkpoint_dir *save_some(int count)
{
    checkpoint_dir *d = open_dir();
    for (int i = 1; i <= count; i++) {
        char name[32];
        error e = { 0 };
        snprintf(name, sizeof name, "step=%d", 10 * i);
        cr_assert_eq(save_one(d, name, 10 * i, false, &e), LTH_OK, "%s", e.text);
    }
    return d;
}

static void damage(const char *name, const char *file)
{
    size_t size;
    char *data = read_bytes(file_of(name, file), &size);
    data[size / 2] ^= 4;
    write_bytes(file_of(name, file), data, size);
    free(data);
}

static int64_t open_step(const char *which, bool resume, bool quarantine)
{
    checkpoint *c;
    error e = { 0 };
    cr_assert_eq(open_which(which, resume, quarantine, &c, &e), LTH_OK, "%s", e.text);
    int64_t step = check_whole(c);
    checkpoint_close(c);
    return step;
}

Test(checkpoint, comes_back_as_it_was_by_last_by_best_and_by_path)
{
    checkpoint_dir *d = save_some(3);
    error e = { 0 };
    cr_assert_eq(checkpoint_set_best(d, "step=20", &e), LTH_OK, "%s", e.text);
    cr_assert_eq(open_step("last", true, true), 30);
    cr_assert_eq(open_step("best", true, true), 20);
    cr_assert_eq(open_step(path_of("step=10"), true, true), 10);
    cr_assert_eq(open_step(path_of("last"), true, true), 30, "the link is a path too");
    cr_assert_eq(open_step(file_of("step=10", "model.safetensors"), true, true), 10, "a file of it");
    cr_assert_eq(open_step(folder, true, true), 30, "the run's folder");
    cr_assert_str_eq(warnings, "");
    checkpoint *c;
    cr_assert_eq(open_which("last", true, true, &c, &e), LTH_OK);
    cr_assert_str_eq(checkpoint_name(c), "step=30");
    cr_assert_str_eq(checkpoint_path(c), path_of("step=30"));
    checkpoint_close(c);
    checkpoint_dir_close(d);
}

Test(checkpoint, a_flipped_bit_in_any_byte_of_any_file_is_caught)
{
    checkpoint_dir_close(save_some(1));
    int flips = 0;
    for (int i = 0; i < 5; i++) {
        size_t size;
        char *data = read_bytes(file_of("step=10", files[i]), &size);
        int fd = open(file_of("step=10", files[i]), O_WRONLY);
        for (size_t at = 0; at < size; at++, flips++) {
            char flipped = (char)(data[at] ^ 1 << at % 8);
            cr_assert_eq(pwrite(fd, &flipped, 1, (off_t)at), 1);
            checkpoint *c;
            error e = { 0 };
            cr_assert_eq(open_which(path_of("step=10"), true, false, &c, &e), LTH_INVALID, "%s, byte %zu: %s", files[i], at,
                         e.text);
            cr_assert(strstr(e.text, files[i]), "%s: '%s'", files[i], e.text);
            cr_assert_eq(pwrite(fd, data + at, 1, (off_t)at), 1);
        }
        close(fd);
        free(data);
    }
    cr_assert_gt(flips, 1500);
    cr_assert_eq(open_step(path_of("step=10"), true, false), 10, "as it was, it is whole again");
}

Test(checkpoint, a_file_that_is_longer_shorter_or_gone_is_caught)
{
    checkpoint_dir_close(save_some(1));
    for (int i = 0; i < 5; i++)
        for (int how = 0; how < 4; how++) {
            const char *path = file_of("step=10", files[i]);
            size_t size;
            char *data = read_bytes(path, &size);
            if (how < 3)
                write_bytes(path, data, how == 0 ? size - 1 : how == 1 ? 0 : size + 1);
            else
                unlink(path);
            checkpoint *c;
            error e = { 0 };
            cr_assert_eq(open_which(path_of("step=10"), true, false, &c, &e), LTH_INVALID, "%s: %s", files[i], e.text);
            write_bytes(path, data, size);
            free(data);
        }
    cr_assert_eq(open_step("last", true, false), 10);
}

Test(checkpoint, last_passes_over_damaged_ones_loudly_and_puts_them_aside)
{
    checkpoint_dir *d = save_some(4);
    damage("step=40", "model.safetensors");
    damage("step=30", "manifest.json");
    cr_assert_eq(open_step("last", true, false), 20, "a process that does not own the run");
    cr_assert(strstr(warnings, "'step=40' is damaged and is passed over: ") && strstr(warnings, "'step=30' is damaged"), "%s",
              warnings);
    cr_assert(path_exists(path_of("step=40")), "changes nothing");
    cr_assert_eq(open_step("last", true, true), 20);
    cr_assert(strstr(warnings, "it is now 'step=40.corrupt'"), "%s", warnings);
    cr_assert(path_exists(path_of("step=40.corrupt")) && path_exists(path_of("step=30.corrupt")) &&
              !path_exists(path_of("step=40")));
    cr_assert_eq(open_step("last", true, true), 20);
    cr_assert_str_eq(warnings, "", "once is enough");

    error e = { 0 };
    cr_assert_eq(save_one(d, "step=40", 40, false, &e), LTH_OK, "its name is free again");
    damage("step=40", "state.json");
    cr_assert_eq(open_step("last", true, true), 20);
    cr_assert(path_exists(path_of("step=40.corrupt-2")));
    checkpoint_dir_close(d);
}

Test(checkpoint, a_damaged_one_that_was_asked_for_by_name_is_an_error)
{
    checkpoint_dir *d = save_some(2);
    checkpoint *c;
    error e = { 0 };
    checkpoint_set_best(d, "step=20", NULL);
    damage("step=20", "optimizer.safetensors");
    cr_assert_eq(open_which(path_of("step=20"), true, true, &c, &e), LTH_INVALID);
    cr_assert(strstr(e.text, "optimizer.safetensors' is damaged: its SHA-256 is"), "%s", e.text);
    error_clear(&e);
    cr_assert_eq(open_which("best", true, true, &c, &e), LTH_INVALID);
    cr_assert(strstr(e.text, "the best checkpoint cannot be used"), "%s", e.text);
    cr_assert(path_exists(path_of("step=20")));
    error_clear(&e);
    damage("step=10", "run.ini");
    cr_assert_eq(open_which("last", true, true, &c, &e), LTH_INVALID, "all gone is not the same as none yet");
    cr_assert(strstr(e.text, "2 are damaged"), "%s", e.text);
    checkpoint_dir_close(d);
}

Test(checkpoint, where_there_is_none_that_is_told)
{
    checkpoint *c;
    error e = { 0 };
    cr_assert_eq(open_which("last", true, true, &c, &e), LTH_END);
    error_clear(&e);
    cr_assert_eq(open_which("best", true, true, &c, &e), LTH_END);
    error_clear(&e);
    cr_assert_eq(open_which(path_of("step=10"), true, true, &c, &e), LTH_INVALID);
    cr_assert(strstr(e.text, "there is no checkpoint") && strstr(e.text, "step=10"), "%s", e.text);
    checkpoint_list list;
    cr_assert_eq(checkpoint_list_read(in_folder("checkpoints"), &list, &e), LTH_OK);
    cr_assert_eq(list.count, 0);
    checkpoint_list_free(&list);
}

Test(checkpoint, of_weights_only_starts_a_model_but_does_not_resume_a_run)
{
    checkpoint_dir *d = save_some(1);
    error e = { 0 };
    cr_assert_eq(save_one(d, "weights", 50, true, &e), LTH_OK, "%s", e.text);
    cr_assert(!path_exists(file_of("weights", "state.json")) && !path_exists(file_of("weights", "optimizer.safetensors")));
    cr_assert_eq(open_step("last", true, true), 10, "no resume point, so not the last one");
    cr_assert_eq(open_step("last", false, true), 50);
    cr_assert_eq(open_step(path_of("weights"), false, true), 50);
    checkpoint *c;
    cr_assert_eq(open_which(path_of("weights"), true, true, &c, &e), LTH_INVALID);
    cr_assert(strstr(e.text, "weights only"), "%s", e.text);
    char target[64] = { 0 };
    cr_assert_gt(readlink(path_of("last"), target, sizeof target - 1), 0);
    cr_assert_str_eq(target, "step=10");
    checkpoint_dir_close(d);
}

Test(checkpoint, the_last_is_the_one_written_last_not_the_one_of_the_highest_step)
{
    checkpoint_dir_close(save_some(3));
    checkpoint_dir *d = open_dir(); /* another process, resumed from step 10 */
    error e = { 0 };
    cr_assert_eq(save_one(d, "step=15", 15, false, &e), LTH_OK);
    cr_assert_eq(open_step("last", true, true), 15);
    checkpoint_list list;
    cr_assert_eq(checkpoint_list_read(in_folder("checkpoints"), &list, &e), LTH_OK);
    const int64_t steps[] = { 10, 15, 20, 30 };
    cr_assert_eq(list.count, 4);
    for (int i = 0; i < 4; i++) {
        cr_assert_eq(list.at[i].global_step, steps[i]);
        cr_assert_eq(list.at[i].is_last, steps[i] == 15);
        cr_assert(!list.at[i].is_best);
    }
    checkpoint_list_free(&list);
    checkpoint_dir_close(d);
}

Test(checkpoint, is_removed_as_a_whole_with_the_links_to_it)
{
    checkpoint_dir *d = save_some(2);
    error e = { 0 };
    checkpoint_set_best(d, "step=10", &e);
    cr_assert_eq(checkpoint_remove(d, "step=10", &e), LTH_OK, "%s", e.text);
    cr_assert(!path_exists(path_of("step=10")) && !checkpoint_exists(d, "step=10"));
    struct stat st;
    cr_assert_neq(lstat(path_of("best"), &st), 0, "no link is left hanging");
    cr_assert_eq(lstat(path_of("last"), &st), 0);
    cr_assert_eq(checkpoint_remove(d, "step=10", &e), LTH_OK, "absent is fine");
    cr_assert_eq(open_step("last", true, true), 20);
    checkpoint_dir_close(d);
}

Test(checkpoint, a_name_is_one_component_and_not_taken)
{
    checkpoint_dir *d = save_some(1);
    char long_name[300];
    memset(long_name, 'x', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = 0;
    const char *const wrong[] = {
        "", ".", "..", "a/b", "../a", ".hidden", "last", "best", "a.corrupt", "a.corrupt-2", long_name
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        error e = { 0 };
        cr_assert_eq(save_one(d, wrong[i], 1, false, &e), LTH_INVALID, "%s", wrong[i]);
        cr_assert_eq(checkpoint_remove(d, wrong[i], NULL), LTH_INVALID);
        cr_assert_eq(checkpoint_set_best(d, wrong[i], NULL), LTH_INVALID);
    }
    error e = { 0 };
    cr_assert_eq(save_one(d, "step=10", 99, false, &e), LTH_INVALID);
    cr_assert(strstr(e.text, "'step=10' exists already"), "%s", e.text);
    cr_assert_eq(open_step("last", true, true), 10, "and it stays what it was");
    checkpoint_dir_close(d);
}

Test(checkpoint, half_written_and_half_removed_folders_are_cleared_and_never_taken_for_whole)
{
    checkpoint_dir_close(save_some(1));
    cr_assert_eq(mkdir(path_of(".writing-step=20"), 0777), 0);
    write_bytes(file_of(".writing-step=20", "model.safetensors"), "half", 4);
    cr_assert_eq(rename(path_of("step=10"), path_of(".removing-step=10")), 0);
    checkpoint *c;
    error e = { 0 };
    cr_assert_eq(open_which("last", true, true, &c, &e), LTH_END);
    checkpoint_dir_close(open_dir());
    cr_assert(!path_exists(path_of(".writing-step=20")) && !path_exists(path_of(".removing-step=10")));
}

Test(checkpoint, of_another_schema_is_refused_by_name_and_left_alone)
{
    static const struct {
        char schema;
        const char *says[2];
    } cases[] = { { '9', { "schema 9", "use a newer one" } }, { '0', { "schema 0", "use the one that wrote it (0.1.0)" } } };
    checkpoint_dir_close(save_some(2));
    for (int i = 0; i < 2; i++) {
        const char *path = file_of("step=20", "manifest.json");
        size_t size;
        char *text = read_bytes(path, &size), hash[SHA256_HEX_SIZE], *hash_at = strstr(text, "  \"manifest_sha256\": \"");
        strstr(text, "\"schema\": ")[10] = cases[i].schema;
        sha256_of(text, (size_t)(hash_at - text), hash);
        memcpy(hash_at + 22, hash, 64);
        write_bytes(path, text, size);
        free(text);
        checkpoint *c;
        error e = { 0 };
        cr_assert_eq(open_which("last", true, true, &c, &e), LTH_UNSUPPORTED, "%s", e.text);
        cr_assert(strstr(e.text, cases[i].says[0]) && strstr(e.text, cases[i].says[1]), "%s", e.text);
        cr_assert(path_exists(path_of("step=20")));
    }
}

Test(checkpoint, equal_runs_give_equal_files)
{
    checkpoint_dir *d = open_dir();
    error e = { 0 };
    cr_assert(!save_one(d, "a", 10, false, &e) && !save_one(d, "b", 10, false, &e), "%s", e.text);
    for (int i = 0; i < 4; i++) {
        char a[SHA256_HEX_SIZE], b[SHA256_HEX_SIZE];
        sha256_of_file(file_of("a", files[i]), a, &e);
        sha256_of_file(file_of("b", files[i]), b, &e);
        cr_assert_str_eq(a, b);
    }
    checkpoint_dir_close(d);
}

Test(checkpoint, snapshots_use_their_memory_again)
{
    checkpoint_snapshot *s = checkpoint_snapshot_new();
    fill_snapshot(s, 1, false);
    fill_snapshot(s, 2, false);
    size_t size = checkpoint_snapshot_size(s);
    for (int i = 0; i < 50; i++)
        fill_snapshot(s, i, i % 3 == 0);
    cr_assert_eq(checkpoint_snapshot_size(s), size);
    checkpoint_snapshot_free(s);
    checkpoint_snapshot_free(NULL);
}

Test(checkpoint, a_components_mistake_names_its_section)
{
    checkpoint_snapshot *s = checkpoint_snapshot_new();
    fill_snapshot(s, 1, false);
    error e = { 0 };
    lth_writer *w = checkpoint_snapshot_component(s, "callback.best", 0);
    lth_put_i64(w, "a", 1);
    lth_put_f64(w, "a", 2);
    cr_assert_eq(checkpoint_snapshot_component_end(s, &e), LTH_INVALID);
    cr_assert_str_eq(e.text, "[callback.best] cannot keep its state: the key 'a' is written twice");
    error_clear(&e);
    checkpoint_snapshot_component(s, "callback.c", 0);
    cr_assert_eq(checkpoint_snapshot_component_end(s, &e), LTH_INVALID);
    cr_assert_str_eq(e.text, "[callback.c] cannot keep its state: its state is kept already");
    checkpoint_snapshot_free(s);
}

Test(checkpoint, another_fingerprint_is_told_word_by_word)
{
    const struct {
        const char *then, *now, *says;
    } cases[] = {
        { "cpu avx2 threads=2", "cpu avx2 threads=2", "" },
        { "cpu avx2 threads=2", "cpu avx512 threads=4", "avx2 then, avx512 now; threads: 2 then, 4 now" },
        { "cpu threads=2", "cpu  threads=2 onednn=2.6.3", "onednn: not known then, 2.6.3 now" },
        { "cpu threads=2 onednn=2.6.3", "reference",
          "cpu then, reference now; threads: 2 then, not known now; onednn: 2.6.3 then, not known now" },
        { "", "cpu", "not known then, cpu now" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        str text = { 0 };
        checkpoint_fingerprint_difference(cases[i].then, cases[i].now, &text);
        cr_assert_str_eq(str_text(&text), cases[i].says);
        str_free(&text);
    }
}
