"""Notice in ais_bench's summary that it cut float32 views in two, for an .om that takes float16.

ais_bench reads bytes as they are: B / 2 float32 files fill a batch of B float16 views. Each result then holds two rows
of scores, one per half of a view, and a `.bin` with two float16 rows is as long as one with a float32 row. ais_bench
ends with an error on float16 files for an .om that takes float32.
"""

import math
import re
from collections.abc import Mapping
from typing import Any

from x3d.ascend.ais_bench_output import COMPUTE, THROUGHPUT
from x3d.storage.ais_bench_summary import SAMPLES

_LOOP = re.compile(r"(?:^|\s)(?:--loop|-l)[ =]([1-9][0-9]{0,8})(?=\s|$)")


def has_split_views(summary: Mapping[str, Any]) -> bool:
    """Check whether ais_bench ran as many batches as its files fill when each is cut in two.

    If all files fit into half a batch, the number is the same either way, and nothing is noticed.

    Args:
        summary: parsed; of one without times or batch size nothing is known.
    """
    try:
        batch_size = round(summary[THROUGHPUT] * summary[COMPUTE]["mean"] / 1000)
        loop = _LOOP.search(" ".join(map(str, summary["args"])))
        num_batches = summary[COMPUTE]["count"] / (int(loop[1]) if loop else 1)
    except (KeyError, TypeError, ValueError, OverflowError):
        return False
    if batch_size < 2 or batch_size % 2:
        return False
    num_files = len(summary[SAMPLES])
    return bool(num_batches == math.ceil(num_files / (batch_size // 2)) != math.ceil(num_files / batch_size))
