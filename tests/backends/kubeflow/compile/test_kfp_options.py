"""Each option of a step against kfp's own functions, and what is refused."""

from __future__ import annotations

from unittest.mock import Mock

import pytest

from kalelite.backends.kubeflow.compile.kfp_options import configure, refusals
from kalelite.plan.options import step_options
from kalelite.plan.options.values import Volume


def options_of(**settings):
    options, problems = step_options(**settings)
    assert problems == []
    return options


def kubernetes_of(prepare):
    """The Kubernetes part of a task that a function has prepared."""
    from kfp import dsl

    found = {}

    @dsl.container_component
    def component():
        return dsl.ContainerSpec(image="x")

    @dsl.pipeline(name="p")
    def pipeline():
        task = component()
        prepare(task)
        found.update(task.platform_config.get("kubernetes", {}))

    return found


CASES = {
    "secrets": (
        {"secrets": {"TOKEN": ("name", "key"), "OTHER": ("name", "key2"), "/creds": "files"}},
        lambda k, t: (
            k.use_secret_as_env(t, "name", {"key": "TOKEN", "key2": "OTHER"}),
            k.use_secret_as_volume(t, "files", "/creds"),
        ),
    ),
    "config maps": (
        {"config_maps": {"MODE": ("name", "key"), "/app/settings": "files"}},
        lambda k, t: (
            k.use_config_map_as_env(t, "name", {"key": "MODE"}),
            k.use_config_map_as_volume(t, "files", "/app/settings"),
        ),
    ),
    "volumes": ({"volumes": {"/data": "claim"}}, lambda k, t: k.mount_pvc(t, "claim", "/data")),
    "node selector": (
        {"node_selector": {"disk": "ssd"}},
        lambda k, t: k.add_node_selector(t, "disk", "ssd"),
    ),
    "tolerations": (
        {
            "tolerations": [
                {"key": "gpu", "operator": "Exists", "effect": "NoExecute", "seconds": 5}
            ]
        },
        lambda k, t: k.add_toleration(
            t, key="gpu", operator="Exists", effect="NoExecute", toleration_seconds=5
        ),
    ),
    "labels": (
        {"labels": {"a": "b"}, "annotations": {"c": "d"}},
        lambda k, t: (k.add_pod_label(t, "a", "b"), k.add_pod_annotation(t, "c", "d")),
    ),
    "pull policy": (
        {"pull_policy": "Always"},
        lambda k, t: k.set_image_pull_policy(t, "Always"),
    ),
    "pull secrets": (
        {"pull_secrets": ["one", "two"]},
        lambda k, t: k.set_image_pull_secrets(t, ["one", "two"]),
    ),
    "security context": (
        {"security_context": {"run_as_user": 1000, "run_as_group": 0, "run_as_non_root": False}},
        lambda k, t: k.set_security_context(
            t, run_as_user=1000, run_as_group=0, run_as_non_root=False
        ),
    ),
    "affinity": (
        {
            "affinity": {
                "nodeAffinity": {
                    "preferredDuringSchedulingIgnoredDuringExecution": [
                        {
                            "weight": 3,
                            "preference": {
                                "matchExpressions": [
                                    {"key": "zone", "operator": "In", "values": ["a"]}
                                ]
                            },
                        }
                    ]
                }
            }
        },
        lambda k, t: k.add_node_affinity(
            t, match_expressions=[{"key": "zone", "operator": "In", "values": ["a"]}], weight=3
        ),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_option_is_what_kfps_own_function_writes(name):
    from kfp import kubernetes

    settings, prepare = CASES[name]
    options = options_of(**settings)
    ours = kubernetes_of(lambda task: configure(task, options))
    assert ours == kubernetes_of(lambda task: prepare(kubernetes, task))


@pytest.mark.parametrize(
    ("written", "memory"),
    [
        ("1.5Gi", "1536Mi"),
        ("1e9", "1G"),
        ("10Gi", "10Gi"),
        ("1500M", "1500M"),
        (2**20 + 1, "1048577"),
    ],
)
def test_memory_is_spelled_as_kfp_reads_it(written, memory):
    task = Mock()
    configure(task, options_of(memory=written))
    task.set_memory_request.assert_called_once_with(memory)


@pytest.mark.parametrize(("written", "cpu"), [("2", "2"), (0.5, "500m"), ("1.25", "1250m")])
def test_cpu_is_spelled_as_kfp_reads_it(written, cpu):
    task = Mock()
    configure(task, options_of(cpu=written))
    task.set_cpu_request.assert_called_once_with(cpu)


@pytest.mark.parametrize(
    ("settings", "type", "limit"),
    [
        ({"gpu": 2}, "nvidia.com/gpu", 2),
        ({"gpu": 1, "accelerator": "amd.com/gpu"}, "amd.com/gpu", 1),
    ],
)
def test_a_gpu_is_of_nvidia_unless_the_accelerator_says(settings, type, limit):
    task = Mock()
    configure(task, options_of(**settings))
    task.set_accelerator_type.assert_called_once_with(type)
    task.set_accelerator_limit.assert_called_once_with(limit)


def test_options_that_switch_something_off_leave_the_task_as_it_is():
    task, bare = Mock(), Mock()
    configure(task, options_of(gpu=0, accelerator="a.b/c", retries=0, ignore_failures=False))
    configure(bare, options_of())
    assert task.mock_calls == bare.mock_calls


def test_attempts_and_time_limits_are_the_pods_and_for_a_container_kfps(compiled, write_script):
    """Retries do not end after KFP's hour."""
    import yaml

    options = "retries={'count': 4, 'wait': 1.5, 'factor': 3}, timeout='1m30s'"
    script = write_script(
        "from kalelite import container_step, pipeline, step\n"
        f"@step({options})\ndef work(): ...\n"
        f"own = container_step('own', image='i', command=['true'], {options})\n"
        "@pipeline\ndef main():\n    work()\n    own()\n"
    )
    spec, platform = yaml.safe_load_all(compiled(script).read_text())
    tasks = spec["root"]["dag"]["tasks"]
    assert "retryPolicy" not in tasks["work"]
    configs = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert "activeDeadlineSeconds" not in configs["exec-work"]
    assert configs["exec-own"]["activeDeadlineSeconds"] == "90"
    policy = tasks["own"]["retryPolicy"]
    assert policy["maxRetryCount"] == 4
    assert policy["backoffDuration"] == "2s"
    assert policy["backoffFactor"] == 3
    assert policy["backoffMaxDuration"] == "2592000s"


REFUSED = {
    "ephemeral_storage": {"ephemeral_storage": "1Gi"},
    "ephemeral_storage_limit": {"ephemeral_storage_limit": "1Gi"},
    "only=": {"retries": {"count": 1, "only": ["OSError"]}},
    "max_wait": {"retries": {"count": 3, "wait": 10, "factor": 10, "max_wait": 20}},
    "podAffinity": {
        "affinity": {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": []}}
    },
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_kfp_cannot_do_is_refused_by_name(name):
    options, problems = step_options(**REFUSED[name])
    assert problems == []
    (problem,) = refusals(options, None, "2.17.0", container=True)
    assert name in problem.message
    assert "no KFP up to 2.17" in problem.message
    assert problem.hint


@pytest.mark.parametrize(
    "said",
    [
        {"security_context": {"run_as_user": 1000}},
        {"volumes": [Volume("c", "/data", sub_path="x")]},
    ],
)
def test_what_came_later_names_its_version(said):
    options, _ = step_options(**said)
    assert refusals(options, None, "2.16.0") == []
    (problem,) = refusals(options, None, "2.15.2")
    assert "needs KFP 2.16.0" in problem.message


def test_a_bound_that_no_wait_reaches_is_no_problem():
    options, _ = step_options(retries={"count": 2, "wait": 1, "factor": 2, "max_wait": 60})
    assert refusals(options, None, "2.17.0", container=True) == []


@pytest.mark.parametrize("name", ["only=", "max_wait"])
def test_the_pod_can_do_what_kfp_cannot_of_retries(name):
    options, _ = step_options(**REFUSED[name])
    assert refusals(options, None, "2.17.0") == []


def test_a_mount_that_may_not_be_written_to_is_refused():
    options, _ = step_options(volumes=[Volume("c", "/data", read_only=True)])
    (problem,) = refusals(options, None, "2.17.0")
    assert "'c'" in problem.message and "read_only" in problem.message
    assert "ReadOnlyMany" in problem.hint
