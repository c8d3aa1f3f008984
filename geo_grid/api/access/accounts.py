"""Administration of accounts, roles, API keys and kiosk tokens."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from geo_grid.access import accounts
from geo_grid.api.server.asking import reading, writing
from geo_grid.api.server.parameters import Configured
from geo_grid.api.server.problems import PROBLEM, PROBLEM_RESPONSES
from geo_grid.api.server.rights import GuardedRoute

router = APIRouter(tags=["accounts"], responses=PROBLEM_RESPONSES, route_class=GuardedRoute)

Name = Annotated[str, Path(max_length=64)]
_MISSING: dict[int | str, dict[str, Any]] = {404: PROBLEM}
_TAKEN: dict[int | str, dict[str, Any]] = {409: PROBLEM}


class Accounts(BaseModel):
    """All accounts."""

    accounts: list[accounts.Account]


class Roles(BaseModel):
    """All roles."""

    roles: list[accounts.RoleAbout]


class Credentials(BaseModel):
    """All keys and kiosk tokens, without their secrets."""

    credentials: list[accounts.Credential]


class OneTimePassword(BaseModel):
    """Shown once; to be changed at the first log-in. Null where the account logs in without one."""

    password: str | None


class Secret(BaseModel):
    """A key or token, shown once."""

    credential_id: int
    secret: str


class RoleChange(BaseModel):
    """What to change of a role."""

    model_config = ConfigDict(extra="forbid")

    second_factor_required: bool = Field(description="everybody with this role needs a second factor")


@router.get("/accounts")
async def list_accounts(request: Request) -> Accounts:
    """List all accounts."""
    async with reading(request) as database:
        return Accounts(accounts=await accounts.list_accounts(database))


@router.post("/accounts", status_code=201, responses=_TAKEN)
async def add_account(request: Request, settings: Configured, new: accounts.NewAccount) -> OneTimePassword:
    """Make an account. An auditor's is made on the command line only."""
    async with writing(request) as database:
        return OneTimePassword(password=await accounts.add_account(database, new, settings.password_history))


@router.patch("/accounts/{name}", status_code=204, responses=_MISSING | _TAKEN)
async def change_account(request: Request, name: Name, change: accounts.AccountChange) -> Response:
    """Change an account; the change takes effect at once, also for its open sessions."""
    async with writing(request) as database:
        await accounts.change_account(database, name, change)
    return Response(status_code=204)


@router.post("/accounts/{name}/password", responses=_MISSING)
async def reset_password(request: Request, settings: Configured, name: Name) -> OneTimePassword:
    """Set a one-time password, and unlock the name; the account's sessions end."""
    async with writing(request) as database:
        return OneTimePassword(password=await accounts.reset_password(database, name, settings.password_history))


@router.delete("/accounts/{name}/factor", status_code=204, responses=_MISSING)
async def remove_factor(request: Request, name: Name) -> Response:
    """Remove the second factor of somebody who lost their telephone."""
    async with writing(request) as database:
        await accounts.remove_factor(database, name)
    return Response(status_code=204)


@router.get("/roles")
async def list_roles(request: Request) -> Roles:
    """List the roles and their rights."""
    async with reading(request) as database:
        return Roles(roles=await accounts.list_roles(database))


@router.patch("/roles/{role}", status_code=204, responses=_MISSING)
async def change_role(request: Request, role: Annotated[str, Path(max_length=64)], change: RoleChange) -> Response:
    """Require a second factor of all users with a role, or stop requiring it."""
    async with writing(request) as database:
        await accounts.require_factor(database, role, change.second_factor_required)
    return Response(status_code=204)


@router.get("/credentials")
async def list_credentials(request: Request) -> Credentials:
    """List keys and kiosk tokens."""
    async with reading(request) as database:
        return Credentials(credentials=await accounts.list_credentials(database))


@router.post("/credentials", status_code=201, responses=_MISSING)
async def issue_credential(request: Request, new: accounts.NewCredential) -> Secret:
    """Make a key for a machine, or a token for a kiosk. The answer is the only time it is shown."""
    async with writing(request) as database:
        number, secret = await accounts.issue_credential(database, new)
    return Secret(credential_id=number, secret=secret)


@router.delete("/credentials/{credential_id}", status_code=204, responses=_MISSING)
async def revoke_credential(request: Request, credential_id: Annotated[int, Path(ge=1, le=2**63 - 1)]) -> Response:
    """Revoke a key or kiosk token, at once."""
    async with writing(request) as database:
        await accounts.revoke_credential(database, credential_id)
    return Response(status_code=204)
