#!/usr/bin/env bash
# The kernels' checks (checkcl, small cases) on other OpenCL implementations that run on a CPU, and a table of what was run:
#   rusticl  Mesa's, on llvmpipe (Debian's mesa-opencl-icd)
#   intel    Intel's CPU runtime (intel-opencl-rt of PyPI)
# Each operator runs in a process of its own, with a GPU's parameters (checkcl/gpu.cfg) and with the device's own. Nothing is
# installed: the packages are unpacked into build/runtimes (or $MAXGL_RUNTIMES_DIR).
#   tests/other_runtimes.sh [--fetch] [--minutes N] [--only A,B] [rusticl] [intel]
#     --fetch      downloads what is missing (apt-get download and pip download; about 350 MB)
#     --minutes N  for each implementation (default 10); operators that have no time left are named
#     --only A,B   only these operators
# Exits 0 if all that ran passed but for known failures of the implementations, 1 on failures, 77 if there was nothing to run.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
root=$PWD
checkcl=${MAXGL_CHECKCL:-$root/build/release/tests/checkcl/checkcl}
folder=${MAXGL_RUNTIMES_DIR:-$root/build/runtimes}
fetch=no minutes=10 only=""
implementations=()

# implementation, start of its version, operator, what every failed case says, why.
known_failures="
"

usage() {
  echo "usage: tests/other_runtimes.sh [--fetch] [--minutes N] [--only A,B] [rusticl] [intel]" >&2
  exit 2
}

while [ $# -gt 0 ]; do
  case $1 in
    --fetch) fetch=yes ;;
    --minutes) [[ ${2:-} =~ ^[0-9]+$ ]] || usage; minutes=$2; shift ;;
    --only) [ -n "${2:-}" ] || usage; only=$2; shift ;;
    rusticl | intel) implementations+=("$1") ;;
    *) usage ;;
  esac
  shift
done
[ ${#implementations[@]} -gt 0 ] || implementations=(rusticl intel)
[ -x "$checkcl" ] || { echo "$checkcl is missing: cmake --preset release && ninja -C build/release checkcl" >&2; exit 1; }
mkdir -p "$folder" || exit 1
folder=$(cd "$folder" && pwd)
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

# mesa-opencl-icd and whatever it needs that is not installed.
fetch_rusticl() { # folder to unpack into
  local name packages=()
  command -v apt-get dpkg >/dev/null || { echo "rusticl: needs Debian's apt-get" >&2; return 1; }
  for name in $(apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces \
    --no-enhances mesa-opencl-icd | grep '^[a-z]'); do
    dpkg -s "$name" 2>/dev/null | grep -q '^Status: install ok installed' || packages+=("$name")
  done
  mkdir -p "$work/debs"
  (cd "$work/debs" && apt-get -qq download "${packages[@]}") || return 1
  for name in "$work"/debs/*.deb; do
    dpkg -x "$name" "$1" || return 1
  done
  # Mesa looks for libclc in a fixed folder, where a newer libclc without Mesa's files may be: here it is the one below the
  # working directory (a path of the same length).
  sed -i 's|/usr/lib/clc/|././././/clc/|g' "$1"/usr/lib/*/libRusticlOpenCL.so.1.*
}

fetch_intel() {
  local wheel file
  python3 -m pip --version >/dev/null || return 1
  python3 -m pip download -q --only-binary :all: -d "$work/wheels" intel-opencl-rt intel-cmplr-lib-rt || return 1
  mkdir -p "$1/lib"
  for wheel in "$work"/wheels/*.whl; do
    python3 -m zipfile -e "$wheel" "$1" || return 1
  done
  # One folder of libraries, without Intel's own loader.
  for file in "$1"/*/data/lib/*; do
    case ${file##*/} in libOpenCL.*) ;; *) mv "$file" "$1/lib/" || return 1 ;; esac
  done
}

# Whether the implementation is here; fetches it if asked to.
have() {
  [ ! -d "$folder/$1" ] || return 0
  [ $fetch = yes ] || return 1
  rm -rf "$folder/$1.part"
  mkdir -p "$folder/$1.part" && "fetch_$1" "$folder/$1.part" && mv "$folder/$1.part" "$folder/$1"
}

# A command with this implementation alone.
with() { # implementation, command
  local library libraries directory=$folder
  if [ "$1" = rusticl ]; then
    library=$(echo "$folder"/rusticl/usr/lib/*/libRusticlOpenCL.so.1)
    libraries=${library%/*} directory=$folder/rusticl/usr/lib
  else
    libraries=$folder/intel/lib library=$folder/intel/lib/libintelocl.so
  fi
  (cd "$directory" && env OCL_ICD_VENDORS="$library" LD_LIBRARY_PATH="$libraries" RUSTICL_ENABLE=llvmpipe \
    GALLIUM_PIPE_SEARCH_DIR="$libraries/gallium-pipe" MAXGL_CACHE_DIR="$folder/cache" XDG_CACHE_HOME="$folder/cache" \
    XDG_CONFIG_HOME="$folder/cache/config" "${@:2}")
}

# Why all failed cases in the log are known to fail; fails if they are not.
known() { # implementation, version, operator
  local implementation version operator text why
  while IFS='|' read -r implementation version operator text why; do
    [[ $1 == "$implementation" && $2 == "$version"* && $3 == "$operator" ]] || continue
    ! grep '^FAIL' "$work/log" | grep ': case' | grep -vqF "$text" || continue
    echo "$why"
    return 0
  done <<<"$known_failures"
  return 1
}

check() { # implementation, version, parameters, operator, end: adds to ok, with_known, failed, remarks
  local arguments=(--small --only "$4") left=$(($5 - SECONDS)) status why
  [ "$3" = own ] || arguments+=(--tuning "$root/tests/checkcl/gpu.cfg")
  if [ $left -le 0 ]; then
    remarks+="; $4 not run (no time left)"
    return
  fi
  # A quarter of the time for one operator, that others get their turn.
  [ $left -lt $((minutes * 15)) ] || left=$((minutes * 15))
  with "$1" timeout $left "$checkcl" "${arguments[@]}" >"$work/log" 2>&1
  status=$?
  if [ $status -eq 0 ]; then
    ok=$((ok + 1))
    grep '^ok' "$work/log"
  elif grep -q '^FAIL' "$work/log" && why=$(known "$1" "$2" "$4"); then
    why="$(grep -c '^FAIL.*: case' "$work/log") cases of $4 fail as known ($1 $why)"
    remarks+="; $why" with_known=$((with_known + 1))
    echo "known $why"
  elif [ $status -eq 124 ] && ! grep -q '^FAIL' "$work/log"; then
    remarks+="; $4 not finished in $left s"
  else
    failed=$((failed + 1)) failures=$((failures + 1))
    remarks+="; $4 FAILED (status $status)"
    tail -n 20 "$work/log"
  fi
}

run() { # implementation
  local version operators parameters operator ok with_known failed remarks end=$((SECONDS + minutes * 60))
  if ! have "$1"; then
    table+="$1|-|-|0|0|0|not here (--fetch downloads it)"$'\n'
    return
  fi
  if ! with "$1" "$checkcl" --small --only tensor_layout >"$work/log" 2>&1 && ! grep -q '^FAIL' "$work/log"; then
    table+="$1|-|-|0|0|0|does not start: $(tail -n 1 "$work/log")"$'\n'
    return
  fi
  device=$(head -n 1 "$work/log")
  version=$(sed -E 's/.*, ([^,)]*)\)$/\1/' <<<"$device")
  operators=${only//,/ }
  [ -n "$operators" ] || operators=$(sed -nE 's/^CHECK\((.*)\)/\1/p' tests/checkcl/checks.def)
  for parameters in gpu own; do
    printf '== %s, parameters: %s\n' "$device" "$parameters"
    ok=0 with_known=0 failed=0 remarks=""
    for operator in $operators; do
      check "$1" "$version" "$parameters" "$operator" "$end"
    done
    table+="$1|$version|$parameters|$ok|$with_known|$failed|${remarks#; }"$'\n'
    ran=$((ran + ok + with_known + failed))
  done
}

failures=0 ran=0 table=""
for implementation in "${implementations[@]}"; do
  run "$implementation"
done
echo
printf '%-8s %-22s %-10s %4s %6s %6s  %s\n' runtime version parameters ok known failed remarks
while IFS='|' read -r runtime version parameters ok with_known failed remarks; do
  [ -z "$runtime" ] || printf '%-8s %-22s %-10s %4s %6s %6s  %s\n' "$runtime" "$version" "$parameters" "$ok" "$with_known" \
    "$failed" "$remarks"
done <<<"$table"
[ $failures -eq 0 ] || exit 1
[ $ran -gt 0 ] || exit 77
