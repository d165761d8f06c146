"""BatchNorm over the batch of all processes together."""

import torch
import torch.distributed as dist
from torch import Tensor, nn


class _Sum(torch.autograd.Function):
    """The sum over all processes, and so is its gradient."""

    @staticmethod
    def forward(_, x: Tensor) -> Tensor:
        total = x.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(_, gradient: Tensor) -> Tensor:
        return _Sum.forward(_, gradient)


class SharedBatchNorm2d(nn.BatchNorm2d):
    """What nn.SyncBatchNorm is on GPUs, for processes on CPUs, which it refuses."""

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> the same; B is this process's share, of the same size in all."""
        if not self.training:
            return super().forward(x)
        world, precision = dist.get_world_size(), x.dtype
        x = x.float()  # statistics in bf16 would be those of other numbers
        mean = _Sum.apply(x.mean((0, 2, 3))) / world
        centred = x - mean[:, None, None]
        variance = _Sum.apply(centred.square().mean((0, 2, 3))) / world
        with torch.no_grad():
            count = world * x.numel() / x.shape[1]
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * count / (count - 1), self.momentum)
            self.num_batches_tracked += 1
        scale = self.weight * (variance + self.eps).rsqrt()
        return (centred * scale[:, None, None] + self.bias[:, None, None]).to(precision)


def synchronise(model: nn.Module, world: int, device: torch.device) -> nn.Module:
    """The model with its BatchNorms over all processes; its tensors and their names stay."""
    if world == 1:
        return model
    if device.type == "cuda":
        return nn.SyncBatchNorm.convert_sync_batchnorm(model)
    for module in model.modules():
        if type(module) is nn.BatchNorm2d:
            module.__class__ = SharedBatchNorm2d
    return model
