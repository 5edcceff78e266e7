# shellcheck shell=bash
# Shared by the test scripts.

# skip REASON: ends the unit as skipped.
skip() {
    echo "$*"
    exit 77
}

# missing REASON: skips; in CI, where what Debian or the Go proxy has may not be missing, fails.
missing() {
    if [ "${CI-}" = true ]; then
        echo "missing in CI: $*" >&2
        exit 1
    fi
    skip "$*"
}

# need PROGRAM DEBIAN_PACKAGE
need() {
    command -v "$1" >/dev/null || missing "no $1: apt-get install $2"
}
