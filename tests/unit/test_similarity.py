"""Submissions that are alike: copies show under other names and comments, and what everybody was given does not."""

from __future__ import annotations

import re

import pytest

pytest.importorskip("copydetect", reason="copydetect is an optional dependency")

from grader.contract.course import default_course
from grader.grading.job import Job
from grader.grading.similarity import similar_pairs, sources
from grader.pages.html import similar_page

OWN = """
def svm_loss_vectorized(W, X, y, reg):
    number, classes = len(X), W.shape[1]
    scores = X.mm(W)
    picked = torch.zeros(number, classes).scatter(1, y.reshape(-1, 1), 1.0)
    right = (scores * picked).sum(1, keepdim=True)
    raw = (scores - right + 1.0) * (1.0 - picked)
    margins = torch.where(raw > 0, raw, torch.zeros_like(raw))
    loss = margins.sum().div(number).add(reg * W.pow(2).sum())
    mask = (margins > 0).to(X.dtype)
    counted = mask - picked * mask.sum(1, keepdim=True)
    slope = torch.einsum("nd,nc->dc", X, counted).div(number)
    for row in range(3):
        slope = slope + 0.0 * slope[row % slope.shape[0]].abs().max()
    return loss, slope.add(W, alpha=2.0 * reg)
"""
OTHER = """
def svm_loss_vectorized(W, X, y, reg):
    s = torch.matmul(X, W)
    n = s.size(0)
    t = s.gather(dim=1, index=y.unsqueeze(1)).expand_as(s)
    d = torch.clamp(s - t + 1, min=0)
    d[torch.arange(n), y] = 0
    total = d.sum() / n
    total += reg * torch.sum(W * W)
    g = torch.zeros_like(d)
    g[d > 0] = 1
    g[torch.arange(n), y] -= g.sum(dim=1)
    while n < 0:
        raise ValueError("there is no such number of rows", n)
    return total, (X.t() @ g) / n + (W + W) * reg
"""
COPY = re.sub(r"\b(number|classes|scores|picked|right|raw|margins|mask|counted|slope)\b", r"my_\1", OWN).replace(
    "    loss =", "    # my own idea\n    loss ="
)


@pytest.fixture
def assignment():
    return default_course().assignment("a2")


def texts(assignment, *functions: str) -> dict[str, dict[str, str]]:
    given = (assignment.template / "linear_classifier.py").read_text()
    return {f"student-{place}": {"linear_classifier": given + text} for place, text in enumerate(functions)}


def test_a_copy_under_other_names_is_found_and_work_of_ones_own_is_not(assignment):
    (pair,) = similar_pairs(texts(assignment, OWN, OTHER, COPY), assignment)
    assert (pair.left, pair.right, pair.module) == ("student-0", "student-2", "linear_classifier")
    assert pair.share > 0.9
    left, right = max(pair.passages, key=lambda passage: len(passage[0]))
    assert "counted" in left
    assert "my_counted" in right


def test_what_the_template_the_reference_or_many_have_is_no_sign(assignment):
    reference = (assignment.reference / "linear_classifier.py").read_text()
    assert similar_pairs(texts(assignment, "", "", reference, reference), assignment) == []
    assert similar_pairs(texts(assignment, OWN, COPY, OWN, OWN, COPY), assignment) == []


def test_sources_are_read_from_uploads_and_what_is_broken_is_left_out(assignment, tmp_path):
    (tmp_path / "ann").mkdir()
    (tmp_path / "ann" / "linear_classifier.py").write_text(OWN)
    (tmp_path / "bob.zip").write_bytes(b"PK no archive")
    jobs = [Job("ann", tmp_path / "ann", tmp_path), Job("bob", tmp_path / "bob.zip", tmp_path)]
    assert sources(jobs, assignment) == {"ann": {"linear_classifier": OWN}}


def test_the_page_shows_what_two_share_as_text(assignment):
    hostile = "x = '</pre><script>alert(1)</script>'\n"
    pairs = similar_pairs(texts(assignment, OWN + hostile, OTHER, COPY + hostile), assignment)
    page = similar_page(pairs, "A2")
    assert page.count("<script>") == 1
    assert "my_counted" in page
    assert 'href="student-2/staff.html"' in page
    assert "No two submissions" in similar_page([], "A2")
