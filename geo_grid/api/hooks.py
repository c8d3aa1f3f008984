"""/webhooks: other systems that are told of changes, and letters that were given up."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from geo_grid.api.server.asking import reading, writing
from geo_grid.api.server.links import here
from geo_grid.api.server.parameters import AtMost, Configured
from geo_grid.api.server.problems import PROBLEM, PROBLEM_RESPONSES
from geo_grid.api.server.rights import GuardedRoute
from geo_grid.api.server.state import server_of
from geo_grid.hooks import DeadLetter, Hook, NewHook, add_hook, dead_letters, enable_hook, list_hooks, remove_hook
from geo_grid.hooks import send_again as again

router = APIRouter(
    prefix="/webhooks",
    tags=["webhooks"],
    responses=PROBLEM_RESPONSES | {404: PROBLEM},
    route_class=GuardedRoute,
)
HookId = Annotated[int, Path(ge=1, le=2**63 - 1)]
LetterId = Annotated[int, Field(ge=1, le=2**63 - 1)]


class Hooks(BaseModel):
    """All hooks."""

    webhooks: list[Hook]


class MadeHook(BaseModel):
    """A new hook with its secret, which is shown once."""

    webhook: Hook
    secret: str = Field(description="with it the receiver checks the signature of each letter")


class Enabled(BaseModel):
    """Whether a hook is in force."""

    model_config = ConfigDict(extra="forbid")

    enabled: bool


class DeadLetters(BaseModel):
    """Letters that were given up, oldest first."""

    letters: list[DeadLetter]
    next: str | None


class Again(BaseModel):
    """Which letters to send again."""

    model_config = ConfigDict(extra="forbid")

    letter_ids: list[LetterId] | None = Field(None, max_length=1000, description="null: all of the hook")


class SentAgain(BaseModel):
    """How many letters will be sent again."""

    letters: int


@router.get("")
async def get_hooks(request: Request) -> Hooks:
    """List the hooks, how many letters wait and how many were given up."""
    async with reading(request) as database:
        return Hooks(webhooks=await list_hooks(database))


@router.post("", status_code=201)
async def post_hook(request: Request, settings: Configured, new: NewHook) -> MadeHook:
    """Make a hook. The answer is the only time its secret is shown."""
    async with writing(request) as database:
        hook, secret = await add_hook(database, new, settings.webhook_listed)
    server_of(request).due.soon()
    return MadeHook(webhook=hook, secret=secret)


@router.patch("/{hook_id}")
async def patch_hook(request: Request, hook_id: HookId, change: Enabled) -> Hook:
    """Disable a hook, or bring it into force again; letters that wait are sent then."""
    async with writing(request) as database:
        return await enable_hook(database, hook_id, change.enabled)


@router.delete("/{hook_id}", status_code=204)
async def delete_hook(request: Request, hook_id: HookId) -> Response:
    """Remove a hook with its letters."""
    async with writing(request) as database:
        await remove_hook(database, hook_id)
    return Response(status_code=204)


@router.get("/{hook_id}/dead-letters")
async def get_dead(
    request: Request,
    hook_id: HookId,
    limit: Annotated[int, Query(ge=1), AtMost(1000)] = 100,
    after: Annotated[int | None, Query(ge=1, le=2**63 - 1, description="continue after this letter_id")] = None,
) -> DeadLetters:
    """List letters that were given up; they are kept for 30 days."""
    async with reading(request) as database:
        page = await dead_letters(database, hook_id, limit, after)
    return DeadLetters(letters=page, next=here(request, after=page[-1].letter_id) if len(page) == limit else None)


@router.post("/{hook_id}/dead-letters")
async def send_again(request: Request, hook_id: HookId, which: Again) -> SentAgain:
    """Send letters again that were given up, under the same webhook-id; they may come after newer ones."""
    async with writing(request) as database:
        sent = SentAgain(letters=await again(database, hook_id, which.letter_ids))
    server_of(request).due.soon()
    return sent
