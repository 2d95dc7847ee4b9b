"""Makes the figures that the TypeScript tests are held against: PyTorch, numpy, scikit-learn.

    python test/oracle/make.py signals history weights noise
    python test/oracle/make.py tokens logits gradients attributions --model models/default
    python test/oracle/make.py signals history weights noise tokens logits gradients --check

Each name writes NAME.json beside this file. With `--check` nothing is written: each fixture is made
again and compared with the committed one, numbers to a relative 1e-9 (logits to 1e-5, gradients to
1e-7, attributions to 1e-6), and the exit status is 1 if one differs. The attributions take three
minutes, the gradients one, the others seconds.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
TOLERANCES = {
    "signals": 1e-9,
    "history": 1e-9,
    "weights": 1e-9,
    "noise": 1e-9,
    "tokens": 0.0,
    "logits": 1e-5,
    "gradients": 1e-7,
    "attributions": 1e-6,
}


def main(arguments: list[str] | None = None) -> int:
    """Writes or checks the fixtures named on the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("fixtures", nargs="+", choices=sorted(TOLERANCES))
    parser.add_argument("--model", type=Path, default=HERE.parents[1] / "models" / "default")
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    options = parser.parse_args(arguments)
    failed = False
    for name in options.fixtures:
        content = {"made_by": "test/oracle/make.py", **_make(name, options.model)}
        path = HERE / f"{name}.json"
        if not options.check:
            path.write_text(_dump(content), encoding="utf-8")
            print(f"{path.name}: {len(content['cases'])} cases")
            continue
        committed = json.loads(path.read_text(encoding="utf-8"))
        made = json.loads(_dump(content))
        difference = _first_difference(committed, made, TOLERANCES[name])
        print(f"{path.name}: {difference or 'same'}")
        failed = failed or difference is not None
    return int(failed)


def _make(name: str, model: Path) -> dict[str, Any]:
    # Imported here so that the first four need no transformers and no model folder.
    if name == "signals":
        from signals import make_signals

        return {"cases": make_signals()}
    if name == "history":
        from history import make_history

        return {"cases": make_history()}
    if name == "weights":
        from weights import make_weights

        return {"cases": make_weights()}
    if name == "noise":
        from noise import make_noise

        return {"cases": make_noise()}
    if name == "tokens":
        from tokens import make_tokens

        return make_tokens(model)
    if name == "gradients":
        from gradients import make_gradients

        return make_gradients(model)
    if name == "attributions":
        from attributions import make_attributions

        return make_attributions(model)
    from logits import make_logits

    return make_logits(model)


def _dump(content: dict[str, Any]) -> str:
    """JSON with one case a line, so that a change reads well in a diff."""
    head = [
        f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=True)},\n"
        for key, value in content.items()
        if key != "cases"
    ]
    cases = ",\n".join(json.dumps(case, ensure_ascii=True) for case in content["cases"])
    return "{" + "".join(head) + '"cases": [\n' + cases + "\n]}\n"


def _first_difference(old: Any, new: Any, tolerance: float, place: str = "$") -> str | None:
    if isinstance(old, dict) and isinstance(new, dict):
        if old.keys() != new.keys():
            return f"{place}: keys {sorted(old)} became {sorted(new)}"
        pairs = [(old[key], new[key], f"{place}.{key}") for key in old]
    elif isinstance(old, list) and isinstance(new, list):
        if len(old) != len(new):
            return f"{place}: length {len(old)} became {len(new)}"
        pairs = [(a, b, f"{place}[{i}]") for i, (a, b) in enumerate(zip(old, new, strict=True))]
    elif isinstance(old, float) and isinstance(new, (float, int)):
        close = math.isclose(old, new, rel_tol=tolerance)
        return None if close else f"{place}: {old} became {new}"
    else:
        return None if old == new else f"{place}: {old!r} became {new!r}"
    for a, b, where in pairs:
        difference = _first_difference(a, b, tolerance, where)
        if difference is not None:
            return difference
    return None


if __name__ == "__main__":
    sys.exit(main())
