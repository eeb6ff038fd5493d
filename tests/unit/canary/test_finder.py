# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A finder that finds nothing would let every look for canaries pass: it finds them in each way in which a value is written."""

from __future__ import annotations

import base64
import html
import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

import pytest
import yaml

from tests.canary import sampler
from tests.canary.finder import Canaries, pieces_of

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = """-----BEGIN KEY-----
b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW
QyNTUxOQAAACBJr6tE0cPj2i4Vf1bU9T1n0uY9k3xkW8Q2o6vWJxJH5QAAAJjzFJbM8xSW
c0nNtZ2lKx7Qm1dTYw4hVbE9uRfG3sAoXyP6jLk5Bv8IqCz+eHr2UaMgD0FwStJnOiKp
-----END KEY-----
"""
WRITINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "JSON": json.dumps,
    "JSON in JSON": lambda text: json.dumps(json.dumps(text)),
    "YAML": lambda text: yaml.safe_dump({"a": text}),
    "a block of YAML": lambda text: yaml.safe_dump({"a": text}, default_style="|"),
    "a shell": shlex.quote,
    "a shell in a shell": lambda text: shlex.quote(shlex.quote(text)),
    "a URL": lambda text: f"redis://:{quote(text, safe='')}@redis/0",
    "a form": quote_plus,
    "Python": repr,
    "HTML": html.escape,
    "SQL": lambda text: "'" + text.replace("\\", "\\\\").replace("'", "''") + "'",
    "backslashes": lambda text: text.encode("unicode_escape").decode(),
    "hexadecimal digits": lambda text: text.encode().hex(),
    "large ones": lambda text: text.encode().hex().upper(),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 behind a letter": lambda text: base64.b64encode(b"x" + text.encode()).decode(),
    "base64 behind a name": lambda text: base64.b64encode(b"me:" + text.encode() + b"\n").decode(),
    "base64 of a document": lambda text: base64.b64encode(json.dumps([1, {"password": text}]).encode()).decode(),
    "base64 of a URL": lambda text: base64.urlsafe_b64encode(b"xy" + text.encode()).decode(),
    "base64 twice": lambda text: base64.b64encode(b"x" + base64.b64encode(b"xy" + text.encode())).decode(),
    "a name of a file": lambda text: text.replace("/", "_"),
    "only the beginning": lambda text: text[: len(text) // 2],
    "only the end": lambda text: text[len(text) // 2 :],
    "cut at the first blank": lambda text: text.split(maxsplit=1)[0],
}


@pytest.mark.parametrize("name", WRITINGS)
def test_a_canary_is_found_however_it_is_written(name: str) -> None:
    canaries = Canaries()
    values = {who: canaries.make(who) for who in ("one", "other")}
    content = f"before {WRITINGS[name](values['one'])} after"
    (leak,) = canaries.find(content.encode())
    assert leak.name == "one"
    assert f"place: {leak}" in canaries.find_in({"place": content})


def test_a_canary_in_letters_of_two_bytes_is_found() -> None:
    canaries = Canaries()
    assert canaries.find(canaries.make("one").encode("utf-16-le"))


def test_what_is_no_canary_is_not_found() -> None:
    canaries = Canaries()
    canaries.make("one")
    assert canaries.find(os.urandom(1_000_000)) == []
    assert canaries.find(Canaries().make("one").encode()) == []


@pytest.mark.parametrize("name", ["as it is", "JSON", "YAML", "base64 behind a name"])
def test_a_line_of_a_key_is_found(name: str) -> None:
    canaries = Canaries()
    canaries.add_key("key", KEY)
    for content in (KEY, KEY.splitlines()[2], KEY.splitlines()[3]):
        (leak,) = canaries.find(WRITINGS[name](content).encode())
        assert leak.name == "key"
    assert canaries.find(KEY.splitlines()[0].encode()) == []


def test_a_key_without_a_line_that_could_be_looked_for_is_an_error() -> None:
    assert len(pieces_of(KEY)) == 2
    with pytest.raises(ValueError, match="no line that could be looked for"):
        Canaries().add_key("key", "short")


def test_files_are_found_by_what_is_in_them(tmp_path: Path) -> None:
    canaries = Canaries()
    value = canaries.make("one")
    for name, content in {"leak": value, "encoded": WRITINGS["base64"](value), "clean": "nothing"}.items():
        (tmp_path / name).write_bytes(b"\0\xff" + content.encode())
    assert sorted(Path(path).name for path in canaries.find_files(tmp_path.iterdir())) == ["encoded", "leak"]


def test_the_sampler_sees_command_lines_and_environments(tmp_path: Path) -> None:
    canaries = Canaries()
    value = canaries.make("one")
    stop = tmp_path / "stop"
    argv = [sys.executable, sampler.__file__, str(stop), "60"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as look:
        assert look.stdin
        look.stdin.write(b"\n".join(pattern for pattern in canaries.patterns() if b"\0" not in pattern))
        look.stdin.close()
        time.sleep(0.5)
        for _ in range(3):
            subprocess.run(["sleep", "0.2"], env={"PATH": os.defpath, "TOLD": value}, check=True)
            subprocess.run(["sh", "-c", "sleep 0.2", value], check=True)
        stop.touch()
        assert look.stdout
        lines = [json.loads(line) for line in look.stdout.read().splitlines()]
    assert {line["kind"] for line in lines[:-1]} == {"cmdline", "environ"}
    assert any("sleep 0.2" in line["text"] for line in lines[:-1])
    assert lines[-1]["rounds"] > 3
