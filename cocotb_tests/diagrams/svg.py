"""Writing SVG: boxes, lines and texts, the same text for the same content."""

from xml.sax.saxutils import escape

FONT = 13
#: Width of a letter of the fixed-width font, in units.
LETTER = 0.6 * FONT
_STYLE = (
    f"text {{ font: {FONT}px monospace; fill: #222 }} .title {{ font-size: 17px; font-weight: bold }} "
    ".box { stroke: #345; stroke-width: 1.2 } .line { fill: none; stroke-width: 1.2 } .rail { stroke: #bbb }"
)


def text_width(text: str) -> float:
    """Width of a text in units."""
    return LETTER * len(text)


class Svg:
    """A picture that grows by what is drawn; y counts downwards."""

    def __init__(self, width: float, height: float):
        self._head = (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_n(width)} {_n(height)}" '
                      f'width="{_n(width)}" height="{_n(height)}">')
        self._parts = [f"<style>{_STYLE}</style>", '<rect width="100%" height="100%" fill="white"/>']

    def box(self, x: float, y: float, width: float, height: float, text: str, fill: str = "#e8eef5") -> None:
        """A box with a text in its middle."""
        self._parts.append(f'<rect class="box" x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}" '
                           f'rx="4" fill="{fill}"/>')
        self.text(x + width / 2, y + height / 2 + FONT / 3, text, "middle")

    def text(self, x: float, y: float, text: str, anchor: str = "start", kind: str = "") -> None:
        """A text whose baseline is at y."""
        extra = f' class="{kind}"' if kind else ""
        self._parts.append(f'<text x="{_n(x)}" y="{_n(y)}" text-anchor="{anchor}"{extra}>{escape(text)}</text>')

    def path(self, commands: str, colour: str = "#345", kind: str = "line") -> None:
        """A line along the commands of an SVG path."""
        self._parts.append(f'<path class="{kind}" d="{commands}" stroke="{colour}"/>')

    def arrowhead(self, x: float, y: float, dx: int, dy: int, colour: str = "#345") -> None:
        """A filled head at (x, y) that points along (dx, dy), one of which is 0."""
        back, side = 8, 4
        ends = [(x - back * dx + side * dy * s, y - back * dy + side * dx * s) for s in (1, -1)]
        points = " ".join(f"{_n(a)},{_n(b)}" for a, b in [(x, y), *ends])
        self._parts.append(f'<polygon points="{points}" fill="{colour}"/>')

    def dot(self, x: float, y: float, colour: str = "#345") -> None:
        """A small filled circle."""
        self._parts.append(f'<circle cx="{_n(x)}" cy="{_n(y)}" r="3" fill="{colour}"/>')

    def render(self) -> str:
        """The whole file."""
        return "\n".join([self._head, *self._parts, "</svg>", ""])


def _n(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".")
