#!/usr/bin/env bash
# run.sh of a bundle of bench/gpu-run.sh: tests, tunes and measures an OpenCL device of this box, and writes all of it into a folder.
#   ./run.sh [OPTION…]
#   --out FOLDER     where the results go (results-DATE)
#   --device P:D     which device, as maxgl-cl devices numbers them (the best GPU)
#   --minutes M      for all of it (25); each step gets a share, the first results come first
#   --python PYTHON  that has the PyTorch to compare with (the first of python3, /usr/bin/python3 that has torch)
#   --own-loader     use the bundle's OpenCL loader even if the box has one
#   --dry-run        small sizes, a minute or two: shows that everything runs
# A step that fails is recorded, and the next is run. The end is a table; it is in the folder too: summary.txt, summary.json.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out='' device='' minutes=25 python='' own_loader=0 dry=0
usage() { echo "run.sh: $1 (--help)" >&2; exit 2; }
while [ $# -gt 0 ]; do
  case $1 in
    --out | --device | --minutes | --python)
      [ $# -gt 1 ] || usage "$1: a value expected"
      declare "${1#--}=$2"
      shift ;;
    --own-loader) own_loader=1 ;;
    --dry-run) dry=1 ;;
    -h | --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0"; exit 0 ;;
    *) usage "$1: not known" ;;
  esac
  shift
done
[[ $minutes =~ ^[1-9][0-9]*$ ]] || usage "--minutes $minutes: a whole number above 0 expected"
out=${out:-results-$(date +%Y%m%d-%H%M%S)}
mkdir -p "$out/logs" "$out/bin" "$out/lib" && out=$(cd "$out" && pwd) || exit 1
unset MAXGL_DEVICE MAXGL_TUNING # they would count where nothing is said
started=$(date +%s)
deadline=$((started + minutes * 60))

# ---------------- steps ----------------

names=() states=() times=() remarks=() telling=''

record() { # name, state, seconds, remark
  names+=("$1") states+=("$2") times+=("$3") remarks+=("$4")
  printf '%-20s %-8s %5s s  %s\n' "$@"
}

# Runs a command for at most so many seconds, less if there is less time left. Its output goes to logs/NAME.log; the remark is its last
# line (with $telling in it, where that is set and the command did its work). Status: the command's.
step() { # name, seconds, command …
  local name=$1 limit=$2 telling=$telling start left status state
  shift 2
  left=$((deadline - $(date +%s)))
  if [ "$left" -lt 5 ]; then
    record "$name" skipped 0 "no time left (--minutes $minutes)"
    return 1
  fi
  [ "$limit" -lt "$left" ] || limit=$left
  start=$(date +%s)
  timeout -k 10 "$limit" "$@" >"$out/logs/$name.log" 2>&1 </dev/null
  status=$?
  state=ok
  [ $status -eq 0 ] || state=failed
  [ $status -ne 124 ] && [ $status -ne 137 ] || state=timeout
  [ $state = ok ] || telling=''
  record "$name" $state $(($(date +%s) - start)) \
    "$(tr '\r' '\n' <"$out/logs/$name.log" | grep -v '^ *$' | grep -- "${telling:-}" | tail -1 | sed 's/^ *//' | cut -c1-110)"
  return $status
}

# So many per cent of all the time, in seconds.
share() { echo $((minutes * 60 * $1 / 100)); }

# ---------------- the box ----------------

# A library by its name: the loader's cache, then where vendors put theirs.
find_library() {
  local path folder paths=${LD_LIBRARY_PATH:-}
  path=$(PATH=$PATH:/sbin:/usr/sbin ldconfig -p 2>/dev/null | awk -v name="$1" '$1 == name { print $NF; exit }')
  [ -z "$path" ] || { echo "$path"; return; }
  for folder in ${paths//:/ } /usr/lib/x86_64-linux-gnu /usr/lib64 /usr/lib /usr/local/lib /usr/local/nvidia/lib64 \
    /usr/local/nvidia/lib /usr/local/cuda/lib64 /usr/local/cuda/compat /usr/lib/wsl/lib /opt/rocm/lib /opt/rocm/opencl/lib \
    /opt/intel/oneapi/compiler/latest/lib; do
    [ ! -e "$folder/$1" ] || { echo "$folder/$1"; return; }
  done
}

# Libraries that the box lacks, among those that drivers load too.
libraries=$here/lib:$out/lib
for library in "$here"/lib/shared/*; do
  name=$(basename "$library")
  if [ -z "$(find_library "$name")" ] || { [ "$name" = libOpenCL.so.1 ] && [ $own_loader = 1 ]; }; then
    ln -sf "$library" "$out/lib/$name"
  fi
done
box_loader=$(find_library libOpenCL.so.1)
if [ -e "$out/lib/libOpenCL.so.1" ]; then loader="the bundle's"; else loader=$box_loader; fi

# Drivers that are there without a file that names them get one in a folder of our own.
vendors=${OCL_ICD_VENDORS:-/etc/OpenCL/vendors}
vendors=${vendors%/}
nvidia=$(find_library libnvidia-opencl.so.1)
folders=''
for driver in libnvidia-opencl.so.1 libamdocl64.so libigdrcl.so; do
  path=$(find_library $driver)
  [ -n "$path" ] || continue
  ! grep -qs "${driver%%.so*}" "$vendors"/*.icd || continue
  mkdir -p "$out/vendors"
  [ -e "$out/vendors/.copied" ] || cp "$vendors"/*.icd "$out/vendors/" 2>/dev/null
  touch "$out/vendors/.copied"
  echo "$path" >"$out/vendors/maxgl-${driver%%.so*}.icd"
  folders=$folders:$(dirname "$path") # where its own libraries are
done

describe_box() {
  uname -a
  sed -n 's/^PRETTY_NAME=//p' /etc/os-release
  grep -m1 'model name' /proc/cpuinfo
  echo "$(nproc) processors, $(free -m | awk '/^Mem/ { print $2 }') MiB"
  echo "OpenCL loader: ${box_loader:-none}; used: $loader"
  echo "$vendors: $(ls "$vendors" 2>&1 | tr '\n' ' ')"
  for file in "$vendors"/*.icd; do [ ! -e "$file" ] || echo "  $file: $(cat "$file")"; done
  echo "libnvidia-opencl.so.1: ${nvidia:-not found}"
  for file in "$out"/vendors/*.icd; do [ ! -e "$file" ] || echo "written: $file: $(cat "$file")"; done
  ls -l /dev/dri /dev/nvidia* /dev/kfd 2>&1
  nvidia-smi 2>&1
  nvidia-smi --query-gpu=name,driver_version,vbios_version,clocks.max.sm,clocks.max.mem,power.limit,ecc.mode.current --format=csv 2>&1
}
describe_box >"$out/box.txt" 2>&1
record box ok 0 "loader: $loader; libnvidia-opencl.so.1: ${nvidia:-no}; $vendors: $(ls "$vendors" 2>/dev/null | tr '\n' ' ')"

# The programs as this box has to start them. They stay behind for whoever wants to try something by hand.
for program in "$here"/programs/*; do
  cat >"$out/bin/$(basename "$program")" <<END
#!/bin/sh
export LD_LIBRARY_PATH='$libraries$folders'"\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}"
export MAXGL_CACHE_DIR='$out/cache' GST_PLUGIN_SYSTEM_PATH_1_0= GST_REGISTRY='$out/cache/gstreamer' GIO_MODULE_DIR='$out/lib'
$([ ! -d "$out/vendors" ] || echo "export OCL_ICD_VENDORS='$out/vendors/'")
exec '$program' "\$@"
END
  chmod +x "$out/bin/$(basename "$program")"
done
mkdir -p "$out/cache"
maxgl=$out/bin/maxgl-cl

# ---------------- steps, in their order ----------------

# --device as P:D.
find_device() {
  local chosen
  step devices 60 "$maxgl" devices || return
  "$maxgl" devices --device "${device:-auto}" --json >"$out/devices.json" 2>>"$out/logs/devices.log"
  chosen=$(sed -n '/"chosen"/,/}/s/.*"device" : "\([0-9]*:[0-9]*\)".*/\1/p' "$out/devices.json")
  [ -n "$chosen" ] || { record device failed 0 "$(tail -1 "$out/logs/devices.log")"; return 1; }
  export MAXGL_DEVICE=$chosen
  echo "device $chosen, results in $out"
}

choose_sizes() {
  if [ $dry = 1 ]; then
    small=(--only 'elementwise,subsample' --small)
    suite=(--quick --limit 10)
    net=(--net r3d-vcop@0.0625 --clip 4x16x16 --batch 2)
    versus=(--net r3d_18 --clip 4x32x32 --batch 1 --rounds 1 --repeats 1)
    heads=(--videos 3 --regions 4 --rounds 1 --repeats 1)
    learn=(--set "data.path=synth:videos=16,test=0,test_new=0,width=16,height=16,frames=8" --set clip.size=16 --set clip.frames=4
      --set 'objective.regions=[1, 1, 1]' --set train.batch=4 --set train.steps=2)
  else
    small=(--small)
    suite=(--limit $(($(share 20) / 7 + 1)))
    net=(--net r3d_18 --batch 8)
    versus=(--net r3d_18 --batch 8 --rounds 2 --repeats 5)
    heads=(--videos 32 --rounds 2 --repeats 5)
    learn=()
  fi
}

# Whether the matrix units multiply as they should, or are not there: both are answers.
try_matrix_units() { # device
  local factors said
  for factors in fp16 bf16 tf32 fp32; do
    if said=$("$out/bin/maxgl-probe" "$1" $factors 2>&1); then echo "$factors: as it should be"; else echo "$factors: $said"; fi
  done
}
export -f try_matrix_units
export out

test_operators() {
  step matrix-units "$(share 10)" bash -c 'try_matrix_units "$MAXGL_DEVICE"'
  step questions "$(share 10)" "$out/bin/gpu-questions" "$MAXGL_DEVICE" "$out/questions.json"
  step selftest-small "$(share 10)" "$out/bin/checkcl" "${small[@]}" --device "$MAXGL_DEVICE"
  [ $dry = 1 ] || step selftest "$(share 12)" "$out/bin/checkcl" --device "$MAXGL_DEVICE"
}

# All sections in one process; if that does not come to its end, each by itself.
run_suite() { # name, options …
  local name=$1 section
  shift
  step "$name" "$(share 30)" "$maxgl" bench --suite "${suite[@]}" --note "gpu-run.sh, $name" "$@" --json "$out/$name.json" && return
  for section in peaks launch transfers layers heads inference training preparation; do
    step "$name-$section" "$(share 6)" "$maxgl" bench --suite "${suite[@]}" --sections $section --json "$out/$name-$section.json"
  done
}

# In each precision that has tiles of its own.
tune() {
  local precision precisions=(fp32) budget
  for precision in tf32 fp16 bf16; do
    ! grep -qs "^$precision: as it should be" "$out/logs/matrix-units.log" || precisions+=("$precision")
  done
  budget=$(($(share 28) / ${#precisions[@]}))
  [ $dry = 0 ] || budget=3
  for precision in "${precisions[@]}"; do
    step "tune-$precision" $((budget + 60)) "$maxgl" tune "${net[@]}" --precision "$precision" \
      --budget "$(awk "BEGIN { print $budget / 60 }")" --out "$out/tuning.cfg"
  done
}

# With the shipped tiles, then with those that are found here.
measure() {
  local suites
  run_suite suite
  tune
  if [ -e "$out/tuning.cfg" ]; then
    export MAXGL_TUNING=$out/tuning.cfg
    step selftest-tuned "$(share 6)" "$out/bin/checkcl" --device "$MAXGL_DEVICE" --tuning "$MAXGL_TUNING" --only conv3d --small
    run_suite suite-tuned --sections peaks,layers,inference,training
  fi
  suites=("$out"/suite*.json)
  [ -e "${suites[0]}" ] || return
  step check 30 "$maxgl" bench --check "${suites[@]}"
  telling=page step compare 30 "$maxgl" bench --compare "${suites[@]}" --out "$out/suite.html"
}

compare_with_pytorch() {
  local on=(--device cpu) modes=() common compared
  if [ -z "$python" ]; then
    for python in python3 /usr/bin/python3 ""; do
      [ -z "$python" ] || ! "$python" -c 'import torch, torchvision' 2>/dev/null || break
    done
  fi
  [ -n "$python" ] || { record pytorch skipped 0 "no python3 here has torch and torchvision (--python)"; return; }
  if "$python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' 2>/dev/null; then
    on=(--device cuda)
    modes=(--modes fp32 tf32 fp16 bf16)
  fi
  common=("$here/vs_pytorch.py" --program "$maxgl" --python "$python" "${on[@]}" --opencl "$MAXGL_DEVICE" --threads "$(nproc)"
    "${modes[@]}")
  local layouts=(${modes[0]:+--layouts contiguous channels_last_3d})
  telling=ratio step pytorch-training "$(share 20)" "$python" "${common[@]}" --passes training "${versus[@]}" "${layouts[@]}" \
    --json "$out/pytorch-training.json"
  telling=ratio step pytorch-inference "$(share 14)" "$python" "${common[@]}" --passes inference "${versus[@]}" "${layouts[@]}" \
    --json "$out/pytorch-inference.json"
  telling=ratio step pytorch-heads "$(share 8)" "$python" "${common[@]}" --passes heads "${heads[@]}" --json "$out/pytorch-heads.json"
  compared=("$out"/pytorch-*.json)
  [ ! -e "${compared[0]}" ] || telling=page step pytorch-page 30 "$maxgl" bench --compare "${compared[@]}" --out "$out/pytorch.html"
}

if find_device; then
  choose_sizes
  test_operators
  measure
  compare_with_pytorch
  step learns "$(share 12)" "$maxgl" train --config "$here/demo.cfg" "${learn[@]}" --out "$out/run"
  [ $dry = 1 ] || step operators "$(share 8)" "$out/bin/checkcl" --device "$MAXGL_DEVICE" --bench
fi

# ---------------- the end ----------------

quoted() { printf '"%s"' "$(printf '%s' "$1" | tr -d '\000-\037' | sed 's/\\/\\\\/g; s/"/\\"/g')"; }
{
  printf '{\n  "date": "%s",\n  "device": %s,\n  "dry_run": %s,\n  "seconds": %s,\n  "loader": %s,\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" \
    "$(quoted "${MAXGL_DEVICE:-}")" "$([ $dry = 1 ] && echo true || echo false)" $(($(date +%s) - started)) "$(quoted "$loader")"
  printf '  "libnvidia_opencl": %s,\n  "steps": [' "$([ -n "$nvidia" ] && quoted "$nvidia" || echo null)"
  for i in "${!names[@]}"; do
    [ "$i" -eq 0 ] || printf ','
    printf '\n    {"name": %s, "status": "%s", "seconds": %s, "remark": %s}' "$(quoted "${names[i]}")" "${states[i]}" "${times[i]}" \
      "$(quoted "${remarks[i]}")"
  done
  printf '\n  ]\n}\n'
} >"$out/summary.json"
{
  printf '%-20s %-8s %7s  %s\n' step status seconds "last line"
  for i in "${!names[@]}"; do
    printf '%-20s %-8s %7s  %s\n' "${names[i]}" "${states[i]}" "${times[i]}" "${remarks[i]}"
  done
} >"$out/summary.txt"
echo
cat "$out/summary.txt"
echo "results: $out ($(($(date +%s) - started)) s)"
for state in "${states[@]}"; do
  [ "$state" != failed ] && [ "$state" != timeout ] || exit 1
done
