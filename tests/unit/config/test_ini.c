/* SPDX-License-Identifier: Apache-2.0
 * The INI reader: what it takes, and what it says of the rest. */
#include "config/ini.h"
#include "expect.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Writes each item as "[section]@line " or "key=value@line ". */
static void note(void *context, const ini_item *item)
{
    str *out = context;
    if (item->key)
        str_printf(out, "%s<%s>@%d ", item->key, item->value, item->line);
    else
        str_printf(out, "[%s]@%d ", item->section, item->line);
}

static void reads_size(const char *text, size_t size, const char *items, const char *messages, int line)
{
    str seen = { 0 };
    diagnostics d = { 0 };
    lth_status s = ini_read_text("t.ini", text, size, note, &seen, &d);
    cr_assert((s == LTH_OK) == (d.error_count == 0), "line %d: the status agrees with the messages", line);
    cr_assert(!strcmp(str_text(&seen), items), "line %d: expected\n%s\nand got\n%s", line, items, str_text(&seen));
    str_free(&seen);
    expect_messages(&d, messages, line);
}
#define READS(text, items) reads_size(text, strlen(text), items, "", __LINE__)
#define REFUSES(text, items, messages) reads_size(text, strlen(text), items, messages, __LINE__)

Test(ini, reads_sections_keys_and_comments)
{
    READS("", "");
    READS("\n\n", "");
    READS("[a]\nx = 1\ny=2\n[b.c]\n\n; note\n# note\nz =\n", "[a]@1 x<1>@2 y<2>@3 [b.c]@4 z<>@8 ");
    READS("[a]\n[b]\n", "[a]@1 [b]@2 ");
    READS("[ a ]  ; note\nx = 1 ; note\ny = 2 # note\n", "[a]@1 x<1>@2 y<2>@3 ");
    READS("x = 1", "x<1>@1 ");
    READS("\xef\xbb\xbf[a]\r\nx = 1\r\n", "[a]@1 x<1>@2 ");
    READS("[a]\nx = a = b\ny = http://h:1/;c#d\n", "[a]@1 x<a = b>@2 y<http://h:1/;c#d>@3 ");
    READS("[a]\nx = \xc3\xa9\t\xe2\x82\xac\n", "[a]@1 x<\xc3\xa9\t\xe2\x82\xac>@2 ");
}

Test(ini, takes_an_indented_key_for_a_key_and_the_rest_for_more_of_the_value)
{
    READS("[a]\n  x = 1\n  y = 2\n", "[a]@1 x<1>@2 y<2>@3 ");
    READS("[a]\nx = 1,\n    2,\n\t3\ny = 4\n", "[a]@1 x<1, 2, 3>@2 y<4>@5 ");
    READS("[a]\nx =\n  1,\n  ; note\n  2 ; note\n", "[a]@1 x<1, 2>@2 ");
    READS("  [a]\n  x = 1\n  [b]\n", "[a]@1 x<1>@2 [b]@3 ");
    REFUSES("[a]\nx = 1\n\n  2\n", "[a]@1 x<1>@2 ", "t.ini:4: error: expected 'key = value' or '[section]' and not '2'\n");
    REFUSES("[a]\n  2\n", "[a]@1 ", "t.ini:2: error: expected 'key = value' or '[section]' and not '2'\n");
}

Test(ini, keeps_what_quotes_protect)
{
    READS("[a]\nx = \" ; # \" ; note\n", "[a]@1 x<\" ; # \">@2 ");
    READS("[a]\nx = b, \"c ; d\" # note\n", "[a]@1 x<b, \"c ; d\">@2 ");
    READS("[a]\nx = \"say \\\" ; \" ; note\n", "[a]@1 x<\"say \\\" ; \">@2 ");
    READS("[a]\nx = 5\" wide ; note\n", "[a]@1 x<5\" wide>@2 ");
    READS("[a]\nx = \"open ; note\n", "[a]@1 x<\"open>@2 "); /* who reads the value complains */
    READS("[a]\nx =;\ny = a;b\n", "[a]@1 x<;>@2 y<a;b>@3 ");
    REFUSES("[a]\nx = ;\n", "[a]@1 x<>@2 ",
            "t.ini:2: error: 'x' has no value, as ; and # begin a comment: in quotes (\";\") they do not\n");
}

Test(ini, cuts_nothing_however_long)
{
    for (size_t n = 1; n < 20000; n = n < 460 ? n + 1 : n * 2) {
        char *value = malloc(n + 1);
        for (size_t i = 0; i < n; i++)
            value[i] = "ab;#, [=\tc"[i % 10];
        value[0] = value[n - 1] = 'x';
        value[n] = 0;
        str text = { 0 }, items = { 0 };
        str_printf(&text, "[a]\nk = \"%s\"\nshort = 1\n", value);
        str_printf(&items, "[a]@1 k<\"%s\">@2 short<1>@3 ", value);
        reads_size(text.at, text.length, items.at, "", __LINE__);
        str_free(&text);
        str_free(&items);
        free(value);
    }
    /* inih alone would cut these two names at 49 bytes and make one of them. */
    READS("[section.of.a.name.that.is.longer.than.forty.nine.bytes.a]\n"
          "key_of_a_name_that_is_longer_than_forty_nine_bytes_____a = 1\n"
          "  2\n"
          "[section.of.a.name.that.is.longer.than.forty.nine.bytes.b]\n",
          "[section.of.a.name.that.is.longer.than.forty.nine.bytes.a]@1 "
          "key_of_a_name_that_is_longer_than_forty_nine_bytes_____a<1 2>@2 "
          "[section.of.a.name.that.is.longer.than.forty.nine.bytes.b]@4 ");
}

Test(ini, refuses_names_that_are_too_long)
{
    for (int n = INI_NAME_LIMIT - 2; n < INI_NAME_LIMIT + 3; n++) {
        bool right = n <= INI_NAME_LIMIT;
        str text = { 0 }, items = { 0 };
        str_printf(&text, "[%0*d]\n", n, 0);
        str_printf(&items, "[%0*d]@1 ", n, 0);
        reads_size(text.at, text.length, right ? items.at : "",
                   right ? "" : "t.ini:1: error: the section's name is longer than 120 bytes\n", __LINE__);
        str_clear(&text);
        str_clear(&items);
        str_printf(&text, "[a]\n%0*d = %0300d\n", n, 0, 7);
        str_printf(&items, "[a]@1 %0*d<%0300d>@2 ", n, 0, 7);
        reads_size(text.at, text.length, right ? items.at : "[a]@1 ",
                   right ? "" : "t.ini:2: error: the key's name is longer than 120 bytes\n", __LINE__);
        str_free(&text);
        str_free(&items);
    }
}

Test(ini, tells_every_malformed_line_and_goes_on)
{
    REFUSES("[a\nx = 1\n[]\n[b] y = 2\nz\n= 3\nhidden size = 3\nlr: 1\n[c]\nw = 1\n", "[c]@9 w<1>@10 ",
            "t.ini:1: error: a section's line ends in ']': '[a'\n"
            "t.ini:3: error: a section needs a name between '[' and ']'\n"
            "t.ini:4: error: 'y = 2' follows the section [b]; a key belongs on a line of its own\n"
            "t.ini:5: error: expected 'key = value' or '[section]' and not 'z'\n"
            "t.ini:6: error: expected 'key = value' or '[section]' and not '= 3'\n"
            "t.ini:7: error: expected 'key = value' or '[section]' and not 'hidden size = 3'\n"
            "t.ini:8: error: expected 'key = value' or '[section]' and not 'lr: 1'\n");
}

Test(ini, names_both_lines_of_what_is_there_twice)
{
    REFUSES("[a]\nx = 1\ny = 2\nx = 3\n[b]\nx = 1\n[a]\nz = 5\ny = 4\n", "[a]@1 x<1>@2 y<2>@3 [b]@5 x<1>@6 z<5>@8 ",
            "t.ini:4: error: the key 'x' is in this file twice: also in line 2\n"
            "t.ini:7: error: the section [a] is in this file twice: also in line 1\n"
            "t.ini:9: error: the key 'y' is in this file twice: also in line 3\n");
}

Test(ini, stops_at_bytes_that_are_not_text)
{
    reads_size("[a]\nx\0y = 1\n[b]\n", 17, "[a]@1 ",
               "t.ini:2: error: byte 2 (0x00) is a control character; the rest of the file was not read\n", __LINE__);
    REFUSES("[a]\nx = \xff\n", "[a]@1 ", "t.ini:2: error: byte 5 (0xff) is not UTF-8; the rest of the file was not read\n");
    REFUSES("[a]\rx = 1\r", "", "t.ini:1: error: byte 4 (0x0d) is a control character; the rest of the file was not read\n");
    REFUSES("\x7f\x45LF", "", "t.ini:1: error: byte 1 (0x7f) is a control character; the rest of the file was not read\n");
}

Test(ini, gives_up_after_many_mistakes)
{
    str text = { 0 };
    for (int i = 0; i < 1000; i++)
        str_append(&text, "nonsense\n");
    diagnostics d = { 0 };
    cr_assert(ini_read_text("t.ini", text.at, text.length, note, &(str) { 0 }, &d) == LTH_INVALID);
    cr_assert(d.count == 21);
    str_free(&text);
    EXPECT_MENTION(&d, "t.ini:20: error: too many mistakes; the rest of the file was not read\n");
}

Test(ini, says_why_a_file_cannot_be_read)
{
    diagnostics d = { 0 };
    cr_assert(ini_read("/nonexistent/run.ini", note, NULL, &d) == LTH_IO);
    EXPECT_MESSAGES(&d, "error: cannot open '/nonexistent/run.ini': No such file or directory\n");
    cr_assert(ini_read("/", note, NULL, &d) == LTH_IO);
    EXPECT_MESSAGES(&d, "error: cannot read '/': it is a folder\n");
    cr_assert(ini_read("/dev/zero", note, NULL, &d) == LTH_INVALID);
    EXPECT_MENTION(&d, "'/dev/zero' has more than the 16777216 bytes allowed");
    cr_assert(ini_read("/dev/null", note, NULL, &d) == LTH_OK && d.count == 0);

    char path[] = "/tmp/lthost-ini-XXXXXX";
    int fd = mkstemp(path);
    cr_assert(fd >= 0 && !fchmod(fd, 0));
    close(fd);
    lth_status s = geteuid() ? ini_read(path, note, NULL, &d) : LTH_IO; /* root may read all */
    unlink(path);
    cr_assert(s == LTH_IO);
    diagnostics_free(&d);
}
