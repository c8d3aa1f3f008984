"""Device ids of GB/T 28181: what is written can be read, and what deviates is told and kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo_grid.cameras.register import deviations, explain_id
from geo_grid.errors import UserError
from geo_grid.gb28181 import DeviceId, azimuth_of, direction_of, refuse_no_camera, tables
from geo_grid.layers.cameras import CameraRow, forbidden_place

CAMERA = "13050200001320000001"


def digits(count: int) -> st.SearchStrategy[str]:
    return st.text("0123456789", min_size=count, max_size=count)


@given(digits(20))
def test_reading_and_writing_an_id_are_inverse(text: str) -> None:
    assert str(DeviceId.parse(text)) == text


@given(st.tuples(digits(8), digits(2), digits(3), digits(1), digits(6)))
def test_writing_and_reading_an_id_are_inverse(parts: tuple[str, str, str, str, str]) -> None:
    written = DeviceId(*parts)
    assert DeviceId.parse(str(written)) == written
    told = written.explained()  # any code is explained, or warned of, never refused
    assert all(code.certainty != "unknown" or any(code.code in said for said in told.warnings())
               for code in (told.kind, told.industry, told.network))  # fmt: skip


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (CAMERA[:-1], "has 19 characters"),
        (CAMERA + "1", "has 21 characters"),
        (CAMERA[:-1] + "A", "other characters"),
        ("１" * 20, "other characters"),
        ("²" * 20, "other characters"),
        ("", "has 0 characters"),
        (" " + CAMERA[1:], "other characters"),
    ],
)
def test_what_is_no_id_is_refused_in_words(text: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        DeviceId.parse(text)


def test_an_id_is_explained_part_by_part() -> None:
    told = explain_id("13050299051215123456")
    assert (told.division_code, told.station, told.serial) == ("130502", "99", "123456")
    assert (told.industry.code, told.industry.en) == ("05", "traffic: checkpoints")
    assert (told.type.code, told.type.certainty, told.is_camera) == ("121", "occurs", True)
    assert (told.network.code, told.network.en) == ("5", "police network")
    assert told.warnings == ["type code 121 occurs in catalogues, and no source says what it means"]
    assert explain_id("13050299991419123456").warnings == [
        "type code 141 is in no table; it is kept as it is",
        "industry code 99 is in no table; it is kept as it is",
        "network code 9 is in no table; it is kept as it is",
    ]


@pytest.mark.parametrize(
    ("kind", "is_camera"), [("131", True), ("132", True), *((str(n), True) for n in range(120, 126))]
)
def test_types_of_real_catalogues_are_cameras(kind: str, is_camera: bool) -> None:
    told = DeviceId.parse(f"{CAMERA[:10]}{kind}{CAMERA[13:]}").explained()
    assert told.is_camera is is_camera
    refuse_no_camera(told)
    assert CameraRow(gb28181_id=told.gb28181_id, name="x").gb28181_id == told.gb28181_id


@pytest.mark.parametrize("kind", ["111", "118", "134", "200", "215", "216", "300", "500"])
def test_codes_that_are_no_cameras_are_refused(kind: str) -> None:
    with pytest.raises(ValueError, match=f"{kind}, which is no camera"):
        CameraRow(gb28181_id=f"{CAMERA[:10]}{kind}{CAMERA[13:]}", name="x")


def test_the_eight_directions_are_not_clockwise() -> None:
    assert [azimuth_of(n) for n in range(1, 9)] == [90, 270, 180, 0, 135, 45, 225, 315]
    assert [direction_of(azimuth_of(n)) for n in range(1, 9)] == list(range(1, 9))
    assert (azimuth_of(0), azimuth_of(9), direction_of(350), direction_of(22.4)) == (None, None, 4, 4)


@given(st.floats(0, 360, exclude_max=True))
def test_no_azimuth_is_farther_than_half_a_direction_from_its_direction(azimuth: float) -> None:
    meant = azimuth_of(direction_of(azimuth))
    assert meant is not None
    assert abs((meant - azimuth + 180) % 360 - 180) <= 22.5


def test_deviating_codes_are_told_and_kept() -> None:
    row = CameraRow(
        gb28181_id=f"{CAMERA[:10]}121{CAMERA[13:]}",
        name="x",
        ptz_type=99,
        room_type=3,
        direction_type=1,
        azimuth_deg=271,
    ).model_dump()
    assert (row["ptz_type"], row["room_type"], row["direction_type"]) == (99, 3, 1)
    assert list(deviations(row)) == [
        "type code 121 occurs in catalogues, and no source says what it means",
        "PTZType 99 occurs in catalogues, and no source says what it means",
        "RoomType 3 is in no table; it is kept as it is",
        "azimuth_deg contradicts DirectionType; azimuth_deg counts",
    ]
    assert list(deviations({**row, "gb28181_id": "LOCAL-1", "ptz_type": 4, "room_type": 1, "azimuth_deg": 120})) == []


def test_a_division_of_no_province_and_a_serial_of_nothing_are_warned_of() -> None:
    assert explain_id("99050299051325000000").warnings == [
        "division code 990502 is of no province (GB/T 2260); it is kept as it is",
        "the serial number is 000000, which counts no device",
    ]


@pytest.mark.parametrize(
    "bad",
    [{"azimuth_deg": 400}, {"azimuth_deg": 360}, {"range_m": -5}, {"fov_deg": 0}, {"height_m": -1}, {"ptz_type": -1}],
)
def test_what_no_camera_has_is_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        CameraRow(gb28181_id=CAMERA, name="x", **bad)


@pytest.mark.parametrize(
    "name",
    [
        "3楼客房301", "女生宿舍走廊", "二楼厕所", "更衣室", "hotel guest room 5", "Changing room", "宾馆 客 房", "客\u200b房101",
        "客\u3000房", "客·房", "女更衣間", "女更衣间", "衛生間", "廁所", "試衣間", "公厕", "ＴＯＩＬＥＴ", "t o i l e t", "客\ufe0f房", "洗\u00ad手间",
        "洗手间内(大厅门口对面)", "大厅门口洗手间", "洗手间(大厅门口对面)", "客房101 靠近电梯入口", "厕所门口和更衣室", "学生宿舍大门内",
        "宿舍3楼走廊东侧", "更衣室 北门外侧", "WC", "W.C.", "ＷＣ", "女卫", "寝室", "宿舎", "茅房", "洗手閒", "厕所门口对内", "客房门口看向床", "包间3", "包厢", "哺乳室", "母婴室", "卧室", "酒店301房间", "hotel room 5", "学生公寓302", "dorm 4", "Bedroom",
    ],
)  # fmt: skip
def test_cameras_in_forbidden_places_are_refused(name: str) -> None:
    for row in ({"name": name}, {"name": "x", "purpose": name}, {"name": "x", "note": name}):
        with pytest.raises(ValueError, match="State Council Order 799"):
            CameraRow(gb28181_id=CAMERA, **row)


@pytest.mark.parametrize("name", [
    "公共厕所门口", "3号宿舍楼前", "学生宿舍大门", "文明路与解放路交叉口", "卫生间门口", "卫生间 门口", "衛生間門口", "卫生间（门口）", "公厕旁",
    "职工宿舍3号楼门口", "宿舍楼东侧", "宿舍1单元入口", "宿舍区大门", "宿舍楼楼下", "卫生院大门", "客运站", "妇女卫生服务中心", "WCDMA基站", "厕所门口对面", "公厕对面", "学生公寓3号楼门口",
    "Dormer Street",
])  # fmt: skip
def test_cameras_before_such_places_are_taken(name: str) -> None:
    assert forbidden_place(name) is None


def test_the_tables_say_how_sure_they_are() -> None:
    known = tables()
    assert {one.certainty for one in known.types.values()} == {"implemented", "occurs"}
    assert known.ptz["1"].looks == "around"
    assert {"98", "99"} <= known.ptz.keys()
