#!/usr/bin/env bash
# Build the sites of all released versions and of main side by side into a folder, each in a folder of its name; the
# newest release, or main before there is one, is what the bare address shows.

set -euo pipefail
out=${1:?the folder to write into}
mkdir -p "$out"
out=$(cd "$out" && pwd)

mapfile -t tags < <(git tag --list 'v*' --sort=-version:refname)
export DOCS_VERSIONS="main ${tags[*]#v}"

for name in main "${tags[@]}"; do
    version=${name#v}
    checkout=$(mktemp -d)
    git worktree add --quiet --detach "$checkout" "$([ "$name" = main ] && echo HEAD || echo "$name")"
    if grep -q '^docs:' "$checkout/Makefile"; then
        make -C "$checkout" docs
        cp -r "$checkout/build/site" "$out/$version"
    fi
    git worktree remove --force "$checkout"
done

first=main
for tag in "${tags[@]}"; do
    if [ -d "$out/${tag#v}" ]; then first=${tag#v}; break; fi
done
printf '<!doctype html><meta http-equiv="refresh" content="0; url=%s/"><title>fastweights</title>\n' "$first" >"$out/index.html"
