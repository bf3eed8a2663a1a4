"""What a kernel meets in the world, and what it says of it: `bad_input.py SCENARIO FOLDER`; the last line is JSON."""

import json
import os
import subprocess
import sys
from pathlib import Path

from client import LIMIT_S, Kernel, installed, until

OPEN = 'let lab = Lab::open("results")?;\nlet kept: u32 = 7;'
ENDLESS_SQL = "%%sql\nselect count(*) from range(0, 300000) a cross join range(0, 300000) b where a.value < -b.value"
LOOKS = 'println!("begun");\nloop { std::hint::black_box(1); };'
DEAF = 'fn spin() { loop { std::hint::black_box(1); } }\nprintln!("begun");\nspin();'
ASKS = 'println!("hello {}", benchbook::notebook::input("who: ")?);'
LARGE = '"x".repeat(100_000_000)'
FLOOD = 'for _ in 0..1000 { println!("{}", "x".repeat(99_999)); }'
ERRS = 'std::fs::read("/no/such/file")?;'
# evcxr writes the error of a `?` by the same words.
USUAL = '{ let error = 7; eprintln!("{}", error); };'
BAR = 'print!("50 %\\r");\nprint!("100 %");'
MIDDLE = 'println!("a");\ndisplay_as("one", &lab.list()?);\nprintln!("b");\nupdate("one", &lab.list()?);'
MEGABYTE = "x" * (1 << 20)
RUN = (
    'let lab = Lab::open("results")?;\nlab.run_here(&Plan::quick("matmul").param("m", [32])'
    '.implementations(["burn"]).devices(["flex"]).blocks(3))?'
)


def cells(folder):
    """Odd cells, one after the other, in one kernel: each must leave it as it was."""
    with Kernel(folder) as kernel:
        kernel.run(OPEN)
        seen = {
            "empty": kernel.run(""),
            "nul": kernel.run("let a = 1;\0"),
            "printed_nul": kernel.run('print!("a\\0b");'),
            "open": kernel.run("fn f() {"),
            "long": kernel.run(f'"{MEGABYTE}".len()'),
            "long_sql": kernel.run(f"%%sql\nselect length('{MEGABYTE}') as n"),
            "flood": kernel.run(FLOOD),
            "large": kernel.run(LARGE),
            "large_panic": kernel.run(f'panic!("{{}}", {LARGE});'),
            "errs": kernel.run(ERRS),
            "usual": kernel.run(USUAL),
            "bar": kernel.run(BAR),
            "middle": kernel.run(MIDDLE),
            "timed": kernel.run("%%time\n6 * 7"),
        }
        seen["flood"]["out"] = len(seen["flood"]["out"])
        seen["large_panic"]["evalue"] = seen["large_panic"]["evalue"][-100:]
        begun = kernel.begin(ASKS)
        question = kernel.client.get_stdin_msg(timeout=LIMIT_S)
        kernel.client.input("Ada")
        seen["asks"] = {**kernel.end(begun), "asked": question["content"]["prompt"]}
        begun = kernel.begin(LOOKS, "begun")
        kernel.interrupt()
        seen["looks"] = kernel.end(begun)
        # It must end nothing but its own cell.
        seen["after"] = kernel.run('println!("{kept}");')
    return seen


def ended(folder):
    """The process of the cells ends, in three ways."""
    with Kernel(folder) as kernel:
        kernel.run(OPEN)
        begun = kernel.begin(DEAF, "begun")
        kernel.interrupt()
        kernel.until_said(begun, "Interrupt once more")
        kernel.interrupt()
        seen = {"deaf": kernel.end(begun), "after_deaf": kernel.run("6 * 7")}
        seen["aborted"] = kernel.run("let x: u8 = 1;\nstd::process::abort();")
        seen["after_abort"] = kernel.run("%%sql\nselect 1 as one")
        kernel.run(OPEN)
        begun = kernel.begin(ENDLESS_SQL)
        process = kernel.cells()
        spent_s = process.cpu_times().user
        until("work on the question", lambda: process.cpu_times().user > spent_s + 0.2)
        process.kill()
        seen["killed"] = kernel.end(begun)
        seen["sql_after"] = kernel.run("%%sql\nselect 1 as one")
        # evcxr learns of it only now, and so does the person: the variables are named.
        seen["rust_after"] = kernel.run('println!("{kept}");')
        seen["then"] = kernel.run("6 * 7")
    return seen


def two(folder):
    """Two kernels in one folder, each with a run of its own."""
    with Kernel(folder) as one, Kernel(folder) as other:
        begun = [kernel.begin(RUN) for kernel in (one, other)]
        ran = [kernel.end(cell) for kernel, cell in zip((one, other), begun)]
        return {"ran": ran, "runs": other.run("%%sql\nselect count(*) as runs from runs")}


def compiler(folder):
    """Another compiler than the one that the library was built by."""
    tools = Path(folder) / "tools"
    tools.mkdir()
    for name, text in (("rustup", f"echo {tools}/rustc"), ("rustc", "echo rustc 0.0.0 of tomorrow")):
        (tools / name).write_text(f"#!/bin/sh\n{text}\n")
        (tools / name).chmod(0o755)
    with Kernel(folder, env={**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"}) as kernel:
        return {"rust": kernel.run("6 * 7"), "sql": kernel.run("%%sql\nselect 1"), "shell": kernel.run("!echo ok")}


def vanished(folder):
    """The library goes while a kernel uses it."""
    spec = installed()
    old = Path(spec["env"]["BENCHBOOK_SNAPSHOT"])
    new = Path(folder) / "snapshots" / old.name
    new.parent.mkdir()
    subprocess.run(["cp", "--recursive", "--symbolic-link", old, new], check=True)
    for name in ("init.evcxr", "cc"):
        file = new / "config" / name
        if file.exists():
            text, mode = file.read_text(), file.stat().st_mode
            file.unlink()
            file.write_text(text.replace(str(old), str(new)))
            file.chmod(mode)
    moved = json.loads(json.dumps(spec).replace(str(old), str(new)))
    with Kernel(folder, spec=moved) as kernel:
        seen = {"before": kernel.run(OPEN)}
        subprocess.run(["rm", "--recursive", new], check=True)
        seen |= {"rust": kernel.run("let more = kept + 1;"), "sql": kernel.run("%%sql\nselect 1 as one")}
    return seen


def full(folder):
    """A disk that is full while a cell is compiled: `folder` lies on a small one."""
    room = os.statvfs(folder)
    if room.f_blocks * room.f_frsize > 4 << 30:
        raise RuntimeError(f"{folder} lies on no small disk")
    with Kernel(folder, env={**os.environ, "TMPDIR": folder}) as kernel:
        kernel.run(OPEN)
        filler = Path(folder) / "filler"
        with open(filler, "wb", buffering=0) as file:
            try:
                while file.write(bytes(1 << 16)):
                    pass
            except OSError:
                pass
        seen = {"full": kernel.run("let more = kept + 1;"), "sql": kernel.run("%%sql\nselect 1 as one")}
        filler.unlink()
        return {**seen, "after": kernel.run("kept + 1")}


if __name__ == "__main__":
    scenario, place = sys.argv[1:]
    scenarios = {one.__name__: one for one in (cells, ended, two, compiler, vanished, full)}
    print(json.dumps(scenarios[scenario](place)))
