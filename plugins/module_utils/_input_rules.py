# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a value of the right type can still get wrong: names, domains, keys, paths, characters.

Each rule takes the resolved values (name -> value) and returns sentences; a value that is not there is not judged.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.barehost.django.plugins.module_utils import (
    _box,
    _dotenv,
    _firewall,
    _git,
    _image,
    _input,
    _input_backup,
    _input_passwords,
    _nginx,
    _service,
)

# Also the first part of an image name, whose separators stand between letters and digits and are . _ __ or dashes.
STACK_NAME = re.compile(r"(?=.{2,31}$)[a-z][a-z0-9]*(?:(?:_{1,2}|-+)[a-z0-9]+)*")
HOST_LABEL = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)")
MAX_HOSTNAME = 253
MAX_PORT = 65535
SECRET_KEY_LENGTH = 50
# A random key of 50 characters has about 30 different ones; Django itself warns below 5.
SECRET_KEY_VARIETY = 10
PLACEHOLDERS = (
    "django-insecure-",
    "changeme",
    "change-me",
    "change_me",
    "change me",
    "replace-me",
    "replace_me",
    "tu_clave",
    "tu-clave",
    "tu clave",
    "your-secret",
    "your_secret",
    "your secret",
    "placeholder",
    "insecure",
    "secret_key",
    "secret-key",
    "secretkey",
    "clave_secreta",
    "not-so-secret",
    "password",
)
ORIGINS = ("django_source_path", "django_git_repository", "django_image")
PROCESS_NAME = re.compile(r"[a-z][a-z0-9_-]*")
# What the roles of this collection call their own services.
OWN_SERVICES = ("beat", "mysql", "nginx", "redis", "web", "worker")
TRUE_WORDS = ("true", "yes", "on", "1", "t", "y")
# Variables that are counts, sizes, times and ports say so by their names; and which of these make no sense as 0.
NUMBERS = re.compile(
    r"_(burst|concurrency|connections|db|files|keep|mb|port|rate_per_second|replicas|seconds|threads|timeout|wait|workers)$"
)
POSITIVE = re.compile(
    r"_(port|replicas|threads|workers|concurrency|connections|health_timeout_seconds|data_timeout_seconds"
    r"|migrate_timeout_seconds|expiry_seconds|lock_wait_seconds)$|^release_keep$"
)
HOOKS = ("release_hooks_before_migrate", "release_hooks_after_switch", "release_hooks_on_failure")
SERIAL = re.compile(r"[1-9]\d*|[1-9]\d?%|100%")
Rule = Callable[[Mapping[str, Any]], list[str]]


def stack_name_problems(values: Mapping[str, Any]) -> list[str]:
    """Judge the name that becomes a directory, a Compose project and an image name."""
    name = values.get("stack_name")
    if not isinstance(name, str) or STACK_NAME.fullmatch(name):
        return []
    near = re.sub(r"[^a-z0-9_-]+", "-", name.lower()).strip("-_")[:31]
    hint = f", for example '{near}'" if STACK_NAME.fullmatch(near) else ""
    return [f"stack_name '{name}' is not usable: 2 to 31 of a-z, 0-9, _ and -, a letter first{hint}"]


def domain_problem(domain: str) -> str | None:
    """Say what is wrong with a host name or IP address that may carry a port, or None."""
    if "://" in domain:
        return "leave out the scheme, it belongs in stack_scheme"
    if "/" in domain or "@" in domain or re.search(r"\s", domain):
        return "only a host name or an IP address is meant, with an optional :port"
    host, port = _split_port(domain)
    if port is not None and not (re.fullmatch(r"[0-9]{1,5}", port) and 1 <= int(port) <= MAX_PORT):
        return f"the port must be a number from 1 to {MAX_PORT}"
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return _hostname_problem(host)
    return None


def _split_port(domain: str) -> tuple[str, str | None]:
    bracketed = re.fullmatch(r"\[([^\]]*)\](?::(.*))?", domain)
    if bracketed:
        return bracketed.group(1), bracketed.group(2)
    if domain.count(":") > 1:
        # A bare IPv6 address: which colon is the port's, no reader of a URL could tell.
        return f"[{domain}]", None
    host, colon, port = domain.partition(":")
    return host, (port if colon else None)


def _hostname_problem(host: str) -> str | None:
    labels = host.rstrip(".").split(".")
    if not host or len(host) > MAX_HOSTNAME:
        return f"a host name has 1 to {MAX_HOSTNAME} characters"
    bad = [label for label in labels if not HOST_LABEL.fullmatch(label)]
    if bad:
        return f"'{bad[0]}' is not a part of a host name: letters, digits and inner hyphens, at most 63"
    if labels[-1].isdigit():
        return "it is neither a valid IP address nor a host name"
    return None


def stack_domain_problems(values: Mapping[str, Any]) -> list[str]:
    """Judge the name under which the stack is reached."""
    domain = values.get("stack_domain")
    problem = domain_problem(domain) if isinstance(domain, str) else None
    return [f"stack_domain '{domain}' is not usable: {problem}"] if problem else []


def secret_key_problems(values: Mapping[str, Any]) -> list[str]:
    """Judge a SECRET_KEY that the inventory brings; an empty one is generated on the host and needs no judging."""
    key = values.get("django_secret_key")
    problems = key_problems("django_secret_key", key) if isinstance(key, str) and key else []
    env = _environment(values)
    if "SECRET_KEY" in env:
        problems += key_problems("django_env.SECRET_KEY", _dotenv.text_of(env["SECRET_KEY"]))
    return problems


def _environment(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the variables of the application's own, which have the last word over what the roles compute."""
    env = values.get("django_env")
    return env if isinstance(env, Mapping) else {}


def key_problems(name: str, key: str) -> list[str]:
    """Judge one key, by the name of the variable that it comes from."""
    advice = "leave it out to have one generated and kept on the host, or give 50 random characters or more"
    found = next((p for p in PLACEHOLDERS if p in key.lower()), None)
    if found:
        return [f"{name} is a placeholder (it contains '{found}'): {advice}"]
    if len(key) < SECRET_KEY_LENGTH:
        return [f"{name} has {len(key)} characters, fewer than {SECRET_KEY_LENGTH}: {advice}"]
    if len(set(key)) < SECRET_KEY_VARIETY or key in (key + key)[1:-1]:
        return [f"{name} repeats itself ({len(set(key))} different characters): {advice}"]
    return []


def debug_problems(values: Mapping[str, Any]) -> list[str]:
    """Refuse DEBUG outside development: it prints settings and source to every visitor."""
    environment = str(values.get("stack_environment") or "production")
    if environment == "development":
        return []
    given = {"django_debug": values.get("django_debug"), "django_env.DEBUG": _environment(values).get("DEBUG")}
    advice = "turn it off, or say stack_environment: development where nobody but developers can reach the stack"
    return [
        f"{name} is on in a {environment} inventory: {advice}"
        for name, value in given.items()
        if str(value).strip().lower() in TRUE_WORDS
    ]


def origin_problems(values: Mapping[str, Any]) -> list[str]:
    """Demand exactly one origin of the application."""
    chosen = [name for name in ORIGINS if values.get(name)]
    if len(chosen) > 1:
        return [
            f"{' and '.join(chosen)} are both set: keep the one that the application comes from, and empty the other"
        ]
    if chosen or any(name not in values for name in ORIGINS):
        return []
    missing = "django_source_path is empty, and so are django_git_repository and django_image"
    return [f"the application has no source: {missing}: set one of them"]


def git_problems(values: Mapping[str, Any]) -> list[str]:
    """Judge what names a source in git."""
    names = ("repository", "revision", "subdirectory")
    repository, revision, subdirectory = (str(values.get(f"django_git_{name}") or "") for name in names)
    if not repository:
        return []
    found = _git.problems(repository, revision, subdirectory, token=bool(values.get("django_git_token")))
    return [f"django_git_{problem}" for problem in found]


def image_problems(values: Mapping[str, Any]) -> list[str]:
    """Judge the names of images that are pulled or pushed, and what it takes to do so."""
    reference = str(values.get("django_image") or "")
    problem = _image.reference_problem(reference) if reference else None
    problems = [f"django_image '{reference}' is not usable: {problem}"] if problem else []
    if values.get("django_registry_password") and values.get("django_registry_username") == "":
        problems.append("django_registry_password is set and django_registry_username is not: give both, or neither")
    secrets = values.get("release_build_secrets")
    for name in secrets if isinstance(secrets, Mapping) else ():
        problem = _image.secret_problem(str(name))
        problems += [f"release_build_secrets: {problem}"] if problem else []
    if values.get("release_build_on") != "controller":
        return problems
    repository = str(values.get("release_push_to") or "")
    problem = _image.repository_problem(repository) if repository else "it is empty, and release_build_on is controller"
    if problem:
        problems.append(f"release_push_to '{repository}' is not usable: {problem}")
    if values.get("django_source_path") == "":
        problems.append(
            "release_build_on is controller, which only builds a django_source_path: set that, or build on the host"
        )
    return problems


def source_problems(values: Mapping[str, Any]) -> list[str]:
    """Look for the application on the controller, and for its Dockerfile."""
    source = values.get("django_source_path")
    if not isinstance(source, str) or not source:
        return []
    path = Path(source).expanduser().resolve()
    if not path.is_dir():
        return [f"django_source_path '{path}' is not a directory on the controller: name the folder of the application"]
    dockerfile = str(values.get("django_dockerfile") or "Dockerfile")
    if not (path / dockerfile).is_file():
        advice = "add one, or name it in django_dockerfile, relative to the source path"
        return [f"django_source_path '{path}' has no {dockerfile}: {advice}"]
    return []


def environment_problems(values: Mapping[str, Any]) -> list[str]:
    """Refuse what the .env file cannot carry to the application, by name and never by value."""
    env = values.get("django_env")
    problems = [f"django_env.{problem}" for problem in _dotenv.problems(env)] if isinstance(env, Mapping) else []
    key = values.get("django_secret_key")
    if isinstance(key, str) and key and not _input_passwords.flaw_of(key):
        problems += _dotenv.problems({"django_secret_key": key})
    return problems


def process_problems(values: Mapping[str, Any]) -> list[str]:
    """Judge the further processes: names that can be services, and are none yet, and commands that are lists of words."""
    processes = values.get("django_processes")
    if not isinstance(processes, Mapping):
        return []
    problems = []
    for name, command in processes.items():
        where = f"django_processes.{name}"
        if not isinstance(name, str) or not PROCESS_NAME.fullmatch(name):
            problems.append(f"{where}: a process is named with a-z, 0-9, _ and -, a letter first")
        elif name in OWN_SERVICES:
            problems.append(f"{where} has the name of a service that the stack uses itself: choose another name")
        if not isinstance(command, (list, tuple)) or not command:
            example = "[python, manage.py, consume]"
            problems.append(f"{where} must be a list of words, not {_shown(command)}: for example {example}")
        elif not all(isinstance(word, (str, int, float)) and not isinstance(word, bool) for word in command):
            problems.append(f"{where} holds something that is no word: put every word of the command in quotes")
    return problems


def _shown(command: object) -> str:
    return "an empty list" if isinstance(command, (list, tuple)) else _input.shown(command)


def override_problems(values: Mapping[str, Any]) -> list[str]:
    """Refuse overrides of a service that no role and no variable describes, and of keys that no service has."""
    overrides = values.get("stack_service_overrides")
    if not isinstance(overrides, Mapping):
        return []
    known = [*OWN_SERVICES]
    for name in ("django_processes", "stack_extra_services"):
        further = values.get(name)
        known += [str(key) for key in further] if isinstance(further, Mapping) else []
    problems = []
    for service, keys in overrides.items():
        if service not in known:
            near = _input.nearest(str(service), known)
            hint = f"did you mean {near}?" if near else f"known are {', '.join(sorted(known))}."
            problems.append(f"stack_service_overrides.{service}: {service} is no service; {hint}")
        elif not isinstance(keys, Mapping):
            problems.append(f"stack_service_overrides.{service} must be a dictionary, not {_input.shown(keys)}")
        else:
            problems += _key_problems(f"stack_service_overrides.{service}", keys)
    return problems


def _key_problems(where: str, keys: Mapping[str, Any]) -> list[str]:
    problems = []
    for key in keys:
        if key not in _service.KEYS:
            near = _input.nearest(str(key), _service.KEYS)
            hint = f"did you mean {near}?" if near else f"known are {', '.join(sorted(_service.KEYS))}."
            problems.append(f"{where}.{key} is unknown: {hint}")
    return problems


def number_problems(values: Mapping[str, Any]) -> list[str]:
    """Refuse counts, sizes and times below zero, and those of zero that would end a run before it has begun."""
    problems = []
    for name, value in sorted(values.items()):
        text = str(value).strip()
        if (
            name in _input_backup.LEAST
            or not NUMBERS.search(name)
            or isinstance(value, bool)
            or not re.fullmatch(r"[+-]?\d+", text)
        ):
            continue
        least = 1 if POSITIVE.search(name) else 0
        if int(text) < least:
            problems.append(f"{name} is {text}: it must be {least} or more")
    return problems


def cpus_problems(values: Mapping[str, Any]) -> list[str]:
    """Refuse no processors at all; whether the host has so many is seen there."""
    given = {
        name: value for name, value in values.items() if name.endswith("_cpus") and name not in _input_backup.LEAST
    }
    return [problem.rstrip(".") for problem in _box.cpus_problems(given)]


def run_problems(values: Mapping[str, Any]) -> list[str]:
    """Judge what says how a deploy is run: its hooks, its audit log, its batches."""
    problems = []
    for name in HOOKS:
        hooks = values.get(name)
        for hook in hooks if isinstance(hooks, (list, tuple)) else []:
            if not isinstance(hook, str) or not hook.startswith("/"):
                example = "{{ inventory_dir }}/hooks/tell.yml"
                problems.append(f"{name} has {_input.shown(hook)}: give the file's whole path, for example '{example}'")
            elif not Path(hook).is_file():
                problems.append(f"{name} has '{hook}', and there is no such file on the controller")
    log = values.get("release_audit_log")
    if isinstance(log, str) and not log.startswith("/"):
        problems.append(
            f"release_audit_log is '{log}': give a whole path on the host, such as /var/log/barehost/app.jsonl"
        )
    serial = values.get("release_serial")
    batches = serial if isinstance(serial, (list, tuple)) else [serial]
    wrong = [batch for batch in batches if batch is not None and not SERIAL.fullmatch(str(batch).strip())]
    advice = "give a number of hosts from 1, or 1% to 100%"
    return problems + [f"release_serial is {_input.shown(batch)}: {advice}" for batch in wrong]


RULES: tuple[Rule, ...] = (
    _nginx.problems,
    _firewall.problems,
    stack_name_problems,
    stack_domain_problems,
    secret_key_problems,
    debug_problems,
    origin_problems,
    source_problems,
    git_problems,
    image_problems,
    _input_passwords.problems,
    environment_problems,
    process_problems,
    override_problems,
    number_problems,
    cpus_problems,
    run_problems,
    _input_backup.problems,
)


def rule_problems(values: Mapping[str, Any]) -> list[str]:
    """Apply every rule."""
    return [problem for rule in RULES for problem in rule(values)]
