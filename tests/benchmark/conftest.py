"""A data folder laid out like the public one, with made-up spectra."""

import numpy as np
import pytest
from scipy.io import savemat

BANDS = 162


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    (root / "urban").mkdir()
    (root / "samson").mkdir()
    walk = np.cumsum(rng.normal(size=(6, BANDS)), axis=1) * 0.03
    E = np.abs(walk + rng.uniform(0.2, 0.6, (6, 1))) + 0.02
    names = ["asphalt", "grass", "tree", "roof", "dirt", "metal"]
    fields = rng.dirichlet(np.full(6, 0.4), (307, 307))
    for k in (4, 5, 6):
        A = fields[..., :k] / fields[..., :k].sum(axis=-1, keepdims=True)
        if k == 6:
            s = rng.uniform(0.5, 1.0, (80, 100, 1))
            X = s * (A[:80, 187:287] @ E) * 1000
            cube = np.clip(X + rng.normal(0, 3, X.shape), 0, None).astype(np.uint16)
            savemat(root / "urban" / "urban_162band.mat", {"urban_detection": cube})
        content = {
            "M": E[:k].T,
            "A": A.transpose(2, 1, 0).reshape(k, -1),  # counted down the columns
            "cood": np.asarray(names[:k], object)[:, None],
        }
        savemat(root / "urban" / f"end{k}_groundTruth.mat", content)
    A = rng.dirichlet(np.ones(3), (95, 95))
    A[0, :3] = np.eye(3)
    X = A @ E[:3, :156]
    savemat(
        root / "samson" / "Samson.mat",
        {"V": X.transpose(2, 1, 0).reshape(156, -1), "nRow": 95.0, "nCol": 95.0},
    )
    savemat(
        root / "samson" / "Samson_GT.mat",
        {"M": E[:3, :156].T, "A": A.transpose(2, 1, 0).reshape(3, -1)},
    )
    return root
