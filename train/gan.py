"""The GAN's objective: a PatchGAN beside the generator, adversarial + 100 x L1 as in pix2pix."""

import torch
from accelerate import Accelerator
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

from restore.models import PatchGAN

L1_WEIGHT = 100.0


class Adversarial:
    """Updates the discriminator, then returns the generator's loss.

    What keeps it stable: spectral normalisation in the discriminator, real labels smoothed to 0.9,
    a generator that starts at the identity, and L1 outweighing the adversarial term.
    """

    def __init__(self, accelerator: Accelerator):
        self.accelerator = accelerator
        self.discriminator = PatchGAN().to(accelerator.device)
        self.optimizer = torch.optim.Adam(
            self.discriminator.parameters(), lr=2e-4, betas=(0.5, 0.999)
        )

    def __call__(self, distorted: Tensor, restored: Tensor, clear: Tensor) -> tuple[Tensor, dict]:
        """The generator's loss, and what to log; [B, 3, H, W] in [0, 1] each."""
        self.discriminator.requires_grad_(True)
        real = self.discriminator(distorted, clear)
        fake = self.discriminator(distorted, restored.detach())
        judged = cross_entropy(real, torch.full_like(real, 0.9)) + cross_entropy(
            fake, torch.zeros_like(fake)
        )
        self.optimizer.zero_grad()
        (judged / 2).backward()
        for parameter in self.discriminator.parameters():
            parameter.grad = self.accelerator.reduce(parameter.grad, "mean")
        self.optimizer.step()

        self.discriminator.requires_grad_(False)
        fake = self.discriminator(distorted, restored)
        l1 = (restored - clear).abs().mean()
        loss = cross_entropy(fake, torch.ones_like(fake)) + L1_WEIGHT * l1
        return loss, {
            "loss": l1.detach(),
            "generator_loss": loss.detach(),
            "discriminator_loss": judged.detach() / 2,
        }

    def state_dict(self) -> dict:
        return {
            "discriminator": self.discriminator.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }

    def load_state_dict(self, state: dict) -> None:
        self.discriminator.load_state_dict(state["discriminator"])
        self.optimizer.load_state_dict(state["optimizer"])
