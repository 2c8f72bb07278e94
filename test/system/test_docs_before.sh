# SPDX-License-Identifier: MIT
# docs/what-came-before.md: every clause names tests that are there, by their names, or says that it is open.
. "$THIMBLE_SOURCE/test/system/tool.sh" || exit 1
page=$THIMBLE_SOURCE/docs/what-came-before.md

# Each row's second cell as lines: FILE, a tab, NAME; or `open`; or `nothing`.
claims() {
    awk -F ' \\| ' '/^\| / && $1 != "| clause" && $1 !~ /^\| ---/ { print $2 }' "$1" | while IFS= read -r cell; do
        grep -qE '(^|: )open($|[ ,:)])' <<<"$cell" && echo open && continue
        grep -q '`[a-z]*/[^`]*`: `' <<<"$cell" || echo "nothing	$cell"
    done
    awk -F ' \\| ' '/^\| / { print $2 }' "$1" | grep -oE '`[^`]*`' | tr -d '`' | while IFS= read -r quoted; do
        case $quoted in
        test/* | docs/*) file=$quoted ;;
        src/ | [a-z_]*.sh) ;;
        *) printf '%s\t%s\n' "$file" "$quoted" ;;
        esac
    done
}
claims "$page" >"$scratch/claims"
named() {
    local file name bad=0
    while IFS=$'\t' read -r file name; do
        [ "$file" != open ] || continue
        [ "$file" != nothing ] || { echo "no test and not open: $name"; bad=1; continue; }
        grep -qF -- "$name" "$THIMBLE_SOURCE/$file" || { echo "$file has no '$name'"; bad=1; }
    done <"$1"
    return $bad
}
check "every clause has tests that are there, or says that it is open" named "$scratch/claims"
check "there are some fifty names" test "$(grep -c "	" "$scratch/claims")" -ge 50
sed 's/an operator reads settings/an operator sings/' "$page" >"$scratch/wrong.md"
claims "$scratch/wrong.md" >"$scratch/wrong"
check "a test that is not there is found" not named "$scratch/wrong"
sed 's/^| static IP | .*/| static IP | surely |/' "$page" >"$scratch/wrong.md"
claims "$scratch/wrong.md" >"$scratch/wrong"
check "and a clause without one" not named "$scratch/wrong"
finish
