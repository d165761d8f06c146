"""Makes what lies in weights/: from photos to tiles, from tiles to weights, to figures."""
