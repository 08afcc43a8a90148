from __future__ import annotations

import re
from pathlib import Path
from textwrap import indent

README = Path(__file__).parents[2] / "runtime" / "README.md"


def test_every_proof_in_the_readme_is_a_test() -> None:
    """Every test that a table names exists."""
    named = re.findall(r"`(test_\w+\.py)::(\w+)`", README.read_text())
    assert len(named) > 60
    for file, test in named:
        source = (Path(__file__).parent / file).read_text()
        assert re.search(rf"^(async )?def {test}\(|^{test} = ", source, re.MULTILINE), f"{file}::{test}"


async def test_the_example_in_the_readme_runs() -> None:
    """As it stands there."""
    (example,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    definitions, block = example.split("async with ")
    names: dict[str, object] = {}
    exec("from dataclasses import dataclass\nfrom runtime import *\n" + definitions, names)
    exec("async def main():\n" + indent("async with " + block, "    "), names)
    main = names["main"]
    assert callable(main)
    await main()
