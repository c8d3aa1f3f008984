"""The first letters of Chinese characters as they are said, by the tables of pypinyin."""

import os

_HAN = range(0x4E00, 0xA000)
"""CJK Unified Ideographs: those in use, and what names are made of."""
_PLAIN = {"ā": "a", "á": "a", "ǎ": "a", "à": "a", "ē": "e", "é": "e", "ě": "e", "è": "e", "ō": "o", "ó": "o", "ǒ": "o", "ò": "o",
          "ḿ": "m", "ń": "n", "ň": "n", "ǹ": "n", "ê": "e"}  # fmt: skip


def first_letters() -> dict[int, str]:
    """Return a table for `str.translate`: code point of a character -> the first letter of its usual reading.

    A character with several readings has the first one alone. The table is built anew at each call and takes some
    20 ms; of pypinyin only the table of characters is loaded, not that of phrases, which takes 30 MB.
    """
    os.environ.setdefault("PYPINYIN_NO_PHRASES", "true")
    from pypinyin.pinyin_dict import pinyin_dict

    return {
        code: _PLAIN.get(readings[0], readings[0])
        for code, readings in pinyin_dict.items()
        if code in _HAN and readings
    }
