"""Spectral libraries: every format, every trap, and nothing but an answer or one line of reason."""

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import savemat

from unmix import Endmembers, InputError
from unmix.io.ecostress import is_ecostress, read_ecostress
from unmix.io.library import read_endmembers, select_members, write_csv, write_sli
from unmix.io.raw import Raw, to_endmembers, unique_names
from unmix.io.table import read_table
from unmix.resample import resample

FUZZ = settings(max_examples=300, derandomize=True, deadline=None, database=None)


@pytest.fixture
def put(tmp_path):
    """Write text or bytes under a name and return the path."""

    def write(name, content):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.fixture
def spectra():
    rng = np.random.default_rng(0)
    values = rng.uniform(0.01, 0.9, (3, 5))
    values[1, 2] = np.nan
    wavelength = np.array([450.123456, 600.0, 905.5, 1650.0, 2200.25])
    return Endmembers(values, wavelength, ("Clay, white", "Tree", "Soil {a}"), fwhm=np.full(5, 8.5))


class TestCsv:
    def test_a_column_a_spectrum(self, put):
        got = read_endmembers(put("a.csv", "wavelength_nm,Clay,Tree\n2200,0.3,\n500,0.1,0.05\n"))
        assert got.wavelength.tolist() == [500, 2200]
        np.testing.assert_array_equal(got.spectra, [[0.1, 0.3], [0.05, np.nan]])
        assert got.names == ("Clay", "Tree")
        assert got.source == "a.csv: 2 spectra; sorted by wavelength"

    @pytest.mark.parametrize(
        "first",
        [
            "wavelength_um",
            "Wavelength",
            "wavelength (µm)",
            "Wavelengths [um]",
            "um",
            "microns",
            "wl",
        ],
    )
    def test_micrometres(self, put, first):
        got = read_endmembers(put("a.csv", f"{first},Clay\n0.5,0.1\n2.2,0.3\n"))
        assert got.wavelength.tolist() == [500, 2200]

    def test_band_numbers_are_no_wavelengths(self, put):
        got = read_endmembers(put("a.csv", "band,Clay\n1,0.1\n2,0.3\n"))
        assert got.wavelength is None
        assert got.spectra.tolist() == [[0.1, 0.3]]

    @pytest.mark.parametrize(
        "text",
        [
            "wavelength_nm;Clay;Tree\n500;0,25;0,5\n600;0,3;0,75\n",
            "wavelength_nm\tClay\tTree\r\n500\t0.25\t0.5\r\n600\t0.3\t0.75\r\n",
            "\ufeffwavelength_nm,Clay,Tree\n# note\n500,0.25,0.5\n\n600,0.3,0.75\n",
            'wavelength_nm , "Clay" ,Tree,\n500 , 0.25,0.5,\n600,0.3,0.75,\n'.replace(" ,", ","),
            "Name,500,600\nClay,0.25,0.3\nTree,0.5,0.75\n",
            "Name,Class,0.5,0.6\nClay,soil,0.25,0.3\nTree,plant,0.5,0.75\n",
        ],
    )
    def test_dialects(self, put, text):
        got = read_endmembers(put("a.csv", text))
        assert got.names == ("Clay", "Tree")
        assert got.wavelength.tolist() == [500, 600]
        assert got.spectra.tolist() == [[0.25, 0.3], [0.5, 0.75]]

    def test_width_column(self, put):
        got = read_endmembers(put("a.csv", "wavelength_um,fwhm,Clay\n0.6,0.02,0.3\n0.5,0.01,0.2\n"))
        assert got.fwhm.tolist() == [10, 20]
        assert got.spectra.tolist() == [[0.2, 0.3]]

    @pytest.mark.parametrize(
        ("values", "said"),
        [
            ("40,80", "percent to fraction"),
            ("4000,8000", "10 000ths to fraction"),
            ("0.4,0.8", ""),
            ("0.4,1.2", None),
        ],
    )
    def test_scale(self, put, values, said):
        a, b = values.split(",")
        got = read_endmembers(put("a.csv", f"wavelength_nm,Clay\n500,{a}\n600,{b}\n"))
        if said is not None:
            np.testing.assert_allclose(got.spectra, [[0.4, 0.8]])
            assert said in got.source
        else:
            assert got.spectra.tolist() == [[0.4, 1.2]]

    def test_scale_given(self, put):
        path = put("a.csv", "wavelength_nm,Clay\n500,40\n600,80\n")
        assert read_endmembers(path, scale=1).spectra.tolist() == [[40, 80]]
        got = read_endmembers(path, scale=80)
        assert got.spectra.tolist() == [[0.5, 1.0]]
        assert "divided by 80" in got.source
        with pytest.raises(InputError, match="scale factor"):
            read_endmembers(path, scale=-1)

    def test_missing_values(self, put):
        text = "wavelength_nm,a,b\n500,-9999,0.1\n600,0.2,NaN\n700,0.3,-1.23e34\n800,0.4,n/a\n"
        got = read_endmembers(put("a.csv", text))
        np.testing.assert_array_equal(np.isnan(got.spectra), [[1, 0, 0, 0], [0, 1, 1, 1]])

    def test_repeated_and_empty_names_get_numbers(self, put):
        got = read_endmembers(put("a.csv", "wavelength_nm,soil,soil 2,soil,\n500,.1,.2,.3,.4\n"))
        assert got.names == ("soil", "soil 2", "soil 3", "endmember 4")
        assert "2 repeated names numbered" in got.source

    def test_empty_spectra_are_left_out(self, put):
        got = read_endmembers(put("a.csv", "wavelength_nm,a,b\n500,,0.2\n600,,0.3\n"))
        assert got.names == ("b",)
        assert "1 empty spectrum left out" in got.source

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("", "empty"),
            ("\n , ,\n# x\n", "empty"),
            ("wavelength_nm,a\n", "only one line"),
            ("one word", "not a table"),
            ("wavelength_nm,a\n500,0.1\n600\n", "line 3 has 1 cells where the header has 2"),
            ("wavelength_nm,a\n500,0.1\n600,0.1,0.3\n", "line 3 has 3 cells"),
            ("wavelength_nm,a\n500,0.1\n600,high\n", "line 3, column 2: 'high' is no number"),
            ("wavelength_nm,a\n500,0.1\n600,1_0\n", "no number"),
            ("wavelength_nm,a\n500,0.1\n,0.2\n", "without a wavelength"),
            ("wavelength_nm,a\n500,0.1\nx,0.2\n", "column 1: 'x'"),
            ("wavelength_nm,a\n500,0.1\n-600,0.2\n", "positive"),
            ("wavelength_nm,a\n0.5,0.1\n0.6,0.2\n", "cannot be in 'nm'"),
            ("wavelength,a\n5,0.1\n600,0.2\n", "no single unit"),
            ("wavelength_nm,a\n500,inf\n600,0.2\n", "infinite"),
            ("wavelength_nm,a\n500,1e9\n600,1e9\n", "no reflectance"),
            ("wavelength_nm,a\n500,\n600,0\n", "every spectrum is empty"),
            ("wavelength_nm,fwhm\n500,1\n600,2\n", "no spectrum beside"),
            ("500,0.1\n600,0.2\n", "no header"),
            ("depth,a\n500,0.1\n600,0.2\n", "its first column is 'depth'"),
            ("mean,500,deviation\na,0.1,0.2\n", "not a spectral library"),
            ('wavelength_nm,"a\n500,0.1\n600,0.2\n', "not a table"),
            ('wavelength_nm,"a\nb"\n500,0.1\n', "spans lines"),
        ],
    )
    def test_what_is_no_library(self, put, text, reason):
        path = put("lib.csv", text)
        with pytest.raises(InputError, match=reason) as error:
            read_endmembers(path)
        assert "lib.csv" in str(error.value)
        assert "\n" not in str(error.value)

    def test_binary_missing_and_huge(self, put, tmp_path, monkeypatch):
        with pytest.raises(InputError, match="binary"):
            read_endmembers(put("a.csv", b"PK\x03\x04\0\0"))
        with pytest.raises(InputError, match="no such file"):
            read_endmembers(tmp_path / "nope.csv")
        path = put("b.csv", "wavelength_nm,a\n500,0.1\n")
        monkeypatch.setattr("unmix.io.table.MAX_BYTES", 10)
        with pytest.raises(InputError, match="larger"):
            read_endmembers(path)

    def test_an_unreadable_file_is_an_input_error(self, put, monkeypatch):
        def refuse(*_):
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr("unmix.io.library.read_text", refuse)
        with pytest.raises(InputError, match="Permission denied"):
            read_endmembers(put("a.csv", "x"))

    def test_latin_1(self, put):
        got = read_endmembers(put("a.csv", "wavelength_nm,Grès\n500,0.1\n".encode("latin-1")))
        assert got.names == ("Grès",)

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_round_trip_is_exact(self, tmp_path, spectra, dtype):
        values = spectra.spectra.astype(dtype)
        values[0, 0] = 1.2345678e-7
        E = Endmembers(values, spectra.wavelength, spectra.names)
        back = read_endmembers(write_csv(E, tmp_path / "e.csv"))
        np.testing.assert_array_equal(back.spectra.astype(dtype), values)
        np.testing.assert_allclose(back.wavelength, E.wavelength, rtol=0, atol=1e-6)
        assert back.names == E.names

    def test_header_of_the_written_file(self, tmp_path, spectra):
        lines = write_csv(spectra, tmp_path / "a.csv").read_text().splitlines()
        assert lines[0] == 'wavelength_nm,"Clay, white",Tree,Soil {a}'
        assert lines[3].split(",")[0::2] == ["905.5", ""]
        plain = write_csv(Endmembers(np.ones((1, 2))), tmp_path / "b.csv")
        assert plain.read_text() == "band,endmember 1\n1,1\n2,1\n"

    def test_overlapping_detectors_come_back_in_the_scenes_order(self, tmp_path):
        scene = np.array([900.0, 950.0, 990.0, 905.0, 955.0, 1000.0])
        E = Endmembers(np.random.default_rng(0).uniform(size=(2, 6)), scene)
        back = read_endmembers(write_csv(E, tmp_path / "a.csv"))
        assert (np.diff(back.wavelength) > 0).all()
        np.testing.assert_array_equal(resample(back, scene, 7.0).spectra, E.spectra)

    def test_nothing_is_overwritten(self, tmp_path, spectra):
        path = write_csv(spectra, tmp_path / "a.csv")
        with pytest.raises(InputError, match="is there already"):
            write_csv(spectra, path)
        write_csv(spectra, path, overwrite=True)
        with pytest.raises(InputError, match="cannot be written"):
            write_csv(spectra, tmp_path / "no" / "a.csv")
        assert [p.name for p in tmp_path.iterdir()] == ["a.csv"]


HEADER = """ENVI
samples = 3
lines = 2
bands = 1
header offset = {offset}
file type = ENVI Spectral Library
data type = {code}
interleave = bsq
byte order = {order}
wavelength units = Micrometers
spectra names = {{
 Clay , Green
 tree}}
wavelength = {{0.5, 0.7,
 0.6}}
"""
VALUES = np.array([[0.1, 0.2, 0.3], [0.4, -1.23e34, 0.6]])


class TestSli:
    def write(self, put, code="5", order="0", dtype="<f8", offset=0, values=VALUES, extra=""):
        put("lib.hdr", HEADER.format(code=code, order=order, offset=offset) + extra)
        return put("lib.sli", b"x" * offset + np.asarray(values).astype(dtype).tobytes())

    @pytest.mark.parametrize(
        ("code", "order", "dtype", "offset"),
        [("5", "0", "<f8", 0), ("4", "1", ">f4", 0), ("4", "0", "<f4", 11), ("5", "1", ">f8", 3)],
    )
    def test_types_and_orders(self, put, code, order, dtype, offset):
        path = self.write(put, code, order, dtype, offset)
        for given_path in (path, path.with_suffix(".hdr")):
            got = read_endmembers(given_path)
            assert got.names == ("Clay", "Green tree")
            assert got.wavelength.tolist() == [500, 600, 700]
            np.testing.assert_allclose(got.spectra, [[0.1, 0.3, 0.2], [0.4, 0.6, np.nan]], 1e-6)
            assert "micrometres to nm; sorted by wavelength" in got.source

    def test_data_file_without_suffix(self, put):
        path = self.write(put)
        bare = path.rename(path.with_suffix(""))
        assert read_endmembers(bare).names == ("Clay", "Green tree")
        assert read_endmembers(bare.with_suffix(".hdr")).names == ("Clay", "Green tree")
        bare.with_suffix(".hdr").rename(bare.with_name("lib.sli.hdr"))
        assert len(read_endmembers(bare.rename(bare.with_name("lib.sli")))) == 2

    def test_declared_scale_fwhm_and_ignored_value(self, put):
        extra = (
            "reflectance scale factor = 200\nfwhm = {0.01, 0.03, 0.02}\ndata ignore value = 20\n"
        )
        path = self.write(put, "2", "0", "<i2", values=[[20, 40, 60], [80, 100, 20]], extra=extra)
        got = read_endmembers(path)
        np.testing.assert_allclose(got.spectra, [[np.nan, 0.3, 0.2], [0.4, np.nan, 0.5]])
        np.testing.assert_allclose(got.fwhm, [10, 20, 30])
        assert "divided by 200" in got.source

    @pytest.mark.parametrize(
        ("old", "new", "reason"),
        [
            ("ENVI\nsam", "ENVY\nsam", "ENVI"),
            ("ENVI Spectral Library", "ENVI Standard", "file type"),
            ("samples = 3", "samples = 4", "48 bytes where lib.hdr says 64"),
            ("samples = 3", "samples = three", "whole number"),
            ("samples = 3", "samples = 0", "make no library"),
            ("samples = 3", "samples = 99999999999", "no library"),
            ("lines = 2", "", "'lines' is missing"),
            ("bands = 1", "bands = 2", "make no library"),
            ("header offset = 0", "header offset = -4", "make no library"),
            ("data type = 5", "data type = 6", "complex"),
            ("byte order = 0", "byte order = 7", "byte order"),
            ("Clay ,", "", "1 spectra names for 2 spectra"),
            ("0.7,\n", "", "2 values of wavelength for 3"),
            ("0.7", "red", "wavelength"),
            ("0.7", "nan", "wavelengths must be positive"),
            ("Micrometers", "Nanometers", "cannot be in"),
            ("Micrometers", "Furlongs", "unknown wavelength unit"),
        ],
    )
    def test_what_is_no_library(self, put, old, new, reason):
        path = self.write(put)
        header = path.with_suffix(".hdr")
        text = header.read_text()
        assert old in text
        header.write_text(text.replace(old, new))
        with pytest.raises(InputError, match=reason) as error:
            read_endmembers(path)
        assert "lib" in str(error.value) and "\n" not in str(error.value)

    def test_one_half_is_not_enough(self, put):
        path = self.write(put)
        path.unlink()
        with pytest.raises(InputError, match="no data file"):
            read_endmembers(path.with_suffix(".hdr"))
        path.with_suffix(".hdr").unlink()
        with pytest.raises(InputError, match=r"no header lib\.hdr"):
            read_endmembers(put("lib.sli", b"\0" * 48))

    def test_names_may_be_absent(self, put):
        path = self.write(put)
        header = path.with_suffix(".hdr")
        header.write_text(header.read_text().replace("spectra names", "other names"))
        assert read_endmembers(path).names == ("spectrum 1", "spectrum 2")

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_round_trip(self, tmp_path, spectra, dtype):
        E = Endmembers(
            spectra.spectra.astype(dtype), spectra.wavelength, spectra.names, fwhm=spectra.fwhm
        )
        path = write_sli(E, tmp_path / "out")
        assert path.name == "out.sli"
        back = read_endmembers(path)
        np.testing.assert_array_equal(back.spectra.astype(dtype), E.spectra)
        np.testing.assert_allclose(back.wavelength, E.wavelength)
        np.testing.assert_array_equal(back.fwhm, E.fwhm)
        assert back.names == ("Clay; white", "Tree", "Soil (a)")
        with pytest.raises(InputError, match="is there already"):
            write_sli(E, tmp_path / "out.sli")
        plain = write_sli(Endmembers(np.ones((1, 2))), tmp_path / "out.sli", overwrite=True)
        assert read_endmembers(plain).wavelength is None
        assert sorted(p.name for p in tmp_path.iterdir()) == ["out.hdr", "out.sli"]

    def test_the_files_themselves(self, tmp_path, spectra):
        path = write_sli(spectra, tmp_path / "out.sli")
        values = np.frombuffer(path.read_bytes(), "<f8").reshape(3, 5)
        np.testing.assert_array_equal(values[0], spectra.spectra[0])
        assert values[1, 2] == -1.23e34
        header = path.with_suffix(".hdr").read_text().splitlines()
        assert header[0] == "ENVI"
        assert {"samples = 5", "lines = 3", "byte order = 0", "data type = 5"} < set(header)
        assert "wavelength = {450.123456, 600, 905.5, 1650, 2200.25}" in header


def ecostress(name="Calcite CaCO_3", pairs=((2.2, 40.0), (0.6, 80.0)), y="Reflectance (percent)"):
    rows = "\n".join(f" {a:.4f}\t{b:.4f}" for a, b in pairs)
    return (
        f"Name: {name}\nType: Mineral\nDescription: Travertine. From: 12 hills\n"
        f"First Column: X\nX Units: Wavelength (micrometers)\nY Units:{y}\n"
        f"First X Value:  0.4000\n\n{rows}\n"
    )


class TestEcostress:
    def test_one_file(self, put):
        got = read_endmembers(put("mineral.txt", ecostress()))
        assert got.names == ("Calcite CaCO_3",)
        assert got.wavelength.tolist() == [600, 2200]
        np.testing.assert_allclose(got.spectra, [[0.8, 0.4]])

    def test_declared_percent_beats_the_rule_for_dark_spectra(self, put):
        path = put("dark.txt", ecostress(pairs=((0.5, 1.5), (0.6, 1.8))))
        np.testing.assert_allclose(read_endmembers(path).spectra, [[0.015, 0.018]])

    def test_a_folder_is_a_library_without_interpolation(self, put, tmp_path):
        put("a.txt", ecostress("Clay", ((0.6, 40.0), (2.2, 80.0))))
        put("b.txt", ecostress("Clay", ((2.2, 50.0), (1.0, 90.0))))
        put("b.ancillary.txt", "Name: nothing")
        put("c.txt", ecostress("Tree", ((0.6, 0.4), (0.8, 0.3)), y="Reflectance (fraction)"))
        got = read_endmembers(tmp_path)
        assert got.names == ("Clay", "Clay 2", "Tree")
        assert got.wavelength.tolist() == [600, 800, 1000, 2200]
        n = np.nan
        expected = [[0.4, n, n, 0.8], [n, n, 0.9, 0.5], [0.4, 0.3, n, n]]
        np.testing.assert_allclose(got.spectra, expected)
        assert read_endmembers([tmp_path / "c.txt", tmp_path / "a.txt"]).names == ("Tree", "Clay")

    def test_a_grid_when_asked(self, put, tmp_path):
        x = np.arange(0.5, 0.7, 0.01)
        put("a.txt", ecostress("A", [(w, 100 * w) for w in x]))
        put("b.txt", ecostress("B", [(w + 0.003, 50 * w) for w in x[::-1]]))
        got = read_endmembers(tmp_path, grid=[550.0, 605.0], members=["B", "A"])
        np.testing.assert_allclose(got.spectra, [[0.2735, 0.301], [0.55, 0.605]], atol=1e-12)

    @pytest.mark.parametrize(
        ("old", "new", "reason"),
        [
            ("Wavelength (micrometers)", "Wavenumber (cm-1)", "X Units"),
            ("Reflectance (percent)", "Transmittance (percent)", "only reflectance"),
            ("Calcite CaCO_3", "", "no Name"),
            ("80.0000\n", "80.0000\n12 34 56\n", "line 11 is not two numbers"),
            ("0.6000\t80.0000", "0.6000\tbright", "line 10 is not two numbers"),
            ("2.2000\t40.0000\n 0.6000\t80.0000", "", "without a spectrum"),
            ("0.6000\t80", "-0.6000\t80", "positive"),
        ],
    )
    def test_what_is_no_spectrum(self, put, old, new, reason):
        text = ecostress()
        assert old in text
        with pytest.raises(InputError, match=reason) as error:
            read_endmembers(put("m.txt", text.replace(old, new)))
        assert "m.txt" in str(error.value)

    def test_folders_of_something_else(self, put, tmp_path, monkeypatch):
        with pytest.raises(InputError, match="no spectra in it"):
            read_endmembers(tmp_path)
        put("a.txt", "wavelength_nm,a\n500,0.1\n")
        with pytest.raises(InputError, match=r"a\.txt: not an ECOSTRESS"):
            read_endmembers(tmp_path)
        monkeypatch.setattr("unmix.io.library.MAX_FILES", 0)
        with pytest.raises(InputError, match="at most"):
            read_endmembers(tmp_path)


class TestMat:
    M = np.arange(1, 13).reshape(6, 2) / 20  # (band, member)

    def save(self, tmp_path, **content):
        savemat(tmp_path / "e.mat", content)
        return tmp_path / "e.mat"

    def cells(self, *names):
        cell = np.empty((len(names), 1), dtype=object)
        cell[:, 0] = names
        return cell

    def test_conventions(self, tmp_path):
        axis = np.linspace(0.5, 1.0, 6)
        for content in (
            {"M": self.M, "cood": self.cells("clay", "tree")},
            {"GT": self.M.T, "names": np.array(["clay", "tree"])},
            {"spectra_library": self.M, "mineral_names": self.cells("clay", "tree")},
            {"spectra_library": self.M.T, "mineral_names": self.cells("clay", "tree")},
            {"spectra_library": self.M.T, "names": self.cells("clay", "tree"), "wavelengths": axis},
        ):
            got = read_endmembers(self.save(tmp_path, **content, A=np.ones((2, 9))))
            assert got.names == ("clay", "tree")
            np.testing.assert_allclose(got.spectra, self.M.T)
            assert (got.wavelength is not None) == ("wavelengths" in content)
        np.testing.assert_allclose(got.wavelength, axis * 1000)

    def test_wavelengths_turn_a_matrix_the_right_way(self, tmp_path):
        wide = np.arange(1, 13).reshape(2, 6) / 20  # more members than bands
        got = read_endmembers(self.save(tmp_path, spectra_library=wide, wavelength=[500.0, 600.0]))
        np.testing.assert_allclose(got.spectra, wide.T)
        assert got.names[5] == "endmember 6"

    def test_bundles(self, tmp_path):
        content = {"lib1": self.M, "lib2": self.M[:, :1], "material_names": self.cells("a", "b")}
        got = read_endmembers(self.save(tmp_path, **content))
        assert got.names == ("a 1", "a 2", "b 1")
        np.testing.assert_allclose(got.spectra[2], self.M[:, 0])

    def test_version_7_3(self, tmp_path):
        path = tmp_path / "e.mat"
        with h5py.File(path, "w") as file:
            file["M"] = self.M.T  # as MATLAB stores it
            file["wavelengths"] = np.linspace(500, 1000, 6)[:, None]
            refs = file.create_dataset("cood", (1, 2), dtype=h5py.ref_dtype)
            for i, name in enumerate(("clay", "tree")):
                codes = np.frombuffer(name.encode("utf-16-le"), "u2")[:, None]
                refs[0, i] = file.create_dataset(f"#refs#/{i}", data=codes).ref
        got = read_endmembers(path)
        assert got.names == ("clay", "tree")
        np.testing.assert_allclose(got.spectra, self.M.T)
        with h5py.File(path, "r+") as file:
            del file["cood"]
            codes = np.array([[ord(c) for c in name] for name in ("clay", "tree")], "u2").T
            file.create_dataset("names", data=codes).attrs["MATLAB_class"] = np.bytes_("char")
        assert read_endmembers(path).names == ("clay", "tree")

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            ({"Y": np.ones((3, 4))}, "no endmembers; expects a variable M"),
            ({"M": np.ones((3, 4, 2))}, "no matrix of spectra"),
            ({"M": "text"}, "no matrix of spectra"),
            ({"M": np.ones((3, 4)) * 1j}, "no matrix of spectra"),
            ({"M": np.ones((6, 2)), "names": np.array(["a", "b", "c"])}, "3 names for 2 spectra"),
            ({"M": np.ones((6, 2)), "wavelengths": np.arange(500.0, 509.0)}, "9 wavelengths for 6"),
            ({"M": np.full((6, 2), np.nan)}, "empty"),
            ({"M": np.ones((6, 2)), "wavelengths": "red"}, "are no numbers"),
        ],
    )
    def test_what_is_no_library(self, tmp_path, content, reason):
        with pytest.raises(InputError, match=reason) as error:
            read_endmembers(self.save(tmp_path, **content))
        assert "e.mat" in str(error.value)

    def test_damaged_files(self, put, tmp_path):
        good = self.save(tmp_path, M=self.M).read_bytes()
        for number, content in enumerate(
            (b"", b"junk", good[:200], b"\x89HDF\r\n\x1a\n" + b"1" * 99)
        ):
            with pytest.raises(InputError, match="cannot be read as a MATLAB file"):
                read_endmembers(put(f"{number}.mat", content))


class TestMembers:
    NAMES = ("Kaolinite CM9", "Kaolinite KGa-1", "Calcite", "calcite WS272", "Tree")
    LIBRARY = Endmembers(np.eye(5) + 0.1, names=NAMES)

    def test_order_and_matching(self):
        got = select_members(self.LIBRARY, ["tree", "Calcite", "kga", "ws272"])
        assert got.names == ("Tree", "Calcite", "Kaolinite KGa-1", "calcite WS272")
        np.testing.assert_array_equal(got.spectra, self.LIBRARY.spectra[[4, 2, 1, 3]])
        assert select_members(self.LIBRARY, " tree , KGA,").names == ("Tree", "Kaolinite KGa-1")

    @pytest.mark.parametrize(
        ("members", "reason"),
        [
            (["kaolin"], r"fits 2 spectra \(Kaolinite CM9; Kaolinite KGa-1\)"),
            (["calcit"], "fits 2 spectra"),
            (["Kalcite"], "no spectrum 'Kalcite'; close ones are Calcite"),
            (["xyzzy"], "it has Kaolinite CM9; Kaolinite KGa-1"),
            ([], "none given"),
            ("  ,", "none given"),
            (["tree", "Calcite", "TREE"], "'Tree' is named twice"),
        ],
    )
    def test_refusals(self, members, reason):
        with pytest.raises(InputError, match=reason):
            select_members(self.LIBRARY, members)


def test_names_are_always_unique():
    names, _ = unique_names(["a", "a 2", "a", "a", "", "endmember 5", "b  b", "b b"])
    assert names == ("a", "a 2", "a 3", "a 4", "endmember 5", "endmember 5 2", "b b", "b b 2")


def test_index_units_are_no_wavelengths():
    raw = Raw("x", np.ones((1, 2)), ["a"], np.array([1.0, 2.0]), unit="Index")
    assert to_endmembers(raw).wavelength is None


def test_bands_without_calibration_are_left_out():
    raw = Raw("x", np.array([[0.1, 0.2, 0.3]]), ["a"], np.array([0.0, 600.0, 500.0]))
    got = to_endmembers(raw)
    assert got.wavelength.tolist() == [500, 600]
    assert got.spectra.tolist() == [[0.3, 0.2]]
    assert "1 bands without a wavelength left out" in got.source
    with pytest.raises(InputError, match="no band has a wavelength"):
        to_endmembers(Raw("x", np.ones((1, 2)), ["a"], np.zeros(2)))
    with pytest.raises(InputError, match="no spectra"):
        to_endmembers(Raw("x", np.ones((0, 2)), []))


# Anything at all: an answer or one line.

CELL = st.sampled_from(
    ["500", "0.5", "-1", "0", "nan", "", "1e400", "inf", "x", '"', "1,5", "wavelength_nm", "band"]
) | st.text(max_size=6)
SHAPED = st.lists(st.lists(CELL, min_size=1, max_size=5), max_size=6)


def answer_or_reason(read):
    try:
        found = read()
    except InputError as error:
        assert "\n" not in str(error)
        return
    assert found.spectra.shape == (len(found.names), found.spectra.shape[1])
    assert np.isfinite(found.spectra).any()
    assert not np.isinf(found.spectra).any()
    assert len(set(found.names)) == len(found.names)
    if found.wavelength is not None:
        assert (np.diff(found.wavelength) >= 0).all()
        assert (found.wavelength > 0).all()


@FUZZ
@given(
    SHAPED, st.sampled_from([",", ";", "\t"]), st.sampled_from(["wavelength_nm", "band", "", "a"])
)
def test_fuzz_table(rows, mark, first):
    text = first + mark + "\n".join(mark.join(row) for row in rows)
    answer_or_reason(lambda: to_endmembers(read_table(text, "f")))


@FUZZ
@given(st.binary(max_size=200), st.sampled_from(["a.csv", "a.txt", "a.mat", "a.sli", "a"]))
def test_fuzz_bytes(tmp_path_factory, content, name):
    path = tmp_path_factory.getbasetemp() / "fuzz"
    path.mkdir(exist_ok=True)
    (path / name).write_bytes(content)
    answer_or_reason(lambda: read_endmembers(path / name))


FIELD = st.sampled_from(
    [*HEADER.format(code=5, order=0, offset=0).splitlines()[1:], "lines = -1", "samples = 1e3"]
) | st.text(max_size=20)


@FUZZ
@given(st.lists(FIELD, max_size=14), st.binary(max_size=64), st.booleans())
def test_fuzz_sli(tmp_path_factory, fields, extra, whole):
    path = tmp_path_factory.getbasetemp() / "fuzz_sli"
    path.mkdir(exist_ok=True)
    head = HEADER.format(code=5, order=0, offset=0) if whole else "ENVI\n"
    (path / "f.hdr").write_text(head + "\n".join(fields), encoding="utf-8", errors="replace")
    (path / "f.sli").write_bytes((VALUES.tobytes() + extra)[: 48 if whole else None])
    answer_or_reason(lambda: read_endmembers(path / "f.sli"))


@FUZZ
@given(
    st.lists(st.sampled_from(ecostress().splitlines()) | st.text(max_size=20), max_size=14),
    st.booleans(),
)
def test_fuzz_ecostress(lines, whole):
    text = "Name: x\n" + (ecostress() if whole else "") + "\n".join(lines)
    if is_ecostress(text):
        answer_or_reason(lambda: to_endmembers(read_ecostress(text, "f")))


@settings(FUZZ, max_examples=150)
@given(
    st.lists(
        st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=9), min_size=1
    ),
    st.integers(0, 99),
)
def test_csv_round_trip_of_any_names(tmp_path_factory, names, seed):
    path = tmp_path_factory.getbasetemp() / "round.csv"
    names, _ = unique_names([n for n in names if not n.lower().startswith("fwhm")] or ["a"])
    values = np.random.default_rng(seed).uniform(0.01, 1, (len(names), 3)).astype(np.float32)
    write_csv(Endmembers(values, np.array([0.5, 0.6, 0.7]) * 1000, names), path, overwrite=True)
    back = read_endmembers(path)
    assert back.names == names
    np.testing.assert_array_equal(back.spectra.astype(np.float32), values)


# Real libraries.


def test_real_usgs(shared_data):
    got = read_endmembers(shared_data / "usgs" / "s06av95a_envi.sli")
    assert got.spectra.shape == (1365, 224)
    assert (np.diff(got.wavelength) > 0).all()
    assert 380 < got.wavelength[0] < got.wavelength[-1] < 2510
    assert 0.1 < np.isnan(got.spectra).mean() < 0.2
    assert np.nanmin(got.spectra) > -0.01
    alunite = select_members(got, ["Alunite GDS84 Na03 s06av95a=a"])
    w = alunite.wavelength
    assert (
        alunite.spectra[0, np.abs(w - 2170).argmin()]
        < 0.7 * alunite.spectra[0, np.abs(w - 2100).argmin()]
    )


def test_real_ecostress(shared_data):
    got = read_endmembers(shared_data / "ecostress", grid=np.arange(450.0, 2400.0, 10.0))
    assert len(got) == 100
    assert np.isfinite(got.spectra).all()
    assert 0 <= got.spectra.min() and got.spectra.max() < 1.1
    assert "Calcite CaCO_3" in got.names


def test_real_emit_library(shared_data):
    got = read_endmembers(shared_data / "emit" / "basic_endmember_library.csv")
    assert got.names == ("SOIL", "SOIL 2", "SOIL 3", "PV", "NPV")
    pv = got.spectra[3]
    assert pv[np.abs(got.wavelength - 800).argmin()] > 4 * pv[np.abs(got.wavelength - 670).argmin()]
    with pytest.raises(InputError, match="not a spectral library"):
        read_endmembers(shared_data / "emit" / "mineral_grouping_matrix_20230503.csv")


def test_real_field_library_and_mat(shared_data):
    field = read_endmembers(shared_data / "gamsberg" / "gamsberg_field_library")
    assert field.spectra.shape == (27, 2151)
    truth = read_endmembers(shared_data / "urban" / "end5_groundTruth.mat")
    assert truth.spectra.shape == (5, 162)
    assert "Tree" in truth.names[2]
    assert len(read_endmembers(shared_data / "urban" / "spectral_library_urban.mat")) == 651
    with pytest.raises(InputError, match="is this a scene"):
        read_endmembers(shared_data / "emit" / "emit20250324t221005_jpl_unmix_ex")
