"""Pages and tables that people open: what is hidden stays hidden, and nothing from a submission is ever run."""

from __future__ import annotations

import base64
import csv
import hashlib
import html
import io
import json
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from grader.contract.report import AssignmentInfo, EnvironmentInfo, Report, SubmissionInfo, Times
from grader.contract.verdict import Explanation, Status, Verdict
from grader.contract.wording import Telling
from grader.pages.exchange import class_json, junit_xml
from grader.pages.files import write_class, write_submission
from grader.pages.grades import canvas_csv, grades_csv, moodle_csv
from grader.pages.html import class_page, submission_page
from grader.pages.items import bins, items

HOSTILE = "</pre><script>document.title = 'run'</script><img src=x onerror=alert(1)>&\"'\x1b[31m\u202e"
SECRETS = {"evidence": "secret-evidence", "flag": "secret-flag", "seed": "secret-seed", "fixed": "secret-difference"}

RIGHT = Verdict("t.py::one", "1.1", "Adds two numbers.", Status.PASSED, 2.0, 2.0)
WRONG = Verdict(
    "t.py::two",
    "1.10",
    "Scales.",
    Status.FAILED,
    0.0,
    3.0,
    edge="It matters.",
    explanation=Explanation(HOSTILE, hint="Divide by N.", evidence=SECRETS["evidence"]),
    flags=(SECRETS["flag"],),
    output=HOSTILE,
)
HIDDEN = Verdict(
    "t.py::three",
    "2",
    "A hidden check.",
    Status.FAILED,
    0.0,
    5.0,
    visibility="hidden",
    explanation=Explanation("secret"),
)
FIXED = Verdict(
    "t.py::four",
    "3",
    "Says little.",
    Status.FAILED,
    0.0,
    1.0,
    fixed_text="Not right.",
    explanation=Explanation("wrong", difference=SECRETS["fixed"]),
)


def report_of(*verdicts: Verdict, name: str = "ann") -> Report:
    return Report(
        schema_version=1,
        grader_version="0.1.0",
        submission=SubmissionInfo(name, "ab12", found=(HOSTILE,)),
        assignment=AssignmentInfo("toy", "A toy", "cd34"),
        environment=EnvironmentInfo("3.11.2", "2.6", "cpu", "", SECRETS["seed"], {"limits": "on"}),
        verdicts=verdicts,
        times=Times("2026-01-31T12:00:00+00:00", 12.3, {verdict.check: 0.5 for verdict in verdicts}),
    )


class Tags(HTMLParser):
    """Collects the tags of a page, and the text of its scripts and style sheets."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.own: dict[str, list[str]] = {"script": [], "style": []}
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        assert not [name for name, _ in attrs if name.startswith("on") or name == "style"]

    def handle_data(self, data):
        if self.tags and self.tags[-1] in self.own and data.strip():
            self.own[self.tags[-1]].append(data)


def pages() -> list[str]:
    report = report_of(RIGHT, WRONG, HIDDEN, FIXED, name=HOSTILE)
    return [
        submission_page(report),
        submission_page(report, staff=True),
        class_page([(HOSTILE, report), ("lost", None)], HOSTILE),
    ]


def test_nothing_from_a_submission_becomes_markup():
    for page in pages():
        tags = Tags(page).tags
        assert tags.count("script") == 1
        assert "img" not in tags
        assert "\x1b" not in page
        assert "\u202e" not in page


def test_the_policy_of_a_page_knows_its_own_script_and_style_by_their_digests():
    for page in pages():
        policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
        assert policy
        own = Tags(page).own
        for kind in ("script", "style"):
            text = re.search(rf"<{kind}>(.*?)</{kind}>", page, re.DOTALL)
            assert text
            assert text[1].strip() == "".join(own[kind]).strip()
            digest = base64.b64encode(hashlib.sha256(text[1].encode()).digest()).decode()
            assert f"{kind}-src 'sha256-{digest}'" in html.unescape(policy[1])
        assert "unsafe" not in policy[1]


def test_an_author_sees_no_hidden_check_and_nothing_that_is_for_staff():
    page = submission_page(report_of(RIGHT, WRONG, HIDDEN, FIXED))
    for secret in (*SECRETS.values(), "A hidden check."):
        assert secret not in page
    assert "Checks worth 5 more points are not shown here." in page
    assert "<strong>2</strong> of 6 points" in page
    assert "Not right." in page


def test_a_page_tells_as_little_as_is_asked_for():
    told = {level: submission_page(report_of(RIGHT, WRONG), telling=level) for level in Telling}
    assert "It matters." in told[Telling.FULL] and "Divide by N." in told[Telling.FULL]
    assert "It matters." not in told[Telling.SHORT] and "Divide by N." in told[Telling.SHORT]
    assert "Divide by N." not in told[Telling.NONE] and "Scales." in told[Telling.NONE]


def test_staff_see_everything():
    page = submission_page(report_of(RIGHT, WRONG, HIDDEN, FIXED), staff=True)
    for secret in (*SECRETS.values(), "A hidden check."):
        assert secret in page
    assert "<strong>2</strong> of 11 points" in page


def test_a_failure_of_the_grader_is_said_plainly():
    failed = Verdict("t.py::one", "1.1", "Adds.", Status.GRADER_ERROR, 0.0, 2.0)
    assert "These points are not final" in submission_page(report_of(failed))
    assert "These points are not final" not in submission_page(report_of(RIGHT))
    assert "grader error: no report" in class_page([("bob", None)], "A class")


def test_checks_stand_in_the_order_of_their_numbers_and_only_what_failed_is_open():
    page = submission_page(report_of(WRONG, RIGHT))
    assert page.index("Adds two numbers.") < page.index("Scales.")
    assert page.count("<details") == 2
    assert page.count(" open>") == 1


def test_the_class_page_links_to_the_folder_of_each_submission():
    name = "a b/../<c>\udcff"
    page = class_page([(name, report_of(RIGHT, name=name))], "A class")
    assert 'href="a%20b%2F..%2F%3Cc%3E%FF/staff.html"' in page


def test_grades_have_a_column_for_each_question_and_are_no_formulas():
    text = grades_csv([("=cmd()", report_of(RIGHT, WRONG, HIDDEN)), ("@b", None), ('c,"d"\n', report_of(RIGHT))])
    rows = list(csv.reader(io.StringIO(text)))
    assert rows[0] == ["submission", "score", "max_score", "complete", "question 1", "question 2"]
    assert rows[1] == ["'=cmd()", "2", "10", "yes", "2", "0"]
    assert rows[2] == ["'@b", "", "", "no", "", ""]
    assert rows[3] == ['c,"d"', "2", "2", "yes", "2", "0"]


def test_grades_say_who_is_behind_a_name_and_fit_the_gradebooks_of_the_platforms():
    failed = report_of(Verdict("t.py::one", "1.1", "Adds.", Status.GRADER_ERROR, 0.0, 2.0))
    rows = [("jane", report_of(RIGHT, HIDDEN)), ("bob", failed)]
    people = {"jane": {"name": "Jane Doe", "sid": "17", "email": "", "login": "=j"}, "bob": {}}
    assert grades_csv(rows, people).splitlines()[:2] == [
        "submission,name,sid,login,score,max_score,complete,question 1,question 2", "jane,Jane Doe,17,'=j,2,7,yes,2,0"
    ]  # fmt: skip
    assert canvas_csv(rows, people, "A1").splitlines() == [
        "Student,ID,SIS User ID,SIS Login ID,Section,A1", "Points Possible,,,,,7", "Jane Doe,17,,'=j,,2"
    ]  # fmt: skip
    assert moodle_csv(rows, people).splitlines() == [
        "Identifier,Full name,Email address,Grade,Maximum grade", "Participant 17,Jane Doe,,2,7"
    ]  # fmt: skip


def test_junit_counts_every_check_once_and_holds_no_markup_of_a_submission():
    failed = Verdict("t.py::one", "1.1", "Adds.", Status.GRADER_ERROR, 0.0, 2.0)
    skipped = Verdict("t.py::two", "1.2", "Adds.", Status.NOT_RUN, 0.0, 2.0)
    rows = [(HOSTILE, report_of(RIGHT, WRONG)), ("bob", report_of(failed, skipped)), ("lost", None)]
    root = ElementTree.fromstring(junit_xml(rows, HOSTILE))
    counts = [[suite.get(key) for key in ("tests", "failures", "errors", "skipped")] for suite in root]
    assert counts == [["2", "1", "0", "0"], ["2", "0", "1", "1"], ["1", "0", "1", "0"]]
    assert {element.tag for element in root.iter()} == {
        "testsuites", "testsuite", "testcase", "failure", "error", "skipped"
    }  # fmt: skip
    (failure,) = root.iter("failure")
    assert failure.get("type") == "failed"
    assert SECRETS["evidence"] not in "".join(root.itertext())


def test_a_class_as_json_has_points_by_question_and_statuses_by_check():
    people = {"ann": {"name": "Ann", "sid": ""}}
    content = json.loads(class_json([("ann", report_of(RIGHT, WRONG, HIDDEN)), ("lost", None)], "A1", people))
    ann, lost = content["submissions"]
    assert (ann["person"], ann["score"], ann["max_score"], ann["complete"]) == ({"name": "Ann"}, 2, 10, True)
    assert ann["questions"] == {"1": 2, "2": 0}
    assert ann["checks"] == {"1.1": "passed", "1.10": "failed", "2": "failed"}
    assert (lost["score"], lost["complete"]) == (None, False)


def test_the_class_page_says_how_well_submissions_were_confined():
    report = replace(report_of(RIGHT), environment=EnvironmentInfo("3.11", "2.6", "cpu", "", "s", {"level": "full"}))
    page = class_page([("ann", report), ("bob", report), ("lost", None)], "A class")
    assert "Confinement: full (2)." in page
    assert page.count(">full</td>") == 2


def test_statistics_of_a_check():
    def report(one: float, two: float) -> Report:
        return report_of(
            Verdict("one", "1", "One.", Status.PASSED if one == 2 else Status.FAILED, one, 2.0),
            Verdict("two", "2", "Two.", Status.PASSED if two == 2 else Status.PARTIAL, two, 2.0),
        )

    first, second = items([report(2, 2), report(0, 1), report(2, 2), report(0, 0)])
    assert (first.graded, first.passed, first.difficulty, first.seconds) == (4, 2, 0.5, 0.5)
    assert second.difficulty == pytest.approx(5 / 8)
    assert first.discrimination == pytest.approx(0.904534, abs=1e-5)
    assert items([report(2, 2)])[0].discrimination is None


def test_failures_of_the_grader_do_not_count_in_statistics():
    broken = Verdict("one", "1", "One.", Status.GRADER_ERROR, 0.0, 2.0)
    right = Verdict("one", "1", "One.", Status.PASSED, 2.0, 2.0)
    (item,) = items([report_of(broken), report_of(right)])
    assert (item.graded, item.passed, item.difficulty) == (1, 1, 1.0)


def test_bins_hold_every_submission_once():
    assert bins([0.0, 0.04, 0.05, 0.999, 1.0]) == [2, 1, *[0] * 17, 2]


@pytest.mark.browser
def test_a_browser_runs_our_script_and_no_other(tmp_path):
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium on this machine")
    report = report_of(RIGHT, WRONG, name="ann")
    (tmp_path / "ann").mkdir()
    write_submission(report, tmp_path / "ann")
    write_class([("ann", report)], HOSTILE, tmp_path)
    for page in (tmp_path / "class.html", tmp_path / "ann" / "report.html"):
        command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        command += [f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", page.as_uri()]
        shown = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
        assert "<title>run</title>" not in shown
        if page.name == "class.html":
            assert '<button type="button">submission</button>' in shown  # our script ran, under the policy
