# SPDX-License-Identifier: Apache-2.0
# awk -v to=FOLDER -f newer.awk HEADER...: the SDK's headers as a later version may have them. Each table that may grow, and each
# row of a list that says its stride, has two more fields at its end; the macros that declare tables fill them with what the host
# must neither call nor believe.
BEGIN {
    split("lth_option lth_component lth_node lth_value lth_region lth_site", names)
    for (i in names)
        grows_by_row[names[i]] = 1
    split("lth_world lth_strategy_args lth_run_result", names) # without a member of 8 bytes; one would raise their alignment
    for (i in names)
        of_words[names[i]] = 1
}
FNR == 1 {
    file = FILENAME
    sub(/^.*\//, "", file)
    file = to "/" file
}
/^(typedef )?struct lth_[a-z_]+ \{/ && !/\}/ {
    name = $0
    sub(/^.*struct /, "", name)
    sub(/ \{.*/, "", name)
    grows = name in grows_by_row
}
name != "" && /struct_size|LTH_COMPONENT_HEAD_/ { grows = name != "lth_component_head" }
/^\}/ {
    if (grows && name in of_words)
        print "    uint32_t later_words_[4];" > file
    else if (grows)
        print "    void (*later_)(void) LTH_ZERO;\n    uint64_t later_word_ LTH_ZERO;" > file
    name = ""
    grows = 0
}
{ sub(/\.struct_size = sizeof\(lth_[a-z_]+\),/, "& .later_ = lth_later_, .later_word_ = 1,") }
{ print > file }
/^#include <stdint.h>/ && file ~ /\/base\.h$/ { print "static inline void lth_later_(void) { __builtin_trap(); }" > file }
