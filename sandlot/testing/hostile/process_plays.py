"""How the process cases are played."""

from __future__ import annotations

import os
from pathlib import Path

from sandlot.contracts.errors import SandlotError
from sandlot.contracts.events import Reason, Stdout
from sandlot.contracts.quantity import Seconds
from sandlot.contracts.spec import SandboxSpec
from sandlot.testing.host_processes import descendants, read_process
from sandlot.testing.suite import NAP, collect, python, shell, stop

from .case import Finding, Outcome
from .stage import PATIENCE, Stage


async def kill_others(stage: Stage) -> Outcome:
    """P01: by the host's number of this very process, and every other that is seen."""
    return await stage.attack("processes_others:kill_others", host_pid=os.getpid())


async def see_others(stage: Stage) -> Outcome:
    """P02: the process of the host that waits for the answer, and the program of another box."""
    words = " ".join(me.words) if (me := read_process(os.getpid())) else ""
    box = await stage.engine.create(SandboxSpec())
    events = box.run(shell(f"echo up; {NAP}", timeout=None))
    try:
        async for event in events:
            if isinstance(event, Stdout):
                break
        strangers = {"the host's process": words[:60], "another box's program": NAP}
        return await stage.attack("processes_others:see_others", strangers=strangers)
    finally:
        await stop(events)
        await box.close()


async def standing(stage: Stage) -> Outcome:
    """P16: asked inside, and of the very process from outside."""
    outcome = await stage.attack("processes_others:standing")
    events = stage.box.run(shell(f"echo up; {NAP}", timeout=None))
    async for event in events:
        if isinstance(event, Stdout):
            break
    uids = _uids_of_naps()
    await stop(events)
    same = {str(os.geteuid())} if os.geteuid() == 0 else set()
    return outcome.plus(Finding("the host's root runs the program", bool(uids & same), f"host uids {uids}"))


def _uids_of_naps() -> set[str]:
    """Real uids, as the host numbers them, of the programs that sleep in our boxes."""
    naps = [process for process in descendants() if NAP in " ".join(process.words)]
    return {Path(f"/proc/{nap.pid}/status").read_text().split("Uid:")[1].split()[0] for nap in naps}


async def daemon(stage: Stage) -> Outcome:
    """P04: after its command has ended a daemon is gone."""
    facts = {"nap": NAP.split()}
    before = await stage.attack("processes_own:leave_daemon", facts)
    after = await stage.attack("processes_own:daemon_lives", facts)
    return Outcome(
        before.alive and after.alive, before.finished and after.finished, after.findings, after.result
    )


async def daemon_while_it_runs(stage: Stage) -> Outcome:
    """Control of P04: while its command still runs, the daemon is found."""
    return await stage.attack("processes_own:daemon_is_up", nap=NAP.split())


async def descriptor_given(stage: Stage) -> Outcome:
    """Control of P05: a descriptor that is there is found."""
    return await stage.attack("processes_own:with_a_descriptor")


async def kill_the_box(stage: Stage) -> Outcome:
    """P06: each attack in a box of its own; every run ends, and another box can be made."""
    found: list[Finding] = []
    for program, timeout in (("processes_others:stop_and_kill", 5.0), ("processes_others:stop_self", 0.4)):
        box = await stage.engine.create(SandboxSpec())
        try:
            outcome = await Stage(box, stage.engine, stage.canaries).attack(program, timeout=timeout)
        finally:
            await box.close()
        found += outcome.findings
        end = outcome.result
        defined = end is not None and end.reason in (
            Reason.EXITED,
            Reason.TIMEOUT,
            Reason.BOX_DIED,
            Reason.SIGNALLED,
            Reason.KILLED,
        )
        found.append(
            Finding(f"{program} has no defined end", not (outcome.alive and defined), str(end and end.reason))
        )
    last = await stage.attack("files_inside:nothing")
    return last.plus(*found)


async def killed_politely(stage: Stage) -> Outcome:
    """Control of P07: SIGTERM alone does not end it."""
    return await stage.attack("processes_own:survive_termination")


async def masquerade(stage: Stage) -> Outcome:
    """P10: what the host tells of the run is what the host started."""
    outcome = await stage.attack("processes_others:masquerade")
    result = outcome.result
    told = result is not None and result.engine == stage.box.engine and result.enforced == stage.box.enforced
    return outcome.plus(Finding("the record was changed", not told))


_ENDS = (
    ("import os; os._exit(0)", Reason.EXITED, 0),
    ("import sys; sys.exit(300)", Reason.EXITED, 44),
    ("raise SystemExit('x')", Reason.EXITED, 1),
    ("import os; os.abort()", Reason.SIGNALLED, 134),
    ("import ctypes; ctypes.string_at(0)", Reason.SIGNALLED, 139),
    ("import os; os.kill(os.getpid(), 9)", Reason.SIGNALLED, 137),
    ("import os; os.close(1); os.close(2); os._exit(3)", Reason.EXITED, 3),
    ("import os, signal; os.kill(os.getppid(), 0); os._exit(4)", None, None),
    (
        "import threading, os; threading.Thread(target=os._exit, args=(5,)).start()\nwhile True: pass",
        Reason.EXITED,
        5,
    ),
)


async def every_end(stage: Stage) -> Outcome:
    """P12: each end is told as a shell would tell it, and none hangs."""
    outcome = await stage.attack("files_inside:nothing")
    found = []
    for code, reason, exit_code in _ENDS:
        result = await collect(stage.box, python(code, timeout=Seconds(PATIENCE)))
        wrong = (
            result.reason is Reason.TIMEOUT
            if reason is None
            else (result.reason, result.exit_code) != (reason, exit_code)
        )
        found.append(Finding(code[:60], wrong, f"{result.reason.value} {result.exit_code}"))
    return outcome.plus(*found)


async def forge(stage: Stage) -> Outcome:
    """P13: frames on every descriptor change nothing; the exit code told is the real one."""
    outcome = await stage.attack("processes_own:forge_frames")
    result = outcome.result
    real = result is not None and (result.reason, result.exit_code) == (Reason.EXITED, 23)
    over = await stage.attack("processes_own:dup_over")
    after = await stage.attack("files_inside:nothing")
    return Outcome(outcome.alive, after.finished, (*outcome.findings, *over.findings), result).plus(
        Finding("the exit code was forged", not real, str(result and (result.reason, result.exit_code))),
        Finding("the box was broken by it", not (over.alive and after.alive)),
    )


async def forge_where_it_is_believed(stage: Stage) -> Outcome:
    """Control of P13: a reader that believes its child's descriptor takes the forged end for the real one."""
    return await stage.attack("processes_own:believed")


async def monkeypatch(stage: Stage) -> Outcome:
    """P14: the next run knows nothing of what the one before changed."""
    await stage.attack("processes_own:monkeypatch")
    return await stage.attack("processes_own:unpatched")


async def monkeypatched_itself(stage: Stage) -> Outcome:
    """Control of P14: in one interpreter the change is seen."""
    return await stage.attack("processes_own:patched_in_one")


async def no_level_below(stage: Stage) -> Outcome:
    """K20: asked for more than it promises, the engine makes no box."""
    from sandlot.contracts.spec import Isolation

    outcome = await stage.attack("files_inside:nothing")
    for level in Isolation:
        if level <= stage.engine.isolation:
            continue
        try:
            box = await stage.engine.create(SandboxSpec(isolation=level))
        except SandlotError as error:
            outcome = outcome.plus(Finding(f"asked for {level.name}", False, f"{error.code}: {error}"))
        else:
            await box.close()
            outcome = outcome.plus(Finding(f"asked for {level.name}", True, "a box was made"))
    return outcome
