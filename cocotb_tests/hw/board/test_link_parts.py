"""The parts of the link by themselves: header, payload, answers."""

import pytest

from derca_hw.board.link.answers import Answers
from derca_hw.board.link.header import Header
from derca_hw.board.link.payload import Payload
from derca_sim.model.link import ADVANCE, CAPACITY, VERSION, WRITE, Status, Target
from kit.stepped import play, seeded

OPERATIONS = {
    2 * Target.SYNC: False, 2 * Target.REGISTERS: False, 2 * Target.REGISTERS | WRITE: False,
    2 * Target.MEMORY | ADVANCE: False, 2 * Target.MEMORY | WRITE | ADVANCE: False, 2 * Target.EVENTS: False,
    2 * Target.SYNC | WRITE: True, 2 * Target.EVENTS | WRITE: True, 16: True, 0x80: True,
}


@pytest.mark.parametrize(("operation", "unknown"), OPERATIONS.items())
def test_a_header_is_taken_apart(operation, unknown):
    dut, rng = Header(), seeded(operation)
    assert Header.LATENCY == 1

    async def bench(ctx):
        for number in (7, 8, 9):
            for count in (0, 1, CAPACITY, CAPACITY + 1, 255):
                ctx.set(dut.last, 7)
                ctx.set(dut.after, 8)
                address = [rng.randrange(256) for _ in range(4)]
                loaded = {}
                for index, byte in enumerate([number, operation, count, *address]):
                    ctx.set(dut.take, 1)
                    ctx.set(dut.index, index)
                    ctx.set(dut.byte, byte)
                    load = ctx.get(dut.address_load)
                    if load:
                        loaded[load] = byte
                    await ctx.tick()
                    ctx.set(dut.take, 0)
                    ctx.set(dut.byte, rng.randrange(256))  # bytes between those of the header change nothing
                    assert not ctx.get(dut.address_load)
                    await ctx.tick()
                assert index == Header.BYTES - 1
                assert loaded == {1 << i: byte for i, byte in enumerate(address)}
                assert (ctx.get(dut.repeated), ctx.get(dut.following)) == (number == 7, number == 8)
                assert ctx.get(dut.write) == bool(operation & WRITE)
                assert ctx.get(dut.target) == operation >> 1 & 3
                assert ctx.get(dut.advance) == bool(operation & ADVANCE)
                assert ctx.get(dut.count) == count
                assert ctx.get(dut.unknown) == (unknown or count > CAPACITY)

    play(dut, bench)


def test_payloads_of_requests_and_answers_stand_apart():
    """Both are written and read word by word, with pauses; the place begins anew in between."""
    dut, rng = Payload(), seeded(1)
    assert Payload.LATENCY == 1
    request, answer = ([rng.randrange(256) for _ in range(4 * CAPACITY)] for _ in range(2))

    async def walk(ctx, each):
        ctx.set(dut.rewind, 1)
        await ctx.tick()
        ctx.set(dut.rewind, 0)
        for place in range(4 * CAPACITY):
            assert (ctx.get(dut.word), ctx.get(dut.byte)) == divmod(place, 4)
            each(ctx, place)
            ctx.set(dut.step, 1)
            ctx.set(dut.next_word, place % 4 == 3)
            await ctx.tick()
            ctx.set(dut.write, 0)
            ctx.set(dut.step, 0)
            ctx.set(dut.next_word, 0)
            if rng.random() < 0.2:
                await ctx.tick()

    async def bench(ctx):
        for data, half in ((request, 0), (answer, 1)):
            def write(ctx, place, data=data, half=half):
                ctx.set(dut.to_answer, half)
                ctx.set(dut.data, data[place])
                ctx.set(dut.write, 1)
            await walk(ctx, write)
        for data, half in ((request, 0), (answer, 1)):
            ctx.set(dut.from_answer, half)
            ctx.set(dut.rewind, 1)
            await ctx.tick()
            ctx.set(dut.rewind, 0)
            for place in range(4 * CAPACITY):
                ctx.set(dut.step, 1)
                ctx.set(dut.next_word, place % 4 == 3)
                await ctx.tick()
                assert ctx.get(dut.fetched) == data[place], f"byte {place}"

    play(dut, bench)


def test_the_answer_of_the_last_request_is_remembered():
    dut = Answers()
    assert Answers.LATENCY == 1

    async def command(ctx, **inputs):
        for name, value in inputs.items():
            ctx.set(getattr(dut, name), value)
        await ctx.tick()
        for name in inputs:
            ctx.set(getattr(dut, name), 0)
        return ctx.get(dut.last), ctx.get(dut.status), ctx.get(dut.count)

    async def bench(ctx):
        assert not ctx.get(dut.known)
        synchronised = VERSION, Status.BARE, CAPACITY
        assert await command(ctx, judge=1, synchronise=1) == synchronised
        assert ctx.get(dut.known) and ctx.get(dut.after) == VERSION + 1
        for error in (Status.SEQUENCE, Status.UNKNOWN):
            assert await command(ctx, judge=1, error=error) == (VERSION, error | Status.BARE, CAPACITY)
        assert await command(ctx, judge=1) == synchronised
        for i in range(300):
            number = (VERSION + 1 + i) % 256
            refused, bare, words = i % 2, i // 2 % 2, i % 65
            assert (await command(ctx, judge=1, execute=1))[0] == number
            want = number, refused * Status.REFUSED | bare * Status.BARE, words
            assert await command(ctx, finish=1, refused=refused, bare=bare, words=words) == want
            assert (await command(ctx, judge=1, error=Status.SEQUENCE))[1] == Status.SEQUENCE | Status.BARE
            assert await command(ctx, judge=1) == want
        assert await command(ctx, judge=1, synchronise=1) == synchronised

    play(dut, bench)
