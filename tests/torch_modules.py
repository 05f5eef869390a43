"""Modules of PyTorch that are imported: what tests/vectors/make_torch.py stores, and
more."""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn


class Encoder(nn.Module):
    """Strides, groups, dilation, batch norm; a map that is flattened."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(2, 4, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(4)
        self.conv2 = nn.Conv2d(4, 6, (3, 2), padding=(1, 0), groups=2)
        self.conv3 = nn.Conv2d(6, 4, 2, padding="same", dilation=2)
        self.fc = nn.Linear(4 * 4 * 3, 6)

    def forward(self, x):
        h = F.relu(self.bn1(self.conv1(x)))
        h = F.hardtanh(self.conv2(h))
        h = h[:, :4] + F.relu6(self.conv3(h))
        return self.fc(torch.flatten(h, 1)).chunk(2, dim=1)


class Decoder(nn.Module):
    """A vector that is viewed as a map; transposed convolutions."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 6 * 2 * 3)
        self.up1 = nn.ConvTranspose2d(6, 4, 4, stride=2, padding=1)
        self.bn1 = nn.BatchNorm2d(4)
        self.up2 = nn.ConvTranspose2d(4, 2, 3, stride=2, padding=1, output_padding=1)

    def forward(self, z):
        h = F.relu(self.fc(z)).view(z.size(0), 6, 2, 3)
        return self.up2(F.relu(self.bn1(self.up1(h))))


class Wave(nn.Module):
    """Two inputs: a signal, and what is known besides."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(2, 3, 4, stride=2, padding=1)
        self.bn = nn.BatchNorm1d(3)
        self.fc = nn.Linear(3 * 5 + 2, 4)

    def forward(self, x, y):
        h = F.relu(self.bn(self.conv(x)))
        return self.fc(torch.cat([h.flatten(1), y], 1))


STORED = {
    "encoder": (Encoder, [(2, 8, 7)]),
    "decoder": (Decoder, [(3,)]),
    "wave": (Wave, [(2, 10), (2,)]),
}


def trained(module, seed):
    """The module with parameters and running statistics at random."""
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in module.state_dict().items():
        if tensor.is_floating_point():
            tensor.copy_(torch.randn(tensor.shape, generator=generator) / 2)
            if "var" in name:
                tensor.abs_().add_(0.5)
            tensor.copy_(tensor.half())  # which files hold
    return module.eval()
