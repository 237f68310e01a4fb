"""The block diagram: instances of the top and of the accelerator, and the streams and bundles between them.

Everything is read from the elaborated `Derca` of a sample platform. A connection counts when data of one instance's
port reach a port of another one, directly or through the signals of the component around them, and at least one of the
two ports is a bundle. Single wires and conditions are left out.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from amaranth.hdl import Fragment, Signal, Value
from amaranth.hdl._ast import Assign, Switch
from amaranth.lib import wiring

from derca_hw.top import Derca
from derca_sim.workload.taskset import load_platform
from diagrams.svg import Svg, text_width
from kit.checkout import PLATFORMS

#: The sample platform, and the instances of its top whose inside is drawn as well.
PLATFORM, INSIDE = "demo", ("accelerator",)
#: What stands for the ports of the drawn component itself.
OUTSIDE = "outside"
ROW, HEAD, MARGIN, GAP = 22, 34, 20, 18


@dataclass(frozen=True)
class Blocks:
    """One level: the component's name, its instances in order, and (sender, bundle, receiver) of each connection."""

    name: str
    instances: tuple[str, ...]
    connections: frozenset[tuple[str, str, str]]


def levels() -> list[Blocks]:
    """The levels that are drawn, the top first."""
    top = Fragment.get(Derca(load_platform(PLATFORMS / f"{PLATFORM}.toml")), None)
    found = [_level("derca", top)]
    for inner, name, _ in top.subfragments:
        if name in INSIDE:
            found.append(_level(name, inner))
    return found


def _component(fragment: Fragment) -> wiring.Component | None:
    return next((o for o in fragment.origins or () if isinstance(o, wiring.Component)), None)


@dataclass(frozen=True)
class _Port:
    """A signal's place: the instance, the member of its signature, and whether that is a bundle."""

    instance: str
    member: str
    bundle: bool


def _ports(instance: str, component: wiring.Component) -> Iterator[tuple[Signal, _Port]]:
    members = component.signature.members
    for path, _, value in component.signature.flatten(component):
        bundle = members[path[0]].is_signature
        if bundle and path[-1] == "ready":
            continue  # which runs against the data
        for signal in Value.cast(value)._rhs_signals():
            yield signal, _Port(instance, str(path[0]), bundle)


def _level(name: str, fragment: Fragment) -> Blocks:
    owner: dict[int, _Port] = {}
    outside = _component(fragment)
    for signal, port in _ports(OUTSIDE, outside):
        owner[id(signal)] = port
    instances = []
    for inner, inner_name, _ in fragment.subfragments:
        component = _component(inner)
        if component is None:
            continue
        instances.append(inner_name)
        for signal, port in _ports(inner_name, component):
            owner[id(signal)] = port
    feeds: dict[int, set[int]] = {}  # signal -> what it is assigned from
    for statements in fragment.statements.values():
        for assign in _assignments(statements):
            try:
                sources, targets = assign.rhs._rhs_signals(), assign.lhs._lhs_signals()
            except NotImplementedError:  # the reset of a domain, which is no port
                continue
            for target in targets:
                feeds.setdefault(id(target), set()).update(map(id, sources))
    reached: dict[_Port, set[_Port]] = {}
    for target, port in owner.items():
        others = {source for source in _origins(target, feeds, owner) if source.instance != port.instance}
        reached.setdefault(port, set()).update(others)
    connections = set()
    for port, sources in reached.items():
        bundles = {source for source in sources if source.bundle}
        for source in bundles or (sources if port.bundle else ()):  # a wire beside a bundle gates it
            connections.add((source.instance, source.member if source.bundle else port.member, port.instance))
    return Blocks(name, tuple(instances), frozenset(connections))


def _assignments(statements) -> Iterator[Assign]:
    for statement in statements:
        if isinstance(statement, Assign):
            yield statement
        elif isinstance(statement, Switch):
            for case in statement.cases:
                yield from _assignments(case[1])


def _origins(target: int, feeds: dict[int, set[int]], owner: dict[int, _Port]) -> set[_Port]:
    """The ports whose data reach a signal, through signals of the component alone."""
    found, seen, pending = set(), {target}, list(feeds.get(target, ()))
    while pending:
        signal = pending.pop()
        if signal in seen:
            continue
        seen.add(signal)
        if signal in owner:
            found.add(owner[signal])
        else:
            pending += feeds.get(signal, ())
    return found


def draw(found: list[Blocks]) -> str:
    """A picture of the levels below each other: a column per instance, a row per sender and receivers; a dot sends."""
    rows = [_rows(level) for level in found]
    widths = [_width(level) for level in found]
    height = sum(MARGIN + HEAD + 2 * GAP + ROW * len(r) + MARGIN for r in rows)
    picture = Svg(max(widths), height)
    y = 0.0
    for level, its in zip(found, rows, strict=True):
        y = _draw_level(picture, level, its, y + MARGIN)
    return picture.render()


def _columns(level: Blocks) -> list[str]:
    return [OUTSIDE, *level.instances]


def _pitch(level: Blocks) -> float:
    return max(text_width(name) for name in _columns(level)) + 2 * GAP


def _width(level: Blocks) -> float:
    return 2 * MARGIN + _pitch(level) * len(_columns(level))


def _rows(level: Blocks) -> list[tuple[str, str, list[str]]]:
    """(sender, bundle, receivers), by the order of the columns."""
    order = {name: i for i, name in enumerate(_columns(level))}
    receivers: dict[tuple[str, str], list[str]] = {}
    for sender, bundle, receiver in level.connections:
        receivers.setdefault((sender, bundle), []).append(receiver)
    merged: dict[tuple[str, tuple[str, ...]], list[str]] = {}  # numbered bundles of one sender share a row
    for (sender, bundle), ends in receivers.items():
        merged.setdefault((sender, tuple(sorted(ends, key=order.__getitem__))), []).append(bundle)
    return sorted(((sender, ", ".join(sorted(names)), list(ends)) for (sender, ends), names in merged.items()),
                  key=lambda row: (order[row[0]], [order[end] for end in row[2]], row[1]))


def _draw_level(picture: Svg, level: Blocks, rows: list[tuple[str, str, list[str]]], top: float) -> float:
    pitch, columns = _pitch(level), _columns(level)
    middle = {name: MARGIN + pitch * (i + 0.5) for i, name in enumerate(columns)}
    picture.text(MARGIN, top, level.name, kind="title")
    first = top + GAP / 2
    bottom = first + HEAD + GAP + ROW * len(rows)
    for name in columns:
        picture.path(f"M{middle[name]:.1f} {first + HEAD:.1f}V{bottom:.1f}", kind="rail")
        picture.box(middle[name] - pitch / 2 + 6, first, pitch - 12, HEAD, name,
                    "#f4f4f4" if name == OUTSIDE else "#e8eef5")
    y = first + HEAD + GAP
    for sender, label, receivers in rows:
        ends = [middle[name] for name in (sender, *receivers)]
        picture.path(f"M{min(ends):.1f} {y:.1f}H{max(ends):.1f}")
        picture.dot(middle[sender], y)
        for receiver in receivers:
            picture.arrowhead(middle[receiver], y, 1 if middle[receiver] > middle[sender] else -1, 0)
        if middle[receivers[0]] > middle[sender]:
            picture.text(middle[sender] + 6, y - 4, label)
        else:
            picture.text(middle[sender] - 6, y - 4, label, "end")
        y += ROW
    return bottom + GAP
