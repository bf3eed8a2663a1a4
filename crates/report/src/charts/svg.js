// Draws `figure`, then leaves plotly's SVG of it as a data URL in the page.
(async () => {
  const place = document.getElementById("figure");
  const result = document.getElementById("svg");
  try {
    const size = { width: place.clientWidth, height: place.clientHeight };
    figure.layout.font.color = getComputedStyle(place).color;
    await Plotly.newPlot(place, figure.data, figure.layout, { ...figure.config, responsive: false });
    const svg = await Plotly.toImage(place, { format: "svg", ...size });
    Plotly.purge(place);
    result.textContent = svg;
  } catch (error) {
    result.textContent = "error: " + error;
  }
})();
