"""The report of a draft: what it changes, for those who must agree; HTML, PDF and CSV from one set of facts."""

from collections.abc import Iterable
from importlib.resources import files
from typing import Any, Literal

from geo_grid.boundaries.division import Cell, Division, Edits
from geo_grid.boundaries.findings import Finding
from geo_grid.boundaries.impact import Impact
from geo_grid.boundaries.operations import change_of
from geo_grid.exchange import typeset
from geo_grid.files.formulas import csv_of
from geo_grid.wording import catalogue

type Lang = Literal["zh", "en"]
_HERE = files("geo_grid.exchange")
_ZH = {
    "report": "边界调整影响报告", "draft": "草案", "base": "基于版本", "by": "起草", "state": "状态", "steps": "步骤", "why": "原因",
    "when": "时间", "what": "操作", "cells": "网格", "new": "新增", "changed": "改动", "retired": "撤销", "owners": "换主", "kind": "种类",
    "from": "原网格", "to": "新网格", "count": "数量", "stay": "不变", "moved": "换主", "work": "各网格工作量", "people": "负责人", "households": "户数",
    "incidents": "近 12 个月警情", "cameras": "摄像机", "duties": "需另行安排的人员", "findings": "检查", "none": "没有", "before": "改前", "after": "改后",
    "nobody": "无人", "estimate": "边界移动后的户数按面积估算。", "name": "姓名", "place": "位置", "text": "说明", "printed": "生成时间",
    "open incidents": "未结警情", "incidents of 12 months": "近 12 个月警情", "posts": "警务站", "facilities": "设施", "grid_lead": "网格长", "grid_manager": "网格管理员",
    "split": "分割", "merge": "合并", "move_border": "移动边界", "carve": "划出专属", "reshape": "重画", "transfer": "划转", "describe": "属性", "restore": "恢复版本",
}  # fmt: skip
_EN = {
    "report": "What a redrawn boundary changes", "draft": "Draft", "base": "On edition", "by": "Drawn by", "state": "State", "steps": "Steps",
    "why": "Reason", "when": "When", "what": "Operation", "cells": "Cells", "new": "new", "changed": "changed", "retired": "retired",
    "owners": "What changes its owner", "kind": "Kind", "from": "From", "to": "To", "count": "Count", "stay": "stay", "moved": "move",
    "work": "Workload by cell", "people": "People", "households": "Households", "incidents": "Incidents of 12 months", "cameras": "Cameras",
    "duties": "People to be given other cells", "findings": "Check", "none": "None", "before": "Before", "after": "After", "nobody": "nobody",
    "estimate": "Households after a border moved are shared out by area.", "name": "Name", "place": "Place", "text": "What", "printed": "Made at",
}  # fmt: skip


def draft_report(
    draft: dict[str, Any],
    impact: Impact,
    findings: list[Finding],
    changes: tuple[Division, Edits],
    made_at: str,
    lang: Lang,
) -> dict[str, Any]:
    """Collect the facts of a report.

    Parameters
    ----------
    draft
        As the drafts are listed, with `history`.
    changes
        The cells in force, and what the draft makes of them.
    made_at
        When, as people read it.
    """
    words = _ZH if lang == "zh" else _EN
    known = catalogue(lang)
    say = known.translate if known else str
    moved: dict[str, int] = {}
    for flow in impact.flows:
        moved[flow.kind] = moved.get(flow.kind, 0) + flow.count
    before, edits = changes
    codes = [code for code in edits if change_of(before, edits, code) and not before.children(code)]
    was = [before.cells[code] for code in codes if code in before.cells]
    becomes = [cell for code in codes if (cell := edits[code])]
    return {
        "words": words,
        "lang": lang,
        "draft": {**draft, "made_at": str(draft["made_at"])[:16]},
        "made_at": made_at,
        "steps": [
            [words.get(step["operation"], step["operation"]), " ".join(step["arguments"].get("codes", [])), step["author"], str(step["done_at"])[:16], step["reason"]]
            for step in draft["history"]
            if step["undone_at"] is None
        ],
        "counts": [len(impact.opened), len(impact.changed), len(impact.retired)],
        "totals": [[words.get(kind, kind), moved.get(kind, 0), impact.stay.get(kind)] for kind in dict.fromkeys([*impact.stay, *moved])],
        "moves": [[words.get(flow.kind, flow.kind), flow.from_code or "", flow.to_code or "", flow.count] for flow in impact.flows],
        "flows": [[flow.kind, flow.from_code or "", flow.to_code or "", flow.count] for flow in impact.flows],
        "work": [
            [
                f"{one.name} {one.grid_code}", ", ".join(one.people), one.households_before, one.households_after,
                one.incidents_before, one.incidents_after, one.cameras_before, one.cameras_after,
            ]
            for one in impact.workloads
        ],
        "duties": [[code, words.get(role, role), name] for code, role, name in impact.left_duties],
        "findings": [[one.kind, one.grid_code, say(one.text)] for one in findings],
        "before_svg": _drawing(was, was + becomes, "#c0392b"),
        "after_svg": _drawing(becomes, was + becomes, "#1e8449"),
    }  # fmt: skip


def as_html(report: dict[str, Any]) -> str:
    """Render a report as a page without scripts."""
    return typeset.page(_HERE.joinpath("report.html.jinja").read_text(encoding="utf-8"), report)


def as_pdf(report: dict[str, Any]) -> bytes:
    """Render a report as PDF (A4)."""
    return typeset.pdf(_HERE.joinpath("report.typ").read_bytes(), report)


def as_csv(report: dict[str, Any]) -> str:
    """Write who loses how many of what to whom, a row each."""
    return csv_of([("kind", "from_code", "to_code", "count"), *report["flows"]])


def _drawing(cells: list[Cell], extent: Iterable[Cell], colour: str) -> str:
    """Draw cells as SVG; both sides of a comparison have one extent."""
    look = typeset.Look(fill=colour, opacity=0.18, border=colour, border_px=1.5)
    return typeset.drawing([(cell.shape, look) for cell in cells], [cell.shape for cell in extent])
