"""Materials from titles of published and of users' libraries."""

import pytest

from unmix.identify.minerals import FAMILIES, KINDS, MINERALS, SHORT
from unmix.identify.titles import material_of


@pytest.mark.parametrize(
    ("title", "name", "kind"),
    [
        ("Calcite WS272 s06av95a=a", "calcite", "mineral"),
        ("Calcite_WS272_BECKa_AREF", "calcite", "mineral"),
        ("Calcite CaCO_3 2", "calcite", "mineral"),
        ("Jarosite KFe_3^3+(SO_4)_2(OH)_6", "jarosite", "mineral"),
        ("Goethite alpha Fe^3+O(OH)", "goethite", "mineral"),
        ("Clinochlore (Chlorite) (Mg,Al)_6(Si,Al)_4O_10(OH)_8", "clinochlore", "mineral"),
        ("Clinochlore_Fe GDS157 s06av95a=a", "clinochlore", "mineral"),
        ("Nanohematite BR93-34B2", "hematite", "mineral"),
        ("Ammonio-Jarosite SCF-NHJ", "jarosite", "mineral"),
        ("Limestone CU02-11A", "calcite", "mineral"),
        ("kaolinite", "kaolinite", "mineral"),
        ("Calcite+Dolomite.5 AMX8 s06av95a=b", "calcite + dolomite", "mixture"),
        ("Goeth+qtz.5+Jarosite.5 AMX11", "goethite + quartz + jarosite", "mixture"),
        ("Chlorite_Serpentine BR93-22B", "chlorite + serpentine", "mixture"),
        ("Goethite_Phyllite CU91-236A", "goethite mixture", "mixture"),
        ("Kaolin_Smect KLF508 .85Kaol", "kaolinite + smectite", "mixture"),
        ("Seawater_Coast_Chl SW1", "water", "cover"),
        ("Lawn_Grass GDS91 (Green)", "green vegetation", "cover"),
        ("Grass_Golden_Dry GDS480", "dry vegetation", "cover"),
        ("Stonewall_Playa_Dry_Mud 2001", "soil", "cover"),
        ("Brown fine sandy loam 2", "soil", "cover"),
        ("Construction Concrete 3", "concrete", "cover"),
        ("Asphalt roofing shingle", "roofing", "cover"),
        ("Melting_snow mSnw1a", "snow or ice", "cover"),
        ("Forest", "Forest", "cover"),
        ("Dry grass", "Dry grass", "cover"),
        ("My clay A", "My clay A", "other"),
        ("zone1_altered", "zone1_altered", "other"),
        ("soil_A3", "soil_A3", "cover"),
        ("Soil lrxnxx.002-", "soil", "cover"),
        ("Basalt_fresh BR93-46B", "Basalt fresh", "other"),
        ("99", "99", "other"),
        ("", "", "other"),
    ],
)
def test_titles(title, name, kind):
    found = material_of(title)
    assert (found.name, found.kind) == (name, kind)


def test_members_of_a_family_share_it_and_numbered_samples_differ():
    assert material_of("Illite IMt-1").family == material_of("Muscovite GDS108").family
    assert material_of("Hematite GDS27").sample != material_of("Hematite WS161").sample
    assert material_of("Forest").family == material_of("Lawn_Grass GDS91").family


def test_the_tables_hold_together():
    names = [name for members in FAMILIES.values() for name in members]
    assert len(set(names)) == len(names)
    assert set(SHORT.values()) <= MINERALS
    assert all(name == name.lower() for name in MINERALS)
    assert len({family for family, _ in KINDS}) == len(KINDS)
