"""What holds for every pod, whoever's it is."""

import json

from heart_api.handover import Env, TrainingRequest
from heart_api.profile import RuntimeProfile
from heart_operator.manifests.training_job import build_training_job
from tests.support.plan.world import PROFILE, heart_model
from tests.unit.heart_operator.manifests.conftest import containers, environment


def pods(case):
    return [manifest["spec"]["template"]["spec"] for manifest in (case.job, case.deployment())]


def test_pods_are_restricted(case):
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted"""
    for pod in pods(case):
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
        for container in [*pod.get("initContainers", ()), *pod["containers"]]:
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False
            assert context["readOnlyRootFilesystem"] is True
            assert context["capabilities"] == {"drop": ["ALL"]}


def test_pods_have_no_token(case):
    account = case.child("ServiceAccount")
    assert account["automountServiceAccountToken"] is False
    for pod in pods(case):
        assert pod["automountServiceAccountToken"] is False
        assert pod["serviceAccountName"] == account["metadata"]["name"]


def test_a_model_called_default_does_not_take_over_the_default_account(smallest):
    model = smallest.model.model_copy(update={"name": "default"})
    account = type(smallest)(model, smallest.profile).child("ServiceAccount")
    assert account["metadata"]["name"] != "default"


def test_only_the_trainer_and_the_fetcher_get_credentials(case):
    """The server faces users and needs none."""
    credentials = [{"secretRef": {"name": "heartops-runtime", "optional": True}}]
    found = {
        container["name"]: container.get("envFrom")
        for manifest in (case.job, case.deployment())
        for container in containers(manifest)
    }
    assert found == {"trainer": credentials, "fetch": credentials, "server": None}


def test_volumes_are_only_scratch_and_named_data(case):
    kinds = {key for pod in pods(case) for volume in pod["volumes"] for key in volume.keys() - {"name"}}
    assert kinds <= {"emptyDir", "persistentVolumeClaim", "configMap", "secret"}
    secrets = {volume["secret"]["secretName"] for pod in pods(case) for volume in pod["volumes"] if "secret" in volume}
    assert secrets <= {"heart-disease-api-keys"}, "hashes of keys, and nothing else that is secret"
    assert all(
        volume["emptyDir"].get("sizeLimit") for pod in pods(case) for volume in pod["volumes"] if "emptyDir" in volume
    )


def test_every_mount_has_its_volume(case):
    for manifest in (case.job, case.deployment()):
        volumes = {volume["name"] for volume in manifest["spec"]["template"]["spec"]["volumes"]}
        assert {mount["name"] for container in containers(manifest) for mount in container["volumeMounts"]} == volumes


def test_requests_and_limits_are_always_there(case):
    for manifest in (case.job, case.deployment()):
        for container in containers(manifest):
            for part in ("requests", "limits"):
                assert container["resources"][part].keys() == {"cpu", "memory"}


def test_a_dataset_of_dvc_is_read_by_the_trainer_with_dvcs_library():
    model = heart_model({"dataset": {"uri": "dvc+https://git.example.org/heart.git#heart.csv"}})
    images = PROFILE.images.model_copy(update={"dvc": "dvc:1"})
    job = build_training_job(model, PROFILE.model_copy(update={"images": images}), "t", None)
    assert job["spec"]["template"]["spec"]["containers"][0]["image"] == "dvc:1"


def test_the_profile_chooses_nodes_images_and_pull_secrets(full):
    for manifest in (full.job, full.deployment()):
        pod = manifest["spec"]["template"]["spec"]
        assert pod["nodeSelector"] == {"pool": "models"}
        assert pod["tolerations"] == [{"key": "models", "operator": "Exists", "effect": "NoSchedule"}]
        assert pod["imagePullSecrets"] == [{"name": "mirror"}]
        assert {container["imagePullPolicy"] for container in containers(manifest)} == {"Always"}
    assert containers(full.job)[0]["image"] == full.profile.images.trainer
    assert {container["image"] for container in containers(full.deployment())} == {full.profile.images.serving}


def test_kubernetes_replaces_nothing_inside_a_value(full):
    """`$(NAME)` in a description must reach the trainer as it was written."""
    value = next(item["value"] for item in containers(full.job)[0]["env"] if item["name"] == Env.TRAINING_REQUEST)
    assert "costs $$(HOME), $$5" in value
    request = TrainingRequest.model_validate_json(environment(containers(full.job)[0])[Env.TRAINING_REQUEST])
    assert request.features[0].description == "costs $(HOME), $5"


def test_building_twice_gives_the_same(case):
    again = type(case)(case.model, RuntimeProfile.model_validate(json.loads(case.profile.model_dump_json())))
    assert case.everything() == again.everything()
