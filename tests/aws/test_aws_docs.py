"""What docs/aws.md claims to be proven is a test that exists."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_test_the_documentation_names_exists():
    pages = [ROOT / "docs" / name for name in ("aws.md", "recovery.md")]
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    code = "\n".join(p.read_text(encoding="utf-8") for p in (ROOT / "tests").rglob("test_*.py"))
    named = set(re.findall(r"`(test_[a-z_0-9]+)`", text))
    assert len(named) > 30
    assert [name for name in sorted(named) if f"def {name}(" not in code] == []
    paths = re.findall(r"`((?:tests|cityverse)/[a-z_/.]+)`", text)
    assert [path for path in paths if not (ROOT / path).exists()] == []
