"""PNG files: what the captioners write under pictures, and where attention looks for every word. Needs matplotlib."""

from textwrap import fill

import torch
from captioning_helpers import attention_visualizer
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch.nn.functional import pad

ROW = 8  # pictures of attention side by side
MARGIN = 4  # pixels around each
LABEL = 25  # pixels below each, for the word


def captions_under_images(path, images, told, columns=4):
    """Pictures in rows, each with texts below it.

    images (N, 3, H, W) uint8; told: {name: N texts}. What every network wrote stands behind its name.
    """
    rows = -(-len(images) // columns)
    figure = Figure(figsize=(3.4 * columns, 5.4 * rows), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2 * rows, columns, squeeze=False, height_ratios=[3.0, 2.4] * rows)
    for ax in axes.flat:
        ax.axis("off")
    for i, image in enumerate(images):
        row, column = divmod(i, columns)
        axes[2 * row, column].imshow(image.permute(1, 2, 0).numpy())
        axes[2 * row, column].set_anchor("W")
        lines = [fill(f"{name}: {texts[i]}", 38, subsequent_indent="    ") for name, texts in told.items()]
        axes[2 * row + 1, column].text(0, 1, "\n".join(lines), va="top", size=10, linespacing=1.3)
    figure.savefig(path)


def attention_word_by_word(path, images, weights, texts):
    """For every picture the picture itself, and then for each word where attention looked when it was written.

    images (N, 3, 112, 112) uint8, weights (N, T, 4, 4), texts: N captions of at most T words.
    """
    blocks = []
    for image, looks, text in zip(images, weights, texts, strict=True):
        tiles = [attention_visualizer(image / 255, look, word) for look, word in zip(looks, text.split(), strict=False)]
        whole = pad(image, (0, 0, 0, LABEL), value=255)
        blocks.append(in_rows([whole, *tiles]))
    picture = torch.cat(blocks, dim=1).permute(1, 2, 0)
    figure = Figure(figsize=(picture.shape[1] / 100, picture.shape[0] / 100), dpi=100)
    FigureCanvasAgg(figure)
    figure.figimage(picture.numpy())
    figure.savefig(path)


def in_rows(tiles):
    """Tiles (3, H, W) uint8 in rows of ROW on white, with margins. -> one picture."""
    white = torch.full_like(tiles[0], 255)
    tiles = tiles + [white] * (-len(tiles) % ROW)
    tiles = [pad(tile, [MARGIN] * 4, value=255) for tile in tiles]
    rows = [torch.cat(tiles[i : i + ROW], dim=2) for i in range(0, len(tiles), ROW)]
    return pad(torch.cat(rows, dim=1), (0, 0, 0, 5 * MARGIN), value=255)
