"""What a run writes about itself: history.csv and TensorBoard, a row per validation."""

import csv
from pathlib import Path


class Log:
    """The rows of a run so far; only the main process writes them down."""

    def __init__(self, folder: Path, history: list[dict], writes: bool):
        self.folder, self.history, self.board = folder, history, None
        if writes:
            from torch.utils.tensorboard import SummaryWriter

            # Rows that a killed run wrote after its last checkpoint will come again.
            self.board = SummaryWriter(folder / "tensorboard", purge_step=self.images + 1)

    @property
    def step(self) -> int:
        """Steps that are done."""
        return self.history[-1]["step"] if self.history else 0

    @property
    def images(self) -> int:
        """Tiles that were seen."""
        return self.history[-1]["images"] if self.history else 0

    @property
    def best(self) -> dict:
        """The row with the highest PSNR in validation."""
        return max(self.history, key=lambda row: row["val_psnr"])

    def add(self, row: dict) -> None:
        """Take in a row and write it. Raises OSError."""
        self.history.append(row)
        if not self.board:
            return
        for key, value in row.items():
            if key not in ("step", "images"):
                self.board.add_scalar(key, value, row["images"])
        self.board.flush()
        partial = self.folder / "history.csv.part"
        with partial.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(row), extrasaction="ignore")
            writer.writeheader()
            writer.writerows(self.history)
        partial.replace(self.folder / "history.csv")

    def close(self) -> None:
        if self.board:
            self.board.close()
