#!/bin/sh
# Makes results.ndjson.gz afresh: what jq itself gives for each line of expressions.txt on each line of inputs.ndjson.
# One line an expression, in order: a list with one entry an input, which is the list of all outputs or "error"; null
# where jq does not know the expression. Needs jq 1.7; JQ names another binary than the one in the path.
set -eu
cd "$(dirname "$0")"
jq=${JQ:-jq}
case $("$jq" --version) in
jq-1.7*) ;;
*)
    echo "$("$jq" --version) is not jq 1.7" >&2
    exit 1
    ;;
esac
export TZ=UTC LC_ALL=C.UTF-8
while IFS= read -r expression; do
    if results=$(timeout 20 "$jq" -c "try [$expression] catch \"error\"" inputs.ndjson 2>/dev/null); then
        printf '%s\n' "$results" | "$jq" -cs .
    else
        echo null
    fi
done <expressions.txt | gzip -n9 >results.ndjson.gz
