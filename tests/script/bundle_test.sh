#!/usr/bin/env bash
# script/bundle: the folder that it makes runs against the LibTorch that it is shown and without the
# system's libraries but those of C, and refuses another LibTorch in one line.
# Usage: tests/script/bundle_test.sh TORCH, in the root of the project; TEST_TMPDIR is a folder to work in.
set -euo pipefail
torch=$1
work=$(mktemp -d "${TEST_TMPDIR:-/tmp}/bundle-XXXXXX")
trap 'rm -rf "$work"' EXIT
fail() { printf 'bundle_test: %s\n' "$*" >&2; exit 1; }
# bare COMMAND...: with an empty environment but for where programs are.
bare() { env -i PATH=/usr/bin:/bin "$@"; }
# refused PART COMMAND...: the command ends with 2 and one line on stderr that has PART.
refused() {
  local part=$1 code=0
  shift
  bare "$@" >/dev/null 2>"$work/err" || code=$?
  [ "$code" = 2 ] || fail "'$*' ended with $code: $(cat "$work/err")"
  [ "$(wc -l <"$work/err")" = 1 ] || fail "not one line: $(cat "$work/err")"
  grep -qF "$part" "$work/err" || fail "'$part' is not in: $(cat "$work/err")"
}

script/bundle "$work/made"
mv "$work/made" "$work/elsewhere"  # found by relative paths
grin=$work/elsewhere/grin
bare GRIN_TORCH="$torch" "$grin" --version | grep -qF "in $(realpath "$torch")" ||
  fail "another LibTorch than the one in GRIN_TORCH was found"
ln -s "$grin" "$work/link"
bare GRIN_TORCH="$torch" "$work/link" --help >/dev/null || fail "it does not start through a link"
text=$(bare GRIN_TORCH="$torch" "$grin" tokenize --model tests/data/model/falcon_40b --text hi 2>&1) || true
case $text in *"error while loading"*) fail "$text" ;; esac

# Whatever it loads is its own, LibTorch's, CUDA's or the C library's.
LD_LIBRARY_PATH=$torch/lib ldd "$work/elsewhere/bin/grin" >"$work/libraries"
while read -r name path; do
  case $path in "$work"/*|"$(realpath "$torch")"/*|"$torch"/*) continue ;; esac
  case $name in
    libc.so.*|libm.so.*|libdl.so.*|libpthread.so.*|librt.so.*|libresolv.so.*|libutil.so.*) continue ;;
    libcud*|libcublas*|libcufft*|libcufile*|libcupti*|libcurand*|libcusolver*|libcusparse*|libnv*|libnccl*)
      continue ;;
  esac
  fail "$name comes from the system: $path"
done < <(awk '/=>/ {print $1, $3}' "$work/libraries")

mkdir -p "$work/old/lib"
touch "$work/old/lib/libtorch_cpu.so"
echo "__version__ = '2.9.1+cpu'" >"$work/old/version.py"
refused "PyTorch 2.9.1+cpu in $work/old does not fit" GRIN_TORCH="$work/old" "$grin" --version
refused "there is no PyTorch in $work/none" GRIN_TORCH="$work/none" "$grin" --version
refused "no PyTorch was found" GRIN_PYTHON=/bin/false "$grin" --version
if script/bundle "$work/elsewhere" 2>"$work/err"; then fail "an existing folder was written to"; fi
grep -qF "is there already" "$work/err" || fail "$(cat "$work/err")"
