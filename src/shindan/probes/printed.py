"""Numbers as they are printed."""


def slack(number: str) -> float:
    """Half a unit of the last place shown, with room for rounding in binary."""
    mantissa, _, exponent = number.lower().partition("e")
    decimals = len(mantissa.partition(".")[2])
    return 0.5 * 10.0 ** (int(exponent or 0) - decimals) * 1.01
