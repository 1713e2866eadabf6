#!/usr/bin/env bash
# Pre-training as a Slurm job: one task a node, which uses all GPUs of its node.
#
#   sbatch launch/slurm.sh                              as the settings below say
#   sbatch --nodes=8 --export=ALL,WORKDIR=/shared/runs/a launch/slurm.sh
#   DRY_RUN=1 bash launch/slurm.sh                      prints what it would do
#
# Submit it from the repository. The job is put back in the queue until the run is finished: after its
# time limit, after pre-emption, and after a node was lost. An error that a restart does not mend ends it.
#
# sbatch reads these lines as they stand; its flags override them.
#SBATCH --job-name=biobert
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=32
#SBATCH --time=12:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
# The batch script alone, 300 s before the time limit: longer than a step, an evaluation and a save.
#SBATCH --signal=B:USR1@300
set -uo pipefail

# ---- Settings; the environment overrides them.
WORKDIR=${WORKDIR:-/shared/runs/pubmed}
CONFIG=${CONFIG:-configs/pretrain/biobert_v1_0_pubmed.py}
CORPORA=${CORPORA:-"(('/shared/shards', 1.0),)"}
PYTHON=${PYTHON:-.venv/bin/python}
# More flags, separated by blanks: FLAGS="--config.seed=1 --config.train.steps=1000".
FLAGS=${FLAGS:-}
DRY_RUN=${DRY_RUN:-}

read -r -a more <<< "$FLAGS"
command=(srun --kill-on-bad-exit=1 "$PYTHON" -m experiments.pretrain
    "--config=$CONFIG" "--workdir=$WORKDIR" "--config.dataset.corpora=$CORPORA"
    ${more[@]+"${more[@]}"})

if [[ -n $DRY_RUN ]]; then
    printf '%q ' "${command[@]}"
    echo
    echo "then, where it ended without $WORKDIR/results.json: scontrol requeue JOB"
    exit
fi

# Slurm signals the tasks themselves at pre-emption, and this script before the time limit.
# shellcheck disable=SC2317,SC2329 # the trap calls it
save_and_end() { scancel --signal=TERM "${SLURM_JOB_ID:?not a job: sbatch ${0##*/}}"; }
trap save_and_end USR1
trap : TERM # the tasks have it, too: what they save decides

"${command[@]}" &
step=$!
wait "$step"
status=$?
while kill -0 "$step" 2>/dev/null; do # a signal ended the wait, not the step
    wait "$step"
    status=$?
done

# 0 without results: told to end, and saved. 75: a process was lost. 134, 137: killed. 143: told to
# end before the first step.
if [[ ! -f $WORKDIR/results.json && $status =~ ^(0|75|134|137|143)$ ]]; then
    echo "not finished (status $status): back into the queue" >&2
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$status"
