"""Train the detection network on the windows of ``recipe.py`` and save it as data. Needs Torch.

python -m benchmarks.network.train train.npz valid.npz network.npz --seed 1
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import numpy as np
import torch
from torch import nn

#: Convolutions as (outputs, taps; None: the whole window) before the last one.
SHAPES: dict[str, tuple[tuple[int, int | None], ...]] = {"small": ((48, None), (24, 1))}
N_EPOCHS, BATCH, LEARNING_RATE, WEIGHT_DECAY, OFFSET_WEIGHT = 24, 1024, 3e-3, 1e-4, 0.3


def make_network(shape: str, field: int) -> nn.Sequential:
    """The stack of convolutions, whose receptive field is a whole window."""
    layers: list[nn.Module] = []
    inputs = 1
    for outputs, taps in SHAPES[shape]:
        layers += [nn.Conv1d(inputs, outputs, field if taps is None else taps), nn.ReLU()]
        inputs = outputs
    return nn.Sequential(*layers, nn.Conv1d(inputs, 2, 1))


def load(path: str) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, dict[str, Any]]:
    """Windows, labels and offsets of the candidates that are a spike or none."""
    with np.load(path) as stored:
        use = stored["label"] >= 0
        windows = torch.from_numpy(stored["windows"][use])
        label, offset = stored["label"][use].astype(np.float32), stored["offset"][use]
        about = {"rate_hz": float(stored["rate_hz"]), "reach": int(stored["reach"])}
    return windows, torch.from_numpy(label), torch.from_numpy(offset), about


def outputs_of(network: nn.Module, windows: torch.Tensor) -> torch.Tensor:
    out: torch.Tensor = network(windows[:, None].float())[:, :, 0]
    return out


def loss_of(out: torch.Tensor, label: torch.Tensor, offset: torch.Tensor, weight: float) -> torch.Tensor:
    """Cross entropy of the label, and the absolute error of the spike's time with a weight of its own."""
    detection = nn.functional.binary_cross_entropy_with_logits(out[:, 0], label)
    error = nn.functional.smooth_l1_loss(out[:, 1], offset, reduction="none", beta=0.2)
    return detection + weight * (error * label).sum() / label.sum().clamp(min=1)


def judge(
    network: nn.Module, windows: torch.Tensor, label: torch.Tensor, offset: torch.Tensor, weight: float
) -> dict[str, float]:
    """Loss, and the thresholds: of the largest F1, and where recall exceeds precision by 0.15."""
    with torch.no_grad():
        out = torch.cat([outputs_of(network, part) for part in windows.split(65536)])
        loss = float(loss_of(out, label, offset, weight))
    order = torch.argsort(-out[:, 0])
    hits = torch.cumsum(label[order], 0)
    found = torch.arange(1, len(order) + 1)
    precision, recall = hits / found, hits / label.sum()
    f1 = 2 * precision * recall / (precision + recall).clamp(min=1e-9)
    best, loose = int(f1.argmax()), int(torch.argmax((recall - precision >= 0.15).int()))
    probability = torch.sigmoid(out[order, 0])
    error = (out[:, 1] - offset).abs()[label == 1]
    return {
        "loss": loss, "f1": float(f1[best]), "precision": float(precision[best]), "recall": float(recall[best]),
        "stringent": float(probability[best]), "loose": float(probability[loose]), "timing": float(error.median()),
    }  # fmt: skip


def train(
    shape: str,
    data: tuple[Any, ...],
    valid: tuple[Any, ...],
    *,
    seed: int,
    n_epochs: int,
    until_s: float,
    offset_weight: float,
) -> tuple[nn.Module, dict[str, float]]:
    """The network of the epoch with the smallest loss on the validation set."""
    torch.manual_seed(seed)
    windows, label, offset, about = data
    network = make_network(shape, 2 * about["reach"] + 1)
    optimizer = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    n_steps = n_epochs * (len(label) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=n_steps)
    best: dict[str, Any] = {}
    began = time.monotonic()
    for epoch in range(n_epochs):
        order = torch.randperm(len(label))
        for start in range(0, len(order) - BATCH + 1, BATCH):
            rows = order[start : start + BATCH]
            optimizer.zero_grad()
            loss_of(outputs_of(network, windows[rows]), label[rows], offset[rows], offset_weight).backward()
            optimizer.step()
            schedule.step()
        result = judge(network, *valid[:3], offset_weight)
        print(epoch, round(time.monotonic() - began), {k: round(v, 4) for k, v in result.items()}, flush=True)
        if not best or result["loss"] < best["result"]["loss"]:
            best = {"state": {k: v.clone() for k, v in network.state_dict().items()}, "result": result}
        if time.monotonic() - began > until_s:
            break
    network.load_state_dict(best["state"])
    return network, best["result"]


def save(path: str, network: nn.Module, about: dict[str, Any]) -> None:
    """Weights as arrays of half precision, and a card as JSON."""
    convolutions = [layer for layer in network.modules() if isinstance(layer, nn.Conv1d)]
    arrays: dict[str, Any] = {}
    for number, layer in enumerate(convolutions):
        arrays[f"weight_{number}"] = layer.weight.detach().numpy().astype(np.float16)
        arrays[f"bias_{number}"] = layer.bias.detach().numpy().astype(np.float32)
    np.savez_compressed(path, card=np.array(json.dumps(about)), **arrays)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("train")
    parser.add_argument("valid")
    parser.add_argument("out")
    parser.add_argument("--shape", default="small", choices=SHAPES)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=N_EPOCHS)
    parser.add_argument("--offset-weight", type=float, default=OFFSET_WEIGHT)
    parser.add_argument("--until-s", type=float, default=3600.0)
    given = parser.parse_args()
    torch.set_num_threads(1)
    data, valid = load(given.train), load(given.valid)
    network, result = train(
        given.shape,
        data,
        valid,
        seed=given.seed,
        n_epochs=given.epochs,
        until_s=given.until_s,
        offset_weight=given.offset_weight,
    )
    about = {
        "shape": given.shape,
        "sampling_frequency": data[3]["rate_hz"],
        "nbefore": data[3]["reach"],
        "candidate_threshold": 2.0,
        "stringent_thresh": round(result["stringent"], 3),
        "loose_thresh": round(result["loose"], 3),
        "seed": given.seed,
        "n_windows": len(data[1]),
        "validation": {name: round(value, 4) for name, value in result.items()},
    }
    save(given.out, network, about)
    print(json.dumps(about, indent=1))


if __name__ == "__main__":
    main()
