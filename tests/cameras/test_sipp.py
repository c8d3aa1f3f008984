"""The door as sipp sees it, which nobody here wrote (Debian's sip-tester)."""

import subprocess
from pathlib import Path

import pytest

from tests.cameras.door import PLATFORM, ask, door, until
from tests.cameras.lower import PASSWORD
from tests.test_cli import free_port

SCENARIOS = Path(__file__).parent / "sipp"


def sipp(scenario: str, port: int, local: int, folder: Path, *more: str) -> subprocess.Popen[str]:
    command = [
        "sipp", f"127.0.0.1:{port}", "-sf", str(SCENARIOS / f"{scenario}.xml"), "-i", "127.0.0.1", "-p", str(local), "-s", PLATFORM, "-au", PLATFORM, "-ap", PASSWORD,
        "-m", "1", "-nostdin", "-timeout", "40s", "-timeout_error", "-trace_err", *more,
    ]  # fmt: skip
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def passes(running: subprocess.Popen[str], folder: Path) -> None:
    said, _ = running.communicate(timeout=60)
    errors = "".join(path.read_text() for path in folder.glob("*_errors.log"))
    assert running.returncode == 0, said[-2000:] + errors


@pytest.mark.parametrize("transport", ["u1", "t1"])
def test_sipp_registers_and_keeps_alive(small_city: str, state_dir: Path, tmp_path: Path, transport: str) -> None:
    local = free_port()
    with door(small_city, state_dir) as ours:
        passes(sipp("register", ours.port, local, tmp_path, "-t", transport), tmp_path)
        ours.wait_for(lambda one: one["is_online"])
        assert ours.link()["transport"] == ("udp" if transport == "u1" else "tcp")
        passes(
            sipp(
                "keepalive",
                ours.port,
                local if transport == "u1" else free_port(),
                tmp_path,
                "-t",
                transport,
                "-m",
                "200",
                "-r",
                "100",
            ),
            tmp_path,
        )


def test_sipp_answers_the_query_of_its_catalogue(small_city: str, state_dir: Path, tmp_path: Path) -> None:
    local = free_port()
    with door(small_city, state_dir) as ours:
        passes(sipp("register", ours.port, local, tmp_path), tmp_path)
        passes(sipp("catalogue", ours.port, local, tmp_path), tmp_path)
        link = ours.wait_for(lambda one: one["whole_at"])
        assert (link["announced"], link["received"], link["imported"]) == (2, 2, 2)
    stored = ask(small_city, "select c.name, s.state from cameras c join camera_states s using (camera_id) order by 1")
    assert [(row["name"], row["state"]) for row in stored] == [("IPCamera 1", "online"), ("IPCamera 2", "offline")]


def test_sipp_takes_the_subscription_and_notifies_of_a_camera(small_city: str, state_dir: Path, tmp_path: Path) -> None:
    local = free_port()
    with door(small_city, state_dir) as ours:
        passes(sipp("register", ours.port, local, tmp_path), tmp_path)
        passes(sipp("catalogue", ours.port, local, tmp_path), tmp_path)
        ours.wait_for(lambda one: one["whole_at"])
        passes(sipp("subscribe", ours.port, local, tmp_path, "-m", "2"), tmp_path)  # to the catalogue, and to positions
        assert ours.wait_for(lambda one: one["subscribed_until"])["is_online"]
        until(lambda: ask(small_city, "select from cameras where name = 'IPCamera 3'"))


def test_sipp_is_refused_with_a_wrong_password(small_city: str, state_dir: Path, tmp_path: Path) -> None:
    with door(small_city, state_dir) as ours:
        passes(sipp("refused", ours.port, free_port(), tmp_path, "-ap", "not-its-own"), tmp_path)
        until(lambda: ask(small_city, "select from platform_refusals where why = 'wrong password'"))
        assert not ours.link().get("is_online")
