"""Where model 2 puts the Frey faces: codes of all frames, for a page that cannot show the frames.

    vaecourse reproduce frey_latent_codes

encodes them with the shipped weights of `frey_model_2` and writes
`data/results/frey_latent_codes.json`. It needs the frames (`vaecourse data fetch frey_faces`),
which are under no licence that would let the course ship them. Shown in chapter 10.
"""

import json
import time

import torch

from vaecourse import checkpoint, data
from vaecourse._files import check_writable, write_text

NAME = "frey_latent_codes"
PATH = checkpoint.PRETRAINED.parent / "results" / f"{NAME}.json"
MODEL = "frey_model_2"
SEEDS = (0, 1, 2)


def run(path=PATH, command=f"vaecourse reproduce {NAME}"):
    """Encode the frames with every seed's model and write the record to `path`; returns it."""
    check_writable(path)
    train, test = data.frey_faces("train").x, data.frey_faces("test").x
    start = time.perf_counter()
    seeds = []
    for seed in SEEDS:
        model, trained = checkpoint.pretrained(MODEL, seed)
        seeds.append(
            {
                "seed": seed,
                "weights_sha256": trained["weights_sha256"],
                "train": {"loc": codes(model, train)["loc"]},
                "test": codes(model, test),
            }
        )
    record = {
        "data": {
            "name": "frey_faces",
            "rows": {"train": len(train), "test": len(test)},
            "pixel_deviation": _rounded(train.std(0, correction=0)),
        },
        "model": MODEL,
        **checkpoint.provenance(command, time.perf_counter() - start, {"seeds": seeds}),
    }
    write_text(path, json.dumps(record) + "\n")
    return record


@torch.no_grad()
def codes(model, x):
    """q(z|x) of rows x [N, D] as lists: `loc` and `log_var`, [N, J], and the squared error [N].

    The squared error is that of the decoded mean code, summed over dimensions.
    """
    q = model.encode(x)
    error = (model.decode(q.mean).mean - x).square().sum(1)
    return {
        "loc": _rounded(q.loc),
        "log_var": _rounded(q.log_var),
        "squared_error": _rounded(error),
    }


def _rounded(values):
    return torch.round(values.double(), decimals=4).tolist()
