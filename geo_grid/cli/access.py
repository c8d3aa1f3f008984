"""`geo-grid user|key|kiosk|audit`: accounts and audit, as the owner of the database."""

import asyncio
import getpass
import json
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from geo_grid.cli.terminal import Json, checked, progress, ready_database, say
from geo_grid.errors import GeoGridError, UserError
from geo_grid.settings import settings

if TYPE_CHECKING:
    from geo_grid.access.accounts import Account, Credential
    from geo_grid.access.audit import Verdict
    from geo_grid.db import AsyncConnection

user_app = typer.Typer(help="People who log in.", no_args_is_help=True)
key_app = typer.Typer(help="Machines and their API keys.", no_args_is_help=True)
kiosk_app = typer.Typer(help="Screens without a person.", no_args_is_help=True)
audit_app = typer.Typer(help="The audit.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Small letters, digits, dots, underscores and hyphens.")]
Cells = Annotated[list[str] | None, typer.Option("--cell", help="A grid cell they answer for; repeatable.")]
City = Annotated[bool, typer.Option("--city", help="The whole city.")]
Days = Annotated[int, typer.Option(min=1, max=3650, help="Days until it expires.")]


def as_owner[T](conninfo: str, work: Callable[["AsyncConnection"], Awaitable[T]]) -> T:
    """Do something in one transaction of the database's owner, named in the audit by the account of this machine."""
    import psycopg
    from psycopg.rows import dict_row

    from geo_grid.db import translated_errors

    async def run() -> T:
        options = f"-c geo_grid.actor={getpass.getuser()}@command-line"
        async with await psycopg.AsyncConnection.connect(conninfo, row_factory=dict_row, options=options) as connection:
            return await work(connection)

    with translated_errors():
        return asyncio.run(run())


def _do[T](work: Callable[["AsyncConnection"], Awaitable[T]]) -> T:
    with ready_database() as conninfo:
        return as_owner(conninfo, work)


@user_app.command("add")
def user_add(
    name: Name,
    role: Annotated[
        str, typer.Option(help="wall, grid_worker, dispatcher, planner, supervisor, administrator or auditor.")
    ],
    cell: Cells = None,
    city: City = False,
    display_name: Annotated[str, typer.Option(help="As people read it.")] = "",
    staff_number: Annotated[str | None, typer.Option(help="Administrators and auditors need one.")] = None,
    secret_cameras: Annotated[bool, typer.Option("--secret-cameras", help="Also sees secret cameras.")] = False,
    oidc_subject: Annotated[str | None, typer.Option(help="Their `sub` at the log-in provider.")] = None,
) -> None:
    """Make an account; its one-time password is printed on stdout, once."""
    from geo_grid.access.accounts import NewAccount, add_account

    new = checked(
        NewAccount, name=name, role=role, grid_codes=cell or [], city_wide=city, display_name=display_name,
        staff_number=staff_number, sees_secret=secret_cameras, oidc_subject=oidc_subject,
    )  # fmt: skip
    password = _do(lambda connection: add_account(connection, new, settings().password_history))
    say(f"{name} may log in as {role}" + ("; the one-time password:" if password else " through the provider"))
    if password:
        print(password)


@user_app.command("list")
def user_list(as_json: Json = False) -> None:
    """List all accounts."""
    from geo_grid.access.accounts import list_accounts

    found: list[Account] = _do(list_accounts)
    if as_json:
        print(json.dumps([account.model_dump(mode="json") for account in found], ensure_ascii=False))
        return
    table = Table("name", "kind", "role", "answers for", "", box=None)
    for one in found:
        where = "the whole city" if one.city_wide else ", ".join(one.grid_codes)
        marks = [
            *(["disabled"] if one.disabled_at else []),
            *(["second factor"] if one.has_second_factor else []),
            *(["demo"] if one.is_demo else []),
        ]
        table.add_row(one.login_name, one.principal_kind, one.role, where, ", ".join(marks))
    Console().print(table)


@user_app.command("change")
def user_change(
    name: Name,
    role: Annotated[str | None, typer.Option(help="The new role.")] = None,
    cell: Cells = None,
    city: Annotated[bool | None, typer.Option("--city/--no-city", help="The whole city.")] = None,
    display_name: Annotated[str | None, typer.Option(help="As people read it.")] = None,
    secret_cameras: Annotated[bool | None, typer.Option("--secret-cameras/--no-secret-cameras")] = None,
    oidc_subject: Annotated[str | None, typer.Option(help="Their `sub` at the log-in provider.")] = None,
) -> None:
    """Change an account; what is not given stays. It holds at once."""
    from geo_grid.access.accounts import AccountChange, change_account

    change = checked(
        AccountChange, role=role, grid_codes=cell or None, city_wide=city, display_name=display_name,
        sees_secret=secret_cameras, oidc_subject=oidc_subject,
    )  # fmt: skip
    _do(lambda connection: change_account(connection, name, change))
    say(f"{name} was changed")


@user_app.command("disable")
def user_disable(name: Name) -> None:
    """Disable an account: its sessions and keys end at once. Nothing it did is forgotten."""
    from geo_grid.access.accounts import AccountChange, change_account

    _do(lambda connection: change_account(connection, name, AccountChange(disabled=True)))
    say(f"{name} is disabled")


@user_app.command("enable")
def user_enable(name: Name) -> None:
    """Enable a disabled account; its keys stay revoked."""
    from geo_grid.access.accounts import AccountChange, change_account

    _do(lambda connection: change_account(connection, name, AccountChange(disabled=False)))
    say(f"{name} is enabled")


@user_app.command("password")
def user_password(name: Name) -> None:
    """Print a new one-time password, and unlock the name."""
    from geo_grid.access.accounts import reset_password

    print(_do(lambda connection: reset_password(connection, name, settings().password_history)))


@user_app.command("remove-factor")
def user_remove_factor(name: Name) -> None:
    """Remove the second factor of somebody who lost their telephone."""
    from geo_grid.access.accounts import remove_factor

    _do(lambda connection: remove_factor(connection, name))
    say(f"{name} logs in without a second factor now")


@user_app.command("require-factor")
def user_require_factor(
    role: Annotated[str, typer.Argument(help="Name of a role.")],
    no: Annotated[bool, typer.Option("--no", help="Require it no more.")] = False,
) -> None:
    """Ask a second factor of everybody with a role."""
    from geo_grid.access.accounts import require_factor

    _do(lambda connection: require_factor(connection, role, not no))
    say(f"{role}: a second factor is {'no longer ' if no else ''}required")


async def made_account(connection: "AsyncConnection", name: str, account: dict[str, Any]) -> bool:
    """Make an account, and say whether it was made: not where there is one of this name."""
    from geo_grid.access.accounts import NewAccount, add_account, list_accounts

    if any(one.login_name == name for one in await list_accounts(connection)):
        return False
    await add_account(connection, checked(NewAccount, name=name, **account), settings().password_history)
    return True


def _issue(name: str, account: dict[str, Any], credential: dict[str, Any]) -> str:
    """Make an account where there is none of this name, and a credential of it, in one transaction."""
    from geo_grid.access.accounts import NewCredential, issue_credential

    new = checked(NewCredential, name=name, **credential)

    async def work(connection: "AsyncConnection") -> str:
        if not await made_account(connection, name, account) and (account["city_wide"] or account["grid_codes"]):
            message = f"{name} has an account already, and answers for what it says: leave out --cell and --city"
            raise UserError(message)
        return (await issue_credential(connection, new))[1]

    return _do(work)


@key_app.command("add")
def key_add(
    name: Name,
    role: Annotated[str, typer.Option(help="grid_worker, dispatcher, planner, supervisor or wall.")] = "planner",
    cell: Cells = None,
    city: City = False,
    right: Annotated[list[str] | None, typer.Option(help="Only this right of its role; repeatable.")] = None,
    label: Annotated[str, typer.Option(help="What it is for.")] = "",
    days: Days = 90,
) -> None:
    """Make an API key, and the machine's account where there is none; the key is printed on stdout, once."""
    account = {"kind": "machine", "role": role, "grid_codes": cell or [], "city_wide": city}
    print(_issue(name, account, {"kind": "key", "label": label, "rights": right, "days": days}))


@kiosk_app.command("add")
def kiosk_add(
    name: Name,
    network: Annotated[str, typer.Option(help="The network it may come from: 10.1.2.0/24.")],
    page: Annotated[str, typer.Option(help="The one page it shows.")] = "/maps/wall",
    cell: Cells = None,
    city: City = False,
    label: Annotated[str, typer.Option(help="Where the screen hangs.")] = "",
    days: Days = 365,
) -> None:
    """Make a token for a screen; type it in at /login on that screen. It is printed on stdout, once."""
    account = {"kind": "kiosk", "role": "wall", "grid_codes": cell or [], "city_wide": city}
    print(_issue(name, account, {"kind": "kiosk", "page": page, "network": network, "label": label, "days": days}))


def _list_credentials(kind: str, as_json: bool) -> None:
    from geo_grid.access.accounts import list_credentials

    found: list[Credential] = [one for one in _do(list_credentials) if one.credential_kind == kind]
    if as_json:
        print(json.dumps([one.model_dump(mode="json") for one in found], ensure_ascii=False))
        return
    table = Table("number", "account", "label", "limits", "ends", box=None)
    for one in found:
        limits = ", ".join(filter(None, [one.page, one.network, *(one.only_rights or [])]))
        ends = f"revoked {one.revoked_at:%Y-%m-%d}" if one.revoked_at else f"{one.expires_at:%Y-%m-%d}"
        table.add_row(str(one.credential_id), one.login_name, one.label, limits, ends)
    Console().print(table)


@key_app.command("list")
def key_list(as_json: Json = False) -> None:
    """List API keys."""
    _list_credentials("key", as_json)


@kiosk_app.command("list")
def kiosk_list(as_json: Json = False) -> None:
    """List kiosk tokens."""
    _list_credentials("kiosk", as_json)


def _revoke(number: int) -> None:
    from geo_grid.access.accounts import revoke_credential

    _do(lambda connection: revoke_credential(connection, number))
    say(f"{number} is revoked")


Number = Annotated[int, typer.Argument(help="Its number, as `list` shows it.")]


@key_app.command("revoke")
def key_revoke(number: Number) -> None:
    """Revoke an API key, at once."""
    _revoke(number)


@kiosk_app.command("revoke")
def kiosk_revoke(number: Number) -> None:
    """Revoke a kiosk token, at once."""
    _revoke(number)


def _month(text: str) -> date:
    try:
        return date.fromisoformat(f"{text}-01")
    except ValueError:
        message = f"{text!r} is not a month: write it as 2026-11"
        raise UserError(message) from None


def _tell(verdict: "Verdict", as_json: bool) -> None:
    if as_json:
        print(json.dumps(vars(verdict)))
    else:
        say(f"{verdict.rows} rows, last hash {verdict.last_hash}")
        for fault in verdict.faults[:50]:
            say(f"!! {fault}")
    if verdict.faults:
        message = f"the audit is not what it was: {len(verdict.faults)} faults"
        raise GeoGridError(message)
    say("every row is what it was when it was written")


@audit_app.command("verify")
def audit_verify(
    file: Annotated[Path | None, typer.Option(help="An export to check instead of the database.")] = None,
    as_json: Json = False,
) -> None:
    """Check the chain of the audit from its first row to its last; exit code 1 when it is broken."""
    from geo_grid.access.audit import check_chain, read_lines, verify

    if file is None:
        _tell(_do(verify), as_json)
        return
    try:
        with file.open(encoding="utf-8") as lines:
            _tell(check_chain(read_lines(lines)), as_json)
    except OSError as error:
        message = f"{file}: {error.strerror}"
        raise UserError(message) from None


@audit_app.command("export")
def audit_export(
    file: Annotated[Path, typer.Argument(help="JSON lines.")],
    month: Annotated[str | None, typer.Option(help="Of one month (UTC): 2026-11.")] = None,
) -> None:
    """Export the audit, or a month of it; the export itself is recorded."""
    from geo_grid.access.audit import as_line, note_export, read_links

    first = _month(month) if month else None

    async def work(connection: "AsyncConnection") -> int:
        fresh = file.with_name(f".{file.name}.new")
        rows = 0
        with ExitStack() as stack:
            stack.callback(fresh.unlink, missing_ok=True)
            with fresh.open("w", encoding="utf-8") as opened:
                async for link in read_links(connection, first):
                    opened.write(as_line(link))
                    rows += 1
            await note_export(connection, first, rows)
            fresh.replace(file)
        return rows

    try:
        with progress("exporting the audit"):
            rows = _do(work)
    except OSError as error:
        message = f"{file} cannot be written: {error.strerror}"
        raise UserError(message) from None
    say(f"{rows} rows written to {file}")


@audit_app.command("drop")
def audit_drop(month: Annotated[str, typer.Argument(help="A month (UTC): 2026-11.")]) -> None:
    """Drop a month that was exported and is older than GEO_GRID_AUDIT_RETENTION_MONTHS."""
    from geo_grid.access.audit import drop_month

    rows = _do(lambda connection: drop_month(connection, _month(month), settings().audit_retention_months))
    say(f"{rows} rows of {month} dropped; the chain goes on after them")
