"""What one rank does for all."""

from __future__ import annotations

import pytest

from hpcsnn.errors import ConfigurationError, HpcsnnError, StorageError
from hpcsnn.ranks.communicator import Alone
from hpcsnn.ranks.world import on_first_rank
from support.thread_ranks import on_ranks

SIZES = pytest.mark.parametrize("n", [1, 2, 3, 5])


@SIZES
def test_rank_0_works_once_and_all_have_its_result(n):
    worked = []

    def work(ranks):
        def there():
            worked.append(ranks.rank)
            return {"path": "runs/a", "rank": ranks.rank}

        return on_first_rank(ranks, there)

    assert on_ranks(n, work) == [{"path": "runs/a", "rank": 0}] * n
    assert worked == [0]


@SIZES
def test_no_result_is_a_result(n):
    assert on_ranks(n, lambda ranks: on_first_rank(ranks, lambda: None)) == [None] * n


@SIZES
@pytest.mark.parametrize("kind", [ConfigurationError, StorageError])
def test_an_error_that_a_user_can_mend_is_raised_on_all_ranks(n, kind):
    def work(ranks):
        def there():
            raise kind("field: 3 is not allowed")

        with pytest.raises(HpcsnnError) as caught:
            on_first_rank(ranks, there)
        return type(caught.value), str(caught.value), ranks.gather("goes on")

    assert on_ranks(n, work) == [(kind, "field: 3 is not allowed", ["goes on"] * n)] * n


def test_a_bug_is_not_handed_round():
    """An error that is none of hpcsnn's goes its own way, where it happened; who starts the ranks ends the others."""
    met = []

    def work(ranks):
        try:
            on_first_rank(ranks, lambda: 1 // 0)
        except ZeroDivisionError:
            met.append(ranks.rank)
            raise

    with pytest.raises(ZeroDivisionError):
        on_ranks(3, work)
    assert met == [0]
    with pytest.raises(ZeroDivisionError):
        work(Alone())


@pytest.mark.parametrize("n", [1, 3])
def test_what_the_system_refuses_the_first_rank_is_told_to_all(n):
    def refused():
        raise OSError(28, "No space left on device", "/disk/file")

    def told(ranks):
        with pytest.raises(StorageError) as error:
            on_first_rank(ranks, refused)
        return str(error.value)

    assert on_ranks(n, told) == ["/disk/file: No space left on device"] * n
