"""What the file names of the AVIRIS family and of EMIT in ENVI form tell.

AVIRIS-NG `ang20140912t192359_corr_v1c_img` (`rdn` radiance, `corr` and `rfl` reflectance),
AVIRIS-3 `AV320231008t173943_..._RFL_ORT`, AVIRIS-5 `AV520250508t173511_...`, classic AVIRIS
`f201013t01p00r10_rfl_v1l1`, EMIT `emit20220814t160711_o22226_s000_l2a_rfl_b0106_v01`. Radiance is
in µW/cm²/sr/nm, no data −9999, in ENVI and netCDF alike.

Source: AVIRIS-NG Data Product Distribution Document; public listings of AVIRIS-3 and -5 products.
"""

from __future__ import annotations

import re
from typing import Any

__all__ = ["NODATA", "about_aviris"]

NODATA = -9999
UNITS = "uW/cm^2/sr/nm"
_DAY_TIME = r"(\d{4})(\d\d)(\d\d)t(\d\d)(\d\d)(\d\d)"
_SENSORS = (
    (re.compile("ang" + _DAY_TIME, re.I), "AVIRIS-NG"),
    (re.compile("AV3" + _DAY_TIME, re.I), "AVIRIS-3"),
    (re.compile("AV5" + _DAY_TIME, re.I), "AVIRIS-5"),
    (re.compile("emit" + _DAY_TIME, re.I), "EMIT"),
    (re.compile(r"f(\d\d)(\d\d)(\d\d)t\d\dp\d\dr\d\d", re.I), "AVIRIS"),
)
_QUANTITY = re.compile(r"(?:_|r\d\d)(rdn|corr|rfl)(?:_|\.|$)", re.I)


def about_aviris(name: str) -> dict[str, Any]:
    """Attributes that a file's name tells; empty for other sensors.

    >>> about_aviris("ang20140912t192359_corr_v1c_img_400")
    {'sensor': 'AVIRIS-NG', 'acquired': '2014-09-12T19:23:59+00:00', 'quantity': 'reflectance'}
    >>> about_aviris("f080709t01p00r15rdn_c_sc01_ort_img")["units"], about_aviris("angle.img")
    ('uW/cm^2/sr/nm', {})
    """
    for pattern, sensor in _SENSORS:
        match = pattern.match(name)
        if match is None:
            continue
        attrs: dict[str, Any] = {"sensor": sensor}
        if len(match.groups()) == 6:
            year, month, day, hour, minute, second = match.groups()
            attrs["acquired"] = f"{year}-{month}-{day}T{hour}:{minute}:{second}+00:00"
        else:
            attrs["acquired"] = "20{}-{}-{}".format(*match.groups())
        kind = _QUANTITY.search(name)
        if kind is not None and kind[1].lower() == "rdn":
            attrs |= {"quantity": "radiance", "units": UNITS}
        elif kind is not None:
            attrs["quantity"] = "reflectance"
        return attrs
    return {}
