"""The three captioners on pictures with captions: learning a few by heart, and describing what they never saw.

The image encoder that the course uses has seen ImageNet. Ours starts from nothing, so it first learns by itself which
words the captions of a picture hold. Then it stays as it is: its features are computed once, and all three captioners
learn from the same ones in a fraction of the time that training it along with each of them would take.
"""

import time
from dataclasses import dataclass

import torch
from captioning_helpers import decode_captions, train_captioner
from rnn_lstm_captioning import CaptioningRNN, ImageEncoder
from torch import nn
from torch.nn import functional as F

from .training import train

CHANNELS = ImageEncoder.out_channels
# The attention LSTM starts from a cell state that is learnt: at the others' rate its gates close, and stay closed.
LEARNING_RATES = {"rnn": 3e-3, "lstm": 3e-3, "attn": 1e-3}
SIDES = (56, 56, 56, 112, 112)  # of the pictures, in pixels, one for each epoch in which the encoder learns to see


@dataclass(frozen=True)
class Captioned:
    """Pictures (N, 3, 112, 112) uint8 with their captions (N, K, T) int64, and the words by number."""

    images: torch.Tensor
    captions: torch.Tensor
    words: tuple[str, ...]

    @property
    def word_to_idx(self):
        return {word: number for number, word in enumerate(self.words)}


def parts(given):
    """The training and the held-out part of a CaptionSet of the store."""
    return tuple(
        Captioned(torch.tensor(images), torch.tensor(captions), given.words)
        for images, captions in (
            (given.images_train, given.captions_train),
            (given.images_val, given.captions_val),
        )
    )


def captioner(data, cell_type, hidden_dim, seed):
    """An untrained CaptioningRNN with an untrained encoder, for the words of `data`."""
    torch.manual_seed(seed)
    return CaptioningRNN(
        data.word_to_idx,
        input_dim=CHANNELS,
        wordvec_dim=256,
        hidden_dim=hidden_dim,
        cell_type=cell_type,
        image_encoder_pretrained=False,
        ignore_index=data.words.index("<NULL>"),
    )


# ---- by heart ------------------------------------------------------------------------------------------------------


def overfit(data, cell_type, seed, n=50, epochs=80):
    """The course's first exercise: captions of n pictures learnt by heart, together with the encoder.

    -> the mean loss of a caption, summed over its words, in the last epoch; CPU-seconds.
    """
    network = captioner(data, cell_type, 512, seed)
    chosen = torch.linspace(0, len(data.images) - 1, n).long()
    start = time.process_time()
    _, history = train_captioner(
        network, data.images[chosen], data.captions[chosen, 0], epochs, batch_size=n, print_every=0
    )
    return history[-1], time.process_time() - start


def by_heart(data, cell_type, seed, n=400, epochs=80):
    """One caption of each of n pictures, learnt by heart from what an untrained encoder makes of them.

    What tells pictures apart is enough to learn by heart: no encoder needs to understand them.
    -> the number of pictures, the mean loss of a caption after training, CPU-seconds.
    """
    torch.manual_seed(seed)
    encoder = ImageEncoder(pretrained=False)  # normalises each batch by itself: it has no statistics yet
    some = Captioned(data.images[:n], data.captions[:n, :1], data.words)
    (seen,) = standardised(features(encoder, some.images))
    network, cpu_seconds = learn_to_describe(some, seen, cell_type, seed, epochs, batch_size=16)
    return len(seen), mean_loss(network, seen, some.captions), cpu_seconds


# ---- seeing --------------------------------------------------------------------------------------------------------


def learn_to_see(data, seed, sides=SIDES, batch_size=64):
    """An ImageEncoder that has learnt to say which words the captions of a picture hold, in any order.

    sides: the pictures' sides in each epoch. Those of 56 pixels cost a quarter, and teach much of what there is to see.
    Source: Joulin et al., Learning Visual Features from Large Weakly Supervised Data (ECCV 2016).
    -> encoder in eval mode, CPU-seconds.
    """
    torch.manual_seed(seed)
    wanted = word_frequencies(data)
    encoder, guess = ImageEncoder(pretrained=False), nn.Linear(CHANNELS, len(data.words))
    with torch.no_grad():  # how frequent a word is need not be learnt
        guess.bias.copy_(wanted.mean(dim=0).clamp(min=1e-6).log())

    def loss_of(chosen, epoch):
        images = mirrored(data.images[chosen]) / 255
        images = F.interpolate(images, size=sides[epoch], mode="area")
        return F.cross_entropy(guess(encoder(images).mean(dim=(2, 3))), wanted[chosen])

    both = nn.ModuleList([encoder, guess])
    cpu_seconds = train(both, loss_of, len(data.images), len(sides), batch_size, learning_rate=2e-3)
    return encoder.eval(), cpu_seconds


def word_frequencies(data):
    """The share (N, V) that every word has in the captions of each picture; special words have none."""
    N = len(data.captions)
    words = data.captions.flatten(1)
    counts = torch.zeros(N, len(data.words)).scatter_add_(1, words, torch.ones(words.shape))
    counts[:, : data.words.index("<UNK>") + 1] = 0
    return counts / counts.sum(dim=1, keepdim=True).clamp(min=1)


def mirrored(images):
    """Each picture, or its mirror image: they deserve the same words."""
    return torch.where(torch.rand(len(images), 1, 1, 1) < 0.5, images, images.flip(3))


@torch.no_grad()
def features(encoder, images):
    """Images (N, 3, 112, 112) -> features (N, 400, 4, 4)."""
    return torch.cat([encoder(batch) for batch in images.split(100)])


def standardised(seen, *others):
    """Features scaled so that, averaged over the grid, each channel has mean 0 and deviation 1 among `seen`.

    The state that RNN and LSTM start from then differs enough between pictures to be told apart from the first step on.
    """
    of_pictures = seen.mean(dim=(2, 3))
    mean, std = of_pictures.mean(dim=0), of_pictures.std(dim=0).clamp(min=1e-6)
    return tuple((part - mean[:, None, None]) / std[:, None, None] for part in (seen, *others))


# ---- describing ----------------------------------------------------------------------------------------------------


def learn_to_describe(data, seen, cell_type, seed, epochs, batch_size=32, watch=lambda epochs, loss: None):
    """A CaptioningRNN that gets features (N, 400, 4, 4) in the place of images. -> network, CPU-seconds.

    In every epoch, each picture comes with another one of its captions. watch: see training.train.
    """
    network = captioner(data, cell_type, 256, seed)
    network.image_encoder = nn.Identity()
    K = data.captions.shape[1]

    def loss_of(chosen, epoch):
        return network(seen[chosen], data.captions[chosen, epoch % K])

    cpu_seconds = train(network, loss_of, len(seen), epochs, batch_size, LEARNING_RATES[cell_type], watch)
    return network.eval(), cpu_seconds


@torch.no_grad()
def mean_loss(network, seen, captions):
    """The mean loss of a caption, over all captions (N, K, T) of all features (N, 400, 4, 4)."""
    losses = [
        network(some, these) * len(some)
        for k in range(captions.shape[1])
        for some, these in zip(seen.split(200), captions[:, k].split(200), strict=True)
    ]
    return sum(losses).item() / captions[:, :, 0].numel()


def sampled(network, seen, max_length=16):
    """What the network writes. -> words (N, T) and, with attention, weights (N, T, 4, 4), else None."""
    out = network.sample(seen, max_length)
    return out if isinstance(out, tuple) else (out, None)


def sentences(captions, words):
    """Captions (N, T) as texts, without `<END>`."""
    return [text.removesuffix("<END>").rstrip() for text in decode_captions(captions, words)]


def bleu(captions, data):
    """BLEU-4, 0 ... 100, of captions (N, T) against all captions of the pictures.

    `<UNK>` is no word: written, it counts as a mistake. Source: Papineni et al. (ACL 2002); computed by sacrebleu.
    """
    from sacrebleu import corpus_bleu

    written = [text.replace("<UNK>", "?") for text in sentences(captions, data.words)]
    right = [sentences(these, data.words) for these in data.captions.unbind(1)]
    return corpus_bleu(written, right, tokenize="none").score
