"""Trains the network on the rows of the cache.

Loss on the assistant's tokens alone. Muon for the matrices, AdamW for the embedding and the norms.
The rate warms up, stays, and falls linearly over the last part of the steps; a file named `stop`
in the cache starts that fall at once, so that a run can be ended early and still be good.
"""

import ctypes
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue

import numpy
import torch
import torch.nn.functional as F

from model import Crumb, Shape


@dataclass(frozen=True)
class Plan:
    """How to train. Steps decide, not the clock, so that the same seed gives the same run."""

    steps: int
    rows: int = 8
    """Rows of one context in a step."""
    warm_up: int = 60
    fall: float = 0.3
    """Share of the steps in which the rate falls to zero."""
    matrix_rate: float = 0.02
    other_rate: float = 3e-3
    weight_decay: float = 0.01
    checkpoint_every: int = 150
    seed: int = 7
    threads: int = 2


def keep_memory() -> None:
    """Tells glibc to keep freed memory: handing it back costs a page fault for nearly every tensor of every step,
    which took more time than the arithmetic."""
    if sys.platform == "linux":
        m_trim_threshold, m_mmap_max, m_arena_max = -1, -4, -8
        libc = ctypes.CDLL(None)
        libc.mallopt(m_arena_max, 1)
        libc.mallopt(m_mmap_max, 0)
        libc.mallopt(m_trim_threshold, 2**31 - 1)


def rate(step: int, end: int, plan: Plan, fall_steps: int) -> float:
    """Factor on both learning rates."""
    return max(0.0, min(1.0, (step + 1) / plan.warm_up, (end - step) / fall_steps))


def optimizers(model: Crumb, plan: Plan) -> list[torch.optim.Optimizer]:
    matrices = [p for name, p in model.named_parameters() if p.dim() == 2 and not name.startswith("embedding")]
    others = [p for name, p in model.named_parameters() if p.dim() != 2 or name.startswith("embedding")]
    return [
        torch.optim.Muon(matrices, lr=plan.matrix_rate, momentum=0.95, weight_decay=plan.weight_decay),
        torch.optim.AdamW(others, lr=plan.other_rate, betas=(0.9, 0.95), weight_decay=0.0),
    ]


class Workers:
    """Gradients of a step by several threads, each of which takes one row after the other.

    Every thread computes alone on its copy of the network (the weights are shared, the gradients are
    not), so that a thread which another program has pushed off its core holds up one row, not the
    whole step as it would in a matrix product cut in two.
    """

    def __init__(self, model: Crumb, threads: int) -> None:
        torch.set_num_threads(1)
        self._model = model
        self._copies = [Crumb(model.shape) for _ in range(threads)]
        for copy in self._copies:
            for mine, theirs in zip(copy.parameters(), model.parameters()):
                mine.data = theirs.data
        self._pool = ThreadPoolExecutor(threads)

    def gradients(self, rows: torch.Tensor, mask: torch.Tensor) -> float:
        """Sets the model's gradients; returns the mean negative log-likelihood (nats) of the tokens to learn."""
        waiting: SimpleQueue[int] = SimpleQueue()
        for index in range(len(rows)):
            waiting.put(index)
        learned = int(mask[:, 1:].sum())
        total = sum(self._pool.map(lambda copy: self._work(copy, waiting, rows, mask, learned), self._copies))
        for parameter, *parts in zip(self._model.parameters(), *(copy.parameters() for copy in self._copies)):
            grads = [part.grad for part in parts if part.grad is not None]
            parameter.grad = torch.stack(grads).sum(0) if len(grads) > 1 else grads[0]
            for part in parts:
                part.grad = None
        return total

    @staticmethod
    def _work(copy: Crumb, waiting: "SimpleQueue[int]", rows: torch.Tensor, mask: torch.Tensor, learned: int) -> float:
        torch.set_num_threads(1)
        total = 0.0
        while True:
            try:
                index = waiting.get_nowait()
            except Empty:
                return total
            loss = loss_of(copy, rows[index : index + 1], mask[index : index + 1]) / learned
            loss.backward()
            total += loss.item()


def loss_of(model: Crumb, rows: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Summed negative log-likelihood (nats) of the tokens to learn; the vocabulary's layer runs on those alone."""
    learn = mask[:, 1:].bool()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = model.logits(model(rows[:, :-1])[learn])
    return F.cross_entropy(logits.float(), rows[:, 1:][learn], reduction="sum")


def train(cache: Path, shape: Shape, plan: Plan, resume: bool = False) -> Path:
    """Trains and returns the path of the weights."""
    keep_memory()
    torch.manual_seed(plan.seed)
    tokens, masks = numpy.load(cache / "tokens.npy", mmap_mode="r"), numpy.load(cache / "mask.npy", mmap_mode="r")
    order = numpy.random.default_rng(plan.seed).permutation(len(tokens))
    model = Crumb(shape)
    workers = Workers(model, plan.threads)
    used = optimizers(model, plan)
    base = [group["lr"] for optimizer in used for group in optimizer.param_groups]
    path, stop = cache / "weights.pt", cache / "stop"
    stop.unlink(missing_ok=True)
    first, end, fall_steps = 0, plan.steps, max(1, int(plan.steps * plan.fall))
    if resume:
        saved = torch.load(cache / "checkpoint.pt", weights_only=True)
        model.load_state_dict(saved["model"])
        for optimizer, state in zip(used, saved["optimizers"]):
            optimizer.load_state_dict(state)
        first = saved["step"]
    print(f"training: {sum(p.numel() for p in model.parameters())} parameters, {end - first} steps of {plan.rows * shape.context} tokens, {len(tokens)} rows of text", flush=True)
    started, shown, smooth = time.monotonic(), time.monotonic(), None
    step = first
    while step < end:
        if stop.exists():
            stop.unlink()
            fall_steps = min(fall_steps, end - step)
            end = min(end, step + fall_steps)
            print(f"stopping: the rate falls until step {end}", flush=True)
        factor = rate(step, end, plan, fall_steps)
        for group, lr in zip((group for optimizer in used for group in optimizer.param_groups), base):
            group["lr"] = lr * factor
        index = numpy.sort(order[(step * plan.rows + numpy.arange(plan.rows)) % len(order)])
        loss = workers.gradients(torch.from_numpy(tokens[index].astype(numpy.int64)), torch.from_numpy(masks[index]))
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in used:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        smooth = loss if smooth is None else 0.9 * smooth + 0.1 * loss
        step += 1
        if step % 25 == 0:
            now = time.monotonic()
            print(f"step {step}/{end} loss {smooth:.4f} rate {factor:.2f} {25 * plan.rows * shape.context / (now - shown):.0f} tok/s {(now - started) / 60:.1f} min", flush=True)
            shown = now
        if step % plan.checkpoint_every == 0 or step == end:
            torch.save(model.state_dict(), path)
            torch.save({"model": model.state_dict(), "optimizers": [o.state_dict() for o in used], "step": step}, cache / "checkpoint.pt")
    return path
