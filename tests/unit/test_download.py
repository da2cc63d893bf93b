"""Downloads from a server on this machine: whole, in parts, cut off, changed meanwhile, and wrong."""

from __future__ import annotations

import hashlib
import multiprocessing
import resource
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from test_cifar10 import write_archive, write_set

from grader.datasets import cifar10
from grader.datasets.download import Remote, fetch
from grader.datasets.problems import DataError
from grader.datasets.store import Origin, Store

CONTENT = np.random.default_rng(0).bytes(700_000)


@dataclass
class Server:
    """What the server holds and does, and what it was asked."""

    content: bytes = CONTENT
    etag: str = '"one"'
    ranges: bool = True
    cuts: list[int] = field(default_factory=list)  # how many bytes the next answers send before they break off
    status: int = 0
    wrong_range: bool = False
    asked: list[str] = field(default_factory=list)
    url: str = ""

    def remote(self, content: bytes = CONTENT, size: int = 10**6) -> Remote:
        return Remote(self.url, hashlib.md5(content).hexdigest(), size)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server: Server = self.server.state
        wanted = self.headers.get("Range", "")
        server.asked.append(wanted)
        if server.status:
            self.send_error(server.status)
            return
        fresh = self.headers.get("If-Range", server.etag) == server.etag
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and server.ranges and fresh else 0
        if wanted and start >= len(server.content):
            self.send_error(416)
            return
        body = server.content[start:]
        self.send_response(206 if start else 200)
        if start:
            told = start + 1 if server.wrong_range else start
            self.send_header("Content-Range", f"bytes {told}-{len(server.content) - 1}/{len(server.content)}")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", server.etag)
        self.end_headers()
        self.wfile.write(body[: server.cuts.pop(0)] if server.cuts else body)

    def log_message(self, *args) -> None:
        pass


@pytest.fixture
def server(monkeypatch) -> Iterator[Server]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.state = Server(url=f"http://127.0.0.1:{http.server_port}/file")
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield http.state
    http.shutdown()
    thread.join()
    http.server_close()


def left_beside(target: Path) -> list[str]:
    return sorted(path.name for path in target.parent.iterdir() if path != target and path.suffix != ".lock")


def test_a_file_is_fetched_once_with_progress(server, tmp_path):
    target, seen = tmp_path / "deep" / "file", []
    for _ in range(2):
        fetch(server.remote(), target, lambda done, total: seen.append((done, total)))
    assert target.read_bytes() == CONTENT and server.asked == [""]
    assert seen[0] == (0, len(CONTENT)) and seen[-1] == (len(CONTENT), len(CONTENT)) and sorted(seen) == seen
    assert left_beside(target) == []


def test_a_connection_that_breaks_off_goes_on_where_it_stopped(server, tmp_path):
    server.cuts = [300_000, 200_000]
    fetch(server.remote(), tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert server.asked == ["", "bytes=300000-", "bytes=500000-"]


def test_a_later_call_goes_on_too(server, tmp_path):
    target = tmp_path / "file"
    server.cuts = [300_000, 0]
    with pytest.raises(DataError, match=r"it ended after 300,000 of 700,000 bytes.*300,000 bytes are kept"):
        fetch(server.remote(), target)
    assert not target.exists()
    fetch(server.remote(), target)
    assert target.read_bytes() == CONTENT and server.asked[-1] == "bytes=300000-"


def test_another_version_on_the_server_starts_anew(server, tmp_path):
    target = tmp_path / "file"
    server.cuts = [300_000, 0]
    with pytest.raises(DataError):
        fetch(server.remote(), target)
    server.content, server.etag = CONTENT[::-1], '"two"'
    fetch(server.remote(CONTENT[::-1]), target)
    assert target.read_bytes() == CONTENT[::-1]


def test_a_server_that_knows_no_ranges_starts_anew(server, tmp_path):
    server.ranges, server.cuts = False, [300_000]
    fetch(server.remote(), tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT and len(server.asked) == 2


def test_a_server_that_sends_another_part_is_not_believed(server, tmp_path):
    server.wrong_range, server.cuts = True, [300_000]
    with pytest.raises(DataError, match="another part of the file"):
        fetch(server.remote(), tmp_path / "file")
    assert not (tmp_path / "file").exists()


def test_a_part_that_is_already_whole_is_checked_and_taken(server, tmp_path):
    target = tmp_path / "file"
    server.cuts = [0]
    with pytest.raises(DataError):
        fetch(server.remote(), target)
    (tmp_path / ".file.part").write_bytes(CONTENT)
    fetch(server.remote(), target)
    assert target.read_bytes() == CONTENT


def test_a_wrong_checksum_keeps_nothing(server, tmp_path):
    with pytest.raises(DataError, match=r"has the MD5 value \w+; \w+ was expected, so it was not kept"):
        fetch(server.remote(b"another"), tmp_path / "file")
    assert not (tmp_path / "file").exists() and left_beside(tmp_path / "file") == []


def test_a_file_that_is_too_long_is_cut_off(server, tmp_path):
    with pytest.raises(DataError, match="more than the 1,000 bytes"):
        fetch(server.remote(size=1000), tmp_path / "file")
    assert not (tmp_path / "file").exists() and not (tmp_path / ".file.part").exists()


@pytest.mark.parametrize("status", [404, 403, 500])
def test_what_the_server_refuses(server, tmp_path, status):
    server.status = status
    with pytest.raises(DataError, match=f"could not be fetched .the server answered {status}"):
        fetch(server.remote(), tmp_path / "file")


def test_no_server(tmp_path):
    with pytest.raises(DataError, match=r"http://127\.0\.0\.1:1/file could not be fetched"):
        fetch(Remote("http://127.0.0.1:1/file", "", 10), tmp_path / "file")


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/file", "/etc/passwd"])
def test_other_kinds_of_addresses_are_refused(tmp_path, url):
    with pytest.raises(DataError, match="no http or https address"):
        fetch(Remote(url, "", 10), tmp_path / "file")


def test_a_full_disk_is_told_in_one_sentence_and_leaves_no_file(server, tmp_path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, before[1]))
    try:
        with pytest.raises(DataError, match=r"could not be written .*; make room there"):
            fetch(server.remote(), tmp_path / "file")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not (tmp_path / "file").exists()
    fetch(server.remote(), tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_cache_that_cannot_be_written(server, tmp_path):
    (tmp_path / "cache").write_text("a file, not a folder")
    with pytest.raises(DataError, match="could not be written"):
        fetch(server.remote(), tmp_path / "cache" / "file")


def _fetch(remote: Remote, target: Path, gate, results) -> None:
    gate.wait()
    results.put(hashlib.md5(fetch(remote, target).read_bytes()).hexdigest())


def test_many_processes_download_once(server, tmp_path):
    context = multiprocessing.get_context("fork")
    gate, results = context.Barrier(4), context.Queue()
    arguments = (server.remote(), tmp_path / "file", gate, results)
    running = [context.Process(target=_fetch, args=arguments) for _ in range(4)]
    for process in running:
        process.start()
    assert [results.get(timeout=60) for _ in running] == [server.remote().md5] * 4
    for process in running:
        process.join()
    assert len(server.asked) == 1


def test_the_store_downloads_what_is_nowhere_and_reads_it(server, tmp_path, monkeypatch):
    monkeypatch.delenv("SCRATCHGRADE_CIFAR10", raising=False)
    archive = write_archive(tmp_path / "made.tar.gz", write_set(tmp_path))
    server.content = archive.read_bytes()
    store = Store(tmp_path / "cache")
    for _ in range(2):
        source = store.fetch("cifar10", server.remote(server.content))
        assert (source.origin, source.path) == (Origin.CACHE, tmp_path / "cache" / "downloads" / cifar10.ARCHIVE)
    assert len(server.asked) == 1
    assert store.images("cifar10").digest == cifar10.load(archive).digest
