"""What cameras and ffmpeg say is read without believing it."""

import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo_grid.errors import SetupError
from geo_grid.feeds.addresses import Hosts
from geo_grid.feeds.fragments import Fragments
from geo_grid.feeds.rtsp import BrokenStream, Login, Message, video_codec


def test_the_answer_to_a_challenge_is_that_of_the_standards() -> None:
    mufasa = Login("Mufasa", "Circle Of Life")  # RFC 2617, 3.5, without its qop, which RTSP does not use
    challenge = 'Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41"'
    assert mufasa.answer("GET", "/dir/index.html") is None
    assert mufasa.take(
        Message("RTSP/1.0 401 Unauthorized", [("WWW-Authenticate", 'Basic realm="x"'), ("WWW-Authenticate", challenge)])
    )
    answer = mufasa.answer("GET", "/dir/index.html")
    assert 'response="670fd8c2df070c60b045671b8b24ff02"' in answer
    assert 'opaque="5ccc069c403ebaf9f0171e9517f40e41"' in answer
    assert "Circle Of Life" not in repr(mufasa)
    aladdin = Login("Aladdin", "open sesame")  # RFC 2617, 2
    assert aladdin.take(Message("RTSP/1.0 401 Unauthorized", [("WWW-Authenticate", 'Basic realm="WallyWorld"')]))
    assert aladdin.answer("DESCRIBE", "rtsp://x/") == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
    assert not aladdin.take(
        Message("RTSP/1.0 401 Unauthorized", [("WWW-Authenticate", 'Digest realm="x", algorithm=SHA-512-256')])
    )


@given(st.binary(max_size=300))
def test_any_head_is_read_or_refused_in_words(head: bytes) -> None:
    try:
        message = Message.of_head(b"RTSP/1.0 200 OK\r\n" + head)
        assert message.status == 200
        assert message.length >= 0
    except BrokenStream:
        pass
    video_codec(head)


@given(st.binary(max_size=400), st.integers(1, 50))
def test_any_bytes_of_a_picture_are_read_or_refused_in_words(content: bytes, step: int) -> None:
    fragments = Fragments()
    try:
        for at in range(0, len(content), step):
            fragments.take(content[at : at + step])
    except BrokenStream:
        pass
    assert fragments.playlist().startswith("#EXTM3U")


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_boxes_that_lie_about_what_is_in_them_are_refused_in_words(inner: bytes, moof: bytes) -> None:
    def box(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I4s", 8 + len(content), kind) + content

    mdhd = box(
        b"mdia", box(b"mdhd", bytes(12) + struct.pack(">I", 90000)) + box(b"minf", box(b"stbl", box(b"stsd", inner)))
    )
    content = box(b"moov", box(b"trak", mdhd) + box(b"mvex", box(b"trex", bytes(20))))
    fragments = Fragments()
    try:
        fragments.take(content)
        fragments.take(box(b"moof", box(b"traf", box(b"tfhd", moof) + box(b"trun", moof))) + box(b"mdat", b"x"))
    except BrokenStream:
        pass


def test_fragments_last_as_long_as_their_picture(tmp_path: Path) -> None:
    made = tmp_path / "made.mp4"
    subprocess.run(
        ["ffmpeg", "-nostdin", "-loglevel", "error", "-f", "lavfi", "-i", "testsrc=size=160x90:rate=10:duration=20",
         "-c:v", "libx264", "-preset", "ultrafast", "-g", "20", "-bf", "0", "-f", "mp4",
         "-movflags", "+empty_moov+default_base_moof+frag_keyframe+skip_trailer", str(made)],
        check=True,
    )  # fmt: skip
    fragments, content = Fragments(), made.read_bytes()
    seen = {}
    for at in range(0, len(content), 1000):
        fragments.take(content[at : at + 1000])
        seen |= {one.number: one.seconds for one in fragments._kept}
    assert seen == dict.fromkeys(range(10), 2.0)
    assert [line for line in fragments.playlist().splitlines() if not line.startswith("#")] == [
        f"{n}.m4s" for n in range(6, 10)
    ]
    assert (fragments.beginning + b"".join(one.content for one in fragments._kept))[:8] == content[:8]
    fragments.forget()
    assert (fragments.beginning, fragments.has_picture) == (None, False)


def test_passwords_that_others_can_read_are_not_used(tmp_path: Path) -> None:
    file = tmp_path / "hosts"
    file.write_text("machine recorder login op password secret-word\n")
    file.chmod(0o640)
    with pytest.raises(SetupError, match="chmod 600"):
        Hosts(file).login("recorder")
    file.chmod(0o600)
    assert Hosts(file).login("recorder") == Login("op", "secret-word")
    assert Hosts(file).login("another") is None
    file.write_text("machine recorder login op passwort secret-word\n")
    with pytest.raises(SetupError, match="line 1") as refused:
        Hosts(file).login("recorder")
    assert "secret-word" not in str(refused.value)
    with pytest.raises(SetupError, match="No such file"):
        Hosts(tmp_path / "none").login("recorder")
    assert Hosts(None).login("recorder") is None
