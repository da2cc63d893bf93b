"""All three captioners learn to describe pictures, are measured on held-out ones, and shown at work."""

from dataclasses import dataclass

import torch

from . import captioning
from .pictures import attention_word_by_word, captions_under_images

NAMES = {"rnn": "RNN", "lstm": "LSTM", "attn": "attention"}
SHOWN, LOOKED_AT = 8, 3  # pictures with captions, and with attention


@dataclass(frozen=True)
class Described:
    """What a captioner reached.

    loss, held_out_loss: the mean loss of a caption of training pictures and of held-out ones. bleu: BLEU-4 of what it
    wrote about the held-out pictures; bleu_misplaced: the same with each caption under the next picture, which shows
    what can be had without looking. captions, weights: what it wrote (N, T), and the attention (N, T, 4, 4), or None.
    """

    loss: float
    held_out_loss: float
    bleu: float
    bleu_misplaced: float
    captions: torch.Tensor
    weights: torch.Tensor | None
    cpu_seconds: float


def see(data, held_out, seed, sides=captioning.SIDES):
    """The features of both parts as a trained encoder gives them. -> seen, seen_held_out, CPU-seconds."""
    encoder, cpu_seconds = captioning.learn_to_see(data, seed, sides)
    raw = (captioning.features(encoder, part.images) for part in (data, held_out))
    return *captioning.standardised(*raw), cpu_seconds


def describe(data, seen, held_out, seen_held_out, cell_type, seed, epochs=5, watch=lambda epochs, loss: None):
    """Trains one captioner; watch: see training.train. -> Described"""
    network, cpu_seconds = captioning.learn_to_describe(data, seen, cell_type, seed, epochs, watch=watch)
    N = len(seen_held_out)  # as many training pictures suffice for their loss
    captions, weights = captioning.sampled(network, seen_held_out)
    return Described(
        loss=captioning.mean_loss(network, seen[:N], data.captions[:N]),
        held_out_loss=captioning.mean_loss(network, seen_held_out, held_out.captions),
        bleu=captioning.bleu(captions, held_out),
        bleu_misplaced=captioning.bleu(captions.roll(1, dims=0), held_out),
        captions=captions,
        weights=weights,
        cpu_seconds=cpu_seconds,
    )


def draw(folder, held_out, described):
    """Writes captions.png and attention.png. described: {cell_type: Described}. -> their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = folder / "captions.png", folder / "attention.png"
    chosen = torch.linspace(0, len(held_out.images) - 1, SHOWN).long()
    told = {
        NAMES[cell]: captioning.sentences(each.captions[chosen], held_out.words) for cell, each in described.items()
    }
    told["a person"] = captioning.sentences(held_out.captions[chosen, 0], held_out.words)
    captions_under_images(paths[0], held_out.images[chosen], told)
    few = chosen[:LOOKED_AT]
    attentive = described["attn"]
    attention_word_by_word(paths[1], held_out.images[few], attentive.weights[few], told[NAMES["attn"]][:LOOKED_AT])
    return paths
