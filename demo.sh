#!/usr/bin/env bash
# From a fresh Debian 12 to a trained network inside a media pipeline:
# installs packages, builds, makes video files, trains on them, tests what was learnt, embeds a file with gst-launch-1.0,
# writes a report. About three minutes on two cores after the packages; everything it makes is in demo-run/.
#
#   ./demo.sh          again: keeps what is there and still fits; after Ctrl-C: goes on where it stopped
#   rm -rf demo-run    to begin anew
#
# MAXGL_DEVICE chooses the OpenCL device (maxgl-cl devices lists them).
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"

[ $# -eq 0 ] || { echo "usage: ./demo.sh (no arguments)" >&2; exit 2; }
trap 'echo "demo.sh: line $LINENO failed" >&2' ERR
trap 'printf "\ndemo.sh: stopped; ./demo.sh goes on from here\n" >&2; exit 130' INT TERM

out=demo-run
build=build/release
maxgl=$build/bin/maxgl-cl
names=()
seconds=()
step() { # step NAME: ends the step before, and begins one
  end_step
  names+=("$1")
  began=$SECONDS
  printf '\n== %s\n' "$1"
}
end_step() {
  [ ${#names[@]} -eq ${#seconds[@]} ] || seconds+=($((SECONDS - began)))
}
show() { # show COMMAND…: says it and runs it
  printf '$ %s\n' "$*"
  "$@"
}

step "packages"
./setup.sh

step "build"
cmake --preset release -DMAXGL_TESTS=OFF >/dev/null
if [ -t 1 ]; then
  cmake --build --preset release
else
  cmake --build --preset release -- --quiet
fi
show $maxgl devices

# What an earlier demo left counts only if it came from the same recipe, program and script.
stamp=$(cat config/demo.cfg demo.sh $maxgl | sha256sum)
if [ -e $out ] && [ "$(cat $out/stamp 2>/dev/null)" != "$stamp" ]; then
  echo "$out is from another version: replaced"
  rm -rf $out
fi
mkdir -p $out
echo "$stamp" >$out/stamp

step "video files"
if [ -e $out/videos/list.csv ]; then
  echo "$out/videos is there already"
else
  show $maxgl synth $out/videos
fi

step "training"
if [ -e $out/run/model.safetensors ]; then
  echo "$out/run is trained already"
elif [ -e $out/run/recipe.cfg ]; then
  show $maxgl train --out $out/run --resume
else
  show $maxgl train --config config/demo.cfg --data $out/videos/list.csv --out $out/run
fi

step "what was learnt"
show $maxgl eval retrieval linear --model $out/run --data $out/videos/list.csv --label motion --label appearance \
  --clips 4 --random-init

step "a file through GStreamer"
tests=("$out"/videos/test/*)
export GST_PLUGIN_PATH_1_0="$PWD/$build/gst-plugin${GST_PLUGIN_PATH_1_0:+:$GST_PLUGIN_PATH_1_0}"
show gst-launch-1.0 -m filesrc location="${tests[0]}" ! decodebin ! videoconvert ! \
  maxglembed model=$out/run/model.safetensors partial=pad-last ! fakesink >$out/pipeline.log
sed -n -e '/^\$/p' -e 's/^.*(element): maxgl-embedding/maxgl-embedding/p' $out/pipeline.log

step "report"
show $maxgl report $out/run
end_step

printf '\nseconds\n'
for i in "${!names[@]}"; do
  printf '%7d  %s\n' "${seconds[i]}" "${names[i]}"
done
printf '%7d  in all\n\nThe report: file://%s/%s/run/report.html\n' "$SECONDS" "$PWD" "$out"
