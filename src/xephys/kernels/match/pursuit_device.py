"""The matching pursuit of `xephys.kernels.match.pursuit` in rounds that take all mutually independent spikes at once.

A spike changes scores only of units that share a channel with it, within one template length. A candidate that no
better one can reach in two such steps would also be taken by the sequential pursuit, whatever is taken elsewhere
before. A round therefore takes all of them, and no two of them change the same score, so nothing is added in a random
order. In a sweep, spikes four steps apart are put back at once, each after those that precede it in the order of the
sequential pursuit, and together with the one that it collides with, which is within two steps. Whether two spikes
explain more than one in their place is decided on the host, by the same function as in the other pursuit, from the
surrounding scores.

One difference remains: chains of three or more spikes, each of which raises the next one above all others near it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xephys.kernels.lib.dispatch import resident, to_host
from xephys.kernels.match.candidates import SEARCH_SAMPLES
from xephys.kernels.match.limits import Limits, Pairs
from xephys.kernels.match.neighborhoods import neighborhoods, pair_numbers
from xephys.kernels.match.pairs import larger_of_pairs
from xephys.kernels.match.pursuit import COLLIDING

#: Number of cells searched at once; 64 thousand cells of 32 samples take 16 MB per double-precision step.
CELLS = 1 << 16
#: Number of values gathered at once: 128 MB in double precision, enough for many units that overlap many others.
GATHERED = 1 << 24


@dataclass(frozen=True)
class Spikes:
    """Spikes of a tile, one array each: unit, sample, sub-sample shift, amplitude and gain.

    ``turn`` decreases in the order in which the sequential pursuit would have taken them.
    """

    unit: Any
    sample: Any
    shift: Any
    amplitude: Any
    gain: Any
    turn: Any

    def __len__(self) -> int:
        return len(self.unit)

    def chosen(self, index: Any) -> Spikes:
        return Spikes(*(values[index] for values in self._all()))

    @staticmethod
    def joined(xp: Any, parts: list[Spikes]) -> Spikes:
        return Spikes(*(xp.concatenate(values) for values in zip(*(part._all() for part in parts), strict=True)))

    def _all(self) -> tuple[Any, ...]:
        return self.unit, self.sample, self.shift, self.amplitude, self.gain, self.turn


def pursue(
    xp: Any,
    scores: Any,
    *,
    energies: NDArray[np.float64],
    minimum: Any,
    pairs: Pairs,
    limits: Limits,
) -> Spikes:
    """As `xephys.kernels.match.pursuit.pursue`; ``minimum`` and the likeness of pairs are the device's own arrays."""
    board = Board(xp, scores, energies, minimum, pairs, limits)
    taken = board.take_all()
    for _ in range(limits.n_sweeps):
        taken = board.sweep(taken)
    return taken


class Board:
    """Scores, what is doubted or excluded because of spikes taken, and the best candidate of each block and unit.

    Parameters
    ----------
    xp
        Namespace of the device.
    scores : (unit, sample)
    energies, minimum, limits
        As for `pursue`.
    sharing : Pairs
        Overlaps of templates that share channels.
    """

    def __init__(
        self,
        xp: Any,
        scores: Any,
        energies: NDArray[np.float64],
        minimum: Any,
        sharing: Pairs,
        limits: Limits,
    ) -> None:
        self.xp, self.limits, self.minimum = xp, limits, minimum
        self.energies, self.sharing = energies, sharing
        self.pairing = xp.asarray(np.isfinite(sharing.unexplained))
        self.precision = limits.amplitude_precision * limits.noise_gain
        # Empty templates are never searched, but with a free amplitude they would still divide by zero.
        self.energy = xp.maximum(resident(xp, _float64, energies), 1e-30)
        self.total = xp.maximum(resident(xp, _float64, energies) + self.precision, 1e-30)
        self.pairs, self.partners, self.near, self.far = resident(xp, neighborhoods, sharing.starts, sharing.units)
        self.pair_of = resident(xp, pair_numbers, sharing.starts, sharing.units)
        self.overlaps = resident(xp, _float32, sharing.overlaps)
        self.n_units, self.n_samples = scores.shape
        self.n_blocks = -(-self.n_samples // SEARCH_SAMPLES)
        self.reach = sharing.overlaps.shape[2] // 2
        self.margin = max(self.reach, limits.refractory_samples, limits.guard_samples) + 1
        # Spikes near the ends change what lies beyond them, and empty entries of the tables change a row of no unit.
        shape = (self.n_units + 1, self.n_blocks * SEARCH_SAMPLES + 2 * self.margin)
        self.scores = xp.full(shape, -np.inf, dtype=np.float32)
        self.scores[: self.n_units, self.margin : self.margin + self.n_samples] = scores
        self.scores[self.n_units] = 0
        self.doubted = xp.zeros(shape, dtype=np.float64)
        self.forbidden = xp.zeros(shape, dtype=np.int32)
        self.gain = xp.full((self.n_blocks, self.n_units), -np.inf, dtype=np.float64)
        self.sample = xp.zeros((self.n_blocks, self.n_units), dtype=np.int64)
        cells = xp.arange(self.n_blocks * self.n_units)
        for first in range(0, self.n_blocks * self.n_units, CELLS):
            part = cells[first : first + CELLS]
            self._search(part // self.n_units, part % self.n_units)

    def take_all(self) -> Spikes:
        """Take candidates, round after round, until none is left."""
        xp = self.xp
        rounds = [self._spikes(xp.zeros(0, dtype=np.int64), xp.zeros(0, dtype=np.int64), xp.zeros(0))]
        turns = xp.full((self.n_blocks, self.n_units), -np.inf, dtype=np.float64)  # negative, so that all are largest
        while True:
            block, unit = xp.nonzero(self.gain > -np.inf)
            if not len(block):
                return Spikes.joined(xp, rounds)
            # Among equal gains, the earlier block comes first, then the lower unit, which is their order here.
            gain = self.gain[block, unit]
            order = xp.argsort(-gain, kind="stable")
            rank = xp.zeros((self.n_blocks, self.n_units), dtype=np.int64)
            rank[block[order], unit[order]] = xp.arange(len(order), 0, -1)
            best = self._largest_near(rank, block, unit) == rank[block, unit]
            block, unit, gain = block[best], unit[best], gain[best]
            # A candidate that was raised above an earlier spike comes right after that spike, not before it.
            turn = xp.minimum(gain, -self._largest_near(turns, block, unit))
            turns[block, unit] = xp.maximum(turns[block, unit], -turn)
            rounds.append(self._spikes(unit, self.sample[block, unit], turn))
            self._change(rounds[-1], sign=-1)

    def sweep(self, spikes: Spikes) -> Spikes:
        """Put each spike back, and choose again in its place, now that the surrounding ones are explained."""
        xp = self.xp
        if not len(spikes):
            return spikes
        spikes = spikes.chosen(xp.argsort(-spikes.turn, kind="stable"))
        before, blocks = self._blockers(spikes)
        weighed = bool(np.isfinite(self.sharing.unexplained).any())  # otherwise nothing goes to the host
        if weighed:
            minimum = to_host(self.minimum)
            host = self.sharing._replace(likeness=to_host(self.sharing.likeness))
        pending = xp.ones(len(spikes), dtype=bool)
        anew: list[Spikes] = []
        while True:
            ready = xp.nonzero(pending & ~(blocks & pending[before]).any(axis=1))[0]
            if not len(ready):
                break
            put_back = spikes.chosen(ready)
            self._change(put_back, sign=1)
            pending[ready] = False
            beside = self._colliding(spikes, ready, before[ready], pending) if weighed else ready[:0]
            if len(beside):
                self._change(spikes.chosen(beside), sign=1)
                pending[beside] = False
            pairs = [self._take_of_pairs(put_back, host, minimum)] if weighed else []
            for found in (*pairs, self.take_all()):
                # In the next sweep they come in the order of this one.
                turn = 0 * found.gain - len(anew)
                anew.append(Spikes(found.unit, found.sample, found.shift, found.amplitude, found.gain, turn))
        return Spikes.joined(xp, anew)

    def _colliding(self, spikes: Spikes, ready: Any, nearby: Any, pending: Any) -> Any:
        """The spikes, among those pending, that resemble spikes put back most where they overlap.

        ``nearby`` are those in the vicinity of each spike put back. Spikes that are not weighed as pairs have none.
        """
        xp, limits = self.xp, self.limits
        radius = min(max(limits.guard_samples, limits.refractory_samples), self.reach)
        unit, other = spikes.unit[ready][:, None], spikes.unit[nearby]
        pair, lag = self.pair_of[unit, other], spikes.sample[nearby] - spikes.sample[ready][:, None]
        collide = pending[nearby] & (pair >= 0) & (lag >= -radius) & (lag <= radius) & self.pairing[unit]
        lag = xp.where(collide, lag, 0) + self.reach
        overlap = self.overlaps[xp.maximum(pair, 0), spikes.shift[ready][:, None], lag].astype(np.float64)
        alike = xp.where(collide, overlap * overlap / self.energy[other], 0.0)
        most = alike.max(axis=1)[:, None]
        collides = (alike == most) & (most > COLLIDING * self.energy[unit])
        found = xp.where(collides, nearby, len(spikes)).min(axis=1)
        return found[found < len(spikes)]

    def _take_of_pairs(self, spikes: Spikes, pairs: Pairs, minimum: NDArray[np.float32]) -> Spikes:
        """If two spikes explain more than one in place of a spike that was put back, take the larger of them."""
        spikes = spikes.chosen(self.xp.nonzero(self.pairing[spikes.unit])[0])
        xp, limits = self.xp, self.limits
        radius = max(limits.guard_samples, limits.refractory_samples)
        window = xp.arange(-radius - 1, radius + 2) + self.margin
        row, at = self.partners[spikes.unit][:, :, None], (spikes.sample[:, None] + window)[:, None, :]
        begin = spikes.sample - radius - 1
        scores, unit, first = (to_host(part) for part in (self.scores[row, at], spikes.unit, begin))
        tables = (self.n_samples, self.energies, minimum, pairs, limits)
        found, values = larger_of_pairs(scores, np.zeros(scores.shape), unit, first, *tables)
        index = np.flatnonzero(found[:, 0] >= 0)
        if len(index):  # this is rare, so doubts are computed only now
            some = xp.asarray(index)
            row, at = row[some], at[some]
            doubt = self.doubted[row, at] * (limits.mismatch / limits.noise_gain)
            doubt = to_host(xp.where(self.forbidden[row, at] > 0, np.inf, doubt))
            found, values = larger_of_pairs(scores[index], doubt, unit[index], first[index], *tables)
            taken = found[:, 0] >= 0
            found, values = found[taken], values[taken]
        else:
            found, values = found[:0], values[:0]
        unit, sample, shift, amplitude, gain = (
            xp.asarray(np.ascontiguousarray(column)) for column in (*found.T, *values.T)
        )
        larger = Spikes(unit, sample, shift, amplitude, gain, turn=gain)
        if len(larger):
            self._change(larger, sign=-1)
        return larger

    def _spikes(self, unit: Any, sample: Any, turn: Any) -> Spikes:
        """Sub-sample shift, amplitude and gain of candidates: the parabola through three scores."""
        xp, n_shifts = self.xp, self.overlaps.shape[1]
        at = sample + self.margin
        score = self.scores[unit, at].astype(np.float64)
        left, right = (self.scores[unit, at + step].astype(np.float64) for step in (-1, 1))
        inside = (sample > 0) & (sample < self.n_samples - 1) & (n_shifts > 1)
        left, right = xp.where(inside, left, score), xp.where(inside, right, score)
        curvature = left - 2.0 * score + right
        curved = inside & (curvature < 0)
        offset = 0.5 * (left - right) / xp.where(curved, curvature, 1.0)
        offset = xp.where(curved, xp.minimum(xp.maximum(offset, -0.5), 0.5), 0.0)
        shift = n_shifts // 2 + xp.rint(offset * (n_shifts - 1)).astype(np.int64)
        amplitude, gain = self._amplitude_and_gain(unit, score - 0.25 * (left - right) * offset)
        return Spikes(unit, sample, shift, amplitude, gain, turn)

    def _amplitude_and_gain(self, unit: Any, score: Any) -> tuple[Any, Any]:
        xp, limits, total = self.xp, self.limits, self.total[unit]
        amplitude = (score + self.precision) / total
        amplitude = xp.minimum(xp.maximum(amplitude, limits.amplitude_min), limits.amplitude_max)
        gain = 2.0 * amplitude * (score + self.precision) - amplitude * amplitude * total - self.precision
        return amplitude, gain / limits.noise_gain

    def _search(self, block: Any, unit: Any) -> None:
        """Find the best candidate again in these blocks for these units."""
        xp, limits = self.xp, self.limits
        at = block[:, None] * SEARCH_SAMPLES + xp.arange(SEARCH_SAMPLES) + self.margin
        row = unit[:, None]
        score = self.scores[row, at]
        peak = (score >= self.scores[row, at - 1]) & (score >= self.scores[row, at + 1])
        peak &= (score >= self.minimum[row]) & (self.forbidden[row, at] == 0)
        _, gain = self._amplitude_and_gain(row, xp.where(peak, score, np.float32(0)).astype(np.float64))
        gain -= self.doubted[row, at] * (limits.mismatch / limits.noise_gain)
        gain = xp.where(peak & (gain >= limits.match_threshold**2), gain, -np.inf)
        best = gain.argmax(axis=1)
        self.gain[block, unit] = gain[xp.arange(len(block)), best]
        self.sample[block, unit] = block * SEARCH_SAMPLES + best

    def _change(self, spikes: Spikes, *, sign: int) -> None:
        """Subtract spikes from the scores (sign −1) or add them back (+1), and search what they affected.

        No two of them affect the same score.
        """
        xp, limits = self.xp, self.limits
        at = spikes.sample + self.margin
        pair = self.pairs[spikes.unit]
        present = pair >= 0
        pair = xp.maximum(pair, 0)
        touched = self.partners[spikes.unit]
        row = xp.where(present, touched, self.n_units)[:, :, None]
        overlap = self.overlaps[pair, spikes.shift[:, None]]
        scale = xp.where(present, (sign * spikes.amplitude).astype(np.float32)[:, None], np.float32(0))
        self.scores[row, at[:, None, None] + xp.arange(-self.reach, self.reach + 1)] += scale[:, :, None] * overlap
        doubt = xp.where(present, -sign * spikes.amplitude[:, None] ** 2 * self.sharing.likeness[pair], 0.0)
        guard = xp.arange(-limits.guard_samples, limits.guard_samples + 1)
        self.doubted[row, at[:, None, None] + guard] += doubt[:, :, None]
        refractory = xp.arange(-limits.refractory_samples, limits.refractory_samples + 1)
        self.forbidden[spikes.unit[:, None], at[:, None] + refractory] -= sign
        first = xp.maximum(spikes.sample - self.margin, 0) // SEARCH_SAMPLES
        last = xp.minimum(spikes.sample + self.margin, self.n_samples - 1) // SEARCH_SAMPLES
        blocks = first[:, None] + xp.arange(2 * self.margin // SEARCH_SAMPLES + 2)
        shape = (len(spikes), touched.shape[1], blocks.shape[1])
        # A cell may occur twice; searching it twice gives the same result.
        block = xp.broadcast_to(xp.minimum(blocks, last[:, None])[:, None, :], shape).ravel()
        unit = xp.broadcast_to(touched[:, :, None], shape).ravel()
        for begin in range(0, len(block), CELLS):
            self._search(block[begin : begin + CELLS], unit[begin : begin + CELLS])

    def _largest_near(self, values: Any, block: Any, unit: Any) -> Any:
        """Largest of the values (block, unit) within two steps of these cells, in time and over units."""
        xp = self.xp
        reach = -(-2 * self.margin // SEARCH_SAMPLES)
        largest = values.copy()
        for lag in range(1, min(reach, len(values) - 1) + 1):
            largest[lag:] = xp.maximum(largest[lag:], values[:-lag])
            largest[:-lag] = xp.maximum(largest[:-lag], values[lag:])
        size = max(1, GATHERED // self.near.shape[1])
        parts = [slice(first, first + size) for first in range(0, len(block), size)]
        found = [largest[block[part][:, None], self.near[unit[part]]].max(axis=1) for part in parts]
        return found[0] if len(found) == 1 else xp.concatenate(found)

    def _blockers(self, spikes: Spikes) -> tuple[Any, Any]:
        """For each spike, the spikes in its vicinity, and whether they precede it and are within four steps."""
        xp = self.xp
        by_time = xp.argsort(spikes.sample, kind="stable")
        times = spikes.sample[by_time]
        begin = xp.searchsorted(times, spikes.sample - 4 * self.margin)
        end = xp.searchsorted(times, spikes.sample + 4 * self.margin, side="right")
        places = begin[:, None] + xp.arange(int((end - begin).max()))
        other = by_time[xp.minimum(places, len(spikes) - 1)]
        blocks = (places < end[:, None]) & (other < xp.arange(len(spikes))[:, None])
        return other, blocks & self.far[spikes.unit[:, None], spikes.unit[other]]


def _float64(values: NDArray[Any]) -> NDArray[np.float64]:
    return values.astype(np.float64)


def _float32(values: NDArray[Any]) -> NDArray[np.float32]:
    return values.astype(np.float32)
