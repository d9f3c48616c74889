"""Noise along templates, relative to white noise."""

from __future__ import annotations


def test_the_noise_gain_of_filtered_noise(noise_gain):
    assert 1.0 <= noise_gain < 4.0
