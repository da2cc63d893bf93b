"""What `grader plots` shows of this assignment: captions with attention, and a Transformer that learns to add."""

import torch
from captioning_helpers import attention_visualizer
from trials import captioning, show
from trials.arithmetic import LARGEST, learn_arithmetic, sets

from grader.datasets.captions import CaptionSet
from grader.kit.figures import Chart, Line, Section, Tiles, picture, write
from grader.kit.program import figure_arguments

SHOWN, LOOKED_AT = 5, 3  # pictures with captions, and with attention
PICTURES = 12_000  # that a captioner sees; in small sets every one of them several times


def main():
    options, given = figure_arguments("a4", CaptionSet)
    write(options.out, [captions(options, given), calculation(options)])


# ---- captions ------------------------------------------------------------------------------------------------------


def captions(options, given):
    data, held_out = captioning.parts(given)
    sides, epochs = captioning.SIDES, max(5, PICTURES // len(data.images))
    if options.quick:
        data, held_out, sides, epochs = few(data, 24), few(held_out, 9), (56,), 2
    print("training the encoder", flush=True)
    seen, seen_held_out, cpu_seconds = show.see(data, held_out, options.seed, sides)
    rows, courses, described = [("encoder", str(len(sides)), "", "", "", f"{cpu_seconds:.0f}")], {}, {}
    for cell_type, name in show.NAMES.items():
        print(f"training the captioner: {name}", flush=True)
        course = courses[name] = []
        found = described[name] = show.describe(
            data,
            seen,
            held_out,
            seen_held_out,
            cell_type,
            options.seed,
            epochs,
            lambda _, loss, to=course: to.append(loss),
        )
        scores = f"{found.held_out_loss:.2f}", f"{found.bleu:.1f}", f"{found.bleu_misplaced:.1f}"
        rows.append((name, str(epochs), *scores, f"{found.cpu_seconds:.0f}"))
    return Section(
        title="A4: captions",
        data=f"{given.title}: {len(data.images):,} pictures to learn from, {len(held_out.images):,} held out",
        about="An encoder first learns which words the captions of a picture hold. From the features of its last "
        "layer, which then stay as they are, three networks learn to write captions: RNN and LSTM begin with "
        "the mean over the picture, attention looks at another part of it for every word. BLEU-4 compares what "
        "they write about pictures that were held out with the captions that are given for these; with each caption "
        "under the next picture it says what can be had without looking.",
        head=("", "epochs", "held-out loss", "BLEU-4", "misplaced", "CPU-seconds"),
        rows=tuple(rows),
        figures=(losses(courses), written(held_out, described), attention(held_out, described["attention"])),
    )


def few(data, n):
    return captioning.Captioned(data.images[:n], data.captions[:n], data.words)


def losses(courses):
    return Chart(
        title="Loss of a caption",
        about="Summed over the words of a caption, in the mean of each epoch. Attention starts from a state that is "
        "learnt, at a smaller rate, and needs a while to find out where to look.",
        x_label="epochs",
        y_label="loss",
        lines=tuple(
            Line(name, tuple(float(i + 1) for i in range(len(course))), tuple(course), colour)
            for colour, (name, course) in enumerate(courses.items())
        ),
    )


def written(held_out, described):
    chosen = places(held_out, SHOWN)
    told = {name: captioning.sentences(found.captions[chosen], held_out.words) for name, found in described.items()}
    told["given"] = captioning.sentences(held_out.captions[chosen, 0], held_out.words)
    tiles = tuple(
        picture(held_out.images[place].numpy(), "\n".join(f"{name}: {texts[i]}" for name, texts in told.items()))
        for i, place in enumerate(chosen.tolist())
    )
    return Tiles("What they write", "Pictures that were held out.", (tiles,), width=150, smooth=True)


def attention(held_out, found):
    chosen = places(held_out, SHOWN)[:LOOKED_AT]
    rows = []
    for place, text in zip(chosen.tolist(), captioning.sentences(found.captions[chosen], held_out.words), strict=True):
        image = held_out.images[place]
        H = image.shape[1]  # the word that is drawn below stands beside the picture here
        looks = zip(text.split(), found.weights[place], strict=False)
        tiles = [picture(attention_visualizer(image / 255, look, word)[:, :H].numpy(), word) for word, look in looks]
        rows.append((picture(image.numpy()), *tiles))
    about = (
        "For each word that the network wrote, where it looked when it did: what is dark had no say in it. The "
        "weights are of 4 x 4 parts of the picture."
    )
    return Tiles("Where attention looks", about, tuple(rows), smooth=True, lead=True)


def places(held_out, n):
    """n pictures, evenly spread."""
    return torch.linspace(0, len(held_out.images) - 1, n).long()


# ---- arithmetic ----------------------------------------------------------------------------------------------------


def calculation(options):
    parts, epochs = sets(options.seed), 15
    if options.quick:
        parts, epochs = tuple(part[:300] for part in parts), 2
    print("training the Transformer", flush=True)
    course = [(0.0, 0.0)]
    exact, right_words, asked, cpu_seconds = learn_arithmetic(
        options.seed, epochs, 128, parts, lambda epoch, ask: course.append((float(epoch), 100 * ask()))
    )
    row = ("Transformer", str(epochs), f"{100 * exact:.1f} %", f"{100 * right_words:.1f} %", f"{cpu_seconds:.0f}")
    return Section(
        title="A4: a Transformer that calculates",
        data=f"{len(parts[0]):,} sums and differences of numbers up to {LARGEST} to learn from, {asked:,} others to be "
        "asked",
        about="It reads a problem as words, such as BOS POSITIVE 1 7 add POSITIVE 2 5 EOS, and writes the result as "
        "words. Nobody tells it what a sum is. Left to itself it must write all five words rightly for an exact "
        "answer; words are counted as right one by one, each after the right ones before it.",
        head=("", "epochs", "exact answers", "right words", "CPU-seconds"),
        rows=(row,),
        figures=(
            Chart(
                title="Exact answers to problems that it never saw",
                about="For some epochs it is nearly always wrong in a digit. Then it finds the rule of carrying over, "
                "and within a few more knows nearly all.",
                x_label="epochs",
                y_label="exact answers in %",
                lines=(Line("", *zip(*course, strict=True)),),
            ),
        ),
    )


if __name__ == "__main__":
    main()
