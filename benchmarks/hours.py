"""Two hours of recording: are units that hardly fire found, in the memory of ten minutes and in linear time?

    python benchmarks/hours.py [--quick] [--duration-s 7200] [--n-channels 64] [--n-units 40] [--n-rare 10]

Some of the units fire at 0.01 to 0.05 Hz; all have peaks of more than eight times the noise. The recording is simulated
while it is read and never exists as a whole. Both lengths keep their white traces in the same place, so that the two
sorts differ in length alone.
"""

import argparse
import json
import sys
from typing import Any, NamedTuple

from harness import Process, peak_bytes, run_process, table, write_result

SHORT_S = 600.0


class Sorted(NamedTuple):
    """One sort: its length and cost, its peak before anything is compared, and the accuracy and spikes of each unit."""

    duration_s: float
    process: Process
    peak: int
    n_spikes: int
    n_units: int
    accuracy: list[float]
    num_spikes: list[int]

    def of_rare(self, rate_max_hz: float = 0.06) -> list[tuple[int, float]]:
        """True spikes and accuracy of the units that fire rarely, but at least once."""
        pairs = zip(self.num_spikes, self.accuracy, strict=True)
        return sorted((n, a) for n, a in pairs if 0 < n < rate_max_hz * self.duration_s)


def recording_of(given: argparse.Namespace) -> tuple[Any, Any]:
    from xephys.testing import simulate_recording

    return simulate_recording(
        duration_s=given.duration_s,
        n_channels=given.n_channels,
        n_units=given.n_units,
        amplitude_range_uv=(60.0, 200.0),
        rare_fraction=given.n_rare / given.n_units,
        seed=given.seed,
    )


def sort_here(given: argparse.Namespace) -> None:
    """The program of one sort's process: sorts and prints the result as JSON."""
    import xephys
    from xephys.cli.heap import share_one_heap

    share_one_heap()
    recording, truth = recording_of(given)
    sorting = xephys.sort(recording, cache=given.cache)
    peak = peak_bytes()
    units = xephys.compare(sorting, truth).units
    found = {
        "peak": peak,
        "n_spikes": sorting["spikes"].sizes["spike"],
        "n_units": sorting["units"].sizes["unit"],
        "accuracy": [float(a) for a in units["accuracy"]],
        "num_spikes": [int(n) for n in units["num_truth"]],
    }
    print(json.dumps(found))


def sort_apart(given: argparse.Namespace, duration_s: float) -> Sorted:
    """Sort in a process of its own, on two cores."""
    names = ("n_channels", "n_units", "n_rare", "cache", "seed")
    options = [f"--{name.replace('_', '-')}={getattr(given, name)}" for name in names]
    process = run_process([sys.executable, __file__, "--child", f"--duration-s={duration_s}", *options])
    return Sorted(duration_s, process, **json.loads(process.output.strip().splitlines()[-1]))


def report(runs: list[Sorted], given: argparse.Namespace) -> tuple[str, ...]:
    short, long = runs
    rare = long.of_rare()
    found = sum(accuracy >= 0.8 for _, accuracy in rare)
    rows = [
        (
            f"{r.duration_s / 60:g} min", f"{r.n_spikes:,}", r.n_units, f"{r.peak / 2**30:.2f} GiB",
            f"{r.process.wall_s:.0f} s", f"{r.process.cpu_s:.0f} s", f"{60 * r.process.cpu_s / r.duration_s:.2f} s",
        )
        for r in runs
    ]  # fmt: skip
    more = (long.peak - short.peak) / max(1, long.n_spikes - short.n_spikes)
    others = [a for n, a in zip(long.num_spikes, long.accuracy, strict=True) if (n, a) not in rare]
    return (
        "# Hours",
        f"{given.n_channels} channels, simulated while they are read, {given.n_units} units of which {given.n_rare} "
        f"fire at 0.01 to 0.05 Hz; white traces kept: {given.cache}. CPU time holds the simulation, in each pass where "
        "nothing is kept. The peak is that of the sort, with the true spikes that the simulation holds.",
        table(("recording", "spikes", "units", "peak", "wall", "CPU", "CPU per minute"), rows),
        f"Of the {len(rare)} units that fire rarely, {found} are well detected in the longer recording (accuracy of at "
        f"least 0.8); of the others {sum(a >= 0.8 for a in others)} of {len(others)}. "
        f"Memory grows by {more:.0f} bytes per spike.",
        table(("true spikes", "accuracy"), [(n, f"{a:.2f}") for n, a in rare]),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="8 channels, 20 and 60 seconds; writes no table")
    parser.add_argument("--duration-s", type=float, default=7200.0)
    parser.add_argument("--n-channels", type=int, default=64)
    parser.add_argument("--n-units", type=int, default=40)
    parser.add_argument("--n-rare", type=int, default=10, help="how many of the units fire rarely")
    parser.add_argument("--cache", default="none", help="where white traces are kept, as in xephys.sort")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        sort_here(given)
        return
    durations_s = (SHORT_S, given.duration_s)
    if given.quick:
        given.n_channels, given.n_units, given.n_rare, durations_s = 8, 4, 1, (20.0, 60.0)
    parts = report([sort_apart(given, duration_s) for duration_s in durations_s], given)
    if given.quick or given.duration_s != parser.get_default("duration_s"):
        print("\n\n".join(parts))
    else:
        write_result("hours", *parts)


if __name__ == "__main__":
    main()
