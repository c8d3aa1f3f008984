"""What each indicator means, in both languages: the words stand beside every answer."""

from typing import Literal

from geo_grid.defined import Defined

type Code = Literal[
    "count",
    "rate",
    "year_on_year",
    "settlement",
    "on_time",
    "first_contact",
    "dispatch",
    "turnout",
    "travel",
    "response",
]
type Stage = Literal["first_contact", "dispatch", "turnout", "travel", "response"]
LONGEST_S = 86_400
"""Seconds beyond which a time is taken for a clock that was forgotten, and left out (as GET /response/times does)."""
CLOCKS: dict[Stage, tuple[str, str]] = {
    "first_contact": ("received_at", "contacted_at"),
    "dispatch": ("received_at", "dispatched_at"),
    "turnout": ("dispatched_at", "departed_at"),
    "travel": ("departed_at", "arrived_at"),
    "response": ("received_at", "arrived_at"),
}
"""From which clock to which each time runs."""


class Definition(Defined):
    """What an indicator means."""

    code: Code
    unit: Literal["incidents", "per 10,000 households", "share", "seconds"]


_TIMES_ZH = (
    "n 为计入件数，P50、P90 为至少 50%、90% 的件数不超过的最小实测秒数（最近秩，如 NFPA 1710）；"
    "缺少时钟、时钟先后颠倒、超过一天的不计入，分别列出件数。"
)
_TIMES_EN = (
    "n is how many count; P50 and P90 are the least measured times, in seconds, within which at least 50 and 90 % of"
    " them lie (nearest rank, as NFPA 1710 asks for). Left out, and told by number: a clock is missing, the clocks are out"
    " of order, it took more than a day."
)


def _times(code: Stage, name_zh: str, name_en: str, zh: str, en: str) -> Definition:
    return Definition(
        code=code, name_zh=name_zh, name_en=name_en, unit="seconds",
        definition_zh=f"{zh}{_TIMES_ZH}", definition_en=f"{en} {_TIMES_EN}",
    )  # fmt: skip


DEFINITIONS: dict[Code, Definition] = {
    one.code: one
    for one in (
        Definition(
            code="count", name_zh="件数", name_en="Incidents", unit="incidents",
            definition_zh="接报时间在统计期内的事件数；按力量统计时，派出的每个力量各计一次。",
            definition_en="Incidents received in the period; by unit, once for each unit that was sent.",
        ),
        Definition(
            code="rate", name_zh="万户发生率", name_en="Rate", unit="per 10,000 households",
            definition_zh="统计期内件数除以户数再乘以一万（不折算为全年）；户数为所选边界（未选时为现行边界）下所属末级网格户数之和，户数不明或为零时不计算，按责任区和力量不计算。",
            definition_en="Incidents of the period, for each 10,000 households (not made a yearly rate); households are"
            " those of the leaf cells there now, or at the moment asked about. None where these are unknown or 0, and none by zone or unit.",
        ),
        Definition(
            code="year_on_year", name_zh="同比", name_en="Year on year", unit="share",
            definition_zh="与上年同日期相比：（本期件数－上年同期件数）÷上年同期件数；上年同期为零时不计算。尚未结束的统计期与上年同样长的时段相比。",
            definition_en="Incidents less those of the same dates a year before, divided by the latter; none where there"
            " were none. A period that is not over is compared with the same part of the year before.",
        ),
        Definition(
            code="settlement", name_zh="办结率", name_en="Settlement", unit="share",
            definition_zh="统计期内接报的事件中，到统计时刻已办结的占比（办结数÷受理数）；其中未解决而结案的另列件数。",
            definition_en="Of the incidents received in the period, the share that is closed by now (closed / taken);"
            " those closed without a solution are told too.",
        ),
        Definition(
            code="on_time", name_zh="按期办结率", name_en="On time", unit="share",
            definition_zh="统计期内接报、有办理期限，且已办结或已到期的事件中，在期限内处置完毕的占比；没有处置环节的，以办结时刻计。",
            definition_en="Of the incidents received in the period that had a deadline and are closed, or whose deadline"
            " has passed: the share that was handled by its deadline, or, where nobody reported it as handled, closed.",
        ),
        _times("first_contact", "首次响应时间", "First contact", "从接报到受理或派警（取先者）。",
               "From received to accepted or dispatched, whichever came first."),
        _times("dispatch", "派警时间", "Dispatch", "从接报到派警。", "From received to dispatched."),
        _times("turnout", "出警准备时间", "Turnout", "从派警到出发。", "From dispatched to departed."),
        _times("travel", "路途时间", "Travel", "从出发到到场。", "From departed to arrived."),
        _times("response", "响应时间", "Response", "从接报到到场。", "From received to arrived."),
    )
}  # fmt: skip
"""Every indicator by its code."""
