"""Write a checkpoint of synthetic weights, in PySlowFast's layout; what it scores means nothing.

python -m demo.make_checkpoint configs/X3D_S.yaml synthetic.pyth
"""

import argparse
from collections.abc import Sequence

import torch

from demo.synthetic import synthetic_state
from x3d.config import load_cfg
from x3d.model import X3D


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cfg", help="yaml file of the network")
    parser.add_argument("checkpoint", help=".pyth to write")
    args = parser.parse_args(argv)
    state = synthetic_state(X3D(load_cfg(args.cfg)), seed=0)
    torch.save({"epoch": 0, "cfg": "", "model_state": state, "optimizer_state": {}}, args.checkpoint)


if __name__ == "__main__":
    main()
