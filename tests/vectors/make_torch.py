"""Write torch_v1.npz beside this file: modules of tests/torch_modules.py with weights
at random as state_dicts, inputs, and what PyTorch makes of them, in float64.

    PYTHONPATH=tests python tests/vectors/make_torch.py

Names are "encoder/conv1.weight" for the state, "encoder/input 0", "encoder/output 0".
"""

from pathlib import Path

import numpy as np
import torch
import torch_modules

PATH = Path(__file__).with_name("torch_v1.npz")


def main():
    arrays = {}
    for name, (module, shapes) in torch_modules.STORED.items():
        model = torch_modules.trained(module(), seed=len(name))
        generator = torch.Generator().manual_seed(7)
        given = [
            torch.randn((2, *shape), generator=generator).half().float()
            for shape in shapes
        ]
        state = {
            key: x.half().numpy()
            for key, x in model.state_dict().items()
            if x.is_floating_point()
        }
        with torch.no_grad():
            made = model.double()(*(x.double() for x in given))
        outputs = made if isinstance(made, tuple) else (made,)
        state |= {f"input {i}": x.half().numpy() for i, x in enumerate(given)}
        state |= {f"output {i}": x.float().numpy() for i, x in enumerate(outputs)}
        arrays |= {f"{name}/{key}": x for key, x in state.items()}
    np.savez_compressed(PATH, **arrays)
    print(f"{PATH}: {PATH.stat().st_size} bytes")


if __name__ == "__main__":
    main()
