#!/usr/bin/env bash
# Compiles the convolution kernels of GPUs as the shipped tuning databases ask, without a GPU: registers, spills and local
# memory of each program, the most of its kernels. Fails if a kernel does not compile or spills. Uses what is installed:
#   AMD     clang-19 and libclc-19 (or a newer pair)
#   NVIDIA  the same, and ptxas of the CUDA toolkit (of PATH, or in /usr/local/cuda/bin)
#   Intel   ocloc (Debian's intel-opencl-icd)
# Exits 77, "skipped", where there is none of them. The drivers' own compilers differ: the figures are a guide.
#   tests/compile_for_gpus.sh [amd] [nvidia] [intel]
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
PATH=$PATH:/usr/local/cuda/bin
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
vendors=("$@")
[ ${#vendors[@]} -gt 0 ] || vendors=(amd nvidia intel)
failures=0
compiled=0

# The first clang that can link libclc's builtins for a target (they come in pairs of one version).
find_clang() { # builtins, further arguments
  local name
  for name in clang-22 clang-21 clang-20 clang-19; do
    if command -v "$name" >/dev/null && echo 'kernel void k(global float *a) { *a = fma(*a, *a, *a); }' |
      "$name" -x cl "${@:2}" -Xclang -finclude-default-header -Xclang -mlink-bitcode-file -Xclang "$1" \
        -S - -o /dev/null 2>/dev/null; then
      echo "$name"
      return
    fi
  done
}

# -D options of the entries for a kernel and pass that fit a vendor and architecture; later ones win.
tile_of() { # vendor, architecture, kernel, pass
  grep -hE "kernel = \"$3\"" "config/devices/$1.cfg" |
    grep -E "(architecture = \"$2\"|vendor = \"$1\"); (shape = \"$4 .*)?parameters" |
    sed -E 's/.*parameters = \{(.*)\}; \}.*/\1/' | tr -d ' \n' | tr ';' '\n' |
    awk -F= 'NF == 2 { value[$1] = $2 } END { for (name in value) printf "-D%s=%s ", name, value[name] }'
}

report() { # target, what, registers, spilled bytes, local bytes, remark
  printf '%-9s %-44s %9s %8s %8s  %s\n' "$@"
  compiled=$((compiled + 1))
  if [ "$3" = failed ] || [ "${4:-0}" -gt 0 ]; then
    failures=$((failures + 1))
    [ ! -s "$work/log" ] || [ "$3" != failed ] || head -5 "$work/log"
  fi
}

compile_amd() { # target, what, file, options
  local s="$work/k.s"
  if ! "$clang_amd" -x cl -cl-std=CL1.2 -Xclang -finclude-default-header -target amdgcn-amd-amdhsa "-mcpu=$1" -nogpulib -O3 \
    -Xclang -mlink-bitcode-file -Xclang /usr/lib/clc/amdgcn--amdhsa.bc -Icl "${@:4}" "cl/$3" -S -o "$s" \
    -Rpass-analysis=kernel-resource-usage >"$work/log" 2>&1; then
    report "$1" "$2" failed 0 0 ""
    return
  fi
  values() { sed -nE "s/.*remark:.* $1: ([0-9]+).*/\\1/p" "$work/log" | sort -n; }
  report "$1" "$2" "$(values VGPRs | tail -1)" "$(values 'ScratchSize \[bytes\/lane\]' | tail -1)" \
    "$(values 'LDS Size \[bytes\/block\]' | tail -1)" "$(values 'Occupancy \[waves\/SIMD\]' | head -1) waves a SIMD"
}

compile_nvidia() {
  local ptx="$work/k.ptx" limit=()
  [[ " ${*:4} " =~ .*\ -DREGISTERS=([0-9]*)\  ]] && [ "${BASH_REMATCH[1]}" -gt 0 ] && limit=("-maxrregcount=${BASH_REMATCH[1]}")
  if ! "$clang_nvidia" -x cl -cl-std=CL1.2 -Xclang -finclude-default-header -target nvptx64-nvidia-nvcl -Xclang -target-cpu \
    -Xclang "$1" -Xclang -target-feature -Xclang +ptx78 -O3 -Wno-linker-warnings -Xclang -mlink-bitcode-file -Xclang \
    /usr/lib/clc/nvptx64--nvidiacl.bc -Icl "${@:4}" "cl/$3" -S -o "$ptx" >"$work/log" 2>&1 ||
    ! ptxas -v "${limit[@]}" "-arch=$1" "$ptx" -o "$work/k.cubin" >"$work/log" 2>&1; then
    report "$1" "$2" failed 0 0 ""
    return
  fi
  value() { grep -oE "[0-9]+ $1" "$work/log" | sort -n | tail -1 | cut -d' ' -f1; }
  report "$1" "$2" "$(value registers)" "$(value 'bytes spill stores')" "$(value 'bytes smem')" ""
}

compile_intel() {
  "$work/expand" "$3" >"$work/k.cl"
  rm -rf "$work/out"
  if ! ocloc compile -file "$work/k.cl" -device "$1" --format zebin -options "-cl-std=CL1.2 ${*:4}" -output k \
    -out_dir "$work/out" >"$work/log" 2>&1; then
    report "$1" "$2" failed 0 0 ""
    return
  fi
  strings "$work"/out/*.bin >"$work/text"
  values() { sed -nE "s/^ *$1: +([0-9]+).*/\\1/p" "$work/text" | sort -n; }
  local private
  private=$(sed -nE '/per_thread_memory_buffers/,/- name:|kernels_misc_info/p' "$work/text" |
    sed -nE 's/^ *size: +([0-9]+).*/\1/p' | sort -n | tail -1)
  report "$1" "$2" "$(values grf_count | tail -1)" "${private:-0}" "$(values slm_size | tail -1)" "SIMD $(values simd_size | head -1)"
}

# The program as the library expands it: each included file once.
cat >"$work/expand" <<'END'
#!/usr/bin/awk -f
function expand(file, line, name) {
  if (file in seen) return
  seen[file] = 1
  while ((getline line < ("cl/" file)) > 0)
    if (line ~ /^#include "/) { split(line, part, "\""); name = part[2]; expand(name) } else print line
  close("cl/" file)
}
BEGIN { expand(ARGV[1]); exit }
END
chmod +x "$work/expand"

compile_gemm() { # vendor, target, pass, blocks, rows of the tile if others than shipped
  local bi=${4%:*} bo=${4#*:} tile source=conv3d_gemm.cl transposed=0 text
  tile=$(tile_of "$1" "$2" conv3d_gemm "$3")
  [ $# -lt 5 ] || tile=$(sed -E "s/-DTM=[0-9]+/-DTM=$5/" <<<"$tile")
  [ "$3" != backward_data ] || transposed=1
  [ "$3" != backward_weights ] || source=conv3d_gemm_weights.cl
  text=$(sed -E 's/.*-DTM=([0-9]+).*/\1/' <<<"$tile")
  text="${3/_/ } ${4/:/→}, tile $text × $(sed -E 's/.*-DTN=([0-9]+).*/\1/' <<<"$tile")"
  # shellcheck disable=SC2086 # words
  "compile_$1" "$2" "$text" $source $tile -DBI="$bi" -DBO="$bo" -DTRANSPOSED=$transposed
}

# Winograd's method: its products with conv3d_gemm's tile and what differs, its transforms with the default vector.
compile_winograd() { # vendor, target
  local side pass source=conv3d_winograd_gemm
  for pass in forward backward_data backward_weights; do
    [ $pass != backward_weights ] || source=conv3d_winograd_gemm_weights
    # shellcheck disable=SC2046 # words
    "compile_$1" "$2" "winograd, products, ${pass/_/ }" $source.cl $(tile_of "$1" "$2" conv3d_gemm $pass) \
      $(tile_of "$1" "$2" conv3d_winograd_gemm $pass)
  done
  for side in 4 2; do
    "compile_$1" "$2" "winograd, transforms, $side × $side" conv3d_winograd_gemm_transforms.cl -DBI=16 -DBO=16 \
      -DVECTOR=2 "-DTILE=$side" -DTRANSPOSED=0
    "compile_$1" "$2" "winograd, transforms, backward, $side × $side" conv3d_winograd_gemm_transforms.cl -DBI=16 -DBO=16 \
      -DVECTOR=2 "-DTILE=$side" -DTRANSPOSED=1
  done
}

check() { # vendor, target
  local pass
  for pass in forward backward_data backward_weights; do
    compile_gemm "$1" "$2" $pass 16:16
    compile_gemm "$1" "$2" $pass 1:16
    # What a layer of 64 channels gets.
    [ "$1" = intel ] || compile_gemm "$1" "$2" $pass 16:16 64
  done
  compile_winograd "$1" "$2"
}

printf '%-9s %-44s %9s %8s %8s\n' target kernel registers spilled local
for vendor in "${vendors[@]}"; do
  case $vendor in
    amd)
      clang_amd=$(find_clang /usr/lib/clc/amdgcn--amdhsa.bc -target amdgcn-amd-amdhsa -mcpu=gfx90a -nogpulib)
      [ -n "$clang_amd" ] || { echo "amd: skipped (apt-get install clang-19 libclc-19)"; continue; }
      for target in gfx90a gfx942 gfx1030 gfx1100; do check amd $target; done
      ;;
    nvidia)
      clang_nvidia=$(find_clang /usr/lib/clc/nvptx64--nvidiacl.bc -target nvptx64-nvidia-nvcl)
      [ -n "$clang_nvidia" ] || { echo "nvidia: skipped (apt-get install clang-19 libclc-19)"; continue; }
      command -v ptxas >/dev/null || { echo "nvidia: skipped (no ptxas: install the CUDA toolkit)"; continue; }
      for target in sm_75 sm_80 sm_90; do check nvidia $target; done
      ;;
    intel)
      command -v ocloc >/dev/null || { echo "intel: skipped (apt-get install intel-opencl-icd)"; continue; }
      for target in dg2-g10 tgllp; do check intel $target; done
      ;;
    *)
      echo "usage: tests/compile_for_gpus.sh [amd] [nvidia] [intel]" >&2
      exit 2
      ;;
  esac
done
[ "$compiled" -gt 0 ] || exit 77
echo "$compiled kernels compiled, $failures failed or spilled"
[ "$failures" -eq 0 ]
