"""Train dartsort's denoising networks on the snippets of a recording, with a validation split and an early stop."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..checks import check_positive
from ..errors import ParameterError
from ..io.export.optional import needed
from .networks import Decollider, SingleChannelWaveformDenoiser

#: Share of the snippets that decides when to stop.
HELD_OUT = 0.2
#: Filters and lengths of the two convolutions, and size of the hidden layers.
FILTERS, LENGTHS, HIDDEN = (16, 8), (5, 11), 1024


def train_single_channel(
    clean: NDArray[Any],
    noise: NDArray[Any],
    *,
    snr_range: tuple[float, float] = (1.0, 12.0),
    jitter_samples: int = 3,
    n_epochs_max: int = 40,
    n_examples: int = 20_000,
    batch_size: int = 256,
    patience: int = 5,
    learning_rate: float = 1e-3,
    device: str = "cpu",
    seed: int = 0,
) -> SingleChannelWaveformDenoiser:
    """Train a network to find clean waveforms below noise of the recording.

    Parameters
    ----------
    clean
        ``(n, sample)``, waveforms of large spikes, low-rank denoised or averaged.
    noise
        ``(m, sample)``, snippets of a residual, in units of the noise.
    snr_range
        Clean waveforms are scaled to peaks in this range.
    jitter_samples
        And shifted by up to this many samples.
    n_epochs_max, n_examples, batch_size, learning_rate
        Length and steps of the training.
    patience
        Epochs without a better validation error after which it stops.
    device
        ``"cpu"`` or a device of torch.
    seed
        Seed of every random choice.

    Raises
    ------
    ParameterError
        If snippets differ in length, there are too few, or the error is not finite.
    ImportError
        If torch is not installed.
    """
    torch = needed("torch", extra="nn", what="training a denoiser")
    check_positive(
        n_epochs_max=n_epochs_max, n_examples=n_examples, batch_size=batch_size, patience=patience,
        learning_rate=learning_rate,
    )  # fmt: skip
    waveforms, background = _checked(clean, noise, n_min=5)
    rng, length = np.random.default_rng(seed), waveforms.shape[1]

    def draw(shapes: NDArray[np.float32], residual: NDArray[np.float32], n: int) -> tuple[Any, Any]:
        shifts = rng.integers(-jitter_samples, jitter_samples + 1, n)
        rows = shapes[rng.integers(0, len(shapes), n)]
        rows = np.take_along_axis(rows, (np.arange(length) - shifts[:, None]) % length, axis=1)
        sizes = rng.uniform(*snr_range, n) / np.maximum(np.abs(rows).max(axis=1), 1e-6)
        truth = (rows * sizes[:, None]).astype(np.float32)
        return truth + residual[rng.integers(0, len(residual), n)], truth

    torch.manual_seed(seed)
    nn, first, second = torch.nn, FILTERS[0], FILTERS[1]
    model = nn.Sequential(
        nn.Conv1d(1, first, LENGTHS[0]), nn.ReLU(), nn.Conv1d(first, second, LENGTHS[1]), nn.ReLU(), nn.Flatten(),
        nn.Linear(second * (length - sum(LENGTHS) + 2), length),
    ).to(device)  # fmt: skip

    def error(noisy: Any, truth: Any) -> Any:
        return ((model(noisy[:, None, :]) - truth) ** 2).mean()

    (train_shapes, held_shapes), (train_noise, held_noise) = _split(waveforms, rng), _split(background, rng)
    held = draw(held_shapes, held_noise, max(2000, batch_size))
    _fit(
        torch, model, error, lambda: draw(train_shapes, train_noise, n_examples), held, device=device, seed=seed,
        batch_size=batch_size, n_epochs_max=n_epochs_max, patience=patience, learning_rate=learning_rate,
    )  # fmt: skip
    values = [p.detach().cpu().numpy() for p in model.parameters()]
    return SingleChannelWaveformDenoiser(dict(zip(SingleChannelWaveformDenoiser.NAMES, values, strict=True)))


def train_decollider(
    snippets: NDArray[Any],
    noise: NDArray[Any],
    *,
    hidden: int = HIDDEN,
    n_epochs_max: int = 40,
    n_examples: int = 20_000,
    batch_size: int = 512,
    patience: int = 5,
    learning_rate: float = 2e-4,
    device: str = "cpu",
    seed: int = 0,
) -> Decollider:
    """Train a network to denoise snippets of which no clean ones are known.

    Noise ``m`` of the recording is added to snippets ``y``. One network finds ``y`` below it and another one ``m``;
    since the two noises are exchangeable, their difference estimates the signal, which a third network learns to find
    in ``y`` alone.

    Parameters
    ----------
    snippets, noise
        ``(n, sample, slot)``, in units of the noise.
    hidden
        Size of the hidden layers.
    n_epochs_max, n_examples, batch_size, patience, learning_rate, device, seed
        As for :func:`train_single_channel`.

    Raises
    ------
    ParameterError
        If snippets differ in shape, there are too few, or the error is not finite.
    ImportError
        If torch is not installed.
    """
    torch = needed("torch", extra="nn", what="training a denoiser")
    check_positive(
        n_epochs_max=n_epochs_max, n_examples=n_examples, batch_size=batch_size, patience=patience, hidden=hidden,
        learning_rate=learning_rate,
    )  # fmt: skip
    seen, background = _checked(snippets, noise, n_min=5)
    rng, (n_samples, n_slots) = np.random.default_rng(seed), seen.shape[1:]
    torch.manual_seed(seed)
    nn, n_out = torch.nn, n_samples * n_slots

    def network(n_last: int) -> Any:
        return nn.Sequential(
            nn.Linear((n_samples + 1) * n_slots, hidden), nn.PReLU(), nn.Linear(hidden, hidden), nn.PReLU(),
            nn.Linear(hidden, n_last),
        )  # fmt: skip

    models = nn.ModuleDict({"seen": network(2 * n_out), "added": network(n_out), "signal": network(2 * n_out)}).to(
        device
    )

    def applied(name: str, rows: Any) -> Any:
        scale = rows.abs().amax(dim=(1, 2), keepdim=True).clamp_min(1e-6)
        present = torch.ones_like(rows[:, :1])
        out = models[name](torch.cat([rows / scale, present], dim=1).flatten(1))
        out = out if name == "added" else nn.functional.glu(out, dim=1)
        return out.reshape(rows.shape) * scale

    def error(noisy: Any, known: Any) -> Any:
        y, m, more = noisy, known[:, 0], known[:, 1]
        f, g = applied("seen", y + m), applied("added", y + m)
        signal = applied("signal", y)
        cycle = applied("signal", signal.detach() + more) - signal.detach()
        return (
            ((f - y) ** 2).mean()
            + ((g - m) ** 2).mean()
            + ((signal - (f - g).detach()) ** 2).mean()
            + (cycle**2).mean()
        )

    def draw(rows: NDArray[np.float32], residual: NDArray[np.float32], n: int) -> tuple[Any, Any]:
        pairs = residual[rng.integers(0, len(residual), (n, 2))]
        return rows[rng.integers(0, len(rows), n)], pairs

    (train_rows, held_rows), (train_noise, held_noise) = _split(seen, rng), _split(background, rng)
    held = draw(held_rows, held_noise, max(2 * batch_size, 1000))
    _fit(
        torch, models, error, lambda: draw(train_rows, train_noise, n_examples), held, device=device, seed=seed,
        batch_size=batch_size, n_epochs_max=n_epochs_max, patience=patience, learning_rate=learning_rate,
    )  # fmt: skip
    own = models["signal"]
    order = (
        own[0].weight,
        own[0].bias,
        own[1].weight,
        own[2].weight,
        own[2].bias,
        own[3].weight,
        own[4].weight,
        own[4].bias,
    )
    values = [p.detach().cpu().numpy() for p in order]
    return Decollider(dict(zip(Decollider.NAMES, values, strict=True)))


def _fit(
    torch: Any,
    model: Any,
    error: Any,
    draw: Any,
    held: tuple[Any, Any],
    *,
    device: str,
    seed: int,
    batch_size: int,
    n_epochs_max: int,
    patience: int,
    learning_rate: float,
) -> None:
    """Adam with cosine annealing; the weights of the epoch with the smallest validation error stay in the model."""
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, n_epochs_max)
    held_tensors = [torch.as_tensor(part, device=device) for part in held]
    best, waited, state = float("inf"), 0, None
    for epoch in range(n_epochs_max):
        rows = [torch.as_tensor(part, device=device) for part in draw()]
        model.train()
        for first in range(0, len(rows[0]), batch_size):
            optimizer.zero_grad()
            loss = error(*(part[first : first + batch_size] for part in rows))
            loss.backward()
            optimizer.step()
        schedule.step()
        model.eval()
        with torch.no_grad():
            validation = float(error(*held_tensors))
        if not np.isfinite(validation):
            raise ParameterError(
                f"the error of the network is {validation} after epoch {epoch + 1}; check the snippets, or lower "
                "learning_rate"
            )
        if validation < best:
            best, waited = validation, 0
            state = {name: value.clone() for name, value in model.state_dict().items()}
        else:
            waited += 1
            if waited >= patience:
                break
    model.load_state_dict(state)


def _checked(rows: NDArray[Any], noise: NDArray[Any], *, n_min: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    own, background = np.asarray(rows, np.float32), np.asarray(noise, np.float32)
    if own.shape[1:] != background.shape[1:]:
        raise ParameterError(f"snippets have shape {own.shape[1:]} and noise {background.shape[1:]}; cut both alike")
    if min(len(own), len(background)) < n_min:
        raise ParameterError(
            f"{len(own)} snippets and {len(background)} of noise are too few to train on; give at least {n_min} of each"
        )
    if not (np.isfinite(own).all() and np.isfinite(background).all()):
        raise ParameterError("some snippets are not finite; leave them out")
    return own, background


def _split(rows: NDArray[np.float32], rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Rows to train on, and rows to validate with."""
    order = rng.permutation(len(rows))
    n_held = max(1, round(HELD_OUT * len(rows)))
    return rows[order[n_held:]], rows[order[:n_held]]
