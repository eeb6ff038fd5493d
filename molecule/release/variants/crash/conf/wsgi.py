"""The web process of this release does not start; its migrations and static files are fine."""

raise ImportError("this release cannot be imported")
