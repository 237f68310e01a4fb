"""The diagram of the packages: a band per layer, the highest above; every arrow points at what is imported.

An arrow that follows from others is left out: if `a` imports `b` and `b` imports `c`, none is drawn from `a` to `c`.
Within a band, a package stands above those of its band that it imports.
"""

from diagrams.svg import Svg, text_width
from kit.modules import LAYERS

BOX, GAP, STEP, BAND, MARGIN = 26, 22, 74, 30, 16
#: Background, box and arrows of each layer, the lowest first.
COLOURS = (("#f3f7f1", "#dcebd3", "#4a7a35"), ("#f1f5fa", "#d5e3f3", "#2f5f96"), ("#faf5ee", "#f3e2c6", "#96681f"),
           ("#f8f1f6", "#ecd5e5", "#8a3c74"), ("#f1f8f8", "#cfe8e8", "#20706f"))

Edges = dict[str, set[str]]


def reduced(edges: Edges) -> Edges:
    """The fewest arrows with the same packages reachable from each; `edges` has no circle."""
    def reachable(start: str) -> set[str]:
        found, pending = set(), list(edges[start])
        while pending:
            node = pending.pop()
            if node not in found:
                found.add(node)
                pending += edges[node]
        return found

    below = {node: reachable(node) for node in edges}
    return {node: {end for end in ends if not any(end in below[other] for other in ends - {end})}
            for node, ends in edges.items()}


def below_layers(edges: Edges) -> Edges:
    """The imports among packages within the layers; the layers themselves are the bands."""
    return {node: {end for end in ends if "." in end} for node, ends in edges.items() if "." in node}


def _levels(nodes: list[str], edges: Edges) -> list[list[str]]:
    """The packages of a layer in rows, each above all that it imports; the highest row first."""
    height: dict[str, int] = {}

    def of(node: str) -> int:
        if node not in height:
            height[node] = 1 + max((of(end) for end in edges[node] if end in nodes), default=-1)
        return height[node]

    for node in nodes:
        of(node)
    return [sorted(n for n in nodes if height[n] == h) for h in range(max(height.values()), -1, -1)]


def _short(name: str) -> str:
    return name.partition(".")[2] or name


def draw(edges: Edges) -> str:
    """A picture of packages and imports."""
    edges = below_layers(edges)
    rows = [(layer, level) for layer in reversed(range(len(LAYERS)))
            for level in _levels([n for n in edges if n.startswith(LAYERS[layer] + ".")], edges)]
    widths = [sum(text_width(_short(n)) + 16 + GAP for n in row) for _, row in rows]
    label = max(map(text_width, LAYERS)) + 2 * MARGIN
    width = label + max(widths) + MARGIN
    place: dict[str, tuple[float, float, float]] = {}  # middle, top, half width
    y, bands, last = MARGIN, [], None
    for (layer, row), used in zip(rows, widths, strict=True):
        if layer != last:
            y += BAND
            bands.append([layer, y - BAND / 2, 0.0])
            last = layer
        x = label + (width - label - used) / 2
        for node in row:
            half = text_width(_short(node)) / 2 + 8
            place[node] = x + GAP / 2 + half, y, half
            x += 2 * half + GAP
        y += STEP
        bands[-1][2] = y - STEP + BOX + BAND / 2
    picture = Svg(width, y - STEP + BOX + BAND)
    for layer, top, bottom in bands:
        picture.path(f"M0 {top:.1f}H{width:.1f}V{bottom:.1f}H0Z\" fill=\"{COLOURS[layer][0]}", "none", "band")
        picture.text(MARGIN, (top + bottom) / 2, LAYERS[layer], kind="title")
    for node, ends in sorted(reduced(edges).items()):
        for end in sorted(ends):
            _arrow(picture, place[node], place[end], COLOURS[_layer(node)][2])
    for node, (middle, top, half) in sorted(place.items()):
        picture.box(middle - half, top, 2 * half, BOX, _short(node), COLOURS[_layer(node)][1])
    return picture.render()


def _layer(node: str) -> int:
    return LAYERS.index(node.split(".")[0])


def _arrow(picture: Svg, start: tuple[float, float, float], end: tuple[float, float, float], colour: str) -> None:
    """From the bottom of a box to the top of one below it; the ends are spread, so that arrows keep apart."""
    lean = (end[0] - start[0]) / 14
    x1 = start[0] + max(-0.8 * start[2], min(0.8 * start[2], lean))
    x2 = end[0] - max(-0.8 * end[2], min(0.8 * end[2], lean))
    y1, y2 = start[1] + BOX, end[1]
    bend = min(60.0, (y2 - y1) / 2)
    neck = y2 - 8
    picture.path(f"M{x1:.1f} {y1:.1f}C{x1:.1f} {y1 + bend:.1f} {x2:.1f} {neck - bend:.1f} {x2:.1f} {neck:.1f}", colour)
    picture.arrowhead(x2, y2, 0, 1, colour)
