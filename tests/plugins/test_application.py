"""The application source's configuration."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from logintel_application.source import ApplicationSource


def test_it_reads_files_or_receives_or_both() -> None:
    config = ApplicationSource.Config
    assert config(name="a", type="application", paths=("/var/log/*.log",)).listen == ()
    assert config(name="a", type="application", listen=("udp://127.0.0.1:5514",)).paths == ()
    with pytest.raises(ValidationError, match="expected `paths`, `listen` or `stdin`"):
        config(name="a", type="application")
    with pytest.raises(ValidationError, match="expected such as tcp://"):
        config(name="a", type="application", listen=("5514",))
