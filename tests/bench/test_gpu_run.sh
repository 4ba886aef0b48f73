#!/bin/sh
# test_gpu_run.sh ROOT BUILD: bench/gpu-run.sh from bundle to summary at small sizes, with the bundle's own OpenCL loader. Where
# PoCL is installed, it also plays the driver whose library is there but named by no file.
set -eu
root=$1
build=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
out=$folder/out
fail() {
  echo "$1" >&2
  cat "$out/summary.txt" >&2 || true
  for step in $(awk '$2 == "failed" || $2 == "timeout" { print $1 }' "$out/summary.txt"); do
    echo "== $step" >&2
    tail -5 "$out/logs/$step.log" >&2
  done
  exit 1
}

played=
pocl=$(/sbin/ldconfig -p | awk '$1 ~ /^libpocl\.so/ { print $NF; exit }')
if [ -n "$pocl" ] && [ -d /usr/share/pocl ] && ! /sbin/ldconfig -p | grep -q libnvidia-opencl; then
  driver=$folder/usr/lib/driver # PoCL finds its devices and headers by where it lies
  mkdir -p "$driver" "$folder/usr/share" "$folder/vendors"
  ln -s "$pocl" "$driver/libnvidia-opencl.so.1"
  ln -s "$(dirname "$pocl")/pocl" "$driver/pocl"
  ln -s /usr/share/pocl "$folder/usr/share/pocl"
  export LD_LIBRARY_PATH="$driver" OCL_ICD_VENDORS="$folder/vendors"
  played=yes
fi

"$root/bench/gpu-run.sh" --build "$build" --dry-run --own-loader --out "$out" || fail "it failed"
for file in box.txt devices.json questions.json suite.json suite.html run/model.safetensors summary.json summary.txt; do
  [ -s "$out/$file" ] || fail "no $file"
done
grep -q "used: the bundle's" "$out/box.txt" || fail "not the bundle's loader"
grep -q '"name": "learns", "status": "ok"' "$out/summary.json" || fail "summary.json has not that it learns"
if [ -n "$played" ]; then
  grep -q 'libnvidia-opencl.so.1$' "$out/vendors/maxgl-libnvidia-opencl.icd" || fail "no vendor's file was written"
fi
"$build/bin/maxgl-cl" bench --check "$out"/suite*.json >/dev/null || fail "records are not as they should be"

# No device: every step says so, and the end is reached.
mkdir "$folder/none"
if LD_LIBRARY_PATH='' OCL_ICD_VENDORS="$folder/none" "$root/bench/gpu-run.sh" --build "$build" --dry-run --out "$folder/nothing" \
  --python /nowhere >"$folder/nothing.txt" 2>&1; then
  fail "a box without a device is no success"
fi
grep -q '^devices  *failed .*no OpenCL platform' "$folder/nothing/summary.txt" || { cat "$folder/nothing.txt"; fail "no word of the platform"; }
echo "from bundle to summary: $(grep -c '"status": "ok"' "$out/summary.json") steps"
