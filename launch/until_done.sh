#!/usr/bin/env bash
# Runs a command and says by its exit status whether to start it again:
#
#   until_done.sh WORKDIR COMMAND...
#
#   0      finished: results.json is there
#   75     start it again: it was told to end and saved, or a process of the job was lost
#   other  an error that a restart does not mend
#
# With STATUS_FILE set, the status is written there, too.
# SIGTERM, and SIGUSR1 that batch systems send as a warning, reach the command as SIGTERM.
set -uo pipefail
[[ $# -ge 2 ]] || { echo "usage: ${0##*/} WORKDIR COMMAND..." >&2; exit 2; }
workdir=$1
shift

finished() {
    if [[ $workdir == *://* ]]; then
        python3 -c 'import sys; from etils import epath
sys.exit(not (epath.Path(sys.argv[1]) / "results.json").exists())' "$workdir"
    else
        [[ -f $workdir/results.json ]]
    fi
}

child="" told=""
trap 'told=yes; [[ -z $child ]] || kill -TERM "$child" 2>/dev/null' TERM USR1
"$@" &
child=$!
[[ -z $told ]] || kill -TERM "$child" # it came before the number was known
wait "$child"
status=$?
while kill -0 "$child" 2>/dev/null; do # a signal ended the wait, not the command
    wait "$child"
    status=$?
done

case $status in
    0) finished || status=75 ;;
    134 | 137 | 143) status=75 ;; # process 0 was lost; killed; told to end before the first step
esac
[[ -z ${STATUS_FILE:-} ]] || echo "$status" > "$STATUS_FILE"
exit "$status"
