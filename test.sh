#!/usr/bin/env bash
# Everything that must hold: format, warnings, analysis, every test, every kernel under Oclgrind, host code under sanitizers.
# Installs what it needs (Debian), builds in build/release and build/debug, ends with one line that says how it went.
#   ./test.sh           all of it
#   ./test.sh quick     format and the tests of the release build
set -euo pipefail
cd "$(dirname "$0")"
mode="${1:-all}"
[ "$mode" = all ] || [ "$mode" = quick ] || { echo "usage: ./test.sh [quick]" >&2; exit 2; }

started=$SECONDS
step() { printf '\n== %s (%d s)\n' "$*" $((SECONDS - started)); }

step "packages"
./setup.sh test

step "format"
git ls-files '*.c' '*.h' | xargs clang-format --dry-run --Werror
echo "clang-format: clean"

step "release build, warnings are errors"
cmake --preset release >/dev/null
cmake --build --preset release -- --quiet

step "tests of the release build"
ctest --preset release -j "$(nproc)" --output-junit "$PWD/build/release/tests.xml"

if [ "$mode" = all ]; then
  step "clang-tidy"
  # One file a process: with several, version 14 takes every va_list after the first file's for uninitialised.
  git ls-files 'src/*.c' 'gst-plugin/*.c' | xargs -P "$(nproc)" -n 1 clang-tidy --quiet -p build/release 2>/dev/null
  echo "clang-tidy: clean"

  step "debug build with AddressSanitizer and UndefinedBehaviorSanitizer"
  cmake --preset debug >/dev/null
  cmake --build --preset debug -- --quiet

  step "tests of the debug build"
  # Intel's driver, which the offline checks bring along, is loaded in a way that AddressSanitizer does not allow.
  [ ! -e /etc/OpenCL/vendors/pocl.icd ] || export OCL_ICD_VENDORS=/etc/OpenCL/vendors/pocl.icd
  ctest --preset debug -j "$(nproc)" -LE 'opencl|cli'
  # OpenCL drivers and encoders keep memory until the process ends: what is ours to leak is looked for above.
  ASAN_OPTIONS=detect_leaks=0 ctest --preset debug -j "$(nproc)" -L 'opencl|cli' -LE checkcl -E 'net/(forward|training)|bench/check_schema'
fi

printf '\nall of it holds (%d s)\n' $((SECONDS - started))
