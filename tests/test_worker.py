"""The worker's rounds: each job has its turn, whatever became of the others."""

import pytest

from cityverse import worker
from cityverse.errors import StoreUnavailable


def test_a_job_that_fails_is_told_and_stops_no_other(caplog):
    done = []

    def fails():
        raise StoreUnavailable("away")

    assert not worker._attempt("polling", fails)
    assert worker._attempt("sweeping", lambda: done.append(1))
    assert done == [1]
    assert "polling failed this time: away" in caplog.text


def test_what_nobody_expects_is_not_hidden():
    with pytest.raises(ZeroDivisionError):
        worker._attempt("polling", lambda: 1 / 0)
