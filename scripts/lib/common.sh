# What every script here shares: where the project is, how to speak to the user, how to build.
# shellcheck shell=bash
# Sourced, never run: the sourcing script has set -euo pipefail.

project_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
readonly project_root

# shellcheck disable=SC2034 # the sourcing scripts use them
if [ -t 1 ]; then
    readonly bold=$'\e[1m' red=$'\e[31m' green=$'\e[32m' plain=$'\e[0m'
else
    readonly bold='' red='' green='' plain=''
fi

say() { printf '%s==>%s %s\n' "$bold" "$plain" "$*"; }
warn() { printf '%s==> %s%s\n' "$red" "$*" "$plain" >&2; }
die() {
    warn "$*"
    exit 1
}

# Objects compiled in one checkout serve the next one too: a fresh clone builds in a minute.
export CCACHE_BASEDIR="${CCACHE_BASEDIR:-$project_root}" CCACHE_NOHASHDIR="${CCACHE_NOHASHDIR:-1}"
if [ -z "${HOME:-}" ]; then
    export CCACHE_DIR="${CCACHE_DIR:-$project_root/build/ccache}"
fi

# configure_preset PRESET: a build folder left by another compiler or an older project is laid anew.
configure_preset() {
    (cd "$project_root" && { cmake --preset "$1" || cmake --fresh --preset "$1"; })
}

# build_preset PRESET [TARGET...]
build_preset() {
    local preset=$1
    shift
    (cd "$project_root" && cmake --build --preset "$preset" ${1:+--target "$@"})
}
