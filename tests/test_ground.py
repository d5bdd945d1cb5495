import math

import pytest
from affine import Affine
from rasterio.crs import CRS

from unmix.ground import pixel_area, pixel_size, square_degree

TURNED = Affine.translation(500_000, 4_000_000) @ Affine.rotation(33) @ Affine.scale(30, -20)


def test_a_turned_pixel_has_its_own_size():
    assert pixel_size(CRS.from_epsg(32633), TURNED, (7, 5)) == pytest.approx((30, 20))
    feet = pixel_size(CRS.from_epsg(2225), TURNED, (7, 5))  # US survey feet
    assert feet == pytest.approx((30 * 1200 / 3937, 20 * 1200 / 3937))


@pytest.mark.parametrize("latitude", [-60.0, 0.0, 45.0])
def test_degrees_are_measured_at_the_middle_of_the_map(latitude):
    grid = Affine(0.001, 0, 13.0, 0, -0.002, latitude + 0.007)
    across, down = pixel_size(CRS.from_epsg(4326), grid, (7, 5))
    assert across == pytest.approx(111.32 * math.cos(math.radians(latitude)), rel=4e-3)
    assert down == pytest.approx(222.2, rel=7e-3)
    area = pixel_area(CRS.from_epsg(4326), grid, (7, 5))
    assert across * down == pytest.approx(area)
    assert area == pytest.approx(square_degree(latitude) * 2e-6)


@pytest.mark.parametrize(
    ("crs", "grid"),
    [(None, TURNED), (CRS.from_epsg(32633), None), (CRS.from_epsg(4326), TURNED)],
)
def test_size_is_unknown_without_a_place_on_earth(crs, grid):
    assert pixel_size(crs, grid, (7, 5)) is None
