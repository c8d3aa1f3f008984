"""Passwords in texts: found however they are written, and nothing else is."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo_grid.passwords import is_secret_name, without_passwords

WRITTEN = {
    "rtsp://root:pa@ss/w:gehA2@10.1.1.1": "rtsp://10.1.1.1",
    "rtsp://admin:geh1@10.1.1.1,rtsp://admin:geh2@10.1.1.2": "rtsp://10.1.1.1,rtsp://10.1.1.2",
    "rtsp://admin:geh#1@10.1.1.1/a?b@c": "rtsp://10.1.1.1/a?b@c",
    "见rtsp://a:geh@10.1.1.1/ch1，联系admin@x.cn": "见rtsp://10.1.1.1/ch1，联系admin@x.cn",
    "rtsp：//admin:gehF2@10.1.1.1/ch1": "rtsp：//10.1.1.1/ch1",
    "rtsp://admin:gehF2＠10.1.1.1": "rtsp://10.1.1.1",
    "rtsp://u:geh@[fe80::1]:554/x": "rtsp://[fe80::1]:554/x",
    "admin:gehF3@10.1.1.1:554/ch1": "10.1.1.1:554/ch1",
    "用户admin:gehF3@10.1.1.1": "用户10.1.1.1",
    "admin/geh1@10.1.1.1": "10.1.1.1",
    "rtsp://10.1.1.1/user=admin_password=gehA5_channel=1": "rtsp://10.1.1.1/user=admin_password=***_channel=1",
    "http://10.1.1.1/?user=admin&pwd=gehA4": "http://10.1.1.1/?user=admin&pwd=***",
    "rtsp://10.1.1.1:554/user=admin&password=geh9&channel=1": "rtsp://10.1.1.1:554/user=admin&password=***&channel=1",
    "用户名admin 密码:gehD1": "用户名admin 密码:***",
    "用户名：admin，密码：geh1，端口：554": "用户名：admin，密码：***，端口：554",
    "用户名/密码：admin/geh12": "用户名/密码：***",
    "用户名密码分别是admin、gehX1": "用户名密码分别是***",
    "密 码：geh1": "密 码：***",
    "密\u200b码：geh2": "密\u200b码：***",
    "密碼：geh1": "密碼：***",
    "密码：芝麻开门": "密码：***",
    "密码gehD9": "密码***",
    "密码 geh1 请保密": "密码 *** 请保密",
    "密码（geh1）": "密码（***）",
    "口令是gehD3": "口令是***",
    "口令(管理员)：geh1": "口令(管理员)：***",
    "password=gehD4": "password=***",
    "ｐａｓｓｗｏｒｄ＝ｇｅｈ１": "ｐａｓｓｗｏｒｄ＝***",
    "the password is geh": "the password is ***",
    "passwd gehD44": "passwd ***",
    "pwd:geh1,user:admin": "pwd:***,user:admin",
    "pass:gehD7": "pass:***",
    "userPass = geh1": "userPass = ***",
    "http://10.1.1.1/live?token=geh1&channel=2": "http://10.1.1.1/live?token=***&channel=2",
    "accessToken: geh1": "accessToken: ***",
    "api_key=geh1; secret key: geh1": "api_key=***; secret key: ***",
    "пароль: geh1": "пароль: ***",
    "令牌: geh1": "令牌: ***",
    "PIN:geh1": "PIN:***",
    "p@ssword: geh1": "p@ssword: ***",
    "secret:geh1": "secret:***",
    "鉴权码：geh1": "鉴权码：***",
    "password: 'geh a b'": "password: '***'",
    "password%3Dgeh3": "password%3D***",
    '{"password":"gehF1"}': '{"password":"***"}',
    '{"password":123456789,"x":1}': '{"password":***,"x":1}',
    '{\\"password\\":\\"gehx1\\"}': '{\\"password\\":\\"***\\"}',
    "<Password>geh1</Password>": "<Password>***</Password>",
    "Authorization: Basic Z2VoZWlt": "Authorization: ***",
}
HONEST = [
    "x@y", "see http://x/@y", "zhang@x.cn", "邮箱:zhang@x.cn", "Email:zhang@x.cn", "mailto:zhang@x.cn", "8:00@门口", "C:\\x@y",
    "sip:13050200002000000001@10.1.1.1:5060", "http://10.1.1.1:8080/mail?to=a@b.cn", "http://www.x.cn/a@b/c",
    "见rtsp://10.1.1.1/ch1，联系admin@x.cn", "rtsp://[fe80::1]/x", "http://10.1.1.1/?user=admin&password=&channel=1",
    "密码锁门", "口令表演", "密码", "口令", "密码KTV", "密码是什么", "口令是否", "密码：无", "密码: 见交接本", "密码锁101房",
    "口令110指挥", "密码酒吧:东门", "口令车间 3号机", "password: none", "password=***&x=1", "密码:***", "Compass: N", "bypass: x",
    "underpass=1", "passage: east", "Passenger: 5", "passport: hall", "the token lies at the gate", "monkey: 3", "spin: 3", "secretary: Li", "is_secret: false", "pinned: x", "secret: no", "authority: x", "pass 3 km",
]  # fmt: skip


@pytest.mark.parametrize("text", WRITTEN)
def test_passwords_are_taken_out_of_texts(text: str) -> None:
    cleaned, count = without_passwords(text)
    assert cleaned == WRITTEN[text]
    assert count == 1 + text.count(",rtsp://") + text.count("; secret")
    assert without_passwords(cleaned) == (cleaned, 0)


@pytest.mark.parametrize("text", HONEST)
def test_what_holds_no_password_stays(text: str) -> None:
    assert without_passwords(text) == (text, 0)


def test_names_of_passwords_are_known() -> None:
    for name in (
        "Password",
        "登录密码",
        "pass",
        "rtsp_pass",
        "token",
        "accessToken",
        "api_key",
        "пароль",
        "鉴权",
        "secret",
        "令牌",
        "userPass",
        "口令",
        "ｐｗｄ",
        "密\u200b码",
        "Psw",
    ):
        assert is_secret_name(name), name
    for name in ("compass", "bypass", "tokens_left", "key", "pass_count", "is_secret", "name", "passengers"):
        assert not is_secret_name(name), name


@given(st.text("apswdor:=@/. 密码口令是_\"'&?：＠\u200b1*", max_size=60))
def test_what_is_taken_out_once_is_taken_out(text: str) -> None:
    cleaned, _ = without_passwords(text)
    assert without_passwords(cleaned) == (cleaned, 0)


@pytest.mark.parametrize(
    "part", ["a:", "@", "rtsp://", "password=", "rtsp://a@", "password ", "密码", "admin:x@", "密码(", "密码:a,b,"]
)
def test_no_text_takes_long(part: str) -> None:
    began = time.monotonic()
    without_passwords(part * 3000)
    assert time.monotonic() - began < 3
