"""One run at a time, in the order in which they came."""

import threading

from restore.page.turns import Turns


def test_one_turn_at_a_time_also_among_many_that_give_way():
    turns, inside, most = Turns(), [], []

    def work() -> None:
        for _ in range(20):
            with turns.turn():
                for _ in range(3):
                    inside.append(None)
                    most.append(len(inside))
                    inside.pop()
                    turns.give_way()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)
    assert (len(most), max(most)) == (6 * 20 * 3, 1)
