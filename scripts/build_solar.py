"""Make src/unmix/data/solar.csv, the Sun's spectral irradiance outside the atmosphere.

The extraterrestrial column of the ASTM G173-03 reference spectra, from 300 to 2600 nm as it stands.
What it is and where it comes from is in src/unmix/data/PROVENANCE.md. The source is a data file
inside a Python package, which is unpacked, not imported:

    pip download --no-deps pvlib==0.16.1 -d wheels
    python scripts/build_solar.py wheels
"""

from __future__ import annotations

import csv
import io
import sys
import zipfile
from pathlib import Path

OUT = Path(__file__).parents[1] / "src" / "unmix" / "data" / "solar.csv"


def main(wheels: Path) -> None:
    """Write the table."""
    wheel = next(wheels.glob("pvlib-0.16.1-*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        text = archive.read("pvlib/data/ASTMG173.csv").decode()
    rows = list(csv.reader(io.StringIO(text)))
    if rows[1][:2] != ["wavelength", "extraterrestrial"]:
        raise SystemExit(f"{wheel.name}: its table has other columns: {rows[1]}")
    kept = [row[:2] for row in rows[2:] if 300 <= float(row[0]) <= 2600]
    lines = ["wavelength_nm,irradiance_w_m2_nm", *(",".join(row) for row in kept)]
    OUT.write_text("\n".join(lines) + "\n", newline="\n")
    print(f"{OUT}: {len(kept)} wavelengths")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
