"""How Chinese names are typed in Latin letters: in full or by initials, surnames as families say them.

Readings come from `pypinyin`, whose dictionaries know words (`重庆`, `银行`) but not that a name begins: what is read
another way as a surname stands here.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from chassis import names, text

# Surnames whose reading is not the usual one of the character, after the notes of the Xinhua dictionary.
SURNAMES = {
    "万俟": ("mo", "qi"), "尉迟": ("yu", "chi"), "长孙": ("zhang", "sun"), "澹台": ("tan", "tai"),
    "令狐": ("ling", "hu"), "单于": ("chan", "yu"), "宿": ("su",), "单": ("shan",), "仇": ("qiu",), "区": ("ou",),
    "曾": ("zeng",), "解": ("xie",), "查": ("zha",), "盖": ("ge",), "翟": ("zhai",), "任": ("ren",), "朴": ("piao",),
    "缪": ("miao",), "秘": ("bi",), "冼": ("xian",), "洗": ("xian",), "召": ("shao",), "折": ("she",), "祭": ("zhai",),
    "员": ("yun",), "乐": ("yue",), "种": ("chong",), "繁": ("po",), "覃": ("qin",), "尉": ("yu",), "黑": ("he",),
    "褚": ("chu",), "重": ("chong",), "长": ("zhang",), "隗": ("wei",), "逄": ("pang",), "佴": ("nai",), "句": ("gou",),
    "卜": ("bu",), "石": ("shi",), "藏": ("zang",), "臧": ("zang",), "车": ("che",), "郇": ("huan",), "华": ("hua",),
    "宁": ("ning",), "纪": ("ji",), "柏": ("bai",), "牟": ("mu",), "谌": ("shen",), "訾": ("zi",), "燕": ("yan",),
    "阚": ("kan",), "郗": ("chi",), "员半": ("yun", "ban"), "适": ("kuo",), "晁": ("chao",), "戚": ("qi",),
    "过": ("guo",), "那": ("na",), "哈": ("ha",), "都": ("du",), "参": ("shen",), "尹": ("yin",), "费": ("fei",),
    "应": ("ying",), "俞": ("yu",), "殷": ("yin",), "行": ("xing",), "朝": ("chao",), "调": ("diao",),
}  # fmt: skip
# Longer runs are sentences, not names.
LONGEST = 80


# A name is read once for its words and once more as a whole.
@lru_cache(maxsize=1_024)
def readings(run: str) -> list[list[str]]:
    """The syllables of a run of simplified characters, and again with its beginning read as a surname, if that differs.

    Nothing for runs that are too long or have characters without a reading.
    """
    if len(run) > LONGEST:
        return []
    # The dictionaries of readings take a moment to load, and texts without Han never need them.
    from pypinyin import lazy_pinyin

    usual = lazy_pinyin(run, errors="ignore")
    if len(usual) != len(run):
        return []
    found = [usual]
    for length in (2, 1):
        surname = SURNAMES.get(run[:length])
        if surname is not None and [*surname] != usual[:length]:
            found.append([*surname, *usual[length:]])
    return found


def wholes(syllables: list[str]) -> list[str]:
    """A name in full, in each way to type `ü`, and by its initials (two at least)."""
    initials = ["".join(one[0] for one in syllables)] if len(syllables) > 1 else []
    return [*_spelled("".join(syllables)), *initials]


def forms(run: str) -> list[str]:
    """How a run is typed from every character on: `中国银行` → `zhongguoyinhang`, `yinhang` …; `zgyh`, `yh`.

    A legal form at its end is left away but once: `通力有限公司` → `tongli`, `li`, `tongliyouxiangongsi` ….
    """
    bare = len(names.without_form(run))
    found: dict[str, None] = {}
    for at, syllables in enumerate(readings(run)):
        # A surname's reading is one of the beginning only.
        for start in range(1 if at else bare):
            found.update(dict.fromkeys(wholes(syllables[start:bare])))
        for start in {0, bare} if bare < len(run) else ():
            found.update(dict.fromkeys(wholes(syllables[start:])))
    return list(found)


def sounds(parts: list[str]) -> list[str]:
    """How a whole name is typed that has Han characters, from its parts: in full and by its initials."""
    read: list[list[list[str]]] = [readings(part) if text.is_han(part) else [[part]] for part in parts]
    if not all(read) or not any(text.is_han(part) for part in parts):
        return []
    # Only the beginning is read as a surname.
    rest = [syllable for one in read[1:] for syllable in one[0]]
    return list(dict.fromkeys(whole for first in read[0] for whole in wholes([*first, *rest])))


def _spelled(full: str) -> Iterator[str]:
    """The dictionaries write ü as v; people also type u or yu."""
    for spelled in (full, full.replace("v", "u"), full.replace("v", "yu")) if "v" in full else (full,):
        yield spelled[: text.LONGEST_WORD]
