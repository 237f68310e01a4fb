"""The networks of the reference's experiments as lists of GEMM layers (m, k, n)."""

from ..timing.interface import Shape


def transformer(batch: int, sequence: int, width: int, heads: int, ratio: int, blocks: int) -> tuple[Shape, ...]:
    """Transformer blocks of `batch` sequences: QKV, per head Q K^T, per head times V, projection, two MLP layers."""
    rows = batch * sequence
    head = width // heads
    block = [
        (rows, width, 3 * width),
        *[(rows, head, sequence)] * heads,
        *[(rows, sequence, head)] * heads,
        (rows, width, width),
        (rows, width, ratio * width),
        (rows, ratio * width, width),
    ]
    return tuple(block * blocks)


#: Name -> layers. The last five are the "real models" of figure 11c.
WORKLOADS: dict[str, tuple[Shape, ...]] = {
    "mlp1": ((1024, 8192, 1024),) * 2,
    "mlp2": ((2048, 128, 2048),) * 2,
    "wcet": ((6144, 512, 4096),) * 2,
    "deit-t": transformer(6, 196, 192, 3, 4, 12),
    "bert-tiny": transformer(6, 512, 128, 2, 4, 2),
    "bert-mini": transformer(6, 512, 256, 4, 4, 4),
    "mlp-mixer": ((512, 196, 256), (512, 256, 196), (196, 512, 2048), (196, 2048, 512)) * 8,
    "pointnet": (
        (64, 3, 1024), (64, 64, 1024), (64, 64, 1024), (128, 64, 1024), (1024, 128, 1024), (1024, 1024, 1),
        (512, 1024, 1), (256, 512, 1), (40, 256, 1),
    ),
}
#: The networks of figure 11c.
REAL_MODELS = ("deit-t", "bert-tiny", "bert-mini", "mlp-mixer", "pointnet")
