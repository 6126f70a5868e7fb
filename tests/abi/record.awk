# SPDX-License-Identifier: Apache-2.0
# awk -f record.awk layout.h layout_kinds.h values.h HEADER...: every struct of the SDK's headers has its rows in the record, every
# number of an enum its line, and the other way round. rows.c checks that a struct's rows leave out none of its fields.
function wrong(text)
{
    print text > "/dev/stderr"
    failed = 1
}
function note(name)
{
    if (name in recorded)
        wrong(name " is in the record twice")
    recorded[name] = 1
}
function define(name)
{
    defined[name] = FILENAME
    count++
}
# The record.
FILENAME ~ /(layout|layout_kinds|values)\.h$/ {
    if (match($0, /^(TABLE|VALUE|OWN)\([A-Za-z0-9_]+/)) {
        name = substr($0, RSTART, RLENGTH)
        sub(/^.*\(/, "", name)
        note(name)
    }
    next
}
# A header, without its comments.
{
    text = $0
    if (comment && !sub(/^.*\*\//, "", text))
        next
    comment = 0
    gsub(/\/\*[^*]*\*+([^*\/][^*]*\*+)*\//, "", text)
    comment = sub(/\/\*.*$/, "", text)
}
match(text, /struct lth_[a-z0-9_]+ \{/) {
    name = substr(text, RSTART + 7, RLENGTH - 9)
    define(name)
}
/^enum \{/ { listing = 1 }
listing {
    rest = text
    sub(/^enum \{/, "", rest)
    while (match(rest, /LTH_[A-Z0-9_]+ *=/)) {
        name = substr(rest, RSTART, RLENGTH)
        sub(/ *=/, "", name)
        define(name)
        rest = substr(rest, RSTART + RLENGTH)
        sub(/^[^,}]*/, "", rest)
    }
    if (rest ~ /LTH_[A-Z0-9_]+ *(,|$|\})/ && rest !~ /=/)
        wrong(FILENAME ": a number of the ABI is written out: " rest)
    if (text ~ /\}/)
        listing = 0
}
END {
    if (count < 300)
        wrong("only " count " structs and numbers were found: has the headers' form changed?")
    for (name in defined)
        if (!(name in recorded))
            wrong(defined[name] ": " name " has no line in tests/abi: TABLE, VALUE, or OWN where it never crosses the boundary")
    for (name in recorded)
        if (!(name in defined))
            wrong(name " is in the record and in no header")
    exit failed
}
