# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters that read service dictionaries."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

from ansible.errors import AnsibleFilterError
from ansible_collections.barehost.django.plugins.module_utils import _box, _service

if TYPE_CHECKING:
    from collections.abc import Callable


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
            "cpus_problems": _box.cpus_problems,
            "config_validators": refusing(_service.config_validators),
            "process_services": refusing(_service.process_services),
            "release_edge": refusing(_service.release_edge),
            "release_services": refusing(_service.release_services),
            "services_for_engine": refusing(_service.services_for_engine),
            "service_box": refusing(_box.run_args),
            "service_reloads": refusing(_service.service_reloads),
            "service_definitions": refusing(_service.service_definitions),
            "service_guards": refusing(_service.service_guards),
            "service_images": refusing(_service.service_images),
            "service_names": refusing(_service.service_names),
        }
