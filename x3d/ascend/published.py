"""What the original recipe reports of an Ascend 310P3."""

PUBLISHED = {1: 333.2, 4: 381.6, 8: 386.8, 16: 365.2, 32: 358.9, 64: 354.9}
"""Views per second of X3D-S by batch size; not measured here."""
