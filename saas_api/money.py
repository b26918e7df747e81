"""Money as it stands on the wire."""

from __future__ import annotations


def usd(micro: int) -> str:
    """Formats millionths of a US dollar as a decimal string with six places."""
    sign, whole = ("-", -micro) if micro < 0 else ("", micro)
    return f"{sign}{whole // 1_000_000}.{whole % 1_000_000:06d}"
