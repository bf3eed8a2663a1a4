"""The executed copy and the page of a notebook, and what its cells have shown."""

import contextlib
import os
import platform
import re
from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path

import nbformat
from jinja2 import pass_context
from nbconvert.exporters import HTMLExporter
from nbconvert.filters import Highlight2HTML
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from pygments.formatters import HtmlFormatter
from traitlets.config import Config

HERE = Path(__file__).resolve().parent
PLOTLY_MIME = "application/vnd.plotly.v1+json"
LIGHT, DARK = "default", "github-dark"
CONTENTS = '<nav class="first" aria-label="contents">'
# Scripts and widgets of other libraries are left out: they want the network.
PREFERRED = ["text/html", PLOTLY_MIME, "text/markdown", "image/svg+xml", "image/png", "image/jpeg", "text/plain"]


class Count(HTMLParser):
    """Counts the elements that cells mark as figures, tables and summaries."""

    def __init__(self, html):
        super().__init__()
        self.figures = self.tables = self.summaries = 0
        # What a browser would forgive ends the count.
        with contextlib.suppress(AssertionError):
            self.feed(html)

    def handle_starttag(self, tag, attrs):
        classes = (dict(attrs).get("class") or "").split()
        self.figures += "benchbook-figure" in classes
        self.tables += "benchbook-table" in classes
        self.summaries += "benchbook-summary" in classes


def shown(nb, injected):
    """For each code cell what it declares and what it shows; places are those in the notebook on disk."""
    cells = [cell for cell in nb.cells if injected not in cell.metadata.get("tags", [])]
    found = []
    for place, cell in enumerate(cells):
        ours = cell.metadata.get("benchbook")
        declared = ours.get("shows", []) if isinstance(ours, dict) else []
        bundles = [output.get("data", {}) for output in cell.get("outputs", [])]
        parts = [Count(text_of(data["text/html"])) for data in bundles if "text/html" in data]
        counts = {what: sum(getattr(part, what) for part in parts) for what in ("figures", "tables", "summaries")}
        counts["figures"] += sum(PLOTLY_MIME in data and "text/html" not in data for data in bundles)
        if declared or any(counts.values()):
            found.append({"cell": place, "declared": declared, **counts})
    return found


def text_of(value):
    return "".join(value) if isinstance(value, list) else str(value)


def write(nb, job, failed):
    """Writes the files that the job asks for; `failed` is shown at the top of the page."""
    if job.get("executed"):
        replace(job["executed"], nbformat.writes(nb) + "\n")
    if job.get("html"):
        replace(job["html"], page(nb, job, failed))


def replace(path, text):
    """Writes a file at once: a reader sees the old one or the new one, never half of it."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_text(text, encoding="utf-8", errors="replace")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


class Prose(IPythonRenderer):
    """nbconvert's Markdown, with the HTML in it as it was written."""

    def inline_html(self, html):
        return html

    def block_html(self, html):
        return html


class Page(HTMLExporter):
    """nbconvert's exporter without its passes through BeautifulSoup, which rewrites what cells have written."""

    @pass_context
    def markdown2html(self, context, source):
        attachments = context.get("cell", {}).get("attachments", {})
        folder = context["resources"]["metadata"]["path"]
        prose = Prose(escape=False, embed_images=True, attachments=attachments, path=folder)
        return MarkdownWithMath(renderer=prose).render(source)

    def from_notebook_node(self, nb, resources=None, **kw):
        language = nb.metadata.get("language_info", {})
        lexer = language.get("pygments_lexer") or language.get("name") or "rust"
        self.register_filter("highlight_code", Highlight2HTML(pygments_lexer=lexer, parent=self))
        return super(HTMLExporter, self).from_notebook_node(nb, self._init_resources(resources), **kw)


def page(nb, job, failed):
    """The notebook as one HTML page that asks nobody for anything."""
    exporter = Page(
        template_name="template",
        extra_template_basedirs=[str(HERE)],
        config=Config({"NbConvertBase": {"display_data_priority": PREFERRED}}),
    )
    figures = sum(cell["figures"] for cell in shown(nb, None))
    resources = {
        "metadata": {"path": job["cwd"]},
        "title": title(nb, job),
        "ran": ran(),
        "style": (HERE / "template" / "page.css").read_text(encoding="utf-8") + code_style(),
        "plotly": Path(job["plotly_js"]).read_text(encoding="utf-8") if figures else "",
        # nbconvert copies this, and cannot copy an exception.
        "failed": failed and {"place": failed.place, "index": failed.index, "message": failed.message},
    }
    html, _ = exporter.from_notebook_node(nb, resources)
    html = html.replace(CONTENTS, f"{CONTENTS}{contents(html)}", 1)
    # Prose links to the notebook beside it; its page lies beside this page.
    return re.sub(r'(<a href="[^":/?#]+)\.ipynb(["#])', r"\1.html\2", html)


def contents(html):
    """A link to each section of the prose."""
    headings = re.findall(r'<h2 id="([^"]+)">(.*?)<a class="anchor-link"', html)
    return "".join(f'<a href="#{place}">{re.sub("<[^>]*>", "", text)}</a>' for place, text in headings)


def ran():
    """When and on what machine, in a line."""
    processor = platform.machine()
    with contextlib.suppress(OSError):
        names = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
        processor = names.group(1) if names else processor
    cpus = len(os.sched_getaffinity(0))
    return f"{datetime.now().astimezone():%Y-%m-%d %H:%M %Z} · {processor}, {cpus} CPUs · {platform.system()} {platform.release()}"


def title(nb, job):
    prose = "\n".join(cell.source for cell in nb.cells if cell.cell_type == "markdown")
    heading = re.search(r"^#\s+(.+)$", prose, re.MULTILINE)
    return heading.group(1).strip() if heading else Path(job["notebook"]).stem


def code_style():
    light, dark = (HtmlFormatter(style=style).get_style_defs(".highlight") for style in (LIGHT, DARK))
    return f"{light}\n@media screen and (prefers-color-scheme: dark) {{\n{dark}\n}}\n"
