"""Options of steps and pipelines: spellings, checks, suggestions, precedence."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalelite.authoring.decorators import pipeline, step
from kalelite.errors import PipelineError, Where
from kalelite.plan.options import (
    PipelineOptions,
    StepOptions,
    check,
    merge,
    pipeline_options,
    step_options,
)
from kalelite.plan.options.secrecy import hide_secrets
from kalelite.plan.options.values import (
    ConfigMapEnv,
    ConfigMapFiles,
    NotSecret,
    Retries,
    SecretEnv,
    SecretFiles,
    SecurityContext,
    Toleration,
    Volume,
)

HERE = Where("train.py", 3, text="@step(memory='10GB')")


def good(**settings):
    options, problems = step_options(HERE, **settings)
    assert not problems, [problem.render() for problem in problems]
    return options


def bad(**settings):
    """The one Problem of wrong options."""
    _, problems = step_options(HERE, **settings)
    assert len(problems) == 1, [problem.render() for problem in problems]
    assert problems[0].where == HERE
    return problems[0]


@pytest.mark.parametrize(
    ("name", "value", "normal"),
    [
        ("name", "train-big", "train-big"),
        ("image", "python:3.11-slim", "python:3.11-slim"),
        ("image", "localhost:5000/team/img", "localhost:5000/team/img"),
        ("image", "ghcr.io/a/b:v1@sha256:" + "0" * 64, "ghcr.io/a/b:v1@sha256:" + "0" * 64),
        ("cpu", 2, "2"),
        ("cpu", 0.5, "500m"),
        ("memory", "4Gi", "4Gi"),
        ("memory", 4 * 2**30, "4294967296"),
        ("gpu", 1, 1),
        ("gpu", "2", 2),
        ("accelerator", "amd.com/gpu", "amd.com/gpu"),
        ("env", {"A": "1"}, {"A": "1"}),
        ("secrets", {"TOKEN": ("my-secret", "key")}, (SecretEnv("TOKEN", "my-secret", "key"),)),
        ("secrets", {"/creds": "my-secret"}, (SecretFiles("/creds", "my-secret"),)),
        ("secrets", [SecretEnv("T", "s", "k")], (SecretEnv("T", "s", "k"),)),
        ("secrets", {"T": SecretEnv("T", "s", "k")}, (SecretEnv("T", "s", "k"),)),
        ("config_maps", {"MODE": ("map", "mode")}, (ConfigMapEnv("MODE", "map", "mode"),)),
        ("config_maps", {"/settings/": "map"}, (ConfigMapFiles("/settings", "map"),)),
        ("volumes", {"/data": "claim"}, (Volume("claim", "/data"),)),
        ("volumes", {"/data/": "claim"}, (Volume("claim", "/data"),)),
        ("volumes", [Volume("c", "/d", True, "x/y")], (Volume("c", "/d", True, "x/y"),)),
        ("retries", 3, Retries(3)),
        ("retries", 0, Retries(0)),
        ("retries", {"count": 2, "wait": "1m"}, Retries(2, 60.0)),
        ("retries", Retries(2, wait="2s", factor=2), Retries(2, 2.0, 2.0)),
        ("retries", Retries(2, only=(OSError, "x.Y")), Retries(2, only=("OSError", "x.Y"))),
        ("retries", Retries(2, only=KeyError), Retries(2, only=("KeyError",))),
        ("timeout", 90, 90.0),
        ("timeout", "1h30m", 5400.0),
        ("cache", False, False),
        ("node_selector", {"disk": "ssd"}, {"disk": "ssd"}),
        ("tolerations", ["gpu=yes:NoSchedule"], (Toleration("gpu", "Equal", "yes", "NoSchedule"),)),
        ("tolerations", ["gpu"], (Toleration("gpu", "Exists"),)),
        (
            "tolerations",
            [{"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60}],
            (Toleration("a", "Exists", "", "NoExecute", 60),),
        ),
        ("labels", {"team": "ml"}, {"team": "ml"}),
        ("labels", {"example.com/team": ""}, {"example.com/team": ""}),
        ("annotations", {"a": "any text: {}"}, {"a": "any text: {}"}),
        ("pull_policy", "always", "Always"),
        ("pull_secrets", ["registry"], ("registry",)),
        ("security_context", {"runAsUser": 1000}, SecurityContext(1000)),
        ("security_context", SecurityContext(1000, 100, True), SecurityContext(1000, 100, True)),
        ("packages", ["pandas>=2,<3", "x[y]", "pandas>=2,<3"], ("pandas>=2,<3", "x[y]")),
        ("packages", ["a @ https://example.com/a.whl"], ("a @ https://example.com/a.whl",)),
        ("ignore_failures", True, True),
        ("display_name", "Train the model", "Train the model"),
        ("image", None, None),
    ],
)
def test_friendly_spellings_have_one_normal_form(name, value, normal):
    assert getattr(good(**{name: value}), name) == normal


def test_affinity_is_kept_as_plain_data():
    term = {"nodeSelectorTerms": [{"matchExpressions": []}]}
    node = {"requiredDuringSchedulingIgnoredDuringExecution": term}
    assert good(affinity={"nodeAffinity": node}).affinity == {"nodeAffinity": node}


@pytest.mark.parametrize(
    ("said", "message", "hint"),
    [
        ({"memroy": "1Gi"}, "'memroy' is not an option of a step", "'memory'"),
        ({"cpu_request": 1}, "'cpu_request'", "Did you mean 'cpu'?"),
        ({"num_retries": 1}, "'num_retries'", "Did you mean 'retries'?"),
        ({"zzz": 1}, "'zzz'", "The options are accelerator"),
        ({"memory": "1GB"}, "memory='1GB'", "'1Gi'"),
        ({"memory": "10"}, "only 10 bytes", "'10Gi'"),
        ({"cpu": "-1"}, "cpu='-1' is negative", "'1'"),
        ({"gpu": 0.5}, "gpu=0.5", "part of a gpu"),
        ({"gpu": -1}, "gpu=-1", "gpu=1"),
        ({"gpu": True}, "gpu=True", "gpu=1"),
        ({"accelerator": "nvidia"}, "accelerator='nvidia'", "'nvidia.com/gpu'"),
        ({"ephemeral_storage": "1.5 Gi"}, "ephemeral_storage", "'1.5Gi'"),
        ({"image": ""}, "image=''", "leave it out"),
        ({"image": "latest"}, "is a tag", "python:latest"),
        ({"image": "my image"}, "not the name of an image", "registry/name:tag"),
        ({"image": "Python:3.11"}, "not the name of an image", "'python:3.11'"),
        ({"image": 3}, "image=3", "Write a text"),
        ({"env": {"1A=": "x"}}, "'1A='", "'_1A'"),
        ({"env": {"A": 1}}, "'A' is 1, not a text", "{'A': \"1\"}"),
        ({"env": {"A": None}}, "'A' is None, not a text", "Leave 'A' out"),
        ({"env": {"A": "\0"}}, "NUL character", "in a file"),
        ({"env": ["A"]}, "is not a dict", "env="),
        ({"env": {"HF_TOKEN": "abc"}}, "named like a secret", "secrets={'HF_TOKEN'"),
        ({"env": {"OPENAI_API_KEY": "abc"}}, "named like a secret", "secrets="),
        ({"env": {"DB": "postgres://me:pw@host/db"}}, "looks like a secret", "secrets="),
        ({"secrets": {"TOKEN": "my-secret"}}, "a name and a key", '("object-name", "key")'),
        ({"secrets": {"/creds": ("a", "b")}}, "not given one name", "object-name"),
        (
            {"secrets": {"T": ("My_Secret", "k")}},
            "not a name that Kubernetes allows",
            "'my-secret'",
        ),
        ({"secrets": {"T": ("s", "a/b")}}, "is not a key", "letters"),
        ({"secrets": "x"}, "is not a dict", "secrets="),
        ({"secrets": {"U": SecretEnv("T", "s", "k")}}, "'U' holds", "'T'"),
        ({"secrets": [SecretEnv([], "s", "k")]}, "[] is not text", "in quotes"),
        ({"secrets": [SecretEnv("T", "s", "k"), SecretEnv("T", "s", "l")]}, "twice", "Leave"),
        ({"volumes": {"data": "c"}}, "is relative", "'/data'"),
        ({"volumes": {"/": "c"}}, "hide the whole image", "'/data'"),
        ({"volumes": {"/etc": "c"}}, "part of the system", "'/data'"),
        ({"volumes": {"/usr/lib": "c"}}, "part of the system", "'/data'"),
        ({"volumes": {"/a/../b": "c"}}, "not a plain path", "without"),
        ({"volumes": {"/a//b": "c"}}, "not a plain path", "without"),
        ({"volumes": {"/a:b": "c"}}, "a character that no mount may have", "':'"),
        ({"volumes": {"/data": "A_b"}}, "not a name that Kubernetes allows", "'a-b'"),
        ({"volumes": {"/data": "a-"}}, "not a name that Kubernetes allows", "'a'"),
        ({"volumes": {"/data": "a" * 254}}, "254 characters", "kubectl get"),
        ({"volumes": {"/data": "a", "/data/x": "b"}}, "would lie inside", "side by side"),
        ({"volumes": {"/data": "a", "/data/": "b"}}, "given twice", "Leave"),
        ({"volumes": [Volume("c", "/d", sub_path="../x")]}, "leads out", "project/data"),
        ({"volumes": {"/data": 3}}, "not the name of a claim", "claim-name"),
        ({"volumes": {3: "claim"}}, "3 is not text", "in quotes"),
        ({"volumes": {"/data": "a"}, "secrets": {"/data": "s"}}, "both mounted at '/data'", "own"),
        ({"env": {"A": "1"}, "secrets": {"A": ("s", "k")}}, "given in two ways", "Leave one"),
        ({"cpu": 4, "cpu_limit": 2}, "cpu='4' is more than cpu_limit='2'", "Raise cpu_limit"),
        ({"memory": "2Gi", "memory_limit": "2G"}, "is more than memory_limit", "Raise"),
        ({"retries": -1}, "retries=-1 is negative", "retries=3"),
        ({"retries": 10**6}, "is more than 100", "retries=3"),
        ({"retries": "3"}, "not a whole number", "retries=3"),
        ({"retries": True}, "not a whole number", "retries=3"),
        ({"retries": {"times": 3}}, "'times' is not a part of it", "retries=3"),
        ({"retries": Retries(1, factor=0)}, "factor=0", "retries=3"),
        ({"retries": Retries(1, wait="soon")}, "retries: wait='soon'", "'90s'"),
        ({"retries": {"count": 1, "wait": [1]}}, "retries: wait=[1]", "'90s'"),
        ({"retries": Retries(1, only=("not a name",))}, "not an exception class", "only="),
        ({"retries": Retries(1, only=int)}, "not an exception class", "only="),
        ({"timeout": 0}, "timeout=0 leaves no time", "Leave it out"),
        ({"timeout": -5}, "timeout=-5 leaves no time", "Leave it out"),
        ({"timeout": "soon"}, "is not a duration", "'10m'"),
        ({"timeout": 10**12}, "longer than a year", "Leave it out"),
        ({"timeout": 10**400}, "longer than a year", "Leave it out"),
        ({"timeout": float("nan")}, "is not a duration", "'10m'"),
        ({"cache": "no"}, "is not True or False", "cache=True"),
        ({"node_selector": "gpu"}, "is not a dict", "node_selector="),
        ({"node_selector": {"a b": "c"}}, "is not a key", "63"),
        ({"labels": {"a": "b" * 64}}, "has 64 characters", "annotations"),
        ({"labels": {"a": "b/c"}}, "cannot be the value", "annotations"),
        ({"labels": {"a" * 64: "b"}}, "is not a key", "63"),
        ({"labels": {"": "b"}}, "is not a key", "63"),
        ({"annotations": {"a": "x" * 300_000}}, "256 KiB", "config map"),
        ({"tolerations": "gpu"}, "is not a list", "tolerations="),
        ({"tolerations": ["gpu:Sometimes"]}, "effect='Sometimes'", "NoSchedule"),
        ({"tolerations": [Toleration("a", "Maybe")]}, "operator='Maybe'", "'Exists'"),
        ({"tolerations": [{"key": "a", "operator": []}]}, "operator=[]", "'Exists'"),
        ({"tolerations": [{"key": "a", "effect": {}}]}, "effect={}", "NoSchedule"),
        ({"tolerations": [Toleration(value="x")]}, "without a key", "taint"),
        ({"tolerations": [Toleration("a", seconds=5)]}, "seconds=5", "NoExecute"),
        ({"affinity": {"node": {}}}, "not a kind of affinity", "nodeAffinity"),
        ({"affinity": {"nodeAffinity": {"x": 1}}}, "'nodeAffinity' holds", "IgnoredDuring"),
        (
            {
                "affinity": {
                    "nodeAffinity": {
                        "requiredDuringSchedulingIgnoredDuringExecution": {
                            "nodeSelectorTerms": [{"matchExpressions": [{"operator": "Inn"}]}]
                        }
                    }
                }
            },
            "operator='Inn' does not exist",
            "NotIn",
        ),
        ({"retries": Retries(1, wait=-1)}, "retries: wait=-1 is negative", "0 for no wait"),
        ({"pull_policy": "sometimes"}, "not a pull policy", "'IfNotPresent'"),
        ({"pull_secrets": "one"}, "is not a list", "pull_secrets=['one']"),
        ({"packages": "pandas"}, "is not a list", "packages=['pandas']"),
        ({"packages": ["-r requirements.txt"]}, "is not a package", "'pandas>=2,<3'"),
        ({"packages": ["pandas=2"]}, "is not a package", "'pandas>=2,<3'"),
        ({"packages": ["pandas>"]}, "is not a package", "'pandas>=2,<3'"),
        ({"packages": ["pandas numpy"]}, "is not a package", "'pandas>=2,<3'"),
        ({"security_context": {"privileged": True}}, "'privileged'", "SecurityContext("),
        ({"security_context": {"run_as_user": "me"}}, "run_as_user='me'", "1000"),
        ({"security_context": SecurityContext(0, run_as_non_root=True)}, "is root", "1000"),
        ({"ignore_failures": 1}, "is not True or False", "ignore_failures=True"),
        ({"name": ""}, "name=''", "leave it out"),
        ({"display_name": "x" * 300}, "is not a name", "short"),
    ],
)
def test_each_misuse_has_its_sentence(said, message, hint):
    problem = bad(**said)
    assert message in problem.message
    assert hint in problem.hint


def test_all_problems_are_reported_and_the_rest_is_kept():
    options, problems = step_options(HERE, memory="10GB", cpu="-1", image="python:3.11", gpus=1)
    assert len(problems) == 3
    assert options.explicit() == {"image": "python:3.11"}


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("TOKENIZERS_PARALLELISM", "false"),
        ("SORT_KEY", "name"),
        ("GOOGLE_APPLICATION_CREDENTIALS", "/secrets/gcp.json"),
        ("TOKEN_FILE", "token.txt"),
        ("PAD_TOKEN", "[PAD]"),
        ("EOS_TOKEN", "</s>"),
        ("MY_TOKEN", NotSecret("public")),
        ("PASSWORD", ""),
        ("MONKEY", "x"),
    ],
)
def test_what_only_sounds_like_a_secret_may_stand_in_env(variable, value):
    assert good(env={variable: value}).env == {variable: value}


def test_the_message_about_a_secret_does_not_repeat_it():
    problem = bad(env={"API_TOKEN": "s3cr3t-value"})
    assert "s3cr3t-value" not in problem.render()


@pytest.mark.parametrize(
    ("kale", "own"),
    [
        (
            {
                "retry_count": 3,
                "retry_interval": "2m",
                "retry_factor": 2,
                "retry_max_interval": "1h",
            },
            {"retries": Retries(3, 120.0, 2.0, 3600.0)},
        ),
        ({"retry_count": 0}, {"retries": Retries(0)}),
        (
            {"limits": {"cpu": "2", "memory": "4Gi", "nvidia.com/gpu": "1"}},
            {
                "cpu_limit": "2",
                "memory_limit": "4Gi",
                "gpu": 1,
                "accelerator": "nvidia.com/gpu",
            },
        ),
        ({"docker_image": "a/b:1"}, {"image": "a/b:1"}),
        ({"packages_to_install": ["a"]}, {"packages": ("a",)}),
    ],
)
def test_kale_spellings_mean_the_same(kale, own):
    assert good(**kale).explicit() == own


@pytest.mark.parametrize(
    "said",
    [
        {"retry_count": 1, "retries": 2},
        {"docker_image": "a", "image": "b"},
        {"limits": 3},
        {"limits": {"disk": "1Gi"}},
    ],
)
def test_kale_spellings_that_cannot_be_taken_over(said):
    assert "cannot be taken over" in bad(**said).message


def test_the_call_wins_over_the_decorator_and_that_over_the_pipeline():
    default = good(memory="1Gi", cpu=1, image="a", cache=True, env={"A": "p", "B": "p", "C": "p"})
    decorator = good(memory="2Gi", cpu=2, cache=False, env={"B": "d", "C": "d"})
    call = good(memory="3Gi", env={"C": "c"})
    merged = merge(default, decorator, call)
    assert merged.memory == "3Gi"
    assert merged.cpu == "2"
    assert merged.image == "a"
    assert merged.cache is False
    assert merged.env == {"A": "p", "B": "d", "C": "c"}


def test_sources_and_volumes_merge_by_where_they_show_up():
    default = good(secrets={"T": ("a", "k"), "/s": "a"}, volumes={"/d": "a", "/e": "a"})
    call = good(secrets={"T": ("b", "k")}, volumes={"/d": "b"}, tolerations=["x"])
    merged = merge(default, StepOptions(), call)
    assert merged.secrets == (SecretEnv("T", "b", "k"), SecretFiles("/s", "a"))
    assert merged.volumes == (Volume("b", "/d"), Volume("a", "/e"))


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(StepOptions)])
def test_every_option_of_the_call_survives_a_merge(name):
    sample = good(
        name="n", image="i", cpu=1, cpu_limit=1, memory="1Gi", memory_limit="1Gi", gpu=1,
        accelerator="a.b/c", ephemeral_storage="1Gi", ephemeral_storage_limit="1Gi",
        env={"A": "1"}, secrets={"B": ("s", "k")}, config_maps={"C": ("s", "k")},
        volumes={"/v": "c"}, retries=1, timeout=1, cache=False, node_selector={"a": "b"},
        tolerations=["a"], labels={"a": "b"}, annotations={"a": "b"}, pull_policy="Never",
        affinity={"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}},
        pull_secrets=["a"], security_context={"run_as_user": 1}, packages=["a"],
        ignore_failures=False, display_name="d",
    )  # fmt: skip
    value = getattr(sample, name)
    assert value not in (None, (), {})
    only = StepOptions(**{name: value})
    assert getattr(merge(StepOptions(), only, StepOptions()), name) == value
    assert getattr(merge(sample, StepOptions(), only), name) == value


def test_merged_options_that_do_not_fit_together_are_found():
    merged = merge(StepOptions(), good(cpu_limit=2), good(cpu=4))
    assert [problem.message for problem in check(merged)] == ["cpu='4' is more than cpu_limit='2'"]


def test_waits_grow_and_are_bounded():
    retries = Retries(5, wait=10, factor=2, max_wait=35)
    assert [retries.delay(attempt) for attempt in (1, 2, 3, 4)] == [10, 20, 35, 35]
    assert Retries(3, wait=1, factor=1000, max_wait=60).delay(10**4) == 60


@pytest.mark.parametrize(
    ("only", "error", "bases", "covered"),
    [
        ((), "x.Y", (), True),
        (("OSError",), "ConnectionResetError", (), True),
        (("OSError",), "KeyError", (), False),
        (("LookupError",), "builtins.KeyError", (), True),
        (("x.Y",), "x.Y", (), True),
        (("Y",), "x.Y", (), True),
        (("z.Y",), "x.Y", (), False),
        (("x.Base",), "x.Y", ("x.Base", "Exception"), True),
        (("__main__.Y",), "Y", ("Y", "Exception"), True),
        (("__main__.Base",), "Y", ("Y", "Base", "Exception"), True),
        (("__main__.Other",), "Y", ("Y", "Base", "Exception"), False),
    ],
)
def test_retries_only_on_some_errors(only, error, bases, covered):
    assert Retries(1, only=only).covers(error, bases) is covered


def pipeline_problem(**said):
    _, problems = pipeline_options(HERE, **said)
    assert len(problems) == 1, [problem.render() for problem in problems]
    return problems[0]


def test_pipeline_options():
    options, problems = pipeline_options(
        HERE,
        experiment="e",
        order="calls",
        marshal="volume",
        marshal_volume=True,
        marshal_volume_size="10Gi",
        marshal_path="/data/marshal",
        defaults={"memory": "2Gi"},
    )
    assert not problems
    expected = PipelineOptions(
        experiment="e",
        order="calls",
        marshal="volume",
        marshal_volume=True,
        marshal_volume_size="10Gi",
        marshal_path="/data/marshal",
        defaults=StepOptions(memory="2Gi"),
    )
    assert options == expected


def test_kale_pipeline_options():
    options, problems = pipeline_options(
        HERE,
        experiment_name="e",
        docker_image="a/b",
        steps_defaults={"labels": {"a": "b"}},
        volumes=[{"name": "claim", "mount_point": "/data", "type": "pvc"}],
        autosnapshot=False,
    )
    assert not problems
    assert options.experiment == "e"
    assert options.defaults.explicit() == {
        "image": "a/b",
        "labels": {"a": "b"},
        "volumes": (Volume("claim", "/data"),),
    }


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"autosnapshot": True}, "snapshotted once"),
        ({"katib_run": True}, "kalelite sweep"),
        ({"volume_access_mode": "rwm"}, "access mode of its volume"),
    ],
)
def test_settings_without_a_counterpart_are_named_in_a_warning(given, reason):
    with pytest.warns(UserWarning, match=f"has no effect: .*{reason}"):
        options, problems = pipeline_options(HERE, pipeline_name="p", **given)
    assert options == PipelineOptions(name="p")
    assert not problems


@pytest.mark.parametrize(
    ("said", "message", "hint"),
    [
        ({"memory": "2Gi"}, "option of steps", "defaults={'memory': '2Gi'}"),
        ({"defaults": {"memroy": "2Gi"}}, "'memroy'", "'memory'"),
        ({"defaults": 3}, "is not a dict", "defaults="),
        ({"defaults": {"name": "x"}}, "every step", "Leave it out"),
        ({"order": "call"}, "is not an order", "'calls'"),
        ({"experimnt": "x"}, "'experimnt'", "'experiment'"),
        ({"marshal": "disk"}, "marshal='disk'", "'artifacts'"),
        ({"marshal": "artifacts", "marshal_volume": "c"}, "artifacts, or on", "Leave"),
        ({"marshal_volume": 3}, "marshal_volume=3", "claim-name"),
        ({"marshal_volume": "A_b"}, "not a name that Kubernetes allows", "'a-b'"),
        ({"marshal_volume_size": "10Gi"}, "there is none", "marshal_volume=True"),
        ({"marshal_volume": True, "marshal_path": "data"}, "relative", "'/data'"),
        ({"marshal_volume": True, "marshal_volume_size": "10GB"}, "'10GB'", "'10Gi'"),
    ],
)
def test_each_misuse_of_a_pipeline_option_has_its_sentence(said, message, hint):
    problem = pipeline_problem(**said)
    assert message in problem.message
    assert hint in problem.hint


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=6)
    | st.binary(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=4) | st.integers(), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(st.sampled_from([field.name for field in dataclasses.fields(StepOptions)]), anything)
def test_whatever_is_said_is_an_option_or_a_problem(name, value):
    options, problems = step_options(HERE, **{name: value})
    assert problems or value is None or getattr(options, name) is not None


@given(
    st.sampled_from(["limits", "retry_count", "volumes", "defaults", "marshal_volume"]), anything
)
def test_whatever_is_said_of_a_pipeline_is_an_option_or_a_problem(name, value):
    options, _ = pipeline_options(HERE, **{name: value})
    assert isinstance(options, PipelineOptions)


def test_options_that_contradict_each_other_between_their_places_are_found_at_the_call():
    @step(cpu_limit=2)
    def a(): ...

    @step(memory_limit="1Gi")
    def b(): ...

    @pipeline(defaults={"memory": "2Gi"})
    def p():
        a.options(cpu=4)()
        a.options(cpu=1)()
        b()

    with pytest.raises(PipelineError) as caught:
        p.plan()

    assert [(each.message, each.where.text.strip()) for each in caught.value.problems] == [
        ("cpu='4' is more than cpu_limit='2'", "a.options(cpu=4)()"),
        ("memory='2Gi' is more than memory_limit='1Gi'", "b()"),
    ]


def test_an_option_is_shown_where_it_is_said():
    @step(
        memory="10GB",
        cpu=4,
        cpu_limit=2,
    )
    def a(): ...

    @pipeline(defaults={"gpu": 1, "timeout": 0})
    def p():
        a()
        a.options(gpus=1)()

    shown = {
        each.where.text[each.where.column : each.where.end_column]: each.message
        for each in p.draft()[1]
    }
    assert shown == {
        'memory="10GB"': "memory='10GB' is not a quantity: 'GB' is not a suffix",
        "cpu=4": "cpu='4' is more than cpu_limit='2'",
        "0": "timeout=0 leaves no time at all",
        "gpus=1": "'gpus' is not an option of a step",
    }


def test_an_accelerator_needs_a_number():
    @step(accelerator="amd.com/gpu")
    def a(): ...

    @step
    def b(): ...

    @pipeline(defaults={"accelerator": "amd.com/gpu"})
    def p():
        a()
        a.options(gpu=1)()
        b()
        b.options(gpu=0)()
        b.options(accelerator="nvidia.com/gpu")()

    assert [(each.message, each.where.text.strip()) for each in p.draft()[1]] == [
        ("accelerator='amd.com/gpu' says which kind, and no gpu= how many", "a()"),
        (
            "accelerator='nvidia.com/gpu' says which kind, and no gpu= how many",
            'b.options(accelerator="nvidia.com/gpu")()',
        ),
    ]


def test_a_contradiction_in_one_place_is_told_once():
    @step(cpu=4, cpu_limit=2)
    def a(): ...

    @pipeline(defaults={"memory": "2Gi"})
    def p():
        a()
        a.options(cpu=3, cpu_limit=1)()

    with pytest.raises(PipelineError) as caught:
        p.plan()

    assert len(caught.value.problems) == 2


# --- texts in which secrets may stand


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("token hf_" + "a1" * 15 + " used", "token ••• used"),
        ("https://me:pass@host/x", "•••host/x"),
        ('password = "hunter22"', 'password = "•••"'),
        ("{'api_key': 'k-123'}", "{'api_key': '•••'}"),
        ("os.environ['DB_PASSWORD'] = 'x y'", "os.environ['DB_PASSWORD'] = '•••'"),
        ("sort_key = 'name'", "sort_key = 'name'"),
        ("-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----\nrest", "•••\nrest"),
        ("x" * 1_000_000, "x" * 1_000_000),
    ],
)
def test_what_looks_like_a_secret_is_hidden_in_a_text(text, shown):
    assert hide_secrets(text) == shown
