"""Sessions, which are a signed cookie, and the check that a change comes from our own page."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from itsdangerous import BadSignature, Signer
from starlette.requests import Request
from starlette.responses import Response

from client_server.forms import form_fields
from serving.media import is_json
from serving.prefix import root_of
from wire.errors import ErrorCode, WireError

COOKIE = "session"
_YEAR_S = 365 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Session:
    """A session. `fresh` means that the request brought none, so the answer must set the cookie."""

    id: str
    fresh: bool


class Sessions:
    """Reads and writes the cookie, and protects changes against other sites."""

    def __init__(self, secret: str) -> None:
        self._signer = Signer(hashlib.sha256(b"session\0" + secret.encode()).digest(), key_derivation="none", digest_method=hashlib.sha256)
        self._csrf_key = hashlib.sha256(b"csrf\0" + secret.encode()).digest()

    def of(self, request: Request) -> Session:
        """Returns the request's session, or a new one. A cookie that we did not sign counts as none.

        A browser may send several of this name: another program under the same host may use it too, with another path.
        """
        for cookie in _values(request, COOKIE):
            try:
                return Session(self._signer.unsign(cookie).decode(), fresh=False)
            except (BadSignature, UnicodeDecodeError):
                pass
        return Session(secrets.token_urlsafe(18), fresh=True)

    def headers(self, request: Request, session: Session) -> dict[str, str]:
        """Returns the header that sets a new session's cookie. It is `Secure` if the browser used TLS, even if only up to a proxy."""
        if not session.fresh:
            return {}
        secure = "; Secure" if _over_tls(request) else ""
        value = self._signer.sign(session.id).decode()
        return {"Set-Cookie": f"{COOKIE}={value}; Path={root_of(request.scope) or '/'}; Max-Age={_YEAR_S}; HttpOnly; SameSite=Lax{secure}"}

    def stamp(self, request: Request, session: Session, response: Response) -> Response:
        """Returns the response, with a new session's cookie."""
        response.headers.update(self.headers(request, session))
        return response

    def csrf_token(self, session: Session) -> str:
        """Returns the token that this session's pages send with every change."""
        return hmac.new(self._csrf_key, session.id.encode(), hashlib.sha256).hexdigest()

    async def check_change(self, request: Request, session: Session) -> None:
        """Raises WireError CSRF unless the change comes from our own page, or from a program outside a browser.

        Our page sends its origin and the session's token. JSON needs no token, since another site's page cannot send it without
        a preflight request. If there is an origin, it must still be ours.
        """
        origin = request.headers.get("origin")
        if origin is not None and not _is_own(origin, request.headers.get("host", "")):
            raise WireError(ErrorCode.CSRF, "The request comes from another site.")
        if is_json(request.headers.get("content-type")):
            return
        if origin is None:
            raise WireError(ErrorCode.CSRF, "The request does not say which site it comes from.")
        token = request.headers.get("x-csrf-token") or (await form_fields(request)).get("csrf_token", "")
        if not hmac.compare_digest(token.encode(), self.csrf_token(session).encode()):
            raise WireError(ErrorCode.CSRF, "The page's token is missing or out of date: reload the page.")


def _values(request: Request, name: str) -> Iterator[str]:
    """The values of all cookies of this name, the one with the longest path first, as browsers send them."""
    for header in request.headers.getlist("cookie"):
        for cookie in header.split(";"):
            found, _, value = cookie.strip().partition("=")
            if found == name:
                yield value


def _over_tls(request: Request) -> bool:
    """Whether the browser used TLS. A proxy's header is always trusted: a client that lies only loses its own cookie."""
    said = request.headers.get("x-forwarded-proto", "").partition(",")[0].strip().lower()
    return request.scope["scheme"] == "https" or said == "https"


def _is_own(origin: str, host: str) -> bool:
    """Compares the origin with `Host` alone: a proxy passes it on, and anybody could set the other headers."""
    try:
        return bool(host) and urlsplit(origin).netloc.lower() == host.lower()
    except ValueError:
        return False
