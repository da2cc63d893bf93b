"""Downloads one file over HTTP: goes on where it stopped, checks what came, and leaves a whole file or none.

The usual library for this, pooch, always starts anew and brings five packages along, so it is Python's own urllib here.
Proxies are taken from the environment, as urllib does.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from filelock import FileLock

from grader import __version__
from grader.datasets.problems import DataError

Progress = Callable[[int, int | None], None]

_CHUNK = 2**18
_SECONDS = 30.0
_ATTEMPTS = 4


@dataclass(frozen=True)
class Remote:
    """A file to fetch.

    Attributes:
        url: an http or https address.
        md5: hexadecimal MD5 value that its publisher states.
        size: bytes that it may have at most, so that no server fills the disk.
    """

    url: str
    md5: str
    size: int


def fetch(remote: Remote, target: Path, progress: Progress = lambda done, total: None) -> Path:
    """``target``, downloaded unless it is there already; one process downloads, others wait for it.

    ``progress`` is called with the bytes at hand and the bytes in all, ``None`` where the server does not tell.

    Raises:
        DataError: if it cannot be fetched or kept, or is not the file that was expected. What has come so far is kept
            beside the target, and the next call goes on from there.
    """
    if urlsplit(remote.url).scheme not in ("http", "https"):
        raise DataError(f"{remote.url} is no http or https address, which was expected; correct it.")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(target.with_name(f".{target.name}.lock")):
            if not target.exists():
                _Transfer(remote, target, progress).run()
    except OSError as error:
        raise DataError(
            f"{target} could not be written ({error.strerror or error}); make room there, or choose another cache "
            "folder."
        ) from error
    return target


class _Unfinished(Exception):
    """The connection failed or ended early; the message says how."""


class _Transfer:
    def __init__(self, remote: Remote, target: Path, progress: Progress) -> None:
        self.remote = remote
        self.target = target
        self.progress = progress
        self.part = target.with_name(f".{target.name}.part")
        self.origin = target.with_name(f".{target.name}.origin")

    def run(self) -> None:
        told = ""
        for _ in range(_ATTEMPTS):
            before = self._at_hand()
            try:
                self._request()
                return self._finish()
            except _Unfinished as error:
                told = str(error)
                if self._at_hand() <= before:
                    break
        raise DataError(
            f"{self.remote.url} could not be fetched ({told}); {self._at_hand():,} bytes are kept, and the same "
            "command goes on from there."
        )

    def _at_hand(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _request(self) -> None:
        """Fetches what is missing, and appends it."""
        request = urllib.request.Request(self.remote.url, headers=self._headers())  # noqa: S310 - http or https, see fetch
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310 - as above
                self._receive(answer)
        except urllib.error.HTTPError as error:
            if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE and self._at_hand():
                # Nothing is missing, or the server has another file by now: the checksum tells.
                return
            raise _Unfinished(f"the server answered {error.code} {error.reason}") from error
        except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
            raise _Unfinished(str(getattr(error, "reason", "") or error) or type(error).__name__) from error

    def _headers(self) -> dict[str, str]:
        headers = {"User-Agent": f"scratchgrade/{__version__}", "Accept-Encoding": "identity"}
        version = self._version_at_hand()
        if self._at_hand() and version:
            headers |= {"Range": f"bytes={self._at_hand()}-", "If-Range": version}
        return headers

    def _version_at_hand(self) -> str:
        """The server's mark of the version of which a part is at hand; empty if none, or of another address."""
        try:
            url, version = json.loads(self.origin.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return ""
        return str(version) if url == self.remote.url else ""

    def _receive(self, answer: Any) -> None:
        goes_on = answer.status == http.client.PARTIAL_CONTENT
        start = self._at_hand() if goes_on else 0
        if goes_on and not str(answer.headers.get("Content-Range", "")).startswith(f"bytes {start}-"):
            self.part.unlink()
            raise _Unfinished("the server sent another part of the file than was asked for")
        version = answer.headers.get("ETag") or answer.headers.get("Last-Modified") or ""
        self.origin.write_text(json.dumps([self.remote.url, version]), encoding="utf-8")
        length = answer.headers.get("Content-Length")
        total = start + int(length) if length and length.isdecimal() else None
        with self.part.open("ab" if goes_on else "wb") as file:
            self._copy(answer, file, start, total)

    def _copy(self, answer: Any, file: Any, done: int, total: int | None) -> None:
        self.progress(done, total)
        while chunk := answer.read(_CHUNK):
            done += len(chunk)
            if done > self.remote.size:
                self.part.unlink()
                raise DataError(
                    f"{self.remote.url} holds more than the {self.remote.size:,} bytes that were expected; correct the "
                    "address."
                )
            file.write(chunk)
            self.progress(done, total)
        if total is not None and done < total:
            raise _Unfinished(f"it ended after {done:,} of {total:,} bytes")

    def _finish(self) -> None:
        found = md5_of(self.part)
        if found != self.remote.md5:
            self.part.unlink()
            self.origin.unlink(missing_ok=True)
            raise DataError(
                f"The file from {self.remote.url} has the MD5 value {found}; {self.remote.md5} was expected, so it was "
                "not kept: fetch it again, or give another address."
            )
        with self.part.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(self.part, self.target)
        self.origin.unlink(missing_ok=True)


def md5_of(file: Path) -> str:
    """The hexadecimal MD5 value of a file."""
    total = hashlib.md5(usedforsecurity=False)
    with file.open("rb") as stream:
        while chunk := stream.read(2**20):
            total.update(chunk)
    return total.hexdigest()
