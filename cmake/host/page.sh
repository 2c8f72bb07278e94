#!/bin/sh
# SPDX-License-Identifier: MIT
# Joins the files of the page into one document, compresses it and makes a C source of it. The same
# files always give the same bytes. usage: page.sh WEB-FOLDER OUT.c   (leaves OUT.html and OUT.gz too)
set -eu
web=$1 out=${2%.c}

# Comments stand on lines of their own, and nothing spans lines that may not lose its indentation.
lean() { sed -e 's/^[[:space:]]*//' -e '/^\/\//d' -e '/^\/\*.*\*\/$/d' -e '/^$/d' "$@"; }
digest() { openssl dgst -sha256 -binary "$1" | openssl base64 -A; }

lean "$web"/style.css >"$out.style"
{
    echo "(()=>{'use strict';"
    # The order is that of web/order: what a file uses stands in one before it.
    while read -r name; do lean "$web/$name"; done <"$web/order"
    echo '})()'
} >"$out.script"
awk -v style="$out.style" -v script="$out.script" '
    function put(file, line) { while ((getline line <file) > 0) print line }
    { sub(/^[ \t]+/, "") }
    /^<!--.*-->$/ { next }
    /^<style>$/ { printf "<style>"; put(style); next }
    /^<script>$/ { printf "<script>"; put(script); next }
    { print }' "$web/page.html" >"$out.html"
gzip -9nc "$out.html" >"$out.gz"

policy="default-src 'none'; script-src 'sha256-$(digest "$out.script")'; style-src 'sha256-$(digest "$out.style")'"
policy="$policy; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
{
    echo '/* Made by cmake/host/page.sh out of web/. */'
    echo '#include <thimble/page.h>'
    echo 'static const _Alignas(4) uint8_t bytes[] = {'
    od -An -v -tu1 "$out.gz" | sed -e 's/[[:space:]]\{1,\}\([0-9]\{1,\}\)/\1,/g'
    echo '};'
    echo 'const struct th_page th_page = {'
    echo '    {bytes, sizeof bytes},'
    printf '    "%s\\r\\n"\n' 'Content-Encoding: gzip' 'Cache-Control: no-store' 'X-Content-Type-Options: nosniff' \
        "Content-Security-Policy: $policy"
    echo '};'
    echo '_Static_assert(sizeof bytes <= TH_PAGE_MAX, "the page takes more flash than it may");'
} >"$out.c.new"
mv "$out.c.new" "$out.c"
