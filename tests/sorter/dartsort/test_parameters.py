"""Fields of the configuration: each is described, and those without effect name what replaces them."""

from __future__ import annotations

from xephys.sorter.dartsort.parameters import DARTsortUserConfig


def test_every_field_says_what_it_does():
    assert all(field.description for field in DARTsortUserConfig.model_fields.values())


def test_fields_without_effect_name_what_replaces_them():
    idle = {n: f.description for n, f in DARTsortUserConfig.model_fields.items() if "without effect" in f.description}
    assert "executor" in idle
    assert all(text.startswith("accepted without effect: ") for text in idle.values())
