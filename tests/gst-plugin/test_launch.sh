#!/usr/bin/env bash
# The plugin as a user meets it, installed: gst-inspect-1.0 teaches it, gst-launch-1.0 runs it on a file.
#   test_launch.sh BUILD_DIR MAKE_MODEL
set -euo pipefail
build="$1" make_model="$2"
folder="$(mktemp -d -t maxgl-launch-XXXXXX)"
trap 'rm -rf "$folder"' EXIT
die() { echo "test_launch.sh: $*" >&2; exit 1; }

# An installed tree works by itself: the plugin finds libmaxgl beside it.
cmake --install "$build" --prefix "$folder/usr" >"$folder/install.log" || die "cmake --install fails: $(tail -1 "$folder/install.log")"
plugin="$(find "$folder/usr" -name libgstmaxgl.so)"
[ -n "$plugin" ] || die "the plugin is not installed"
case "$plugin" in */gstreamer-1.0/libgstmaxgl.so) ;; *) die "the plugin is in $plugin" ;; esac
[ -e "$folder/usr/include/maxgl/gstmaxglmeta.h" ] || die "gstmaxglmeta.h is not installed"
export GST_PLUGIN_PATH_1_0="${plugin%/*}" GST_REGISTRY="$folder/registry.bin"
unset GST_TRACERS

# A program includes the meta's header alone and needs nothing to link but GStreamer.
cat >"$folder/reader.c" <<'C'
#include <maxgl/gstmaxglmeta.h>
int main(int argc, char **argv)
{
    gst_init(&argc, &argv);
    GstBuffer *buffer = gst_buffer_new();
    int found = gst_buffer_get_maxgl_embedding_meta(buffer) != NULL;
    gst_buffer_unref(buffer);
    return found;
}
C
# shellcheck disable=SC2046
${CC:-cc} -Wall -Wextra -Werror -Wno-unused-parameter -I"$folder/usr/include" "$folder/reader.c" -o "$folder/reader" \
  $(pkg-config --cflags --libs gstreamer-1.0) || die "gstmaxglmeta.h does not compile alone"
"$folder/reader" || die "a buffer without an embedding seems to have one"

inspect="$(gst-inspect-1.0 maxglembed)" || die "gst-inspect-1.0 does not find maxglembed"
for word in model device frame-stride hop partial precision fp32 tf32 fp16 bf16 l2-normalize post-messages message-vector stats pad-last \
  other/tensors text/x-raw video/x-raw "gst-launch-1.0 -m"; do
  grep -qF -- "$word" <<<"$inspect" || die "gst-inspect-1.0 says nothing of $word"
done

# 50 frames at 25 a second; windows of 4 frames, 2 apart, span 7: seven whole ones and the last frame.
"$make_model" "$folder/model.safetensors" 4 16 2 1
gst-launch-1.0 -q videotestsrc num-buffers=50 ! video/x-raw,format=I420,width=64,height=48,framerate=25/1 ! \
  avimux ! filesink location="$folder/video.avi"
pipeline=(filesrc location="$folder/video.avi" ! decodebin ! videoconvert ! maxglembed model="$folder/model.safetensors")
gst-launch-1.0 -m "${pipeline[@]}" partial=pad-last ! fakesink >"$folder/messages"
[ "$(grep -c 'maxgl-embedding, index' "$folder/messages")" = 8 ] || die "not 8 messages: $(grep maxgl "$folder/messages")"
grep -q 'index=(guint64)1,.*first-pts=(guint64)280000000, last-pts=(guint64)520000000,' "$folder/messages" ||
  die "the second window is wrong: $(grep maxgl "$folder/messages")"
grep -q 'index=(guint64)7,.*first-pts=(guint64)1960000000, last-pts=(guint64)1960000000, frames=(uint)1,' \
  "$folder/messages" || die "the last window is wrong: $(grep maxgl "$folder/messages")"

gst-launch-1.0 -q "${pipeline[@]}" hop=10 ! text/x-raw ! filesink location="$folder/lines"
[ "$(jq -s 'length' "$folder/lines")" = 5 ] || die "not 5 lines of JSON"
[ "$(jq -s 'map(.first_pts)[4], map(.vector | length)[0]' "$folder/lines" | paste -sd' ')" = "1600000000 64" ] ||
  die "the lines are wrong: $(cut -c1-200 "$folder/lines")"

# The error is ours, in one line.
if gst-launch-1.0 -q videotestsrc ! maxglembed model="$folder/none.safetensors" ! fakesink 2>"$folder/error"; then
  die "a missing model is no error"
fi
grep -q 'none.safetensors' "$folder/error" || die "the error does not name the file: $(cat "$folder/error")"
