"""The 3D map: buildings become tiles, tiles and pins become layers."""
