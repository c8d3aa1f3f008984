"""Registers as platforms write them: broken items are refused one by one, and nothing of persons is read."""

import contextlib
import json
import random

import pytest

from geo_grid.errors import UnreadableFile
from geo_grid.gb28181.catalogue import read_catalogue
from geo_grid.gb28181.viid import is_viid, read_viid
from tests.cameras.catalogues import catalogue, item

APE = {
    "ApeID": "13050200001190000001",
    "Name": "x",
    "Longitude": 114.5,
    "Latitude": 37.1,
    "IsOnline": "1",
    "Password": "p",
}


def test_a_catalogue_that_says_gb2312_is_gb18030() -> None:
    found = read_catalogue(catalogue(item(1), item(2, name="䶮㐀路口", Status="OFF", Longitude="0", Latitude="0.000")))
    assert found.rows[0] == {
        "gb28181_id": "13050200001320000001", "name": "朱镕路监控1", "org_code": "130502", "is_secret": "0",
        "parent_id": "13050200002000000001/13050200002160000001", "camera_state": "online", "lon": "114.503", "lat": "37.003",
        "ptz_type": "3", "direction_type": "5",
    }  # fmt: skip
    assert (found.rows[1]["name"], found.rows[1]["camera_state"], "lon" in found.rows[1]) == (
        "䶮㐀路口",
        "offline",
        False,
    )
    assert (found.announced, found.received, found.secrets, found.broken) == (2, 2, 2, {})
    assert "geheim" not in repr(found)
    assert "10.1.2.3" not in repr(found)


def test_broken_items_are_refused_one_by_one() -> None:
    found = read_catalogue(
        catalogue(
            item(1),
            b"<Item><DeviceID>1</DeviceID><Name>\xff\xff</Name></Item>",
            "<Item><Name>A & B</Name></Item>",
            item(2).removesuffix("</Item>"),
            item(3).replace("Name>", "N\0ame>"),
            f"<Item><Name>{'x' * 70_000}</Name></Item>",
            item(4),
        )
    )
    assert [row.get("gb28181_id", "")[-1:] for row in found.rows] == ["1", "", "", "", "3", "", "4"]
    assert list(found.broken) == [1, 2, 3, 5]
    for row, says in ((1, "not written in GB18030"), (2, "no XML"), (3, "has no end"), (5, "bytes")):
        assert says in found.broken[row]


def test_what_is_no_camera_is_left_out_and_counted() -> None:
    others = ("130502", "13050200002150000001", "13050200001180000009", "13050200002160000001")
    found = read_catalogue(catalogue(item(1), *(item(9, DeviceID=other) for other in others)))
    assert len(found.rows) == 1
    assert sum(found.left_out.values()) == 4
    assert any("NVR" in what for what in found.left_out)


def test_codes_that_are_no_numbers_are_taken_as_far_as_they_are() -> None:
    found = read_catalogue(
        catalogue(item(1).replace("<PTZType>3", "<PTZType>1/2"), item(2).replace("<PTZType>3", "<PTZType>球机"))
    )
    assert (found.rows[0]["ptz_type"], "ptz_type" in found.rows[1], found.odd["ptz_type"]) == ("1", False, 2)


def test_answers_in_a_row_announce_together() -> None:
    two = catalogue(item(1), announced=2) + catalogue(item(2), announced=2) + catalogue(item(3), serial=7, announced=5)
    found = read_catalogue(two)
    assert (found.announced, found.received, len(found.rows)) == (7, 3, 3)


def test_other_encodings_are_told() -> None:
    text = catalogue(item(1)).decode("gb18030")
    for data in (
        text.replace("GB2312", "UTF-8").encode(),
        text.replace(' encoding="GB2312"', "").encode(),
        text.replace("GB2312", "UTF-16").encode("utf-16"),
        text.replace(' encoding="GB2312"', "").encode("gb18030"),
        text.encode(),  # says GB2312, and is UTF-8
    ):
        assert read_catalogue(data).rows[0]["name"] == "朱镕路监控1"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"<a/>", "no catalogue"),
        (b"\xff\xfe\x00", "UTF-16"),
        (b"<!DOCTYPE x [<!ENTITY a 'aaaa'>]>" + catalogue(item(1)), "declares entities"),
        (catalogue(item(1)).replace(b"Catalog<", b"Keepalive<"), "no catalogue"),
    ],
)
def test_what_is_no_catalogue_is_refused(data: bytes, says: str) -> None:
    with pytest.raises(UnreadableFile, match=says):
        read_catalogue(data)


def test_no_bytes_end_the_reader() -> None:
    rng = random.Random(28181)
    whole = catalogue(*(item(number) for number in range(20)))
    for _ in range(400):
        broken = bytearray(whole)
        for _ in range(rng.randint(1, 40)):
            place = rng.randrange(len(broken))
            if rng.random() < 0.5:
                broken[place] = rng.randrange(256)
            else:
                del broken[place : place + rng.randint(1, 200)]
        with contextlib.suppress(UnreadableFile):
            found = read_catalogue(bytes(broken))
            assert all(not row for row in (found.rows[number] for number in found.broken))
            assert len(found.rows) + sum(found.left_out.values()) == found.received


def test_apes_of_gat1400_are_read() -> None:
    for document in (
        {"APEListObject": {"APEObject": [APE]}}, {"APEObject": [APE]}, [APE], {"APEObject": APE}, {"APEList": {"APE": [APE]}},
        {"APEList": [APE]}, {"APE": APE}, {"ApeListObject": {"ApeObject": [APE]}}, {"code": 0, "data": {"APEList": {"APE": [APE]}}},
        {"Total": 1, "APEListObject": {"Page": {"No": 1}, "APEObject": [APE]}}, {"data": [{"APEObject": APE}]}, APE,
    ):  # fmt: skip
        found = read_viid(json.loads(json.dumps({**document, "x": 1} if isinstance(document, dict) else document)))
        assert found.rows == [
            {"gb28181_id": "13050200001190000001", "name": "x", "lon": "114.5", "lat": "37.1", "camera_state": "online"}
        ]
        assert found.secrets == 1
    assert read_viid([{**APE, "MonitorDirection": "1", "Longitude": 0, "Latitude": 0}]).directions == 1


@pytest.mark.parametrize(
    "document",
    [
        {"FaceListObject": {"FaceObject": []}},
        {"PersonListObject": {}},
        {"APEListObject": {"APEObject": [{**APE, "SubImageList": {"SubImageInfoObject": []}}]}},
        {"APEListObject": {"APEObject": [{**APE, "PlateNo": "x"}]}},
        {"APEListObject": {"APEObject": [APE]}, "MotorVehicleListObject": {}},
    ],
)
def test_what_holds_persons_faces_or_plates_is_refused_whole(document: object) -> None:
    with pytest.raises(UnreadableFile, match="not taken here, and nothing"):
        read_viid(document)


def test_apes_are_refused_one_by_one() -> None:
    found = read_viid({"APEList": {"APE": [APE, 5, {"Name": "y"}]}})
    assert (len(found.rows), found.broken) == (3, {1: "it is no object"})
    assert found.rows[2] == {"name": "y"}


@pytest.mark.parametrize("document", [5, None, [], {}, {"APEListObject": {}}, [[[]]], {"a": {"b": 1}}, "x"])
def test_what_holds_no_ape_is_refused(document: object) -> None:
    with pytest.raises(UnreadableFile, match=r"no APE|no object"):
        found = read_viid(document)
        raise UnreadableFile(next(iter(found.broken.values()), "taken"))


def test_what_is_nested_without_end_is_refused() -> None:
    deep: object = []
    for _ in range(200):
        deep = {"APEListObject": deep}
    with pytest.raises(UnreadableFile, match="nested"):
        read_viid(deep)


def test_geojson_and_gat1400_are_told_apart_by_their_beginning() -> None:
    assert is_viid(b'\xef\xbb\xbf {"APEListObject": {')
    assert is_viid(b'[{"ApeID": "1"')
    assert is_viid(b'{"FaceListObject":')  # so that it is refused in words, not taken for broken GeoJSON
    assert is_viid(b'{"APEList": {"APE": [{"Name"')
    assert is_viid(b'{"code": 0, "data": {"apeListObject": {')
    assert is_viid(b'{"FaceList": {"Face": [')
    assert not is_viid(b'{"type": "FeatureCollection"')
    assert not is_viid(b'{"features": [{"type": "Feature", "properties": {"ApeID": "1"')
    assert not is_viid(b'{"displayFieldName": "APE", "geometryType": "esriGeometryPoint"')
    assert not is_viid(b'{"cameras": [')
