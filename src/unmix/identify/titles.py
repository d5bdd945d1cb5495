"""What a library's entry is, from its title.

"Calcite WS272 BECKa AREF" and "Calcite CaCO_3 2" are calcite; "Calcite+Dolomite.5 AMX8" is a
mixture of two minerals; "Pale brown silty loam" is soil; any other title is its own material.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from unmix.identify.minerals import FAMILIES, KINDS, MINERALS, SHORT

__all__ = ["Material", "material_of"]

_FAMILY = {name: family for family, names in FAMILIES.items() for name in names}
_KINDS = [(family, re.compile(pattern)) for family, pattern in KINDS]
_MIXED = re.compile(
    r"\+|/smect|_smect|_mx\b|_mix|coat|_on_|\bmix|synth |_alt\b|hornfels|phyllite|rhyolite"
    r"|tuff|skarn|phosphori"
)
_OWN_NAME = re.compile(r"\S+( [^\W\d]+)?")  # a word, or two of letters: somebody's own name
_FORMULA = re.compile(r"\S*(\^|_\d|\()\S*")
_CODE = re.compile(
    r"s0\d\w+=\w+|\b[A-Z]{2,6}\d[^\s]*|\b[AR]REF\b.*|\b(BECK|ASD|NIC4|W1R1)\w*|(?<=\s)\d+$"
)


@dataclass(frozen=True)
class Material:
    """What a title says.

    Parameters
    ----------
    name : str
        The mineral in lower case, minerals of a mixture joined by " + ", a cover's family, or the
        title without sample codes. Covers titled in one or two words keep their title.
    family : str
        What `name` is not told from by reflectance; `name` itself where nothing is known.
    kind : {"mineral", "mixture", "cover", "other"}
        A cover (soil, plants, water, roads) is told by its whole spectrum.
    sample : str
        The word after the material, which libraries give a specimen's code.
    """

    name: str
    family: str
    kind: str
    sample: str


def material_of(title: str) -> Material:
    """The material of a library's entry.

    >>> material_of("Kaolinite CM9 s06av95a=b").name, material_of("Muscovite GDS108").family
    ('kaolinite', 'white mica')
    >>> material_of("Calcite+Dolomite.5 AMX8").name, material_of("Lawn_Grass GDS91").family
    ('calcite + dolomite', 'green vegetation')
    >>> [material_of(title).name for title in ("Lawn_Grass GDS91", "Forest")]
    ['green vegetation', 'Forest']
    >>> material_of("My clay A")
    Material(name='My clay A', family='my clay a', kind='other', sample='clay')
    """
    plain = " ".join(re.sub(r"\s+s0\d\w*=\w+", "", title).split())
    low = plain.lower()
    head, _, rest = re.sub(r"^([A-Za-z]+)_(?=[A-Z]+[\d-])", r"\1 ", plain).partition(" ")
    sample = re.sub(r"[^a-z0-9.+]", " ", rest.lower()).split(" ")[0]
    first = _minerals(head) if _minerals(re.split(r"[^A-Za-z]+", head)[0]) else _minerals(head, 5)
    names = list(dict.fromkeys([*first, *_minerals(_FORMULA.sub(" ", plain))]))
    if first and (_MIXED.search(_FORMULA.sub(" ", low)) or len(set(first)) > 1):
        text = " + ".join(names)
        return Material(text if len(names) > 1 else f"{text} mixture", text, "mixture", sample)
    if first:
        return Material(first[0], _FAMILY.get(first[0], first[0]), "mineral", sample)
    name = plain
    if _CODE.search(plain):
        name = " ".join(_CODE.sub(" ", plain).replace("_", " ").split()).strip(" ,;()") or plain
    for family, pattern in _KINDS:
        if pattern.search(low.replace("_", " ")):
            kept = name if name == plain and _OWN_NAME.fullmatch(plain) else family
            return Material(kept, family, "cover", sample)
    return Material(name, name.lower(), "other", sample)


def _minerals(text: str, shortest: int = 0) -> list[str]:
    """Minerals named in a text, in order, by words of at least `shortest` letters."""
    found = []
    for word in re.split(r"[^a-z]+", text.lower()):
        if len(word) < shortest:
            continue
        word = SHORT.get(word.removeprefix("nano"), word.removeprefix("nano"))
        if word in MINERALS:
            found.append(word)
    return found
