#!/usr/bin/env bash
# Installs the Debian packages that maxgl-cl needs, if they are missing.
#   ./setup.sh          what building and running needs
#   ./setup.sh test     also what test.sh needs
#   ./setup.sh bench    also PyTorch, for the comparisons in bench/
set -euo pipefail

build=(gcc libc6-dev cmake ninja-build pkg-config
  libglib2.0-dev libjson-glib-dev libconfig-dev liblinear-dev libmatio-dev libcairo2-dev
  ocl-icd-opencl-dev opencl-headers libclblast-dev
  libgstreamer1.0-dev libgstreamer-plugins-base1.0-dev)
run=(pocl-opencl-icd
  gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-libav)
tests=(libcmocka-dev oclgrind clang-format clang-tidy git jq python3 python3-jsonschema python3-sklearn)
bench=(libopenblas0-pthread python3-numpy python3-torch python3-torchvision)

wanted=("${build[@]}" "${run[@]}")
case "${1:-}" in
  "") ;;
  test) wanted+=("${tests[@]}") ;;
  bench) wanted+=("${bench[@]}") ;;
  *)
    echo "usage: ./setup.sh [test|bench]" >&2
    exit 2
    ;;
esac

if ! command -v apt-get >/dev/null; then
  echo "setup.sh: no apt-get here; install these packages' counterparts by hand: ${wanted[*]}" >&2
  exit 1
fi
missing=()
for package in "${wanted[@]}"; do
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
  echo "packages: all ${#wanted[@]} are installed"
  exit 0
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "setup.sh: run as root, or install: ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi
echo "packages: installing ${missing[*]}"
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
