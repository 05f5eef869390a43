// Texts to begin with, made here: the same on each visit.

const PROSE = [
  `The harbour master kept two books. In the first he wrote what came in: the name of the ship, \
the hour, the wind, and how deep she lay in the water. In the second he wrote what he had \
expected. Most days the two books said nearly the same, and on those days the second book made \
the first one almost needless: it was enough to note where they differed, and that took a line \
or less.`,
  `"You waste ink," said the clerk, who was young. "Whoever has the second book can guess the \
first."`,
  `"That is the use of it," said the harbour master. "What can be guessed need not be written. \
But the guess has to be made before the ship is seen, and it must be made in the same way by \
whoever reads the book after me, or my short notes will mean nothing to him at all."`,
  `The clerk thought about this while the tide went out. In the evening a ship came in that \
nobody had expected, with a cargo that nobody could name, and the note on her was the longest \
of the year. The harbour master wrote it without complaint. A surprise, he said, costs what it \
costs; the art is to be surprised no more often than the world deserves.`,
  `Years later the clerk was harbour master, and kept two books. In the first he wrote what came \
in.`,
].join("\n\n") + "\n";

/** Numbers that look random, from 0 up to below 1. */
function* numbers(seed) {
  for (let state = seed >>> 0; ; ) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    yield state / 2 ** 32;
  }
}

const join = (count, line) => Array.from({ length: count }, (_, i) => line(i)).join("\n") + "\n";

function log() {
  const random = numbers(1);
  const draw = (...of) => of[Math.floor(random.next().value * of.length)];
  let second = 0;
  return join(120, () => {
    second += 1 + Math.floor(random.next().value * 9);
    const time = new Date(Date.UTC(2026, 0, 5, 9) + 1000 * second).toISOString().slice(0, 19);
    const page = draw("/", "/", "/docs/", "/docs/start", "/images/logo.svg", "/api/items");
    return `${time} 10.0.0.${draw(4, 7, 7, 12)} GET ${page} ${draw(200, 200, 200, 304, 404)}`;
  });
}

function table() {
  const random = numbers(2);
  let level = 200;
  const row = (i) => {
    level += Math.round(4 * (random.next().value - 0.5));
    return `${i},${(level / 10).toFixed(1)},${40 + Math.floor(random.next().value * 5)}`;
  };
  return "minute,temperature,humidity\n" + join(160, row);
}

function noise() {
  const random = numbers(3);
  return join(24, () =>
    Array.from({ length: 60 }, () =>
      String.fromCharCode(97 + Math.floor(random.next().value * 26)),
    ).join(""),
  );
}

export const examples = { prose: () => PROSE, log, table, noise };
