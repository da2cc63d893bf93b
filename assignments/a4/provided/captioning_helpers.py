"""Captions: reading them, training on them, turning numbers back into words, and pictures of what attention sees.

Importing this needs torch alone. Pillow, torchvision and matplotlib are imported by the functions that need them.
"""

import csv
import time
from collections import Counter
from pathlib import Path

import torch

__all__ = [
    "GivenFeatures",
    "attention_visualizer",
    "build_vocabulary",
    "decode_captions",
    "differentiate",
    "dump_results",
    "encode_captions",
    "imagenet_trunk",
    "load_captions",
    "load_coco_captions",
    "train_captioner",
]

SPECIAL = ("<NULL>", "<START>", "<END>", "<UNK>")
PARTS = ("train_images", "train_captions", "val_images", "val_captions", "vocab")
_REGNET = "regnet_x_400mf-*.pth"


# ---- data ----------------------------------------------------------------------------------------------------------


def load_coco_captions(path="./datasets/coco.pt"):
    """Read a serialised set of captions. -> dict of train_images, train_captions, val_images, val_captions, vocab.

    Images (N, 3, 112, 112), captions (N, T) int64; vocab holds `token_to_idx` (dict) and `idx_to_token` (list). The
    file is read as plain data, never as code. Raises ValueError where it holds something else.
    """
    data = torch.load(path, map_location="cpu", weights_only=True)
    missing = [name for name in PARTS if name not in data] if isinstance(data, dict) else list(PARTS)
    if missing:
        raise ValueError(f"{path} should hold a dict with {', '.join(PARTS)}; it lacks {', '.join(missing)}.")
    return data


def load_captions(folder, num_val=500, max_images=None, max_length=16, min_count=5):
    """Read a folder with `captions.csv` (columns image, caption) and the image files. -> as load_coco_captions.

    Every image gets its first caption, at most max_length numbers with `<START>` and `<END>`. The last num_val images
    are for validation. Words that occur less than min_count times among the training captions become `<UNK>`. Images
    are uint8 and 112 x 112. Needs Pillow. Raises FileNotFoundError where there is no captions.csv.
    """
    folder, first = Path(folder), {}
    with (folder / "captions.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            first.setdefault(row["image"], row["caption"])
    names = list(first)[:max_images]
    train, val = names[: len(names) - num_val], names[len(names) - num_val :]
    vocab = build_vocabulary((first[name] for name in train), min_count)

    def part(chosen):
        captions = encode_captions([first[name] for name in chosen], vocab["token_to_idx"], max_length)
        return torch.stack([_image(folder / name) for name in chosen]), captions

    (train_images, train_captions), (val_images, val_captions) = part(train), part(val)
    return dict(zip(PARTS, (train_images, train_captions, val_images, val_captions, vocab), strict=True))


def build_vocabulary(captions, min_count=5):
    """Number the words of some texts, the most frequent first. -> dict of token_to_idx, idx_to_token."""
    counts = Counter(word for caption in captions for word in _words(caption))
    frequent = [word for word, count in counts.most_common() if count >= min_count]
    tokens = [*SPECIAL, *frequent]
    return {"token_to_idx": {token: i for i, token in enumerate(tokens)}, "idx_to_token": tokens}


def encode_captions(captions, token_to_idx, max_length=16):
    """Texts -> (N, max_length) int64: `<START>`, the words, `<END>`, and `<NULL>` behind; long texts lose their end."""
    out = torch.full((len(captions), max_length), token_to_idx["<NULL>"])
    for row, caption in zip(out, captions, strict=True):
        words = ["<START>", *_words(caption)[: max_length - 2], "<END>"]
        numbers = [token_to_idx.get(word, token_to_idx["<UNK>"]) for word in words]
        row[: len(numbers)] = torch.tensor(numbers)
    return out


def decode_captions(captions, idx_to_word):
    """(N, T) or (T,) numbers -> the captions as texts, from behind `<START>` to `<END>` inclusive, without `<NULL>`.

    idx_to_word: a list or a dict of words by number. One caption (T,) gives one text.
    """
    if captions.dim() == 1:
        return decode_captions(captions.unsqueeze(0), idx_to_word)[0]
    texts = []
    for row in captions.tolist():
        words = []
        for number in row:
            word = idx_to_word[number]
            if word not in ("<NULL>", "<START>"):
                words.append(word)
            if word == "<END>":
                break
        texts.append(" ".join(words))
    return texts


def _words(caption):
    """Lower-case words; whatever is no letter, digit or apostrophe separates them."""
    letters = (c if c.isalnum() or c == "'" else " " for c in caption.lower())
    return "".join(letters).split()


def _image(path):
    """(3, 112, 112) uint8."""
    import numpy
    from PIL import Image

    with Image.open(path) as image:
        pixels = numpy.array(image.convert("RGB").resize((112, 112)))
    return torch.from_numpy(pixels).permute(2, 0, 1)


# ---- the image encoder ---------------------------------------------------------------------------------------------


def imagenet_trunk():
    """torchvision's RegNet-X 400MF up to its last block, trained on ImageNet. -> module, or None where it is not here.

    Images (N, 3, 112, 112) -> (N, 400, 4, 4). Only weights that lie in torch.hub's folder already are used.
    """
    weights = next(iter(Path(torch.hub.get_dir(), "checkpoints").glob(_REGNET)), None)
    if weights is None:
        return None
    try:
        from torchvision.models import regnet_x_400mf
    except ImportError:
        return None
    net = regnet_x_400mf()
    net.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    return torch.nn.Sequential(net.stem, net.trunk_output)


class GivenFeatures(torch.nn.Module):
    """Stands for an ImageEncoder: the features (N, out_channels, 4, 4) of images come from a function."""

    def __init__(self, function, out_channels):
        super().__init__()
        self.function, self.out_channels = function, out_channels

    def __getattr__(self, name):
        # Who changes the ImageEncoder may call the number of channels otherwise.
        return self.out_channels if "channel" in name else super().__getattr__(name)

    def forward(self, images):
        return self.function(images)


class GivenExtractor(GivenFeatures):
    """The same in the place of 2020's FeatureExtractor: features (N, out_channels) where it is to pool them."""

    def __init__(self, function, out_channels, pooling=False):
        super().__init__(function, out_channels)
        self.pooling = pooling

    def extract_mobilenet_feature(self, img, verbose=False):
        features = self(img)
        return features.mean(dim=(2, 3)) if self.pooling else features


# ---- training ------------------------------------------------------------------------------------------------------


def train_captioner(
    rnn_decoder,
    image_data,
    caption_data,
    num_epochs=50,
    batch_size=256,
    learning_rate=1e-3,
    lr_decay=1,
    device="cpu",
    print_every=1,
):
    """Train a CaptioningRNN with Adam. -> the trained model, and the mean loss of every epoch as a list of floats.

    image_data (M, 3, 112, 112) and caption_data (M, T) may lie elsewhere than `device`: batches are moved there one at
    a time. lr_decay multiplies the learning rate after each epoch. print_every=0 prints nothing.
    """
    model = rnn_decoder.to(device)
    trainable = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(trainable, learning_rate)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, lr_decay)
    history, start = [], time.monotonic()
    for epoch in range(num_epochs):
        model.train()
        total = 0.0
        for chosen in torch.randperm(len(image_data)).split(batch_size):
            loss = model(image_data[chosen].to(device), caption_data[chosen].to(device))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(chosen)
        schedule.step()
        history.append(total / len(image_data))
        if print_every and (epoch + 1) % print_every == 0:
            print(f"epoch {epoch + 1} of {num_epochs}: loss {history[-1]:.4f}, {time.monotonic() - start:.0f} s")
    return model, history


def differentiate(f, inputs, douts, module=None):
    """What autograd makes of f: its outputs, and the gradients of the sum of all outputs times their douts.

    f: a function, a module, or a method of one, that returns a tensor or a tuple of which the first parts are tensors.
    inputs: its arguments. douts: a gradient for each of these outputs, in a list. module: whose parameters are
    differentiated, too.

    -> outputs (list), gradients of the inputs (list, None where there can be none), of the parameters (dict by name).
    What does not reach the outputs has the gradient zero. Raises ValueError where autograd cannot follow f at all.
    """
    given = [x.detach().clone().requires_grad_(x.is_floating_point()) if torch.is_tensor(x) else x for x in inputs]
    parameters = dict(module.named_parameters()) if module is not None else {}
    found = f(*given)
    outputs = list(found)[: len(douts)] if isinstance(found, tuple) else [found]
    for out in outputs:
        if not torch.is_tensor(out):
            raise ValueError(f"A tensor should be returned; this is of type {type(out).__name__}.")
    if not any(out.requires_grad for out in outputs):
        raise ValueError("The result does not depend on the inputs in a way that autograd can follow.")
    leaves = [x for x in (*given, *parameters.values()) if getattr(x, "requires_grad", False)]
    total = sum((out * dout).sum() for out, dout in zip(outputs, douts, strict=True))
    grads = iter(torch.autograd.grad(total, leaves, allow_unused=True, materialize_grads=True))
    of_inputs = [next(grads) if getattr(x, "requires_grad", False) else None for x in given]
    of_parameters = {name: next(grads) for name, p in parameters.items() if p.requires_grad}
    return [out.detach() for out in outputs], of_inputs, of_parameters


def dump_results(submission, path):
    """Write `rnn_lstm_attention_submission.pt`: {rnn_losses, lstm_losses, attn_losses}, each a list of floats."""
    torch.save({name: [float(value) for value in values] for name, values in submission.items()}, path)


# ---- pictures ------------------------------------------------------------------------------------------------------


def attention_visualizer(img, attn_weights, token):
    """One image with the place that attention looks at, and the word that it wrote there. -> (3, H + 25, W) uint8.

    img (3, H, W) in 0 ... 1; attn_weights (K, K). Where the weight is small the image is dark. Needs matplotlib.
    """
    _, H, W = img.shape
    looks = torch.nn.functional.interpolate(attn_weights[None, None].float(), (H, W), mode="bicubic")[0, 0]
    looks = (looks - looks.min()) / (looks.max() - looks.min()).clamp(min=1e-8)
    picture = img.cpu().float() * (0.2 + 0.8 * looks.cpu())
    return torch.cat([picture.clamp(0, 1).mul(255).to(torch.uint8), _label(token, W)], dim=1)


def _label(token, width, height=25):
    """A word, black on white. -> (3, height, width) uint8."""
    import numpy
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width / 100, height / 100), dpi=100)
    canvas = FigureCanvasAgg(figure)
    figure.text(0.5, 0.5, token, ha="center", va="center", size=9)
    canvas.draw()
    pixels = torch.from_numpy(numpy.array(canvas.buffer_rgba())[..., :3])
    return pixels.permute(2, 0, 1)[:, :height, :width]
