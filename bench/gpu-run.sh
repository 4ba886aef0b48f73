#!/usr/bin/env bash
# Everything that waits for a GPU, as one command for a bare Linux box: docs/gpu-runs.md.
#   bench/gpu-run.sh --bundle FILE.tar.gz     packs what the box needs: carry it there, unpack it, ./run.sh (see bench/gpu-box.sh)
#   bench/gpu-run.sh [OPTION…]                packs it into a temporary folder and runs it here
#   bench/gpu-run.sh --dry-run                the same at small sizes, on whatever OpenCL device there is
# --build FOLDER takes another build than build/release. All other options are run.sh's: --out, --device, --minutes, …
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
build=$root/build/release
bundle=''
options=()
while [ $# -gt 0 ]; do
  case $1 in
    --bundle) bundle=${2:?--bundle: a file or folder expected}; shift 2 ;;
    --build) build=${2:?--build: a folder expected}; shift 2 ;;
    -h | --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0"; sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$root/bench/gpu-box.sh"; exit 0 ;;
    *) options+=("$1"); shift ;;
  esac
done

most=60 # MiB of a bundle, unpacked
# glibc's own: the box has them, and no others would fit its loader.
never='^(linux-vdso|ld-linux.*|libc|libm|libdl|librt|libpthread|libresolv|libutil|libmvec|libnsl)\.so'
# What drivers load, too: the box's comes before ours, which may be older than the driver wants.
shared='^(libOpenCL|libstdc\+\+|libgcc_s|libz|libzstd|libelf|libexpat|libffi|libbz2|liblzma|libdrm|libX11|libXext|libxcb|libXau|libXdmcp|libbsd|libmd)\.so'

copy_libraries() { # folder, programs …
  local folder=$1 name path
  shift
  for program in "$@"; do ldd "$program"; done | awk '$2 == "=>" && $3 ~ /^\// { print $1, $3 }' | sort -u |
    while read -r name path; do
      [[ $name =~ $never ]] && continue
      if [ "$name" = libblas.so.3 ] && [ -e "$(dirname "$path")/blas/libblas.so.3" ]; then
        path=$(dirname "$path")/blas/libblas.so.3 # a tenth of OpenBLAS; only reports need it
      fi
      case $name in libopenblas.so.* | libgfortran.so.* | libquadmath.so.*) continue ;; esac # its needs: below
      if [[ $name =~ $shared ]]; then cp -L "$path" "$folder/lib/shared/$name"; else cp -L "$path" "$folder/lib/$name"; fi
    done
  if [ -e "$folder/lib/libblas.so.3" ]; then
    ldd "$folder/lib/libblas.so.3" | awk '$2 == "=>" && $3 ~ /^\// { print $1, $3 }' | while read -r name path; do
      [[ $name =~ $never ]] || [[ $name =~ $shared ]] || cp -L "$path" "$folder/lib/$name"
    done
  fi
}

pack() { # into an empty folder
  local program programs=("$build/bin/maxgl-cl" "$build/bin/gpu-questions" "$build/src/probe/maxgl-probe"
    "$build/tests/checkcl/checkcl")
  for program in "${programs[@]}"; do
    [ -x "$program" ] || { echo "gpu-run.sh: $program is missing: cmake --preset release && cmake --build --preset release" >&2; exit 1; }
  done
  mkdir -p "$1/programs" "$1/lib/shared"
  cp "${programs[@]}" "$1/programs/"
  copy_libraries "$1" "${programs[@]}"
  cp "$root/bench/gpu-box.sh" "$1/run.sh"
  cp "$root/bench/vs_pytorch.py" "$root/config/demo.cfg" "$root/LICENSE" "$1/"
  local size
  size=$(du -sm "$1" | cut -f1)
  echo "bundle: $size MiB, $(find "$1/lib" -type f | wc -l) libraries" >&2
  [ "$size" -le "$most" ] || { echo "gpu-run.sh: more than $most MiB" >&2; exit 1; }
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
pack "$work/maxgl-gpu"
case $bundle in
  "") "$work/maxgl-gpu/run.sh" "${options[@]}" ;;
  *.tar.gz | *.tgz) tar -C "$work" -czf "$bundle" maxgl-gpu && echo "$bundle: $(du -m "$bundle" | cut -f1) MiB; there: tar xf $(basename "$bundle") && maxgl-gpu/run.sh" ;;
  *) mkdir -p "$bundle" && cp -r "$work/maxgl-gpu/." "$bundle/" && echo "$bundle: there: $(basename "$bundle")/run.sh" ;;
esac
