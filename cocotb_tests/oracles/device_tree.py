"""A reader of the source of device trees, as far as overlays of ours go; what it does not know is an error."""

import re

_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_TOKEN = re.compile(r"""
    \s*(?: (?P<begin> (?:(?P<label>\w+):\s*)? (?P<node>&\{/\} | [\w,.+-]+(?:@[0-9a-f]+)?) \s*\{)
        | (?P<end> \};)
        | (?P<name> [\w,.#+?-]+) (?:\s*=\s* (?P<value> [^;{}]+?))? \s*;
        | (?P<version> /dts-v1/; | /plugin/;) )""", re.VERBOSE)
_CELLS = r"<(?:\s*(?:0x[0-9a-f]+|\d+|&\w+))+\s*>"
_VALUE = re.compile(rf"""(?:"[^"]*"|(?:/bits/ 64 )?{_CELLS})(?:,\s*(?:"[^"]*"|{_CELLS}))*""")
#: Labels that a base tree has.
_KNOWN = {"gic"}


def parsed(text: str) -> dict[str, dict[str, str]]:
    """Properties as they are written of each node, by the node's label, or name without unit address.

    Raises
    ------
    ValueError
        If something cannot be read, nodes do not end, or a reference has no label.
    """
    text, at, nodes, within, used = _COMMENT.sub("", text), 0, {}, [], set()
    while text[at:].strip():
        token = _TOKEN.match(text, at)
        if token is None:
            raise ValueError(f"device tree: cannot be read at {text[at:at + 40]!r}")
        at = token.end()
        if token["begin"]:
            within.append(nodes.setdefault(token["label"] or token["node"].split("@")[0], {}))
        elif token["end"]:
            if not within:
                raise ValueError("device tree: a node ends that did not begin")
            within.pop()
        elif token["name"]:
            value = token["value"]
            if not within or (value is not None and not _VALUE.fullmatch(value)):
                raise ValueError(f"device tree: {token['name']} = {value}")
            within[-1][token["name"]] = value or ""
            used |= set(re.findall(r"&(\w+)", value or ""))
    if within or used - set(nodes) - _KNOWN:
        raise ValueError(f"device tree: {len(within)} nodes do not end; references without label: {used - set(nodes)}")
    return nodes


def addresses(cells: str) -> tuple[int, int]:
    """Address and size, of two cells each."""
    high, low, size_high, size_low = (int(cell, 0) for cell in cells.strip("<>").split())
    return high << 32 | low, size_high << 32 | size_low
