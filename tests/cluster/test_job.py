"""Which job a process belongs to, from its flags and from where it runs. No network is asked."""

import sys
import types

import pytest
from jax._src import cloud_tpu_init, clusters

from biobert_jax.cluster.job import Job, find_job, set_up
from biobert_jax.cluster.watchdog import Timeouts
from biobert_jax.errors import TrainingError

NO_FLAGS = (None, None, None)

SLURM = {
    "SLURM_JOB_ID": "4711",
    "SLURM_STEP_NODELIST": "node[007-010],other3",
    "SLURM_STEP_NUM_NODES": "4",
    "SLURM_NTASKS": "32",
    "SLURM_STEP_NUM_TASKS": "32",
    "SLURM_PROCID": "13",
    "SLURM_LOCALID": "5",
}

OPEN_MPI = {
    "OMPI_MCA_orte_hnp_uri": "1314521088.0;tcp://10.96.0.1,10.148.0.1:34911",
    "OMPI_COMM_WORLD_SIZE": "8",
    "OMPI_COMM_WORLD_RANK": "3",
    "OMPI_COMM_WORLD_LOCAL_RANK": "1",
}

GKE_TPU = {
    "TPU_WORKER_HOSTNAMES": "localhost,slice-1.jobs,slice-2.jobs,slice-3.jobs",
    "TPU_WORKER_ID": "2",
    "TPU_SKIP_MDS_QUERY": "true",
    "KUBERNETES_SERVICE_HOST": "10.0.0.1",
    # A slice's numbers; else JAX asks the metadata server for them.
    "MEGASCALE_COORDINATOR_ADDRESS": "localhost",
    "MEGASCALE_NUM_SLICES": "1",
    "MEGASCALE_SLICE_ID": "0",
}


@pytest.fixture
def place(monkeypatch):
    """Returns a function that sets the environment variables of a place, and no others."""
    import os

    known = ("SLURM", "OMPI", "TPU_", "MEGASCALE", "KUBERNETES", "JOB_COMPLETION", "JAX_COORD")
    for name in (*os.environ, "CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES"):
        if name.startswith((*known, "CUDA_V", "ROCR_V")):
            monkeypatch.delenv(name, raising=False)

    def set_all(*groups, **more):
        for name, value in {k: v for group in (*groups, more) for k, v in group.items()}.items():
            monkeypatch.setenv(name, value)

    return set_all


@pytest.fixture
def on_tpu(monkeypatch):
    """What JAX finds out about the machine when it is imported."""
    for module in (clusters.cloud_tpu_cluster, clusters.cluster, cloud_tpu_init):
        monkeypatch.setattr(module, "running_in_cloud_tpu_vm", True)


def test_a_laptop_is_alone(place, monkeypatch):
    def refused(*args, **kwargs):
        raise AssertionError("the network was asked")

    place()
    monkeypatch.setattr("socket.getaddrinfo", refused)
    monkeypatch.setattr("socket.gethostbyname", refused)
    monkeypatch.setattr("socket.socket.connect", refused)
    assert find_job(*NO_FLAGS) is None


def test_flags(place):
    place(SLURM)  # flags win
    assert find_job("node1:8476", 4, 3) == Job("node1:8476", 4, 3)
    assert find_job("[fd00::1]:8476", 2, 0) == Job("[fd00::1]:8476", 2, 0)


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (
            ("node1:8476", None, None),
            "--coordinator given without --num_processes and --process_id",
        ),
        (("node1:8476", 2, None), "--coordinator and --num_processes given without --process_id"),
        ((None, 2, 0), "--num_processes and --process_id given without --coordinator"),
        ((None, None, 1), "--process_id given without --coordinator and --num_processes"),
        (("node1", 2, 0), "--coordinator is 'node1'; expected"),
        ((":8476", 2, 0), "--coordinator is ':8476'; expected"),
        (("node1:84760", 2, 0), "--coordinator is 'node1:84760'; expected"),
        (("node1:8476", 2, 2), "--process_id is 2 and --num_processes 2; expected"),
        (("node1:8476", 2, -1), "--process_id is -1"),
    ],
)
def test_flags_that_do_not_fit(place, flags, named):
    place()
    with pytest.raises(TrainingError, match="^" + named.replace("[", r"\[")):
        find_job(*flags)


def test_slurm(place):
    """Port and host as all tasks compute them; this task's own GPU of its host's eight."""
    place(SLURM)
    port = 65535 - 4096 + 1 + 4711 % 4096
    assert find_job(*NO_FLAGS) == Job(f"node007:{port}", 32, 13, [5])


def test_slurm_with_a_port(place):
    place(SLURM, JAX_COORDINATOR_PORT="8476")
    assert find_job(*NO_FLAGS).coordinator_address == "node007:8476"


@pytest.mark.parametrize(
    "changes",
    [
        # One task a host takes all its GPUs; JAX would give it the first alone.
        {"SLURM_NTASKS": "4", "SLURM_STEP_NUM_TASKS": "4", "SLURM_LOCALID": "0"}
        | {"SLURM_PROCID": "3", "CUDA_VISIBLE_DEVICES": "0,1,2,3,4,5,6,7"},
        # --gpus-per-task=1: the task's one GPU is its number 0, whatever SLURM_LOCALID is.
        {"CUDA_VISIBLE_DEVICES": "0"},
    ],
)
def test_slurm_tasks_that_use_all_they_see(place, changes):
    place(SLURM, changes)
    assert find_job(*NO_FLAGS).local_device_ids is None


def test_slurm_tasks_that_share_what_they_see(place):
    place(SLURM, CUDA_VISIBLE_DEVICES="0,1,2,3,4,5,6,7")
    assert find_job(*NO_FLAGS).local_device_ids == [5]


def test_a_step_of_fewer_tasks_than_its_job(place):
    place(SLURM, SLURM_STEP_NUM_TASKS="16")
    assert find_job(*NO_FLAGS).num_processes == 16


@pytest.mark.parametrize("tasks_of_job", ["1", "32"])
def test_one_task_of_slurm_is_alone(place, tasks_of_job):
    place(SLURM, SLURM_STEP_NUM_TASKS="1", SLURM_NTASKS=tasks_of_job)
    assert find_job(*NO_FLAGS) is None


def test_a_batch_script_without_srun_is_alone_and_reported(place, caplog):
    place({name: value for name, value in SLURM.items() if "STEP" not in name})
    assert find_job(*NO_FLAGS) is None
    assert "srun did not start this process" in caplog.text


def test_num_processes_1_is_alone_anywhere(place):
    place(SLURM)
    assert find_job(None, 1, None) is None


def test_open_mpi(place):
    place(OPEN_MPI)
    job = find_job(*NO_FLAGS)
    assert job.coordinator_address.startswith("10.96.0.1:")
    assert (job.num_processes, job.process_id, job.local_device_ids) == (8, 3, [1])


def test_a_launcher_that_jax_does_not_understand(place):
    """Such as Open MPI 5, without mpi4py. Training many times in one workdir would be worse."""
    place({name: value for name, value in OPEN_MPI.items() if "hnp_uri" not in name})
    with pytest.raises(TrainingError, match="--num_processes=1 to train by itself"):
        find_job(*NO_FLAGS)


def test_one_process_of_open_mpi_is_alone(place):
    place(OPEN_MPI, OMPI_COMM_WORLD_SIZE="1", OMPI_COMM_WORLD_RANK="0")
    assert find_job(*NO_FLAGS) is None


def test_a_tpu_slice_on_gke(place, on_tpu):
    place(GKE_TPU)
    assert find_job(*NO_FLAGS) == Job("localhost:8482", 4, 2)


def test_a_tpu_host_by_itself(place, on_tpu):
    place(GKE_TPU, TPU_WORKER_HOSTNAMES="localhost", TPU_WORKER_ID="0")
    assert find_job(*NO_FLAGS) is None


def test_a_tpu_slice_on_compute_engine(place, on_tpu, monkeypatch):
    """The metadata server's answers, in the older of the two forms that it has."""
    answers = {
        "agent-worker-number": "1",
        "worker-network-endpoints": "a:0:127.0.0.1,b:1:10.0.0.2",
        "tpu-env": "ACCELERATOR_TYPE: 'v5litepod-8'\n",
    }
    monkeypatch.setattr(clusters.cloud_tpu_cluster, "get_metadata", lambda key: (answers[key], 200))
    place()
    assert find_job(*NO_FLAGS) == Job("127.0.0.1:8482", 2, 1)


def test_a_pod_of_kubernetes_is_alone(place):
    place(KUBERNETES_SERVICE_HOST="10.0.0.1")
    assert find_job(*NO_FLAGS) is None


def test_a_pod_of_an_indexed_job(place, monkeypatch):
    cluster = clusters.K8sCluster
    place(KUBERNETES_SERVICE_HOST="10.0.0.1", JOB_COMPLETION_INDEX="2")
    monkeypatch.setattr(cluster, "is_env_present", classmethod(lambda cls: True))
    monkeypatch.setattr(
        cluster, "get_coordinator_address", classmethod(lambda cls, **kwargs: "train-0.train:55527")
    )
    spec = types.SimpleNamespace(spec=types.SimpleNamespace(parallelism=4))
    monkeypatch.setattr(cluster, "_job", classmethod(lambda cls: spec))
    assert find_job(*NO_FLAGS) == Job("train-0.train:55527", 4, 2)


def test_a_pod_of_an_indexed_job_that_cannot_ask(place, monkeypatch):
    """Such as one whose service account may not."""
    kubernetes = types.ModuleType("kubernetes")

    def fail():
        raise RuntimeError("Kubernetes API Error: 403 - Forbidden")

    kubernetes.config = types.SimpleNamespace(load_incluster_config=fail)
    monkeypatch.setitem(sys.modules, "kubernetes", kubernetes)
    place(KUBERNETES_SERVICE_HOST="10.0.0.1", JOB_COMPLETION_INDEX="2")
    with pytest.raises(TrainingError, match=r"403 - Forbidden.*--num_processes=1"):
        find_job(*NO_FLAGS)


@pytest.mark.parametrize("change", [{"lost_timeout": 0}, {"stall_timeout": -1}])
def test_times_that_are_none(change):
    with pytest.raises(TrainingError, match=f"config.distributed.{next(iter(change))} is"):
        set_up(None, Timeouts(**change))
