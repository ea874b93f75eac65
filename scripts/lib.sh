# Shared by the scripts of this folder (source it): where things are, and how the scripts speak.
# Everything a script says goes to standard error; standard output stays free for results.
set -euo pipefail

OCTAVO_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export OCTAVO_CACHE=${OCTAVO_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/octavo}
export OCTAVO_MODELS=${OCTAVO_MODELS:-$OCTAVO_CACHE/models}

say() { printf '%s\n' "$*" >&2; }
fail() { say "error: $*"; exit 1; }

# quietly LOG COMMAND...: keeps the command's output in LOG and shows its end only when the command fails.
quietly() {
  local log=$1
  shift
  mkdir -p "$(dirname "$log")"
  if ! "$@" >"$log" 2>&1; then
    tail -n 40 "$log" >&2
    fail "'$*' failed; all of its output is in $log"
  fi
}

# configure PRESET CMAKE_ARGS...: (re)configures build/PRESET, quietly.
configure() {
  local preset=$1
  shift
  quietly "$OCTAVO_ROOT/build/$preset.configure.log" cmake -S "$OCTAVO_ROOT" --preset "$preset" "$@"
}

# build PRESET CMAKE_ARGS...: builds in build/PRESET, with ninja's progress line on a terminal and quietly elsewhere.
build() {
  local preset=$1
  shift
  if [ -t 2 ]; then
    cmake --build "$OCTAVO_ROOT/build/$preset" "$@" >&2 || fail "the build failed (see above)"
  else
    quietly "$OCTAVO_ROOT/build/$preset.build.log" cmake --build "$OCTAVO_ROOT/build/$preset" "$@"
  fi
}
