# SPDX-License-Identifier: MIT
# The page as it is built: its size, that the same files give the same bytes, that its policy names its script
# and its style, and that its cryptography is that of docs/config-mode.md (F1).
. "$THIMBLE_SOURCE/test/system/tool.sh" || exit 1
make() { sh "$THIMBLE_SOURCE/cmake/host/page.sh" "$1" "$2"; }
make "$THIMBLE_SOURCE/web" "$scratch/page.c"
cp -r "$THIMBLE_SOURCE/web" "$scratch/copy"
make "$scratch/copy" "$scratch/again.c"

size=$(stat -c %s "$scratch/page.gz")
echo "the page takes $size bytes, unpacked $(stat -c %s "$scratch/page.html")"
check "it takes at most 24 KB of flash" test "$size" -le 24576
check "the same files give the same bytes" cmp "$scratch/page.c" "$scratch/again.c"
check "which are those in the build" cmp "$scratch/page.c" "$THIMBLE_BUILD/page.c"
check "and unpack to the page" sh -c "gunzip -c <$scratch/page.gz | cmp - $scratch/page.html"
check "it loads nothing from elsewhere" not grep -qiE '(src|href|action)=.?(https?:)?//|@import|url\((https?:)?//' "$scratch/page.html"
check "no handlers or styles in attributes, which the policy forbids" not grep -qE '<[^>]+ (on[a-z]+|style)=' "$scratch/page.html"
check "nothing that would put text in as HTML" not grep -qE 'innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function' "$scratch/page.html"
check "its script and style are the ones its policy names, and its cryptography is the contract's" \
    node "$THIMBLE_SOURCE/test/system/page_check.cjs" "$scratch" "$THIMBLE_SOURCE"
sed 's/color-scheme/colour-scheme/' "$THIMBLE_SOURCE/web/page.html" >"$scratch/copy/page.html"
make "$scratch/copy" "$scratch/again.c"
check "another file gives other bytes" not cmp -s "$scratch/page.c" "$scratch/again.c"
finish
