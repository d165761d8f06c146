"""Who a request comes from, and how much each visitor may ask for."""

import os
import time
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address


class Allowance:
    """A token bucket per visitor: `burst` at once, then `rate` per second."""

    def __init__(self, burst: float, rate: float):
        self.burst, self.rate = burst, rate
        self.left: dict[str, tuple[float, float]] = {}

    def take(self, visitor: str, amount: float = 1) -> bool:
        """Whether the visitor still has as much; it is then taken."""
        now = time.monotonic()
        if len(self.left) > 10_000:
            recent = now - self.burst / self.rate
            self.left = {who: held for who, held in self.left.items() if held[1] > recent}
        level, since = self.left.get(visitor, (self.burst, now))
        level = min(self.burst, level + (now - since) * self.rate)
        enough = level >= amount
        self.left[visitor] = (level - amount if enough else level, now)
        return enough


def visitor_of(scope) -> str | None:
    """Whom the request is counted for: an address, or 64 bits of one in IPv6, where a visitor has
    all the rest; None for this machine itself, which is not limited.

    X-Forwarded-For begins with whatever the visitor wrote, so only what a known proxy added to it
    counts: uvicorn does so for a proxy on this machine. The Hub's appends the address it was called
    from to what it got, and passes it on from a private one; so on a Space it is the last public
    address that counts. Anywhere else the header counts for nothing.
    """
    address = _address((scope.get("client") or ("",))[0])
    if os.environ.get("SPACE_ID"):
        lines = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
        forwarded = map(_address, b",".join(lines).decode("latin-1").split(","))
        address = next((ip for ip in reversed([*forwarded]) if ip and ip.is_global), address)
    if address is None or address.is_loopback:
        return None
    return str(address if address.version == 4 else IPv6Network((int(address), 64), strict=False))


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text.strip())
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
