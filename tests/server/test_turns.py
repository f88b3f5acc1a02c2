"""Turns: who gets a thread when many wait."""

from threading import Lock

from service.server.turns import Rank, Turn, Turns


class Task:
    """What waits, with a name."""

    def __init__(self, rank: Rank, key: str) -> None:
        self.turn = Turn(rank, key)
        self.is_done = False

    def service(self) -> None:
        self.is_done = True

    def cancel(self) -> None:
        """Nothing to give back."""


def waiting(*tasks: Task, threads: int = 8) -> Turns:
    turns = Turns(threads, Lock())
    for task in tasks:
        turns.append(task)
    return turns


def taken(turns: Turns, tasks: list[Task]) -> list[int]:
    """The numbers of the tasks that are done when each thread takes one and ends it before the next is taken."""
    order = []
    while turns:
        turns.popleft().service()
        order += [number for number, task in enumerate(tasks) if task.is_done and number not in order]
    return order


def test_each_line_gets_its_turn_however_long_another_is() -> None:
    tasks = [Task(Rank.OTHERS, "greedy") for _number in range(50)] + [Task(Rank.OTHERS, "modest")]
    assert taken(waiting(*tasks), tasks)[:3] == [0, 50, 1]


def test_staff_comes_before_others_and_a_refusal_before_both() -> None:
    tasks = [Task(Rank.OTHERS, "a"), Task(Rank.STAFF, "b"), Task(Rank.REFUSED, "")]
    assert taken(waiting(*tasks), tasks) == [2, 1, 0]


def test_one_line_never_has_more_than_its_share_of_the_threads() -> None:
    for rank in (Rank.OTHERS, Rank.STAFF):
        turns = waiting(*[Task(rank, "greedy") for _number in range(8)])
        under_way = []
        while turns:
            under_way.append(turns.popleft())
        assert len(under_way) == 2
        under_way[0].service()
        assert turns, "a thread that is free again takes the next"


def test_half_of_the_threads_are_never_given_to_strangers() -> None:
    turns = waiting(*[Task(Rank.OTHERS, f"network {number}") for number in range(8)])
    while turns:
        turns.popleft()
    assert len(turns) == 4
    turns.append(Task(Rank.STAFF, "desk"))
    assert turns


def test_while_staff_works_the_others_have_half_as_many_threads() -> None:
    turns = waiting(Task(Rank.STAFF, "desk"), *[Task(Rank.OTHERS, "greedy") for _number in range(8)])
    turns.popleft().service()
    turns.popleft()
    assert not turns, "the greedy one has its only thread"
    for number in range(8):
        turns.append(Task(Rank.OTHERS, f"network {number}"))
    turns.popleft()
    assert not turns, "all others together have two"
    turns.append(Task(Rank.STAFF, "desk"))
    assert turns


def test_a_service_with_one_thread_answers_everybody() -> None:
    tasks = [Task(Rank.OTHERS, "a"), Task(Rank.OTHERS, "b"), Task(Rank.STAFF, "c"), Task(Rank.REFUSED, "")]
    assert sorted(taken(waiting(*tasks, threads=1), tasks)) == [0, 1, 2, 3]
