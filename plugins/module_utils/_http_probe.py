# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks of a web site from outside, with the standard library alone.

http.client and not urllib.request: a probe must reach the address that it names, and urllib would follow redirects and
the proxy settings of the environment.
"""

from __future__ import annotations

import base64
import http.client
import json
import re
import socket
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin, urlsplit

MAX_BODY = 2 * 1024 * 1024
EXCERPT = 160
# Shorter words ("yes", "gzip") stand in any answer without being a secret.
SECRET_LENGTH = 8
ASSET_TYPES = {
    "stylesheet": ("text/css",),
    "script": ("text/javascript", "application/javascript", "application/x-javascript"),
    "img": ("image/",),
}


class ProbeError(Exception):
    """What was seen in place of what was expected, in one sentence without secrets."""


@dataclass(frozen=True)
class Check:
    """One request and what its answer must be."""

    name: str
    path: str = "/"
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    payload: Any = None
    body: str | None = None
    basic_auth: Mapping[str, str] | None = None
    status: tuple[int, ...] = (200,)
    content_type: str | None = None
    contains: str | None = None
    json_subset: Any = None
    capture: Mapping[str, str] = field(default_factory=dict)
    assets: bool = False
    until: bool = False
    retries: int = 0
    delay: float = 1.0
    timeout: float = 60.0


@dataclass(frozen=True)
class Response:
    """An answer, with header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """Return the body as text."""
        return self.body.decode("utf-8", "replace")

    @property
    def content_type(self) -> str:
        """Return the media type without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def json(self) -> Any:  # noqa: ANN401 - JSON is anything
        """Return the body as JSON."""
        try:
            return json.loads(self.text)
        except ValueError:
            msg = f"the answer is not JSON but {self.content_type or 'of no type'}: {excerpt(self.text)}"
            raise ProbeError(msg) from None


def parse_check(options: Mapping[str, Any], timeout: float = 60.0) -> Check:
    """Build a check from the options of a task; those that were left out take the defaults of the class."""
    given: dict[str, Any] = {"timeout": timeout}
    given.update({key: value for key, value in options.items() if value is not None})
    if "json" in given:
        given["payload"] = given.pop("json")
    status = given.get("status", 200)
    given["status"] = tuple(int(code) for code in (status if isinstance(status, (list, tuple)) else [status]))
    given["headers"] = {str(k): str(v) for k, v in given.get("headers", {}).items()}
    given["method"] = str(given.get("method", "GET")).upper()
    return Check(**given)


def excerpt(text: str) -> str:
    """Return the beginning of a text in one line."""
    flat = " ".join(text.split())
    return f"'{flat[:EXCERPT]}{'…' if len(flat) > EXCERPT else ''}'"


def redact(text: str, secrets: Sequence[str]) -> str:
    """Take secrets out of a sentence."""
    for secret in sorted((s for s in secrets if s), key=len, reverse=True):
        text = text.replace(secret, "********")
    return text


def substitute(value: Any, captured: Mapping[str, str]) -> Any:  # noqa: ANN401 - a JSON value
    """Put captured values into `{name}`; braces around anything else stay as they are."""
    if isinstance(value, str):
        return re.sub(r"\{(\w+)\}", lambda m: captured.get(m.group(1), m.group(0)), value)
    if isinstance(value, Mapping):
        return {key: substitute(item, captured) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [substitute(item, captured) for item in value]
    return value


def json_path(document: Any, path: str) -> Any:  # noqa: ANN401 - a JSON value
    """Return what stands at a dotted path (`items.0.name`)."""
    current = document
    try:
        for step in path.split("."):
            current = current[int(step)] if isinstance(current, list) else current[step]
    except (KeyError, IndexError, ValueError, TypeError):
        msg = f"the answer has no '{path}'"
        raise ProbeError(msg) from None
    return current


def subset_difference(expected: Any, seen: Any, path: str = "") -> str | None:  # noqa: ANN401, PLR0911 - JSON values
    """Say where a JSON value lacks something that is expected; dictionaries may have more keys."""
    here = path or "the answer"
    if isinstance(expected, Mapping):
        if not isinstance(seen, Mapping):
            return f"{here} is {json.dumps(seen)[:EXCERPT]}, expected an object"
        for key, value in expected.items():
            inner = f"{path}.{key}" if path else str(key)
            if key not in seen:
                return f"{inner} is missing, expected {json.dumps(value)}"
            difference = subset_difference(value, seen[key], inner)
            if difference:
                return difference
        return None
    if isinstance(expected, (list, tuple)) and isinstance(seen, list) and len(expected) == len(seen):
        places = [f"{path}.{i}" if path else str(i) for i in range(len(seen))]
        found = (subset_difference(want, seen[i], places[i]) for i, want in enumerate(expected))
        return next((difference for difference in found if difference), None)
    # A type is part of a JSON value: 1 is not true.
    if expected == seen and isinstance(expected, bool) == isinstance(seen, bool):
        return None
    return f"{here} is {json.dumps(seen)[:EXCERPT]}, expected {json.dumps(expected)}"


class AssetParser(HTMLParser):
    """Collects what a browser would load to show a page."""

    def __init__(self) -> None:
        """Start with nothing found."""
        super().__init__()
        self.found: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember the address and the kind of a style sheet, script or image."""
        values = {key: value or "" for key, value in attrs}
        if tag == "link" and "stylesheet" in values.get("rel", "").lower().split():
            self._add(values.get("href", ""), "stylesheet")
        elif tag in ("script", "img"):
            self._add(values.get("src", ""), tag)

    def _add(self, address: str, kind: str) -> None:
        if address and not address.startswith("data:"):
            self.found.setdefault(address, kind)


def linked_assets(html: str, page: str, origins: Sequence[str]) -> dict[str, str]:
    """Return path -> kind of what a page loads from its own origin."""
    parser = AssetParser()
    parser.feed(html)
    assets = {}
    for address, kind in parser.found.items():
        parts = urlsplit(urljoin(page, address))
        if parts.netloc in origins:
            assets[parts.path + (f"?{parts.query}" if parts.query else "")] = kind
    return assets


@dataclass
class Site:
    """A base URL and how to connect to it."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 10.0
    verify_tls: bool = True
    ca_file: str | None = None

    def __post_init__(self) -> None:
        """Read the URL once."""
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            msg = f"url '{self.url}' is not usable: http://host[:port] or https://host[:port] is meant"
            raise ProbeError(msg)
        self.scheme, self.host, self.port = parts.scheme, parts.hostname, parts.port
        self.prefix = parts.path.rstrip("/")
        # Without credentials that somebody wrote into the URL: it stands in messages.
        self.netloc = parts.netloc.rpartition("@")[2]

    def address(self, path: str) -> str:
        """Return the URL of a path, for a message."""
        return f"{self.scheme}://{self.netloc}{self.prefix}{path}"

    def connect(self) -> http.client.HTTPConnection:
        """Return a new connection: every check stands alone."""
        if self.scheme == "http":
            return http.client.HTTPConnection(self.host, self.port, timeout=self.timeout)
        context = ssl.create_default_context(cafile=self.ca_file)
        if not self.verify_tls:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return http.client.HTTPSConnection(self.host, self.port, timeout=self.timeout, context=context)

    def request(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None) -> Response:
        """Send one request and read its answer."""
        connection = self.connect()
        try:
            connection.request(method, self.prefix + path, body=body, headers={**self.headers, **headers})
            answer = connection.getresponse()
            names = {key.lower(): value for key, value in answer.getheaders()}
            return Response(answer.status, names, answer.read(MAX_BODY))
        except (OSError, http.client.HTTPException) as error:
            msg = f"no answer ({type(error).__name__}: {error})"
            raise ProbeError(msg) from None
        finally:
            connection.close()


def request_parts(check: Check, captured: Mapping[str, str]) -> tuple[str, dict[str, str], bytes | None]:
    """Return path, headers and body of a check."""
    headers = {"User-Agent": "barehost-probe", **substitute(check.headers, captured)}
    body = check.body.encode() if check.body is not None else None
    if check.payload is not None:
        body = json.dumps(substitute(check.payload, captured)).encode()
        headers.setdefault("Content-Type", "application/json")
    if check.basic_auth:
        pair = f"{check.basic_auth['username']}:{check.basic_auth['password']}"
        headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode("ascii")
    return substitute(check.path, captured), headers, body


def expect(check: Check, answer: Response) -> None:
    """Compare an answer with what the check wants."""
    if answer.status not in check.status:
        location = f" to {answer.headers['location']}" if "location" in answer.headers else ""
        wanted = " or ".join(str(code) for code in check.status)
        msg = f"status {answer.status}{location}, expected {wanted}; answer: {excerpt(answer.text)}"
        raise ProbeError(msg)
    if check.content_type and answer.content_type != check.content_type.lower():
        msg = f"content type '{answer.content_type}', expected '{check.content_type}'"
        raise ProbeError(msg)
    if check.contains is not None and check.contains not in answer.text:
        msg = f"'{check.contains}' is not in the answer, which begins {excerpt(answer.text)}"
        raise ProbeError(msg)
    difference = subset_difference(check.json_subset, answer.json()) if check.json_subset is not None else None
    if difference:
        raise ProbeError(difference)


def expect_assets(site: Site, path: str, headers: Mapping[str, str], html: str) -> int:
    """Load what a page links to from its own origin, and return how much that was."""
    host = {key.lower(): value for key, value in {**site.headers, **headers}.items()}.get("host", site.netloc)
    assets = linked_assets(html, site.address(path), [site.netloc, host])
    if not assets:
        msg = "the page links to no style sheet, script or image of its own site"
        raise ProbeError(msg)
    # The prefix of the site is part of a link already.
    root = replace(site, url=f"{site.scheme}://{site.netloc}")
    for asset, kind in assets.items():
        answer = root.request("GET", asset, headers)
        right = any(answer.content_type.startswith(wanted) for wanted in ASSET_TYPES[kind])
        if answer.status != http.client.OK or not right:
            wanted = f"expected 200 and {ASSET_TYPES[kind][0]}"
            msg = f"{kind} {asset}: status {answer.status}, type '{answer.content_type}', {wanted}"
            raise ProbeError(msg)
    return len(assets)


def attempt(site: Site, check: Check, captured: dict[str, str]) -> dict[str, Any]:
    """Do a check once; ProbeError when the answer is another than expected."""
    path, headers, body = request_parts(check, captured)
    answer = site.request(check.method, path, headers, body)
    seen: dict[str, Any] = {"status": answer.status}
    try:
        expect(check, answer)
        if check.assets:
            seen["assets"] = expect_assets(site, path, headers, answer.text)
        for name, place in check.capture.items():
            captured[name] = str(json_path(answer.json(), place))
    except ProbeError as error:
        error.args = (*error.args, answer.status)
        raise
    return seen


def run_check(
    site: Site,
    check: Check,
    captured: dict[str, str],
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, Any]:
    """Do a check, again and again where it is to wait for a state, and describe how it went."""
    begin = clock()
    tries = 0
    result: dict[str, Any] = {"name": check.name, "method": check.method, "status": 0, "message": ""}
    secrets = [(check.basic_auth or {}).get("password", ""), *check.headers.values(), *site.headers.values()]
    names = (site.host, site.netloc)
    hidden = [secret for secret in secrets if len(secret) >= SECRET_LENGTH and secret not in names]
    while True:
        tries += 1
        try:
            result.update(attempt(site, check, captured), ok=True, message="")
        except ProbeError as error:
            result.update(ok=False, message=redact(str(error.args[0]), hidden), status=(*error.args, 0)[1])
        spent = clock() - begin
        last = not check.until or spent + check.delay > check.timeout or (check.retries and tries > check.retries)
        if result["ok"] or last:
            break
        sleep(check.delay)
    url = site.address(substitute(check.path, captured))
    return {**result, "url": url, "tries": tries, "seconds": round(clock() - begin, 3)}


def run_all(site: Site, checks: Sequence[Check]) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Do checks in order; one that needs a value that an earlier one failed to capture is not sent."""
    captured: dict[str, str] = {}
    promised = {name for check in checks for name in check.capture}
    results = []
    for check in checks:
        needed = set(re.findall(r"\{(\w+)\}", check.path)) & promised - set(captured)
        if needed:
            message = f"not sent: it needs '{min(needed)}' from a check that failed"
            url = site.address(check.path)
            result = {"name": check.name, "method": check.method, "url": url, "status": 0, "tries": 0, "seconds": 0.0}
            results.append({**result, "ok": False, "message": message})
            continue
        results.append(run_check(site, check, captured))
    return results, captured


def port_answers(host: str, port: int, timeout: float = 2.0) -> bool:
    """Whether a TCP connection is accepted; ProbeError for an unknown name, of which nothing is proven."""
    try:
        with socket.create_connection((host, port), timeout=timeout):
            return True
    except socket.gaierror as error:
        msg = f"'{host}' cannot be looked up ({error.strerror}), so nothing is known about its ports"
        raise ProbeError(msg) from None
    except OSError:
        return False


def closed_results(host: str, ports: Sequence[int], timeout: float = 1.0) -> list[dict[str, Any]]:
    """Try ports that must not answer, all at once: a filtered one costs its whole timeout, twice, since a packet may get lost."""

    def one(port: int) -> dict[str, Any]:
        result = {"name": f"port {port} closed", "host": host, "port": port}
        try:
            answers = port_answers(host, port, timeout) or port_answers(host, port, timeout)
        except ProbeError as error:
            return {**result, "ok": False, "message": str(error)}
        return {**result, "ok": not answers, "message": "it accepts connections from outside" if answers else ""}

    with ThreadPoolExecutor(max_workers=max(1, len(ports))) as pool:
        return list(pool.map(one, ports))


def failure_line(results: Sequence[Mapping[str, Any]], closed: Sequence[Mapping[str, Any]]) -> str:
    """Return the one line that a person reads: which checks failed, where, what was seen."""
    bad = [
        f"{r['name']}: {r['method']} {r['url']}: {r['message']}"
        + (f" (after {r['tries']} tries in {r['seconds']:.0f} s)" if r["tries"] > 1 else "")
        for r in results
        if not r["ok"]
    ]
    bad += [f"{c['name']}: {c['host']}:{c['port']}: {c['message']}" for c in closed if not c["ok"]]
    return f"{len(bad)} of {len(results) + len(closed)} checks failed: " + "; ".join(bad)
