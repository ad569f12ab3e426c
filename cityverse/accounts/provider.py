"""Sign-in by OpenID Connect: what a provider is asked, and what its answer proves.

The authorization code flow with PKCE (RFC 7636), state and nonce. What comes of it is an
e-mail the provider vouches for, and nothing else: no token of the provider is kept.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote_plus, urlencode, urlsplit

import jwt

from cityverse import __version__
from cityverse.accounts.tokens import Flow, Proof, new_proof
from cityverse.domain.people import normalised_email
from cityverse.errors import FetchError, InvalidField, ProviderRefused
from cityverse.news.fetch import Limits, call
from cityverse.settings import Settings

BACK = "/session/provider/back"
_CONFIGURATION = "/.well-known/openid-configuration"
_LIMITS = Limits(seconds=8.0, bytes=256 * 1024, redirects=0)
_AGENT = f"CityVerse/{__version__}"
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
# Signed by a key that the provider alone has: never by none, never by a shared secret.
_ALGORITHMS = [
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA"),
]
_LEEWAY_SECONDS = 30
_KEPT_SECONDS = 600.0
# A key that is not known yet is looked for anew, but no more often than this.
_ANEW_SECONDS = 30.0
_CODE_MOST = 2048
_TOKEN_MOST = 16 * 1024
# Names travel in a cookie, and are only proposed.
_NAME_MOST = 40

Claims = dict[str, Any]


class Provider:
    """The provider of these settings; safe to share by threads."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[float, Claims]] = {}

    def address(self, flow: Flow) -> str:
        """Where the browser goes to sign in; raises ProviderRefused."""
        endpoint = self._endpoint("authorization_endpoint")
        digest = hashlib.sha256(flow.verifier.encode()).digest()
        asked = {
            "response_type": "code",
            "client_id": self._settings.oidc_client_id,
            "redirect_uri": self._back,
            "scope": "openid email profile",
            "state": flow.id,
            "nonce": flow.nonce,
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        return f"{endpoint}{'&' if urlsplit(endpoint).query else '?'}{urlencode(asked)}"

    def check_answer(self, flow: Flow, said: Mapping[str, str]) -> str:
        """The code with which the browser came back; raises ProviderRefused.

        ``said`` are the parameters of its address.
        """
        if not hmac.compare_digest(said.get("state", "").encode(), flow.id.encode()):
            raise ProviderRefused("refused", "this browser did not begin that sign-in")
        issuer = said.get("iss")  # RFC 9207
        if issuer is not None and issuer != self._settings.oidc_issuer:
            raise ProviderRefused("refused", "the answer is of another issuer")
        if said.get("error") == "access_denied":
            raise ProviderRefused("cancelled", "the provider says access_denied")
        code = said.get("code", "")
        if "error" in said or not 0 < len(code) <= _CODE_MOST:
            raise ProviderRefused("refused", f"no code, but {said.get('error', '')[:80]!r}")
        return code

    def proof(self, flow: Flow, code: str) -> Proof:
        """What the provider says in exchange for a code; raises ProviderRefused."""
        answer = self._exchanged(flow, code)
        claims = self._claims(flow, answer.get("id_token"))
        if "email" not in claims:
            claims |= self._user_info(claims["sub"], answer.get("access_token"))
        email = claims.get("email")
        if claims.get("email_verified") is not True or not isinstance(email, str):
            raise ProviderRefused("unverified", "the provider vouches for no e-mail")
        try:
            email = normalised_email(email)
        except InvalidField as error:
            raise ProviderRefused("unverified", str(error)) from error
        first, last = (_name(claims.get(name)) for name in ("given_name", "family_name"))
        return new_proof(email, first, last, flow.next_path, datetime.now(UTC))

    @property
    def _back(self) -> str:
        return self._settings.address + BACK

    def _exchanged(self, flow: Flow, code: str) -> Claims:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._back,
            "code_verifier": flow.verifier,
        }
        headers = dict(_FORM)
        client, secret = self._settings.oidc_client_id, self._settings.oidc_client_secret
        ways = self._configuration().get("token_endpoint_auth_methods_supported")
        if secret and (not isinstance(ways, list) or "client_secret_basic" in ways):
            pair = f"{quote_plus(client)}:{quote_plus(secret)}".encode()
            headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        else:
            form |= {"client_id": client} | ({"client_secret": secret} if secret else {})
        return self._asked(
            self._endpoint("token_endpoint"), urlencode(form).encode(), headers=headers
        )

    def _claims(self, flow: Flow, token: object) -> Claims:
        """What an ID token says, once all of it is checked."""
        if not isinstance(token, str) or len(token) > _TOKEN_MOST:
            raise ProviderRefused("refused", "there is no ID token")
        try:
            claims: Claims = jwt.decode(
                token,
                self._key(jwt.get_unverified_header(token).get("kid")),
                algorithms=_ALGORITHMS,
                audience=self._settings.oidc_client_id,
                issuer=self._settings.oidc_issuer,
                leeway=_LEEWAY_SECONDS,
                options={"require": ["iss", "sub", "aud", "exp", "iat", "nonce"]},
            )
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise ProviderRefused("refused", f"ID token: {error}") from error
        several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        party = claims.get("azp", None if several else self._settings.oidc_client_id)
        if party != self._settings.oidc_client_id:
            raise ProviderRefused("refused", "the ID token is for another party")
        nonce = claims["nonce"]
        if not isinstance(nonce, str) or not hmac.compare_digest(
            nonce.encode("utf-8", "surrogatepass"), flow.nonce.encode()
        ):
            raise ProviderRefused("refused", "the ID token is of another sign-in")
        return claims

    def _key(self, key_id: object) -> Any:
        """The key of an ID token, looked for anew where it is not known yet."""
        address = self._endpoint("jwks_uri")
        for longest in (_KEPT_SECONDS, _ANEW_SECONDS):
            known = jwt.PyJWKSet.from_dict(self._read(address, longest)).keys
            usable = [key for key in known if key.public_key_use in {None, "sig"}]
            found = [key for key in usable if key_id in {None, key.key_id}]
            if len(found) == 1:
                return found[0].key
        raise ProviderRefused("refused", "the ID token is of no key of the provider")

    def _user_info(self, subject: str, token: object) -> Claims:
        """The e-mail, where the ID token does not have it."""
        if not isinstance(token, str) or not token.isascii() or len(token) > _TOKEN_MOST:
            raise ProviderRefused("unverified", "the ID token has no e-mail")
        headers = {"Authorization": f"Bearer {token}"}
        found = self._asked(self._endpoint("userinfo_endpoint"), headers=headers)
        if found.get("sub") != subject:
            raise ProviderRefused("refused", "the answer is about somebody else")
        return found

    # What the provider is asked

    def _configuration(self) -> Claims:
        issuer = self._settings.oidc_issuer
        found = self._read(issuer.rstrip("/") + _CONFIGURATION, _KEPT_SECONDS)
        if found.get("issuer") != issuer:
            raise ProviderRefused("unavailable", "the provider calls itself another issuer")
        return found

    def _endpoint(self, name: str) -> str:
        """An address of the provider: by TLS, unless the provider itself is on loopback."""
        address = self._configuration().get(name)
        schemes = {"https", urlsplit(self._settings.oidc_issuer).scheme}
        if not isinstance(address, str) or urlsplit(address).scheme not in schemes:
            raise ProviderRefused("unavailable", f"the provider names no {name}")
        return address

    def _read(self, address: str, longest: float) -> Claims:
        """A document of the provider, kept for a while."""
        with self._lock:
            at, kept = self._kept.get(address, (0.0, {}))
        if kept and time.monotonic() - at < longest:
            return kept
        found = self._asked(address)
        with self._lock:
            self._kept[address] = (time.monotonic(), found)
        return found

    def _asked(
        self,
        address: str,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Claims:
        private = self._settings.oidc_allow_private
        try:
            body = call(
                address,
                limits=_LIMITS,
                agent=_AGENT,
                content=content,
                headers=headers,
                allow_private=private,
            )
            said = json.loads(body)
        except FetchError as error:
            # A code that is used, or of somebody else, is answered with 400.
            wrong = error.reason in {"http_400", "http_401", "http_403"}
            raise ProviderRefused("refused" if wrong else "unavailable", str(error)) from error
        except (ValueError, RecursionError) as error:
            raise ProviderRefused("unavailable", "an answer that is no JSON") from error
        if not isinstance(said, dict):
            raise ProviderRefused("unavailable", "an answer that is no object")
        return said


def _name(said: object) -> str:
    return said.strip()[:_NAME_MOST] if isinstance(said, str) else ""
