#!/bin/sh
# `make run`: without arguments the sample logs, from file to alert, in a fresh .run/; with arguments your own files, until
# you stop it. The arguments are those of `logintel run`: paths, quoted globs, options.
set -eu
: "${LOGINTEL:=logintel}"

if [ $# -gt 0 ]; then
    exec "$LOGINTEL" run --data .run "$@"
fi
rm -rf .run
exec "$LOGINTEL" run --config examples/embedded.yaml --data .run --once
