"""Write the headers of H.264 bit by bit."""


def bits(value: int, num_bits: int) -> str:
    """Write an unsigned number as zeros and ones."""
    return f"{value:0{num_bits}b}"


def golomb(*values: int) -> str:
    """Write unsigned Exp-Golomb codes."""
    codes = (f"{value + 1:b}" for value in values)
    return "".join("0" * (len(code) - 1) + code for code in codes)


def to_bytes(text: str) -> bytes:
    """Pack zeros and ones, with a stop bit and zeros up to a byte."""
    padded = text + "1" + "0" * (-(len(text) + 1) % 8)
    return bytes(int(padded[start : start + 8], 2) for start in range(0, len(padded), 8))
