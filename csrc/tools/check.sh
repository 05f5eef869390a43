#!/bin/sh
# What the program makes of files, here and on other machines: sh check.sh [RUN] PROGRAM,
# where RUN is an emulator.
set -eu

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
data=$folder/data
awk 'BEGIN { for (i = 0; i < 900; i++) print i, "lines of", i * i % 97, "words" }' > "$data"

fail() {
    echo "check.sh: $*" >&2
    exit 1
}

# The bytes are the same everywhere: their checksums, by options.
while read -r sum options; do
    "$@" $options < "$data" > "$folder/coded" || fail "$options"
    found=$(cksum < "$folder/coded" | cut -d ' ' -f 1)
    [ "$found" = "$sum" ] || fail "$options: the bytes have checksum $found, not $sum"
    "$@" -d $options < "$folder/coded" | cmp - "$data" || fail "$options: not restored"
done << 'SUMS'
72131398 -1
3495719896 -3
330574071 -5
2532966367 -9
4184082890 -m english
142923202 -m text
SUMS

# Whatever the damage, it is an error.
"$@" -fk "$data"
size=$(($(wc -c < "$data.bbz")))
at=0
while [ $at -lt $size ]; do
    head -c $at "$data.bbz" > "$folder/damaged"
    code=0
    "$@" -t "$folder/damaged" 2> /dev/null || code=$?
    [ $code = 1 ] || fail "cut after $at bytes: exit code $code"
    printf '\007' >> "$folder/damaged"
    tail -c +$((at + 2)) "$data.bbz" >> "$folder/damaged"
    code=0
    "$@" -t "$folder/damaged" 2> /dev/null || code=$?
    [ $code = 1 ] || cmp -s "$folder/damaged" "$data.bbz" || fail "byte $at: exit code $code"
    at=$((at + size / 9 + 1))
done
