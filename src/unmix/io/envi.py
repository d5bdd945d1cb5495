"""ENVI rasters: a text header and a flat binary file, read through memory maps."""

from __future__ import annotations

import mmap
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmix.checks import InputError
from unmix.io.aviris import NODATA, about_aviris
from unmix.io.bands import band_table
from unmix.io.envi_header import EnviHeader, numbers, parse_header, split_list
from unmix.io.georef import envi_crs, map_info_affine
from unmix.io.lazy import BandKey, Decoding, PixelSource, RawScene

__all__ = ["EnviPixels", "find_data", "find_header", "read_envi"]

DATA_SUFFIXES = ("", ".img", ".dat", ".bsq", ".bil", ".bip", ".raw", ".bin")


@dataclass(frozen=True)
class EnviPixels:
    """Window reader of a flat binary cube.

    Rows of BIP and BIL files lie together, so only the rows asked for are mapped; whole rows of a
    native float32 BIP file come back as the mapping itself, without a copy (private: writing to
    the array never writes to the file).

    Parameters
    ----------
    path : str
    dtype, interleave : str
    offset : int
        Bytes before the first pixel.
    shape : (rows, cols, bands)
    """

    path: str
    dtype: str
    interleave: str
    offset: int
    shape: tuple[int, int, int]

    def __call__(self, rows: slice, cols: slice, bands: BandKey) -> NDArray[Any]:
        """Stored numbers of a window, axes (y, x, band)."""
        n_rows, n_cols, n_bands = self.shape
        try:
            if self.interleave == "bsq":
                cube = self._map("r", 0, (n_bands, n_rows, n_cols))
                return cube[bands, rows, cols].transpose(1, 2, 0)
            skip = rows.start * n_cols * n_bands * np.dtype(self.dtype).itemsize
            count = rows.stop - rows.start
            whole = (cols.start, cols.stop) == (0, n_cols)
            mode = "c" if whole else "r"  # a part is copied; of a whole the pages are the answer
            if self.interleave == "bil":
                return self._map(mode, skip, (count, n_bands, n_cols))[:, bands, cols].transpose(
                    0, 2, 1
                )
            return self._map(mode, skip, (count, n_cols, n_bands))[:, cols, bands]
        except (OSError, ValueError) as error:
            raise InputError(
                f"{Path(self.path).name}: cannot be read any more ({error}); was it changed?"
            ) from None

    def _map(self, mode: Any, skip: int, shape: tuple[int, int, int]) -> NDArray[Any]:
        """A plain array on the mapped file."""
        offset = self.offset + skip
        mapped = np.memmap(self.path, self.dtype, mode, offset, shape)
        if mode == "c" and hasattr(mmap, "MADV_SEQUENTIAL"):
            mapped._mmap.madvise(mmap.MADV_SEQUENTIAL)  # type: ignore[attr-defined]  # read far ahead
        return np.asarray(mapped)


def read_envi(path: Path) -> RawScene:
    """Scene from an ENVI header or from its data file; no pixel is read.

    Raises
    ------
    InputError
        A file of the pair is missing, its size is not what the header says, a field is wrong.
    """
    header_path = find_header(path)
    if header_path is None:
        raise InputError(f"{path.name}: no ENVI header beside it; put {path.name}.hdr there")
    header = parse_header(header_path)
    data = _choose(find_data(path), header, header_path)
    where, history = header_path.name, list(header.notes)
    bands = band_table(
        header.bands,
        where,
        history,
        wavelength=_wavelength(header, where, history),
        unit=header.fields.get("wavelength units"),
        fwhm=numbers(header, "fwhm", where),
        good=numbers(header, "bbl", where),
    )
    decoding = _decoding(header, where, history)
    text = header.fields.get("map info")
    affine = None if text is None else map_info_affine(text, where, history)
    crs = envi_crs(text, header.fields.get("coordinate system string"), history)
    shape = (header.rows, header.cols, header.bands)
    reader = EnviPixels(str(data), header.dtype, header.interleave, header.offset, shape)
    return RawScene(
        PixelSource(shape, reader, decoding),
        bands,
        [str(header_path), str(data)],
        crs,
        affine,
        _attrs(header, decoding, where),
        history,
    )


def find_header(path: Path) -> Path | None:
    """`path` itself if it is a header, else the header of the data file `path`, None without one.

    The header of `a.img` is `a.img.hdr` or `a.hdr`.
    """
    if path.suffix.lower() == ".hdr":
        return path
    ends = (".hdr", ".HDR")
    names = [path.with_name(path.name + e) for e in ends] + [path.with_suffix(e) for e in ends]
    return next((name for name in names if name.is_file()), None)


def find_data(path: Path) -> list[Path]:
    """The files that may hold the pixels: `path` itself unless it is a header.

    Of a header `a.hdr` these are `a`, `a.img`, `a.dat`, ... beside it.

    Raises
    ------
    InputError
        There is none.
    """
    if path.suffix.lower() != ".hdr":
        return [path]
    stem = path.with_suffix("")
    names = [stem.name + end for suffix in DATA_SUFFIXES for end in {suffix, suffix.upper()}]
    found = [stem.with_name(name) for name in names if stem.with_name(name).is_file()]
    if not found:
        raise InputError(
            f"{path.name}: its data file is missing; put {stem.name} (or {stem.name}.img, .dat,"
            " .bsq, .bil, .bip, .raw) beside it"
        )
    return found


def _choose(candidates: list[Path], header: EnviHeader, header_path: Path) -> Path:
    """The candidate whose size is what the header says."""
    sizes = {path: path.stat().st_size for path in candidates}
    fits = [path for path, size in sizes.items() if size == header.n_bytes]
    if len(fits) == 1:
        return fits[0]
    if fits:
        names = ", ".join(sorted(path.name for path in fits))
        raise InputError(f"{header_path.name}: several data files fit ({names}); give one of them")
    path, size = next(iter(sizes.items()))
    word, remedy = ("shorter", "copy it again") if size < header.n_bytes else ("longer", "check it")
    raise InputError(
        f"{path.name}: {size} bytes, {word} than the {header.n_bytes} bytes that "
        f"{header_path.name} declares ({header.rows} lines x {header.cols} samples x "
        f"{header.bands} bands of {np.dtype(header.dtype).name}, offset {header.offset}); "
        f"{remedy} or correct the header"
    )


def _wavelength(header: EnviHeader, where: str, history: list[str]) -> NDArray[np.float64] | None:
    """The wavelength list, None where it holds band numbers (unit "Index") or nothing."""
    if header.fields.get("wavelength units", "").strip().lower() == "index":
        history.append("wavelength unit is Index: scene has no wavelengths")
        return None
    return numbers(header, "wavelength", where)


def _decoding(header: EnviHeader, where: str, history: list[str]) -> Decoding:
    """No-data number and declared scale."""
    nodata = _number(header, "data ignore value", where)
    if nodata is None and about_aviris(where) and header.dtype.lstrip("<>=|") in ("f4", "i2"):
        nodata = NODATA
    factor = _number(header, "reflectance scale factor", where)
    if nodata is not None:
        history.append(f"no-data {nodata:g} read as NaN")
    if factor is not None:
        if not 1e-30 < factor < 1e30:
            raise InputError(f"{where}: reflectance scale factor = {factor:g}; must be above 0")
        history.append(f"divided by the declared reflectance scale factor {factor:g}")
        return Decoding(nodata, divisor=float(factor))
    gain, offset = (numbers(header, f"data {name} values", where) for name in ("gain", "offset"))
    for values in (gain, offset):
        if values is not None and len(values) != header.bands:
            raise InputError(
                f"{where}: {len(values)} data gain/offset values for {header.bands} bands; "
                "give one a band"
            )
    if gain is not None or offset is not None:
        history.append("declared data gain and offset values applied")
    return Decoding(nodata, gain=gain, offset=offset)


def _number(header: EnviHeader, name: str, where: str) -> int | float | None:
    """A field that must be one number; whole numbers stay exact."""
    text = header.fields.get(name)
    if text is None:
        return None
    try:
        return int(text) if re.fullmatch(r"[+-]?[0-9]{1,20}", text) else float(text)
    except ValueError:
        raise InputError(f"{where}: {name} = {text!r:.40} is not a number; correct it") from None


def _attrs(header: EnviHeader, decoding: Decoding, where: str) -> dict[str, Any]:
    """What is worth showing of the header."""
    attrs: dict[str, Any] = {
        "format": "ENVI",
        "interleave": header.interleave,
        "dtype_on_disk": header.dtype,
        "scale_declared": "reflectance scale factor" in header.fields
        or decoding.gain is not None
        or decoding.offset is not None,
    }
    if "reflectance scale factor" in header.fields:
        attrs["scale_factor"] = decoding.divisor
    if decoding.nodata is not None:
        attrs["nodata"] = decoding.nodata
    attrs |= about_aviris(where) | _radiometry(header)
    for key, name in (("description", "description"), ("sensor", "sensor type")):
        text = " ".join(header.fields.get(name, "").strip("{} \t\r\n").split())
        if text and text.lower() != "unknown":
            attrs.setdefault(key, text[:500])
    names = split_list(header.fields.get("band names", ""))
    if len(names) == header.bands:
        attrs["band_names"] = names
    return attrs


def _radiometry(header: EnviHeader) -> dict[str, Any]:
    """Quantity, unit, time and sun that the header states."""
    attrs: dict[str, Any] = {}
    units = " ".join(header.fields.get("data units", "").strip("{} ").split())
    said = (units + header.fields.get("data type name", "")).lower()
    if "radiance" in said or re.search(r"(/|\b)sr\b", said):
        attrs |= {"quantity": "radiance", "units": units[:60]}
    time = header.fields.get("acquisition time", "").strip("{} ")
    attrs |= {"acquired": time[:40]} if time else {}
    elevation = header.fields.get("sun elevation", "")
    try:
        attrs |= {"sun_zenith": 90.0 - float(elevation)} if elevation else {}
    except ValueError:
        pass
    return attrs
