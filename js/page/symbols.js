// Each symbol with its bits: text in colours, the curve of the rate, the heat
// map of states. One place, `here`, is looked at in all three.

import { columnsIn, drawRate, drawStates, rateScale, rates, stateAt } from "./charts.js";

const PAGE = 4096; // symbols in colours at a time
const AHEAD = 256; // symbols behind a page that its states are judged by
const FULL = 8; // bits of the strongest colour: those of a byte by itself

const $ = (id) => document.getElementById(id);
const fixed = (value, digits = 2) => value.toFixed(digits);
const count = (n) => n.toLocaleString("en");

/** What is shown of a character that has no shape of its own. */
function shape(character) {
  const code = character.codePointAt(0);
  if (character === "\n") return "↵";
  if (code < 32) return String.fromCodePoint(0x2400 + code);
  if (code === 127) return "␡";
  return /\p{C}|\p{Zl}|\p{Zp}/u.test(character) ? "·" : character;
}

const isUtf8 = (bytes) => {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
};

/**
 * What to paint: characters with the symbols that they take, from `from` up to
 * `to`. The symbols of an analysis are bytes, of UTF-8 or of anything, which
 * are shown in hexadecimal; or characters.
 */
export function cellsOf({ symbols, unit, utf8 }, from, to) {
  if (unit === "character") {
    return Array.from(symbols.subarray(from, to), (code, i) => ({
      text: String.fromCodePoint(code), from: from + i, to: from + i + 1,
    }));
  }
  if (!utf8) {
    return Array.from(symbols.subarray(from, to), (byte, i) => ({
      text: byte.toString(16).padStart(2, "0"), hex: true, from: from + i, to: from + i + 1,
    }));
  }
  const inside = (at) => at < symbols.length && (symbols[at] & 0xc0) === 0x80;
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true }); // which is a character too
  const cells = [];
  while (inside(from)) from++; // the end of a character of the page before
  for (let at = from; at < to; ) {
    let end = at + 1;
    while (inside(end)) end++;
    cells.push({ text: decoder.decode(symbols.subarray(at, end)), from: at, to: end });
    at = end;
  }
  return cells;
}

/** Of the symbols that were analysed; `posterior` is the worker's task, or gives null. */
export class Symbols {
  #analysis = null;
  #cells = [];
  #page = 0;
  #spans = []; // of the cells
  #writes = new Map(); // what states write on the page, once asked for
  #here = 0; // a cell of the page
  #first = 0; // cell of the heat map's first column
  #asking = false;
  chances = null; // of the page's symbols; tests read it

  constructor(posterior) {
    this.posterior = posterior;
    const text = $("coloured");
    const cell = (event) => event.target.dataset?.cell;
    text.addEventListener("pointerover", (event) => {
      if (cell(event) !== undefined) this.#move(+cell(event));
    });
    text.addEventListener("keydown", (event) => this.#key(event));
    $("earlier").addEventListener("click", () => this.#turn(this.#page - 1));
    $("later").addEventListener("click", () => this.#turn(this.#page + 1));
    $("rate").addEventListener("click", (event) => {
      const { position } = rateScale($("rate").clientWidth, this.#analysis.bits.length);
      this.#show(position(event.offsetX));
    });
    $("posterior").addEventListener("pointermove", (event) => {
      const { states } = this.#analysis;
      const { column, state } = stateAt($("posterior"), states, event.offsetX, event.offsetY);
      if (this.#first + column < this.#cells.length) this.#move(this.#first + column, { state });
    });
    new ResizeObserver(() => this.draw()).observe($("symbols"));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  /** Show an analysis: `bits` of each of its `symbols`, and how many `states`. */
  show(analysis) {
    $("symbols").hidden = analysis === null || analysis.bits.length === 0;
    this.#analysis = null;
    if ($("symbols").hidden) return;
    const sums = new Float64Array(analysis.bits.length + 1);
    analysis.bits.forEach((bits, i) => (sums[i + 1] = sums[i] + bits));
    const utf8 = analysis.unit === "byte" && isUtf8(analysis.symbols);
    this.#analysis = { ...analysis, sums, utf8 };
    $("states").hidden = !analysis.states;
    $("pages").hidden = analysis.bits.length <= PAGE;
    this.#describe();
    this.#turn(0);
  }

  /** The picture for those who do not see it. */
  #describe() {
    const { sums, unit } = this.#analysis;
    const n = sums.length - 1;
    const part = Math.max(1, Math.floor(n / 10));
    const mean = (from, to) => fixed((sums[to] - sums[from]) / (to - from));
    $("rate-text").textContent =
      `${mean(0, n)} bits per ${unit} in all: ${mean(0, part)} in the first tenth, ` +
      `${mean(n - part, n)} in the last. ` +
      `“Around here” is the mean of ${rates(sums, 1).around} ${unit}s.`;
  }

  #turn(page, from = "first") {
    const { bits, unit } = this.#analysis;
    this.#page = Math.max(0, Math.min(page, Math.ceil(bits.length / PAGE) - 1));
    const [start, end] = this.#range();
    this.#cells = cellsOf(this.#analysis, start, end);
    $("range").textContent =
      `${unit}s ${count(start)} to ${count(end - 1)} of ${count(bits.length)}`;
    $("earlier").disabled = this.#page === 0;
    $("later").disabled = end === bits.length;
    const painted = document.createDocumentFragment();
    this.#cells.forEach((cell, i) => {
      const span = document.createElement("span");
      span.dataset.cell = i;
      span.textContent = cell.hex ? cell.text : shape(cell.text);
      const share = Math.min(1, this.#bits(cell) / (FULL * (cell.to - cell.from)));
      span.style.setProperty("--share", `${Math.round(100 * share)}%`);
      painted.append(span);
      if (cell.text === "\n") painted.append("\n");
      else if (cell.hex) painted.append(" ");
    });
    this.#spans = painted.querySelectorAll("span");
    $("coloured").replaceChildren(painted);
    $("coloured").scrollTop = 0;
    this.chances = null;
    $("posterior").hidden = true; // until the page's are there
    $("states-text").textContent = "…";
    this.#writes.clear();
    this.#move(from === "last" ? this.#cells.length - 1 : 0);
    this.draw();
    this.#ask();
  }

  /** Ask for the states of the page, one request at a time: the last page wins. */
  async #ask() {
    if (this.#asking) return;
    this.#asking = true;
    while (this.#analysis?.states && this.chances === null) {
      const { symbols, block, model } = this.#analysis;
      const [analysis, [start, end]] = [this.#analysis, this.#range()];
      const first = start - (start % block); // where coding begins afresh
      const last = Math.min(end + AHEAD, first + block);
      const some = symbols.slice(first, last);
      const chances = await this.posterior(model, some, start - first, end - start);
      if (chances === null) break;
      if (analysis !== this.#analysis || start !== this.#range()[0]) continue;
      this.chances = chances;
      this.#move(this.#here);
    }
    this.#asking = false;
  }

  #range() {
    const start = PAGE * this.#page;
    return [start, Math.min(start + PAGE, this.#analysis.bits.length)];
  }

  #bits({ from, to }) {
    return this.#analysis.sums[to] - this.#analysis.sums[from];
  }

  #show(position) {
    const at = Math.max(0, Math.min(position, this.#analysis.bits.length - 1));
    if (Math.floor(at / PAGE) !== this.#page) this.#turn(Math.floor(at / PAGE));
    const cell = this.#cells.findIndex(({ to }) => to > at);
    this.#move(cell < 0 ? this.#cells.length - 1 : cell, { scroll: true });
  }

  #key(event) {
    const last = this.#cells.length - 1;
    const lines = 64; // symbols that up and down move by
    const to = {
      ArrowLeft: this.#here - 1, ArrowRight: this.#here + 1,
      ArrowUp: this.#here - lines, ArrowDown: this.#here + lines, Home: 0, End: last,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    if (to > last && !$("later").disabled) this.#turn(this.#page + 1);
    else if (to < 0 && !$("earlier").disabled) this.#turn(this.#page - 1, "last");
    else this.#move(Math.max(0, Math.min(to, last)), { scroll: true });
  }

  #move(cell, { scroll = false, state } = {}) {
    this.#spans[this.#here]?.classList.remove("here");
    this.#here = cell;
    this.#spans[cell].classList.add("here");
    if (scroll) this.#spans[cell].scrollIntoView({ block: "nearest" });
    // Read out what the keyboard moves to, not all that the pointer crosses.
    $("readout").ariaLive = scroll ? "polite" : "off";
    $("readout").textContent = this.#words(cell, state);
    this.#point();
  }

  #words(cell, state) {
    const { sums, unit, states } = this.#analysis;
    const { text, hex, from, to } = this.#cells[cell];
    const names = { "\n": "line feed", " ": "space", "\t": "tab" };
    const name = hex ? text : names[text] ?? `“${shape(text)}”`;
    const several = to - from > 1 ? `, ${to - from} bytes` : "";
    const bits = fixed(this.#bits(this.#cells[cell]));
    let words =
      `${unit} ${count(from)}: ${name}${several}, ${bits} bits; ` +
      `${fixed(sums[to] / to)} bits per ${unit} so far`;
    if (this.chances) {
      const at = states * (from - this.#range()[0]);
      const row = this.chances.subarray(at, at + states);
      const named = state ?? row.indexOf(Math.max(...row));
      const share = fixed(100 * row[named], 1);
      words += `; state ${named}: ${share} %, here mostly of ${this.#written(named)}`;
    }
    return words;
  }

  /** What a state most often writes on this page, by its chances there. */
  #written(state) {
    if (this.#writes.has(state)) return this.#writes.get(state);
    const { states } = this.#analysis;
    const start = this.#range()[0];
    const sums = new Map();
    for (const { text, hex, from, to } of this.#cells) {
      const name = hex ? text : shape(text).replace(" ", "␣");
      let sum = sums.get(name) ?? 0;
      for (let i = from; i < to; i++) sum += this.chances[states * (i - start) + state] ?? 0;
      sums.set(name, sum);
    }
    const most = [...sums].sort((a, b) => b[1] - a[1]).slice(0, 4);
    const names = most.filter(([, sum]) => sum > 0.01 * most[0][1]).map(([name]) => name);
    this.#writes.set(state, names.join(" "));
    return this.#writes.get(state);
  }

  /** Draw the pictures: of a page, of another size, or in other colours. */
  draw() {
    if (!this.#analysis) return;
    const { sums, unit } = this.#analysis;
    drawRate($("rate"), sums, { page: this.#range(), unit });
    this.#point();
  }

  /** Show in the pictures which symbol is looked at. */
  #point() {
    const { bits, unit, states } = this.#analysis;
    const { x } = rateScale($("rate").clientWidth, bits.length);
    $("marker").style.left = `${x(this.#cells[this.#here].from + 0.5)}px`;
    if (!this.chances) return;
    $("posterior").hidden = false;
    const columns = columnsIn($("posterior"));
    if (this.#here < this.#first || this.#here >= this.#first + columns) {
      this.#first = this.#here - (this.#here % columns);
    }
    const cells = this.#cells.slice(this.#first, this.#first + columns);
    const chances = new Float32Array(cells.length * states);
    cells.forEach(({ from }, i) => {
      const at = states * (from - this.#range()[0]);
      chances.set(this.chances.subarray(at, at + states), i * states);
    });
    drawStates($("posterior"), {
      chances,
      states,
      labels: cells.map((cell) => (cell.hex ? "" : shape(cell.text))),
      here: this.#here - this.#first,
    });
    $("states-text").textContent =
      `How likely each of the ${states} states (rows) is at each symbol, ` +
      `given the text before it and after it: ` +
      `${unit}s ${count(cells[0].from)} to ${count(cells.at(-1).to - 1)}.`;
  }
}
