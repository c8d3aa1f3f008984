"""The people of the living demo: accounts that only it has keys for, each marked as demo."""

DISPATCHERS = ("demo-live-desk-1", "demo-live-desk-2", "demo-live-desk-3")
UNITS = "demo-live-units"
SUPERVISOR = "demo-live-supervisor"
PEOPLE = {
    **{name: f"接警员{number}（演示）" for number, name in zip("甲乙丙", DISPATCHERS, strict=True)},
    UNITS: "巡逻车台（演示）",
    SUPERVISOR: "值班长（演示）",
}
"""Names that are shown, by login name."""
