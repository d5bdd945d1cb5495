"""Sizes of memory as people write them."""

from __future__ import annotations

import pytest

from unmix.checks import InputError
from unmix.tiles.execution import Execution
from unmix.tiles.memory import LEAST, budget, free_memory, parse_memory


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("2GB", 2 * 10**9),
        ("512MiB", 512 * 2**20),
        ("1.5g", 1_500_000_000),
        (".5 GiB", 2**29),
        ("100000000", 10**8),
        (" 1tib ", 2**40),
    ],
)
def test_sizes(text, size):
    assert parse_memory(text) == size


@pytest.mark.parametrize("text", ["", "GB", "-2GB", "2 PB", "1e9", "2GB2", "nan", "2,5GB", "1 B"])
def test_what_is_no_size(text):
    with pytest.raises(InputError, match="memory: "):
        parse_memory(text)


def test_the_default_is_half_of_what_is_free():
    assert LEAST <= budget(None) <= free_memory()


def test_interrupted_work_goes_on_with_the_memory_it_was_begun_with(tmp_path):
    (tmp_path / "job.json").write_text('{"memory": 123456789}')
    assert Execution(work=tmp_path, resume=True).bytes == 123456789
    assert Execution(work=tmp_path, resume=True, memory="2GB").bytes == 2 * 10**9
    assert Execution(work=tmp_path).bytes != 123456789


@pytest.mark.parametrize(
    ("keywords", "said"),
    [
        ({"workers": 0}, "workers: got 0"),
        ({"workers": 5000}, "workers: got 5000"),
        ({"tile_rows": 0}, "tile-rows: got 0"),
        ({"workers": 2, "scheduler": "tcp://a:1"}, "workers: given beside a scheduler"),
        ({"workers": 2}, "work: several processes"),
        ({"memory": "10MB"}, "memory: "),
        ({"scheduler": "somewhere", "work": "w"}, "tcp://host:8786"),
    ],
)
def test_an_execution_that_cannot_be(keywords, said):
    with pytest.raises(InputError, match=said):
        Execution(**keywords)
