"""Train two classifiers of scikit-learn's digits with PyTorch and write the `.onnx` files beside this one.

    python cocotb_tests/kit/pytorch/export.py        (in an environment with torch, torchao, onnxscript, scikit-learn)

Both of PyTorch's exporters write each network: the one of `torch.export`, with its data in a second file and any
number of samples, and the older one of TorchScript. A third file is quantised by PyTorch itself (PT2E). The tests read
the files, so that they need no PyTorch. Those here are from torch 2.14.1 and torchao 0.18.0.
"""

import sys
from pathlib import Path

import onnx
import torch
from sklearn.datasets import load_digits
from torch import nn
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
from torchao.testing.pt2e._xnnpack_quantizer import XNNPACKQuantizer, get_symmetric_quantization_config

SEED, EPOCHS = 1, 300

NETWORKS = {
    "mlp": lambda: nn.Sequential(
        nn.Flatten(), nn.Linear(64, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 24), nn.ReLU6(),
        nn.Linear(24, 10)),
    "cnn": lambda: nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.ReLU6(), nn.Conv2d(8, 16, 1), nn.ReLU(), nn.AvgPool2d(2),
        nn.Flatten(), nn.Linear(64, 10)),
}


def trained(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> nn.Module:
    """The model after `EPOCHS` steps over all pictures, and the share of these that it classifies rightly."""
    optimiser = torch.optim.Adam(model.parameters(), 0.01)
    for _ in range(EPOCHS):
        optimiser.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimiser.step()
    model.eval()
    print(f"{(model(x).argmax(1) == y).float().mean().item():.3f}", file=sys.stderr)
    return model


def quantised(model: nn.Module, x: torch.Tensor) -> nn.Module:
    """The model in int8, a scale for each output channel; ranges are taken from samples x."""
    quantizer = XNNPACKQuantizer().set_global(get_symmetric_quantization_config(is_per_channel=True))
    prepared = prepare_pt2e(torch.export.export(model, (x[:1],)).module(), quantizer)
    for sample in x[:400]:
        prepared(sample[None])
    return convert_pt2e(prepared)


def strip(path: Path) -> None:
    """Leave out of a file what it says about lines of source and folders of the machine that wrote it."""
    model = onnx.load(path, load_external_data=False)
    for each in (model, model.graph, *model.graph.node, *model.graph.value_info, *model.graph.input,
                 *model.graph.output, *model.graph.initializer):
        each.ClearField("metadata_props")
        each.ClearField("doc_string")
    onnx.save(model, path)


def main() -> None:
    """Train and write all networks."""
    torch.set_num_threads(1)
    digits = load_digits()
    x, y = torch.tensor(digits.images[:, None] / 16).float(), torch.tensor(digits.target)
    for name, make in NETWORKS.items():
        torch.manual_seed(SEED)
        model = trained(make(), x, y)
        path = str(Path(__file__).with_name(name))
        torch.onnx.export(model, (x[:1],), f"{path}-torchscript.onnx", dynamo=False)
        torch.onnx.export(model, (x[:2],), f"{path}-dynamo.onnx", input_names=["picture"],
                          dynamic_shapes=({0: torch.export.Dim("batch")},))
        torch.onnx.export(quantised(model, x), (x[:1],), f"{path}-int8.onnx", input_names=["picture"])
    for path in Path(__file__).parent.glob("*.onnx"):
        strip(path)


if __name__ == "__main__":
    main()
