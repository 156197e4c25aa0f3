"""Colours of CSS, and the contrast of two (WCAG 2.2, 1.4.3)."""

import re
from typing import TypeAlias

Colour: TypeAlias = tuple[int, int, int]

_HEX = re.compile(r"#([0-9a-f]{3,8})")
_RGB = re.compile(r"rgba?\(([^()]{1,80})\)")
_NAMED = """
black:000000 silver:c0c0c0 gray:808080 grey:808080 white:ffffff maroon:800000 red:ff0000 purple:800080
fuchsia:ff00ff magenta:ff00ff green:008000 lime:00ff00 olive:808000 yellow:ffff00 navy:000080 blue:0000ff
teal:008080 aqua:00ffff cyan:00ffff orange:ffa500 pink:ffc0cb brown:a52a2a gold:ffd700 beige:f5f5dc
ivory:fffff0 khaki:f0e68c coral:ff7f50 crimson:dc143c indigo:4b0082 lavender:e6e6fa salmon:fa8072
tomato:ff6347 turquoise:40e0d0 violet:ee82ee wheat:f5deb3 tan:d2b48c orchid:da70d6 plum:dda0dd
lightgray:d3d3d3 lightgrey:d3d3d3 darkgray:a9a9a9 darkgrey:a9a9a9 dimgray:696969 dimgrey:696969
gainsboro:dcdcdc whitesmoke:f5f5f5 slategray:708090 slategrey:708090 darkslategray:2f4f4f lightblue:add8e6
skyblue:87ceeb deepskyblue:00bfff dodgerblue:1e90ff royalblue:4169e1 steelblue:4682b4 darkblue:00008b
midnightblue:191970 cornflowerblue:6495ed darkred:8b0000 firebrick:b22222 darkgreen:006400 forestgreen:228b22
seagreen:2e8b57 lightgreen:90ee90 limegreen:32cd32 darkorange:ff8c00 orangered:ff4500 hotpink:ff69b4
deeppink:ff1493 chocolate:d2691e sienna:a0522d snow:fffafa azure:f0ffff aliceblue:f0f8ff ghostwhite:f8f8ff
linen:faf0e6 lightyellow:ffffe0 rebeccapurple:663399 slateblue:6a5acd
"""
_NAMES = {
    name: (int(code[0:2], 16), int(code[2:4], 16), int(code[4:6], 16))
    for name, code in (pair.split(":") for pair in _NAMED.split())
}


def read_colour(text: str, over: Colour | None = None) -> Colour | None:
    """A colour, laid `over` another if it lets it through; None for what is none, or is not known."""
    word = text.strip().lower()
    if word in _NAMES:
        return _NAMES[word]
    found = _HEX.fullmatch(word)
    if found:
        return _from_hex(found[1], over)
    found = _RGB.fullmatch(word)
    return _from_rgb(found[1], over) if found else None


def contrast(one: Colour, other: Colour) -> float:
    """From 1 to 21, as WCAG 2 defines it: relative luminances, 0.05 added to each."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def luminance(colour: Colour) -> float:
    """Relative luminance, 0 to 1 (https://www.w3.org/TR/WCAG22/#dfn-relative-luminance)."""
    parts = [value / 255 for value in colour]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def as_hex(colour: Colour) -> str:
    """`#rrggbb`."""
    return "#{:02x}{:02x}{:02x}".format(*colour)


def _from_hex(digits: str, over: Colour | None) -> Colour | None:
    if len(digits) in {3, 4}:
        digits = "".join(digit * 2 for digit in digits)
    if len(digits) not in {6, 8}:
        return None
    red, green, blue = (int(digits[at : at + 2], 16) for at in (0, 2, 4))
    share = int(digits[6:8], 16) / 255 if len(digits) == 8 else 1.0
    return _laid((red, green, blue), share, over)


def _from_rgb(inner: str, over: Colour | None) -> Colour | None:
    parts = [part for part in re.split(r"[\s,/]+", inner.strip()) if part]
    if len(parts) not in {3, 4}:
        return None
    try:
        red, green, blue = (_channel(part) for part in parts[:3])
        share = 1.0 if len(parts) == 3 else float(parts[3].removesuffix("%")) / (100 if "%" in parts[3] else 1)
    except (ValueError, OverflowError):
        return None
    return _laid((red, green, blue), min(max(share, 0.0), 1.0), over)


def _channel(part: str) -> int:
    value = float(part.removesuffix("%")) * (2.55 if part.endswith("%") else 1)
    return round(min(max(value, 0), 255))


def _laid(colour: Colour, share: float, over: Colour | None) -> Colour | None:
    if share >= 1:
        return colour
    if over is None:
        return None
    red, green, blue = (round(share * top + (1 - share) * below) for top, below in zip(colour, over, strict=True))
    return red, green, blue
