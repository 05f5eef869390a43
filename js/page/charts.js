// The rate over position and the posterior over states, on canvases.

/** The colours of page.css, which follow the device's. */
function colours() {
  const style = getComputedStyle(document.documentElement);
  return new Proxy({}, { get: (_, name) => style.getPropertyValue(`--${name}`).trim() });
}

/** A canvas with a dot for each of the device's, and its size in CSS pixels. */
function prepare(canvas, height) {
  const { width } = canvas.parentElement.getBoundingClientRect();
  const wide = Math.max(1, Math.floor(width));
  const dense = window.devicePixelRatio || 1;
  canvas.width = wide * dense;
  canvas.height = height * dense;
  canvas.style.width = `${wide}px`;
  canvas.style.height = `${height}px`;
  const context = canvas.getContext("2d");
  context.scale(dense, dense);
  return { context, width: wide, height };
}

const MARGIN = { left: 44, right: 10, top: 10, bottom: 34 };

/** Where position i is in the picture of n symbols, and back. */
export function rateScale(width, n) {
  const inner = width - MARGIN.left - MARGIN.right;
  return {
    x: (i) => MARGIN.left + (inner * i) / n,
    position: (x) => Math.round(((x - MARGIN.left) * n) / inner),
  };
}

/** A round step, so that at most `most` of them cover `range`. */
function stepOf(range, most) {
  const power = 10 ** Math.floor(Math.log10(range / most));
  return [1, 2, 5, 10].map((m) => m * power).find((step) => range / step <= most);
}

/**
 * Mean bits per symbol, of all up to a place and of those just around it.
 * `sums` are running sums, with a 0 before the first: n + 1 of them.
 */
export function rates(sums, points) {
  const n = sums.length - 1;
  const half = Math.max(8, Math.round(n / 200));
  const running = [];
  const local = [];
  for (let k = 1; k <= points; k++) {
    const i = Math.max(1, Math.round((k * n) / points));
    const [from, to] = [Math.max(0, i - half), Math.min(n, i + half)];
    running.push([i, sums[i] / i]);
    local.push([i, (sums[to] - sums[from]) / (to - from)]);
  }
  return { running, local, around: 2 * half };
}

export function drawRate(canvas, sums, { page, unit }) {
  const { context, width, height } = prepare(canvas, 224);
  const colour = colours();
  const n = sums.length - 1;
  const { x } = rateScale(width, n);
  const points = Math.min(n, 2 * width);
  const { running, local } = rates(sums, points);
  const top = Math.max(...running.map((p) => p[1]), ...local.map((p) => p[1]), 0.1) * 1.15;
  const y = (rate) => height - MARGIN.bottom - ((height - MARGIN.top - MARGIN.bottom) * rate) / top;

  context.font = "12px system-ui, sans-serif";
  context.fillStyle = colour.raised;
  context.fillRect(x(page[0]), MARGIN.top, x(page[1]) - x(page[0]), y(0) - MARGIN.top);
  context.strokeStyle = colour.line;
  context.fillStyle = colour.faint;
  context.lineWidth = 1;
  const text = (words, at, down, align) => {
    context.textAlign = align;
    context.fillText(words, at, down);
  };
  const up = stepOf(top, 5);
  for (let rate = 0; rate <= top; rate += up) {
    context.beginPath();
    context.moveTo(MARGIN.left, y(rate));
    context.lineTo(width - MARGIN.right, y(rate));
    context.stroke();
    text(String(+rate.toPrecision(3)), MARGIN.left - 6, y(rate) + 4, "right");
  }
  const along = stepOf(n, width < 500 ? 3 : 8);
  for (let i = 0; i <= n; i += along) {
    const align = x(i) > width - 40 ? "right" : "center";
    text(i.toLocaleString("en"), Math.min(x(i), width - 2), height - 18, align);
  }
  text(`${unit}s`, width - MARGIN.right, height - 4, "right");

  const line = (curve, style, thick) => {
    context.strokeStyle = style;
    context.lineWidth = thick;
    context.beginPath();
    for (const [i, rate] of curve) context.lineTo(x(i), y(rate));
    context.stroke();
  };
  line(local, colour["curve-local"], 1);
  line(running, colour.curve, 2.5);

  let at = width - MARGIN.right - 200;
  const names = { "all so far": colour.curve, "around here": colour["curve-local"] };
  for (const [words, style] of Object.entries(names)) {
    context.fillStyle = style;
    context.fillRect(at, MARGIN.top + 5, 14, 4);
    context.fillStyle = colour.ink;
    text(words, at + 19, MARGIN.top + 11, "left");
    at += 105;
  }
}

const CELL = 11; // pixels of a symbol in the heat map
const LABEL = 22; // and below it, of the symbols themselves

/** How many symbols a heat map in this canvas's place shows. */
export function columnsIn(canvas) {
  return Math.max(8, Math.floor(canvas.parentElement.getBoundingClientRect().width / CELL));
}

/** Which symbol, counted from the first shown, and which state is at a point. */
export function stateAt(canvas, states, x, y) {
  const height = canvas.getBoundingClientRect().height - LABEL;
  const state = Math.min(states - 1, Math.floor((y * states) / height));
  return { column: Math.floor(x / CELL), state };
}

const rgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));

/**
 * A column for each symbol, a row for each state, dark where it is likely.
 * `chances` [n][states], `labels` [n] what to write below, `here` a column.
 */
export function drawStates(canvas, { chances, states, labels, here }) {
  const row = Math.max(2, Math.min(24, Math.floor(320 / states)));
  const { context, width, height } = prepare(canvas, row * states + LABEL);
  const colour = colours();
  const n = labels.length;
  const [ground, ink] = [rgb(colour.ground), rgb(colour.accent)];
  const pixels = new ImageData(n, states);
  for (let i = 0; i < n; i++) {
    for (let z = 0; z < states; z++) {
      const at = 4 * (z * n + i);
      // A square root, so that the states that share what is left are seen too.
      const share = Math.sqrt(chances[i * states + z]);
      for (let c = 0; c < 3; c++) pixels.data[at + c] = ground[c] + share * (ink[c] - ground[c]);
      pixels.data[at + 3] = 255;
    }
  }
  const small = new OffscreenCanvas(n, states);
  small.getContext("2d").putImageData(pixels, 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(small, 0, 0, n * CELL, row * states);
  context.strokeStyle = colour.ink;
  context.strokeRect(here * CELL + 0.5, 0.5, CELL - 1, height - 1);
  context.fillStyle = colour.ink;
  context.font = "13px ui-monospace, monospace";
  context.textAlign = "center";
  labels.forEach((label, i) => context.fillText(label, (i + 0.5) * CELL, height - 6));
  return { width };
}
