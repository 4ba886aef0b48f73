#!/bin/sh
# test_ablation.sh SOURCE MAXGL_CL: bench/ablation.sh from the first run to the page, with runs that are too short to learn anything.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
ablation() {
  MAXGL_CL=$maxgl "$source/bench/ablation.sh" -o "$folder/runs" --seeds 1 --steps 2 --videos 32 --test 16
}
source=$1
maxgl=$2
fail() {
  echo "$1" >&2
  exit 1
}

ablation >"$folder/first.txt"
[ "$(grep -c 'motion  *test-conflict' "$folder/runs/ablation.txt")" -eq 2 ] || fail "no motion probe in each regime"
[ "$(grep -c 'background  *test ' "$folder/runs/ablation.txt")" -eq 2 ] || fail "no background in each regime"
for word in own-global-1 own-local-1 own-maxgl-1 own-supervised-1 'random init' 'own-maxgl-1, still frames'; do
  grep -q "$word" "$folder/runs/ablation.txt" || fail "no $word"
done
grep -q '<svg' "$folder/runs/ablation.html" || fail "no curves in the page"

# What is there is not done again, and what is not is.
touch -d '2001-01-01' "$folder"/runs/*/model.safetensors
rm -r "$folder/runs/own-local-1"
ablation >"$folder/second.txt"
[ "$(find "$folder/runs" -name model.safetensors -newermt 2002-01-01 | wc -l)" -eq 1 ] || fail "trained again"
[ -e "$folder/runs/own-local-1/eval-retrieval.json" ] || fail "not trained again"

# A run that fails ends it, and says which and why.
rm -r "$folder/runs/own-local-1"
MAXGL_DEVICE='no such device' ablation >"$folder/third.txt" 2>"$folder/error.txt" && fail "a failure went unnoticed"
grep -q 'no such device' "$folder/error.txt" || fail "the failure is not explained"
"$source/bench/ablation.sh" --steps none 2>"$folder/error.txt" && fail "--steps none was taken"
grep -q 'none is not a number' "$folder/error.txt" || fail "--steps none is not explained"
