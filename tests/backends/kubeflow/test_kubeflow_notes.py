"""What is true of an option on KFP and might surprise is said once, with the steps it is about."""

from __future__ import annotations

from kalelite.authoring.pipeline import pipeline
from kalelite.authoring.step import step
from kalelite.backends.kubeflow import surprises


@step(cache=True)
def kept():
    return 1


@step
def plain():
    return 1


def test_a_cache_that_kfp_does_not_have_is_named():
    @pipeline
    def p():
        for _ in range(7):
            kept()
        plain()
        kept.options(name="last", cache=False)()

    assert list(surprises(p.plan())) == [
        "cache=True: steps on KFP run anew in every run (kept, kept-2, kept-3, kept-4, kept-5 and 2 more)"
    ]


def test_an_experiment_that_a_file_cannot_hold_is_named():
    @pipeline(experiment="digits")
    def p():
        plain()

    assert list(surprises(p.plan())) == [
        "experiment: choose 'digits' when you create a run of the file"
    ]
