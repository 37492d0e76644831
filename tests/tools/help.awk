# Print the commands of a Makefile: "##: Title", "target: ... ## text" and
# "## target: text" where the target is a pattern.
/^##: / { printf "\n%s\n", substr($0, 5); next }
/^## / { sub(/^## /, ""); show($0, index($0, ": ")); next }
/^[a-z-]+:.* ## / { show($0, index($0, ":")) }

function show(line, colon,   text) {
    text = line
    if (!sub(/.* ## /, "", text))
        text = substr(line, colon + 2)
    printf "  make %-12s %s\n", substr(line, 1, colon - 1), text
}
