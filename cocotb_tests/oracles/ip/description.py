"""A `component.xml` and the ports that Yosys sees in the Verilog, in the same words."""

import json
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from derca_flow.tools import toolchain
from oracles.ip.rules import SPIRIT


class Component:
    """The content of a `component.xml`."""

    def __init__(self, text: str):
        self.root = ElementTree.fromstring(text)
        self.interfaces = {self._text(i, "name"): i for i in self.root.iter(f"{SPIRIT}busInterface")}

    def _text(self, element, path: str) -> str | None:
        return element.findtext("/".join(SPIRIT + step for step in path.split("/")))

    def texts(self, path: str) -> list[str]:
        """Text of all elements at a path below the root."""
        return [e.text for e in self.root.findall("/".join(SPIRIT + step for step in path.split("/")))]

    def ports(self) -> dict[str, tuple[str, int]]:
        """Direction and width by name."""
        out = {}
        for port in self.root.iter(f"{SPIRIT}port"):
            left = self._text(port, "wire/vector/left")
            assert left is None or self._text(port, "wire/vector/right") == "0"
            out[self._text(port, "name")] = (self._text(port, "wire/direction"), int(left or 0) + 1)
        return out

    def maps(self, interface: str) -> dict[str, str]:
        """Physical port by logical port."""
        return {self._text(m, "logicalPort/name"): self._text(m, "physicalPort/name")
                for m in self.interfaces[interface].iter(f"{SPIRIT}portMap")}

    def parameters(self, interface: str) -> dict[str, str]:
        """Parameters of an interface."""
        return {self._text(p, "name"): self._text(p, "value")
                for p in self.interfaces[interface].iter(f"{SPIRIT}parameter")}

    def type_and_mode(self, interface: str) -> tuple[str, str]:
        """Bus type as vendor:library:name:version, and the mode; the abstraction has to fit."""
        element = self.interfaces[interface]
        kind, abstraction = ([element.find(SPIRIT + tag).get(SPIRIT + key)
                              for key in ("vendor", "library", "name", "version")]
                             for tag in ("busType", "abstractionType"))
        assert abstraction == [*kind[:2], f"{kind[2]}_rtl", kind[3]]
        modes = [mode for mode in ("master", "slave") if element.find(SPIRIT + mode) is not None]
        assert len(modes) == 1
        return ":".join(kind), modes[0]


def netlist(verilog: Path, top: str) -> dict:
    """The top module as Yosys reads it."""
    script = f"read_verilog -lib {verilog.name}; setattr -mod -unset blackbox ={top}; write_json"
    return json.loads(yosys(verilog, script))["modules"][top]


def yosys(verilog: Path, script: str) -> str:
    """The output of Yosys for a script, run in the folder of a file."""
    done = subprocess.run([*toolchain.command("yosys"), "-q", "-p", script], cwd=verilog.parent, check=True,
                          stdout=subprocess.PIPE, text=True)
    return done.stdout


def differences(component: Component, module: dict) -> list[str]:
    """Where the description and the Verilog differ: ports, and the attributes of the ports."""
    theirs = {name: ({"input": "in", "output": "out"}[p["direction"]], len(p["bits"]))
              for name, p in module["ports"].items()}
    ours = component.ports()
    out = [f"{name}: {ours.get(name)} in the description, {theirs.get(name)} in the Verilog"
           for name in sorted(ours | theirs) if ours.get(name) != theirs.get(name)]
    for name in module["ports"]:
        attributes = module["netnames"][name]["attributes"]
        declared = attributes.get("X_INTERFACE_INFO")
        mapped = [f"{component.type_and_mode(i)[0]} {i} {logical}" for i in component.interfaces
                  for logical, physical in component.maps(i).items() if physical == name]
        if mapped != ([declared] if declared else []):
            out.append(f"{name}: mapped to {mapped}, declared as {declared}")
        if "X_INTERFACE_PARAMETER" in attributes:
            interface = declared.split()[1]
            first, *pairs = attributes["X_INTERFACE_PARAMETER"].split(", ")
            said = dict(pair.split(" ") for pair in pairs)
            if first != f"XIL_INTERFACENAME {interface}" or said != component.parameters(interface):
                out.append(f"{interface}: parameters {component.parameters(interface)}, declared {said}")
            if attributes["X_INTERFACE_MODE"] != component.type_and_mode(interface)[1]:
                out.append(f"{interface}: mode")
    return out
