#!/bin/sh
# run_oclgrind.sh CHECKCL [ARGUMENT…]: the small cases under Oclgrind. Fails if a case fails or if Oclgrind reports anything
# (it does so without changing the program's exit status); exits 77, "skipped", where Oclgrind is not installed.
set -u
if ! command -v oclgrind >/dev/null 2>&1; then
    echo "skipped: oclgrind is not installed (apt-get install oclgrind)"
    exit 77
fi
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
oclgrind --data-races --uninitialized --check-api --max-errors 20 --log "$folder/log" "$@" --small
status=$?
if [ -s "$folder/log" ]; then
    echo "Oclgrind reported:"
    cat "$folder/log"
    exit 1
fi
exit $status
