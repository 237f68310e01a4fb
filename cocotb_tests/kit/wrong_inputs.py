"""Wrong command lines and damaged files, one of every kind, with the files that they need."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

LAYERS = "layers = [{ m = 4, k = 8, n = 8 }]"
PLATFORM = ('platform = { name = "small", tile = { m = 4, k = 16, n = 8 }, array = { rows = 2, cols = 2 }, '
            'bus = { data_width = 32 }, scheduler = { tasks = 4 }, store = { requant_lanes = 1 }, '
            'tables = { layers = 16, entries = 512, regions = 16 }, trace = { depth = 4 } }')


def taskset(network: str = LAYERS, task: str = "period = 5000", head: str = PLATFORM, name: str = '"t"') -> bytes:
    """A task set of one task, which is fine unless something is given."""
    return (f'name = {name}\n{head}\nhorizon = 20000\n[[network]]\nname = "n"\n{network}\n'
            f'[[task]]\nname = "a"\nnetwork = "n"\n{task}\n').encode()


def npz(compressed: bool = False, **changes) -> bytes:
    """A network of one layer, 16 to 8, with arrays changed, or left out where None."""
    arrays = {"weights_0": np.ones((16, 8), np.int8), "bias_0": np.zeros(8, np.int32),
              "multiplier": np.array([1 << 30]), "shift": np.array([36]), "zero_point": np.array([0]),
              "relu": np.array([False]), "metadata": np.array(json.dumps({"test_set": "set.npz"})), **changes}
    out = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(out, **{k: v for k, v in arrays.items() if v is not None})
    return out.getvalue()


def archive(content: bytes, **options) -> bytes:
    """A ZIP archive with `weights_0.npy`."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", **options) as z:
        z.writestr("weights_0.npy", content)
    return out.getvalue()


def flipped(data: bytes, first: int, last: int) -> bytes:
    """Data with some of its bytes damaged."""
    return data[:first] + bytes(b ^ 0x5A for b in data[first:last]) + data[last:]


def patched(data: bytes, offset: int, value: int, size: int) -> bytes:
    """A ZIP archive with a field changed at an offset of each of its local and central headers."""
    out = bytearray(data)
    for magic, at in ((b"PK\x03\x04", offset), (b"PK\x01\x02", offset + 2)):
        where = data.find(magic)
        out[where + at:where + at + size] = value.to_bytes(size, "little")
    return bytes(out)


def header(shape: str) -> bytes:
    """The beginning of a `.npy` file that promises a shape."""
    out = io.BytesIO()
    np.lib.format.write_array_header_1_0(out, {"descr": "|i1", "fortran_order": False, "shape": eval(shape)})
    return out.getvalue()


def images(**changes) -> bytes:
    """A test set of ten inputs of 16, with arrays changed, or left out where None."""
    out = io.BytesIO()
    arrays = {"images": np.zeros((10, 16), np.int8), "labels": np.zeros(10, np.int64), **changes}
    np.savez(out, **{k: v for k, v in arrays.items() if v is not None})
    return out.getvalue()


#: Command lines that are wrong whatever the files.
COMMANDS = {
    "a command with a typing mistake": "analyse good.toml",
    "an unknown command": "frobnicate",
    "an unknown measurement": "bench simulatoin",
    "an option with a typing mistake": "run good.toml --pipelin lockstep",
    "an unknown option": "run good.toml --xyzzy 1",
    "no task set": "run",
    "too many arguments": "run good.toml more and more",
    "an option without its value": "simulate good.toml --seed",
    "a required option missing": "build",
    "words for a number": "run good.toml --horizon many",
    "a number too small": "simulate good.toml --runs -1",
    "a choice that is none": "generate --target xilinx -o out",
    "a family that is none": "report --target xilinx",
    "a figure that is none": "reproduce fig9",
    "a scheduler that is none": "run good.toml --scheduler rm",
    "a policy that is none": "analyze good.toml --policy rate_monotonic",
    "a policy that orders jobs by work that no task has": "run good.toml --policy least_slack",
    "a policy for hardware without tasks": "generate --policy dm -o out/hw",
    "a job release and a pipeline that are none": "simulate good.toml --release often --pipeline none",
    "a strategy that is none": "run good.toml --strategy best",
    "a strategy that the analysis has not": "analyze good.toml --strategy best",
    "points at no interval": "analyze good.toml --every 0",
    "a horizon of nothing": "run good.toml --horizon 0",
    "a horizon beyond the counters": "simulate good.toml --horizon 9999999999",
    "negative jitter": "run good.toml --jitter -1",
    "stalls without jitter": "run good.toml --stall 0.2",
    "stalls always": "run good.toml --jitter 1 --stall 1",
    "a seed of zero": "run good.toml --seed 0",
    "a board of another command": "build --board zcu104",
    "a board of another command, ip": "ip --board icebreaker -o out",
    "a board of another command, host": "host good.toml --board vck190 --sim",
    "a board with a typing mistake": "ip --board zcu10 -o out",
    "a board that a report does not know": "report --board basys3",
    "a device that is none": "report --device xc7",
    "neither port nor simulation": "host good.toml --board icebreaker",
    "a netlist without simulation": "host good.toml --board icebreaker --port p --netlist",
    "a step that cannot be left out": "build --board icebreaker --skip pack",
    "a task set and a platform": "generate good.toml --platform p.toml -o out",
    "a table format that is none": "report --target ecp5 -o table.xls",
    "a report of nothing": "report",
    "two tables at once": "report --target ecp5 --fmax --growth tasks",
    "a target against its device": "report --target ecp5 --device up5k",
    "a report of an absent platform": "report --platform nope.toml",
    "an address that is no number": "ip --board vck190 --base here -o out",
    "an address amid a window": "ip --board vck190 --base 0x12345 -o out",
    "a cluster without its engine": "reproduce fig11a --dask tcp://h:1",
    "a reason for nothing": "bench history --because why",
    "a measurement of no cycles": "bench simulation good.toml --cycles 0",
    "an output that is an input": "analyze good.toml -o good.toml",
    "an output that holds something else": "analyze good.toml -o letter.txt",
    "an output that is a folder": "analyze good.toml -o folder",
    "an output below a file": "analyze good.toml -o letter.txt/out.json",
    "a waveform over an input": "run good.toml --vcd good.toml",
    "a waveform over something else": "run good.toml --vcd letter.txt",
    "a folder of results that is a file": "simulate good.toml -o letter.txt",
}

#: Task sets: what is wrong -> content, or None for an absent one.
TASKSETS = {
    "absent": None,
    "empty": b"",
    "cut short": taskset()[:90],
    "not UTF-8": taskset().replace(b'"t"', b'"\xff"'),
    "with a byte-order mark": b"\xef\xbb\xbf" + taskset(),
    "in UTF-16": taskset().decode().encode("utf-16"),
    "full of zeros": bytes(100),
    "with a whole number of 5000 digits": taskset(task="period = " + "9" * 5000),
    "with a hexadecimal number of 5000 digits": taskset(task="period = 0x" + "f" * 5000),
    "with lists in lists": taskset(task="period = 5000\nx = " + "[" * 3000 + "]" * 3000),
    "with lists 40 deep": taskset(task="period = 5000\nx = " + "[" * 40 + "]" * 40),
    "with tables in tables": taskset() + b"[" + b".".join([b"a"] * 2000) + b"]\nb = 1\n",
    "with a zero in a path": taskset(head='platform = "a\\u0000b.toml"'),
    "that is a platform": b'name = "p"\n[array]\nrows = 8\n',
    "that is something else": b"[project]\nname = 'x'\nversion = '1'\n[tool]\nx = 1\n",
    "that is a network": npz(),
    "that is a picture": b"\x89PNG\r\n\x1a\n" + bytes(range(256)),
    "with an unknown key": taskset(task="perid = 5000\nperiod = 5000"),
    "without the network of a task": taskset().replace(b'network = "n"\n', b""),
    "without a period": taskset(task=""),
    "with a period in quotes": taskset(task='period = "5000"'),
    "with a period that is a date": taskset(task="period = 2026-01-01"),
    "with a period that is no number": taskset(task="period = nan"),
    "with a name of two words": taskset(name='"my set"'),
    "with a name that is not ASCII": taskset(name='"größe"'),
    "with a name that is too long": taskset(name='"' + "x" * 50 + '"'),
    "with a network that is none": taskset().replace(b'network = "n"', b'network = "m"'),
    "with a deadline beyond the period": taskset(task="period = 5000\ndeadline = 6000"),
    "with a task that is a table": taskset().partition(b"[[task]]")[0] + b"[task]\nname = 'a'\n",
    "with layers and a file": taskset(LAYERS + '\nfile = "x.npz"'),
    "with a layer of nothing": taskset("layers = []"),
    "on an absent platform": taskset(head='platform = "nope.toml"'),
    "on a platform that is itself": taskset(head='platform = "good.toml"'),
    "on a folder": taskset(head='platform = "folder"'),
    "on a platform out of range": taskset(head="platform = { array = { rows = 99 }, bus = { data_width = 33 } }"),
    "on a platform that does not fit together": taskset(head="platform = { tile = { m = 12, k = 33 } }"),
}

#: Networks: what is wrong -> name and content.
NETWORKS = {
    "absent": ("nope.npz", None),
    "in ONNX": ("net.onnx", b"\x08\x07\x12\x07pytorch\x1a\x052.0.0:\xd4"),
    "in TensorFlow Lite": ("net.tflite", b"\x1c\x00\x00\x00TFL3" + bytes(40)),
    "of PyTorch": ("net.pt", b"\x80\x02}q\x00."),
    "empty": ("empty.npz", b""),
    "of words": ("words.npz", b"these are no weights"),
    "a single array": ("one.npy", npz()[:0] + header("(16, 8)") + bytes(128)),
    "a JSON file": ("net.json", b'{"weights_0": [[1, 2]]}'),
    "cut short": ("cut.npz", npz()[:700]),
    "with damaged data": ("zlib.npz", flipped(npz(True), 60, 140)),
    "with a damaged directory": ("directory.npz", flipped(npz(), -200, -100)),
    "with a damaged header": ("header.npz", archive(
        b"\x93NUMPY\x01\x00v\x00{'descr': '|i1', 'fortran_order': False, 'shape': (16, 8), " + b" " * 60 + b"\n")),
    "that promises terabytes": ("memory.npz", archive(header("(1 << 40, 8)"))),
    "that unpacks to terabytes": ("bomb.npz", patched(archive(header("(16, 8)")), 22, 0xFFFFFFF0, 4)),
    "that is encrypted": ("secret.npz", patched(archive(header("(16, 8)") + bytes(128)), 6, 1, 2)),
    "compressed in an unknown way": ("method.npz", patched(archive(header("(16, 8)") + bytes(128)), 8, 77, 2)),
    "with pickled objects": ("pickle.npz", npz(weights_0=np.array([[None]]))),
    "without weights": ("none.npz", npz(weights_0=None)),
    "with weights of a wrong type": ("float.npz", npz(weights_0=np.ones((16, 8)))),
    "with weights of other byte order": ("order.npz", npz(bias_0=np.zeros(8, ">i4"))),
    "without a bias": ("bias.npz", npz(bias_0=None)),
    "with a shift too large": ("shift.npz", npz(shift=np.array([63]))),
    "with an unknown array": ("unknown.npz", npz(wieghts_1=np.zeros(1))),
    "with damaged metadata": ("metadata.npz", npz(metadata=np.array("{"))),
    "with metadata in lists in lists": ("deep.npz", npz(metadata=np.array("[" * 5000))),
    "with a test set that is absent": ("lost.npz", npz(metadata=np.array('{"test_set": "nope.npz"}'))),
    "with a zero in the path of its test set": ("zero.npz", npz(metadata=np.array('{"test_set": "a\\u0000b"}'))),
    "with a damaged test set": ("torn.npz", npz(metadata=np.array('{"test_set": "torn-set.npz"}'))),
    "with images of another size": ("size.npz", npz(metadata=np.array('{"test_set": "wide.npz"}'))),
    "with labels of a wrong type": ("label.npz", npz(metadata=np.array('{"test_set": "labels.npz"}'))),
}

#: Other files: what is wrong -> command line.
OTHERS = {
    "more inputs than the test set has": "analyze batch.toml",
    "an input of no test set": "analyze first.toml",
    "a results file of words": "bench history --results letter.txt",
    "a results file of something else": "bench history --results other.jsonl",
    "a results file with damaged figures": "bench history --results figures.jsonl",
    "a results file of bytes": "bench history --results bytes.jsonl",
    "a platform that is a task set": "generate --platform good.toml -o out",
    "a platform that is something else": "generate --platform else.toml -o out",
    "a platform of bytes": "ip --board vck190 --platform bytes.jsonl -o out",
    "a platform that is a board": "generate --platform board.toml -o out",
    "a platform of another clock": "host good.toml --board icebreaker --platform clock.toml --sim",
    "a board that is a task set": "build --board good.toml",
    "a board file that is absent": "host good.toml --board absent.toml --sim",
    "a board file with an unknown device": "build --board board.toml",
    "a bitstream that is loaded and not made": "build --board icebreaker --load",
    "a sweep of something else": "reproduce table2 -o letter.txt",
}

_RESULTS = {"date": "2026-01-01", "commit": "x", "tools": {}, "resources": {}, "cycles": {"demo": 3}}

FILES = {
    "good.toml": taskset(),
    "letter.txt": "Dear reader, ünïcode\n".encode(),
    "set.npz": images(),
    "wide.npz": images(images=np.zeros((10, 17), np.int8)),
    "labels.npz": images(labels=np.zeros(10, np.float32)),
    "torn-set.npz": images()[:500],
    "plain.npz": npz(metadata=None),
    "full.npz": npz(),
    "batch.toml": taskset('file = "full.npz"\nbatch = 20'),
    "first.toml": taskset('file = "plain.npz"\nfirst = 3'),
    "else.toml": TASKSETS["that is something else"],
    "clock.toml": b'name = "c"\nclock_mhz = 10.0\n',
    "board.toml": b'name = "b"\ntitle = "b"\nplatform = "icebreaker"\n[device]\nname = "up6k"\n[clock]\nmhz = 12\n',
    "other.jsonl": b'{"a": 1}\n',
    "figures.jsonl": json.dumps(_RESULTS).encode() + b"\n",
    "bytes.jsonl": bytes(range(128, 256)),
}


def write_files(folder: Path) -> dict[str, list[str]]:
    """Write all files into a folder; the cases: name -> arguments, to be called there."""
    cases = {name: command.split() for name, command in (*COMMANDS.items(), *OTHERS.items())}
    (folder / "folder").mkdir()
    for name, content in FILES.items():
        (folder / name).write_bytes(content)

    def case(name: str, file: str, content: bytes | None) -> None:
        if content is not None:
            (folder / file).write_bytes(content)
        cases[name] = ["analyze", file]

    for number, (name, content) in enumerate(TASKSETS.items()):
        case(f"a task set {name}", f"set-{number}.toml", content)
    for name, (file, content) in NETWORKS.items():
        if content is not None:
            (folder / file).write_bytes(content)
        case(f"a network {name}", f"{file}.toml", taskset(f'file = "{file}"'))
    return cases


def answer(run: Callable, arguments: list[str]) -> str:
    """A command line, its exit code and its output, as text."""
    result = run(arguments)
    return "\n".join([f"$ derca {' '.join(arguments)}", f"exit {result.exit_code}", result.output.rstrip(), ""])
