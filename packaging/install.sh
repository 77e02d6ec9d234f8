#!/bin/sh
# Install logintel, editable, with everything its tests need: sh packaging/install.sh PYTHON VENV
# Safe to run again at any time: it goes on from whatever an earlier, failed run left.
set -eu
python=$1 venv=$2

fail() { printf '%s\n' "$@" >&2; exit 1; }

command -v "$python" >/dev/null ||
    fail "logintel needs Python 3.11 or newer, and there is no '$python'. On Debian and Ubuntu: apt install python3 python3-venv"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "logintel needs Python 3.11 or newer; '$python' is $("$python" --version)." \
        "With another one installed: make PYTHON=python3.12 run"
"$python" -c 'import ensurepip, venv' 2>/dev/null ||
    fail "'$python' cannot make virtual environments. On Debian and Ubuntu: apt install ${python##*/}-venv"

pip() { "$venv/bin/python" -m pip --disable-pip-version-check --quiet "$@"; }

pip --version >/dev/null 2>&1 || { rm -rf "$venv"; "$python" -m venv "$venv"; }
printf 'Installing into %s (once) …\n' "$venv" >&2
pip install --require-hashes -r requirements.txt ||
    fail "Installing what requirements.txt names failed; pip says why above. Run the same command again to go on."
pip install --no-deps --no-build-isolation --editable .
touch "$venv/.installed"
