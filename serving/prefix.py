"""The path under which a proxy shows a server: ROOT_PATH, which ASGI calls `root_path`.

A proxy passes the prefix on or removes it. Both are understood, so an operator need not say which. The routes of a server do not know the
prefix; every address that leaves the server begins with it.
"""

from __future__ import annotations

import re
from collections.abc import MutableMapping, Sequence
from typing import Any

from starlette.routing import BaseRoute, Match

_ROOT_PATH = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~-]+)+")

Scope = MutableMapping[str, Any]


def checked(root_path: str) -> str:
    """The value of ROOT_PATH, if it is a path that an address can begin with, or empty. Raises ValueError."""
    if not root_path or _ROOT_PATH.fullmatch(root_path):
        return root_path
    if not root_path.startswith("/"):
        raise ValueError("it must begin with a slash, such as /chat")
    if root_path.endswith("/"):
        raise ValueError("it must not end with a slash; it is empty where there is no prefix")
    raise ValueError("it may hold letters, digits, and - . _ ~ between single slashes, and neither . nor .. alone")


class Prefix:
    """Finds the route's path in a request's, for a server with these routes."""

    def __init__(self, root_path: str = "", routes: Sequence[BaseRoute] = ()) -> None:
        self.root_path = root_path
        self._routes = routes
        self._first = root_path.split("/")[1] if root_path else ""

    def enter(self, scope: Scope) -> None:
        """Gives the request's scope its `root_path`, and a `path` that begins with it."""
        root_path = self.root_path
        if not root_path:
            return
        path: str = scope["path"]
        rest = path.removeprefix(root_path)
        if rest != path and rest[:1] in ("", "/") and self._is_passed_on(path, rest or "/"):
            path = rest or "/"
        scope["root_path"] = root_path
        scope["path"] = root_path + path

    def _is_passed_on(self, path: str, rest: str) -> bool:
        """Whether the prefix is there because the proxy passed it on, and not because a route begins with the same name.

        With the prefix `/chat`, `/chat/messages` is a route's path that a proxy has cut, and `/chat/chat/messages` is one that it has not.
        """
        if not any(getattr(route, "path", "").split("/")[1:2] == [self._first] for route in self._routes):
            return True
        return self._leads_somewhere(rest) or not self._leads_somewhere(path)

    def _leads_somewhere(self, path: str) -> bool:
        scope = {"type": "http", "method": "GET", "path": path, "root_path": "", "headers": []}
        return any(route.matches(scope)[0] is not Match.NONE for route in self._routes)


def root_of(scope: Scope) -> str:
    """The prefix of a request's addresses, also after a mounted app has added its own to `root_path`."""
    found: str = scope.get("app_root_path", scope.get("root_path", ""))
    return found


def route_path(scope: Scope) -> str:
    """The path of a request without the prefix."""
    path: str = scope["path"]
    return path.removeprefix(root_of(scope))
