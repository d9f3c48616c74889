"""A page of tracks has a row for each, and a figure for those with several units."""

import re

import pytest

from xephys import export_track_pages, reject_track, track_units
from xephys.errors import OutputError, ParameterError
from xephys.testing import simulate_sessions


@pytest.fixture(scope="module")
def tracked():
    sessions, _ = simulate_sessions(n_sessions=2, n_neurons=8, n_channels=32, seed=1)
    return sessions, track_units(sessions, names=["monday", "<tuesday>"])


def test_every_track_is_listed_and_those_with_partners_are_drawn(tracked, tmp_path):
    sessions, tracks = tracked
    table = tracks["tracks"].to_dataset()
    several = table["track"].values[table["n_units"].values > 1].tolist()
    last = int(table["track"].values[-1])
    export_track_pages(reject_track(tracks, last), sessions, tmp_path / "pages", n_tracks_max=2, dpi=40)
    page = (tmp_path / "pages" / "index.html").read_text()
    assert page.count("<tr>") == 1 + table.sizes["track"] and "rejected" in page
    assert "&lt;tuesday&gt;" in page and "<tuesday>" not in page
    drawn = sorted(path.name for path in (tmp_path / "pages" / "figures").iterdir())
    assert drawn == sorted(["motion.png", "presence.png", "survival.png", *(f"track_{k}.png" for k in several[:2])])
    assert set(re.findall(r'src="figures/([^"]+)"', page)) == set(drawn)


def test_wrong_sessions_and_an_existing_folder_are_refused(tracked, tmp_path):
    sessions, tracks = tracked
    with pytest.raises(ParameterError, match="1 sessions for tracks of 2"):
        export_track_pages(tracks, sessions[:1], tmp_path / "pages")
    (tmp_path / "pages").mkdir()
    with pytest.raises(OutputError, match="exists already"):
        export_track_pages(tracks, sessions, tmp_path / "pages", n_tracks_max=1, dpi=30)
    assert not any((tmp_path / "pages").iterdir())
