# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Part of programs inside a container of the app: what a superuser is like, and making it what it should be."""

# ruff: noqa: PLC0415, SLF001 - Django is only there in the image; its _meta is public all the same
from __future__ import annotations

from typing import Any

FLAGS = ("is_active", "is_staff", "is_superuser")


def field_names(model: Any) -> set[str]:  # noqa: ANN401 - a Django model
    """Return the names of the fields that are columns."""
    return {field.name for field in model._meta.get_fields() if getattr(field, "concrete", False)}


def identify(model: Any, parameters: dict[str, Any]) -> tuple[str, str]:  # noqa: ANN401 - a Django model
    """Return the field that names a user, and the name that it must have."""
    field = model.USERNAME_FIELD
    name = parameters["username"]
    if field == model.get_email_field_name():
        name = parameters["email"] or name
        if "@" not in name:
            raise ValueError(f"users of this app are named by their {field}: give an email address")
        normalize = getattr(model._default_manager, "normalize_email", None)
        name = normalize(name) if normalize else name
    return field, name


def values_of(model: Any, field: str, name: str, parameters: dict[str, Any]) -> dict[str, Any]:  # noqa: ANN401 - a Django model
    """Return what a new user gets; ValueError where the app's model requires more."""
    values = dict(parameters["fields"])
    email_field = model.get_email_field_name()
    if parameters["email"] and email_field in field_names(model):
        values.setdefault(email_field, parameters["email"])
    values[field] = name
    missing = [key for key in model.REQUIRED_FIELDS if key not in values]
    if missing:
        raise ValueError(f"the app's user model requires a value for {', '.join(missing)}: give it in `fields`")
    return values


def create(model: Any, field: str, values: dict[str, Any], password: str) -> Any:  # noqa: ANN401 - a Django model
    """Create the user with the app's own manager, as createsuperuser does."""
    needed = {key: values[key] for key in {field, *model.REQUIRED_FIELDS}}
    user = model._default_manager.create_superuser(password=password, **needed)
    rest = {key: value for key, value in values.items() if key not in needed}
    for key, value in rest.items():
        setattr(user, key, value)
    if rest:
        user.save(update_fields=sorted(rest))
    return user


def find_changes(model: Any, user: Any, parameters: dict[str, Any]) -> dict[str, Any]:  # noqa: ANN401 - Django
    """Return the fields of an existing user that are not as they should be, with what they should be."""
    from django.contrib.auth.hashers import check_password

    names = field_names(model)
    wanted = {key: value for key, value in parameters["fields"].items() if key in names}
    wanted.update({flag: True for flag in FLAGS if flag in names})
    email_field = model.get_email_field_name()
    if parameters["email"] and email_field in names and email_field != model.USERNAME_FIELD:
        wanted[email_field] = parameters["email"]
    changes = {key: value for key, value in wanted.items() if getattr(user, key) != value}
    # Not user.check_password(): that one saves a new hash where the hasher's settings have changed.
    if parameters["renew_password"] and not check_password(parameters["password"], user.password):
        changes["password"] = parameters["password"]
    return changes


def converge(parameters: dict[str, Any]) -> dict[str, Any]:
    """Create or update the user; say what was done, or would be."""
    from django.contrib.auth import get_user_model

    model = get_user_model()
    field, name = identify(model, parameters)
    result = {"username": name, "username_field": field}
    user = model._default_manager.filter(**{field: name}).first()
    if user is None:
        # In a dry run, too: what is missing would be missing then.
        values = values_of(model, field, name, parameters)
        if parameters["apply"]:
            create(model, field, values, parameters["password"])
        return {**result, "created": True, "changes": []}
    changes = find_changes(model, user, parameters)
    if changes and parameters["apply"]:
        for key, value in changes.items():
            if key == "password":
                user.set_password(value)
            else:
                setattr(user, key, value)
        user.save(update_fields=sorted(changes))
    return {**result, "created": False, "changes": sorted(changes)}
