"""Runs the recipe: tokenizer, text, training, GGUF files, evaluation questions, evaluation.

    python scripts/crumb/make.py            all stages, about an hour on two idle cores
    python scripts/crumb/make.py export     only the GGUF files, from the newest weights in the cache
"""

import argparse
import json
import subprocess
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Callable

import corpus
import export
import train
from model import Shape
from text import questions

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
MODELS = ROOT / "node" / "models"
STAGES = ["tokenizer", "text", "train", "export", "questions", "evaluate"]
SEED = 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stages", nargs="*", help=f"stages to run, of {STAGES}; default: all")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "crumb-cache", help="folder for text and checkpoints")
    parser.add_argument("--models", type=Path, default=MODELS, help="folder for the GGUF files")
    parser.add_argument("--points", help="for experiments: other (step:factor) points of the learning rate, e.g. 0:0,60:1,400:1,600:0")
    parser.add_argument("--shape", default="", help="for a model of another size, which Potluck does not ship: dimensions of `Shape`, e.g. layers=8,width=128")
    parser.add_argument("--tokens", type=float, default=33e6, help="size of the training text; with fewer tokens than the steps use, parts are repeated")
    parser.add_argument("--seed", type=int, default=SEED, help="seed of the training text")
    parser.add_argument("--resume", action="store_true", help="continue from the newest checkpoint")
    arguments = parser.parse_args()
    unknown = set(arguments.stages) - set(STAGES)
    if unknown:
        parser.error(f"no such stage: {', '.join(sorted(unknown))}")
    dimensions = (dimension.split("=") for dimension in arguments.shape.split(",") if dimension)
    shape = Shape(**{name: int(size) for name, size in dimensions})
    if shape != Shape() and arguments.models == MODELS:
        parser.error("--shape needs --models: a folder outside the repository for the GGUF files")
    stages, cache = arguments.stages or STAGES, arguments.cache
    plan = train.Plan()
    if arguments.points:
        points = (point.split(":") for point in arguments.points.split(","))
        plan = replace(plan, points=tuple((int(step), float(factor)) for step, factor in points))
    cache.mkdir(parents=True, exist_ok=True)
    for stage in STAGES:
        if stage not in stages:
            continue
        started = time.monotonic()
        if stage == "tokenizer":
            corpus.train_tokenizer(cache / "tokenizer.json", shape.vocabulary, SEED)
        elif stage == "text":
            corpus.write(cache, int(arguments.tokens), arguments.seed, processes=2)
        elif stage == "train":
            train.train(cache, shape, plan, arguments.resume)
        elif stage == "export":
            arguments.models.mkdir(parents=True, exist_ok=True)
            export.export(cache, cache / "weights.pt", shape, arguments.models)
        elif stage == "evaluate":
            # The repository's Node package runs TypeScript without a build.
            node = ROOT / "node_modules" / ".bin" / "node"
            subprocess.run([node, HERE / "evaluate.ts"], check=True)
        else:
            write_questions(HERE / "evaluation.json", corpus.finder(cache))
        print(f"{stage}: {time.monotonic() - started:.0f} s", flush=True)


def write_questions(path: Path, occurs: Callable[[str], bool]) -> None:
    """Writes one question per line, so that a change shows in a diff."""
    lines = ",\n".join(json.dumps(item, ensure_ascii=False) for item in questions.build(occurs))
    rest = {"candidates": questions.candidates(), "storyPrompts": questions.story_prompts()}
    path.write_text(f'{{"questions": [\n{lines}\n],\n{json.dumps(rest, ensure_ascii=False)[1:]}\n')


if __name__ == "__main__":
    main()
