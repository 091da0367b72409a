"""The precision modes of ATC: which option takes them, and which version of CANN and chip has them.

By the ATC references of CANN 6.0, 6.2.RC2, 6.3.RC2 and 8.0: `--precision_mode_v2` exists from 6.2.RC2 on and excludes
`--precision_mode`; bfloat16 is computed by the 310B (with v2's mode only), the 910B1 to 910B4, the 910_93 and the 950,
hif8 by the 950.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from x3d.ascend.cann import CannVersion
from x3d.errors import InputError

DEFAULT_MODE = "allow_mix_precision"
"""The recipe's; ATC's own default differs between options and releases, so one is always given."""

V1, V2 = "precision_mode", "precision_mode_v2"
_BF16_V2 = r"310B.*|910B\d.*|910_93.*|950.*"
_BF16 = _BF16_V2.removeprefix("310B.*|")
_HIF8 = r"950.*"
_LATER, _LATER_BF16 = CannVersion("6.2.RC2"), CannVersion("6.3.RC2")


@dataclass(frozen=True)
class PrecisionMode:
    """A precision mode.

    Attributes:
        option: of ATC, without dashes.
        since: the first version of CANN whose reference lists it; None: all do.
        chips: pattern of the names of the chips that have it, without Ascend.
    """

    name: str
    option: str
    since: CannVersion | None = None
    chips: str = ".*"


MODES = (
    PrecisionMode("allow_mix_precision", V1),
    PrecisionMode("force_fp16", V1),
    PrecisionMode("allow_fp32_to_fp16", V1),
    PrecisionMode("must_keep_origin_dtype", V1),
    PrecisionMode("force_fp32", V1, _LATER),
    PrecisionMode("cube_fp16in_fp32out", V1, _LATER),
    PrecisionMode("allow_mix_precision_fp16", V1, _LATER),
    PrecisionMode("allow_mix_precision_bf16", V1, _LATER_BF16, _BF16),
    PrecisionMode("allow_fp32_to_bf16", V1, _LATER_BF16, _BF16),
    PrecisionMode("fp16", V2, _LATER),
    PrecisionMode("origin", V2, _LATER),
    PrecisionMode("mixed_float16", V2, _LATER),
    PrecisionMode("mixed_bfloat16", V2, _LATER_BF16, _BF16_V2),
    PrecisionMode("cube_hif8", V2, _LATER_BF16, _HIF8),
    PrecisionMode("mixed_hif8", V2, _LATER_BF16, _HIF8),
)
"""No name belongs to both options but cube_fp16in_fp32out, which both compute alike."""


def offered_modes(soc: str, version: CannVersion | None) -> Sequence[PrecisionMode]:
    """List the modes of a chip.

    Args:
        soc: SoC version, such as Ascend310P3.
        version: of CANN; None if unknown: those of every version.
    """
    chip = soc.removeprefix("Ascend")
    return [
        mode
        for mode in MODES
        if re.fullmatch(mode.chips, chip) and (version is None or mode.since is None or version >= mode.since)
    ]


def choose_mode(name: str, soc: str, version: CannVersion | None) -> PrecisionMode:
    """Return the mode of a name, of either option.

    Raises:
        InputError: the chip or the version of CANN does not have it; the text lists those that they have.
    """
    offered = offered_modes(soc, version)
    for mode in offered:
        if mode.name == name:
            return mode
    release = f" with CANN {version}" if version else ""
    names = ", ".join(mode.name for mode in offered)
    raise InputError(f"--precision_mode {name}: {soc}{release} has {names}; give one of these")
