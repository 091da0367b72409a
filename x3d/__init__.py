"""Parts of the X3D evaluation suite: list -> sampling -> video -> transform -> engine -> scoring."""

__version__ = "0.2.0"
