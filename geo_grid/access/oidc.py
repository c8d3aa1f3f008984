"""Log-in through an OpenID Connect provider: authorisation code flow with PKCE; state and nonce are valid once."""

import secrets
import time
from typing import Any

import httpx2
from authlib.integrations.httpx_client import AsyncOAuth2Client
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from geo_grid.access.credentials import digest_of
from geo_grid.access.identities import QUERIES as LOGIN
from geo_grid.access.login import Logins, Opened
from geo_grid.db import Asker, AsyncPool, acting
from geo_grid.errors import NotLoggedIn, ProviderUnavailable
from geo_grid.settings import Settings

_TIMEOUT_S = 5.0
_KEPT_S = 600.0
_SKEW_S = 60
"""Seconds by which the provider's clock may differ from ours."""
_ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA"]


def refuse_foreign(claims: dict[str, Any], client_id: str) -> None:
    """Refuse a token that was issued to another party and only lists us as an audience (OpenID Connect Core 1.0, 3.1.3.7,
    steps 3 to 5).

    Raises
    ------
    ValueError
        The authorised party (azp) is another one, or missing with several audiences.
    """
    audience = claims.get("aud")
    party = claims.get("azp", client_id if audience in (client_id, [client_id]) else None)
    if party != client_id:
        message = "issued to another party"
        raise ValueError(message)


class Provider:
    """The provider of the settings. Its users may log in if an account has their subject identifier (`sub`)."""

    def __init__(self, pool: AsyncPool, service: str, logins: Logins, settings: Settings) -> None:
        self._pool = pool
        self._service = service
        self._logins = logins
        self._settings = settings
        self._issuer = (settings.oidc_issuer or "").rstrip("/")
        self._about: tuple[float, dict[str, Any], KeySet] | None = None

    async def begin(self, redirect_uri: str, next_page: str, asker: Asker) -> tuple[str, str]:
        """Begin a log-in.

        Returns
        -------
        URL of the provider's page to open, and the state, which this browser must return.

        Raises
        ------
        ProviderUnavailable
            The provider does not answer.
        """
        about, _ = await self._discover()
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        async with self._client(redirect_uri) as client:
            address, _ = client.create_authorization_url(
                about["authorization_endpoint"], state=state, nonce=nonce, code_verifier=verifier
            )
        values = {"state": digest_of(state), "nonce": nonce, "verifier": verifier, "next_page": next_page}
        async with acting(self._pool, asker._replace(credential=self._service), read_only=False) as connection:
            await connection.execute(LOGIN["begin_oidc"], values)
        return str(address), state

    async def end(
        self, redirect_uri: str, code: str, state: str, device: str | None, asker: Asker
    ) -> tuple[Opened, str]:
        """Complete a log-in with the code and state from the provider; return the session and the page to open.

        Raises
        ------
        NotLoggedIn
            The state is unknown, used or expired; the token is not for us or not of this log-in; or no account has
            this `sub`.
        ProviderUnavailable
            The provider does not answer, or refuses the code.
        """
        service = asker._replace(credential=self._service)
        async with acting(self._pool, service, read_only=False) as connection:
            begun = await (await connection.execute(LOGIN["end_oidc"], {"state": digest_of(state)})).fetchone() or {}
        if begun.get("nonce") is None:
            message = "this log-in was not begun here, is over, or took longer than 10 minutes: begin again"
            raise NotLoggedIn(message)
        subject = await self._subject(redirect_uri, code, begun)
        async with acting(self._pool, service, read_only=False) as connection:
            found = await (await connection.execute(LOGIN["find_oidc"], {"subject": subject})).fetchone() or {}
            opened, brought = None, digest_of(device) if device else None
            if found.get("principal_id") is not None:
                opened = await self._logins.open(connection, found["principal_id"], brought)
            outcome = ("done", "oidc") if opened else ("refused", f"no account names the subject {subject}"[:300])
            name = found.get("login_name") or "oidc"
            noted = {"name": name, "device": brought, "outcome": outcome[0], "why": outcome[1]}
            await connection.execute(LOGIN["note"], noted)
        if opened is None:
            message = "the provider knows you, but no account here does: ask an administrator"
            raise NotLoggedIn(message)
        return opened, begun["next_page"]

    async def _subject(self, redirect_uri: str, code: str, begun: dict[str, Any]) -> str:
        about, keys = await self._discover()
        try:
            async with self._client(redirect_uri) as client:
                token = await client.fetch_token(
                    about["token_endpoint"], code=code, code_verifier=begun["verifier"], grant_type="authorization_code"
                )
        except Exception as error:  # any error of the library means: no log-in
            message = f"the log-in provider gave no token: {error}"[:300]
            raise ProviderUnavailable(message) from None
        try:
            claims = jwt.decode(token.get("id_token", ""), keys, algorithms=_ALGORITHMS).claims
            essential = {
                "iss": {"essential": True, "value": about["issuer"]},
                "aud": {"essential": True, "value": self._settings.oidc_client_id},
                "nonce": {"essential": True, "value": begun["nonce"]},
                "sub": {"essential": True},
                "exp": {"essential": True},
            }
            jwt.JWTClaimsRegistry(leeway=_SKEW_S, **essential).validate(claims)  # type: ignore[arg-type]
            refuse_foreign(claims, self._settings.oidc_client_id)
        except (JoseError, ValueError, KeyError) as error:
            message = f"the provider's token is not good for this log-in: {type(error).__name__}"
            raise NotLoggedIn(message) from None
        return str(claims["sub"])

    def _client(self, redirect_uri: str) -> AsyncOAuth2Client:
        secret = self._settings.oidc_client_secret
        return AsyncOAuth2Client(
            self._settings.oidc_client_id,
            secret.get_secret_value() if secret else None,
            scope="openid",
            redirect_uri=redirect_uri,
            code_challenge_method="S256",
            token_endpoint_auth_method="client_secret_basic" if secret else "none",
            timeout=_TIMEOUT_S,
        )

    async def _discover(self) -> tuple[dict[str, Any], KeySet]:
        """Read the provider's metadata and keys (OpenID Connect Discovery 1.0)."""
        if self._about is None or time.monotonic() - self._about[0] > _KEPT_S:
            try:
                async with httpx2.AsyncClient(timeout=_TIMEOUT_S) as client:
                    about = (
                        (await client.get(f"{self._issuer}/.well-known/openid-configuration")).raise_for_status().json()
                    )
                    keys = KeySet.import_key_set((await client.get(about["jwks_uri"])).raise_for_status().json())
            except (httpx2.HTTPError, JoseError, KeyError, ValueError) as error:
                message = (
                    f"the log-in provider cannot be reached: {error or type(error).__name__}; log in with a password"
                )
                raise ProviderUnavailable(message) from None
            if about.get("issuer", "").rstrip("/") != self._issuer:
                message = f"the provider calls itself {about.get('issuer')!r}, not GEO_GRID_OIDC_ISSUER"
                raise ProviderUnavailable(message)
            self._about = (time.monotonic(), about, keys)
        return self._about[1], self._about[2]
