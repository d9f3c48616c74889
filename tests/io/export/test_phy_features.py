"""Principal components and waveforms as phylib reads them."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from tests.support.analyzed import analyzed_segments, analyzed_sorting
from xephys.io.export.phy import export_phy


@pytest.fixture(autouse=True)
def quiet():
    logging.getLogger("phylib").setLevel(logging.CRITICAL)


@pytest.mark.parametrize("made", [analyzed_sorting, analyzed_segments])
def test_phylib_reads_features_and_waveforms_of_the_right_spikes(made, tmp_path):
    from phylib.io.model import load_model

    recording, sorting = made()
    export_phy(sorting, tmp_path / "phy", recording=recording)
    model = load_model(tmp_path / "phy" / "params.py")
    kept = sorting["analysis/waveforms"].to_dataset(inherit=False)
    projections = sorting["analysis/principal_components"]["projection"].values
    owners = sorting["spikes"]["unit_index"].values[kept["waveform_spike"].values]
    n_channels = model.n_channels
    rng = np.random.default_rng(0)
    for place in rng.choice(len(owners), 12, replace=False):
        spike = np.array([kept["waveform_spike"].values[place]])  # already in order of time
        own = kept["channel_index"].values[owners[place]]
        own = own[own >= 0]
        features = model.get_features(spike, np.arange(n_channels))[0]
        np.testing.assert_array_equal(features[own], projections[place][:, : len(own)].T)
        assert not np.delete(features, own, axis=0).any()
        waveforms = model.get_waveforms(spike, own)[0]
        shift = _shift(sorting, kept)
        cut = waveforms[max(0, shift) : kept.sizes["sample"] + shift]
        np.testing.assert_array_equal(cut, kept["waveform"].values[place][: len(cut), : len(own)])
    assert model.spike_clusters[kept["waveform_spike"].values].tolist() == owners.tolist()


def _shift(sorting, kept):
    """Number of samples by which the window of the templates starts before that of the waveforms."""
    known = "templates" in sorting.children
    return sorting["templates"]["templates"].attrs["nbefore"] - kept.attrs["nbefore"] if known else 0


def test_metrics_amplitudes_and_similarity_of_the_analysis_are_there(tmp_path):
    from phylib.io.model import load_model

    recording, sorting = analyzed_sorting()
    export_phy(sorting, tmp_path / "phy")
    model = load_model(tmp_path / "phy" / "params.py")
    quality = sorting["analysis/quality_metrics"]
    for name in ("snr", "amplitude_median", "d_prime", "isi_violations_ratio"):
        read = [model.metadata[name][unit] for unit in range(4)]
        np.testing.assert_allclose(read, quality[name].values, rtol=1e-5)
    np.testing.assert_array_equal(model.similar_templates, sorting["analysis/template_similarity"]["similarity"].values)
    # With a raw recording, phy needs no stored waveforms.
    raw = tmp_path / "raw.bin"
    np.asarray(recording.values, np.int16).tofile(raw)
    import xephys

    opened = xephys.open_recording(raw, sampling_frequency=30_000.0, n_channels=12)
    export_phy(sorting, tmp_path / "with_raw", recording=opened)
    assert not (tmp_path / "with_raw" / "_phy_spikes_subset.waveforms.npy").exists()


def test_templates_of_an_analysis_are_used_if_the_sorter_gave_none(tmp_path):
    from phylib.io.model import load_model

    recording, sorting = analyzed_segments()
    assert "templates" not in sorting.children
    export_phy(sorting, tmp_path / "phy", recording=recording)
    model = load_model(tmp_path / "phy" / "params.py")
    node = sorting["analysis/templates"]
    own = node["channel_index"].values[0]
    own = own[own >= 0]
    np.testing.assert_array_equal(model.sparse_templates.data[0][:, own], node["average"].values[0][:, : len(own)])
