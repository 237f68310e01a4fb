"""The pins of boards: constraints of nextpnr read by line, and resources of amaranth-boards resolved to pins."""

import re

from amaranth.build import Clock, Pins, Subsignal


def read(text: str, suffix: str) -> dict[str, dict]:
    """Per port: site, standard (LPF only), MHz; every line of the text must be understood, and none said twice."""
    out: dict[str, dict] = {}
    kinds = {
        ".lpf": (r'LOCATE COMP "(?P<port>[\w[\]]+)" SITE "(?P<site>\w+)";',
                 r'IOBUF PORT "(?P<port>[\w[\]]+)" IO_TYPE=(?P<standard>\w+)(?: (?:PULLMODE|DRIVE|SLEWRATE)=\w+)*;',
                 r'FREQUENCY PORT "(?P<port>\w+)" (?P<mhz>[\d.]+) MHZ;'),
        ".pcf": (r"set_io (?:-pullup yes )?(?P<port>\w+) (?P<site>\w+)",
                 r"set_frequency (?P<port>[\w.]+) (?P<mhz>[\d.]+)"),
    }[suffix]
    for line in text.splitlines():
        line = line.split("#")[0].strip()
        if not line:
            continue
        found = next(filter(None, (re.fullmatch(kind, line) for kind in kinds)), None)
        assert found, line
        facts = found.groupdict()
        port = out.setdefault(facts.pop("port"), {})
        assert not set(facts) & set(port), f"said twice: {line}"
        port.update(facts)
    return out


def resolve(platform, wired) -> tuple[list[str], dict, Clock | None, bool]:
    """Pins, attributes, clock of a resource or of a connector's pin; whether it is inverted."""
    clock, attributes = None, {}
    if isinstance(wired, Pins):
        pins = wired
    else:
        resource = platform.lookup(*wired[:2])
        clock, attributes, ios = resource.clock, dict(resource.attrs), resource.ios
        if isinstance(ios[0], Subsignal):
            part = next(io for io in ios if io.name == wired[2])
            attributes.update(part.attrs)
            ios = part.ios
        pins, = ios
    return list(pins.map_names(platform._conn_pins, pins)), attributes, clock, pins.invert
