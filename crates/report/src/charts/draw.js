// Breaks the texts of a figure that are wider than a narrow page, and makes the figure higher by what that takes.
function benchbookFit(figure, width) {
  const { layout } = figure;
  const pen = document.createElement("canvas").getContext("2d");
  const plain = (text) => text.replace(/<[^>]*>/g, "").replace(/&#?\w+;/g, "x");
  // After a space or a slash that is in no tag; a word that is too long itself, anywhere.
  const broken = (text, room, font) => {
    pen.font = font;
    const wide = (line) => pen.measureText(plain(line).trimEnd()).width > room;
    const words = (line) => line.split(/(?<=[ /])(?![^<]*>)/)
      .flatMap((word) => wide(word) && !/[<&]/.test(word) ? word.match(/.{1,20}/g) : [word]);
    const fold = (line) => words(line).reduce((lines, word) => {
      const longer = (lines.at(-1) ?? "") + word;
      return lines.length && wide(longer) ? [...lines, word] : [...lines.slice(0, -1), longer];
    }, []);
    return text.split("<br>").flatMap(fold).join("<br>");
  };
  const lines = (text) => text.split("<br>").length;
  const family = layout.font.family ?? "system-ui, sans-serif";
  const { l, r, t, b } = layout.margin;
  const plot = layout.height - t - b;
  const grow = (side, px) => {
    layout.margin[side] += px;
    layout.height += px;
  };

  // The heading in bold, the notes in small below it.
  const [heading, ...notes] = layout.title.text.split("<br>");
  const small = notes.map((note) => broken(note, width - 24, `13px ${family}`));
  layout.title.text = [broken(heading, width - 24, `bold 18px ${family}`), ...small].join("<br>");
  grow("t", 22 * (lines(layout.title.text) - 1 - notes.length));

  // Ticks and title of a vertical axis stand left of the plot.
  const inside = width - l - r - (layout.yaxis?.title?.text ? 40 : 0);
  for (const axis of Object.keys(layout).filter((name) => name.startsWith("xaxis")).map((name) => layout[name])) {
    if (!axis.title?.text) continue;
    if (axis.anchor) {
      // Between panels there is no room for a second line.
      axis.title.font.size = 12;
      continue;
    }
    axis.title.text = broken(axis.title.text, inside, `14px ${family}`);
    const more = 19 * (lines(axis.title.text) - 1);
    grow("b", more);
    layout.legend.y -= more / plot;
  }
  let legend = 0;
  for (const trace of figure.data) {
    if (!layout.showlegend || trace.showlegend === false || !trace.name) continue;
    trace.name = broken(trace.name, inside - 64, `14px ${family}`);
    legend += 7 + 19 * lines(trace.name);
  }
  grow("b", Math.max(0, legend + 58 - b));
}

// Draws the figure of one div from the JSON beside it, in the text colour of the page, and follows that colour.
function benchbookDraw(id) {
  const place = document.getElementById(id);
  const ink = () => getComputedStyle(place).color;
  const narrow = (px) => px > 0 && px < 640;
  const { height } = place.style;
  let width;
  const draw = async () => {
    const figure = JSON.parse(document.getElementById(id + "-data").textContent);
    figure.layout.font.color = ink();
    width = place.clientWidth;
    place.style.height = height;
    if (narrow(width)) {
      benchbookFit(figure, width);
      place.style.height = figure.layout.height + "px";
    }
    if (place.dataset.drawn) Plotly.purge(place);
    place.replaceChildren();
    // The buttons would lie on the heading.
    const config = { ...figure.config, ...(narrow(width) && { displayModeBar: false }) };
    await Plotly.newPlot(place, figure.data, figure.layout, config);
    // A page that waits for it hears of a click on a point, also after the figure was drawn anew.
    place.on("plotly_click", ({ points }) => {
      place.dispatchEvent(new CustomEvent("benchbook-click", { bubbles: true, detail: points[0] }));
    });
    place.dataset.drawn = "yes";
  };
  const failed = (error) => {
    place.dataset.drawn = "no";
    place.textContent = "This figure could not be drawn: " + error;
  };
  draw().then(() => {
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      Plotly.relayout(place, { "font.color": ink() });
    });
    // Lines for one narrow width are cut in another; plotly fits the plot itself, 100 ms after the page has changed.
    let soon;
    addEventListener("resize", () => {
      clearTimeout(soon);
      soon = setTimeout(() => {
        const now = place.clientWidth;
        if (now > 0 && now !== width && (narrow(now) || narrow(width))) draw().catch(failed);
      }, 150);
    });
  }).catch(failed);
}
