"""A setting of the laboratory, and the link that brings it back."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

from .. import MODELS
from ..distort import DISTORTIONS, SEEDS, check_setting, find
from .parts import DEFAULT_MODEL


@dataclass(frozen=True)
class Setting:
    """What is done to the clear photo, and who restores it; the angle in degrees."""

    kind: str = "gaussian"
    strength: float = DISTORTIONS["gaussian"].default
    angle: float = 0
    seed: int = 0
    model: str = DEFAULT_MODEL

    def nearest(self) -> "Setting":
        """The valid setting next to what stands in the fields, empty ones included.

        They put themselves right in the same way when they are left. Raises ValueError for a kind
        that there is not.
        """
        spec = find(self.kind)
        strength = between(spec.low, self.strength, spec.high)
        strength = round(strength) if self.kind == "study" else strength
        return replace(
            self, strength=strength, angle=between(0, self.angle, 180), seed=whole_seed(self.seed)
        )


def between(low: float, value: float | None, high: float) -> float:
    return low if value is None else min(max(value, low), high)


def whole_seed(seed: float | None) -> int:
    """The nearest number that is one."""
    return round(between(0, seed, SEEDS - 1))


NAMES = tuple(field.name for field in fields(Setting))
"""The query parameters of a link."""


def from_query(query: Mapping[str, str]) -> tuple[Setting, str]:
    """The setting that a link asks for, and a sentence about what in it was not valid, or "".

    Whatever is not valid keeps its default; nothing else of the link is looked at.
    """
    setting, wrong = Setting(), []
    kind = query.get("kind", setting.kind)
    if kind in DISTORTIONS:
        setting = replace(setting, kind=kind, strength=DISTORTIONS[kind].default)
    else:
        wrong.append("kind")
    if query.get("model", setting.model) in MODELS:
        setting = replace(setting, model=query.get("model", setting.model))
    else:
        wrong.append("model")
    for name in ("strength", "angle", "seed"):
        if name not in query:
            continue
        try:
            value = (int if name == "seed" else float)(query[name][:20])
            tried = replace(setting, **{name: value})
            check_setting(tried.kind, tried.strength, tried.seed, tried.angle)
            setting = tried
        except ValueError:
            wrong.append(name)
    if not wrong:
        return setting, ""
    names = ", ".join(wrong)
    return setting, f"The link asks for what does not exist; the usual value is used for: {names}."


COPY_LINK = (
    """(...values) => {
  const link = new URL(location.href);
  const names = """
    + str(list(NAMES))
    + """;
  names.forEach((name, i) => link.searchParams.set(name, values[i]));
  navigator.clipboard?.writeText(link.href).catch(() => {});
  history.replaceState(null, "", link);
  return link.href;
}"""
)
"""Runs in the browser, with the values of NAMES in their order: the link, copied where that is
allowed (on https and on localhost), put into the address bar, and returned."""
