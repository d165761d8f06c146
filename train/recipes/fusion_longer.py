"""Fusion, trained on from where the recipe fusion ended, on twice the samples: what is published.

python -m train fit fusion-longer
"""

from dataclasses import replace

from . import fusion

recipe = replace(
    fusion.recipe,
    images=112_000,
    lr=5e-4,
    start="fusion",
    seed=1,
)
