"""Trains the networks of this assignment and prints what they reach and what it costs.

    grader reference a4 [arithmetic] [overfit] [by_heart] [captions] [--data NAME|PATH] [-o out/a4]

arithmetic: the Transformer adds and subtracts; its problems are drawn from the seed. The others need pictures with
captions: flickr8k, scenes, or what lies at a path. overfit: 50 captions learnt by heart, as in the course. by_heart:
the captions of many pictures, with features that stay as they are. captions: the three captioners learn from all
pictures and describe those that were held out; PNG files show what they write, and where attention looks. CPU-seconds
are those of this process from the first step of a training to its last.
"""

import importlib.util
from pathlib import Path

import torch
from trials import captioning
from trials.arithmetic import learn_arithmetic

from grader.datasets.captions import CaptionSet
from grader.kit.program import opened, parsed, parser_of, row

# What the course asks of the training loss of each captioner: 50 captions by heart, and its full data, 10,000 pictures.
BARS = {
    "overfit": {"rnn": 0.5, "lstm": 4.0, "attn": 9.0},
    "full": {"rnn": 2.0, "lstm": 1.8, "attn": 0.5},
}
LIBRARIES = {"captions": ("matplotlib", "sacrebleu")}


def main():
    options = arguments()
    torch.set_num_threads(options.threads)
    for name in options.names:
        print(f"\n{name}", flush=True)
        EXPERIMENTS[name](options)


def arguments():
    names, default = tuple(EXPERIMENTS), ("arithmetic",)
    parser = parser_of("a4", __doc__.partition("\n")[0], names, default)
    parser.add_argument("-o", "--out", type=Path, default=Path("out/a4"), help="folder for pictures (default: out/a4)")
    options = parsed(parser, names, default)
    for name in options.names:
        if name != "arithmetic" and options.data is None:
            parser.error(f"{name} needs pictures with captions: give --data NAME|PATH, see: grader data list")
        missing = [library for library in LIBRARIES.get(name, ()) if importlib.util.find_spec(library) is None]
        if missing:
            parser.error(f"{name} needs {' and '.join(missing)}; run: pip install 'scratchgrade[experiments]'")
    if options.data is not None:
        options.data = opened(
            parser, options.data, CaptionSet, "pictures with captions were expected, such as flickr8k"
        )
    return options


# ---- experiments ---------------------------------------------------------------------------------------------------


def arithmetic(options):
    exact, right_words, asked, cpu_seconds = learn_arithmetic(options.seed)
    print(row("", "exact answers", "right words", "questions", "CPU-s"))
    print(row("held out", f"{exact:.2%}", f"{right_words:.2%}", f"{asked:,}", f"{cpu_seconds:.0f}"))


def overfit(options):
    data, _ = captioning.parts(options.data)
    print(row("", "loss", "course", "CPU-s"))
    for cell_type, bar in BARS["overfit"].items():
        loss, cpu_seconds = captioning.overfit(data, cell_type, options.seed)
        print(row(cell_type, f"{loss:.2f}", f"< {bar}", f"{cpu_seconds:.0f}"), flush=True)


def by_heart(options):
    data, _ = captioning.parts(options.data)
    print(row("", "pictures", "loss", "course", "CPU-s"))
    for cell_type, bar in BARS["full"].items():
        n, loss, cpu_seconds = captioning.by_heart(data, cell_type, options.seed)
        print(row(cell_type, f"{n:,}", f"{loss:.2f}", f"< {bar}", f"{cpu_seconds:.0f}"), flush=True)


def captions(options):
    from trials import show

    data, held_out = captioning.parts(options.data)
    seen, seen_held_out, cpu_seconds = show.see(data, held_out, options.seed)
    print(row("", "loss", "held out", "course", "BLEU-4", "misplaced", "CPU-s"))
    print(row("encoder", "", "", "", "", "", f"{cpu_seconds:.0f}"), flush=True)
    described = {}
    for cell_type, bar in BARS["full"].items():
        found = show.describe(data, seen, held_out, seen_held_out, cell_type, options.seed)
        losses = f"{found.loss:.2f}", f"{found.held_out_loss:.2f}", f"< {bar}"
        scores = f"{found.bleu:.1f}", f"{found.bleu_misplaced:.1f}", f"{found.cpu_seconds:.0f}"
        print(row(cell_type, *losses, *scores), flush=True)
        described[cell_type] = found
    print("misplaced: BLEU-4 of the same captions, each under the next picture")
    for path in show.draw(options.out, held_out, described):
        print(path)


EXPERIMENTS = {"arithmetic": arithmetic, "overfit": overfit, "by_heart": by_heart, "captions": captions}

if __name__ == "__main__":
    main()
