# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Names of images, command lines, and what a real engine (20.10) and a real registry (2.8) answered."""

from __future__ import annotations

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _image
from support.modules import FIXTURES

COMMIT = "3e27f9007b5784ff819904d57dda73174d3b442f"
DIGEST = "sha256:" + "4f" * 32
CONFIG = '{"InsecureRegistryCIDRs":["127.0.0.0/8"],"IndexConfigs":{"docker.io":{"Secure":true},"lab.example:5000":{"Secure":false}}}'


def fixture(name: str) -> str:
    return (FIXTURES / f"image_{name}.json").read_text(encoding="utf-8")


def test_the_id_of_a_commit_is_twelve_digits_that_never_change() -> None:
    assert _image.git_id(COMMIT, "app", "Dockerfile", {}) == "55cec4209da3"


@pytest.mark.parametrize(
    "inputs",
    [
        ("0" * 40, "app", "Dockerfile", {"A": "1"}),
        (COMMIT, "", "Dockerfile", {"A": "1"}),
        (COMMIT, "app", "deploy/Dockerfile", {"A": "1"}),
        (COMMIT, "app", "Dockerfile", {"A": "2"}),
    ],
)
def test_every_input_of_a_build_counts(inputs: tuple[str, str, str, dict[str, str]]) -> None:
    assert _image.git_id(*inputs) != _image.git_id(COMMIT, "app", "Dockerfile", {"A": "1"})


def test_what_means_the_same_has_the_same_id() -> None:
    one = _image.git_id(COMMIT, "/app/", "Dockerfile", {"A": 1, "B": "x"})
    assert one == _image.git_id(COMMIT, "app", "Dockerfile", {"B": "x", "A": "1"})


@pytest.mark.parametrize(
    "reference",
    [
        "shop", "team/shop:1.4", "registry.example.com/team/shop:1.4", "localhost:5000/shop",
        f"registry.example.com:5000/team/shop@{DIGEST}", f"team/shop:1.4@{DIGEST}", "[::1]:5000/shop:1",
    ],
)  # fmt: skip
def test_good_references(reference: str) -> None:
    assert _image.reference_problem(reference) is None


@pytest.mark.parametrize(
    "reference",
    ["https://registry.example.com/shop", "Team/Shop", "shop:", "shop@sha256:12", "--all", "a b", "shop/:1", "-x/y"],
)
def test_bad_references(reference: str) -> None:
    assert _image.reference_problem(reference)


@pytest.mark.parametrize(
    ("repository", "good"),
    [
        ("registry.example.com/team/shop", True), ("team/shop", True), ("localhost:5000/shop", True),
        ("registry.example.com/shop:1", False), ("shop", False), ("https://x/y", False), ("", False), ("-x/y", False),
    ],
)  # fmt: skip
def test_repositories_to_push_to(repository: str, good: bool) -> None:  # noqa: FBT001 - a table
    assert (_image.repository_problem(repository) is None) is good


@pytest.mark.parametrize(
    ("reference", "registry"),
    [
        ("shop:1", "docker.io"), ("team/shop", "docker.io"), ("registry.example.com/team/shop", "registry.example.com"),
        ("lab:5000/shop", "lab:5000"), ("localhost/shop", "localhost"),
    ],
)  # fmt: skip
def test_the_registry_of_a_reference(reference: str, registry: str) -> None:
    assert _image.registry_of(reference) == registry


def test_the_build_command() -> None:
    build = _image.Build("deploy/Dockerfile", {"B": "2", "A": "1"}, {"x": "y"}, {"ca": "hush"})
    argv = _image.build_cmd("shop/app:1", build.labelled("1", COMMIT), "/t/c", {"ca": "/t/s/ca"})
    assert argv == [
        "docker", "build", "--progress", "plain", "--tag", "shop/app:1", "--file", "/t/c/deploy/Dockerfile",
        "--build-arg", "A=1", "--build-arg", "B=2",
        "--label", "barehost.django.release=1", "--label", f"org.opencontainers.image.revision={COMMIT}", "--label", "x=y",
        "--secret", "id=ca,src=/t/s/ca", "/t/c",
    ]  # fmt: skip


def test_no_revision_gets_no_label() -> None:
    assert _image.LABEL_REVISION not in _image.Build().labelled("1", "").labels


@pytest.mark.parametrize("name", ["a,src=/etc/shadow", "../x", "", "a b"])
def test_the_id_of_a_secret_cannot_say_more_than_a_name(name: str) -> None:
    assert _image.secret_problem(name)
    assert _image.secret_problem("pip_conf") is None


def test_login_takes_the_password_from_standard_input_only() -> None:
    assert _image.login_cmd("lab:5000", "robot") == [
        "docker", "login", "--username", "robot", "--password-stdin", "lab:5000",
    ]  # fmt: skip
    assert _image.login_cmd("docker.io", "robot")[-1] == "--password-stdin"


@pytest.mark.parametrize(
    ("registry", "insecure"),
    [
        ("127.0.0.1:5005", True), ("localhost:5000", True), ("lab.example:5000", True),
        ("docker.io", False), ("registry.example.com", False), ("127.example.com", False), ("[::1]:5000", False),
    ],
)  # fmt: skip
def test_only_where_the_engine_does_without_tls_does_its_client(registry: str, insecure: bool) -> None:  # noqa: FBT001
    assert _image.is_insecure(registry, CONFIG) is insecure
    assert _image.is_insecure(registry, "") is False


def test_a_real_image() -> None:
    image = _image.parse_image(fixture("inspect"))
    assert image is not None
    assert _image.image_id(image.id) == "74f7e17c1638"
    assert image.labels[_image.LABEL_REVISION] == COMMIT
    assert _image.parse_image("[]\n") is None


def test_a_real_manifest_is_recognised_by_both_kinds_of_engine() -> None:
    digests = _image.manifest_digests(fixture("manifest_verbose"))
    image = _image.parse_image(fixture("inspect"))
    assert image is not None
    assert image.named(digests)
    # An engine with the image store of containerd calls the image by the digest of its manifest.
    manifest = image.digests[0].partition("@")[2]
    assert _image.Image(manifest).named(digests)
    assert not _image.Image("sha256:0").named(digests)


@pytest.mark.parametrize("answer", ["", "no such manifest: x", "[]", "{}"])
def test_no_manifest_no_digests(answer: str) -> None:
    assert _image.manifest_digests(answer) == set()


@pytest.mark.parametrize(
    ("output", "part"),
    [
        ("no basic auth credentials", "wants a login"),
        ("pull access denied for x, repository does not exist or may require 'docker login'", "wants a login"),
        ("manifest for x:nope not found: manifest unknown: manifest unknown", "has no image of that name"),
        ("dial tcp 127.0.0.1:5999: connect: connection refused", "reaches lab:5000"),
        ("write /var/lib/docker/t/x: no space left on device", "disk is full"),
    ],
)
def test_advice_on_a_pull(output: str, part: str) -> None:
    assert part in _image.pull_advice(output, "lab:5000")


def test_advice_on_a_client_without_buildx_is_right_on_the_controller_too() -> None:
    advice = _image.build_advice("ERROR: BuildKit is enabled but the buildx component is missing or broken.")
    assert "on a host bootstrap installs it, on the controller you do" in advice


def test_an_error_is_one_line_first() -> None:
    first, _second, *rest = _image.explain("building x", 1, "\nboom\nlast\n", "mend it.").splitlines()
    assert first == "building x failed (exit 1); the release that serves is untouched: mend it."
    assert rest == ["boom", "last"]
    assert "\n" not in _image.explain("building x", 1, " ", "mend it.")
