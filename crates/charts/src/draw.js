// Draws the figure of one div from the JSON beside it, in the text colour of the page, and follows that colour.
function benchbookDraw(id) {
  const place = document.getElementById(id);
  const ink = () => getComputedStyle(place).color;
  const draw = async () => {
    const figure = JSON.parse(document.getElementById(id + "-data").textContent);
    figure.layout.font.color = ink();
    place.replaceChildren();
    await Plotly.newPlot(place, figure.data, figure.layout, figure.config);
    place.dataset.drawn = "yes";
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      Plotly.relayout(place, { "font.color": ink() });
    });
  };
  draw().catch((error) => {
    place.dataset.drawn = "no";
    place.textContent = "This figure could not be drawn: " + error;
  });
}
