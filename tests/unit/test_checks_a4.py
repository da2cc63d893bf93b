"""Right solutions of A4 in other forms than the reference's pass the checks in which they differ, wrong ones do not."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "reference" / "a4" / "rnn_lstm_captioning.py"
CAPTIONING = "test_captioning or test_lstm or test_attention"
IN_ONE = {
    """        self.image_encoder = ImageEncoder(pretrained=image_encoder_pretrained)
        self.project = nn.Linear(input_dim, hidden_dim)
""": """        encoder = ImageEncoder(pretrained=image_encoder_pretrained)
        self.look = nn.Sequential(encoder, nn.Conv2d(input_dim, hidden_dim, 1))
""",
    """        features = self.image_encoder(images)  # (N, C, 4, 4)
        A = self.project(features.permute(0, 2, 3, 1)).permute(0, 3, 1, 2).contiguous()
""": """        A = self.look(images)
""",
}


# As torch's own function takes it: None is no word to be ignored.
LOSS = {'{} if ignore_index is None else {"ignore_index": ignore_index}': '{"ignore_index": ignore_index}'}
LOOK = """        features = self.image_encoder(images)  # (N, C, 4, 4)
        A = """
PROJECT = "self.project = nn.Linear(input_dim, hidden_dim)"
WIDE = {
    PROJECT: "self.project = nn.Linear(input_dim if cell_type == 'attn' else 16 * input_dim, hidden_dim)",
    LOOK: """        features = self.image_encoder(images)
        if self.cell_type != "attn":
            return None, self.project(features.flatten(1))
        A = """,
}
POOLED = {
    PROJECT: PROJECT + "\n        self.pool = nn.Linear(16, 1)",
    LOOK: """        features = self.image_encoder(images)
        if self.cell_type != "attn":
            return None, self.project(self.pool(features.flatten(2)).squeeze(2))
        A = """,
}
LARGEST = {
    "return A, A.mean(dim=(2, 3))": "return A, A.mean(dim=(2, 3)) if self.cell_type == 'attn' else A.amax(dim=(2, 3))"
}
BY_NAME = {
    'h = self.cell(words, A if self.cell_type == "attn" else h0)': (
        'h = self.cell(x=words, A=A) if self.cell_type == "attn" else self.cell(x=words, h0=h0)'
    )
}
CHANNELS = {PROJECT: "self.project = nn.Linear(self.image_encoder.grid_channels, hidden_dim)"}
EXTRACTED = "self.extractor.extract_mobilenet_feature(features)"
SCRAMBLED = {
    'self.cell(words, A if self.cell_type == "attn" else h0)': (
        'self.cell(words, A.transpose(1, 2).reshape(A.shape) if self.cell_type == "attn" else h0)'
    )
}


def stopping(word: str) -> dict[str, str]:
    """Changes with which sampling leaves <NULL> where a caption has come to a word."""
    return {
        "captions, looks = [], []": "captions, looks, going = [], [], torch.ones_like(word, dtype=torch.bool)",
        "            captions.append(word)\n": (
            f"            going = going & (word != {word})\n"
            "            captions.append(torch.where(going, word, self._null))\n"
        ),
    }


def changed(folder: Path, *changes: dict[str, str], file: Path = REFERENCE, name: str = REFERENCE.name) -> Path:
    """A submission with changes in the text of a file; each text that is replaced occurs once."""
    text = file.read_text(encoding="utf-8")
    for old, new in [change for some in changes for change in some.items()]:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    (folder / name).write_text(text, encoding="utf-8")
    return folder


def verdicts(folder: Path, selection: str) -> dict[str, dict]:
    """The verdicts of the checks of A4 that ``selection`` names, by number."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "assignments/a4", "-k", selection]
    command += ["--submission", str(folder), "--seed", "s", "--report", str(folder / "report.json")]
    subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    found = json.loads((folder / "report.json").read_text(encoding="utf-8"))["verdicts"]
    return {verdict["number"]: verdict for verdict in found if verdict["status"] != "not_run"}


def judged(folder: Path, selection: str) -> str:
    """What pytest says about the checks of A4 that ``selection`` names, in its last line."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "assignments/a4", "-k", selection]
    command += ["--submission", str(folder), "--seed", "s"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout.strip().splitlines()[-1]


@pytest.mark.slow
def test_functions_of_2020_and_features_in_the_place_of_images_are_right(tmp_path: Path) -> None:
    shutil.copy(ROOT / "tests/unit/forms_a4/captioning_2020.py", tmp_path / "rnn_lstm_attention_captioning.py")
    assert "passed" in judged(tmp_path, CAPTIONING)


@pytest.mark.slow
def test_a_transformer_in_another_style_is_right(tmp_path: Path) -> None:
    shutil.copy(ROOT / "tests/unit/forms_a4/transformers_loops.py", tmp_path / "transformers.py")
    assert "passed" in judged(tmp_path, "test_transformer_ or test_transformer.py")


@pytest.mark.slow
def test_an_image_encoder_may_stand_in_a_sequence_of_layers(tmp_path: Path) -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    for old, new in IN_ONE.items():
        assert text.count(old) == 1
        text = text.replace(old, new)
    (tmp_path / REFERENCE.name).write_text(text, encoding="utf-8")
    assert "passed" in judged(tmp_path, "test_captioning")


@pytest.mark.slow
@pytest.mark.parametrize("start", [WIDE, POOLED], ids=["all cells", "weights that are learned"])
def test_the_first_state_may_be_an_affine_map_of_all_cells(tmp_path: Path, start: dict[str, str]) -> None:
    assert "passed" in judged(changed(tmp_path, start, LOSS), "test_captioning.py")


@pytest.mark.slow
def test_a_caption_may_end_with_null_and_parts_be_called_by_name(tmp_path: Path) -> None:
    changed(tmp_path, stopping("self._end"), LOSS, BY_NAME, CHANNELS)
    assert "passed" in judged(tmp_path, "test_captioning.py")


@pytest.mark.slow
def test_the_largest_feature_is_no_start_and_null_no_word(tmp_path: Path) -> None:
    changed(tmp_path, stopping("word"), LARGEST)
    found = verdicts(tmp_path, "test_rnn_loss or test_lstm_loss or test_attention_loss or test_attention_sample")
    status = {number: verdict["status"] for number, verdict in found.items()}
    assert status == {"13.1": "failed", "13.2": "failed", "13.3": "passed", "14.3": "failed"}


@pytest.mark.slow
def test_what_is_wrong_beside_a_broken_part_is_told(tmp_path: Path) -> None:
    verdict = verdicts(changed(tmp_path, SCRAMBLED, LOSS), "test_attention_loss")["13.3"]
    assert verdict["status"] == "failed" and verdict["explanation"]["message"].startswith("loss is ")
    assert any("yours made more of it fail" in note for note in verdict["notes"])


@pytest.mark.slow
def test_cells_that_are_right_earn_their_share(tmp_path: Path) -> None:
    verdict = verdicts(changed(tmp_path, SCRAMBLED, LOSS), "test_larger")["13.8"]
    assert verdict["status"] == "partial" and round(verdict["points"] / verdict["max_points"], 2) == 0.67
    assert "With cell_type='attn': loss is" in verdict["explanation"]["message"]


@pytest.mark.slow
def test_a_gradient_of_a_wrong_shape_is_paid_for_once(tmp_path: Path) -> None:
    changed(tmp_path, {"da.sum(dim=(0, 1))": "da.sum(dim=(0, 1)).expand(len(x), -1)"})
    found = verdicts(tmp_path, "test_rnn_dw or test_rnn_repeated")
    assert (found["4.2"]["status"], found["4.3"]["status"]) == ("failed", "passed")


@pytest.mark.slow
def test_files_of_2020_take_torchs_short_names_from_the_helper_and_make_an_extractor(tmp_path: Path) -> None:
    file = ROOT / "tests/unit/forms_a4/captioning_2020.py"
    imports = """import torch
from torch import nn
from torch.nn import functional as F
"""
    extractor = """        self.extractor = FeatureExtractor(pooling=cell_type != "attention", **how)
        self.to_hidden"""
    own = """

class FeatureExtractor:
    def __init__(self, pooling=False, verbose=False, device="cpu", dtype=torch.float32):
        import torchvision


class CaptioningRNN("""
    changes = {
        imports: "from a4_helper import *\n",
        "        self.to_hidden =": extractor + " =",
        "self.to_hidden(features)\n        if": f"self.to_hidden({EXTRACTED})\n        if",
        "self.to_hidden(features)\n        A": f"self.to_hidden({EXTRACTED})\n        A",
        "\n\nclass CaptioningRNN(": own,
    }
    changed(tmp_path, changes, file=file, name="rnn_lstm_attention_captioning.py")
    assert "passed" in judged(tmp_path, "test_captioning.py or test_loss")


@pytest.mark.slow
def test_attention_in_two_loops_may_keep_its_scores_in_single_precision(tmp_path: Path) -> None:
    file = ROOT / "tests/unit/forms_a4/transformers_loops.py"
    changes = {"torch.zeros(K, K, dtype=query.dtype)": "torch.zeros(K, K)"}
    changed(tmp_path, changes, file=file, name="transformers.py")
    assert "3 passed" in judged(tmp_path, "test_single")


@pytest.mark.slow
def test_attention_in_two_loops_must_be_scaled_in_single_precision_too(tmp_path: Path) -> None:
    file = ROOT / "tests/unit/forms_a4/transformers_loops.py"
    changes = {"torch.zeros(K, K, dtype=query.dtype)": "torch.zeros(K, K)", ".sum() / M**0.5": ".sum() / M"}
    found = verdicts(changed(tmp_path, changes, file=file, name="transformers.py"), "test_single")
    assert (found["32.1"]["status"], found["32.2"]["status"]) == ("failed", "failed")


@pytest.mark.slow
def test_a_block_with_one_norm_in_both_places_loses_that_in_its_constructor(tmp_path: Path) -> None:
    file = ROOT / "reference/a4/transformers.py"
    text = file.read_text(encoding="utf-8")
    encoder = text[text.index("class EncoderBlock") : text.index("def get_subsequent_mask")]
    assert encoder.count("self.norm2(") == 1 and encoder.count("self.norm2 =") == 1
    line = next(line for line in encoder.splitlines(keepends=True) if "self.norm2 =" in line)
    changed(
        tmp_path, {encoder: encoder.replace(line, "").replace("self.norm2(", "self.norm1(")}, file=file, name=file.name
    )
    found = verdicts(tmp_path, "test_encoder")
    assert {number for number, verdict in found.items() if verdict["status"] != "passed"} == {"43.2"}


@pytest.mark.slow
def test_a_norm_with_two_names_loses_that_in_the_constructor(tmp_path: Path) -> None:
    file = ROOT / "reference/a4/transformers.py"
    text = file.read_text(encoding="utf-8")
    encoder = text[text.index("class EncoderBlock") : text.index("def get_subsequent_mask")]
    line = next(line for line in encoder.splitlines(keepends=True) if "self.norm2 =" in line)
    named = encoder.replace(line, "        self.norm2 = self.norm1\n")
    found = verdicts(changed(tmp_path, {encoder: named}, file=file, name=file.name), "test_encoder")
    assert {number for number, verdict in found.items() if verdict["status"] != "passed"} == {"43.2"}


@pytest.mark.slow
def test_attention_that_takes_no_single_image_loses_that_alone(tmp_path: Path) -> None:
    file = REFERENCE.read_text(encoding="utf-8")
    attention = file[file.index("def dot_product_attention") : file.index("class AttentionLSTM")]
    shadowed = attention.replace("def dot_product_attention(prev_h, A):", "def _attention(prev_h, A):")
    own = """def dot_product_attention(prev_h, A):
    attn, weights = _attention(prev_h, A)
    return attn.squeeze(), weights.squeeze()


"""
    changed(tmp_path, {attention: shadowed + own})
    found = verdicts(tmp_path, "test_attention_stable or test_attention_careful")
    assert {number: verdict["points"] for number, verdict in found.items()} == {"9.4": 0.5, "9.5": 0.5}


@pytest.mark.slow
def test_each_layer_of_a_head_begins_within_its_own_bounds(tmp_path: Path) -> None:
    file = ROOT / "reference/a4/transformers.py"
    bound = "        nn.init.uniform_(self.v.weight, -((6 / (dim_in + dim_q)) ** 0.5), (6 / (dim_in + dim_q)) ** 0.5)\n"
    line = "        self.v = uniform_linear(dim_in, dim_v)\n"
    changed(tmp_path, {line: line + bound}, file=file, name=file.name)
    assert verdicts(tmp_path, "test_head_begins")["35.2"]["status"] == "failed"
