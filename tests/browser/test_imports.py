"""Importing a file in a real browser: chosen, seen, confirmed."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from geo_grid.db import connect
from tests.browser.conftest import served
from tests.identities import api_key
from tests.squares import SIDE, SOUTH, WEST

pytestmark = pytest.mark.browser


def test_a_planner_imports_posts(page: Page, small_city: str, tmp_path: Path) -> None:
    rows = [f"P{n},警务站 {n},{WEST + (n % 5) * SIDE / 3},{SOUTH + SIDE / 2}" for n in range(30)]
    rows[7] = "P3,again,114.5,37"
    rows[9] = "P9,<b>bold</b>,nowhere,37"
    file = tmp_path / "posts.csv"
    file.write_text("\n".join(["post_code,title,lon,lat", *rows]), encoding="utf-8")
    with served(page, small_city) as url:
        page.set_extra_http_headers({"Authorization": f"Bearer {api_key(small_city, 'planner')}"})
        page.goto(f"{url}/imports?lang=en")
        page.wait_for_selector("body[data-ready]")
        page.locator("select[name=layer]").select_option("police_posts")
        page.locator("input[type=file]").set_input_files(file)
        page.locator("select[name=source_crs]").select_option("EPSG:4490")
        page.get_by_role("button", name="Check").click()
        report = page.locator(".wide", has_text="30 rows, 28 can be imported").last
        expect(report).to_contain_text("1 are there already")
        expect(page.locator("tbody tr")).to_have_count(2)
        confirm = page.get_by_role("button", name="Import 28 rows")
        expect(confirm).to_be_disabled()
        page.get_by_text("Columns", exact=True).click()  # their "title" is our "name"
        page.locator("select[data-field=name]").select_option("title")
        page.get_by_role("button", name="Check").click()
        expect(page.locator("select[data-field=name]")).to_have_value("title")
        page.get_by_label("leave the bad rows out").check()
        if "SHOTS" in os.environ:
            page.screenshot(path=Path(os.environ["SHOTS"], "imports.png"))
        confirm.click()
        expect(page.locator(".good")).to_have_text("28 rows are in Police posts")
        with connect(small_city) as connection:
            names = connection.execute("select name from police_posts order by post_code limit 2").fetchall()
        assert [row["name"] for row in names] == ["警务站 0", "警务站 1"]
