#!/usr/bin/env bash
# Pre-training on hosts that ssh reaches, without a scheduler.
#
#   launch/ssh_hosts.sh start | follow | status | stop
#   DRY_RUN=1 launch/ssh_hosts.sh start       prints what it would do
#
# Each host needs the repository with its .venv in FOLDER, and WORKDIR on storage that all share. `stop`
# saves first; `start` resumes.
set -euo pipefail
cd "$(dirname "$0")"
# shellcheck source=launch/common.sh
source common.sh

# ---- Settings; the environment overrides them.
HOSTS=${HOSTS:-"node1 node2"} # separated by blanks; process 0 runs on the first
ADDRESS=${ADDRESS:-}          # of the first as the others reach it; by default its name
PORT=${PORT:-8476}            # a free one of the first host, open to the others
FOLDER=${FOLDER:-biobert}
WORKDIR=${WORKDIR:-/shared/runs/pubmed}
CONFIG=${CONFIG:-configs/pretrain/biobert_v1_0_pubmed.py}
CORPORA=${CORPORA:-"(('/shared/shards', 1.0),)"}
# More flags, separated by blanks: FLAGS="--config.seed=1 --config.train.steps=1000".
FLAGS=${FLAGS:-}
SSH=${SSH:-"ssh -o BatchMode=yes"}
DRY_RUN=${DRY_RUN:-}

read -r -a hosts <<< "$HOSTS"
read -r -a more <<< "$FLAGS"
read -r -a ssh <<< "$SSH"
[[ ${#hosts[@]} -gt 0 ]] || fail "HOSTS is empty; expected names, separated by blanks"
address=${ADDRESS:-${hosts[0]#*@}}

on() { # HOST COMMAND
    run "${ssh[@]}" "$1" "$2"
}

start() {
    local number train
    for number in "${!hosts[@]}"; do
        train=(.venv/bin/python -m experiments.pretrain "--config=$CONFIG" "--workdir=$WORKDIR"
            "--config.dataset.corpora=$CORPORA" ${more[@]+"${more[@]}"})
        if [[ ${#hosts[@]} -gt 1 ]]; then
            train+=("--coordinator=$address:$PORT" "--num_processes=${#hosts[@]}"
                "--process_id=$number")
        fi
        # A second start while the first one runs does nothing.
        on "${hosts[number]}" "cd $(quoted "$FOLDER")&& { kill -0 \$(cat train.pid) || {
rm -f train.status; export STATUS_FILE=train.status PATH=\$PWD/.venv/bin:\$PATH
nohup launch/until_done.sh $(quoted "$WORKDIR" "${train[@]}")>> train.log 2>&1 < /dev/null &
echo \$! > train.pid; }; } 2> /dev/null"
    done
}

follow() { on "${hosts[0]}" "cd $(quoted "$FOLDER")&& tail -n +1 --pid=\"\$(cat train.pid)\" -F train.log"; }

status() {
    local host
    for host in "${hosts[@]}"; do
        on "$host" "cd $(quoted "$FOLDER")&& echo \"\$(hostname): \$(cat train.status 2>/dev/null ||
echo runs)\""
    done
}

# One is enough: the processes of a job stop after the same step.
stop() { on "${hosts[0]}" "cd $(quoted "$FOLDER")&& kill -TERM \"\$(cat train.pid)\""; }

case ${1:-} in
    start | follow | status | stop) "$1" ;;
    *) fail "expected start, follow, status or stop" ;;
esac
