"""Administration of accounts, API keys and kiosks; every function runs in the caller's transaction with its rights."""

import contextlib
import ipaddress
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any, Literal

import psycopg
from pydantic import BaseModel, ConfigDict, Field, model_validator

from geo_grid.access.credentials import digest_of, new_secret
from geo_grid.access.passwords import hashed, one_time_password, refuse_former
from geo_grid.db import AsyncConnection, fetch_one, load_queries, translated_errors
from geo_grid.errors import Conflict, NotFound, UserError

QUERIES = load_queries("geo_grid.access", "accounts.sql")

type Role = Literal["wall", "grid_worker", "dispatcher", "planner", "supervisor", "administrator", "auditor"]
LoginName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$", description="small letters, digits, . _ -")]
GridCode = Annotated[str, Field(min_length=1, max_length=32)]

KIOSK_PAGES = ("/maps/wall",)


class NewAccount(BaseModel):
    """An account to be made: of a person, a machine, or a wall without a person (kiosk)."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    kind: Literal["user", "machine", "kiosk"] = "user"
    name: LoginName
    display_name: str = Field("", max_length=200, description="the name again if not given")
    staff_number: str | None = Field(
        None, min_length=1, max_length=64, description="administrators and auditors need one"
    )
    role: Role
    city_wide: bool = Field(False, description="the whole city, instead of grid cells")
    sees_secret: bool = Field(False, description="also cameras that are secret")
    grid_codes: list[GridCode] = Field([], max_length=200, description="cells they answer for, with all below")
    oidc_subject: str | None = Field(None, min_length=1, max_length=255, description="their `sub` at the provider")

    @model_validator(mode="after")
    def _bound(self) -> "NewAccount":
        if self.city_wide and self.grid_codes:
            message = "they answer for grid cells or for the whole city, not for both: say one of the two"
            raise ValueError(message)
        if not self.city_wide and not self.grid_codes and self.role != "auditor":
            message = "name the grid cells they answer for (--cell, grid_codes), or the whole city (--city, city_wide)"
            raise ValueError(message)
        return self


class AccountChange(BaseModel):
    """Changes of an account; fields that are not given stay."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    display_name: str | None = Field(None, min_length=1, max_length=200)
    role: Role | None = None
    city_wide: bool | None = None
    sees_secret: bool | None = None
    grid_codes: list[GridCode] | None = Field(None, max_length=200)
    disabled: bool | None = None
    oidc_subject: str | None = Field(None, max_length=255)


class Account(BaseModel):
    """An account."""

    principal_kind: str
    login_name: str
    display_name: str
    staff_number: str | None
    role: str
    city_wide: bool
    sees_secret: bool
    grid_codes: list[str]
    has_second_factor: bool
    uses_oidc: bool
    disabled_at: datetime | None
    is_demo: bool
    last_seen_at: datetime | None


class RoleAbout(BaseModel):
    """A role and its rights."""

    role: str
    second_factor_required: bool
    rights: list[str]


class NewCredential(BaseModel):
    """A key for a machine, or a token for a kiosk."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    name: LoginName
    kind: Literal["key", "kiosk"] = "key"
    label: str = Field("", max_length=200)
    rights: list[str] | None = Field(None, max_length=20, description="only these of its role's rights")
    page: str | None = Field(None, description="kiosk: the one page it shows")
    network: str | None = Field(None, max_length=50, description="kiosk: the network it may come from, 10.1.2.0/24")
    days: int = Field(90, ge=1, le=3650, description="days until it expires")

    @model_validator(mode="after")
    def _whole(self) -> "NewCredential":
        if self.kind == "kiosk":
            if self.page not in KIOSK_PAGES:
                message = f"a kiosk shows one page: {', '.join(KIOSK_PAGES)}"
                raise ValueError(message)
            self.network = str(ipaddress.ip_network((self.network or "").replace("%", "(zone)")))
        elif self.page is not None or self.network is not None:
            message = "page and network are a kiosk's"
            raise ValueError(message)
        return self


class Credential(BaseModel):
    """A key or kiosk token, without its secret."""

    credential_id: int
    credential_kind: str
    login_name: str
    label: str
    only_rights: list[str] | None
    page: str | None
    network: str | None
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    revoked_at: datetime | None


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Convert refusals of the database to our errors, with its messages."""
    try:
        with translated_errors():
            yield
    except psycopg.errors.UniqueViolation as error:
        what = "oidc_subject" if "oidc" in str(error.diag.constraint_name) else "name"
        message = f"there is an account with this {what} already"
        raise Conflict(message) from None
    except (psycopg.errors.CheckViolation, psycopg.errors.ForeignKeyViolation) as error:
        # constraints are named after their rule; our functions raise a message
        reason = error.diag.constraint_name or error.diag.message_primary or "refused"
        raise UserError(reason.replace("_", " ") if error.diag.constraint_name else reason) from None


async def add_account(connection: AsyncConnection, new: NewAccount, history: int, is_demo: bool = False) -> str | None:
    """Make an account and return its one-time password; None for machines, kiosks and users of the OpenID provider.

    Raises
    ------
    Conflict, Forbidden, UserError
        The name is taken; the right is missing; role, person and cells do not match.
    """
    values = {**new.model_dump(), "display_name": new.display_name or new.name, "is_demo": is_demo}
    with _told():
        await fetch_one(connection, QUERIES["add"], values)
    if new.kind != "user" or new.oidc_subject is not None:
        return None
    return await reset_password(connection, new.name, history)


async def change_account(connection: AsyncConnection, name: str, change: AccountChange) -> None:
    """Change an account; disabling it ends its sessions and keys. Raises NotFound, Conflict, Forbidden, UserError."""
    with _told():
        found = await fetch_one(connection, QUERIES["change"], {"name": name, **change.model_dump()})
    if found["principal_id"] is None:
        message = f"there is no account {name!r}"
        raise NotFound(message)


async def list_accounts(connection: AsyncConnection) -> list[Account]:
    """List all accounts. Raises Forbidden."""
    return [Account.model_validate(row) for row in await _all(connection, "list")]


async def list_roles(connection: AsyncConnection) -> list[RoleAbout]:
    """List the roles with their rights. Raises Forbidden."""
    return [RoleAbout.model_validate(row) for row in await _all(connection, "roles")]


async def require_factor(connection: AsyncConnection, role: str, required: bool) -> None:
    """Require a second factor of all users with a role, or stop requiring it. Raises NotFound, Forbidden."""
    with _told():
        found = await fetch_one(connection, QUERIES["require_factor"], {"role": role, "required": required})
    if not found["found"]:
        message = f"there is no role {role!r} whose users log in with a password"
        raise NotFound(message)


async def remove_factor(connection: AsyncConnection, name: str) -> None:
    """Remove the second factor of an account, as when the telephone is lost. Raises NotFound, Forbidden."""
    with _told():
        found = await fetch_one(connection, QUERIES["remove_factor"], {"name": name})
    if not found["found"]:
        message = f"the account {name!r} has no second factor, or there is no such account"
        raise NotFound(message)


async def issue_credential(connection: AsyncConnection, new: NewCredential) -> tuple[int, str]:
    """Make an API key or kiosk token; return its number and its secret, which is not stored and cannot be shown again.

    Raises
    ------
    NotFound, Forbidden, UserError
        There is no such machine or kiosk; the right is missing; its role lacks one of the rights.
    """
    secret = new_secret(new.kind)
    with _told():
        made = await fetch_one(connection, QUERIES["issue"], {**new.model_dump(), "digest": digest_of(secret)})
    if made["credential_id"] is None:
        kind = "machine" if new.kind == "key" else "kiosk"
        message = f"there is no {kind} account {new.name!r} in use: make one first"
        raise NotFound(message)
    return int(made["credential_id"]), secret


async def list_credentials(connection: AsyncConnection) -> list[Credential]:
    """List keys and kiosk tokens. Raises Forbidden."""
    return [Credential.model_validate(row) for row in await _all(connection, "credentials")]


async def revoke_credential(connection: AsyncConnection, credential_id: int) -> None:
    """Revoke an API key or kiosk token; it takes effect at once. Raises NotFound, Forbidden."""
    with _told():
        found = await fetch_one(connection, QUERIES["revoke"], {"credential_id": credential_id})
    if not found["found"]:
        message = f"there is no key or kiosk token {credential_id}"
        raise NotFound(message)


async def reset_password(connection: AsyncConnection, name: str, history: int) -> str:
    """Give an account a one-time password, unlock its name, and return it. Raises NotFound, Forbidden."""
    password = one_time_password()
    with _told():
        values = {"name": name, "hash": await hashed(password), "kept": history}
        found = await fetch_one(connection, QUERIES["reset_password"], values)
    if not found["found"]:
        message = f"there is no user {name!r}"
        raise NotFound(message)
    return password


async def set_password(connection: AsyncConnection, principal_id: int, password: str, history: int) -> None:
    """Set a password that its user chose, in a transaction of the service role.

    Raises
    ------
    UserError
        It was one of the last `history`.
    """
    who = {"principal_id": principal_id}
    former = await fetch_one(connection, QUERIES["former_passwords"], who)
    await refuse_former(password, former.get("hashes") or [], history)
    await fetch_one(connection, QUERIES["set_password"], {**who, "hash": await hashed(password), "kept": history})


async def _all(connection: AsyncConnection, name: str) -> list[dict[str, Any]]:
    with translated_errors():
        return await (await connection.execute(QUERIES[name])).fetchall()
