"""Right solutions of A4 in other forms than the reference's pass the checks in which they differ."""

from __future__ import annotations

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
