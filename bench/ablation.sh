#!/usr/bin/env bash
# bench/ablation.sh [-o DIR] [-j JOBS] [--data-seed N] [--seeds "1 2 3"] [--steps N] [--videos N] [--test N]
#
# What each part of the objective contributes, on procedural videos: trains config/demo.cfg with Global-MI alone, Local-MI alone and
# both (Max-GL), and a network with labels; tests them for motion, appearance and background; puts the runs beside each other.
# Three regimes: "shared", four backgrounds shared by all videos; "own", a background of its own for every video; "unmixed", the
# same without the recipe's background mixing.
#
#   -o DIR     where the runs go (default: ablation); what is finished there is not done again
#   -j JOBS    runs at a time, each with its part of the cores of a CPU (default: 2 on a CPU with an even number of cores, else 1);
#              results are the same, only the time is not. Use -j 1 where MAXGL_DEVICE is a GPU
#   --seeds S  seeds, with spaces between (default: "1 2 3")
#   --steps N  of pre-training, instead of the recipe's
#   --videos N for training, instead of 2000
#   --test N   for each kind of test, instead of 400
#   --data-seed N  another data set (default: 1; settings were chosen on 101)
#
# The program is build/release/bin/maxgl-cl, or $MAXGL_CL. About 50 minutes on two cores. Writes DIR/ablation.html (open it in a
# browser), DIR/ablation.json and DIR/ablation.txt.
set -euo pipefail
root=$(dirname "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")")
maxgl=${MAXGL_CL:-$root/build/release/bin/maxgl-cl}
out=ablation seeds="1 2 3" steps="" videos=2000 tests=400 data_seed=1 jobs=$((($(nproc) % 2) ? 1 : 2))

usage() {
  echo "bench/ablation.sh: $1; see the head of the script" >&2
  exit 2
}
while [ $# -gt 0 ]; do
  [ "$1" = -h ] || [ "$1" = --help ] && { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0"; exit; }
  [ $# -ge 2 ] || usage "$1: a value is missing, or there is no such option"
  case $1 in
    -o) out=$2 ;;
    -j) jobs=$2 ;;
    --seeds) seeds=$2 ;;
    --steps) steps=$2 ;;
    --videos) videos=$2 ;;
    --test) tests=$2 ;;
    --data-seed) data_seed=$2 ;;
    *) usage "$1: no such option" ;;
  esac
  shift 2
done
for number in "$jobs" "$videos" "$tests" "$data_seed" "${steps:-1}" $seeds; do
  [[ $number =~ ^[1-9][0-9]*$ ]] || usage "$number is not a number above 0"
done
[ -x "$maxgl" ] || usage "$maxgl is not there: build it, or set MAXGL_CL"
mkdir -p "$out/log"
out=$(readlink -f "$out")
trap 'jobs -p | xargs -r kill 2>/dev/null || true; wait; echo "stopped; the same command goes on from here" >&2; exit 130' INT TERM

# Threads of PoCL for each of several runs; other devices share themselves.
if [ "$jobs" -gt 1 ]; then
  export POCL_MAX_PTHREAD_COUNT=$((($(nproc) + jobs - 1) / jobs))
fi

data_of() { # data_of REGIME
  local counts=seed=$data_seed,videos=$videos,test=$tests,test_new=$tests,test_conflict=$tests
  [ "$1" = shared ] && echo "synth:$counts" || echo "synth:backgrounds=0,$counts"
}

settings_of() { # settings_of REGIME OBJECTIVE: options of config/demo.cfg, one a line
  [ -z "$steps" ] || echo "train.steps=$steps"
  [ "$1" != unmixed ] || echo augment.mix=0
  case $2 in
    global) echo objective.local_weight=0 ;;
    local) echo objective.global_weight=0 ;;
    maxgl) ;;
    supervised) printf '%s\n' train.task=recognition data.label=motion ;;
  esac
}

evaluate() { # evaluate RUN DATA OBJECTIVE
  local controls=()
  [ "$3" = global ] && controls=(--random-init)
  [ "$3" = maxgl ] && controls=(--still)
  "$maxgl" eval linear --model "$1" --data "$2" --clips 4 --label motion --label appearance "${controls[@]}"
  "$maxgl" eval retrieval --model "$1" --data "$2" --clips 4 --label background --test-split test "${controls[@]}"
}

one() { # one REGIME OBJECTIVE SEED
  local run=$out/$1-$2-$3 data sets=() resume=() line
  data=$(data_of "$1")
  if [ ! -e "$run/model.safetensors" ]; then
    while read -r line; do sets+=(--set "$line"); done < <(settings_of "$1" "$2")
    [ ! -e "$run/recipe.cfg" ] || resume=(--resume)
    "$maxgl" train --config "$root/config/demo.cfg" --data "$data" --set train.seed="$3" "${sets[@]}" --out "$run" "${resume[@]}"
  fi
  [ -e "$run/eval-retrieval.json" ] || evaluate "$run" "$data" "$2"
}

started=$SECONDS done=0 runs=() waiting=()
for regime in shared own unmixed; do
  for objective in global local maxgl supervised; do
    # The ceiling is the same with and without mixing.
    [ "$regime-$objective" != unmixed-supervised ] || continue
    for seed in $seeds; do
      runs+=("$out/$regime-$objective-$seed")
      waiting+=("$regime $objective $seed")
    done
  done
done

# As many at a time as wished for; the first that fails ends all.
finish_one() {
  if ! wait -n; then
    echo "a run failed; the last lines of $out/log:" >&2
    tail -n 2 "$out"/log/*.txt | tail -n 40 >&2
    jobs -p | xargs -r kill 2>/dev/null || true
    exit 1
  fi
  done=$((done + 1))
  printf '%d of %d runs, %d min\n' "$done" "${#runs[@]}" $(((SECONDS - started) / 60))
}
for job in "${waiting[@]}"; do
  [ "$(jobs -rp | wc -l)" -lt "$jobs" ] || finish_one
  # shellcheck disable=SC2086 # three words
  one $job </dev/null >"$out/log/${job// /-}.txt" 2>&1 &
done
while [ "$done" -lt "${#runs[@]}" ]; do finish_one; done

cd "$out"
"$maxgl" report "${runs[@]#"$out/"}" --out ablation.html --json ablation.json | tee ablation.txt
printf '%d minutes; the page: file://%s/ablation.html\n' $(((SECONDS - started) / 60)) "$out"
