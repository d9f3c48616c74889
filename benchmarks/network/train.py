"""Train the detection network on the windows of ``recipe.py`` and save it as data. Needs Torch.

python -m benchmarks.network.train train.npz valid.npz network.npz --seed 1
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

#: Outputs of the layers before the last one. The first layer sees the whole window, the others what is made of it: on a
#: window, each convolution is a matrix.
SHAPES: dict[str, tuple[int, ...]] = {"small": (48, 24), "wide": (128, 64)}
N_EPOCHS, BATCH, LEARNING_RATE, WEIGHT_DECAY, OFFSET_WEIGHT = 24, 1024, 3e-3, 1e-4, 0.3


class Windows(NamedTuple):
    """Candidates that are a spike or none, and how many each stands for."""

    traces: torch.Tensor
    label: torch.Tensor
    offset: torch.Tensor
    weight: torch.Tensor
    rate_hz: float
    nbefore: int


def make_network(shape: str, field: int) -> nn.Sequential:
    """The layers, for windows of ``field`` samples."""
    layers: list[nn.Module] = []
    inputs = field
    for outputs in SHAPES[shape]:
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
        inputs = outputs
    return nn.Sequential(*layers, nn.Linear(inputs, 2))


def load(path: str) -> Windows:
    """The windows that ``recipe.py`` saved, without those that count neither way."""
    with np.load(path) as stored:
        use = stored["label"] >= 0
        arrays = [torch.from_numpy(stored[name][use]) for name in ("windows", "label", "offset", "weight")]
        return Windows(
            arrays[0], arrays[1].float(), *arrays[2:], float(stored["rate_hz"]), int(stored["nbefore"])
        )  # fmt: skip


def loss_of(out: torch.Tensor, given: Windows, rows: Any, offset_weight: float) -> torch.Tensor:
    """Cross entropy of the label, and the absolute error of the spike's time with a weight of its own."""
    label = given.label[rows]
    detection = nn.functional.binary_cross_entropy_with_logits(out[:, 0], label, weight=given.weight[rows])
    error = nn.functional.smooth_l1_loss(out[:, 1], given.offset[rows], reduction="none", beta=0.2)
    return detection + offset_weight * (error * label).sum() / label.sum().clamp(min=1)


def judge(network: nn.Module, valid: Windows, offset_weight: float) -> dict[str, float]:
    """Loss, and the thresholds: of the largest F1, and where recall exceeds precision by 0.15."""
    label = valid.label
    with torch.no_grad():
        out = torch.cat([network(part.float()) for part in valid.traces.split(65536)])
        loss = float(loss_of(out, valid, slice(None), offset_weight))
    order = torch.argsort(-out[:, 0])
    hits, found = (torch.cumsum(of[order].double(), 0) for of in (label, valid.weight))
    precision, recall = hits / found, hits / label.sum()
    f1 = 2 * precision * recall / (precision + recall).clamp(min=1e-9)
    best, loose = int(f1.argmax()), int(torch.argmax((recall - precision >= 0.15).int()))
    probability = torch.sigmoid(out[order, 0])
    error = (out[:, 1] - valid.offset).abs()[label == 1]
    return {
        "loss": loss, "f1": float(f1[best]), "precision": float(precision[best]), "recall": float(recall[best]),
        "stringent": float(probability[best]), "loose": float(probability[loose]), "timing": float(error.median()),
    }  # fmt: skip


def train(data: Windows, valid: Windows, given: argparse.Namespace) -> tuple[nn.Module, dict[str, float]]:
    """The network of the epoch with the smallest loss on the validation set, or the average of its recent steps."""
    torch.manual_seed(given.seed)
    network = make_network(given.shape, data.traces.shape[1])
    optimizer = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    n_steps = given.epochs * (len(data.label) // given.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=n_steps)
    average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(given.average)) if given.average else None
    judged = network if average is None else average.module
    best: dict[str, Any] = {}
    began = time.monotonic()
    for epoch in range(given.epochs):
        order = torch.randperm(len(data.label))
        for start in range(0, len(order) - given.batch + 1, given.batch):
            rows = order[start : start + given.batch]
            optimizer.zero_grad()
            loss_of(network(data.traces[rows].float()), data, rows, given.offset_weight).backward()
            optimizer.step()
            schedule.step()
            if average is not None:
                average.update_parameters(network)
        result = judge(judged, valid, given.offset_weight)
        print(epoch, round(time.monotonic() - began), {k: round(v, 4) for k, v in result.items()}, flush=True)
        if not best or result["loss"] < best["result"]["loss"]:
            best = {"state": {k: v.clone() for k, v in judged.state_dict().items()}, "result": result}
        if time.monotonic() - began > given.until_s:
            break
    network.load_state_dict(best["state"])
    return network, best["result"]


def save(path: str, network: nn.Module, about: dict[str, Any]) -> None:
    """Weights of the convolutions as arrays of half precision, and a card as JSON."""
    arrays: dict[str, Any] = {}
    for number, layer in enumerate(layer for layer in network.modules() if isinstance(layer, nn.Linear)):
        weight = layer.weight.detach().numpy().astype(np.float16)
        arrays[f"weight_{number}"] = weight[:, None, :] if number == 0 else weight[:, :, None]
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
    parser.add_argument("--batch", type=int, default=BATCH)
    parser.add_argument("--average", type=float, default=0.0, help="share of the average that a step leaves as it was")
    parser.add_argument("--offset-weight", type=float, default=OFFSET_WEIGHT)
    parser.add_argument("--until-s", type=float, default=3600.0)
    parser.add_argument(
        "--thresholds", type=float, nargs=2,
        help="probabilities of a root and of another detection; those of the validation set if not given",
    )  # fmt: skip
    parser.add_argument("--probability", type=float, help="of a detection by itself, from `evaluate --tune`")
    given = parser.parse_args()
    torch.set_num_threads(1)
    data, valid = load(given.train), load(given.valid)
    network, result = train(data, valid, given)
    stringent, loose = given.thresholds or (result["stringent"], result["loose"])
    about = {
        "shape": given.shape,
        "sampling_frequency": data.rate_hz,
        "nbefore": data.nbefore,
        "candidate_threshold": 2.0,
        "stringent_thresh": round(stringent, 3),
        "loose_thresh": round(loose, 3),
        **({} if given.probability is None else {"probability_min": given.probability}),
        "seed": given.seed,
        "n_windows": len(data.label),
        "validation": {name: round(value, 4) for name, value in result.items()},
    }
    save(given.out, network, about)
    print(json.dumps(about, indent=1))


if __name__ == "__main__":
    main()
