import subprocess
import sys

import pytest

import fer_core


@pytest.mark.parametrize("name", fer_core.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(fer_core, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = fer_core.nonsense


def test_the_package_alone_loads_no_decoder_and_no_model() -> None:
    heavy = ("cv2", "av", "scipy", "PIL", "ai_edge_litert", "tensorflow")
    code = f"import sys, fer_core; print([m for m in {heavy!r} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
