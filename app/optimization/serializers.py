"""What the API takes and gives."""

from typing import Any

from rest_framework import serializers

from . import limits
from .models import Job


class WholeNumberField(serializers.IntegerField):
    """Takes JSON integers only: no `true`, no "10", no 1.0, which the base class would turn into numbers."""

    def to_internal_value(self, data: Any) -> int:
        """Refuse every other type."""
        if type(data) is not int:
            self.fail("invalid")
        return int(super().to_internal_value(data))


class ItemSerializer(serializers.Serializer):
    """One item of a problem."""

    name = serializers.CharField(max_length=limits.MAX_NAME_LENGTH)
    weight = WholeNumberField(min_value=0, max_value=limits.MAX_NUMBER)
    value = WholeNumberField(min_value=0, max_value=limits.MAX_NUMBER)


class JobSerializer(serializers.ModelSerializer):
    """A job: capacity and items are taken, the rest is told."""

    capacity = WholeNumberField(min_value=0, max_value=limits.MAX_CAPACITY)
    items = ItemSerializer(many=True, min_length=1, max_length=limits.MAX_ITEMS)
    owner = serializers.CharField(source="owner.get_username", read_only=True)

    class Meta:
        """Fields in the order of the answer."""

        model = Job
        fields = (
            "id",
            "owner",
            "status",
            "capacity",
            "items",
            "result",
            "error",
            "attachment",
            "created",
            "started",
            "finished",
        )
        read_only_fields = ("id", "status", "result", "error", "attachment", "created", "started", "finished")

    def validate_items(self, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Refuse duplicate names: the result tells items by their name."""
        seen: set[str] = set()
        for item in items:
            if item["name"] in seen:
                message = f"Duplicate name: {item['name']}"
                raise serializers.ValidationError(message)
            seen.add(item["name"])
        return items


class AttachmentSerializer(serializers.Serializer):
    """An uploaded file."""

    file = serializers.FileField()

    def validate_file(self, upload: Any) -> Any:
        """Bound the size."""
        if upload.size > limits.MAX_ATTACHMENT_BYTES:
            message = f"The file is longer than {limits.MAX_ATTACHMENT_BYTES} bytes."
            raise serializers.ValidationError(message)
        return upload
