// Draws a figure in the cell of a live notebook: with the page's plotly.js, or the one that lies beside the kernel's description.
function benchbookCell(id) {
  const load = () => {
    const settings = document.getElementById("jupyter-config-data");
    if (!settings) return Promise.reject(new Error("this page has no plotly.js"));
    const base = JSON.parse(settings.textContent).baseUrl || "/";
    return new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = base + "kernelspecs/benchbook/plotly.min.js";
      script.onload = resolve;
      script.onerror = () => reject(new Error("the kernel's plotly.js could not be loaded"));
      document.head.append(script);
    });
  };
  // Jupyter may run a script before its cell is in the page.
  const found = new Promise((resolve) => {
    const look = () => document.getElementById(id) ? resolve() : requestAnimationFrame(look);
    look();
  });
  window.benchbookPlotly ??= window.Plotly ? Promise.resolve() : load();
  // Without plotly.js the figures that the text names stand in its place.
  Promise.all([found, window.benchbookPlotly]).then(() => benchbookDraw(id), (error) => console.warn(String(error)));
}
