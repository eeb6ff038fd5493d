# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The rules of `.dockerignore`."""

from __future__ import annotations

import pytest
from ansible_collections.barehost.django.plugins.module_utils._ignore import Matcher, PatternError, read_patterns


def ignored(patterns: str, path: str) -> bool:
    """Whether a path is left out, its parents asked first as in a walk."""
    matcher = Matcher(read_patterns(patterns))
    parent = None
    answer = False
    parts = path.split("/")
    for depth in range(1, len(parts) + 1):
        answer, parent = matcher.check("/".join(parts[:depth]), parent)
    return answer


@pytest.mark.parametrize(
    ("patterns", "path", "expected"),
    [
        # The examples of Docker's documentation.
        ("*/temp*", "somedir/temporary.txt", True),
        ("*/temp*", "somedir/temp", True),
        ("*/temp*", "a/b/temp", False),
        ("*/*/temp*", "somedir/subdir/temporary.txt", True),
        ("temp?", "tempa", True),
        ("temp?", "temp", False),
        ("**/*.go", "a.go", True),
        ("**/*.go", "x/y/a.go", True),
        ("*.md\n!README.md", "README.md", False),
        ("*.md\n!README.md", "OTHER.md", True),
        ("*.md\n!README*.md\nREADME-secret.md", "README-secret.md", True),
        ("*.md\nREADME-secret.md\n!README*.md", "README-secret.md", False),
        # The root only, unless the pattern says otherwise.
        ("*.pyc", "a.pyc", True),
        ("*.pyc", "app/a.pyc", False),
        ("**/*.pyc", "app/deep/a.pyc", True),
        ("/foo/bar", "foo/bar", True),
        ("foo/", "foo/bar", True),
        ("./foo", "foo", True),
        ("//foo", "foo", True),
        (" foo ", "foo", True),
        ("#foo", "#foo", False),
        (" #foo", "#foo", True),
        ("\ufefffoo", "foo", True),
        ("foo\r\nbar\r\n", "foo", True),
        # Directories hand their match down, and what is inside may be excepted.
        ("a", "a/b/c", True),
        ("a\n!a/b", "a/b/c", False),
        ("a\n!a/b", "a/x", True),
        ("a/*\n!a/b", "a/b/c", False),
        ("*\n!a", "a/b", False),
        ("*\n!a/**", "a/b/c", False),
        ("**\n!**/*.py", "a/b.py", False),
        ("**\n!**/*.py", "a/b.txt", True),
        ("!a\n**/x", "a/x/f", True),
        ("**/a\n!**/a/keep", "x/a/keep", False),
        ("! a\n", "a", False),
        # Two stars.
        ("**", "any/thing", True),
        ("a/**", "a/b", True),
        ("a/**", "a", False),
        ("a/**/z", "a/z", True),
        ("a/**/z", "a/b/c/z", True),
        ("a**", "ab/c", True),
        ("**/.env", ".env", True),
        ("**/.env", "x/.env", True),
        ("**/.env", "x.env", False),
        ("**.env", "x.env", True),
        ("**.env", "y/x.env", True),
        ("**x*", "ax", False),
        ("**/a/**", "b/a/c", True),
        # Characters.
        ("a.b", "axb", False),
        ("a+(b)|{c}$^", "a+(b)|{c}$^", True),
        ("[ab]c", "ac", True),
        ("[ab]c", "cc", False),
        ("[^ab]c", "cc", True),
        ("[a-c]x", "bx", True),
        ("[[]x", "[x", True),
        (r"a\*b", "a*b", True),
        (r"a\*b", "axb", False),
        ("ñ?", "ñú", True),
        ("a\n", "a\n", False),
    ],
)
def test_table(patterns: str, path: str, expected: bool) -> None:  # noqa: FBT001
    assert ignored(patterns, path) is expected


@pytest.mark.parametrize("line", ["!", "! ", "!/.", "[a", "[]a]", "[-a]", "[^]", "[z-a]", "a\\"])
def test_malformed(line: str) -> None:
    with pytest.raises(PatternError):
        Matcher(read_patterns(line))


def test_a_directory_is_only_entered_where_something_may_be_excepted() -> None:
    matcher = Matcher(read_patterns("node_modules\nvenv\ndata\n!data/keep/this\n!logs/**"))
    assert not matcher.must_enter("node_modules")
    assert not matcher.must_enter("data/other")
    assert matcher.must_enter("data")
    assert matcher.must_enter("data/keep")
    assert matcher.must_enter("logs")
    assert Matcher(read_patterns("a\n!**/x")).must_enter("a")
    assert not Matcher(read_patterns("a")).must_enter("a")
