#!/usr/bin/env bash
# Pre-training on Cloud TPU VMs from a queued resource: one slice, or several.
#
#   launch/tpu_vm.sh up          everything: create, wait, install, start, follow; after a spot slice was
#                                taken away, again; deletes it at the end
#   launch/tpu_vm.sh bucket      makes a bucket whose folders can be renamed in one operation
#   launch/tpu_vm.sh create | wait | install | start | follow | status | delete
#                                one of the steps
#   DRY_RUN=1 launch/tpu_vm.sh up          prints what it would do
#
# Needs gcloud, signed in, and the Cloud TPU API. Run it from a clone: what is committed is installed.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=launch/common.sh
source launch/common.sh

# ---- Settings; the environment overrides them.
PROJECT=${PROJECT:-my-project}
ZONE=${ZONE:-us-west4-a}
NAME=${NAME:-biobert}
ACCELERATOR=${ACCELERATOR:-v5litepod-32}
# Of the accelerator: v2-alpha-tpuv5-lite, v2-alpha-tpuv5 (v5p), v2-alpha-tpuv6e.
RUNTIME=${RUNTIME:-v2-alpha-tpuv5-lite}
SLICES=${SLICES:-1}
SPOT=${SPOT:-yes} # anything else: on demand
BUCKET=${BUCKET:-gs://my-bucket}
WORKDIR=${WORKDIR:-$BUCKET/runs/pubmed}
CONFIG=${CONFIG:-configs/pretrain/biobert_v1_0_pubmed.py}
CORPORA=${CORPORA:-"(('$BUCKET/shards', 1.0),)"}
# More flags, separated by blanks: FLAGS="--config.seed=1 --config.train.steps=1000".
FLAGS=${FLAGS:-}
# Of constraints.txt. The runtimes of v5e have Python 3.10; uv brings this one.
PYTHON=${PYTHON:-3.11}
SECONDS_BETWEEN_LOOKS=${SECONDS_BETWEEN_LOOKS:-60}
DRY_RUN=${DRY_RUN:-}

read -r -a more <<< "$FLAGS"
train=(.venv/bin/python -m experiments.pretrain "--config=$CONFIG" "--workdir=$WORKDIR"
    "--config.dataset.corpora=$CORPORA" ${more[@]+"${more[@]}"})

tpus() { # VERB ARGUMENTS...
    local verb=$1
    shift
    run gcloud compute tpus queued-resources "$verb" "$NAME" "--project=$PROJECT" "--zone=$ZONE" "$@"
}
on_all() { tpus ssh --node=all --worker=all "--command=$1"; }
on_first() { tpus ssh --node=0 --worker=0 "--command=$1"; }

bucket() {
    run gcloud storage buckets create "$BUCKET" "--project=$PROJECT" "--location=${ZONE%-*}" \
        --enable-hierarchical-namespace --uniform-bucket-level-access
}

create() {
    local nodes=("--node-id=$NAME")
    [[ $SLICES == 1 ]] || nodes=("--node-count=$SLICES" "--node-prefix=$NAME")
    [[ $SPOT != yes ]] || nodes+=(--spot)
    tpus create "--accelerator-type=$ACCELERATOR" "--runtime-version=$RUNTIME" "${nodes[@]}"
}

state() { tpus describe "--format=value(state.state)"; }

wait_for_slice() {
    local now
    while true; do
        now=$(state)
        [[ -z $DRY_RUN ]] || { echo "$now   # until it says ACTIVE"; return; }
        case $now in
            ACTIVE) return ;;
            SUSPENDING | SUSPENDED) return 1 ;; # taken away before it was used
            FAILED) fail "$NAME was not given: ${0##*/} delete; see gcloud compute tpus queued-resources describe" ;;
        esac
        echo "$NAME: ${now:-not known yet}" >&2
        sleep "$SECONDS_BETWEEN_LOOKS"
    done
}

install() {
    local archive
    archive=$(mktemp -d)/biobert.tar.gz
    run git archive --format=tar.gz "--output=$archive" HEAD &&
        run gcloud compute tpus queued-resources scp "$archive" "$NAME:biobert.tar.gz" \
            "--project=$PROJECT" "--zone=$ZONE" --node=all --worker=all &&
        on_all "mkdir -p biobert && tar -xzf biobert.tar.gz -C biobert && cd biobert &&
python3 -m pip install --quiet --user uv &&
~/.local/bin/uv venv --quiet --allow-existing --python $PYTHON .venv &&
~/.local/bin/uv pip install --quiet --python .venv -c constraints.txt -e '.[gcs,tpu]'"
}

# A second start while the first one runs does nothing.
start() {
    on_all "cd biobert && { kill -0 \$(cat train.pid) || {
rm -f train.status; export STATUS_FILE=train.status PATH=\$PWD/.venv/bin:\$PATH
nohup launch/until_done.sh $(quoted "$WORKDIR" "${train[@]}")>> train.log 2>&1 < /dev/null &
echo \$! > train.pid; }; } 2> /dev/null"
}

# shellcheck disable=SC2016 # the worker expands it
follow() { on_first 'cd biobert && tail -n +1 --pid="$(cat train.pid)" -F train.log'; }

# The status of launch/until_done.sh; empty while it runs.
status() { on_first 'cat biobert/train.status 2>/dev/null || true'; }

delete() { tpus delete --force --quiet; }

up() {
    local ended
    while true; do
        # What an earlier call left is used.
        [[ -z $DRY_RUN && -n $(state 2> /dev/null) ]] || create
        if wait_for_slice; then
            ended=
            if install && start; then
                follow || true # the connection may end before the run does
                [[ -z $DRY_RUN ]] || { status && delete && return; }
                while [[ $(state) == ACTIVE ]]; do
                    ended=$(status) || ended=
                    [[ -z $ended ]] || break
                    sleep "$SECONDS_BETWEEN_LOOKS"
                    follow || true
                done
            elif [[ $(state) == ACTIVE ]]; then
                fail "could not install or start; $NAME is kept: ${0##*/} install, ${0##*/} delete"
            fi
            case $ended in
                0)
                    delete
                    echo "finished: $WORKDIR" >&2
                    return
                    ;;
                75 | "") ;; # told to end, or gone: the next one resumes from the last checkpoint
                *) fail "the run ended with status $ended; $NAME is kept: ${0##*/} follow" ;;
            esac
        fi
        echo "$NAME was taken away; once more" >&2
        delete
        sleep "$SECONDS_BETWEEN_LOOKS"
    done
}

case ${1:-} in
    bucket | create | install | start | follow | status | delete | up) "$1" ;;
    wait) wait_for_slice ;;
    *) fail "expected up, bucket, create, wait, install, start, follow, status or delete" ;;
esac
