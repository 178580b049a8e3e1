"""Trains the network on the chats of the cache.

Only the assistant's tokens count in the loss, and those of short answers count more. Muon trains the
matrices, AdamW the embedding and the norms. The learning rate follows straight lines between points.
A file named `stop` in the cache makes the rate fall to zero from its present value, so that a run can
end early with a good result.
"""

import ctypes
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from queue import Empty, SimpleQueue

import torch
import torch.nn.functional as F

import corpus
from model import Crumb, Shape


Points = tuple[tuple[int, float], ...]
STOP_SHARE = 0.4
"""Steps in which the full learning rate falls to zero after `stop`, as a share of the steps done before."""


@dataclass(frozen=True)
class Plan:
    """How to train. The plan counts steps, not time, so that the same seed gives the same run."""

    points: Points = ((0, 0.0), (60, 1.0), (3700, 1.0), (8200, 0.0))
    """(step, factor on the learning rates), joined by straight lines. Training ends at the last point."""
    batches: int = 4
    """Batches per step. The threads take them from one queue."""
    batch_tokens: int = 1024
    matrix_rate: float = 0.02
    embedding_rate: float = 0.02
    norm_rate: float = 3e-3
    weight_decay: float = 0.01
    checkpoint_every: int = 150
    seed: int = 7
    threads: int = 2


def keep_memory() -> None:
    """Makes glibc keep freed memory. Returning it to the system costs a page fault for nearly every tensor of
    every step, which took more time than the arithmetic."""
    if sys.platform == "linux":
        m_trim_threshold, m_mmap_max, m_arena_max = -1, -4, -8
        libc = ctypes.CDLL(None)
        libc.mallopt(m_arena_max, 1)
        libc.mallopt(m_mmap_max, 0)
        libc.mallopt(m_trim_threshold, 2**31 - 1)


def rate(step: int, points: Points) -> float:
    """The factor on the learning rates at a step."""
    for (left, low), (right, high) in pairwise(points):
        if left <= step < right:
            return low + (high - low) * (step + 1 - left) / (right - left)
    return 0.0


def stopped(step: int, points: Points) -> Points:
    """The points of a stopped run: the rate falls to zero over a time in proportion to the steps done."""
    now = rate(step, points)
    return ((step, now), (step + max(1, int(STOP_SHARE * now * step)), 0.0))


def optimizers(model: Crumb, plan: Plan) -> list[torch.optim.Optimizer]:
    matrices, norms = [], []
    for name, parameter in model.named_parameters():
        if not name.startswith("embedding"):
            (matrices if parameter.dim() == 2 else norms).append(parameter)
    others = [{"params": [model.embedding.weight], "lr": plan.embedding_rate}, {"params": norms, "lr": plan.norm_rate}]
    return [
        torch.optim.Muon(matrices, lr=plan.matrix_rate, momentum=0.95, weight_decay=plan.weight_decay),
        torch.optim.AdamW(others, betas=(0.9, 0.95), weight_decay=0.0),
    ]


Batch = tuple[torch.Tensor, torch.Tensor]
"""Token ids and their weights in the loss, each [rows, length]."""


class Workers:
    """Computes the gradients of a step in several threads. Each thread takes one batch after the other.

    Each thread has its own copy of the network, with shared weights and separate gradients. When another
    program takes the core of a thread, only one batch is late. If the threads split a matrix product, the
    whole step would be late.
    """

    def __init__(self, model: Crumb, threads: int) -> None:
        torch.set_num_threads(1)
        self._model = model
        self._copies = [Crumb(model.shape) for _ in range(threads)]
        for copy in self._copies:
            for mine, theirs in zip(copy.parameters(), model.parameters()):
                mine.data = theirs.data
        self._pool = ThreadPoolExecutor(threads)

    def gradients(self, batches: list[Batch]) -> float:
        """Sets the model's gradients. Returns the weighted mean of the negative log-likelihoods, in nats."""
        waiting: SimpleQueue[Batch] = SimpleQueue()
        for batch in batches:
            waiting.put(batch)
        learned = float(sum(int(weights[:, 1:].sum()) for _, weights in batches))
        total = sum(self._pool.map(lambda copy: self._work(copy, waiting, learned), self._copies))
        for parameter, *parts in zip(self._model.parameters(), *(copy.parameters() for copy in self._copies)):
            grads = [part.grad for part in parts if part.grad is not None]
            parameter.grad = torch.stack(grads).sum(0) if len(grads) > 1 else grads[0]
            for part in parts:
                part.grad = None
        return total

    @staticmethod
    def _work(copy: Crumb, waiting: "SimpleQueue[Batch]", learned: float) -> float:
        torch.set_num_threads(1)
        total = 0.0
        while True:
            try:
                rows, weights = waiting.get_nowait()
            except Empty:
                return total
            loss = loss_of(copy, rows, weights) / learned
            loss.backward()
            total += loss.item()


def loss_of(model: Crumb, rows: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """The weighted sum of the negative log-likelihoods, in nats. Computes logits only for tokens with a weight."""
    weights = weights[:, 1:]
    learn = weights > 0
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = model.logits(model(rows[:, :-1])[learn])
    losses = F.cross_entropy(logits.float(), rows[:, 1:][learn], reduction="none")
    return (losses * weights[learn]).sum()


def train(cache: Path, shape: Shape, plan: Plan, resume: bool = False) -> Path:
    """Trains, and returns the path of the weights."""
    keep_memory()
    torch.manual_seed(plan.seed)
    source = corpus.batches(cache, shape.context, plan.batch_tokens, plan.seed)
    model = Crumb(shape)
    workers = Workers(model, plan.threads)
    used = optimizers(model, plan)
    base = [group["lr"] for optimizer in used for group in optimizer.param_groups]
    path, stop = cache / "weights.pt", cache / "stop"
    stop.unlink(missing_ok=True)
    first, points = 0, plan.points
    if resume:
        saved = torch.load(cache / "checkpoint.pt", weights_only=True)
        model.load_state_dict(saved["model"])
        for optimizer, state in zip(used, saved["optimizers"]):
            optimizer.load_state_dict(state)
        first = saved["step"]
        for _ in range(first * plan.batches):
            next(source)
    print(f"training: {sum(p.numel() for p in model.parameters())} parameters, {points[-1][0] - first} steps of {plan.batches * plan.batch_tokens} tokens", flush=True)
    started, shown, smooth, seen, total = time.monotonic(), time.monotonic(), None, 0, 0
    step = first
    while step < points[-1][0]:
        if stop.exists():
            stop.unlink()
            points = stopped(step, points)
            print(f"stopping: the rate falls until step {points[-1][0]}", flush=True)
        factor = rate(step, points)
        for group, lr in zip((group for optimizer in used for group in optimizer.param_groups), base):
            group["lr"] = lr * factor
        batches = [next(source) for _ in range(plan.batches)]
        seen += sum(rows.size for rows, _ in batches)
        loss = workers.gradients([(torch.from_numpy(rows), torch.from_numpy(weights)) for rows, weights in batches])
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in used:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        smooth = loss if smooth is None else 0.9 * smooth + 0.1 * loss
        step += 1
        if step % 25 == 0:
            now = time.monotonic()
            print(f"step {step}/{points[-1][0]} loss {smooth:.4f} rate {factor:.2f} {seen / (now - shown):.0f} tok/s {(now - started) / 60:.1f} min", flush=True)
            total += seen
            shown, seen = now, 0
        if step % plan.checkpoint_every == 0 or step == points[-1][0]:
            torch.save(model.state_dict(), path)
            torch.save({"model": model.state_dict(), "optimizers": [o.state_dict() for o in used], "step": step}, cache / "checkpoint.pt")
    print(f"trained on {(total + seen) / 1e6:.1f} M tokens in {(time.monotonic() - started) / 60:.0f} min by the clock", flush=True)
    return path
