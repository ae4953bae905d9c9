#!/bin/sh
# SPDX-License-Identifier: MIT
# Holds a kernel's .config against what was asked for: kconfig drops an option whose parent is
# missing without a word. With the kernel's source tree it also says which parent that is.
set -eu

[ $# -eq 2 ] || [ $# -eq 3 ] || {
    echo "usage: check-config.sh FRAGMENT CONFIG [SOURCE-TREE]" >&2
    exit 64
}
for file in "$1" "$2" "${3:+$3/Kconfig}"; do
    [ -z "$file" ] || [ -r "$file" ] || {
        echo "check-config.sh: cannot read $file" >&2
        exit 66
    }
done

# shellcheck disable=SC2016
exec awk -v fragment="$1" -v config="$2" -v tree="${3:-}" '
# ---- which option needs what: the tree of Kconfig files, with the blocks around each option ----

function condition(line) {
    sub(/^(depends on|if)[ \t]+/, "", line)
    sub(/#.*/, "", line)
    return " " line
}
function enclosing(    i, all) {
    for (i = 1; i <= depth; i++) { all = all block[i] }
    return all
}
function indent(line) {
    gsub(/\t/, "        ", line)
    return match(line, /[^ ]/) - 1
}
# The next line of a file, continuation lines joined; skips the texts under "help".
function next_line(path,    line, more, edge) {
    if ((getline line < path) <= 0) { return 0 }
    if (line ~ /^[ \t]*help[ \t]*$/) {
        edge = -1
        do {
            if ((getline line < path) <= 0) { return 0 }
            if (edge < 0 && indent(line) >= 0) { edge = indent(line) }
        } while (edge <= 0 ? edge < 0 : indent(line) < 0 || indent(line) >= edge)
    }
    while (line ~ /\\$/ && (getline more < path) > 0) {
        line = substr(line, 1, length(line) - 1) " " more
    }
    sub(/^[ \t]+/, "", line)
    current[path] = line
    return 1
}
function kconfig(path,    line, words, name) {
    while (next_line(path)) {
        line = current[path]
        split(line, words, /[ \t]+/)
        if (words[1] == "source") {
            gsub(/"/, "", words[2])
            sub(/\$\(SRCARCH\)/, "x86", words[2])
            kconfig(tree "/" words[2])
        } else if (words[1] ~ /^(menu)?config$/) {
            name = words[2]
            needs[name] = needs[name] enclosing()
        } else if (words[1] ~ /^(if|menu|choice)$/) {
            name = ""
            block[++depth] = words[1] == "if" ? condition(line) : ""
        } else if (words[1] ~ /^end(if|menu|choice)$/) {
            depth--
        } else if (words[1] == "comment") {
            name = "comment"
        } else if (words[1] == "depends" && name == "") {
            block[depth] = block[depth] condition(line)
        } else if (words[1] == "depends") {
            needs[name] = needs[name] condition(line)
        }
    }
    close(path)
}
# The options among what this one needs that are off, each once.
function missing_parents(name,    count, i, words, seen, list) {
    count = split(needs[name], words, /[^A-Za-z0-9_!=]+/)
    for (i = 1; i <= count; i++) {
        if (words[i] ~ /^[A-Z0-9_]*[A-Z][A-Z0-9_]*$/ && !(words[i] in seen) &&
            got("CONFIG_" words[i]) == "n") {
            seen[words[i]] = 1
            list = list (list == "" ? "" : ", ") "CONFIG_" words[i]
        }
    }
    return list
}

# ---- the comparison ----

function got(option) { return option in have ? have[option] : "n" }

BEGIN {
    while ((getline line < config) > 0) {
        if (match(line, /^CONFIG_[A-Za-z0-9_]+=/)) {
            have[substr(line, 1, RLENGTH - 1)] = substr(line, RLENGTH + 1)
        }
    }
    if (tree != "") { kconfig(tree "/Kconfig") }
    while ((getline line < fragment) > 0) {
        if (!match(line, /^CONFIG_[A-Za-z0-9_]+=/)) { continue }
        option = substr(line, 1, RLENGTH - 1)
        wanted = substr(line, RLENGTH + 1)
        asked++
        if (got(option) == wanted) { continue }
        wrong++
        parents = wanted == "n" ? "" : missing_parents(substr(option, 8))
        printf "%s: asked for %s, is %s%s\n", option, wanted, got(option),
            parents == "" ? "" : ": it depends on " parents
    }
    printf "%d options asked for, %d not as asked\n", asked, wrong
    exit asked == 0 || wrong > 0 ? 65 : 0
}'
