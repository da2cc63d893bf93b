"""Checks of A4 on a data set: networks of the submission learn with the training loops that everybody is given.

What they have learned is told by words that they write themselves, without seeing the right ones: the judge counts.
"""

from functools import partial

import pytest
import torch
from gradescope_utils.autograder_utils.decorators import number, visibility, weight

from grader.contract.verdict import CheckFailed, Explanation, SubmissionProblem

# ---- 60. captions --------------------------------------------------------------------------------------------------

MODULE = "rnn_lstm_captioning"
PICTURES = 50
MOST = 1.5  # loss of a caption, summed over its words


@pytest.fixture
def captions_by_heart(student, data, expect, note, hold_to, pictures):
    """`captions_by_heart(cell_type)`: the captions of 50 pictures are learned, down to a loss below MOST.

    Features of the pictures come from a grid that needs no training, so that a training takes seconds.
    """

    def check(cell_type):
        scenes = data.captions()
        images = torch.from_numpy(scenes.images_train[:PICTURES])
        captions = torch.from_numpy(scenes.captions_train[:PICTURES, 0])
        ends = captions == scenes.word_to_idx["<NULL>"]
        model, takes_features = made(student, cell_type, scenes.word_to_idx)
        pictures = features_of(student, images, cell_type) if takes_features else images
        model, losses = student.captioning_helpers.train_captioner(
            model, pictures, captions, num_epochs=100, batch_size=10, learning_rate=5e-3, lr_decay=0.98, print_every=0
        )
        pictures.curve("loss of a caption after each epoch", losses, "epochs")
        expect(losses[-1], "the loss in the end").is_finite()
        note(f"the loss fell from {losses[0]:.2f} to {losses[-1]:.3f}; less than {MOST} was needed")
        if losses[-1] >= MOST:
            told = "The network does not learn the captions of 50 pictures by heart: its loss stays too high."
            raise CheckFailed(Explanation(told, expected=f"less than {MOST}", got=f"{losses[-1]:.3g}"))
        words = model.sample(pictures, max_length=captions.shape[1] - 1)
        words = words[0] if type(words) is tuple else words
        expect(words, "captions").has_shape(PICTURES, captions.shape[1] - 1)
        right = (torch.as_tensor(words) == captions[:, 1:])[~ends[:, 1:]]
        hold_to(scenes.name, f"the words of {PICTURES} captions of {scenes.title}", int(right.sum()), len(right))

    return check


def features_of(student, images, cell_type):
    """The features of pictures, for networks of 2020 that are given these."""
    features = student.picture_grid.PictureExtractor()(images)
    return features if cell_type == "attn" else features.mean((2, 3))


def made(student, cell_type, word_to_idx):
    """A CaptioningRNN, and whether it takes features. In 2020 attention and the encoder were called otherwise."""
    grid, is_of_2020 = student.picture_grid, student.missing(f"{MODULE}.ImageEncoder")
    if not is_of_2020:
        student.replace(f"{MODULE}.ImageEncoder", grid.PictureGrid)
    elif not student.missing(f"{MODULE}.FeatureExtractor"):
        student.replace(f"{MODULE}.FeatureExtractor", grid.PictureExtractor)
    encoder = grid.PictureExtractor if is_of_2020 else grid.PictureGrid
    sizes = {"wordvec_dim": 64, "hidden_dim": 128, "ignore_index": word_to_idx["<NULL>"]}
    make = partial(student.rnn_lstm_captioning.CaptioningRNN, word_to_idx, input_dim=encoder.out_channels, **sizes)
    try:
        model = make(cell_type=cell_type)
    except SubmissionProblem:
        if cell_type != "attn":
            raise
        model = make(cell_type="attention")
    kinds = student.transformer_helpers.parts(model)
    return model, is_of_2020 and "PictureExtractor" not in kinds.values()


@number("60.1")
@weight(2)
@visibility("visible")
@pytest.mark.time_limit(cpu_seconds=60)
def test_rnn_learns_captions(captions_by_heart):
    """CaptioningRNN with an RNN learns 50 captions by heart, and writes them when it sees the pictures."""
    captions_by_heart("rnn")


@number("60.2")
@weight(2)
@visibility("visible")
@pytest.mark.time_limit(cpu_seconds=60)
def test_lstm_learns_captions(captions_by_heart):
    """CaptioningRNN with an LSTM learns 50 captions by heart, and writes them when it sees the pictures."""
    captions_by_heart("lstm")


@number("60.3")
@weight(2)
@visibility("visible")
@pytest.mark.time_limit(cpu_seconds=60)
def test_attention_learns_captions(captions_by_heart):
    """CaptioningRNN with attention learns 50 captions by heart, and writes them when it sees the pictures."""
    captions_by_heart("attn")


# ---- 61. sums and differences --------------------------------------------------------------------------------------

VOCABULARY = [*"0123456789", "POSITIVE", "NEGATIVE", "add", "subtract", "BOS", "EOS"]
M = 64  # numbers for each token
BATCH = 128
STAGES = ((22, 3e-3), (4, 1e-3))  # epochs, learning rate


def number_in_tokens(value):
    """Its sign and two digits."""
    return ["NEGATIVE" if value < 0 else "POSITIVE", *f"{abs(value):02d}"]


def tokens_of(problems):
    """Questions (N, 9) and answers (N, 5), int64, in the order of the handout's vocabulary."""
    questions, answers = [], []
    for p in problems:
        operands = [*number_in_tokens(p.left), p.operation.value, *number_in_tokens(p.right)]
        questions.append(["BOS", *operands, "EOS"])
        answers.append(["BOS", *number_in_tokens(p.result), "EOS"])
    return [
        torch.tensor([[VOCABULARY.index(word) for word in words] for words in side]) for side in (questions, answers)
    ]


@number("61.1")
@weight(6)
@visibility("visible")
@pytest.mark.time_limit(cpu_seconds=400)
def test_transformer_calculates(student, reference, data, draw, expect, hold_to):
    """Transformer learns sums and differences of two digits in 26 epochs, and writes results it has not seen."""
    arithmetic = data.arithmetic()
    ques, ans = tokens_of(arithmetic.problems(arithmetic.train))
    places = reference.transformers.position_encoding_sinusoid
    ques_pos, ans_pos = (places(part.shape[1], M).float() for part in (ques, ans))

    def batch(chosen):
        N = len(chosen)
        return ques[chosen], ques_pos.expand(N, -1, -1), ans[chosen], ans_pos.expand(N, -1, -1)

    batches = [batch(chosen) for chosen in draw.permutation(len(ques)).split(BATCH)]
    model = student.transformers.Transformer(4, M, 128, 0.0, 2, 2, len(VOCABULARY))
    helpers = student.transformer_helpers
    for epochs, lr in STAGES:
        model = helpers.train(
            model, batches, [], helpers.CrossEntropyLoss, epochs, lr=lr, batch_size=4 * BATCH, verbose=False
        )

    # Left to itself, the network sees the question, and of the answer what it has written already.
    ques, ans = tokens_of(arithmetic.problems(arithmetic.test))
    written, _ = helpers.inference(model, ques, ques_pos, ans_pos, ans.shape[1])
    expect(written, "the answers").has_shape(*ans.shape)
    right = torch.as_tensor(written)[:, 1:] == ans[:, 1:]
    hold_to(arithmetic.name, f"the tokens of {arithmetic.title}", int(right.sum()), right.numel())
