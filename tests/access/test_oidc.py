"""Logging in through a real OpenID Connect provider, run on the loopback from its package."""

import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest

from geo_grid.access import oidc
from geo_grid.access.accounts import NewAccount, add_account
from geo_grid.cli.access import as_owner
from tests.conftest import live_server

HERE = Path(__file__).parent / "provider"
MODULES = Path(__file__).parents[2] / ".cache/provider"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def modules() -> Path:
    MODULES.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, MODULES / name)
    if not (MODULES / "node_modules/oidc-provider").is_dir():
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"], cwd=MODULES, check=True)
    return MODULES / "node_modules"


@pytest.fixture
def url(database: str, modules: Path) -> Iterator[str]:
    port = free_port()
    issuer = f"http://127.0.0.1:{port}"
    settings = {"oidc_issuer": issuer, "oidc_client_secret": "only-for-tests"}
    with live_server(database, **settings) as address:
        provider = subprocess.Popen(
            ["node", HERE / "provider.mjs", modules, str(port), f"{address}/session/oidc/callback"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        try:
            assert provider.stdout is not None
            assert provider.stdout.readline() == "ready\n"
            yield address
        finally:
            provider.kill()
            provider.wait()


def through_the_provider(client: httpx.Client, url: str, subject: str) -> httpx.Response:
    """Do what a browser and a person do: follow to the provider's pages, log in, consent, come back."""
    answer = client.get(f"{url}/session/oidc?next=/account", follow_redirects=True)
    for _ in range(4):
        if "<form" not in answer.text or str(answer.url).startswith(url):
            return answer
        target = urljoin(str(answer.url), re.search(r'action="([^"]+)"', answer.text)[1])
        prompt = re.search(r'name="prompt" value="([^"]+)"', answer.text)[1]
        answer = client.post(target, data={"prompt": prompt, "login": subject, "password": "x"}, follow_redirects=True)
    return answer


def test_who_the_provider_knows_and_we_know_is_let_in(url: str, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    new = NewAccount(name="li", role="planner", city_wide=True, oidc_subject="sub-of-li")
    assert as_owner(database, lambda connection: add_account(connection, new, 5)) is None
    with httpx.Client() as client:
        answer = through_the_provider(client, url, "sub-of-li")
        assert (answer.status_code, answer.url.path) == (200, "/account")
        assert client.get(f"{url}/session").json()["name"] == "li"
        returned = next(str(r.url) for r in answer.history if "callback" in str(r.url))
        assert client.get(returned).status_code == 401  # a state is good once
    assert httpx.get(returned).status_code == 401  # and in this browser only

    def refuse(claims: dict[str, object], client_id: str) -> None:
        assert (claims["aud"], client_id) == ("geo_grid", "geo_grid")
        raise ValueError

    monkeypatch.setattr(oidc, "refuse_foreign", refuse)  # whom a token is for is asked of each
    with httpx.Client() as client:
        answer = through_the_provider(client, url, "sub-of-li")
        assert (answer.status_code, "not good for this log-in" in answer.text) == (401, True)


def test_who_only_the_provider_knows_is_not(url: str) -> None:
    with httpx.Client() as client:
        answer = through_the_provider(client, url, "somebody-else")
        assert answer.status_code == 401
        assert "no account here" in answer.json()["detail"]
        assert client.get(f"{url}/session").status_code == 401


def test_without_the_provider_nobody_is_let_in(database: str) -> None:
    with live_server(database, oidc_issuer=f"http://127.0.0.1:{free_port()}") as url:
        answer = httpx.get(f"{url}/session/oidc")
        assert (answer.status_code, "cannot be reached" in answer.text) == (503, True)
        assert httpx.get(f"{url}/session/oidc/callback?state=x&code=y").status_code == 401
