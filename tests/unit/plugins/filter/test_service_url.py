# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""URLs through the libraries that read them."""

from __future__ import annotations

from urllib.parse import parse_qs, unquote, urlsplit

import dj_database_url
import pytest
import redis
from ansible.errors import AnsibleFilterError
from ansible_collections.barehost.django.plugins.filter.service_url import FilterModule, service_url
from celery import Celery
from hypothesis import given, settings
from hypothesis import strategies as st
from kombu.utils.url import parse_url

TEXT = st.text(
    st.characters(exclude_categories=("Cs",)) | st.sampled_from("/:@?#%&=+;[]\\'\" $,"), min_size=1, max_size=20
)
HOSTS = st.sampled_from(["mysql", "redis", "db-1.example.org", "10.0.0.7", "::1", "2001:db8::7"])
PORTS = st.integers(1, 65_535)


@pytest.mark.parametrize(
    ("arguments", "url"),
    [
        ({"scheme": "mysql", "host": "mysql"}, "mysql://mysql"),
        (
            {"scheme": "mysql", "host": "mysql", "port": 3306, "user": "app", "password": "p@ss/w:rd", "path": "app"},
            "mysql://app:p%40ss%2Fw%3Ard@mysql:3306/app",
        ),
        ({"scheme": "redis", "host": "redis", "port": "6379", "password": "x", "path": 0}, "redis://:x@redis:6379/0"),
        ({"scheme": "redis", "host": "redis", "user": "u"}, "redis://u@redis"),
        ({"scheme": "redis", "host": "redis", "user": "", "password": "", "port": "", "path": ""}, "redis://redis"),
        ({"scheme": "https", "host": "App.Example.ORG", "path": "a/b c"}, "https://app.example.org/a/b%20c"),
        ({"scheme": "mysql", "host": "::1", "port": 1}, "mysql://[::1]:1"),
        ({"scheme": "mysql", "host": "[::1]", "port": 1}, "mysql://[::1]:1"),
        (
            {"scheme": "mysql", "host": "h", "path": "d", "query": {"charset": "utf8mb4", "ssl": True, "x": "a&b=c d"}},
            "mysql://h/d?charset=utf8mb4&ssl=true&x=a%26b%3Dc%20d",
        ),
    ],
)
def test_table(arguments: dict[str, object], url: str) -> None:
    assert service_url(**arguments) == url


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        ({"scheme": "MySQL", "host": "h"}, "scheme 'MySQL'"),
        ({"scheme": "", "host": "h"}, "scheme ''"),
        ({"scheme": "mysql", "host": ""}, "host ''"),
        ({"scheme": "mysql", "host": "a b"}, "host 'a b'"),
        ({"scheme": "mysql", "host": "user@h"}, "host 'user@h'"),
        ({"scheme": "mysql", "host": "h:1"}, "host 'h:1'"),
        ({"scheme": "mysql", "host": "[h]"}, "host '[h]'"),
        ({"scheme": "mysql", "host": "h", "port": 0}, "port 0"),
        ({"scheme": "mysql", "host": "h", "port": 65_536}, "port 65536"),
        ({"scheme": "mysql", "host": "h", "port": "x"}, "port 'x'"),
        ({"scheme": "mysql", "host": "h", "port": True}, "port True"),
        ({"scheme": "mysql", "host": "h", "password": "hunter2\ud800"}, "password is not valid Unicode"),
    ],
)
def test_refused(arguments: dict[str, object], fragment: str) -> None:
    with pytest.raises(AnsibleFilterError) as caught:
        service_url(**arguments)
    assert fragment in str(caught.value)
    assert "hunter2" not in str(caught.value)


@given(HOSTS, PORTS, TEXT, TEXT, TEXT, st.dictionaries(TEXT, TEXT, max_size=3))
def test_urllib(  # noqa: PLR0913, PLR0917 - a URL has that many parts
    host: str, port: int, user: str, password: str, path: str, query: dict[str, str]
) -> None:
    parts = urlsplit(service_url("mysql", host, port, user, password, path, query))
    assert (parts.hostname, parts.port) == (host, port)
    assert (unquote(parts.username or ""), unquote(parts.password or "")) == (user, password)
    assert unquote(parts.path[1:]) == path
    assert parse_qs(parts.query, strict_parsing=bool(query)) == {key: [value] for key, value in query.items()}


@given(HOSTS, PORTS, TEXT, TEXT, TEXT)
def test_dj_database_url(host: str, port: int, user: str, password: str, name: str) -> None:
    database = dj_database_url.parse(service_url("mysql", host, port, user, password, name))
    assert database["ENGINE"] == "django.db.backends.mysql"
    found = (database["HOST"], database["PORT"], database["USER"], database["PASSWORD"], database["NAME"])
    assert found == (host, port, user, password, name)


@given(HOSTS, PORTS, st.none() | TEXT, TEXT, st.integers(0, 15))
def test_redis(host: str, port: int, user: str | None, password: str, database: int) -> None:
    client = redis.Redis.from_url(service_url("redis", host, port, user, password, database))
    known = client.connection_pool.connection_kwargs
    assert (known["host"], known["port"], known["db"]) == (host, port, database)
    assert (known.get("username"), known["password"]) == (user, password)


@given(HOSTS, PORTS, TEXT, TEXT, TEXT)
def test_kombu(host: str, port: int, user: str, password: str, path: str) -> None:
    parts = parse_url(service_url("amqp", host, port, user, password, path))
    assert (parts["hostname"], parts["port"]) == (host, port)
    assert (parts["userid"], parts["password"], parts["virtual_host"]) == (user, password, path)


@settings(max_examples=30)
@given(HOSTS, PORTS, TEXT, st.integers(0, 15))
def test_celery_broker_and_results(host: str, port: int, password: str, database: int) -> None:
    url = service_url("redis", host, port, None, password, database)
    app = Celery("t", broker=url, backend=url)
    broker = app.connection_for_read()
    assert (broker.hostname, broker.port, broker.password) == (host, port, password)
    assert str(broker.virtual_host) == str(database)
    results = app.backend.connparams
    assert (results["host"], results["port"], results["password"]) == (host, port, password)
    assert int(results["db"]) == database


def test_name_of_the_filter() -> None:
    assert set(FilterModule().filters()) == {"service_url"}
