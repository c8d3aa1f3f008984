"""What the server says is said in Chinese on a Chinese page, all of it; programs are answered in English."""

import httpx
import pytest

from geo_grid.wording import Catalogue, catalogue, speak, worded
from geo_grid.wording.catalogue import parts_of
from tests.conftest import live_server
from tests.identities import api_key, bearing
from tests.wording.texts import collected, stored

_LEFT_OUT = {"expected_plural", "value", "class_name", "field_type"}
"""Values that only English needs: an s for many, and names of types."""


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    return {message.id: message.string for message in stored() if message.id}


def chinese() -> Catalogue:
    found = catalogue("zh")
    assert found is not None
    return found


def test_the_catalogue_has_every_text_of_the_program_and_no_other(texts: dict[str, str]) -> None:
    wanted = {message.id for message in collected() if message.id}
    hint = "make words brings geo_grid/wording/zh.po up to date; then translate what is empty"
    assert sorted(wanted - texts.keys()) == [], hint
    assert sorted(texts.keys() - wanted) == [], hint


def test_every_text_is_translated_with_its_values(texts: dict[str, str]) -> None:
    assert [text for text, said in texts.items() if not said] == []
    for text, said in texts.items():
        values, kept = set(parts_of(text)[1]), set(parts_of(said)[1])
        assert kept <= values, f"{said}: {kept - values} is no value of {text}"
        assert values - kept <= _LEFT_OUT, f"{said} leaves out {values - kept}"


def test_every_text_is_told_from_all_others_when_it_was_put_together(texts: dict[str, str]) -> None:
    known = chinese()
    for text, said in texts.items():
        values = {name: f"Q{number}" for number, name in enumerate(parts_of(text)[1])}
        assert known.translate(text.format_map(values)) == said.format_map(values), text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("there is no camera 13050200001320000001", "没有摄像机 13050200001320000001"),
        ("body/name: Field required; body/x: Input should be greater than 3", "body/name: 必填；body/x: 应大于 3"),
        ("南园社区: it has 20 households; 300 to 500 are usual", "南园社区: 有 20 户；通常为 300 到 500 户"),
        (
            "step 3 (split) cannot be done on the newer edition: A 南园 would be in pieces",
            "第 3 步（split）不能在新版本上执行：A 南园 会分成互不相连的几块",
        ),
        (
            "this matter is handled and cannot be assigned: that follows reported, accepted",
            "此事项处于“处置”，不能分派：其前一环节应为 发现、受理",
        ),
        (
            "'a.csv' does not say for certain which coordinates it uses: name them with source_crs",
            "'a.csv' 没有明确说明使用哪种坐标：请用 source_crs 指明",
        ),
        ("there is no camera {0}", "没有摄像机 {0}"),
        ("nobody wrote this", "nobody wrote this"),
    ],
)
def test_a_text_is_recognised_within_others_and_what_is_not_known_stays(text: str, said: str) -> None:
    assert chinese().translate(text) == said


def test_what_is_said_follows_who_is_spoken_to() -> None:
    speak("en")
    assert worded("you may not see this camera any more") == "you may not see this camera any more"
    speak("zh")
    assert worded("you may not see this camera any more") == "您已无权查看这个摄像机"
    speak("en")


@pytest.mark.parametrize(
    ("asked", "language"),
    [
        (None, "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en-US,en;q=0.9,zh;q=0.8", "en"),
        ("fr, zh;q=0.5", "zh"),
        ("zh;q=0, en", "en"),
        ("*", "en"),
        ("zh-Hans-CN", "zh"),
    ],
)
def test_a_problem_is_told_in_the_language_that_is_asked_for(
    refused: httpx.Client, asked: str | None, language: str
) -> None:
    headers = {"Accept-Language": asked} if asked else {}
    answer = refused.get("/locate", params={"lon": 200, "lat": 37}, headers=headers)
    said = {"en": "lon 200.0 lat 37.0 is out of range", "zh": "经度 200.0、纬度 37.0 超出范围"}[language]
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith(said)
    assert answer.json()["title"] == {"en": answer.json()["title"], "zh": "内容无效"}[language]
    assert answer.headers["Content-Language"] == language
    assert "Accept-Language" in answer.headers["Vary"]


def test_every_fault_of_a_body_is_told_in_chinese(refused: httpx.Client) -> None:
    answer = refused.post("/incidents", json={"lon": "x"}, headers={"Accept-Language": "zh"})
    problem = answer.json()
    assert answer.status_code == 422
    assert {fault["pointer"]: fault["detail"] for fault in problem["errors"]}["body/lon"] == "应为数字，无法识别输入"
    assert "body/lat: 必填" in problem["detail"]


def test_an_answer_that_says_nothing_does_not_depend_on_the_language(refused: httpx.Client) -> None:
    answer = refused.get("/locate", params={"lon": 114.503, "lat": 37.003})
    assert "Accept-Language" not in answer.headers.get("Vary", "")


def test_a_report_of_an_import_is_in_the_language_of_the_page(four_cells: str) -> None:
    rows = "post_code,name,lon,lat\nP1,一站,114.503,37.003\nP1,二站,114.503,37.003\nP3,三站,nowhere,37\nP4,四站,3,37\n"
    with live_server(four_cells) as url, bearing(url, api_key(four_cells, "planner")) as client:
        told = {}
        for language in ("en", "zh"):
            answer = client.post(
                "/imports",
                files={"file": ("posts.csv", rows)},
                data={"layer": "police_posts", "source_crs": "EPSG:4490"},
                headers={"Accept-Language": language},
            )
            assert answer.status_code == 201, answer.text
            told[language] = [*(row["reason"] for row in answer.json()["bad_rows"]), *answer.json()["notes"]]
            assert "Accept-Language" in answer.headers["Vary"]
    assert all(reason.isascii() for reason in told["en"])
    assert len(told["zh"]) == len(told["en"]) == 3
    assert not any(reason.isascii() for reason in told["zh"]), told["zh"]
