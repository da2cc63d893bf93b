"""A CaptioningRNN of the submission on trial: its image encoder is replaced, and its weights are the check's."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
import torch

from grader.contract.verdict import CheckFailed, SubmissionProblem

from .. import formulas
from ..weights import Roles
from .starts import CELLS, Start, averaged, start_of

MODULE = "rnn_lstm_captioning"
CHANNELS, CHANNELS_OF_2020 = 400, 1280
Weights = dict[str, torch.Tensor]


@pytest.fixture
def captioner(kit):
    """`captioner("lstm", ...)`: a CaptioningRNN of the submission, see Captioner."""
    return partial(Captioner, kit)


class Encoder:
    """Stands for the ImageEncoder: images (N, 3, H, W) -> features (N, channels, 4, 4), cheap, and right to the bit."""

    def __init__(self, kit: Any, channels: int) -> None:
        self.kit, self.out_channels, self.is_part = kit, channels, False
        self.mix = kit.draw.normal(channels, 3, dtype=torch.float32, scale=3.0)
        self.shift = kit.draw.normal(channels, 1, 1, dtype=torch.float32)

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        coarse = torch.nn.functional.adaptive_avg_pool2d(images.float(), 4) - 0.5
        return torch.tanh(torch.einsum("dc,nchw->ndhw", self.mix, coarse) + self.shift)

    def lent(self, *_: Any, **__: Any) -> Any:
        """What the player gets in its place: a module of its own, which asks for the features here."""
        self.is_part = True
        return self.kit.student.captioning_helpers.GivenFeatures(self, self.out_channels)

    def lent_extractor(self, pooling: Any = False, *_: Any, **__: Any) -> Any:
        """The same for files of 2020, whose extractor pools the features if it is told to."""
        self.is_part = True
        return self.kit.student.captioning_helpers.GivenExtractor(self, self.out_channels, bool(pooling))


class Captioner:
    """A CaptioningRNN of the submission, whose image encoder is replaced and whose weights the check drew.

    Args:
        kit: the fixtures.
        cell_type: rnn, lstm or attn.
        D, W, H: channels of the image features (0: as the course's encoder gives them), sizes of word vectors and
            state.
        words: the vocabulary in its order.
        ignore_index: the word that costs nothing.
    """

    def __init__(
        self,
        kit: Any,
        cell_type: str,
        D: int = 0,
        W: int = 5,
        H: int = 7,
        words: Any = None,
        ignore_index: Any = None,
    ) -> None:
        self.kit, self.cell_type, self.ignore_index = kit, cell_type, ignore_index
        self.words = words or ["<NULL>", "<START>", "<END>", "<UNK>", *(f"word{i}" for i in range(9))]
        self.W, self.H, self.V = W, H, len(self.words)
        self.is_of_2020 = not kit.has("ImageEncoder")
        self.D = D or (CHANNELS_OF_2020 if self.is_of_2020 else CHANNELS)
        self.encoder = Encoder(kit, self.D)
        if not self.is_of_2020:
            kit.student.replace(f"{MODULE}.ImageEncoder", self.encoder.lent)
        elif kit.has("FeatureExtractor"):
            kit.student.replace(f"{MODULE}.FeatureExtractor", self.encoder.lent_extractor)
        self.net = self._make()
        # In 2020 a network that makes no extractor for itself is given what one made of the images.
        self.takes_features = self.is_of_2020 and not self.encoder.is_part
        self.start = self._start_of_own()
        self.way = self.start.ways[0]
        self.roles = self._roles()
        self.weights = self._draw()
        self.reset()

    def _make(self) -> Any:
        sizes = {"input_dim": self.D, "wordvec_dim": self.W, "hidden_dim": self.H, "ignore_index": self.ignore_index}
        word_to_idx = {word: i for i, word in enumerate(self.words)}
        make = partial(self.kit.module.CaptioningRNN, word_to_idx, **sizes)
        names = [self.cell_type, *(["attention"] if self.cell_type == "attn" else [])]
        if self.is_of_2020:
            names.reverse()
        try:
            return make(cell_type=names[0])
        except SubmissionProblem as failure:
            for name in names[1:]:
                with suppress(SubmissionProblem):
                    return make(cell_type=name)
            raise failure from None

    def _start_of_own(self) -> Start:
        state = self.net.state_dict()
        has_grid = self.cell_type != "attn" and type(state) is dict
        shapes = [tuple(value.shape) for value in state.values() if torch.is_tensor(value)] if has_grid else []
        return start_of(shapes, self.D, self.H)

    def _roles(self) -> Any:
        W, H, V = self.W, self.H, self.V
        G = H if self.cell_type == "rnn" else 4 * H
        matrices = {"W_embed": (V, W), **self.start.matrices, "score": (H, V), "Wx": (W, G), "Wh": (H, G)}
        if self.cell_type == "attn":
            matrices["Wattn"] = (H, G)
        return Roles(self.net.state_dict(), matrices, {**self.start.biases, "bs": "score", "b": "Wx"})

    def _draw(self) -> Weights:
        W, H, V = self.W, self.H, self.V
        G, normal = H if self.cell_type == "rnn" else 4 * H, partial(self.kit.draw.normal, dtype=torch.float32)
        rows, _ = self.start.matrices["project"]
        drawn = {
            "W_embed": normal(V, W),
            "project": normal(rows, H, scale=2 * rows**-0.5),
            "score": normal(H, V, scale=2.5),
            "Wx": normal(W, G, scale=1.5 * W**-0.5),
            "Wh": normal(H, G, scale=1.5 * H**-0.5),
            "Wattn": normal(H, G, scale=1.5 * H**-0.5),
            **{"bp": normal(H, scale=0.3), "bs": normal(V, scale=0.5), "b": normal(G, scale=0.5)},
        }
        if "<END>" in self.words:
            drawn["bs"][self.words.index("<END>")] -= 3.0  # captions are longer than a word or two
        if "pool" in self.start.matrices:
            drawn |= {"pool": normal(CELLS, 1, scale=CELLS**-0.5), "bpool": normal(1, scale=0.3)}
        absent = {"bp", "bs", "b", "bpool"} - set(self.roles.keys)
        return {role: torch.zeros_like(value) if role in absent else value for role, value in drawn.items()}

    # ---- problems --------------------------------------------------------------------------------------------------

    def images(self, N: int) -> torch.Tensor:
        """Images, or features where the submission takes these."""
        coarse = self.kit.draw.uniform(N, 3, 4, 4, dtype=torch.float32)
        images = torch.nn.functional.interpolate(coarse, size=(112, 112))
        if not self.takes_features:
            return images
        features = self.encoder(images)
        return features if self.cell_type == "attn" else features.mean((2, 3))

    def captions(self, N: int, T: int) -> torch.Tensor:
        """`<START>`, words, `<END>` and padding, as long as these exist; each caption of a length of its own."""
        special = [self.words.index(word) for word in ("<START>", "<END>", "<NULL>") if word in self.words]
        captions = self.kit.draw.integers(0, self.V, N, T)
        if len(special) < 3:
            return captions
        captions = self.kit.draw.integers(3, self.V, N, T)
        captions[:, 0] = special[0]
        for n, row in enumerate(captions):
            length = max(3, T - n)
            row[length - 1] = special[1]
            row[length:] = special[2]
        return captions

    # ---- what is right ---------------------------------------------------------------------------------------------

    def _start(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The grid A, where attention looks at one, and the first state, in float64."""
        w = {role: value.double() for role, value in self.weights.items()}
        features = (images if self.takes_features else self.encoder(images)).double()
        if self.cell_type != "attn":
            return features, self.way(features, w)
        A = torch.einsum("ncpq,ch->nhpq", features, w["project"]) + w["bp"].view(1, -1, 1, 1)
        return A, A.mean((2, 3))

    def right_loss(self, images: torch.Tensor, captions: torch.Tensor) -> torch.Tensor:
        w = {role: value.double() for role, value in self.weights.items()}
        A, h0 = self._start(images)
        x = w["W_embed"][captions[:, :-1]]
        if self.cell_type == "attn":
            h = formulas.attention_lstm(x, A, w["Wx"], w["Wh"], w["Wattn"], w["b"])
        else:
            h = getattr(formulas, self.cell_type)(x, h0, w["Wx"], w["Wh"], w["b"])
        return formulas.temporal_loss(h @ w["score"] + w["bs"], captions[:, 1:], self.ignore_index)

    def right_sample(
        self, images: torch.Tensor, length: int, forgets: str = ""
    ) -> tuple[torch.Tensor, torch.Tensor, float]:
        """The words, the attention weights, and by how much the best word was ahead of the second, at least.

        With `forgets`, a mistake is made: word, h or c is what it was at first in every step.
        """
        w = {role: value.double() for role, value in self.weights.items()}
        A, h = self._start(images)
        c = h if self.cell_type == "attn" else torch.zeros_like(h)
        word = torch.full((len(h),), self.words.index("<START>"))
        first = {"word": word, "h": h, "c": c}
        words, looks, margin = [], [], math.inf
        for _ in range(length):
            word, h, c = (first[name] if name == forgets else now for name, now in (("word", word), ("h", h), ("c", c)))
            x = w["W_embed"][word]
            if self.cell_type == "rnn":
                h = formulas.rnn_step(x, h, w["Wx"], w["Wh"], w["b"])
            elif self.cell_type == "lstm":
                h, c = formulas.lstm_step(x, h, c, w["Wx"], w["Wh"], w["b"])
            else:
                attn, look = formulas.attention(h, A)
                h, c = formulas.attention_step(x, h, c, attn, w["Wx"], w["Wh"], w["Wattn"], w["b"])
                looks.append(look)
            scores = h @ w["score"] + w["bs"]
            best = scores.topk(2, dim=1)
            margin = min(margin, float((best.values[:, 0] - best.values[:, 1]).min()))
            word = best.indices[:, 0]
            words.append(word)
        return torch.stack(words, 1), torch.stack(looks, 1) if looks else torch.zeros(0), margin

    def clear_sample(self, N: int, length: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Images for which no two words are nearly equal, and which show whatever is forgotten between two steps."""
        for attempt in range(80):
            if attempt % 5 == 4:  # some networks write nearly the same about all images
                self.weights = self._draw()
                self.reset()
            images = self.images(N)
            words, looks, margin = self.right_sample(images, length)
            counted = self._counted(words)
            lively = len(words[0].unique()) >= 3 and bool((words != words[:1]).any())
            if margin > 1e-3 and lively and bool(counted[:, : min(length, 4)].all()):
                others = (self.right_sample(images, length, forgets)[0] for forgets in self._memories(length))
                if all(bool(((words != other) * counted).any()) for other in others):
                    break
        return images, words, looks

    # ---- checks ----------------------------------------------------------------------------------------------------

    def in_one_way(self, check: Callable[[], None]) -> None:
        """The check passes with one of the formulas for the first state; what is wrong is told by the usual one."""
        failure: CheckFailed | None = None
        for way in self.start.ways:
            self.way = way
            try:
                check()
            except CheckFailed as problem:
                failure = failure or problem
            else:
                if way is not averaged:
                    self.kit.note(
                        "The first state comes from an affine map of the whole grid of features. That is right, too; "
                        "usually they are averaged over the grid before."
                    )
                return
        assert failure is not None
        raise failure

    def check_loss(self, N: int = 3, T: int = 6) -> None:
        """The loss is right."""
        images, captions = self.images(N), self.captions(N, T)
        got, sizes = self.net(images, captions), {"N": N, "T": T, "T - 1": T - 1}

        def check() -> None:
            right = self.right_loss(images, captions)
            self.kit.expect(got, "loss").matches(right, rtol=1e-4, dtype=False, sizes=sizes)

        self.in_one_way(check)

    def sampled(self, images: torch.Tensor, length: int) -> tuple[Any, Any]:
        """The words and the weights that the submission gives."""
        got = self.net.sample(images.clone(), max_length=length)
        if self.cell_type != "attn":
            return got, None
        if type(got) not in (tuple, list) or len(got) != 2:
            raise CheckFailed("With attention, sample should return two things: the captions and the weights.")
        return got[0], got[1]

    def _memories(self, length: int) -> tuple[str, ...]:
        """What goes from one step to the next; a single step needs none of it."""
        return () if length < 3 else ("word", "h") if self.cell_type == "rnn" else ("word", "h", "c")

    def check_words(self, got: Any, words: torch.Tensor) -> None:
        """The words are right; what comes behind `<END>` is nobody's business.

        Who stops at `<END>` may leave its place as it was, `<NULL>`: the caption says the same.
        """
        self.kit.expect(got, "captions").has_shape(*words.shape)
        if not torch.is_tensor(got) or got.dtype != torch.int64:
            raise CheckFailed("captions should be a tensor of dtype torch.int64.")
        if "<END>" in self.words:
            end, null = self.words.index("<END>"), self.words.index("<NULL>")
            got = torch.where((words == end) & (got == null), end, got)
        counted = self._counted(words)
        self.kit.expect(got * counted, "captions").equals(words * counted)

    def _counted(self, words: torch.Tensor) -> torch.Tensor:
        """1 up to the first `<END>` of a caption, 0 behind it."""
        if "<END>" not in self.words:
            return torch.ones_like(words)
        ends = (words == self.words.index("<END>")).long()
        return (ends.cumsum(1) - ends == 0).long()

    def check_sample(self, N: int = 3, length: int = 6) -> None:
        """The most likely word at every step."""

        def check() -> None:
            images, words, _ = self.clear_sample(N, length)
            self.check_words(self.sampled(images, length)[0], words)

        self.in_one_way(check)

    def check_looks(self, N: int, length: int) -> None:
        """The attention weights of every step."""
        images, words, looks = self.clear_sample(N, length)
        got, weights = self.sampled(images, length)
        self.kit.expect(weights, "weights").has_shape(N, length, 4, 4).is_finite()
        counted = self._counted(words).double().view(N, length, 1, 1)
        sums = torch.as_tensor(weights).double().sum((2, 3))
        self.kit.expect(sums * counted[..., 0, 0], "sums of the weights").matches(counted[..., 0, 0], rtol=1e-4)
        self.kit.expect(torch.as_tensor(weights).double() * counted, "weights").matches(looks * counted, 1e-3, 1e-5)
        self.kit.expect(got, "captions").has_shape(N, length)

    def check_lengths(self) -> None:
        """max_length, its default, and repetition."""

        def check() -> None:
            images, words, _ = self.clear_sample(2, 15)
            self.check_words(self.net.sample(images.clone()), words)
            for length in (1, 4, 15):
                self.check_words(self.sampled(images, length)[0], words[:, :length])

        self.in_one_way(check)

    def check_kept(self) -> None:
        """A loss leaves its arguments as they were, and other calls between leave it the same."""
        images, captions = self.images(2), self.captions(2, 5)
        self.in_one_way(partial(self._check_kept, images, captions))

    def _check_kept(self, images: torch.Tensor, captions: torch.Tensor) -> None:
        exact = self.right_loss(images, captions)
        forward = self.kit.module.CaptioningRNN.forward
        for others in (0, 2, 3):
            got, after = forward.observed(self.net, images.clone(), captions.clone())
            self.kit.expect(got, "loss").matches(exact, rtol=1e-4, dtype=False)
            self.kit.expect(after[1], "images").is_unchanged_from(images)
            self.kit.expect(after[2], "captions").is_unchanged_from(captions)
            if others:
                self.net(self.images(others), self.captions(others, 4))
                with suppress(SubmissionProblem):  # sample is another question
                    self.net.sample(self.images(2), max_length=3)

    def reset(self, scale: float = 1.0) -> None:
        """The weights that the check drew, again, or a part of them."""
        self.net.load_state_dict(self.roles.filled({role: scale * value for role, value in self.weights.items()}))

    def unmoved(self, scale: float) -> list[str]:
        """Parameters that still are what ``reset`` made them."""
        state, before = self.net.state_dict(), self.roles.filled({r: scale * v for r, v in self.weights.items()})
        if type(state) is not dict:
            raise CheckFailed("The network's state_dict should be a dict after training as before.")
        optional = {self.roles.keys.get(role) for role in ("pool", "bpool")}  # need not be used
        return [name for name in self.roles.unmoved(before, state) if name not in optional]
