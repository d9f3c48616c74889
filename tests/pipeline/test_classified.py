"""Classified failures: categories, policies, attributes, and the way between processes."""

from __future__ import annotations

import inspect
import pickle

import pytest

from xephys.pipeline import classified
from xephys.pipeline.classified import SpikeSortingClassifiedError


def all_classes() -> list[type[SpikeSortingClassifiedError]]:
    return [
        one
        for _, one in inspect.getmembers(classified, inspect.isclass)
        if issubclass(one, SpikeSortingClassifiedError)
    ]


@pytest.mark.parametrize("kind", all_classes(), ids=lambda kind: kind.__name__)
def test_a_failure_survives_the_way_between_processes(kind: type[SpikeSortingClassifiedError]) -> None:
    names = [name for name, p in inspect.signature(kind).parameters.items() if p.kind is p.KEYWORD_ONLY]
    error = kind("why", **{name: f"{name}'s value" for name in names})
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind and str(again) == "why" and again.attributes == error.attributes
    assert sorted(again.attributes) == sorted(names)
    assert again.policy in ("skip", "stop", "retry")


def test_categories_have_one_policy_each() -> None:
    policies = {"BiologicalSortFailure": "skip", "EnvironmentSortFailure": "stop", "ResourceSortFailure": "retry"}
    for kind in all_classes():
        for name, policy in policies.items():
            if issubclass(kind, getattr(classified, name)):
                assert kind.policy == policy


def test_metrics_without_waveforms_are_an_error_of_value_too() -> None:
    assert issubclass(classified.EmptyWaveformMetricsError, ValueError)
