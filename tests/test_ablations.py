"""Short runs that differ in one choice: fair, recorded, not repeated."""

import json
from dataclasses import asdict

import pytest
from test_train_cli import run

from train import ablations


def test_every_variant_changes_something_and_sees_as_many_pixels():
    base, *others = ablations.variants().values()
    for recipe in others:
        changed = {key for key, value in asdict(recipe).items() if value != asdict(base)[key]}
        assert changed
        if "border" not in changed:  # those are seen without their border
            assert recipe.images * recipe.crop**2 == base.images * base.crop**2
        assert recipe.validate_every == recipe.images, "no choice among validations"
    assert len({repr(recipe) for recipe in others}) == len(others)


def test_runs_are_recorded_at_once_and_not_repeated(tiled, tmp_path, monkeypatch):
    every = ablations.variants
    monkeypatch.setattr(ablations, "variants", lambda images: dict([*every(images).items()][:2]))
    out = tmp_path / "ablations.json"
    command = ("ablate", "--tiles", tiled, "--runs", tmp_path / "runs", "--out", out)
    result = run(*command, "--images", 64)
    assert result.exit_code == 0, result.output
    found = json.loads(out.read_text())
    assert found["images"] == 64
    assert list(found["rows"]) == [ablations.BASE, "another seed"]
    assert all(10 < row["val_psnr"] < 60 for row in found["rows"].values())
    assert "another seed" in result.output

    monkeypatch.setattr(ablations, "fit", lambda *_: pytest.fail("it ran again"))
    assert run(*command, "--images", 64).exit_code == 0
    with pytest.raises(pytest.fail.Exception):
        ablations.ablate(tiled, tmp_path / "more", out, 128)
