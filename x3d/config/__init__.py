"""The configuration: its keys, loading and checks. Only load_cfg and get_cfg import fvcore, when they are called."""

from x3d.config.loading import get_cfg, load_cfg

__all__ = ["get_cfg", "load_cfg"]
