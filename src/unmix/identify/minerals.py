"""Mineral names as libraries write them, and the families that reflectance cannot split.

Members of a family differ in order, cation or grain more than in what a sensor of 5 to 10 nm sees
(illite and muscovite, chlorite and clinochlore), so one of them is no rival of another when the
margin of a match is judged.
"""

from __future__ import annotations

__all__ = ["FAMILIES", "KINDS", "MINERALS", "SHORT"]

FAMILIES: dict[str, tuple[str, ...]] = {
    "white mica": ("muscovite", "illite", "paragonite", "sericite", "phengite", "margarite"),
    "chlorite": ("chlorite", "clinochlore", "prochlorite", "thuringite", "chamosite"),
    "kaolin": ("kaolinite", "dickite", "halloysite", "nacrite", "endellite"),
    "alunite": ("alunite", "natroalunite"),
    "jarosite": ("jarosite", "natrojarosite"),
    "aluminium smectite": ("montmorillonite", "beidellite", "smectite", "rectorite"),
    "trioctahedral smectite": ("saponite", "hectorite", "sauconite", "stevensite"),
    "hematite": ("hematite", "maghemite"),
    "goethite": ("goethite", "limonite", "ferrihydrite", "lepidocrocite", "schwertmannite"),
    "calcite": ("calcite", "aragonite"),
    "dolomite": ("dolomite", "ankerite"),
    "gypsum": ("gypsum", "bassanite"),
    "serpentine": ("serpentine", "antigorite", "chrysotile", "lizardite"),
    "amphibole": (
        "amphibole", "actinolite", "tremolite", "hornblende", "anthophyllite", "cummingtonite",
        "glaucophane", "riebeckite", "richterite", "uralite", "smaragdite", "nephrite",
    ),
    "epidote": ("epidote", "clinozoisite", "zoisite"),
    "dark mica": ("biotite", "phlogopite", "annite", "siderophyllite"),
    "talc": ("talc",),
    "pyroxene": (
        "pyroxene", "augite", "diopside", "enstatite", "hypersthene", "bronzite", "pigeonite",
        "hedenbergite", "fassaite", "acmite", "jadeite",
    ),
    "feldspar": (
        "feldspar", "albite", "anorthite", "orthoclase", "microcline", "oligoclase", "andesine",
        "labradorite", "bytownite", "sanidine", "adularia", "perthite", "celsian",
    ),
    "zeolite": (
        "zeolite", "analcime", "chabazite", "clinoptilolite", "heulandite", "laumontite",
        "mordenite", "natrolite", "scolecite", "stilbite", "mesolite", "erionite",
    ),
    "garnet": ("garnet", "almandine", "andradite", "grossular", "spessartine", "uvarovite"),
    "silica": ("quartz", "chalcedony", "opal", "chert"),
    "palygorskite": ("palygorskite", "sepiolite", "attapulgite"),
    "scapolite": ("meionite", "mizzonite", "marialite", "dipyre"),
}  # fmt: skip

MINERALS: frozenset[str] = frozenset(
    """
    allanite andalusite anhydrite apatite arsenopyrite axinite azurite barite bastnaesite beryl
    bloedite borax brookite brucite buddingtonite butlerite carnallite cassiterite celestite
    chalcopyrite chlorapatite chromite chrysocolla cinnabar clintonite colemanite cookeite copiapite
    coquimbite cordierite corrensite corundum covellite cronstedtite cuprite datolite diaspore
    dumortierite elbaite epsomite eugsterite fluorapatite galena gaylussite gibbsite glauconite
    halite holmquistite howlite hydrogrossular ilmenite kainite kieserite lazurite lepidolite
    magnesite magnetite malachite mascagnite melanterite mirabilite monazite monticellite nepheline
    niter nontronite olivine pectolite pinnoite polyhalite portlandite prehnite psilomelane pyrite
    pyrolusite pyrophyllite pyrrhotite rhodochrosite rhodonite rivadavite roscoelite rozenite rutile
    siderite sillimanite sphalerite sphene spinel spodumene staurolite strontianite sulfur sulphur
    syngenite szomolnokite teepleite thenardite tincalconite topaz tourmaline trona ulexite
    vermiculite vesuvianite witherite wollastonite xenotime zincite zircon zunyite starkeyite
    """.split()
) | {name for members in FAMILIES.values() for name in members}

SHORT: dict[str, str] = {
    "alun": "alunite", "kalun": "alunite", "natroalun": "alunite", "buddingtnt": "buddingtonite",
    "calc": "calcite", "cal": "calcite", "chl": "chlorite", "chlor": "chlorite",
    "chlorit": "chlorite", "chabazt": "chabazite", "dic": "dickite", "dolo": "dolomite",
    "dolomit": "dolomite", "epid": "epidote", "epidot": "epidote", "goeth": "goethite",
    "gth": "goethite", "gyp": "gypsum", "hematitic": "hematite", "hematit": "hematite",
    "ill": "illite", "jar": "jarosite", "jaro": "jarosite", "jaros": "jarosite", "jr": "jarosite",
    "kaol": "kaolinite", "kaolin": "kaolinite", "kaolwxl": "kaolinite", "kjar": "jarosite",
    "lepidocrosite": "lepidocrocite", "limestone": "calcite", "selenite": "gypsum",
    "mont": "montmorillonite", "montmor": "montmorillonite",
    "montmorill": "montmorillonite", "musc": "muscovite", "muscov": "muscovite",
    "msc": "muscovite", "mus": "muscovite", "pyro": "pyrophyllite", "pyrophyl": "pyrophyllite",
    "qtz": "quartz", "qtzite": "quartz", "qtzt": "quartz", "reibeckite": "riebeckite",
    "smect": "smectite", "smectit": "smectite", "tremolit": "tremolite",
}  # fmt: skip
"""Shortened and misspelt names in the titles of published libraries."""

KINDS: tuple[tuple[str, str], ...] = (
    ("burnt ground", r"\bchar\b|charcoal|burn(t|ed|area)|\bash\b"),
    ("snow or ice", r"snow|\bice\b|frost|h2o-ice"),
    ("asphalt", r"asphalt(?!.*shingle)|\btar\b|\broad\b|parking"),
    ("concrete", r"concrete|cinder|cement|sidewalk|bridge"),
    ("metal", r"metal|steel|alumin[iu]+m\b|copper|\btin can"),
    ("roofing", r"shingle|roof|\btile\b|brick|slate"),
    ("plastic or fabric",
     r"plastic|nylon|polyester|polystyrene|fabric|vinyl|fiberglass|\bpvc|tarp"),
    ("soil", r"soil|loam|playa|\bmud\b|\bdirt\b|\bsand\b|gravel"),
    ("dry vegetation",
     r"\bdry\b|litter|golden|\bdead\b|\bnpv\b|bark|straw|\bwood|plywood|cardboard|cedar shake"
     r"|strand board|particle board|stubble|senesc"),
    ("water", r"water|\bsea\b|ocean|lake|river"),
    ("green vegetation",
     r"grass|tree|leaf|leaves|needle|spruce|pine|\bfir\b|aspen|maple|walnut|oak|quercus|conifer"
     r"|pinus|abies|avena|bromus|sage|shrub|bush|brush|juniper|willow|sedge|vegetation|canopy"
     r"|cattail|tumbleweed|cheatgrass|spurge|olive|forest|rangeland|wetland|lichen|algae|crop"),
)  # fmt: skip
"""What is told by its whole spectrum: family and how titles say it, the first that fits."""
