"""Drives a kernel as Jupyter's own clients do: `front.py SCENARIO KERNEL`. The last line is what was seen, as JSON."""

import json
import sys
import tempfile
from pathlib import Path

import nbclient
import nbformat
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager, KernelManager

WAIT = 60


def manager(kernel):
    """A manager of a kernel that is started by its program and the connection file."""
    made = KernelManager(kernel_name="script")
    made._kernel_spec = KernelSpec(
        argv=[kernel, "{connection_file}"], display_name="script", language="rust", interrupt_mode="message"
    )
    return made


def outputs(client, code):
    """The reply to a cell, and what it published."""
    published = []
    reply = client.execute_interactive(code, timeout=WAIT, output_hook=published.append)
    return reply["content"], published


def is_complete(client, text):
    """The one question whose answer the client does not wait for by itself."""
    client.is_complete(text)
    return client.get_shell_msg(timeout=WAIT)["content"]["status"]


def client(kernel):
    kernel = manager(kernel)
    kernel.start_kernel()
    client = kernel.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=WAIT)
        seen = {}
        info = client.kernel_info(reply=True, timeout=WAIT)["content"]
        seen["info"] = [info["protocol_version"], info["language_info"]["name"]]
        _, published = outputs(client, "print ab")
        seen["printed"] = "".join(one["content"]["text"] for one in published if one["msg_type"] == "stream")
        failed, _ = outputs(client, "fail badly")
        seen["failed"] = [failed["status"], failed["ename"], failed["evalue"]]
        texts = ["let x = 1;", "fn f() {", "}"]
        seen["complete"] = [is_complete(client, text) for text in texts]
        history = client.history(hist_access_type="tail", n=2, reply=True, timeout=WAIT)["content"]["history"]
        seen["history"] = [text for _, _, text in history]
        seen["matches"] = client.complete("%%", reply=True, timeout=WAIT)["content"]["matches"]
        waiting = client.execute("wait")
        while True:
            message = client.get_iopub_msg(timeout=WAIT)
            if message["msg_type"] == "execute_input" and message["parent_header"]["msg_id"] == waiting:
                break
        kernel.interrupt_kernel()
        seen["interrupted"] = client.get_shell_msg(timeout=WAIT)["content"]["ename"]
        kernel.restart_kernel()
        client.wait_for_ready(timeout=WAIT)
        seen["restarted"] = outputs(client, "print again")[0]["execution_count"]
    finally:
        client.stop_channels()
        kernel.shutdown_kernel()
    seen["alive"] = kernel.is_alive()
    return seen


def notebook(kernel):
    """A notebook run headless, from a folder of kernelspecs."""

    def run(cells, folder):
        page = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        page.metadata.kernelspec = {"name": "script", "display_name": "script", "language": "rust"}
        specs = KernelSpecManager(kernel_dirs=[str(folder)], ensure_native_kernel=False)
        made = AsyncKernelManager(kernel_name="script", kernel_spec_manager=specs)
        # nbclient leaves a kernel alone whose manager it was given.
        nbclient.NotebookClient(page, km=made, timeout=WAIT).execute(cleanup_kc=True)
        return page

    with tempfile.TemporaryDirectory() as folder:
        spec = Path(folder) / "script"
        spec.mkdir()
        said = {"argv": [kernel, "{connection_file}"], "display_name": "script", "language": "rust"}
        (spec / "kernel.json").write_text(json.dumps({**said, "interrupt_mode": "message"}))
        page = run(["print a", "%%sql\nselect 1"], folder)
        ok = [page.cells[0].outputs[0].text, page.cells[1].outputs[0].data["text/html"]]
        try:
            run(["fail badly", "print never"], folder)
        except nbclient.exceptions.CellExecutionError as error:
            failed = [error.ename, error.evalue]
    return {"ok": ok, "failed": failed}


if __name__ == "__main__":
    scenario, program = sys.argv[1:]
    print(json.dumps({"client": client, "notebook": notebook}[scenario](program)))
