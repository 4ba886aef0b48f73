#!/usr/bin/env bash
# test_install.sh CMAKE BUILD CC WRITE_MODEL LIBDIR: installs into an empty folder and uses what is there as a stranger would.
set -euo pipefail
cmake=$1 build=$2 cc=$3 write_model=$4 libdir=$5
here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
prefix=$folder/prefix

fail() {
  echo "FAILED: $*" >&2
  exit 1
}

"$cmake" --install "$build" --prefix "$prefix" >"$folder/log" || { cat "$folder/log"; fail "cmake --install"; }
export PKG_CONFIG_PATH=$prefix/$libdir/pkgconfig LD_LIBRARY_PATH=$prefix/$libdir
library=$prefix/$libdir/libmaxgl.so

echo "== libmaxgl.so gives its public functions and nothing else"
nm -D --defined-only "$library" | awk '{print $3}' | grep -vE '^(__bss_start|_edata|_end)$' | sort >"$folder/exported"
grep -hoE '\bmaxgl_[a-z0-9_]+\(' "$prefix"/include/maxgl/*.h | tr -d '(' | sort -u >"$folder/declared"
grep -vE '^maxgl_' "$folder/exported" && fail "names that are not ours"
comm -23 "$folder/exported" "$folder/declared" | grep . && fail "exported, but in no header"
wc -l <"$folder/exported"

echo "== every header compiles alone"
pkg-config --exists maxgl || fail "pkg-config does not find maxgl"
for header in "$prefix"/include/maxgl/*.h; do
  name=maxgl/$(basename "$header")
  packages=maxgl
  ! grep -q '<gst/' "$header" || packages="maxgl gstreamer-1.0"
  # shellcheck disable=SC2046
  echo "#include <$name>" | "$cc" -x c -std=c11 -Wall -Wextra -Werror -fsyntax-only $(pkg-config --cflags $packages) - || fail "$name in C"
  if command -v g++ >/dev/null; then
    echo "#include <$name>" | g++ -x c++ -std=c++11 -Wall -Wextra -Werror -fsyntax-only $(pkg-config --cflags $packages) - || fail "$name in C++"
  fi
  echo "$name"
done

echo "== a program against maxgl.pc"
# shellcheck disable=SC2046
"$cc" -std=gnu17 -Wall -Wextra -Werror "$here/embed_zeros.c" -o "$folder/embed_zeros" $(pkg-config --cflags --libs maxgl)
"$write_model" "$folder/model.safetensors"
"$folder/embed_zeros" "$folder/model.safetensors" | tee "$folder/out"
grep -q '^hara-r3d10@0.0625: 32 features' "$folder/out" || fail "no features"

echo "== the program runs from where it is"
"$prefix/bin/maxgl-cl" model info "$folder/model.safetensors" >/dev/null || fail "maxgl-cl model info"
[ "$("$prefix/bin/maxgl-cl" --version)" = "maxgl-cl $(pkg-config --modversion maxgl)" ] || fail "versions differ"

plugin=$prefix/$libdir/gstreamer-1.0/libgstmaxgl.so
if [ -e "$plugin" ]; then
  echo "== gst-inspect-1.0 loads the plugin, which finds libmaxgl.so by itself"
  env -u LD_LIBRARY_PATH GST_REGISTRY="$folder/registry" GST_PLUGIN_PATH="${plugin%/*}" gst-inspect-1.0 maxglembed >"$folder/inspect" ||
    fail "gst-inspect-1.0 maxglembed"
  grep -q "$plugin" "$folder/inspect" || fail "another plugin was loaded"
fi
