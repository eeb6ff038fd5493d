# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters that read service dictionaries."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

from ansible.errors import AnsibleFilterError
from ansible_collections.barehost.django.plugins.module_utils import _service

if TYPE_CHECKING:
    from collections.abc import Callable

DOCUMENTATION = r"""
name: compose_mapping
short_description: Renders service dictionaries as the mapping of a compose.yaml
version_added: 0.1.0
author: The barehost authors (@barehost)
description:
  - Takes a dictionary (service name to service dictionary) and returns what is written to C(compose.yaml).
  - Dollar signs are doubled, bind mounts never create their source, every service restarts unless it was stopped.
options:
  _input:
    description: The service dictionaries.
    type: dict
    required: true
  name:
    description: Name of the Compose project.
    type: str
    required: true
  trees:
    description: Digest of each service's configuration files; a service with another digest is recreated.
    type: dict
    default: {}
  files:
    description: Digest of each configuration file; a service that reads one with another digest as its environment is recreated.
    type: dict
    default: {}
"""

EXAMPLES = r"""
text: "{{ stack_services | barehost.django.compose_mapping(name='app') | ansible.builtin.to_nice_yaml }}"
"""

RETURN = r"""
_value:
  description: The mapping.
  type: dict
"""


def refusing(function: Callable[..., Any]) -> Callable[..., Any]:
    """Turn a refusal of the pure code into Ansible's error."""

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as the function
        try:
            return function(*args, **kwargs)
        except _service.ServiceError as error:
            raise AnsibleFilterError(str(error)) from error

    return call


class FilterModule:
    """The filters of this file, by name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return them."""
        return {
            "compose_mapping": refusing(_service.render_project),
            "config_trees": refusing(_service.config_trees),
            "config_validators": refusing(_service.config_validators),
            "process_services": refusing(_service.process_services),
            "service_reloads": refusing(_service.service_reloads),
            "service_names": refusing(_service.service_names),
        }
