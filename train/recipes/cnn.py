"""CNN, the first baseline.

python -m train fit cnn
"""

from . import Recipe

recipe = Recipe(model="cnn", images=16_000)
