"""The experiments of A4 in small: what is held out, what is measured, and which pictures are left."""

import importlib
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from grader.datasets import scenes
from grader.judge.reference import importing

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = (ROOT / "reference" / "a4", ROOT / "assignments" / "a4" / "provided")
CELLS = ("rnn", "lstm", "attn")


@pytest.fixture(scope="module")
def a4():
    """The experiments, imported as the program does."""
    with importing(*FOLDERS):
        names = ("experiments", "trials.arithmetic", "trials.captioning")
        yield SimpleNamespace(**{name.rpartition(".")[2]: importlib.import_module(name) for name in names})


@pytest.fixture(scope="module")
def few(a4):
    """Captioned pictures: 20 to learn from, 9 held out."""
    return a4.captioning.parts(scenes.make(20, 9))


# ---- arithmetic ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def problems(a4):
    """Those to learn from, and those to be asked."""
    return a4.arithmetic.sets(0)


def test_no_question_is_asked_that_was_learnt_from(a4, problems):
    learnt, asked = problems
    questions = [{tuple(row) for row in a4.arithmetic.as_numbers(part)[0].tolist()} for part in (learnt, asked)]
    assert [len(each) for each in questions] == [len(learnt), len(asked)]
    assert not questions[0] & questions[1]
    assert len(asked) > 1500
    assert {item.operation.value for item in asked} == {"add", "subtract"}
    assert max(abs(item.left) for item in learnt) == 49 and min(item.result for item in learnt) < -90


def test_problems_as_numbers(a4, problems):
    ques, ans = a4.arithmetic.as_numbers(problems[0][:3])
    assert (ques.shape, ans.shape) == ((3, 9), (3, 5))


def test_answers_to_held_out_questions_are_counted(a4, problems, monkeypatch):
    learnt, asked = problems
    monkeypatch.setattr(a4.arithmetic, "sets", lambda seed: (learnt[:40], asked[:7]))
    exact, right_words, count, cpu_seconds = a4.arithmetic.learn_arithmetic(0, epochs=2)
    assert count == 7 and cpu_seconds > 0
    assert 0 <= exact <= right_words <= 1


# ---- captions ------------------------------------------------------------------------------------------------------


def test_captions_are_learnt_by_heart(a4, few):
    data, _ = few
    first, _ = a4.captioning.overfit(data, "rnn", 0, n=4, epochs=1)
    later, _ = a4.captioning.overfit(data, "rnn", 0, n=4, epochs=8)
    assert later < 0.7 * first
    n, loss, _ = a4.captioning.by_heart(data, "lstm", 0, n=5, epochs=8)
    assert n == 5 and loss < first


def test_the_encoder_is_asked_for_words_of_its_pictures(a4, few):
    data, _ = few
    wanted = a4.captioning.word_frequencies(data)
    torch.testing.assert_close(wanted.sum(dim=1), torch.ones(20))
    told = set(data.captions[3].flatten().tolist()) - {0, 1, 2, 3}
    assert set(wanted[3].nonzero().flatten().tolist()) == told


def test_features_are_standardised_by_those_to_learn_from(a4):
    seen, others = 3 * torch.rand(50, 6, 4, 4) + 2, torch.rand(7, 6, 4, 4)
    scaled, moved = a4.captioning.standardised(seen, others)
    of_pictures = scaled.mean(dim=(2, 3))
    torch.testing.assert_close(of_pictures.mean(dim=0), torch.zeros(6), atol=1e-4, rtol=0)
    torch.testing.assert_close(of_pictures.std(dim=0), torch.ones(6))
    assert moved.mean() < -5


def test_the_loss_is_that_of_all_captions(a4, few):
    data, _ = few
    network = a4.captioning.captioner(data, "rnn", 8, 0)
    network.image_encoder = torch.nn.Identity()
    seen, captions = torch.randn(5, 400, 4, 4), data.captions[:5].expand(-1, 3, -1)
    torch.testing.assert_close(
        torch.tensor(a4.captioning.mean_loss(network, seen, captions)), network(seen, captions[:, 0]).detach()
    )


def test_bleu(a4, few):
    pytest.importorskip("sacrebleu")
    _, held_out = few
    known = (held_out.captions != held_out.words.index("<UNK>")).all(dim=2).squeeze(1)
    held_out = a4.captioning.Captioned(held_out.images[known], held_out.captions[known], held_out.words)
    right = held_out.captions[:, 0, 1:]
    assert a4.captioning.bleu(right, held_out) == pytest.approx(100)
    assert a4.captioning.bleu(right.roll(1, dims=0), held_out) < 70
    unknown = torch.where(right > 3, torch.tensor(held_out.words.index("<UNK>")), right)
    assert a4.captioning.bleu(unknown, held_out) < 1


def test_captioners_are_measured_and_shown(a4, few, tmp_path):
    pytest.importorskip("sacrebleu")
    pytest.importorskip("matplotlib")
    Image = pytest.importorskip("PIL.Image")
    with importing(*FOLDERS):
        show = importlib.import_module("trials.show")
    data, held_out = few
    seen, seen_held_out, _ = show.see(data, held_out, 0, sides=(56,))
    assert seen.shape == (20, 400, 4, 4) and len(seen_held_out) == 9
    described = {cell: show.describe(data, seen, held_out, seen_held_out, cell, 0, epochs=1) for cell in CELLS}
    for found in described.values():
        assert found.held_out_loss > 0 and 0 <= found.bleu <= 100 and len(found.captions) == 9
    paths = show.draw(tmp_path / "new" / "folder", held_out, described)
    for path in paths:
        with Image.open(path) as picture:
            assert min(picture.size) > 300
            assert len(picture.convert("RGB").getcolors(2**24)) > 1000


# ---- the command ---------------------------------------------------------------------------------------------------


def test_a_missing_library_is_named_before_data_are_read(a4, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["experiments.py", "captions", "--data", "nowhere"])
    monkeypatch.setattr(a4.experiments.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit) as ended:
        a4.experiments.main()
    assert ended.value.code == 2
    message = capsys.readouterr().err
    assert "needs matplotlib and sacrebleu; run: pip install 'scratchgrade[experiments]'" in message
